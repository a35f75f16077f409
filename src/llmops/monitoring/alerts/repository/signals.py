"""What processes see of themselves, told to whoever looks at the rules. Methods block: call them from a thread."""

import msgspec
from sqlalchemy import delete, insert, select, update

from ....store.database import Database
from ....store.tables import alert_signals
from ..signals import Signals

_columns = alert_signals.c
_decode = msgspec.json.Decoder(Signals).decode


class SignalRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    def tell(self, process: str, signals: Signals, now_s: float) -> None:
        values = {"at_s": now_s, "signals": msgspec.json.encode(signals).decode()}
        with self._database.write("alerts") as connection:
            mine = update(alert_signals).where(_columns.process == process)
            if not connection.execute(mine.values(**values)).rowcount:
                connection.execute(insert(alert_signals).values(process=process, **values))

    def all(self) -> list[tuple[float, Signals]]:
        """When each process last said something, and what."""
        with self._database.read() as connection:
            rows = connection.execute(select(_columns.at_s, _columns.signals)).all()
        return [(at_s, _decode(signals)) for at_s, signals in rows]

    def forget(self, before_s: float) -> None:
        with self._database.write("alerts") as connection:
            connection.execute(delete(alert_signals).where(_columns.at_s < before_s))
