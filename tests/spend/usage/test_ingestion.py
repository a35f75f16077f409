"""The log into the database, on both engines: every call once, whatever is repeated, cut, rotated, killed or lost."""

import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from llmops.errors import StoreUnavailable
from llmops.spend.usage.ingestion import Ingestion
from llmops.spend.usage.log_follower import LogFollower
from llmops.spend.usage.repository.calls import CallRepository, Moved
from llmops.store.database import Database
from llmops.store.tables import calls, log_files, usage_days
from tests.serving import ROOT, environment
from tests.spend.usage.logs import LogFolder, ingest, line, lines, run, stored, summed, unreadable


@pytest.fixture
def log(tmp_path: Path) -> LogFolder:
    return LogFolder(tmp_path / "logs")


def test_calls_and_their_sums_are_stored_once_however_often_the_log_is_read(log: LogFolder, database: Database) -> None:
    log.append(lines(*range(20)))
    assert ingest(log, database).ingested == 20
    assert ingest(log, database).ingested == 0
    with database.write("usage") as connection:
        connection.execute(update(log_files).values(read_bytes=0))  # read all of it again
    assert ingest(log, database).ingested == 0
    assert stored(database) == list(range(20)) and summed(database) == (20, 200, 20_000)


def test_lines_that_stand_in_the_log_twice_count_once(log: LogFolder, database: Database) -> None:
    log.append(line(1) + line(2) + line(1, cost_nanousd=5) + line(2))
    log.rotate()
    log.append(lines(2, 3))
    ingest(log, database, limit_bytes=10)
    ingest(log, database)
    assert stored(database) == [1, 2, 3] and summed(database) == (3, 30, 3000), "the first one counts"


def test_of_two_in_one_batch_the_first_counts(log: LogFolder, database: Database) -> None:
    log.append(line(1) + line(1, cost_nanousd=5) + line(2))
    ingest(log, database)
    assert summed(database) == (2, 20, 2000)


def test_every_field_comes_back_as_it_was(log: LogFolder, database: Database) -> None:
    tags = {"z": "'\"; DROP TABLE calls", "a": "🦜" * 2500}
    log.append(line(1, user="O'Brien \"; --", tags=tags, latency_ms=0.1, ttft_ms=1 / 3, stream=True, prompt=10**15))
    log.append(line(2, user="a\0b", cost_nanousd=None, reserved_nanousd=None, key_id=None, prompt=2**70))
    ingest(log, database)
    with database.read() as connection:
        first, second = connection.execute(select(calls).order_by(calls.c.request_id)).mappings()
    assert (first["user"], first["latency_ms"], first["ttft_ms"], first["stream"]) == (
        "O'Brien \"; --",
        0.1,
        1 / 3,
        True,
    )
    assert first["tags"].startswith('{"a":"🦜') and str(first["day"]) == "2026-11-21"
    assert (second["user"], second["cost_nanousd"], second["key_id"]) == ("a\N{REPLACEMENT CHARACTER}b", None, None)
    assert first["prompt_tokens"] == second["prompt_tokens"] == 10**15
    with database.read() as connection:
        unpriced = connection.execute(select(usage_days.c.unpriced).where(usage_days.c.key_id.is_(None))).scalar_one()
    assert unpriced == 1


def test_lines_that_are_no_records_are_counted_and_passed_by(log: LogFolder, database: Database) -> None:
    log.append(line(1) + b"garbage\n" + line(2)[:100] + line(3) + b"\n" + line(4)[:100])
    done = ingest(log, database)
    assert stored(database) == [1, 3] and done.unreadable == unreadable(database) == 2
    assert done.last_unreadable is not None and done.last_unreadable.startswith("gateway.jsonl: ")
    log.append(line(5))
    assert ingest(log, database).unreadable == 1
    assert stored(database) == [1, 3, 5] and unreadable(database) == 3


def test_rotations_amid_ingestion(log: LogFolder, database: Database) -> None:
    ingestion = Ingestion(log.path, CallRepository(database))
    for number in range(40):
        log.append(line(number))
        if number % 3 == 0:
            ingestion.step(900)
        if number % 5 == 0:
            log.rotate()
    run(ingestion)
    ingestion.close()
    assert stored(database) == list(range(40)) and summed(database)[0] == 40
    assert ingestion.notices == []


def test_only_one_process_ingests_and_the_next_takes_over(log: LogFolder, database: Database) -> None:
    first, second = (Ingestion(log.path, CallRepository(database)) for _ in range(2))
    log.append(line(1))
    assert first.step(1000) is not None and second.step(1000) is None
    assert (first.owner, second.owner) == (True, False)
    log.append(line(2))
    assert not second.reached(second.sizes())
    first.close()
    run(second)
    assert second.owner and second.reached(second.sizes()) and stored(database) == [1, 2]
    second.close()


