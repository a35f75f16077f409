"""The review queue in a browser: judged by keys alone, taken back, settled; what is kept is what was pressed."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from llmops.opening import open_identity
from tests.dashboard.conftest import Site, _keys, dashboard, opened, serving, settled, signed_in
from tests.dashboard.evals_site import add_queue
from tests.fakes.gateway import settings_for


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("desk")
    keys = _keys(folder)
    identity = open_identity(settings_for(folder / "runs/logs"))
    add_queue(identity.database, "acme", "tone")
    identity.close()
    with ExitStack() as stack:
        gateway = stack.enter_context(serving(folder))
        yield Site(gateway, stack.enter_context(dashboard(folder, gateway.url)), folder, keys)


def count(page: Any, name: str, wanted: int) -> None:
    page.wait_for_selector(f'[data-count="{name}"]:text-is("{wanted}")')
    settled(page)


def marks(desk: Site, place: int) -> list[tuple[str, Any, str]]:
    items = desk.ask("/api/review/queues/tone/items", "acme viewer")["items"]
    return [(mark["reviewer"], mark["answer"], mark["state"]) for mark in items[place - 1]["marks"]]


def test_a_queue_is_judged_by_keys(desk: Site, page: Any) -> None:
    signed_in(page, desk, "acme editor", "/review?live=off&queue=tone")
    count(page, "yours", 0)
    assert "Question 3" in page.inner_text(".lab-quote.in"), "the first that is open"
    assert "<script>" in page.inner_text(".lab-instructions")
    page.get_by_label("Comment").fill("2 s u: no keys while one writes")
    page.get_by_label("Comment").blur()
    settled(page)
    count(page, "yours", 0)
    page.keyboard.press("2")
    count(page, "yours", 1)
    assert marks(desk, 4) == [("acme-editor", "bad", "answered")]
    scores = desk.ask("/api/scores?trace_id=" + f"{4:032x}", "acme viewer")["scores"]
    assert scores[0]["comment"].startswith("2 s u") and scores[0]["label"] == "bad"
    page.wait_for_selector('.lab-quote.in:has-text("Question 4")')
    page.keyboard.press("s")
    page.wait_for_selector('.lab-quote.in:has-text("Question 5")')
    settled(page)
    assert marks(desk, 5) == [("acme-editor", None, "skipped")]
    page.keyboard.press("u")
    page.wait_for_selector('.lab-quote.in:has-text("Question 4")')
    page.reload()
    page.wait_for_selector('.lab-quote.in:has-text("Question 4")')
    assert marks(desk, 5) == [("acme-editor", None, "leased")], "it is this reviewer's also after a reload"


def test_a_dispute_is_settled_and_agreement_shown(desk: Site, page: Any) -> None:
    signed_in(page, desk, "acme editor", "/review?live=off&queue=tone&do=settle")
    page.wait_for_selector('[aria-label="Answers"]')
    said = page.inner_text('[aria-label="Answers"]')
    assert "Ana" in said and "Ben" in said, "who settles sees what others said"
    page.wait_for_selector("text=undo >> visible=true")
    settled(page)
    page.keyboard.press("1")
    page.wait_for_selector(".lab-empty")
    assert ("acme-editor", "good", "answered") in marks(desk, 3)
    opened(page, desk.url + "/review?live=off&queue=tone&do=agreement")
    told = desk.ask("/api/review/queues/tone", "acme viewer")["agreement"]
    page.wait_for_selector('[data-figure="alpha"]')
    assert page.inner_text('[data-figure="compared"] .lab-value') == str(told["compared"])
    assert page.inner_text('[data-figure="alpha"] .lab-value') == f"{told['alpha']:.3f}"


def test_a_viewer_looks_through_and_judges_nothing(desk: Site, page: Any) -> None:
    signed_in(page, desk, "acme viewer", "/review?live=off&queue=tone")
    assert "may look" in page.inner_text(".lab-empty")
    opened(page, desk.url + "/review?live=off&queue=tone&do=look&place=1")
    page.wait_for_selector('[aria-label="Answers"]')
    page.keyboard.press("n")
    page.wait_for_url("**place=2**")
    page.wait_for_selector('.lab-quote.out:has-text("<script>")')
    page.keyboard.press("p")
    page.wait_for_url("**place=1**")
    opened(page, desk.url + "/review?live=off&queue=tone&do=look&place=7")
    page.wait_for_selector("text=is shown when all its answers are there")
    assert page.locator('[aria-label="Answers"]').count() == 0


def test_another_tenants_queue_is_not_there(desk: Site, page: Any) -> None:
    signed_in(page, desk, "other viewer", "/review?live=off")
    assert "no review queues yet" in page.inner_text(".lab-empty")
    opened(page, desk.url + "/review?live=off&queue=tone&of=acme")
    page.wait_for_selector(".lab-empty")
    assert "Question" not in page.inner_text("main")
