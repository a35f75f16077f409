"""The prompts that calls use, in memory: where every label is, and the contents that are labelled or were used lately.

Labels are followed by the database's version counter (`refresh`), so a move holds everywhere within a second. Contents
never change, so what is known of one is right for ever; a version that is asked for and not there is read once, however
many calls wait for it, and at most so many at a time. The least recently used go when there are too many.

A database that does not answer leaves all that is known in force. A process that has no follower (a script, an eval)
looks by itself, at most once a second, and only when a prompt is asked for.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..clock import Clock
from ..errors import LLMOpsError, NotFound, StoreUnavailable
from ..store.database import Database
from ..store.follower import Follower
from .prompt import LATEST, SHARED, Selector, Version
from .render import DEFAULT_CAPS, Caps, Compiled, Rendered, Sandbox
from .repository.following import Known, PromptFollowing
from .repository.rows import missing
from .turns import Turns

_NOTHING = -1
_LEAP = 2**32
"""More than any database is written to between two looks."""
_LOOK_EVERY_S = 1.0
_READS_AT_ONCE = 8
_WARM_AT_ONCE = 300
_log = logging.getLogger(__name__)
_MAX_CHARS = 64_000_000
_EACH_CHARS = 2000
"""What one costs beside its texts."""


class Hot(NamedTuple):
    """A version ready for a call. ``fallback_for``: what was asked for and is not there."""

    version: Version
    compiled: Compiled
    fallback_for: str | None = None


class HotPrompts:
    """Used in the event loop; what blocks happens in threads. ``caps`` hold for prompts that releases name."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        sandbox: Sandbox | None = None,
        period_s: float = 0.5,
        max_chars: int = _MAX_CHARS,
    ) -> None:
        self.caps = DEFAULT_CAPS
        self._rows = PromptFollowing(database)
        self._clock = clock
        self._sandbox = sandbox
        self._max_chars = max_chars
        self._prompts: dict[tuple[str, str], Known] = {}
        self._contents: OrderedDict[tuple[int, int], Hot] = OrderedDict()
        self._chars = 0
        self._known = _NOTHING
        self._looked_s: float | None = None
        self._turn = asyncio.Lock()
        self._reading: dict[tuple[int, int], asyncio.Task[Hot | None]] = {}
        self._places = asyncio.Semaphore(_READS_AT_ONCE)
        self._turns = Turns()
        self._follower = Follower("prompts", self.refresh, period_s=period_s)
        self._is_followed = False

    @property
    def failing(self) -> str | None:
        return self._follower.failing

    async def start(self) -> None:
        """Read where the labels are; from now on follow them. Raises when they cannot be read now."""
        self._is_followed = True
        try:
            await self._follower.start()
        except BaseException:
            self._is_followed = False
            raise

    async def aclose(self) -> None:
        await self._follower.aclose()
        for task in list(self._reading.values()):
            task.cancel()

    def find(self, tenant: str, name: str, selector: Selector, fallback: Selector | None = None) -> Hot | None:
        """What is in memory; None where `read` has to be asked. `NotFound` for what is not there at all."""
        if not self._is_followed:
            return None
        known, number, missed = self._choose(tenant, name, selector, fallback)
        found = self._contents.get((known.id, number))
        if found is None:
            return None
        self._contents.move_to_end((known.id, number))
        return found if missed is None else found._replace(fallback_for=missed)

    async def read(self, tenant: str, name: str, selector: Selector, fallback: Selector | None = None) -> Hot:
        """The version, read if it has to be. `NotFound`, or `StoreUnavailable`."""
        if not self._is_followed:
            await self._look()
        known, number, missed = self._choose(tenant, name, selector, fallback)
        key = known.id, number
        found = self._contents.get(key)
        if found is None:
            task = self._reading.get(key)
            if task is None:
                task = self._reading[key] = asyncio.get_running_loop().create_task(self._read(key))
                task.add_done_callback(lambda done: self._has_read(key, done))
            found = await asyncio.shield(task)
        if found is None:
            raise missing(name, selector)
        return found if missed is None else found._replace(fallback_for=missed)

    async def render(
        self, tenant: str, name: str, version: int, variables: Mapping[str, Any], /
    ) -> list[dict[str, Any]]:
        """A version as messages: of a text prompt one instruction."""
        selector = Selector(version)
        hot = self.find(tenant, name, selector) or await self.read(tenant, name, selector)
        rendered = (
            hot.compiled.render(variables, self.caps)
            if hot.compiled.is_quick
            else await self.render_slowly(tenant, hot, variables, self.caps)
        )
        return rendered.messages if rendered.text is None else [{"role": "system", "content": rendered.text}]

    async def render_slowly(self, tenant: str, hot: Hot, variables: Mapping[str, Any], caps: Caps) -> Rendered:
        """One that is not quick, in a thread, when it is the tenant's turn; `Overloaded` where that takes too long."""
        async with self._turns.take(tenant):
            return await asyncio.to_thread(hot.compiled.render, variables, caps)

    def _has_read(self, key: tuple[int, int], done: "asyncio.Task[Hot | None]") -> None:
        self._reading.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever asked may have left; it is no defect that nobody heard

    async def refresh(self) -> None:
        """Look now instead of at the next turn."""
        async with self._turn:
            version = await asyncio.to_thread(self._rows.version)
            if version == self._known:
                return
            follows = 0 < self._known < version < self._known + _LEAP
            changes = await asyncio.to_thread(self._rows.changes, self._known if follows else None)
            if follows and changes.newest < version:  # somebody has written past the repository
                changes = await asyncio.to_thread(self._rows.changes, None)
                follows = False
            if not follows and self._prompts and not changes.prompts:
                raise StoreUnavailable("the database has lost its prompts; restore it, or restart the gateway")
            if not follows:
                self._prompts, self._contents, self._chars = {}, OrderedDict(), 0
            for each in changes.prompts:
                self._prompts[each.tenant, each.name] = each
            self._known = version
            if self._is_followed:
                await self._warm(changes.prompts, self._max_chars if follows else self._max_chars * 3 // 4)

    async def _warm(self, prompts: list[Known], up_to_chars: int) -> None:
        """Have what labels point to in memory before a call asks; at the start as much as there is room
        for, later in the place of what was used least."""
        wanted = [
            (known.id, number)
            for known in prompts
            for number in sorted(set(known.labels.values()))
            if not known.archived and (known.id, number) not in self._contents
        ]
        for begin in range(0, len(wanted), _WARM_AT_ONCE):
            if self._chars > up_to_chars:
                return
            found = await asyncio.to_thread(self._load, wanted[begin : begin + _WARM_AT_ONCE])
            for key, hot in found.items():
                self._keep(key, hot)

    async def _look(self) -> None:
        now_s = self._clock.monotonic_s()
        if self._looked_s is None or now_s - self._looked_s >= _LOOK_EVERY_S:
            await self.refresh()
            self._looked_s = now_s

    def _choose(
        self, tenant: str, name: str, selector: Selector, fallback: Selector | None
    ) -> tuple[Known, int, str | None]:
        known = self._prompts.get((tenant, name))
        if known is None or known.archived:
            known = self._prompts.get((SHARED, name))
            if known is None or known.archived:
                raise missing(name)
        number = _number(known, selector)
        if number is not None:
            return known, number, None
        number = _number(known, fallback) if fallback is not None else None
        if number is None:
            raise self._missing(known, selector, fallback)
        return known, number, selector.shown

    @staticmethod
    def _missing(known: Known, selector: Selector, fallback: Selector | None) -> NotFound:
        there = [*sorted(known.labels), LATEST]
        tried = f", nor its fallback {fallback.shown!r}" if fallback is not None else ""
        return NotFound(
            f"the prompt {known.name!r} has no version or label {selector.shown!r}{tried}; it has versions 1 to "
            f"{known.last_number} and the labels {', '.join(there)[:500]}",
            param="prompt",
        )

    async def _read(self, key: tuple[int, int]) -> Hot | None:
        async with self._places:
            found = (await asyncio.to_thread(self._load, [key])).get(key)
        if found is not None:
            self._keep(key, found)
        return found

    def _keep(self, key: tuple[int, int], hot: Hot) -> None:
        if key in self._contents:
            return
        self._contents[key] = hot
        self._chars += _size(hot)
        while self._chars > self._max_chars and len(self._contents) > 1:
            _, gone = self._contents.popitem(last=False)
            self._chars -= _size(gone)

    def _load(self, keys: list[tuple[int, int]]) -> dict[tuple[int, int], Hot]:
        """In a thread."""
        found = {}
        for key, version in self._rows.contents(keys).items():
            try:
                found[key] = Hot(version, Compiled(version.resolved, self._sandbox))
            except LLMOpsError as exc:  # written by a version that knew other rules
                _log.error("the prompt %s cannot be used: %s", version.shown, exc.message)
        return found


def _number(known: Known, selector: Selector) -> int | None:
    if selector.number is not None:
        return selector.number if selector.number <= known.last_number else None
    return known.last_number if selector.label == LATEST else known.labels.get(selector.label or "")


def _size(hot: Hot) -> int:
    return _EACH_CHARS + 2 * sum(map(len, hot.version.resolved.texts))
