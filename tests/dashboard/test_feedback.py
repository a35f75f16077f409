"""Feedback in a browser: means, spread and single scores as the control plane says; comments are text."""

from collections.abc import Callable
from typing import Any

import pytest

from llmops.viewing import figures
from tests.dashboard.changing import rows, send
from tests.dashboard.conftest import Site, opened, settled, signed_in

HOSTILE = "<img src=x onerror=alert(1)> <script>alert(2)</script> ![i](http://127.0.0.1:9/x) \u202etxt.exe "


@pytest.fixture(scope="module")
def judged(guarded: Site) -> Site:
    """Scores of both tenants: thumbs of people, marks of a judge, labels, and a comment that means harm."""
    for tenant, model in (("acme", "gpt-4o"), ("other", "gpt-4o-mini")):
        items = guarded.ask(f"/api/traces?tenant={tenant}&model={model}&limit=3", "admin")["items"]
        for number, item in enumerate(items):
            about = {"trace_id": item["trace_id"], "tenant": tenant}
            send(guarded, "POST", "/api/scores", {**about, "name": "helpful", "value": number > 0})
            mark = {"name": "faithful", "value": 0.5 + number / 4, "source": "judge", "comment": f"{tenant} said so"}
            send(guarded, "POST", "/api/scores", {**about, **mark})
    comment = HOSTILE + "x" * 9000
    send(guarded, "POST", "/api/scores", {"session": "s-1", "name": "<b>tone</b>", "label": "curt", "comment": comment,
                                          "tenant": "acme", "source_id": HOSTILE})  # fmt: skip
    return guarded


def card(page: Any, name: str) -> str:
    page.wait_for_selector(f'[data-figure="{name}"]')
    found: str = page.inner_text(f'[data-figure="{name}"] .lab-value')
    return found


def scores(page: Any) -> list[str]:
    page.wait_for_selector("[data-score]")
    settled(page)
    return [each.get_attribute("data-score") for each in page.query_selector_all("[data-score]")]


def test_means_and_scores_are_those_of_the_control_plane(judged: Site, page: Any) -> None:
    signed_in(page, judged, "admin", "/feedback?live=off&window=now-1h")
    series = {each["name"]: each for each in judged.ask("/api/scores/course?from=now-1h", "admin")["series"]}
    assert card(page, "helpful-human") == figures.share(series["helpful"]["mean"])
    assert card(page, "faithful-judge") == f"{series['faithful']['mean']:.3g}"
    shown = {row[0]: row[2] for row in rows(page, "Scores by name and source")}
    assert shown == {name: figures.count(each["count"]) for name, each in series.items()}
    worst = judged.ask("/api/scores/judged?from=now-1h&order=worst&limit=24", "admin")["scores"]
    assert scores(page) == [each["id"] for each in worst] and worst[0]["value"] is False
    first = worst[0]
    assert page.get_attribute("[data-score] a >> nth=0", "href") == (
        f"/traces?trace={first['trace_id']}&tenant={first['tenant']}"
    )


def test_filters_stand_in_the_address_and_survive_a_reload(judged: Site, page: Any) -> None:
    query = "order=newest&commented=on&name=faithful&source=judge&model=gpt-4o"
    signed_in(page, judged, "admin", f"/feedback?live=off&window=now-1h&{query}")
    asked = "/api/scores/judged?from=now-1h&order=newest&commented=true&name=faithful&source=judge&model=gpt-4o"
    wanted = judged.ask(asked, "admin")["scores"]
    assert wanted and {each["model"] for each in wanted} == {"gpt-4o"}
    assert scores(page) == [each["id"] for each in wanted]
    page.reload()
    assert scores(page) == [each["id"] for each in wanted] and "model=gpt-4o" in page.url


def test_a_tenant_reads_its_own_and_hostile_words_are_text(judged: Site, new_page: Callable[..., Any]) -> None:
    page = new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    signed_in(page, judged, "acme viewer", "/feedback?live=off&window=now-1h&order=newest")
    scores(page)
    said = page.inner_text('[data-testid="stMain"]')
    assert "acme said so" in said and "other said so" not in said
    assert "<script>alert(2)</script> ![i](http://127.0.0.1:9/x) ⟨U+202E⟩txt.exe" in said and "<b>tone</b>" in said
    assert page.query_selector("img[src=x]") is None
    assert not [url for url in asked if not url.startswith((judged.url, "data:", "blob:"))]
    opened(page, judged.url + "/feedback?live=off&window=now-1h&tenant=other")
    page.wait_for_selector(".lab-head")
    assert "other said so" not in page.inner_text("body")


def test_without_scores_it_says_how_they_come(site: Site, page: Any) -> None:
    opened(page, site.url + "/feedback?live=off")
    page.wait_for_selector("text=No scores in this window")
    assert "/api/scores" in page.inner_text(".lab-empty code")
