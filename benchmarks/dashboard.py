"""``python -m benchmarks.dashboard``: how soon the dashboard's pages are there with 1,000,000 calls, in a real browser.

A gateway over a full database (`dashboard_data`; ``--database`` keeps it for the next time), the dashboard beside it,
chromium in front. Of every page: the first meaningful paint (from the beginning of the navigation until the page's own
figures or rows are drawn), the whole page, and a filter's change (from the click until they are of the new choice). A
browser that has been there before is the rule (with a profile on disk, as people's have), a first visit is measured
once; processor time beside it tells a slow page from a busy machine. ``--times 10`` measures the overview over the
rollups of ten times as many calls as well.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import func, select

from llmops.store.database import Database
from llmops.store.tables import calls as calls_table
from llmops.store.tables import prompts

from .dashboard_data import fill_everything, find_alerts, make_keys
from .dashboard_pages import PAGES, Page
from .dashboard_rollups import fill_rollups, window_query
from .lab import say
from .load import REPOSITORY
from .process import HOST, Process, free_port, running, wait_until_ready
from .prompts import fill as fill_prompts

PAINT_BAR_MS, CHANGE_BAR_MS, MEMORY_BAR_MIB = 1500.0, 700.0, 400.0
CHROMIUM = os.environ.get("TEST_CHROMIUM", "/usr/bin/chromium")
_WAIT_MS = 60_000
_VISITS_BEFORE = 2
"""Then a browser has compiled what it keeps."""
_NOTE_PAINT = """(() => {
    const isThere = (one) => one && one.checkVisibility({opacityProperty: true, visibilityProperty: true});
    const look = () => {
        if (isThere(document.querySelector(%s)))
            requestAnimationFrame(() => { window.labDrawn = performance.now(); });
        else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
})()"""
"""When it was on the screen: the frame after the one that found it."""
_OTHER = """
    const one = document.querySelector(drawn);
    const now = one && (one.closest('[data-testid=stHtml]')?.outerHTML || one.outerHTML);
    if (now && now !== before) window.labEnded = performance.now();
    return window.labEnded !== undefined;
"""
_WHOLE = """
    const said = document.querySelector('.lab-head p')?.textContent.includes('7 days');
    if (said && document.querySelector(%s)) window.labEnded = performance.now();
    return window.labEnded !== undefined;
"""
_NOTE_CLICK = "() => addEventListener('click', () => window.labBegun ??= performance.now(), true)"
_DONE = '[data-testid="stApp"][data-test-script-state="notRunning"]'


class Reading(NamedTuple):
    paint_ms: float
    whole_ms: float
    change_ms: float | None
    cpu_ms: float
    """Of the gateway and the dashboard, for the page."""
    change_cpu_ms: float


class Served(NamedTuple):
    url: str
    gateway: Process
    dashboard: Process

    def cpu_s(self) -> float:
        return self.gateway.cpu_s() + self.dashboard.cpu_s()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard", description=__doc__)
    parser.add_argument("--database", metavar="URL", help="one that has been filled, or is filled and kept")
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", metavar="PAGE", help="one page alone")
    parser.add_argument("--times", type=int, default=0, help="also the overview over so many times the calls")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="llmops-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        url = options.database or f"sqlite:///{folder}/full.db"
        key = _filled(url, options.calls)
        browser = stack.enter_context(_browser(folder / "profile"))
        say(f"load {os.getloadavg()[0]:.1f} before")
        pages = [page for page in PAGES if not options.only or page.name == options.only]
        with _served(folder, url, key) as served:
            missed = _all(browser, served, pages, options.runs)
            memory_mib = served.dashboard.resident_mib()
            print(f"\ndashboard's memory after all pages: {memory_mib:.0f} MiB (bar {MEMORY_BAR_MIB:.0f})")
            missed = missed or memory_mib > MEMORY_BAR_MIB
        if options.times:
            missed = _many_more(folder, browser, options) or missed
        print(f"load {os.getloadavg()[0]:.1f} after")
    return 1 if missed else 0


def _filled(url: str, calls: int) -> str:
    """A full database; an administrator's key of it."""
    database = Database(url)
    try:
        database.ensure()
        with database.read() as connection:
            known = connection.execute(select(func.count()).select_from(calls_table)).scalar_one()
            has_prompts = connection.execute(select(prompts.c.id).limit(1)).first() is not None
        if known:
            say(f"{known:,} calls are there already")
        else:
            fill_everything(database, calls, days=10.0)
        if not has_prompts:
            say("10,000 prompts of 100 versions")
            fill_prompts(database, 10_000, 100)
    finally:
        database.close()
    key = make_keys(url)
    if not known:
        asyncio.run(find_alerts(url))
    return key


def _many_more(folder: Path, browser: Any, options: argparse.Namespace) -> bool:
    """The overview with the same number of calls, and with so many times as many, of both only the rollups."""
    overview, missed = PAGES[0], False
    for calls in (options.calls, options.calls * options.times):
        url = f"sqlite:///{folder}/rollups-{calls}.db"
        database = Database(url)
        last_s = fill_rollups(database, calls)
        database.close()
        print(f"\nrollups of {calls:,} calls:")
        with _served(folder, url, make_keys(url)) as served:
            page = overview._replace(path=f"/?{window_query(last_s)}")
            missed = _all(browser, served, [page], options.runs) or missed
    return missed


def _all(browser: Any, served: Served, pages: Sequence[Page], runs: int) -> bool:
    missed = False
    first = _read(browser, served, pages[0], with_change=False)
    print(f"first visit (nothing in the browser's cache), {pages[0].name}: {first.paint_ms:.0f} ms")
    for _ in range(_VISITS_BEFORE):
        _read(browser, served, pages[0], with_change=False)
    print("\n| page | first meaningful paint | whole page | filter change | processor: page | change |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    for page in pages:
        found = [_read(browser, served, page) for _ in range(runs)]
        row, late = _row(page, found)
        missed = missed or late
        print(row, flush=True)
    return missed


def _row(page: Page, found: Sequence[Reading]) -> tuple[str, bool]:
    def middle(of: Callable[[Reading], float]) -> float:
        return statistics.median(of(each) for each in found)

    paint_ms = middle(lambda each: each.paint_ms)
    change_ms = middle(lambda each: each.change_ms or 0.0)
    late = paint_ms > PAINT_BAR_MS or change_ms > CHANGE_BAR_MS
    most = max(each.paint_ms for each in found)
    shown = [
        f"{paint_ms:.0f} ms, at most {most:.0f}",
        f"{middle(lambda each: each.whole_ms):.0f} ms",
        f"{change_ms:.0f} ms" if change_ms else "-",
        f"{middle(lambda each: each.cpu_ms):.0f} ms",
        f"{middle(lambda each: each.change_cpu_ms):.0f} ms" if change_ms else "-",
    ]
    return f"| {page.name}{' (late)' if late else ''} | " + " | ".join(shown) + " |", late


def _read(context: Any, served: Served, page: Page, *, with_change: bool = True) -> Reading:
    tab = context.new_page()
    tab.set_default_timeout(_WAIT_MS)
    try:
        begun_cpu_s = served.cpu_s()
        tab.add_init_script(_NOTE_PAINT % json.dumps(page.drawn))
        tab.goto(served.url + page.path, wait_until="commit")
        tab.wait_for_function("window.labDrawn !== undefined")
        paint_ms = tab.evaluate("window.labDrawn")
        tab.wait_for_selector(_DONE)
        whole_ms = tab.evaluate("performance.now()")
        time.sleep(0.2)
        cpu_s = served.cpu_s()
        change_ms = None
        if with_change and page.change is not None:
            change_ms = _changed(tab, page)
        time.sleep(0.2)
        change_cpu_s = served.cpu_s() - cpu_s
    finally:
        tab.close()
    spent_ms = max(0.0, cpu_s - begun_cpu_s) * 1000  # a child that has ended takes its time with it
    return Reading(paint_ms, whole_ms, change_ms, spent_ms, change_cpu_s * 1000)


def _changed(tab: Any, page: Page) -> float:
    """From the click until the page's own part is another one."""
    assert page.change is not None
    before = tab.eval_on_selector(page.drawn, "one => one.closest('[data-testid=stHtml]')?.outerHTML || one.outerHTML")
    target = tab.wait_for_selector(page.change)
    tab.evaluate(_NOTE_CLICK)
    target.click()
    wanted = _WHOLE % json.dumps(_DONE) if page.whole else _OTHER
    tab.wait_for_function(f"([drawn, before]) => {{ {wanted} }}", arg=[page.drawn, before])
    taken_ms: float = tab.evaluate("window.labEnded - window.labBegun")
    return taken_ms


@contextmanager
def _served(folder: Path, url: str, key: str) -> Iterator[Served]:
    port, dashboard_port = free_port(), free_port()
    slos = [{"name": "availability", "objective": "availability", "target": 0.99, "per": "model"}]
    config = {"database": {"url": url}, "slos": slos, "log": {"dir": f"{folder}/logs-{port}"}}
    file = folder / f"gateway-{port}.yaml"
    file.write_bytes(msgspec.json.encode(config))  # JSON is YAML
    env = {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "src")])}
    python = sys.executable
    serve = [python, "-m", "llmops", "serve", "--port", str(port), "--config", str(file)]
    show = [python, "-m", "streamlit", "run", str(REPOSITORY / "src/llmops/dashboard.py"),
            "--server.address", HOST, "--server.port", str(dashboard_port)]  # fmt: skip
    seen = {**env, "LLMOPS_GATEWAY_URL": f"http://{HOST}:{port}", "LLMOPS_DASHBOARD_KEY": key}
    with ExitStack() as stack:
        gateway = stack.enter_context(running(f"gateway-{port}", serve, folder=folder, env=env))
        wait_until_ready(gateway, port, "/ready", timeout_s=60)
        dashboard = stack.enter_context(running(f"dashboard-{dashboard_port}", show, folder=folder, env=seen))
        wait_until_ready(dashboard, dashboard_port, "/_stcore/health", timeout_s=60)
        yield Served(f"http://{HOST}:{dashboard_port}", gateway, dashboard)


@contextmanager
def _browser(profile: Path) -> Iterator[Any]:
    """A browser with a profile: its cache holds scripts compiled, as nobody's private window does."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch_persistent_context(
            profile,
            executable_path=CHROMIUM,
            args=["--no-sandbox"],
            viewport={"width": 1440, "height": 1000},
            timezone_id="Europe/Zurich",
        )
        try:
            yield opened
        finally:
            opened.close()


if __name__ == "__main__":
    raise SystemExit(main())
