"""``python -m tests.monitoring.alerts.judge DATABASE NAME``: a process that judges alerts, a round a line.

A line says how far its clock is ahead, so that a lease runs out without anybody waiting. It answers with who holds the
lease then, which is itself where it has judged.
"""

import sys

from sqlalchemy import select

from llmops.alert_settings import AlertSettings
from llmops.clock import SystemClock
from llmops.monitoring.alerts.signals import Watcher
from llmops.monitoring.alerts.sources import Sources
from llmops.monitoring.alerts.watch import AlertWatch
from llmops.store.database import Database
from llmops.store.tables import leases
from tests.monitoring.alerts.stand import Figures


class Ahead(SystemClock):
    seconds = 0.0

    def now_s(self) -> float:
        return super().now_s() + self.seconds


def main() -> None:
    database, clock, figures = Database(sys.argv[1]), Ahead(), Figures()
    database.ensure()
    rules = [{"name": "failing", "kind": "success_rate", "threshold": 0.9, "min_events": 3}]
    settings = AlertSettings.model_validate({"interval_seconds": 1, "rules": rules})
    figures.calls((), 100, failed=50)
    watcher = Watcher(dict, dict)
    watch = AlertWatch(database, lambda: settings, Sources(calls=figures), watcher, clock, name=sys.argv[2])
    print("ready", flush=True)
    for line in sys.stdin:
        clock.seconds = float(line)
        watch.round()
        with database.read() as connection:
            print(connection.execute(select(leases.c.holder)).scalar(), flush=True)


if __name__ == "__main__":
    main()
