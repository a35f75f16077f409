"""The service of online evals: follows the request log and has sampled calls judged, beside the calls.

One gateway of those that share a log has its turn (a lease). The position moves on when all of a part of the log is
judged; what was judged beyond it is written down as it is made, so that a process that dies is followed by one that
makes no judgement again: at most those that were under way are asked for twice, and stored once. Begins with the calls
that come after the first rule was set.

Code is judged in a thread, part by part; judges are asked through the pipeline, a few at a time. Nothing here waits for
a call, and no call for this.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import partial

from ...clock import Clock
from ...errors import LLMOpsError
from ...online_settings import OnlineSettings
from ...telemetry.assessments.assessment import Assessment
from ...telemetry.export.call_source import CallSource
from ...telemetry.export.source import Batch
from .budget import Budget
from .counts import Counts, Fate
from .logged_call import LoggedCall, calls_in
from .repository import OnlineRepository, Progress
from .rule import Rule, Task
from .scoring import Judgement, judgement, judgements

_log = logging.getLogger(__name__)
_POLL_S = 0.5
_RETRY_S = 5.0
_LEASE_S = 30.0
_CODE_AT_ONCE = 50
"""So that a stop does not wait for long."""

Store = Callable[[Sequence[Assessment]], None]


class OnlineWatch:
    """Owns its task between ``start`` and ``aclose``. ``settings`` and ``rules`` are asked for at each turn, so a
    reload counts; ``place`` names the log's folder."""

    def __init__(
        self,
        settings: Callable[[], OnlineSettings],
        rules: Callable[[], Sequence[Rule]],
        open_source: Callable[[], CallSource],
        repository: OnlineRepository,
        store: Store,
        place: Callable[[], str],
        clock: Clock,
        *,
        name: str | None = None,
    ) -> None:
        self.process = name or secrets.token_hex(8)
        self.counts: dict[str, Counts] = {}
        """By rule, since the start of this process."""
        self.failing: str | None = None
        self.behind_bytes = 0
        self._settings = settings
        self._rules = rules
        self._open_source = open_source
        self._repository = repository
        self._store = store
        self._place_of = place
        self._clock = clock
        self._source: CallSource | None = None
        self._place = ""
        self._done: list[str] = []
        self._unsaved: dict[str, Counts] = {}
        self._left_out: dict[str, Counts] = {}
        """Of the part of the log in hand: it counts when the position moves on."""
        self._budgets: dict[str, Budget] = {}
        self._budget_day: date | None = None
        self._room = asyncio.Condition()
        self._saving = asyncio.Lock()
        self._judges_fail: dict[str, str] = {}
        self._leased_s = 0.0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._work_on())

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._source is not None:
            with suppress(LLMOpsError):
                await asyncio.to_thread(self._repository.give_up_lease, self._lease, self.process)
            self._close()

    def problems(self) -> list[str]:
        """What the operator should know."""
        found = [f"online evals do not go on: {self.failing}"] if self.failing is not None else []
        for name, budget in self._budgets.items():
            if budget.is_unpriced:
                found.append(f"online evals {name!r}: the judge's price is unknown, so its budget cannot be kept")
        return found + [f"online evals {name!r}: {why}" for name, why in self._judges_fail.items()]

    def spent_nanousd(self) -> dict[str, int]:
        """Today, by rule."""
        return {name: budget.spent_nanousd for name, budget in self._budgets.items()}

    async def turn(self) -> bool:
        """Judge the next part of the log; whether there was any. Raises what the database or the log does."""
        rules = list(self._rules())
        if not self._settings().enabled or not rules:
            self._close()
            return False
        if not await self._has_turn():
            self._close()
            return False
        source = self._source if self._source is not None else await asyncio.to_thread(self._open)
        batch = await asyncio.to_thread(_next, source)
        self.behind_bytes = source.waiting_bytes
        if batch is None:
            return False
        judging = asyncio.create_task(self._judge(batch, rules))
        try:
            while not judging.done():
                await asyncio.wait([judging], timeout=_LEASE_S / 3)
                if not judging.done() and not await self._has_turn():
                    self._close()
                    return False
            judging.result()
        finally:
            if not judging.done():
                judging.cancel()
                with suppress(asyncio.CancelledError):
                    await judging
        source.advance(batch)
        self._done = []
        for name, counts in self._left_out.items():
            self._count(name).add(counts)
        await self._save()
        return True

    # --- where it stands ---

    @property
    def _lease(self) -> str:
        return f"online:{self._place[:32]}"

    async def _has_turn(self) -> bool:
        self._place = self._place or await asyncio.to_thread(self._place_of)
        now_s = self._clock.now_s()
        if self._source is not None and now_s - self._leased_s < _LEASE_S / 4:
            return True
        held = await asyncio.to_thread(self._repository.take_lease, self._lease, self.process, now_s, _LEASE_S)
        self._leased_s = now_s
        return held

    def _open(self) -> CallSource:
        known = self._repository.progress(self._place)
        source = self._open_source()
        source.begin(known.positions if known is not None else None)
        self._done = list(known.done) if known is not None else []
        if known is None:
            self._repository.save(self._place, Progress(positions=source.positions), self._today(), {})
        self._source = source
        return source

    def _close(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock.now_s(), UTC).date()

    async def _save(self) -> None:
        async with self._saving:
            assert self._source is not None
            more, self._unsaved = self._unsaved, {}
            progress = Progress(positions=self._source.positions, done=list(self._done))
            try:
                spent = await asyncio.to_thread(self._repository.save, self._place, progress, self._today(), more)
            except LLMOpsError:
                for name, counts in more.items():
                    self._unsaved.setdefault(name, Counts()).add(counts)
                raise
        for name, counts in more.items():
            self.counts.setdefault(name, Counts()).add(counts)
        for name, nanousd in spent.items():
            if name in self._budgets:
                unsaved = self._unsaved[name].spent_nanousd if name in self._unsaved else 0
                self._budgets[name].spent_nanousd = nanousd + unsaved

    # --- judging ---

    async def _judge(self, batch: Batch, rules: Sequence[Rule]) -> None:
        await self._open_budgets(rules)
        self._left_out = {}
        code, judged = await self._tasks(batch, rules)
        settings = self._settings()
        by_code = partial(
            judgements,
            timeout_s=settings.timeout_seconds,
            now_s=self._clock.now_s,
            keep_explanations=settings.keep_explanations,
        )
        for begin in range(0, len(code), _CODE_AT_ONCE):
            await self._keep(await asyncio.to_thread(by_code, code[begin : begin + _CODE_AT_ONCE]))
        waiting = iter(judged)

        async def work() -> None:
            for task in waiting:
                await self._ask_judge(task)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(settings.concurrency, len(judged))):
                    group.create_task(work())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures

    async def _tasks(self, batch: Batch, rules: Sequence[Rule]) -> tuple[list[Task], list[Task]]:
        """What there is to do in this part of the log: by code, and by judges."""
        chosen = await asyncio.to_thread(self._chosen, batch, rules)
        done = set(self._done)
        code: list[Task] = []
        judged: list[Task] = []
        for task in chosen:
            if task.id not in done:
                (judged if task.scorer.is_judge else code).append(task)
        return code, judged

    def _chosen(self, batch: Batch, rules: Sequence[Rule]) -> list[Task]:
        oldest_s = self._clock.now_s() - self._settings().max_delay_hours * 3600
        found: list[Task] = []
        for call in calls_in(batch.taken.lines):
            for rule in rules:
                if rule.wants(call):
                    found += self._of_rule(rule, call, is_old=call.at_s < oldest_s)
        ids = {(task.call.tenant, task.score_id(name)): task for task in found for name in task.scorer.names}
        stored = {id(ids[key]) for key in self._repository.known(ids)} if ids else set()
        return [task for task in found if id(task) not in stored]

    def _of_rule(self, rule: Rule, call: LoggedCall, *, is_old: bool) -> list[Task]:
        found = []
        for scorer in rule.scorers:
            if is_old:
                self._leave_out(rule.name, "too_old")
            elif not scorer.can_judge(call):
                self._leave_out(rule.name, "no_texts")
            else:
                found.append(Task(rule, scorer, call))
        return found

    async def _ask_judge(self, task: Task) -> None:
        await self._new_day()
        budget = self._budgets[task.rule.name]
        async with self._room:
            while (answer := budget.ask()) == "wait":
                await self._room.wait()
            if answer == "no":
                self._leave_out(task.rule.name, "over_budget")
                return
            budget.begin()
        cost: int | None = None
        is_made = False
        settings = self._settings()
        try:
            made = await judgement(
                task,
                timeout_s=settings.timeout_seconds,
                now_s=self._clock.now_s,
                keep_explanations=settings.keep_explanations,
            )
            cost, is_made = made.cost_nanousd, made.fate == "scored"
        finally:
            budget.end(cost, asked=is_made)
            async with self._room:
                self._room.notify_all()
        await self._keep([made])

    async def _keep(self, made: Sequence[Judgement]) -> None:
        found = [each for one in made for each in one.assessments]
        if found:
            await asyncio.to_thread(self._store, found)
        for one in made:
            rule = one.task.rule.name
            self._done.append(one.task.id)
            counts = self._count(rule)
            counts.count(one.fate)
            counts.spent_nanousd += one.cost_nanousd or 0
            if one.fate == "failed":
                self._judges_fail[rule] = f"a judgement failed: {one.failure or 'it says not why'}"[:300]
            elif one.fate == "scored":
                self._judges_fail.pop(rule, None)
        await self._save()

    def _count(self, rule: str) -> Counts:
        return self._unsaved.setdefault(rule, Counts())

    def _leave_out(self, rule: str, why: Fate) -> None:
        self._left_out.setdefault(rule, Counts()).count(why)

    async def _open_budgets(self, rules: Sequence[Rule]) -> None:
        today = self._today()
        if today != self._budget_day:
            self._budgets, self._budget_day = {}, today
        missing = [rule for rule in rules if rule.name not in self._budgets]
        if missing:
            days = await asyncio.to_thread(self._repository.days, today)
            for rule in missing:
                budget = self._budgets[rule.name] = Budget(rule.budget_nanousd)
                budget.spent_nanousd = days.get((today, rule.name), Counts()).spent_nanousd
        for rule in rules:
            self._budgets[rule.name].nanousd = rule.budget_nanousd

    async def _new_day(self) -> None:
        if self._today() != self._budget_day:
            await self._open_budgets(self._rules())

    # --- going on ---

    async def _work_on(self) -> None:
        while True:
            pause_s = _POLL_S
            try:
                if await self.turn():
                    pause_s = 0.0
                if self.failing is not None:
                    _log.warning("online evals go on")
                self.failing = None
            except (LLMOpsError, OSError) as exc:
                self._fails(str(exc))
                pause_s = _RETRY_S
            except Exception as exc:  # noqa: BLE001 - a border: one part of the log that fails must not end them
                self._fails(f"{type(exc).__name__}: {exc}", exc)
                pause_s = _RETRY_S
            await asyncio.sleep(pause_s)

    def _fails(self, why: str, cause: Exception | None = None) -> None:
        if self.failing is None:
            _log.error("online evals do not go on: %s", why, exc_info=cause)
        self.failing = why
        self._close()


def _next(source: CallSource) -> Batch | None:
    source.look()
    return source.next_batch()
