"""The harness itself, without a gateway in between: it sees each thing that a client should not be given."""

from collections import Counter

import pytest

from llmops.dev.faults import FAULTS, FaultServer, Rehearsal

from .caller import Caller, Seen
from .case import Result
from .verdict import Given, Verdict, judge

DIRECT: list[tuple[str, bool, Given, str]] = [
    ("missing-usage", True, "whole", ""),
    ("missing-usage", False, "whole", ""),
    ("sse-without-done", True, "whole", ""),
    ("tool-call-split", True, "whole", ""),
    ("split-utf8", True, "whole", ""),
    ("crlf-cr-mix", True, "whole", ""),
    ("http-503", True, "error", "503: The engine"),
    ("error-event-mid", True, "error", "200: The server had an error"),
    ("error-event-first", False, "broken", "an error under status 200"),
    ("html-200", False, "broken", "unreadable"),
    ("truncated-json", False, "broken", "unreadable"),
    ("truncated-json", True, "broken", "unreadable"),
    ("rst-mid-stream", True, "broken", "the connection was cut"),
    ("rst-before-headers", False, "broken", "the connection was cut"),
    ("silent", True, "hung", "no end after 0.3 s, 0 words"),
    ("stall-after-tokens", True, "hung", "no end after 0.3 s, 5 words"),
]


@pytest.mark.parametrize(("name", "stream", "given", "why"), DIRECT)
async def test_a_client_without_a_gateway_is_given_the_fault(name: str, stream: bool, given: Given, why: str) -> None:
    async with FaultServer() as server:
        seen = await Caller(server.url_for(name), limit_s=0.3).call("m", stream=stream)
        verdict = judge(seen, server.rehearsal.words)
        assert verdict.given == given and why in verdict.why


@pytest.mark.parametrize(
    ("seen", "given", "why"),
    [
        (Seen(True, text="w1 w2 w3 ", status=200, finished=True), "whole", ""),
        (Seen(True, text="w1 w2 w1 w2 w3 ", status=200, finished=True), "broken", "came twice"),
        (Seen(True, text="w1 w3 ", status=200, finished=True), "broken", "missing in between"),
        (Seen(True, text="w1 w2 ", status=200, finished=True), "broken", "only 2 of 3 words"),
        (Seen(True, status=200, text="w1 w2 "), "broken", "says nothing of it"),
        (Seen(True, text="w1\ufffd w2 w3 ", status=200, finished=True), "broken", "characters are damaged"),
        (Seen(True, status=200, text="w1 ", error="gone"), "error", "200: gone"),
        (Seen(True, status=200, text="w1 w1 ", error="gone"), "broken", "came twice"),
        (Seen(True, status=200, text="w1 ", error=""), "broken", "without a message"),
        (Seen(False, status=502), "broken", "without an error object"),
    ],
)
def test_what_a_client_was_given(seen: Seen, given: Given, why: str) -> None:
    verdict = judge(seen, 3)
    assert verdict.given == given and why in verdict.why


def result(
    fault: str, stream: bool, struck: int, *, whole: int = 0, error: int = 0, broken: int = 0, hung: int = 0
) -> Result:
    given: Counter[Given] = Counter({"whole": whole, "error": error, "broken": broken, "hung": hung})
    found = Result(FAULTS[fault], stream, struck, given)
    found.wrong = [Verdict("error", "an example").why]
    return found


@pytest.mark.parametrize(
    ("found", "fallback", "problem"),
    [
        (result("silent", True, 5, whole=1000), True, ""),
        (result("silent", True, 5, whole=999, error=1), True, ""),
        (result("silent", True, 5, whole=998, error=2), True, "998 of 1000 calls succeeded"),
        (result("silent", True, 10, error=10), False, ""),
        (result("silent", True, 0, whole=10), False, "did not strike"),
        (result("silent", True, 10, error=9, hung=1), False, "1 of 10 calls hung"),
        (result("error-event-mid", True, 3, whole=7, error=3), True, ""),
        (result("error-event-mid", True, 4, whole=7, error=3), False, "struck 4 times and 3 clients were told"),
        (result("split-utf8", True, 10, whole=9, error=1), False, "9 of 10 calls succeeded"),
        (result("split-utf8", True, 10, whole=9, broken=1), True, "1 of 10 calls broken"),
    ],
)
def test_a_result_is_held_against_the_table(found: Result, fallback: bool, problem: str) -> None:
    problems = list(found.problems(fallback=fallback))
    assert problems == [] if not problem else problem in problems[0]


async def test_a_rehearsal_of_chance_reaches_callers() -> None:
    """By chance as well as by name, as ``--rate`` plays it."""
    async with FaultServer(Rehearsal(rate=1.0, faults=(FAULTS["http-500"],))) as server:
        assert (await Caller(server.url).call("m", stream=False)).status == 500
