"""The prompt registry beside the calls: what is in memory of it, where Jinja is rendered, and how it is changed."""

from ..clock import Clock
from ..opening import open_prompts, open_sandbox
from ..prompts.directory import Note, PromptDirectory, Who
from ..prompts.hot import HotPrompts
from ..settings import Settings
from ..store.database import Database
from .service import Service, failing


class Prompts:
    """Over the gateway's database. ``hot`` serves calls, `directory` people."""

    def __init__(self, settings: Settings, clock: Clock, database: Database) -> None:
        self._database = database
        self._clock = clock
        self._sandbox = open_sandbox(settings)
        self.hot: HotPrompts = open_prompts(settings, clock, database, self._sandbox)

    def directory(self, note: Note[Who]) -> PromptDirectory[Who]:
        """To read and change prompts; changes are noted with ``note``."""
        clock = self._clock
        return PromptDirectory(self._database, note, now_ms=lambda: round(clock.now_s() * 1000), sandbox=self._sandbox)

    async def aclose(self) -> None:
        await self.hot.aclose()
        self.close()

    def close(self) -> None:
        """Where nothing was started."""
        self._sandbox.close()

    @property
    def services(self) -> list[Service]:
        return [Service(self.hot.start, self.aclose, lambda: failing("prompts", self.hot.failing))]
