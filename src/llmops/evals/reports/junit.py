"""A report as JUnit XML, for continuous integration: a test case for each cell, and one for each of a gate's findings.

What was not passed is a failure; what has no answer or could not be judged is an error. Characters that XML 1.0 cannot
hold become U+FFFD, so that the file is well-formed whatever a model has said.
"""

import re
from xml.etree.ElementTree import Element, SubElement, tostring

from .decision import Judged, judged, name_of, tier_of
from .report import Report
from .run_view import CellView
from .words import number

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> str:
    spec = report.run.spec
    suites = Element("testsuites", name=_clean(f"llmops eval {spec.run_id}"))
    if report.decision is not None:
        _gate(suites, report)
    cells = report.run.cells
    failures = sum(_failed(cell) for cell in cells)
    errors = sum(_broken(cell) and not _failed(cell) for cell in cells)
    missing = max(report.run.total - len(cells), 0)
    suite = SubElement(
        suites,
        "testsuite",
        name=_clean(f"{spec.dataset} {spec.run_id}"),
        tests=str(len(cells) + bool(missing)),
        failures=str(failures),
        errors=str(errors + bool(missing)),
        time=f"{sum(cell.latency_ms or 0 for cell in cells) / 1000:.3f}",
    )
    for cell in cells:
        _case(suite, spec.dataset, cell)
    if missing:
        absent = SubElement(suite, "testcase", classname=_clean(spec.dataset), name="all cells have a result")
        SubElement(absent, "error", type="missing", message=f"{missing:,} cells have no result")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(suites, encoding="unicode")}\n'


def _gate(suites: Element, report: Report) -> None:
    assert report.decision is not None
    findings = judged(report.decision)
    blocking = [each for each in findings if tier_of(each) != "advisory"]
    suite = SubElement(suites, "testsuite", name="gate")
    overall = SubElement(suite, "testcase", classname="gate", name="decision")
    bad = {"failure": 0, "error": 0}
    for verdict, reason, node in (
        (str(report.decision.verdict), report.decision.reason, overall),
        *(_finding(suite, each) for each in blocking),
    ):
        if verdict != "PASS" and not (verdict == "INCONCLUSIVE" and node.get("name") != "decision"):
            kind = "failure" if verdict == "BLOCK" else "error"
            bad[kind] += 1
            SubElement(node, kind, type=_clean(verdict), message=_clean(reason))
    for each in findings:
        if tier_of(each) == "advisory":
            node = SubElement(suite, "testcase", classname="gate.advisory", name=_clean(name_of(each)))
            SubElement(node, "system-out").text = _clean(f"{each.finding.verdict}: {each.finding.reason}")
    suite.set("tests", str(1 + len(findings)))
    suite.set("failures", str(bad["failure"]))
    suite.set("errors", str(bad["error"]))


def _finding(suite: Element, each: Judged) -> tuple[str, str, Element]:
    node = SubElement(suite, "testcase", classname="gate", name=_clean(name_of(each)))
    return str(each.finding.verdict), each.finding.reason, node


def _case(suite: Element, dataset: str, cell: CellView) -> None:
    name = cell.case_id if not cell.repeat else f"{cell.case_id} (repeat {cell.repeat})"
    seconds = f"{(cell.latency_ms or 0) / 1000:.3f}"
    node = SubElement(suite, "testcase", classname=_clean(dataset), name=_clean(name), time=seconds)
    marks = "; ".join(
        f"{name}: {mark.error or number(mark.value)}" + (" (not passed)" if mark.passed is False else "")
        for name, mark in cell.marks.items()
    )
    if _failed(cell):
        SubElement(node, "failure", type="not passed", message=_clean(marks))
    elif _broken(cell):
        SubElement(node, "error", type=_clean(cell.error or "not judged"), message=_clean(cell.error or marks))
    if cell.asked is not None and cell.is_bad:
        SubElement(node, "system-out").text = _clean(f"input: {cell.asked}\nanswer: {cell.answered}")


def _failed(cell: CellView) -> bool:
    return cell.error is None and any(mark.passed is False for mark in cell.marks.values())


def _broken(cell: CellView) -> bool:
    return cell.error is not None or any(mark.error is not None for mark in cell.marks.values())


def _clean(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
