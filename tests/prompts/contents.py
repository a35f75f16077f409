"""What the tests of prompts share: contents, and a directory that notes its changes in a list."""

from typing import Any

from llmops.prompts.directory import PromptDirectory
from llmops.prompts.prompt import Content, Message
from llmops.prompts.sandboxed import JinjaRenderer
from llmops.prompts.variables import Variable
from llmops.store.database import Database


class Noted:
    """A trail in memory."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, str, dict[str, Any]]] = []

    def __call__(self, who: str, action: str, object_id: str, /, **fields: Any) -> None:
        self.entries.append((who, action, object_id, fields))

    @property
    def actions(self) -> list[str]:
        return [action for _, action, _, _ in self.entries]


class Desk:
    """A directory whose time passes by a second with every look at the clock."""

    def __init__(self, database: Database, sandbox: JinjaRenderer | None = None) -> None:
        self.noted = Noted()
        self._now_ms = 1_795_000_000_000
        self.directory: PromptDirectory[str] = PromptDirectory(database, self.noted, now_ms=self._tick, sandbox=sandbox)
        self.kept = self.directory.repository

    def _tick(self) -> int:
        self._now_ms += 1000
        return self._now_ms

    def publish(self, name: str, content: Content | str, tenant: str = "acme", **fields: Any) -> int:
        """The number of the version."""
        wanted = Content(text=content) if isinstance(content, str) else content
        return self.directory.publish("ann", tenant, name, wanted, author="ann", **fields)[0].number


def text(words: str, **variables: str) -> Content:
    return Content(text=words, variables={name: Variable(type=type_) for name, type_ in variables.items()})  # type: ignore[arg-type]


def chat(*messages: tuple[str, str]) -> Content:
    return Content(kind="chat", messages=tuple(Message(role, words) for role, words in messages))  # type: ignore[arg-type]
