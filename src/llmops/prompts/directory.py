"""The registry as a whole: what is published is checked and composed before it is kept, every change is noted with its
reason, and whoever asks sees its tenant's prompts and the shared ones.

``Who`` is whatever the surface knows of a caller (a key, a shell's user): it is passed on to the trail and not looked
at. Methods block on the database, and on a process where Jinja is checked: call them from a thread.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from ..errors import Conflict, InvalidRequest, NotFound
from ..store.database import Database
from .composition import resolve
from .prompt import (
    LATEST,
    MAX_COMMENT_CHARS,
    SHARED,
    Content,
    Selector,
    Version,
    checked_config,
    checked_label,
    checked_name,
)
from .render import DEFAULT_CAPS, Caps, Compiled, Rendered, Sandbox, checked_content
from .repository.prompts import Anywhere, PromptRepository
from .repository.usage import Use, usage_of
from .variables import Variable

Who = TypeVar("Who", contravariant=True)
_MAX_TAGS = 50
_MAX_CONTENT_BYTES = 1_000_000


class Note(Protocol[Who]):
    """Writes to the audit trail: ``note(who, "prompt.label", name, tenant=…, before=…, after=…, reason=…)``."""

    def __call__(
        self,
        who: Who,
        action: str,
        object_id: str,
        /,
        *,
        tenant: str | None,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        reason: str | None = None,
    ) -> None: ...


class PromptDirectory(Generic[Who]):
    """``tenant`` is whose prompt is changed: a tenant's, or `SHARED`. ``author`` is how whoever does it is called."""

    def __init__(
        self, database: Database, note: Note[Who], *, now_ms: Callable[[], int], sandbox: Sandbox | None = None
    ) -> None:
        self.repository = PromptRepository(database)
        self._note = note
        self._now_ms = now_ms
        self._sandbox = sandbox

    def checked(self, tenant: str, name: str, content: Content) -> tuple[Content, dict[str, str], Compiled]:
        """The content with what it includes, the pins, and the whole compiled; `InvalidRequest` for what is no use."""
        checked_name(name)
        size = sum(map(len, content.texts))
        if size > _MAX_CONTENT_BYTES:
            raise InvalidRequest(f"the prompt has {size:,} characters; at most {_MAX_CONTENT_BYTES:,} are kept")
        _check_storable(content)
        checked_content(content)
        checked_config(content.config)
        resolved, pins = self._resolved(tenant, name, content)
        compiled = Compiled(resolved, self._sandbox)
        compiled.check()
        return resolved, pins, compiled

    def _resolved(self, tenant: str, name: str, content: Content) -> tuple[Content, dict[str, str]]:
        if content.engine == "plain":
            return resolve(name, content, lambda *wanted: self.repository.visible(tenant, *wanted))
        if self._sandbox is None:
            raise InvalidRequest("engine: 'jinja': Jinja templates are not rendered here", param="engine")
        if content.variables:
            return content, {}
        placeholders = {each.placeholder for each in content.messages}
        names = sorted(self._sandbox.names(content.texts) - placeholders)
        return msgspec.structs.replace(content, variables={each: Variable() for each in names}), {}

    def publish(
        self,
        who: Who,
        tenant: str,
        name: str,
        content: Content,
        *,
        author: str,
        comment: str = "",
        labels: Sequence[str] = (),
        tags: Sequence[str] | None = None,
        parent: int | None = None,
        believed: Mapping[str, int | None] | None = None,
        reason: str | None = None,
    ) -> tuple[Version, bool]:
        """The newest version with this content, with these labels moved to it, and whether it is new. With
        ``believed``, where each label is (None: nowhere), `Conflict` for one that is elsewhere by then."""
        if len(comment) > MAX_COMMENT_CHARS:
            raise InvalidRequest(f"{len(comment):,} characters of comment; at most {MAX_COMMENT_CHARS:,} are kept")
        if tags is not None and (len(tags) > _MAX_TAGS or any(len(each) > 100 for each in tags)):
            raise InvalidRequest(f"at most {_MAX_TAGS} tags of 100 characters are kept", param="tags")
        for label in labels:
            checked_label(label)
        resolved, pins, _ = self.checked(tenant, name, content)
        if believed is not None:  # before anything is written; the moves are compared again
            self._check_whereabouts(tenant, name, {each: believed.get(each) for each in labels if each != LATEST})
        version, is_new = self.repository.publish(
            tenant,
            name,
            content,
            resolved,
            pins,
            author=storable(author),
            comment=storable(comment),
            now_ms=self._now_ms(),
            tags=tags,
            parent=parent,
        )
        if is_new:
            after = {"version": version.number, "digest": version.digest, "comment": comment or None}
            self._note(who, "prompt.publish", name, tenant=_seen_by(tenant), after=after, reason=reason)
        for label in labels:
            if label != LATEST:
                expected = Anywhere if believed is None else believed.get(label)
                self.label(
                    who, tenant, name, label, Selector(version.number), author=author, expected=expected, reason=reason
                )
        return self.repository.version(tenant, name, Selector(version.number)), is_new

    def whereabouts(self, tenant: str, name: str) -> dict[str, int | None]:
        """Where labels are; empty for a prompt that is not there."""
        try:
            return {each.label: each.number for each in self.repository.labels(tenant, name)}
        except NotFound:
            return {}

    def _check_whereabouts(self, tenant: str, name: str, believed: Mapping[str, int | None]) -> None:
        now = self.whereabouts(tenant, name)
        for label, number in believed.items():
            if now.get(label) != number:
                is_at, not_at = (f"at version {each}" if each else "nowhere" for each in (now.get(label), number))
                raise Conflict(
                    f"the label {label!r} of {name} is {is_at}, not {not_at}: look at it and try again", param="labels"
                )

    def label(
        self,
        who: Who,
        tenant: str,
        name: str,
        label: str,
        selector: Selector,
        *,
        author: str,
        expected: int | type[Anywhere] | None = Anywhere,
        reason: str | None = None,
    ) -> tuple[int | None, int]:
        """Point a label to a version: where it was and is. `Conflict` where it is not at ``expected``."""
        before, number = self.repository.move(
            tenant,
            name,
            label,
            selector,
            expected=expected,
            who=storable(author),
            reason=storable(reason or ""),
            now_ms=self._now_ms(),
        )
        if before != number:
            self._moved(who, "prompt.label", tenant, name, label, before, number, reason)
        return before, number

    def unlabel(
        self,
        who: Who,
        tenant: str,
        name: str,
        label: str,
        *,
        author: str,
        expected: int | type[Anywhere] | None = Anywhere,
        reason: str | None = None,
    ) -> int:
        """Take a label away; where it was."""
        said = {"who": storable(author), "reason": storable(reason or ""), "now_ms": self._now_ms()}
        before = self.repository.take_away(tenant, name, label, expected=expected, **said)  # type: ignore[arg-type]
        self._moved(who, "prompt.unlabel", tenant, name, label, before, None, reason)
        return before

    def roll_back(
        self, who: Who, tenant: str, name: str, label: str, *, author: str, reason: str | None = None
    ) -> tuple[int, int]:
        """Point a label to where it was before; from where and to where."""
        before, number = self.repository.roll_back(
            tenant, name, label, who=storable(author), reason=storable(reason or ""), now_ms=self._now_ms()
        )
        self._moved(who, "prompt.rollback", tenant, name, label, before, number, reason)
        return before, number

    def comment(self, who: Who, tenant: str, name: str, number: int, text: str, *, author: str) -> int:
        if not text.strip() or len(text) > MAX_COMMENT_CHARS:
            raise InvalidRequest(f"a comment has 1 to {MAX_COMMENT_CHARS:,} characters", param="text")
        made = self.repository.comment(
            tenant, name, number, storable(text), author=storable(author), now_ms=self._now_ms()
        )
        self._note(who, "prompt.comment", name, tenant=_seen_by(tenant), after={"version": number})
        return made

    def archive(self, who: Who, tenant: str, name: str, *, author: str, reason: str | None = None) -> None:
        """Put a prompt away: no call finds it any more, its versions stay."""
        labels = self.repository.summary(tenant, name).labels
        said = {"who": storable(author), "reason": storable(reason or ""), "now_ms": self._now_ms()}
        self.repository.archive(tenant, name, **said)  # type: ignore[arg-type]
        self._note(who, "prompt.archive", name, tenant=_seen_by(tenant), before={"labels": labels}, reason=reason)

    def preview(
        self,
        tenant: str,
        name: str,
        content: Content | None,
        selector: Selector,
        given: Mapping[str, Any],
        caps: Caps = DEFAULT_CAPS,
    ) -> Rendered:
        """What a version would render to, or a content that is not published."""
        if content is None:
            owner = self.repository.owner(tenant, name)
            compiled = Compiled(self.repository.version(owner, name, selector).resolved, self._sandbox)
        else:
            _, _, compiled = self.checked(tenant, name, content)
        return compiled.render(given, caps)

    def usage(self, tenant: str | None, name: str, numbers: Sequence[int], since_ms: int, until_ms: int) -> list[Use]:
        return usage_of(self.repository.database, tenant, name, numbers, since_ms, until_ms)

    def _moved(
        self,
        who: Who,
        action: str,
        tenant: str,
        name: str,
        label: str,
        before: int | None,
        after: int | None,
        reason: str | None,
    ) -> None:
        self._note(
            who,
            action,
            name,
            tenant=_seen_by(tenant),
            before={"label": label, "version": before},
            after={"label": label, "version": after},
            reason=reason,
        )


def storable(text: str) -> str:
    """PostgreSQL keeps neither NUL nor half a surrogate."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _check_storable(content: Content) -> None:
    """A content is kept as it is or not at all: its hash is of what was written."""
    for text in content.texts:
        if "\0" in text or text.encode(errors="replace").decode() != text:
            raise InvalidRequest("the text holds a NUL character or half a surrogate pair", param="text")


def _seen_by(tenant: str) -> str | None:
    return None if tenant == SHARED else tenant
