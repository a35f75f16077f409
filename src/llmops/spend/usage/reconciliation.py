"""The proof that the request log, the calls in the database and their sums by day say the same, or what differs.

Every line on disk is looked up by its request id and compared field by field; every call that was read from a file that
is still there must be in it. Calls from files that are gone, or of another machine's log, can only be compared with
the sums by day. May run beside a gateway: what is written meanwhile is no difference.

Takes about 100 MB of memory for a million lines on disk: their ids are kept to find those that stand there twice.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from .call_line import LineReader
from .log_follower import LogFollower
from .records import CallRow
from .repository.comparison import ComparisonRepository, Days, as_rolled
from .repository.sums import Used
from .seeding import CounterDifference

SHOWN = 20
_CHUNK_BYTES = 2_000_000
_COMPARED = tuple(name for name in CallRow.__struct_fields__ if name != "log_file")
_OF_ITS_TRACE = CallRow.__struct_fields__[CallRow.__struct_fields__.index("trace_id") :]
_COMPARED_BEFORE = tuple(name for name in _COMPARED if name not in _OF_ITS_TRACE)
"""Rows that earlier versions wrote say nothing of traces."""


class CallDifference(msgspec.Struct, frozen=True):
    """A call that is not the same everywhere. ``what``: ``not in the database``, ``not in the log``, or the fields that
    differ, with what the log says and what the database says."""

    request_id: str
    what: str


class DayDifference(msgspec.Struct, frozen=True):
    """A tenant's day on which two places sum up to something else."""

    day: str
    tenant: str
    places: str
    """``log and calls``, ``calls and usage_days`` or ``calls and rollups``."""
    first: Used
    second: Used


class Reconciliation(msgspec.Struct):
    """The findings. Of calls that differ the first `SHOWN` are listed, and all are counted in ``different_calls``."""

    log_lines: int = 0
    log_calls: int = 0
    repeated_lines: int = 0
    unreadable_lines: int = 0
    log: Used = msgspec.field(default_factory=Used)
    """What the log's calls of known tenants used."""
    calls: Used = msgspec.field(default_factory=Used)
    """What all calls of known tenants in the database used, those included whose log is gone."""
    usage_days: Used = msgspec.field(default_factory=Used)
    different_calls: int = 0
    call_differences: list[CallDifference] = []
    day_differences: list[DayDifference] = []
    counters_compared: int | None = None
    """None: nobody said what is counted."""
    counter_differences: list[CounterDifference] = []

    @property
    def equal(self) -> bool:
        return not (self.different_calls or self.day_differences or self.counter_differences)

    def note(self, request_id: str, what: str) -> None:
        self.different_calls += 1
        if len(self.call_differences) < SHOWN:
            self.call_differences.append(CallDifference(request_id, what))


Progress = Callable[[int, int], None]
"""Told how many bytes of the log have been read, and how many there are."""


Mend = Callable[[list[CallRow]], None]
"""Given what stands in the log and is not the same in the database."""


def reconcile(
    log: Path, repository: ComparisonRepository, *, progress: Progress | None = None, mend: Mend | None = None
) -> Reconciliation:
    """Compare. The database must have caught up with the log, as it is when this begins."""
    found = Reconciliation()
    _LogComparison(log, repository, found, mend).run(progress or (lambda done, all_: None))
    calls, usage, rolled = repository.days()
    found.calls, found.usage_days = _total(calls), _total(usage)
    found.day_differences += _differences(calls, usage, "calls and usage_days")
    found.day_differences += _differences(as_rolled(calls), rolled, "calls and rollups")
    return found


