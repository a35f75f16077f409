"""Several worker processes behind one port: started, restarted when they die, and told what the parent is told.

Each worker listens on a socket of its own under ``SO_REUSEPORT``. Measured with four workers and 64 connections, the
kernel then gives each 14 to 18 of them, while one shared listening socket gave 1, 1, 20 and 42: whoever wakes first
accepts all that waits (``docs/decisions/006-workers.md``). The parent holds the port bound, but does not listen, so
that no connection waits for a worker that is not there. Linux only: elsewhere the kernel does not spread connections.

Not covered: limits per process, which would count wrongly with several; they come with Redis.
"""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

_log = logging.getLogger(__name__)

_YOUNG_S = 5.0
"""A worker that dies before this age has failed to start."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_GIVE_UP_AFTER = 3
_LAST_GRACE_S = 5.0
_POLL_S = 0.05


def pause_s(failures: int) -> float:
    """How long to wait before a worker is started again, after so many failed starts in a row."""
    return 0.0 if failures == 0 else float(min(_FIRST_PAUSE_S * 2 ** (failures - 1), _LONGEST_PAUSE_S))


class Worker(msgspec.Struct, eq=False):
    """One place among the workers, and the process that fills it now."""

    number: int
    process: asyncio.subprocess.Process | None = None
    failures: int = 0


class Supervisor:
    """Keeps ``count`` processes of ``command``, which serve ``address``, running until a signal ends it."""

    def __init__(
        self, command: Sequence[str], count: int, *, address: tuple[str, int], environment: Mapping[str, str]
    ) -> None:
        self.workers = [Worker(number) for number in range(count)]
        self._command = command
        self._address = address
        self._environment = {**os.environ, **environment}
        self._signals = 0
        self._stopping = asyncio.Event()

    async def run(self, on_started: Callable[[], None] | None = None) -> int:
        """Run to the end; the exit status. ``on_started`` is called when the first worker accepts connections."""
        if sys.platform != "linux":
            _log.error("more than one worker needs Linux; start several gateways on different ports instead")
            return 1
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._forward, signal.SIGHUP)
        keeping = [asyncio.create_task(self._keep(worker)) for worker in self.workers]
        reporting = asyncio.create_task(self._report_start(on_started))
        await asyncio.gather(*keeping)
        reporting.cancel()
        return 0 if self._signals else 1

    async def _report_start(self, on_started: Callable[[], None] | None) -> None:
        while True:
            try:
                _, writer = await asyncio.open_connection(*self._address)
            except OSError:
                await asyncio.sleep(_POLL_S)
                continue
            writer.close()
            break
        if on_started is not None:
            on_started()

    async def _keep(self, worker: Worker) -> None:
        """Start a worker, wait for its end, and so on until the server stops or can never start."""
        while not self._stopping.is_set():
            born_s = time.monotonic()
            worker.process = await asyncio.create_subprocess_exec(
                # A session of its own: Ctrl-C reaches the parent alone. The pipe's end tells the worker of our death.
                *self._command,
                env=self._environment,
                stdin=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
            if self._signals:  # arrived while the process was being made
                worker.process.send_signal(signal.SIGTERM)
            status = await worker.process.wait()
            worker.process = None
            if self._stopping.is_set():
                return
            worker.failures = worker.failures + 1 if time.monotonic() - born_s < _YOUNG_S else 0
            _log.error("worker %d ended unexpectedly (%s) and is started again", worker.number, _ending(status))
            if all(each.failures >= _GIVE_UP_AFTER for each in self.workers):
                _log.error("no worker could be started; the reason stands above")
                self._stopping.set()
            try:
                await asyncio.wait_for(self._stopping.wait(), pause_s(worker.failures))
            except TimeoutError:
                continue

    def _stop(self, number: signal.Signals) -> None:
        """The first signal lets the workers drain, the second cuts their connections, then they are killed."""
        self._signals += 1
        self._stopping.set()
        self._forward(number)
        if self._signals == 2:
            asyncio.get_running_loop().call_later(_LAST_GRACE_S, self._forward, signal.SIGKILL)

    def _forward(self, number: signal.Signals) -> None:
        for worker in self.workers:
            if worker.process is not None and worker.process.returncode is None:
                worker.process.send_signal(number)


def _ending(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
