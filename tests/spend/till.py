"""Limits, counters, ledger, journal and log put together without an event loop: calls come in and end as a test says.

All parts are the shipped ones, except that the log is written when the test says so, which a `RequestLog` does every
tenth of a second.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from llmops.clock import ManualClock
from llmops.errors import LLMOpsError
from llmops.rule_settings import BudgetSettings, LimitRuleSettings
from llmops.spend.admission import Admission
from llmops.spend.estimate import Estimator, Prices
from llmops.spend.ledger import Ledger
from llmops.spend.output_lengths import OutputLengths
from llmops.spend.price_book import PriceBook
from llmops.spend.rule import Rule, rules_of
from llmops.spend.rulebook import Rulebook
from llmops.store.counters.local import LocalCounters
from llmops.store.counters.meter import Quota
from llmops.store.journal import Journal
from llmops.telemetry.log_file import LogFile
from llmops.telemetry.record import FinishedCall, RefusedRequest, record_of, record_of_refused
from llmops.types import Call, Deployment, Outcome, Reply, RequestView, Usage
from tests.spend.deployments import deployment

PRICED = deployment("m", provider="mock", price={"input": "0.15", "output": "0.6"})
"""150 nano-dollars for a token in, 600 for one out."""
UNPRICED = deployment("nobody-knows", provider="openai", preset="vllm", base_url="http://127.0.0.1:9/v1")


class DirectLog:
    """Takes what has ended, and puts it on disk when told to."""

    def __init__(self, file: LogFile) -> None:
        self.before_write: Callable[[bytes], None] | None = None
        self.written = self.dropped = 0
        self.lines: list[bytes] = []
        self.file = file

    @property
    def path(self) -> Path:
        return self.file.path

    @property
    def waiting(self) -> int:
        return len(self.lines)

    def append(self, ended: FinishedCall | RefusedRequest) -> None:
        record = record_of_refused(ended) if isinstance(ended, RefusedRequest) else record_of(ended, b"k" * 32)
        line = msgspec.json.encode(record) + b"\n"
        if self.before_write is not None:
            self.before_write(line)
        self.lines.append(line)

    def write(self, count: int | None = None) -> None:
        """Write the oldest lines, or all."""
        batch = self.lines[:count]
        del self.lines[:count]
        self.file.append(b"".join(batch), 1_700_000_000.0)
        self.written += len(batch)

    def drop(self) -> None:
        """Lose what waits, as a log does that could not be written for too long."""
        self.dropped += len(self.lines)
        self.lines.clear()


class Till:
    """One process's spending, in ``folder``. ``end`` ends a call the way it is told."""

    def __init__(
        self,
        folder: Path,
        rules: Iterable[Rule] = (),
        *,
        clock: ManualClock | None = None,
        prices: Prices | None = None,
        room_bytes: int = 65_536,
        enabled: bool = True,
        when_unwritable: Literal["serve", "refuse"] = "serve",
        assumed_output_tokens: int = 100,
        unsettled: Callable[[], Iterable[tuple[str, int, int]]] | None = None,
    ) -> None:
        self.clock = clock or ManualClock()
        self.log = DirectLog(log_file(folder))
        self.journal = Journal(folder / "journal", room_bytes)
        self.counters = LocalCounters(self.clock.now_s, self.clock.monotonic_s)
        self.lengths = OutputLengths(assumed_output_tokens)
        self.rules = Rulebook(rules)
        prices = prices or PriceBook()
        self.ledger = Ledger(
            self.log,
            self.journal,
            counters=self.counters,
            prices=prices,
            lengths=self.lengths,
            clock=self.clock,
            enabled=enabled,
            when_unwritable=when_unwritable,
            unsettled=unsettled,
        )
        self.log.before_write = self.ledger.note
        self.admission = Admission(self.rules, Estimator(prices, self.lengths), self.counters, self.ledger, self.clock)

    def admit(self, call: Call, deployments: Sequence[Deployment] = (PRICED,)) -> Call:
        """Let it in and send it to the first of the deployments."""
        assert self.admission.admit(call, deployments) is None
        call.deployment = deployments[0]
        call.attempts = 1
        return call

    def end(self, call: Call, *, reply: Reply | None = None, error: LLMOpsError | None = None) -> FinishedCall:
        finished = FinishedCall(call=call, reply=reply, error=error, ended_s=self.clock.monotonic_s())
        self.ledger.append(finished)
        return finished

    def die(self) -> None:
        """Let go of the files as the kernel does for a process that was killed: nothing more is written."""
        self.log.lines.clear()
        self.journal.close(keep=True)
        self.log.file.close()

    def used(self, *meters: Quota) -> list[int]:
        return self.counters.used(meters)


def log_file(folder: Path) -> LogFile:
    return LogFile(folder / "gateway.jsonl", rotate_bytes=10**9, rotate_age_s=1e9)


def rules(*limits: dict[str, Any], budgets: Sequence[dict[str, Any]] = ()) -> list[Rule]:
    """Rules as the configuration describes them."""
    return rules_of(
        [LimitRuleSettings.model_validate(each) for each in limits],
        [BudgetSettings.model_validate(each) for each in budgets],
    )


def a_call(number: int = 1, **fields: Any) -> Call:
    """A call of 400 bytes: a hundred tokens."""
    view = RequestView(
        model=fields.pop("asks_for", "m"),
        user=fields.pop("user", None),
        max_tokens=fields.pop("max_tokens", None),
        choices=fields.pop("choices", 1),
        stream=fields.pop("stream", False),
    )
    given: dict[str, Any] = {
        "operation": "chat",
        "body": b"x" * 400,
        "view": view,
        "request_id": f"req_{number:032x}",
        "trace_id": f"{number:032x}",
        "span_id": f"{number:016x}",
        "started_at_s": 1_700_000_000.0,
        "started_s": 0.0,
        "model": "m",
        **fields,
    }
    return Call(**given)


def answer(prompt: int, completion: int, **fields: Any) -> Reply:
    """A reply that its provider counted."""
    return Reply(body=b"{}", outcome=Outcome(usage=Usage(prompt=prompt, completion=completion)), **fields)


def uncounted(output_chars: int) -> Reply:
    """A reply whose provider reported nothing, such as a stream that was cut."""
    return Reply(outcome=Outcome(output_chars=output_chars))


def logged(folder: Path) -> list[dict[str, Any]]:
    """The lines of the request log and of what was rotated away, oldest file last."""
    files = [folder / "gateway.jsonl", *sorted(folder.glob("gateway-*.jsonl"))]
    return [json.loads(line) for file in files if file.exists() for line in file.read_bytes().splitlines()]
