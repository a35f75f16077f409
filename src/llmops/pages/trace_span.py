"""The span that is picked: its figures, what was said in it, its attributes, events and links."""

from collections.abc import Mapping
from typing import Any

from ..viewing import components, figures, tracing, words
from ..viewing.tracing import Fact
from ..viewing.view import View
from .trace_messages import message_attributes, messages_of

Item = Mapping[str, Any]


def show(view: View, trace: Item, span: Item) -> None:
    """Beneath the drawing; ``span`` is whole."""
    components.heading(words.plain(span["name"], 90) or "(no name)", _what(span))
    tracing.facts(_facts(trace, span))
    said = messages_of(span)
    if said:
        components.heading("What was said", "captured and masked")
        tracing.messages(said)
    shown = message_attributes(span["attributes"]) if said else set()
    attributes = {name: value for name, value in span["attributes"].items() if name not in shown}
    tracing.folded(
        {
            "Attributes": dict(sorted(attributes.items())),
            "Events": dict(_events(span)),
            "Links": {f"{each['trace_id']} / {each['span_id']}": each["attributes"] for each in span["links"]},
            "Resource": {**span["resource"], **({"scope": span["scope"]} if span["scope"] else {})},
            "Ids": {"trace": trace["trace_id"], "span": span["span_id"], "parent": span["parent_id"] or "none"},
        },
        opened="" if said else "Attributes",
    )


def _what(span: Item) -> str:
    parts = [span["step"], span["service"] or "", span["tenant"], span["model"] or ""]
    return " · ".join(words.plain(part, 40) for part in parts if part)


def _facts(trace: Item, span: Item) -> list[Fact]:
    failed = span["status"] == "error"
    why = str(span["attributes"].get("error.type") or span["status_message"] or "")
    tokens = None
    if span["input_tokens"] is not None or span["output_tokens"] is not None:
        tokens = (span["input_tokens"] or 0) + (span["output_tokens"] or 0)
    state = f"✕ {why or 'error'}" if failed else {"unset": "✓ fine"}.get(span["status"], f"✓ {span['status']}")
    stands_out = [
        said
        for said, extreme in (("slowest step", trace["slowest_step"]), ("dearest call", trace["dearest_call"]))
        if extreme is not None and extreme["span_id"] == span["span_id"]
    ]
    facts = [
        Fact("span-state", "State", state, span["status_message"], is_bad=failed),
        Fact(
            "span-took",
            "Took",
            figures.milliseconds(span["duration_us"] / 1000),
            f"{span['duration_us']:,} µs",
            " and ".join(stands_out),
        ),
        Fact("span-own", "Of its own", figures.milliseconds(span["self_us"] / 1000), f"{span['self_us']:,} µs"),
        Fact(
            "span-begin",
            "Began after",
            figures.milliseconds(span["offset_us"] / 1000),
            f"{span['offset_us']:,} µs",
            f"clock mended by {figures.milliseconds(abs(span['shift_us']) / 1000)}"
            if abs(span["shift_us"]) >= 1000
            else "",
        ),
    ]
    if span["ttft_us"] is not None:
        facts.append(Fact("span-first", "First content", figures.milliseconds(span["ttft_us"] / 1000)))
    if tokens is not None:
        note = f"{span['input_tokens'] or 0:,} in, {span['output_tokens'] or 0:,} out"
        facts.append(Fact("span-tokens", "Tokens", figures.count(tokens), figures.exact(tokens), note))
    if span["cost_nanousd"] is not None:
        cost = span["cost_nanousd"]
        facts.append(Fact("span-cost", "Cost", figures.money(cost), figures.exact_money(cost)))
    return facts


def _events(span: Item) -> list[tuple[str, Any]]:
    """Named with when they were, from the span's beginning."""
    found = []
    for number, event in enumerate(span["events"]):
        after = figures.milliseconds((event["at_ns"] / 1000 - span["started_us"]) / 1000)
        found.append((f"{number + 1}. {words.plain(event['name'], 60)} after {after}", event["attributes"] or ""))
    return found
