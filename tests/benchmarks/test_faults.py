"""The table of faults as the benchmark shows it: its bars and its rows, from made results."""

from collections import Counter

from benchmarks.fault_report import DeadRun, Played, as_data, bars, markdown, quantile
from llmops.dev.faults import FAULTS
from tests.resilience_faults.case import Result
from tests.resilience_faults.verdict import Given


def result(fault: str, struck: int, **given: int) -> Result:
    counted: Counter[Given] = Counter(given)  # type: ignore[arg-type]
    return Result(FAULTS[fault], True, struck, counted, seconds=[0.1] * counted.total(), healthy=given.get("whole", 0))


def test_what_is_kept_meets_every_bar() -> None:
    told = result("error-event-mid", 10, error=10)
    told.silences = [0.5, 1.05]
    dead = {"dead": DeadRun(100, 119, Counter({"error": 100}), [0.2] * 100)}
    played = Played("ours", [result("silent", 5, whole=1000), told], dead, calls=1110, log_lines=1110)
    assert {bar.verdict for bar in bars(played)} == {"met"}
    shown = markdown([played], title="t", facts={"cores": "2"})
    assert "| silent | stream | fallback | whole 100 % | 1.00 | 0.100 / 0.100 | yes |" in shown
    assert "| dead | ours | 100 | error 100 % | 1.190 | 0.200 / 0.200 |" in shown
    assert as_data(played)["cases"][0]["kept"]


def test_each_broken_promise_misses_its_bar() -> None:
    lost = result("silent", 10, whole=989, error=10, hung=1)
    lost.wrong = ["no end after 20.0 s, 0 words"]
    late = result("error-event-mid", 10, error=9, broken=1)
    late.wrong, late.silences = ["words came twice: [1, 1]"], [1.2]
    dead = {"dead": DeadRun(100, 300, Counter({"error": 100}), [0.2] * 100)}
    played = Played("ours", [lost, late], dead, tracebacks=1, calls=1110, log_lines=1109, internal_errors=1)
    assert {bar.verdict for bar in bars(played)} == {"missed"}


def test_a_quantile_is_a_value_that_was_measured() -> None:
    values = [float(number) for number in range(1, 101)]
    assert (quantile(values, 0.5), quantile(values, 0.99), quantile([7.0], 0.5)) == (50.0, 99.0, 7.0)
