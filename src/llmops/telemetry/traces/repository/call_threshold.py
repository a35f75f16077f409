"""Which calls are the slowest or dearest, found without sorting all of them.

To sort a million calls by their latency takes several times as long as to pick those above a bound. The bound is
guessed from a few calls here and there in the time, and used only where about the right number lies above it; they are
then looked up by the moments in which they began. Otherwise the bound is worked out exactly. All that is read of the
other calls is read from an index alone.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, select

from ....store.tables import calls

_PLACES = 10
SAMPLE = 400
MANY = 100_000
"""So many calls are sorted as quickly as a bound is guessed."""
_AIM, _MOST = 4, 20


class Wish(NamedTuple):
    """The ``number`` calls with the largest ``key`` of those that are ``where``, which an index serves. ``above`` and
    ``up_to`` bound the key, in the looking as well as in what is found."""

    key: ColumnElement[Any]
    where: Sequence[ColumnElement[bool]]
    number: int
    above: float | None = None
    up_to: float | None = None

    @property
    def all(self) -> list[ColumnElement[bool]]:
        """Every condition."""
        bounds = [self.key > self.above] if self.above is not None else []
        return [*self.where, *bounds, *([self.key <= self.up_to] if self.up_to is not None else [])]

    def takes(self, key: float | None) -> bool:
        if key is None or (self.above is not None and key <= self.above):
            return False
        return self.up_to is None or key <= self.up_to


class Threshold(NamedTuple):
    """The key that at least so many calls reach. ``moments``, where they are known, are when these began."""

    least: Any
    moments: list[int] | None = None


def threshold(connection: Connection, wish: Wish, many: int = MANY, sample: int = SAMPLE) -> Threshold | None:
    """None where all calls together are fewer. Below ``many`` nothing is guessed; ``sample`` calls are looked at in
    each of ten places."""
    guess = _guess(connection, wish, many, sample)
    if guess is not None:
        most = wish.number * _MOST
        above = select(wish.key, calls.c.started_at_ms).where(*wish.all, wish.key >= guess).limit(most)
        found = connection.execute(above).all()
        if wish.number <= len(found) < most:
            best = sorted((tuple(row) for row in found), reverse=True)
            least = best[wish.number - 1][0]
            return Threshold(least, sorted({at_ms for key, at_ms in best if key >= least}))
    exact = select(wish.key).where(*wish.all).order_by(wish.key.desc()).offset(wish.number - 1).limit(1)
    least = connection.execute(exact).scalar()
    return Threshold(least) if least is not None else None


def _guess(connection: Connection, wish: Wish, many: int, sample: int) -> Any:
    """None where there are too few calls for it to be worth while."""
    at = calls.c.started_at_ms
    first_ms, last_ms = (
        connection.execute(select(at).where(*wish.where).order_by(order).limit(1)).scalar()
        for order in (at.asc(), at.desc())
    )
    if first_ms is None or last_ms is None or last_ms <= first_ms:
        return None
    step_ms = (last_ms - first_ms) / _PLACES
    stands_for: list[tuple[Any, float]] = []
    for place in range(_PLACES):
        begin_ms, end_ms = int(first_ms + place * step_ms), int(first_ms + (place + 1) * step_ms)
        query = select(at, wish.key).where(*wish.where, at >= begin_ms, at <= end_ms).order_by(at).limit(sample)
        rows = connection.execute(query).all()
        weight = max(step_ms / max(rows[-1][0] - begin_ms, 1), 1.0) if len(rows) == sample else 1.0
        stands_for += [(row[1], weight) for row in rows if wish.takes(row[1])]
    if sum(weight for _, weight in stands_for) < many:
        return None
    reached = 0.0
    for key, weight in sorted(stands_for, reverse=True):
        reached += weight
        if reached >= wish.number * _AIM:
            return key
    return None
