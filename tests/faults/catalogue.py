"""The scenarios by name, in the order in which they are run."""

from collections.abc import Awaitable, Callable

from . import hang_ups, kill, kill_workers, outages, processes, sigterm, traces
from .scene import Options

SCENARIOS: dict[str, Callable[[Options], Awaitable[None]]] = {
    "kill": kill.kill,
    "kill-rotation": kill.kill_rotation,
    "kill-journal": kill.kill_journal,
    "kill-recovery": kill.kill_recovery,
    "kill-workers": kill_workers.kill_workers,
    "sigterm": sigterm.sigterm,
    "hang-ups": hang_ups.hang_ups,
    "postgres-lost": outages.postgres_lost,
    "redis-lost": outages.redis_lost,
    "redis-lost-open": outages.redis_lost_open,
    "processes": processes.processes,
    "traces-kill": traces.traces_kill,
    "traces-disk": traces.traces_disk,
    "traces-collector": traces.traces_collector,
}
