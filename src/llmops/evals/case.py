"""One case of a dataset: an input, what a good answer is held against, and what is known about it."""

from typing import Any, Literal

import msgspec

Split = Literal["train", "dev", "test"]


class Case(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One line of a dataset. All values are JSON's."""

    id: str
    """Unique in its dataset, and the same in all its versions: results are paired by it."""
    input: Any
    """A text (one user message), a list of messages, or an object of variables for a prompt or a function."""
    reference: Any = None
    """What is right: a text, a list of texts that are all right, or what the scorer asks for. None: not known."""
    metadata: dict[str, Any] = {}
    cluster: str | None = None
    """Cases of one conversation, document or repository share it; they are not independent and count as one unit of
    chance. None: a unit of its own."""
    split: Split | None = None
    must_pass: bool = False
    """Once mended it stays mended: the gate judges it by its reliability, on its own."""

    @property
    def unit(self) -> str:
        """The unit of chance: the cluster, or the case itself. The two cannot be mistaken for each other."""
        return f"cluster:{self.cluster}" if self.cluster is not None else f"case:{self.id}"
