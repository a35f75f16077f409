"""Reports: right figures in every form, and foreign text that stays text in each of them."""

import contextlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from click.testing import Result
from typer.testing import CliRunner

from llmops.cli.root import app
from llmops.evals.case import Case
from llmops.evals.dataset import Dataset
from llmops.evals.gate.verdict import Judged as GateJudged
from llmops.evals.reports.comparison import compare
from llmops.evals.reports.decision import Judged as WantedJudged
from llmops.evals.reports.report import Report
from llmops.evals.reports.run_view import RunView, view_of_folder
from llmops.evals.reports.svg import Bar, Point, histogram, intervals, scatter
from llmops.evals.reports.writing import FORMATS, write
from llmops.statistics.tango import interval
from tests.evals.reports.runs import HOSTILE, a_dataset, a_decision, a_run


@pytest.fixture(name="report")
def _report(tmp_path: Path) -> Report:
    dataset = a_dataset()
    views = [
        view_of_folder(a_run(tmp_path, name, dataset, wrong=wrong), texts=True)
        for name, wrong in (("before", 2), ("now", 6))
    ]
    return Report(views[1], views[0], a_decision())


class Page(HTMLParser):
    """What a browser would make of it: tags, their attributes, and the text outside of styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"{tag} is closed where another is open"

    def handle_data(self, data: str) -> None:
        self.text += data


def test_differences_are_paired_and_bounded(report: Report) -> None:
    comparison = report.comparison
    assert comparison is not None
    exact, latency = comparison.differences
    assert (exact.n, exact.better, exact.worse, exact.same) == (19, 0, 4, 15)
    assert (exact.low, exact.high) == pytest.approx(tuple(interval(0, 4, 19)))
    assert latency.mean == 0 and latency.low is None, "that nothing varied is no certainty"
    assert {each.gain for each in comparison.changes} == {-1.0} and comparison.warnings == []


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    one = view_of_folder(a_run(tmp_path, "a", a_dataset(20)))
    other = view_of_folder(a_run(tmp_path, "b", a_dataset(22), seed=1))
    said = " ".join(compare(one, other).warnings)
    assert "dataset version differs" in said and "2 cases are in one of the two" in said


def test_cases_of_one_cluster_count_once(tmp_path: Path) -> None:
    cases = [Case(id=f"c{each}", input="x", cluster=f"k{each // 10}") for each in range(40)]
    views = [
        view_of_folder(a_run(tmp_path, name, Dataset("d", cases), wrong=wrong, failed=0))
        for name, wrong in (("a", 10), ("b", 20))
    ]
    exact = compare(*views).differences[0]
    assert exact.units == 4 and exact.mean == -0.25
    assert exact.low is not None and exact.low < -1 < 0 < (exact.high or 0), "a quarter of four is nothing sure"


def test_the_page_holds_together_and_runs_nothing(report: Report) -> None:
    page = Page(write(report, "html"))
    assert page.open == [] and not {"script", "img", "iframe", "link", "a", "object"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "href")]
    assert page.tags.count("svg") >= 6, "distribution, differences, slices, cost"
    assert "alert(1)" in page.text and "default-src 'none'" in str(page.attributes)
    assert "BLOCK" in page.text and "m-now" in page.text and "kind=a" in page.text
    assert not re.search("[\x00\x1b\u202e\ud800]", page.text)


def test_markdown_has_no_markup_of_others(report: Report) -> None:
    text = write(report, "markdown")
    assert "<script" not in text and "@all" not in text and "http://" not in text and "![x]" not in text
    table = [line for line in text.splitlines() if line.startswith("| c1&lt;")]
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table}
    assert table and len(widths) <= 2, "cells stay in their columns"


def test_junit_is_well_formed_and_fails_what_failed(report: Report) -> None:
    suites = ElementTree.fromstring(write(report, "junit").encode())
    gate, cells = suites.findall("testsuite")
    assert (cells.get("tests"), cells.get("failures"), cells.get("errors")) == ("20", "6", "1")
    assert len(cells.findall("testcase/failure")) == 6 and len(cells.findall("testcase/error")) == 1
    assert (gate.get("tests"), gate.get("failures")) == ("4", "2")
    assert {each.get("classname") for each in gate} == {"gate", "gate.advisory"}


def test_a_run_that_lacks_cells_is_no_success(tmp_path: Path) -> None:
    view = view_of_folder(a_run(tmp_path, "a", a_dataset(), wrong=0, failed=0))
    view = msgspec.structs.replace(view, cells=view.cells[:5])
    suites = ElementTree.fromstring(write(Report(view), "junit").encode())
    assert suites.findall("testsuite")[0].get("errors") == "1"


def test_the_terminal_obeys_nobody(report: Report) -> None:
    text = write(report, "terminal")
    assert "BLOCK" in text and "Against before" in text and "\x1b" not in text and "\u202e" not in text


def test_json_tells_all(report: Report) -> None:
    told = json.loads(write(report, "json"))
    assert told["decision"]["verdict"] == "BLOCK" and len(told["decision"]["findings"]) == 3
    assert told["comparison"]["differences"][0]["worse"] == 4 and told["summary"]["cells"] == 20


def test_texts_are_there_only_if_asked_for(tmp_path: Path) -> None:
    dataset = Dataset("d", [Case(id=str(each), input="a secret") for each in range(10)])
    journal = a_run(tmp_path, "a", dataset)
    for form in FORMATS:
        assert "secret" not in write(Report(view_of_folder(journal)), form)
        assert "secret" in write(Report(view_of_folder(journal, texts=True)), form)


def test_an_empty_run_has_a_report(tmp_path: Path) -> None:
    view = view_of_folder(a_run(tmp_path, "a", a_dataset()))
    empty = RunView(
        spec=view.spec,
        ending=view.ending,
        summary=msgspec.structs.replace(view.summary, metrics=[]),
        total=20,
        cells=[],
    )
    for form in FORMATS:
        assert write(Report(empty, view), form)


def test_plots_take_any_figures() -> None:
    for values in ([0.0], [1.0] * 5, [-1e300, 1e300], [0.0, 1e-300]):
        assert "nan" not in histogram(values, HOSTILE) and "inf" not in histogram(values, "x", values)
    assert "nan" not in intervals([Bar(HOSTILE, 1.0, None, None)], "x", zero=True)
    assert "<script" not in intervals([Bar(HOSTILE, 1.0, 0.5, 2.0)], HOSTILE)
    assert "nan" not in scatter([Point(1.0, 1.0, HOSTILE, "run")], "x", "y", "z")
    assert histogram([], "x") == intervals([], "x") == scatter([], "x", "y", "z") == ""


def test_a_gates_decision_fits_as_it_is() -> None:
    wanted = [name for name in vars(WantedJudged) if not name.startswith("_")]
    assert set(wanted) <= set(GateJudged.__struct_fields__)


def shell(folder: Path, *arguments: str) -> Result:
    with contextlib.chdir(folder):
        return CliRunner().invoke(app, ["eval", *arguments])


def test_the_command_writes_what_is_asked_for(tmp_path: Path) -> None:
    dataset = a_dataset(hostile=False)
    for name in ("a", "b"):
        a_run(tmp_path / "runs/evals", name, dataset)
    done = shell(tmp_path, "report", "b", "--against", "a", "--format", "html", "-o", "b.html")
    assert done.exit_code == 0, done.stderr
    assert "<svg" in (tmp_path / "b.html").read_text()
    assert json.loads(shell(tmp_path, "report", "a", "--json").stdout)["cells"] == 20
    missing = shell(tmp_path, "report", "x")
    assert missing.exit_code == 1 and "no run 'x'" in missing.stderr
    assert shell(tmp_path, "report", "a", "-o", "no/such/folder/x").exit_code == 2
    assert shell(tmp_path, "report", "a", "--stored").exit_code == 1
    assert shell(tmp_path, "export", "a", "--to", "mlflow", "--url", "ftp://x").exit_code == 2
    gone = shell(tmp_path, "export", "a", "--to", "mlflow", "--url", "http://127.0.0.1:9")
    assert gone.exit_code == 1 and "MLflow" in gone.stderr and "Traceback" not in gone.stderr
