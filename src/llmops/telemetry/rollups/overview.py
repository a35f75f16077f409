"""The overview: figures of a window and of the one before it, told apart as asked for, and as a series over time.

Windows are cut at minutes; where minutes, or hours, are no longer kept, at hours or days, and the answer says where. It
reads rollups only: a thousand calls and a thousand million take the same time.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ...errors import InvalidRequest
from ...store.database import Database
from .figures import Figures, Filter, together
from .repository.marks import Marks
from .repository.reader import RollupReader, Snapshot
from .rollup import DAY_S, HOUR_S, MINUTE_S, Group, Sums
from .window import Window, pieces, steps

STEPS_S = (60, 120, 300, 900, 1800, 3600, 7200, 10_800, 21_600, 86_400, 604_800)
MAX_POINTS = 1500
_POINTS = 100
"""About as many as a chart shows."""


class Course(NamedTuple):
    """Sums by the beginning of a step and by group."""

    step_s: int
    sums: Mapping[int, Mapping[Group, Sums]]


class Overview:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database, now_s: Callable[[], float]) -> None:
        self._reader = RollupReader(database)
        self.now_s = now_s

    def figures(self, window: Window, by: Sequence[str] = (), wanted: Filter = Filter()) -> dict[str, Any]:  # noqa: B008 - frozen
        """The window's figures in all and by dimension, each with those of the window before."""
        view, of_all = wanted.view(by), _of_all(by)
        now: list[tuple[Group, Sums]] = []
        before: list[tuple[Group, Sums]] = []
        if self._reader.exists:
            with self._reader.opened() as snapshot:
                window = _cut(window, snapshot.marks)
                now = _sums(snapshot, view, window)
                before = _sums(snapshot, view, _cut(window.before, snapshot.marks))
        rows, earlier = together(now, by, wanted), together(before, by, wanted)
        empty = Figures()
        ordered = sorted(rows, key=lambda values: (-rows[values].every.calls, _text(values)))
        return {
            "from": window.first,
            "to": window.last,
            "by": list(by),
            "totals": together(now, (), wanted).get((), empty).shown(),
            "before": together(before, (), wanted).get((), empty).shown(),
            "rows": [
                {
                    **dict(zip(by, values, strict=True)),
                    **rows[values].shown(of_all=of_all),
                    "before": earlier.get(values, empty).shown(of_all=of_all),
                }
                for values in ordered
            ]
            if by
            else [],
        }

    def series(
        self,
        window: Window,
        step_s: int | None = None,
        by: Sequence[str] = (),
        wanted: Filter = Filter(),  # noqa: B008
    ) -> dict[str, Any]:
        """The window's figures by steps of time, which begin at whole multiples of ``step_s``; by default one that
        fits the window. The first and the last step are cut where the window is."""
        view, of_all = wanted.view(by), _of_all(by)
        step_s = step_of(window) if step_s is None else _checked(step_s, window)
        points: dict[tuple[str | None, ...], dict[int, Figures]] = {}
        if self._reader.exists:
            with self._reader.opened() as snapshot:
                step_s = max(step_s, _kept_period(window, snapshot.marks))
                window = _cut(window, snapshot.marks)
                found = snapshot.sums(
                    view, steps(window, step_s, snapshot.marks.folded), lambda starts_at: starts_at // step_s
                )
            at: dict[int, list[tuple[Group, Sums]]] = {}
            for slot, group, sums in found:
                at.setdefault(slot, []).append((group, sums))
            for slot, some in sorted(at.items()):
                for values, figures in together(some, by, wanted).items():
                    points.setdefault(values, {})[slot] = figures
        slots = range(window.first // step_s, -(-window.last // step_s))
        return {
            "from": window.first,
            "to": window.last,
            "step_s": step_s,
            "by": list(by),
            "series": [
                {**dict(zip(by, values, strict=True)), "points": _points(points[values], slots, step_s, of_all=of_all)}
                for values in sorted(points, key=_text)
            ],
        }

    def sums(self, view: int, since_s: int, until_s: int) -> Mapping[Group, Sums]:
        """A window's sums by what the calls have in common."""
        if not self._reader.exists:
            return {}
        with self._reader.opened() as snapshot:
            return dict(_sums(snapshot, view, _cut(Window(since_s, until_s), snapshot.marks)))

    def step_of(self, window: Window) -> int:
        """A step that fits the window and is kept for all of it, and for the hour before."""
        step_s = step_of(window)
        if not self._reader.exists:
            return step_s
        with self._reader.opened() as snapshot:
            return max(step_s, _kept_period(Window(max(0, window.first - HOUR_S), window.last), snapshot.marks))

    def course(self, view: int, since_s: int, until_s: int, step_s: int) -> Course:
        """A window's sums by steps of time, and by what the calls have in common. Steps are at least as long as what
        is kept of so long ago."""
        if not self._reader.exists:
            return Course(step_s, {})
        window, sums = Window(since_s, until_s), dict[int, dict[Group, Sums]]()
        with self._reader.opened() as snapshot:
            step_s = max(step_s, _kept_period(window, snapshot.marks))
            wanted = steps(_cut(window, snapshot.marks), step_s, snapshot.marks.folded)
            for slot, group, each in snapshot.sums(view, wanted, lambda starts_at: starts_at // step_s):
                sums.setdefault(slot * step_s, {})[group] = each
        return Course(step_s, sums)


def step_of(window: Window) -> int:
    """The step that gives a chart enough points and no more."""
    return next((step for step in STEPS_S if window.last - window.first <= step * _POINTS), STEPS_S[-1])


def _checked(step_s: int, window: Window) -> int:
    if step_s % MINUTE_S or (step_s > HOUR_S and step_s % HOUR_S) or (step_s > DAY_S and step_s % DAY_S):
        raise InvalidRequest(
            f"a step is of whole minutes, beyond an hour of whole hours and beyond a day of whole days; not {step_s} s",
            param="step",
        )
    if (window.last - window.first) / step_s > MAX_POINTS:
        raise InvalidRequest(
            f"a step of {step_s} s gives more than {MAX_POINTS} points; take a longer one", param="step"
        )
    return step_s


def _sums(snapshot: Snapshot, view: int, window: Window) -> list[tuple[Group, Sums]]:
    return [(group, sums) for _, group, sums in snapshot.sums(view, pieces(window, snapshot.marks.folded))]


def _cut(window: Window, marks: Marks) -> Window:
    """The window whose ends rollups are kept for: at whole minutes, before some time at whole hours, then days."""
    first, last = _begin(window.first, marks), _begin(window.last + MINUTE_S - 1, marks)
    return Window(first, max(first, last))


def _begin(moment: int, marks: Marks) -> int:
    period_s = DAY_S if moment < marks.hours else HOUR_S if moment < marks.minutes else MINUTE_S
    return moment - moment % period_s


def _kept_period(window: Window, marks: Marks) -> int:
    """The shortest step that is kept for all of a window."""
    return DAY_S if window.first < marks.hours else HOUR_S if window.first < marks.minutes else MINUTE_S


def _of_all(by: Sequence[str]) -> bool:
    return bool({"status", "error"} & {*by})


def _points(found: Mapping[int, Figures], slots: range, step_s: int, *, of_all: bool) -> list[dict[str, Any]]:
    empty = Figures()
    return [{"at": slot * step_s, **found.get(slot, empty).shown(of_all=of_all)} for slot in slots]


def _text(values: tuple[str | None, ...]) -> tuple[str, ...]:
    return tuple(value or "" for value in values)
