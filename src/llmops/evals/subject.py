"""What is under test: anything that answers a case. The ways to make one are in ``subjects/``."""

from collections.abc import Mapping
from typing import Protocol

from .case import Case
from .output import Output


class Subject(Protocol):
    """Answers cases. What it raises becomes the output's error; `asyncio.CancelledError` passes through."""

    async def answer(self, case: Case, repeat: int) -> Output:
        """``repeat`` counts from 0; each is a fresh observation, so later ones must not come from a cache."""
        ...

    @property
    def versions(self) -> Mapping[str, str]:
        """What makes it this one: ``model``, ``release_id``, ``prompt_version``, ``url``, ``function``."""
        ...
