"""The traces' pages in a browser: the list, one trace, sessions and steps show what the control plane says.

A program's spans are sent to the gateway of ``site``: a small tree that holds everything hostile, and a long one.
"""

import json
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from llmops.viewing import figures
from tests.dashboard.conftest import Site, opened, play, signed_in
from tests.serving import until

HOSTILE, LONG = "ab" * 16, "cd" * 16
LONG_SPANS = 450
EVIL = (
    '<img src="http://evil.example/x.png" onerror="document.title=1"><script>document.title=1</script> '
    "![x](http://evil.example/y.png) \u202edrawkcab"
)
SESSION = "s <b>bold</b> \u202e"
ROWS = '[aria-label="Traces"] tbody tr'
BEGIN_NS = 0
"""When the site's first calls were: the fixture says."""


def attribute(name: str, value: str) -> dict[str, Any]:
    return {"key": name, "value": {"stringValue": value}}


def span(trace: str, number: int, parent: int | None, begin_ms: int, took_ms: int, **more: Any) -> dict[str, Any]:
    begin_ns = BEGIN_NS + begin_ms * 1_000_000
    above = {"parentSpanId": f"{parent:016x}"} if parent is not None else {}
    fields = {"traceId": trace, "spanId": f"{number:016x}", **above, "name": f"step {number}", "kind": 1}
    return {
        **fields,
        "startTimeUnixNano": str(begin_ns),
        "endTimeUnixNano": str(begin_ns + took_ms * 1_000_000),
        **more,
    }


