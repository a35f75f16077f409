"""The pictures of the docs: pages over the demo's traffic, written by ``pytest tests/dashboard --screenshots``.

Without that flag nothing runs. The demo is a real one: an hour's plot, shortened.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.conftest import IMAGES, dashboard, opened, settled
from tests.serving import Server, environment, free_port, until

_MINUTES = 20
_FULL = ("overview", "costs", "reliability", "traces", "alerts", "feedback", "keys", "releases")
_WITHIN = {"evals": "evals?show=gates", "prompts": "prompts?name=support/answer&tenant=helpdesk"}
"""Pages that show more one step further in."""
_PLAYED_S = 240.0
_TALLEST_PX = 2400
_WINDOW = "live=off&window=now-1h"
_CHARTS_MS = 1500
"""Charts take the picture's size a moment after the page has it."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[str]:
    """A dashboard of the demo's gateway, once it has reached the present; its address."""
    if not request.config.getoption("--screenshots", default=False):
        pytest.skip("pictures are made with --screenshots")
    folder = tmp_path_factory.mktemp("demo")
    with _playing(folder) as (gateway, key), dashboard(folder, gateway, {"LLMOPS_DASHBOARD_KEY": key}) as url:
        yield url


@contextmanager
def _playing(folder: Path) -> Iterator[tuple[str, str]]:
    port, output = free_port(), folder / "demo.txt"
    command = [sys.executable, "-m", "llmops", "demo", "--minutes", str(_MINUTES), "--folder", str(folder / "runs"),
               "--port", str(port), "--no-dashboard"]  # fmt: skip
    with output.open("wb") as file:
        process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=file, stderr=subprocess.STDOUT)
    server = Server(process, port, output)
    try:
        until(lambda: server.get("/ready")[0] == 200, "the demo")
        key = str(json.loads((folder / "runs/keys.json").read_text())["admin"])
        until(lambda: _is_present(server, key), "the present", _PLAYED_S)
        yield server.url, key
    finally:
        process.terminate()
        process.wait(20)


def _is_present(server: Server, key: str) -> bool:
    """Whether calls of our own minute are there: the demo's clock, also its gateway's, has caught up with us."""
    found = server.get(f"/api/overview?from={int(time.time()) - 60}&to=now", key=key)[1]
    return isinstance(found, dict) and "totals" in found and found["totals"]["calls"] > 0


def test_pages_are_pictured(demo: str, new_page: Callable[..., Any]) -> None:
    page = new_page()
    for path in _FULL:
        _take(page, f"{demo}/{'' if path == 'overview' else path}?{_WINDOW}", path)
    for name, path in _WITHIN.items():
        _take(page, f"{demo}/{path}&{_WINDOW}", name)
    opened(page, f"{demo}/rollouts?{_WINDOW}")
    first = page.wait_for_selector('[aria-label="Rollouts"] tbody a').get_attribute("href")
    _take(page, demo + first, "rollouts")
    opened(page, f"{demo}/traces?{_WINDOW}&order=dearest")
    first = page.wait_for_selector('[aria-label="Traces"] tbody a').get_attribute("href")
    _take(page, demo + first, "trace")


@pytest.mark.parametrize(("name", "width", "scheme"), [("overview-dark", 1440, "dark"), ("overview-400", 400, "light")])
def test_the_overview_is_pictured_in_other_lights(
    demo: str, new_page: Callable[..., Any], name: str, width: int, scheme: str
) -> None:
    _take(new_page(width=width, scheme=scheme), f"{demo}/?{_WINDOW}", name)


def _take(page: Any, url: str, name: str) -> None:
    width = page.viewport_size["width"]
    page.set_viewport_size({"width": width, "height": 1000})
    opened(page, url)
    settled(page)
    high = page.evaluate("document.querySelector('[data-testid=stMain]')?.scrollHeight || 1000")
    page.set_viewport_size({"width": width, "height": min(int(high) + 10, _TALLEST_PX)})
    page.wait_for_timeout(_CHARTS_MS)
    IMAGES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(IMAGES / f"{name}.png"))
