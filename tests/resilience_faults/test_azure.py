"""The replay of a trace amid faults, in its quick form; ``make soak-azure`` is the long one."""

from pathlib import Path

import pytest

from tests.faults.report import Report

from .azure import Options, soak
from .azure_trace import Row, make_trace, read_trace, repeated


@pytest.mark.timeout(120)
async def test_a_trace_amid_faults_leaves_nothing_behind(tmp_path: Path) -> None:
    report = Report("azure")
    await soak(Options(tmp_path, make_trace(7, 400), calls=400, seconds=4, at_once=32, rate=0.1), report)
    assert report.kept, report.text()
    assert report.figures["calls"] == report.figures["lines in the log"] == 400
    assert report.figures["given"]["whole"] > 300 and report.figures["faults that struck"]


def test_the_published_format_is_read_in_the_order_of_time(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    late, early = "2023-11-16 18:15:50.9951690,396,109", "2023-11-16 18:15:46.6805900,374,44"
    file.write_text(f"TIMESTAMP,ContextTokens,GeneratedTokens\n{late}\n{early}\n")
    first, second = read_trace(file)
    assert first == Row(0.0, 374, 44)
    assert second.at_s == pytest.approx(4.314579) and (second.prompt, second.output) == (396, 109)
    file.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="it needs TIMESTAMP, ContextTokens, GeneratedTokens"):
        read_trace(file)


def test_a_repeated_trace_goes_on_in_time() -> None:
    rows = list(repeated(make_trace(1, 50), 120))
    times = [row.at_s for row in rows]
    assert len(rows) == 120 and times == sorted(times) and rows[0].output == rows[50].output
