"""The whole show: the gateway and the player on one loop in a time lapse, until the present, and then at its pace.

The client shares the gateway's loop because both have to live in the same time.
"""

import asyncio
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

from .client import Client
from .player import Player
from .shape import Arrival
from .stage import ADMIN, Stage
from .time_lapse import LapseLoop
from .workshop import TENANT, Workshop

Progress = Callable[[float, Player], None]
"""Told some times a second: minutes played, and the player."""
_LOOK_S, _LEAST_LOOK_S = 0.2, 0.01
_START_S = 600.0


class Show:
    """``play`` blocks until the end. ``on_ready`` is called once the gateway answers."""

    def __init__(self, stage: Stage, arrivals: Iterator[Arrival], *, minutes: float, seed: int) -> None:
        self.statuses: Counter[int] = Counter()
        self.is_over = False
        self._stage = stage
        self._arrivals = arrivals
        self._minutes = minutes
        self._seed = seed

    def play(self, on_ready: Callable[[], None], progress: Progress, *, goes_on: bool) -> None:
        """The hour, and then on in real time until a signal comes, or not, as ``goes_on`` says."""
        with asyncio.Runner(loop_factory=lambda: LapseLoop(self._stage.lapse)) as runner:
            runner.run(self._play(on_ready, progress, goes_on))

    async def _play(self, on_ready: Callable[[], None], progress: Progress, goes_on: bool) -> None:
        stage, lapse = self._stage, self._stage.lapse
        with stage.gateway() as server:
            serving = asyncio.get_running_loop().create_task(server.serve(stage.sockets))
            await _until(lambda: server.started or serving.done())
            if serving.done():
                await serving
                raise RuntimeError("the gateway did not start; what it said is above")
            on_ready()
            lapse.begin()
            client = Client(stage.port)
            workshop = Workshop(client, stage.keys[ADMIN], stage.keys[TENANT], self._minutes)
            player = Player(client, lapse, stage.keys, stage.apply, self._seed, lambda: workshop.is_released)
            self.statuses = player.statuses
            working = asyncio.get_running_loop().create_task(_without_end(workshop))
            playing = asyncio.get_running_loop().create_task(player.run(self._arrivals, self._minutes))
            watching = asyncio.get_running_loop().create_task(self._watch(player, progress, goes_on))
            leaving = asyncio.get_running_loop().create_task(_interrupted())
            try:
                await asyncio.wait({serving, working, playing, watching, leaving}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                lapse.stop()
                await player.leave()
                for task in (working, playing, watching, leaving):
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
                await client.aclose()
                server.should_exit = True
                await serving

    async def _watch(self, player: Player, progress: Progress, goes_on: bool) -> None:
        """Until the present has been reached; without end if it goes on."""
        lapse = self._stage.lapse
        while lapse.behind_s > 0:
            progress(lapse.played_s / 60, player)
            await asyncio.sleep(min(_LOOK_S * lapse.speed, lapse.behind_s + _LEAST_LOOK_S))
        self.is_over = True
        while goes_on:
            progress(lapse.played_s / 60, player)
            await asyncio.sleep(_LOOK_S)


async def _without_end(workshop: Workshop) -> None:
    """Ends only where its work failed, and the show with it."""
    await workshop.work()
    await asyncio.Event().wait()


async def _interrupted() -> None:
    """Until the first signal. It is taken from the gateway, whose callers have to leave before it does: they are ours,
    and its time to drain would be passed over like any other."""
    signalled = asyncio.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, signalled.set)
    await signalled.wait()


async def _until(condition: Callable[[], bool]) -> None:
    """As often as the loop turns: there is nothing to be told by."""
    for _ in range(int(_START_S / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
