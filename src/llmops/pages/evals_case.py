"""One case of a run: what was asked, what is right, what was answered in each repeat, how that was judged and why."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ..viewing import components, figures, judging
from ..viewing.judging import About, Quote
from ..viewing.view import View
from .evals_figures import Run, here, metric_of, offset_now, pager, run_path, tenant_of, trace_link, value_of

_LIMIT = 10


def render(view: View, run: Run, case_id: str) -> None:
    run_id = run["run_id"]
    judging.crumbs([("All runs", here(view)), (run_id, here(view, run=run_id)), (case_id, None)])
    found = view.get(run_path(run_id, "case"), **tenant_of(view), case=case_id, offset=offset_now("from"), limit=_LIMIT)
    if found is None:
        return
    asked(found, run)
    for repeat in found["repeats"]:
        st.space("xsmall")
        _repeat(view, run, repeat)
    pager(found["total"], _LIMIT, "from")


def asked(found: Mapping[str, Any], run: Run) -> None:
    """Input and reference, or where they are."""
    case = found["case"]
    if case is None or not found["texts"]:
        components.empty(
            "The texts of this run are not on the gateway's machine",
            "They stay in the folder that the run was made in; figures are all there is here. There, look with:",
            f"llmops eval show {run['run_id']} --cells",
        )
    if case is None:
        return
    quotes = [Quote("Asked", judging.text_of(case["input"]), "in")]
    if case.get("reference") is not None:
        quotes.append(Quote("Right would be", judging.text_of(case["reference"])))
    judging.texts(quotes, two=len(quotes) == 2)
    facts = [About(name, judging.text_of(value)) for name, value in case.get("metadata", {}).items()]
    facts += [About(name, str(case[name])) for name in ("cluster", "split") if case.get(name)]
    facts += [About("must pass", "yes")] if case.get("must_pass") else []
    if facts:
        judging.about(facts)


def answer_of(view: View, repeat: Mapping[str, Any], title: str) -> Quote:
    """What was answered, or why there is no answer."""
    result = repeat["result"]
    leads = trace_link(view, repeat["trace_id"])
    note = ", ".join(
        each
        for each in (
            figures.milliseconds(repeat["latency_ms"]) if repeat["latency_ms"] is not None else "",
            figures.money(repeat["cost_nanousd"]) if repeat["cost_nanousd"] is not None else "",
            f"{repeat['tokens_out']:,} tokens" if repeat["tokens_out"] else "",
            "from a cache" if repeat["cached"] else "",
        )
        if each
    )
    if result is None:
        said = f"no answer: {repeat['error']}" if repeat["error"] else "its text is not on the gateway's machine"
        return Quote(title, said, "bad" if repeat["error"] else "", note, leads, "trace")
    output = result["output"]
    if output.get("error"):
        return Quote(title, f"{output['error']['code']}: {output['error']['message']}", "bad", note, leads, "trace")
    parts = [output["text"]] if output.get("text") is not None else []
    parts += [f"(refused) {output['refusal']}"] if output.get("refusal") else []
    parts += [judging.text_of(output["data"])] if output.get("data") is not None else []
    parts += [
        f"(tool) {each['name']} {judging.text_of(each.get('arguments'))}" for each in output.get("tool_calls", ())
    ]
    return Quote(title, "\n\n".join(parts) or "(nothing)", "out", note, leads, "trace")


def _repeat(view: View, run: Run, repeat: Mapping[str, Any]) -> None:
    name = f"Answer {repeat['repeat'] + 1}" if run["repeats"] > 1 else "Answer"
    judging.texts([answer_of(view, repeat, name), *_passages(repeat)])
    scored(run, repeat)


def scored(run: Run, repeat: Mapping[str, Any]) -> None:
    """Its scores, with what led to them where that is known."""
    result = repeat["result"] or {}
    found = result.get("scores") or [
        {**score, "name": name, "error": {"code": score["error"], "message": ""} if score["error"] else None}
        for name, score in repeat["scores"].items()
    ]
    if found:
        judging.scores(found, lambda name, value: value_of(metric_of(run, name), value))


def _passages(repeat: Mapping[str, Any]) -> list[Quote]:
    passages = ((repeat["result"] or {}).get("output") or {}).get("passages", ())
    if not passages:
        return []
    text = "\n\n".join(
        f"[{number}] {each.get('id') or ''} {each.get('text') or ''}" for number, each in enumerate(passages, 1)
    )
    return [Quote("Looked up", text, "", f"{len(passages)} passages")]
