"""The dashboard while its gateway is away: it shows what there is, says so, and comes back by itself."""

import json
from pathlib import Path
from typing import Any

from llmops.dashboard import PAGES
from tests.dashboard.conftest import CONFIG, dashboard, opened, play, serving, went_to, written
from tests.dashboard.test_overview import card
from tests.serving import free_port, running


def source(page: Any, kind: str) -> None:
    page.wait_for_selector(f'[data-source="{kind}"]', timeout=30_000)


def test_it_goes_over_to_the_database_and_back(page: Any, tmp_path: Path) -> None:
    with serving(tmp_path) as gateway:
        play(gateway, 10)
        written(gateway, 10)
    with dashboard(tmp_path, gateway.url) as url:
        opened(page, url + "/?window=now-1h")
        source(page, "database")
        page.wait_for_selector(".lab-card")
        assert card(page, "calls") == "10"
        assert "gateway not running" in page.inner_text(".lab-source")
        with serving_at(tmp_path, gateway.port):
            source(page, "gateway")
            assert card(page, "calls") == "10"
        source(page, "database")
        page.close()


def test_it_shows_the_log_alone_and_follows_it(page: Any, tmp_path: Path) -> None:
    with serving(tmp_path) as gateway:
        play(gateway, 10)
        written(gateway, 10)
    for file in (tmp_path / "runs").glob("llmops.db*"):
        file.unlink()
    log = tmp_path / "runs/logs/gateway.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:6]))
    with dashboard(tmp_path, gateway.url) as url:
        opened(page, url + "/?window=now-1h")
        source(page, "log")
        page.wait_for_selector('[data-figure="calls"]', timeout=20_000)
        with log.open("ab") as file:
            file.writelines(lines[6:])
        page.wait_for_selector('[data-figure="calls"][data-exact="10"]', timeout=20_000)
        for _, _, _, _, path in PAGES[1:]:
            went_to(page, path)
            page.wait_for_selector('[data-source="log"]')
            assert page.locator('[data-testid="stException"], .lab-empty.bad').count() == 0, path
        assert not list((tmp_path / "runs").glob("llmops.db*")), "nothing is written beside the log"
        page.close()


def test_without_anything_it_says_what_to_do_and_begins_by_itself(page: Any, tmp_path: Path) -> None:
    port = free_port()
    with dashboard(tmp_path, f"http://127.0.0.1:{port}") as url:
        opened(page, url + "/")
        assert f"No gateway answers at http://127.0.0.1:{port}" in page.inner_text(".lab-empty")
        assert "llmops serve" in page.inner_text(".lab-empty code")
        with serving_at(tmp_path, port):
            page.wait_for_selector(".lab-head", timeout=20_000)
            page.close()


def serving_at(folder: Path, port: int) -> Any:
    """A gateway on that port, as one that is started again."""
    file = folder / "gateway.yaml"
    file.write_text(json.dumps(CONFIG))
    return running(["-m", "llmops", "serve", "--port", str(port), "--config", str(file)], folder, port)