def test_the_lock_of_a_process_that_was_killed_is_free(log: LogFolder, database: Database, url: str) -> None:
    log.append(line(1))
    script = (
        "import os, sys; from pathlib import Path; from llmops.spend.usage.ingestion import Ingestion; "
        "from llmops.spend.usage.repository.calls import CallRepository; from llmops.store.database import Database; "
        "Ingestion(Path(sys.argv[1]), CallRepository(Database(sys.argv[2]))).step(1000); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(log.path), url], env=environment(), cwd=ROOT, check=False)
    log.append(line(2))
    ingest(log, database)
    assert stored(database) == [1, 2]


def test_who_finds_that_another_has_stored_the_lines_goes_on_behind_them(log: LogFolder, database: Database) -> None:
    """Two that hold different locks, as on a file system that has none: nothing is skipped, nothing counted twice."""
    log.append(line(1))
    repository = CallRepository(database)
    one, other = Ingestion(log.path, repository), LogFollower(log.path)
    for known in (0, len(line(1))):
        log.append(line(2) if known else b"")
        other.look(thoroughly=True)
        other.resume(repository.positions([part.id for part in other.parts]))
        stale = other.next_chunk(10_000)
        run(one)
        assert stale is not None and stale.known == known
        with pytest.raises(Moved):
            repository.store(stale, [])
    with database.write("usage") as connection:
        connection.execute(update(log_files).values(read_bytes=len(line(1))))
    log.append(line(3))
    run(one)
    assert stored(database) == [1, 2, 3] and summed(database)[0] == 3
    one.close()
    other.close()


def test_two_machines_with_the_same_lines_feed_one_database(tmp_path: Path, database: Database, url: str) -> None:
    """Two processes at once, many common calls in another order: no deadlock, every call once."""
    numbers = list(range(3000))
    for name, order in (("one", numbers), ("other", numbers[::-1])):
        log = LogFolder(tmp_path / name)
        log.append(b"".join(line(number, user=f"u-{number % 50}", tenant=f"t-{number % 7}") for number in order))
    database.ensure()
    script = (
        "import sys; from pathlib import Path; from llmops.spend.usage.ingestion import Ingestion; "
        "from llmops.spend.usage.repository.calls import CallRepository; from llmops.store.database import Database\n"
        "ingestion = Ingestion(Path(sys.argv[1]), CallRepository(Database(sys.argv[2])))\n"
        "while ingestion.step(100_000): pass\n"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / name / "gateway.jsonl"), url],
            env=environment(),
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "other")
    ]
    for process in started:
        _, said = process.communicate(timeout=50)
        assert process.returncode == 0, said
    assert stored(database) == numbers and summed(database) == (3000, 30_000, 3_000_000)


def test_a_database_in_a_place_that_cannot_be_is_said_and_nothing_is_lost(log: LogFolder, tmp_path: Path) -> None:
    (tmp_path / "in-the-way").write_text("a file")
    database = Database(f"sqlite:///{tmp_path}/in-the-way/llmops.db")
    log.append(line(1))
    ingestion = Ingestion(log.path, CallRepository(database))
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            ingestion.step(1000)
    (tmp_path / "in-the-way").unlink()
    run(ingestion)
    assert stored(database) == [1] and ingestion.behind_bytes == 0
    ingestion.close()
    database.close()


# --- any history ------------------------------------------------------------------------------------------------

_EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 6)),
        st.tuples(st.just("again"), st.integers(0, 30)),
        st.tuples(st.just("tear"), st.integers(1, 300)),
        st.tuples(st.just("rotate"), st.just(0)),
        st.tuples(st.just("copy"), st.just(0)),
        st.tuples(st.just("step"), st.integers(1, 2000)),
        st.tuples(st.just("crash"), st.just(0)),
        st.tuples(st.just("look"), st.just(0)),
    ),
    min_size=1,
    max_size=40,
)


class _Crash(Exception):
    """The process ends after the transaction, before it knows that it has happened."""


class _Failing(CallRepository):
    crashing = False

    def store(self, *given: object) -> int:  # type: ignore[override]
        new = super().store(*given)  # type: ignore[arg-type]
        if self.crashing:
            raise _Crash
        return new


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(events=_EVENTS)
def test_whatever_happens_the_database_holds_what_the_log_holds(
    events: list[tuple[str, int]], database: Database
) -> None:
    """Cuts, rotations, copies, repeated lines and crashes at any point: every whole line is a call, exactly once."""
    with database.write("usage") as connection:
        for table in (calls, usage_days, log_files):
            connection.execute(table.delete())
    folder = Path(tempfile.mkdtemp())
    try:
        log, written = LogFolder(folder), 0
        repository = _Failing(database)
        ingestion = Ingestion(log.path, repository)
        known: set[int] = set()
        for event, amount in events:
            if event == "append":
                log.append(lines(*range(written, written + amount)))
                known |= set(range(written, written + amount))
                written += amount
            elif event == "again" and written:
                log.append(line(amount % written))
            elif event == "tear":
                log.append(line(10_000 + amount)[:amount])
            elif event == "rotate" and log.path.exists():
                log.rotate()
            elif event == "copy" and log.path.exists():
                shutil.copy(log.path, log.path.with_name("gateway-copy.jsonl"))
            elif event == "step":
                ingestion.step(amount, thoroughly=amount % 2 == 0)
            elif event == "crash":
                repository.crashing = True
                try:
                    ingestion.step(500)
                except _Crash:
                    pass
                repository.crashing = False
                ingestion.close()
                ingestion = Ingestion(log.path, repository)
            elif event == "look":
                ingestion.sizes()
        run(ingestion)
        ingestion.close()
        assert Counter(stored(database)) == Counter(known)
        assert summed(database) == (len(known), 10 * len(known), 1000 * len(known))
        # A copy that another copy has taken the place of, unread, is rightly missed.
        assert [notice for notice in ingestion.notices if "gateway-copy" not in notice] == []
    finally:
        shutil.rmtree(folder)