def hostile_spans() -> list[dict[str, Any]]:
    said = json.dumps([{"role": "user", "parts": [{"type": "text", "content": EVIL}]}])
    answered = json.dumps([{"role": "assistant", "content": "x" * 1_000_000}])
    model = [attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.request.model", f"m {EVIL}")]
    texts = [attribute("gen_ai.input.messages", said), attribute("gen_ai.output.messages", answered)]
    who = [attribute("session.id", SESSION), attribute("user.id", EVIL[:200])]
    event = {"timeUnixNano": str(BEGIN_NS + 150_000_000), "name": EVIL, "attributes": [attribute(EVIL, EVIL)]}
    large = [attribute(EVIL, EVIL), attribute("large", "y" * 1_000_000)]
    return [
        span(HOSTILE, 1, None, 0, 400, name=EVIL, attributes=[*who, *large]),
        span(HOSTILE, 2, 1, 100, 200, name=f"chat {EVIL}", attributes=[*model, *texts], events=[event]),
        span(HOSTILE, 3, 1, 300, 50, status={"code": 2, "message": EVIL}),
    ]


@pytest.fixture(scope="module")
def traced(site: Site) -> Iterator[Site]:
    """``site`` with more calls than a page holds, and those two traces."""
    global BEGIN_NS
    BEGIN_NS = int(site.ask("/api/traces?limit=1")["items"][0]["started_us"]) * 1000
    play(site.gateway, 20)
    long = [span(LONG, 1, None, 0, LONG_SPANS * 10)]
    long += [span(LONG, number, 1, number * 10, 9) for number in range(2, LONG_SPANS + 1)]
    for spans in (hostile_spans(), long):
        resource = {"attributes": [attribute("service.name", f"shop {EVIL[:40]}")]}
        body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
        request = urllib.request.Request(
            f"{site.gateway.url}/v1/traces", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200
    for trace_id in (HOSTILE, LONG):
        until(lambda: site.gateway.get(f"/api/traces/{trace_id}")[0] == 200, "the spans")  # noqa: B023
    until(lambda: len(site.ask("/api/traces?limit=100")["items"]) >= 62, "the calls")
    yield site


def figure(page: Any, name: str) -> str:
    found: str = page.inner_text(f'[data-figure="{name}"] b')
    return found


def ids(page: Any) -> list[str]:
    """Of the traces that are listed."""
    links = [each.get_attribute("href") for each in page.query_selector_all(f"{ROWS} td:first-child a")]
    return [urllib.parse.parse_qs(urllib.parse.urlsplit(each).query)["trace"][0] for each in links]


def wanted(site: Site, query: str) -> list[str]:
    return [item["trace_id"] for item in site.ask(f"/api/traces?limit=50&from=now-24h&{query}")["items"]]


def shows(page: Any, found: list[str]) -> None:
    until(lambda: page.wait_for_timeout(30) or ids(page) == found, "the list")


def test_the_list_shows_what_is_asked_for_and_a_link_to_it_survives(traced: Site, page: Any) -> None:
    opened(page, traced.url + "/traces?live=off&order=slowest&model=gpt-4o")
    page.wait_for_selector(ROWS)
    assert ids(page) == wanted(traced, "order=slowest&model=gpt-4o") != []
    first = traced.ask("/api/traces?limit=1&order=slowest&model=gpt-4o")["items"][0]
    cells = page.inner_text(f"{ROWS}:first-child").split("\t")
    assert cells[3].strip() == figures.milliseconds(first["duration_us"] / 1000)
    assert cells[4].strip() == figures.money(first["cost_nanousd"])
    assert page.locator(".lab-dots a").count() == len(ids(page))
    page.get_by_role("radio", name="Dearest").click()
    shows(page, wanted(traced, "order=dearest&model=gpt-4o"))
    assert "order=dearest" in page.url
    page.reload()
    page.wait_for_selector(ROWS)
    assert ids(page) == wanted(traced, "order=dearest&model=gpt-4o")
    assert page.inner_text('[aria-label="Traces"] th:nth-child(5)') == "dearest call"
    ranked = [item["ranked_nanousd"] for item in traced.ask("/api/traces?order=dearest&model=gpt-4o")["items"]]
    cells = [each.inner_text() for each in page.query_selector_all(f"{ROWS} td:nth-child(5)")]
    assert cells == [figures.money(each) for each in ranked] and ranked == sorted(ranked, reverse=True)
    page.click('nav[aria-label^="Filters"] a')
    page.wait_for_selector(".lab-head")
    shows(page, wanted(traced, "order=dearest"))
    page.get_by_role("radio", name="Failed").click()
    shows(page, wanted(traced, "order=dearest&state=error"))


def test_older_pages_stay_where_they_are(traced: Site, page: Any) -> None:
    opened(page, traced.url + "/traces?live=off")
    page.wait_for_selector(ROWS)
    newest = traced.ask("/api/traces?limit=50&from=now-24h")
    assert ids(page) == [item["trace_id"] for item in newest["items"]]
    page.get_by_role("button", name="Older").click()
    older = wanted(traced, f"cursor={newest['cursor']}")
    shows(page, older)
    play(traced.gateway, 1)
    page.reload()
    page.wait_for_selector(ROWS)
    assert ids(page) == older, "what came in meanwhile moves nothing"
    page.get_by_role("button", name="Newer").click()
    until(lambda: page.wait_for_timeout(30) or "at=" not in page.url, "the page before, also after a reload")
    elsewhere = traced.ask("/api/traces?limit=7")["cursor"]
    opened(page, f"{traced.url}/traces?live=off&at={elsewhere}")
    page.get_by_role("button", name="First page").wait_for()  # nobody has walked there


def test_one_trace_is_its_figures_and_its_tree(traced: Site, page: Any) -> None:
    item = traced.ask("/api/traces?limit=1&order=dearest")["items"][0]
    shown = traced.ask(f"/api/traces/{item['trace_id']}")
    opened(page, f"{traced.url}/traces?trace={item['trace_id']}&live=off")
    page.wait_for_selector(".row[data-id]")
    assert figure(page, "duration") == figures.milliseconds(shown["duration_us"] / 1000)
    assert figure(page, "cost") == figures.money(shown["cost_nanousd"])
    assert figure(page, "tokens") == figures.count(shown["input_tokens"] + shown["output_tokens"])
    assert figure(page, "spans") == str(shown["spans"])
    rows = page.locator(".row[data-id]")
    assert rows.evaluate_all("all => all.map(each => each.dataset.id)") == [each["span_id"] for each in shown["page"]]
    assert rows.locator(".took").all_inner_texts() == [
        figures.milliseconds(each["duration_us"] / 1000) for each in shown["page"]
    ]
    slowest = page.locator(f'.row[data-id="{shown["slowest_step"]["span_id"]}"]')
    assert "slowest step" in slowest.inner_text()
    dearest = page.locator(f'.row[data-id="{shown["dearest_call"]["span_id"]}"]')
    assert "dearest call" in dearest.inner_text()
    dearest.focus()  # the keyboard: down to the next step, and pick it
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    second = shown["page"][1]
    until(lambda: page.wait_for_timeout(30) or f"span={second['span_id']}" in page.url, "the address")
    until(lambda: figure(page, "span-took") == figures.milliseconds(second["duration_us"] / 1000), "the step")
    page.reload()
    page.wait_for_selector(f'.row[data-id="{second["span_id"]}"][aria-selected="true"]')
    assert figure(page, "span-own") == figures.milliseconds(second["self_us"] / 1000)
    page.locator(".row[data-id]").first.focus()
    page.keyboard.press("ArrowLeft")
    assert rows.count() == 1, "folded"
    page.keyboard.press("ArrowRight")
    assert rows.count() == shown["spans"]
    page.get_by_role("radio", name="Flames").click()
    page.wait_for_selector(".flame[data-id]")
    assert page.locator(".flame[data-id]").count() == shown["spans"] and "shape=flame" in page.url
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the JSON").click()
    kept = json.loads(download.value.path().read_text())
    assert kept["cursor"] is None and [each["span_id"] for each in kept["page"]] == [
        each["span_id"] for each in shown["page"]
    ]


def test_what_is_hostile_is_shown_as_text_and_loads_nothing(traced: Site, page: Any) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    opened(page, f"{traced.url}/traces?trace={HOSTILE}&span={2:016x}&live=off")
    page.wait_for_selector(".lab-say")
    assert "<img src=" in page.inner_text(".lab-say.user") and "⟨U+202E⟩" in page.inner_text(".lab-say.user")
    assert "Show all 1,000,000 characters" in page.inner_text(".lab-say.assistant")
    assert "<script>" in page.inner_text(".row[data-id] >> nth=0")
    page.click("summary:has-text('Events')")
    assert "<img src=" in page.inner_text("details:has-text('Events') dd")
    page.click(f'.row[data-id="{1:016x}"]')
    page.wait_for_selector("dt:has-text('large')")
    assert len(page.content()) < 700_000, "a long text is not sent whole"
    page.click(f'.row[data-id="{3:016x}"]')
    until(lambda: page.wait_for_timeout(30) or figure(page, "span-state").startswith("✕ <img"), "the failed step")
    for address in ("/traces?live=off", "/traces?live=off&show=sessions", "/traces?live=off&show=steps"):
        opened(page, traced.url + address)
        page.wait_for_selector("tbody tr")
        assert "<img" in page.inner_text("[data-testid=stMain]") or "show=sessions" in address
    page.goto(f"{traced.url}/traces?show=talk&live=off&session={urllib.parse.quote(SESSION)}")
    page.wait_for_selector(".lab-turn .lab-say")
    assert "<b>bold</b>" in page.inner_text(".lab-section h2")
    opened(page, f"{traced.url}/traces?live=off&trace=..%2F<script>%3Fq")
    page.wait_for_selector(".lab-empty")
    assert [url for url in asked if "evil" in url.split("?")[0]] == []
    assert "1" != page.title() and page.locator(".lab-say img, .row img, td img").count() == 0


def test_of_a_long_trace_a_page_of_spans_is_sent(traced: Site, page: Any) -> None:
    opened(page, f"{traced.url}/traces?trace={LONG}&span={LONG_SPANS:016x}&live=off")
    page.wait_for_selector(f'.row[data-id="{LONG_SPANS:016x}"][aria-selected="true"]')
    assert page.locator(".row[data-id]").count() == LONG_SPANS - 400, "the page on which the span stands"
    page.get_by_role("button", name="Before").click()
    page.wait_for_selector(f'.row[data-id="{201:016x}"]')
    assert page.locator(".row[data-id]").count() == 200 and "rows=2" in page.url
    assert "spans 201 to 400 of 450" in page.inner_text("[data-testid=stMain]")


def test_a_score_is_added_and_shown(traced: Site, page: Any) -> None:
    trace_id = traced.ask("/api/traces?limit=1&model=gpt-4o")["items"][0]["trace_id"]
    opened(page, f"{traced.url}/traces?trace={trace_id}&live=off")
    page.get_by_role("button", name="Add a score").click()
    page.get_by_role("radio", name="bad").click()
    page.get_by_label("Comment").fill(EVIL)
    page.get_by_role("button", name="Add it").click()
    page.wait_for_selector('[aria-label="Scores"] tbody tr')
    scores = traced.ask(f"/api/scores?trace_id={trace_id}")["scores"]
    assert [(each["name"], each["value"], each["comment"]) for each in scores] == [("helpful", False, EVIL)]
    row = page.inner_text('[aria-label="Scores"] tbody tr')
    assert "✕ bad" in row and "<img" in row


def test_sessions_and_steps_are_those_of_the_control_plane(traced: Site, page: Any) -> None:
    opened(page, traced.url + "/traces?live=off&show=steps")
    page.wait_for_selector('[aria-label="Steps"] tbody tr')
    step = traced.ask("/api/steps?from=now-24h")["items"][0]
    cells = page.inner_text('[aria-label="Steps"] tbody tr >> nth=0').split("\t")
    assert cells[3].strip() == figures.milliseconds(step["total_us"] / 1000)
    assert cells[4].strip() == figures.count(step["count"])
    page.get_by_role("radio", name="Sessions").click()
    page.wait_for_selector('[aria-label="Sessions"] tbody tr')
    page.click('[aria-label="Sessions"] td a:has-text("session-1")')
    page.wait_for_selector(".lab-turn")
    items = traced.ask("/api/traces?session=session-1&limit=15")["items"]
    assert page.locator(".lab-turn").count() == len(items)
    assert figure(page, "cost") == figures.money(sum(item["cost_nanousd"] for item in items))
    assert "not kept" in page.inner_text(".lab-empty"), "capture is off"


def test_a_viewer_sees_no_row_of_another_tenant(guarded: Site, page: Any) -> None:
    foreign = guarded.ask("/api/traces?tenant=other&limit=50", "admin")["items"]
    own = guarded.ask("/api/traces?limit=50", "acme viewer")["items"]
    signed_in(page, guarded, "acme viewer", "/traces?live=off")
    page.wait_for_selector(ROWS)
    assert ids(page) == [item["trace_id"] for item in own] != []
    for address in (f"trace={foreign[0]['trace_id']}", "tenant=other"):
        opened(page, f"{guarded.url}/traces?live=off&{address}")
        if "trace=" in address:
            page.wait_for_selector(".lab-empty")
            assert "There is no such thing" in page.inner_text(".lab-empty")
        assert not set(ids(page)) & {item["trace_id"] for item in foreign}


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (1440, "light"), (2500, "light")])
def test_it_fits_every_width(traced: Site, new_page: Callable[..., Any], width: int, scheme: str) -> None:
    trace_id = traced.ask("/api/traces?limit=1&order=dearest")["items"][0]["trace_id"]
    page = new_page(width=width, scheme=scheme)
    for name, address in (("traces", "/traces?live=off&model=gpt-4o"), ("trace", f"/traces?live=off&trace={trace_id}")):
        opened(page, traced.url + address)
        page.wait_for_selector(".row[data-id]" if name == "trace" else ROWS)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing hangs over"