class _LogComparison:
    """The log against the calls. ``log_days`` and ``call_days`` sum up the calls that stand in the log."""

    def __init__(self, log: Path, repository: ComparisonRepository, found: Reconciliation, mend: Mend | None) -> None:
        self._follower = LogFollower(log)
        self._reader = LineReader()
        self._repository = repository
        self._found = found
        self._mend = mend
        self._seen: set[int] = set()
        """Hashes of request ids: 64 bits each."""
        self._kept_from = repository.calls_kept_from().isoformat()
        """Calls of earlier days are taken out of the database when their time has come."""
        self._in_present_files = 0
        self._log_days: Days = {}
        self._call_days: Days = {}

    def run(self, progress: Progress) -> None:
        self._follower.look()
        parts = self._follower.parts
        self._follower.resume({})
        try:
            self._compare(progress)
            files = [part.id for part in parts]
            if self._repository.count_in(files) != self._in_present_files:
                self._note_missing_in_log(files)
        finally:
            self._follower.close()
        self._found.day_differences += _differences(self._log_days, self._call_days, "log and calls")

    def _compare(self, progress: Progress) -> None:
        size = self._follower.behind_bytes
        files = {part.id for part in self._follower.parts}
        for rows in self._new_rows():
            progress(size - self._follower.behind_bytes, size)
            stored = self._repository.calls([row.request_id for row in rows])
            wrong = []
            for row in rows:
                if row.day < self._kept_from and row.request_id not in stored:
                    continue
                self._sum_up(self._log_days, row)
                if row.tenant is not None:
                    self._found.log.add(_used(row))
                other = stored.get(row.request_id)
                if other is None:
                    self._found.note(row.request_id, "not in the database")
                    wrong.append(row)
                    continue
                self._in_present_files += other.log_file in files
                self._sum_up(self._call_days, other)
                if different := _different(row, other):
                    self._found.note(row.request_id, different)
                    wrong.append(row)
            if wrong and self._mend is not None:
                self._mend(wrong)

    def _new_rows(self) -> Iterator[list[CallRow]]:
        """What stands in the files, as they were seen last and not read yet, each call once."""
        while (chunk := self._follower.next_chunk(_CHUNK_BYTES)) is not None:
            rows, unreadable = self._reader.read(chunk.lines, chunk.part.id)
            self._follower.advance(chunk)
            self._found.unreadable_lines += len(unreadable) + (chunk.torn is not None)
            self._found.log_lines += len(rows)
            new = []
            for row in rows:
                digest = hash(row.request_id)
                if digest in self._seen:
                    self._found.repeated_lines += 1
                else:
                    self._seen.add(digest)
                    new.append(row)
            self._found.log_calls += len(new)
            yield new

    def _note_missing_in_log(self, files: Sequence[int]) -> None:
        """Calls that say they come from these files and do not stand there, not even in what was written meanwhile."""
        suspects = self._repository.ids_in(files, self._seen)
        self._follower.look(thoroughly=True)
        lines = msgspec.structs.replace(self._found)
        for _ in self._new_rows():
            pass
        self._found.log_lines, self._found.log_calls = lines.log_lines, lines.log_calls
        for request_id in sorted(suspects):
            if hash(request_id) not in self._seen:
                self._found.note(request_id, "not in the log")

    @staticmethod
    def _sum_up(days: Days, row: CallRow) -> None:
        if row.tenant is not None:
            days.setdefault((row.day, row.tenant), Used()).add(_used(row))


def _used(row: CallRow) -> Used:
    return Used(
        calls=1,
        errors=row.error_type is not None,
        unpriced=row.cost_nanousd is None,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        cached_tokens=row.cached_tokens,
        cache_write_tokens=row.cache_write_tokens,
        reasoning_tokens=row.reasoning_tokens,
        nanousd=row.cost_nanousd or 0,
    )


def _different(logged: CallRow, stored: CallRow) -> str:
    return "; ".join(
        f"{name}: {str(first)[:60]!r} in the log, {str(second)[:60]!r} in the database"
        for name in (_COMPARED if stored.attempts is not None else _COMPARED_BEFORE)
        if (first := getattr(logged, name)) != (second := getattr(stored, name))
    )


def _differences(first: Days, second: Days, places: str) -> list[DayDifference]:
    return [
        DayDifference(day, tenant, places, mine, other)
        for day, tenant in sorted(first.keys() | second.keys())
        if (mine := first.get((day, tenant), Used())) != (other := second.get((day, tenant), Used()))
    ]


def _total(days: Days) -> Used:
    found = Used()
    for used in days.values():
        found.add(used)
    return found
