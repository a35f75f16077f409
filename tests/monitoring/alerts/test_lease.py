"""Two real processes over one database, on both engines: one judges, and the other one when that is killed."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import select

from llmops.store.database import Database
from llmops.store.tables import alert_events
from tests.serving import ROOT, environment


class Judge:
    """A process that judges when it is told to."""

    def __init__(self, url: str, name: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.monitoring.alerts.judge", url, name],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "ready"

    def round(self, ahead_s: float = 0.0) -> str:
        """Judge, with a clock so far ahead; returns who holds the lease then."""
        self.tell(ahead_s)
        return self._line()

    def tell(self, ahead_s: float) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{ahead_s}\n")
        self.process.stdin.flush()

    def heard(self) -> str:
        return self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextmanager
def judges(url: str) -> Iterator[tuple[Judge, Judge]]:
    pair = Judge(url, "first"), Judge(url, "second")
    try:
        yield pair
    finally:
        for judge in pair:
            judge.process.kill()
            judge.process.communicate()


def changes(url: str) -> list[str]:
    database = Database(url)
    try:
        with database.read() as connection:
            return list(connection.execute(select(alert_events.c.change)).scalars())
    finally:
        database.close()


def test_one_of_two_processes_judges_and_the_other_when_it_is_killed(url: str) -> None:
    with judges(url) as (first, second):
        assert [first.round(), second.round(), second.round(), first.round()] == ["first"] * 4
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        assert second.round() == "first", "its lease still runs"
        assert second.round(3600) == "second"
    assert changes(url) == ["firing"], "it knew what the dead one had said"


def test_two_that_judge_at_once_say_it_once(url: str) -> None:
    with judges(url) as pair:
        for number in range(5):
            for judge in pair:
                judge.tell(number * 100)
            assert len({judge.heard() for judge in pair}) <= 2
        holders = [judge.round(450) for judge in pair]
        assert len(set(holders)) == 1
    assert changes(url) == ["firing"]
