"""The pages of evals and datasets in a browser: figures are the control plane's, hostile texts are texts."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from llmops.opening import open_identity
from llmops.viewing import figures
from tests.dashboard.conftest import Site, _keys, dashboard, opened, serving, signed_in
from tests.dashboard.evals_site import fill
from tests.fakes.gateway import settings_for

MINE = ("http://127.0.0.1:", "data:", "blob:")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway with runs, datasets and a queue of ``acme``, and others of ``other``."""
    folder = tmp_path_factory.mktemp("lab")
    keys = _keys(folder)
    identity = open_identity(settings_for(folder / "runs/logs"))
    fill(folder / "runs/evals", identity.database, "acme")
    fill(folder / "runs/evals", identity.database, "other", prefix="secret-")
    identity.close()
    with ExitStack() as stack:
        gateway = stack.enter_context(serving(folder))
        yield Site(gateway, stack.enter_context(dashboard(folder, gateway.url)), folder, keys)


@pytest.fixture
def viewer(lab: Site, page: Any) -> Iterator[Any]:
    """A browser page of a viewer of ``acme``; nothing runs a script or asks another host."""
    strange: list[str] = []
    page.on("dialog", lambda dialog: (strange.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: None if request.url.startswith(MINE) else strange.append(request.url))
    yield signed_in(page, lab, "acme viewer", "/evals?live=off")
    assert strange == []


def rows(page: Any, caption: str) -> list[list[str]]:
    page.wait_for_selector(f'[aria-label="{caption}"] tbody tr')
    found = page.query_selector_all(f'[aria-label="{caption}"] tbody tr')
    return [[cell.inner_text().strip() for cell in each.query_selector_all("td")] for each in found]


def test_runs_lead_to_a_run_and_its_worst_cases(lab: Site, viewer: Any) -> None:
    page = viewer
    shown, wanted = rows(page, "Runs"), lab.ask("/api/evals/runs", "acme viewer")["runs"]
    assert [each[1] for each in shown] == [run["run_id"] for run in wanted]
    mean = next(each for each in wanted[1]["summary"]["metrics"] if each["name"] == "correct")["mean"]
    assert figures.share(mean) in shown[1]
    assert "secret-" not in page.content(), "nothing of another tenant's"
    opened(page, lab.url + "/evals?live=off&run=run-4&metric=tone")
    run = lab.ask("/api/evals/runs/run-4", "acme viewer")["summary"]
    said = page.inner_text('[data-figure="passed"] .lab-value')
    assert said == figures.share(run["passed"] / run["judged"])
    assert page.get_attribute('[data-figure="cost"]', "data-exact") == figures.exact_money(run["cost_nanousd"])
    cells = lab.ask("/api/evals/runs/run-4/cells?metric=tone&limit=25", "acme viewer")["cells"]
    assert [each[0][:4] for each in rows(page, "Cases")] == [cell["case_id"][:4] for cell in cells]
    page.get_by_role("radio", name="Not passed").click()
    page.wait_for_url("**which=unpassed**")
    page.reload()
    opened(page, page.url)
    assert {each[1] for each in rows(page, "Cases")} == {"✕ not passed"}, "the filter survives a reload"


def test_a_case_shows_claims_as_text(lab: Site, viewer: Any) -> None:
    page = viewer
    case = lab.ask("/api/evals/runs/run-4/cells?search=q020", "acme viewer")["cells"][0]["case_id"]
    page.goto(f"{lab.url}/evals?live=off&run=run-4")
    opened(page, lab.url + "/evals?live=off&run=run-4&case=" + page.evaluate("c => encodeURIComponent(c)", case))
    page.wait_for_selector('[data-score="faithfulness"] li')
    text = page.inner_text("main")
    assert "<script>alert(1)</script>" in text and "⟨U+202E⟩" in text and "\u202e" not in text
    assert page.locator('[data-score="faithfulness"] li').count() == 2
    assert page.get_attribute(".lab-quote h4 a", "href").startswith("/traces?trace=")
    assert page.locator(".lab-quote img, .lab-score img, .lab-quote script").count() == 0


def test_two_runs_are_compared(lab: Site, viewer: Any) -> None:
    page = viewer
    path = "first=run-0&second=run-4&metric=correct"
    opened(page, f"{lab.url}/evals?live=off&show=compare&{path}")
    told = lab.ask(f"/api/evals/compare?{path}", "acme viewer")
    assert page.get_attribute(".lab-verdict", "data-verdict") == told["finding"]["verdict"] == "PASS"
    assert told["finding"]["reason"] in page.inner_text(".lab-verdict")
    for kind in ("better", "worse", "same", "missing"):
        assert page.inner_text(f'[data-figure="{kind}"] .lab-value') == f"{told[kind]:,}"
    page.get_by_role("radio", name="Worse").click()
    page.wait_for_url("**cases=worse**")
    page.wait_for_function("document.querySelectorAll('[aria-label=\"Case by case\"] tbody tr').length < 25")
    listed = lab.ask(f"/api/evals/compare/cases?{path}&which=worse", "acme viewer")["cases"]
    assert [each[0][:4] for each in rows(page, "Case by case")] == [each["case_id"][:4] for each in listed]
    page.click('[aria-label="Case by case"] tbody tr:last-child a')
    page.wait_for_selector(".lab-quote.out")
    assert page.locator(".lab-quote.out").count() == 2, "both answers beside each other"


def test_trends_gates_and_datasets(lab: Site, viewer: Any) -> None:
    page = viewer
    opened(page, lab.url + "/evals?live=off&show=trends&margin=0.01&baseline=run-4")
    shown = rows(page, "Trend")
    points = lab.ask("/api/evals/trend?dataset=help-desk&metric=correct", "acme viewer")
    assert [each[1] for each in shown] == [point["run_id"] for point in reversed(points)]
    best = next(point["figure"]["mean"] for point in points if point["run_id"] == "run-4")
    beyond = [point["run_id"] for point in reversed(points) if point["figure"]["mean"] < best - 0.01]
    assert [each[1] for each in shown if "beyond" in each[6]] == beyond != []
    opened(page, lab.url + "/evals?live=off&show=gates")
    assert "llmops gate run" in page.inner_text(".lab-empty")
    opened(page, lab.url + "/datasets?live=off")
    assert [each[0] for each in rows(page, "Datasets")] == ["help-desk"]
    opened(page, lab.url + "/datasets?live=off&dataset=help-desk&show=changes")
    page.wait_for_selector('[data-figure="changed"]')
    assert page.inner_text('[data-figure="added"] .lab-value') == "10"
    assert "<img src=x" in page.inner_text("main")


def test_another_tenants_run_and_queue_are_not_there(lab: Site, viewer: Any) -> None:
    page = viewer
    for path in ("evals?run=secret-run-0", "datasets?dataset=secret-help-desk", "review?queue=secret-tone"):
        opened(page, f"{lab.url}/{path}&live=off&of=other&tenant=other")
        page.wait_for_selector(".lab-empty")
        assert "Fatima" not in page.content()


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (1440, "light"), (2500, "light")])
def test_they_fit_every_width(lab: Site, new_page: Callable[..., Any], width: int, scheme: str) -> None:
    page = signed_in(new_page(width=width, scheme=scheme), lab, "acme viewer", "/evals?live=off")
    page.wait_for_selector('[aria-label="Runs"]')
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    opened(page, lab.url + "/evals?live=off&show=compare&first=run-0&second=run-4")
    page.wait_for_selector('[aria-label="Case by case"]')
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing hangs over"
