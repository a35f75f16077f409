"""The gateway dies, and then its database is gone, while pages are open: they say so, and go on by themselves."""

import json
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.dashboard.conftest import CONFIG, dashboard, opened, play, serving, written
from tests.serving import running

_PAGES = ("/", "/traces")
_LATER_MS = 30_000


def test_open_pages_say_what_is_gone_and_recover(new_page: Any, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    with ExitStack() as stack:
        first = stack.enter_context(serving(tmp_path))
        play(first, 10)
        written(first, 10)
        url = stack.enter_context(dashboard(away, first.url))  # in another folder: nothing to fall back on
        pages = [opened(new_page(), f"{url}{path}?window=now-1h") for path in _PAGES]
        pages[0].wait_for_selector(".lab-card")

        first.process.send_signal(signal.SIGKILL)
        first.wait()
        for page in pages:
            page.wait_for_selector(".lab-empty.bad:has-text('does not answer')", timeout=_LATER_MS)
            page.wait_for_selector('[data-source="none"]', timeout=_LATER_MS)

        file = tmp_path / "gateway.yaml"
        file.write_text(json.dumps(CONFIG))
        again = stack.enter_context(
            running(["-m", "llmops", "serve", "--port", str(first.port), "--config", str(file)], tmp_path, first.port)
        )
        for page in pages:
            page.wait_for_selector('[data-source="gateway"]', timeout=_LATER_MS)
            page.wait_for_selector(".lab-empty.bad", state="detached", timeout=_LATER_MS)
        assert pages[0].inner_text('[data-figure="calls"] .lab-value') == "10"

        database = tmp_path / "runs/llmops.db"
        database.rename(tmp_path / "runs/elsewhere.db")
        for page in pages:
            page.wait_for_selector(".lab-empty.bad:has-text('database does not answer')", timeout=_LATER_MS)
        assert again.get("/health")[0] == 200
        (tmp_path / "runs/elsewhere.db").rename(database)
        for page in pages:
            page.wait_for_selector(".lab-empty.bad", state="detached", timeout=_LATER_MS)
        assert pages[0].inner_text('[data-figure="calls"] .lab-value') == "10"
        for page in pages:
            page.close()
