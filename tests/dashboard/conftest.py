"""A real browser on a real dashboard over a real gateway.

``site`` is a gateway without keys that has carried calls, ``guarded`` one with keys of two tenants; each with a
dashboard beside it, made once for all tests. ``page`` is a browser page: an error in its console fails its test.
The docs' pictures are taken by ``pytest tests/dashboard --screenshots`` (`test_pictures`).
"""

import asyncio
import http.client
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import which
from typing import Any, NamedTuple

import pytest

from llmops.identity.key import Role
from llmops.opening import open_identity
from tests.dashboard.ledger import ledger
from tests.fakes.gateway import settings_for
from tests.serving import HOST, ROOT, Server, environment, free_port, running, until

playwright = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")

__all__ = ["ledger"]

CHROMIUM = Path(os.environ.get("TEST_CHROMIUM") or which("chromium") or which("google-chrome") or "/usr/bin/chromium")
IMAGES = ROOT / "docs/images"
WAIT_MS = 15_000
CONFIG = {
    "models": {
        "gpt-4o": {"deployments": [{"provider": "mock", "price": {"input": 2.5, "output": 10}}]},
        "gpt-4o-mini": {"deployments": [{"provider": "mock", "price": {"input": 0.15, "output": 0.6}}]},
        "flaky": {"deployments": [{"provider": "mock", "mock": {"error_rate": 1.0}}]},
    },
    "resilience": {"enabled": False},
    "log": {"flush_milliseconds": 5},
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", action="store_true", help="write the pictures of docs/images anew")


class Site(NamedTuple):
    """A gateway and the dashboard beside it. ``keys`` by their names, where there are any."""

    gateway: Server
    url: str
    folder: Path
    keys: dict[str, str]

    def ask(self, path: str, key: str | None = None) -> Any:
        """What the control plane says."""
        status, body = self.gateway.get(path, key=self.keys.get(key or ""))
        assert status == 200, body
        return body


@contextmanager
def dashboard(folder: Path, gateway_url: str, env: dict[str, str] | None = None) -> Iterator[str]:
    """A dashboard in that folder; its address."""
    port = free_port()
    output = folder / f"dashboard-{port}.txt"
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(ROOT / "src/llmops/dashboard.py"),
        "--server.port",
        str(port),
    ]
    with output.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment({"LLMOPS_GATEWAY_URL": gateway_url, **(env or {})}),
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    server = Server(process, port, output)
    try:
        until(
            lambda: process.poll() is not None or server.get("/_stcore/health")[0] == 200, f"a dashboard: {server.said}"
        )
        assert process.poll() is None, server.said
        yield server.url
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()


def play(gateway: Server, calls: int = 40, key: str | None = None, seed: int = 7) -> None:
    """Calls of several users and sessions, some with errors, some with JSON."""
    luck = random.Random(seed)
    connection = http.client.HTTPConnection(HOST, gateway.port, timeout=20)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    for number in range(calls):
        model = "flaky" if number % 10 == 9 else luck.choice(["gpt-4o", "gpt-4o-mini", "gpt-4o-mini"])
        body: dict[str, Any] = {
            "model": model,
            "messages": [{"role": "user", "content": "Hello " * luck.randint(1, 40)}],
        }
        if number % 4 == 0:
            body["response_format"] = {"type": "json_object"}
        who = {"x-llmops-user": f"user-{number % 5}", "x-llmops-session": f"session-{number % 7}"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {**headers, **who})
        connection.getresponse().read()
    connection.close()


def written(gateway: Server, calls: int, key: str | None = None) -> None:
    """Return when the database has them."""
    until(
        lambda: (gateway.get("/api/overview", key=key)[1] or {}).get("totals", {}).get("calls", 0) >= calls, "the calls"
    )


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with ExitStack() as stack:
        gateway = stack.enter_context(serving(folder))
        play(gateway)
        written(gateway, 40)
        yield Site(gateway, stack.enter_context(dashboard(folder, gateway.url)), folder, {})


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Keys: ``admin``; ``acme viewer``, ``acme editor``, ``acme caller``; ``other viewer``, ``other caller``."""
    folder = tmp_path_factory.mktemp("guarded")
    made = _keys(folder)
    with ExitStack() as stack:
        gateway = stack.enter_context(serving(folder))
        play(gateway, 20, made["acme caller"])
        play(gateway, 10, made["other caller"], seed=8)
        written(gateway, 30, made["admin"])
        yield Site(gateway, stack.enter_context(dashboard(folder, gateway.url)), folder, made)


@contextmanager
def serving(folder: Path, config: dict[str, Any] | None = None) -> Iterator[Server]:
    """A gateway in that folder, over a database beside its log."""
    port, file = free_port(), folder / "gateway.yaml"
    file.write_text(json.dumps(config or CONFIG))  # JSON is YAML
    with running(["-m", "llmops", "serve", "--port", str(port), "--config", str(file)], folder, port) as gateway:
        yield gateway


def _keys(folder: Path) -> dict[str, str]:
    """Made in this process: a command each would take seconds."""
    identity = open_identity(settings_for(folder / "runs/logs"))
    registry = identity.registry
    for tenant in ("acme", "other"):
        registry.create_tenant(tenant)
    roles: list[tuple[str, Role]] = [("acme", "caller"), ("acme", "viewer"), ("acme", "editor")]
    roles += [("other", "caller"), ("other", "viewer")]
    made = {
        f"{tenant} {role}": str(registry.create_key(name=f"{tenant}-{role}", tenant=tenant, role=role)[1])
        for tenant, role in roles
    }
    made["admin"] = str(registry.create_key(name="the-admin", role="admin")[1])
    identity.close()
    return made


# --- the browser ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        said = f"there is no browser at {CHROMIUM} (TEST_CHROMIUM names another)"
        (pytest.fail if os.environ.get("TEST_REQUIRE_SERVERS") == "1" else pytest.skip)(said)
    driver = playwright.sync_playwright().start()
    opened = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    opened.loop, opened.contexts_by_look = loop, {}
    yield opened
    asyncio._set_running_loop(loop)
    opened.close()
    driver.stop()
    asyncio._set_running_loop(None)


@pytest.fixture
def driving(browser: Any) -> Iterator[Any]:
    """The browser while a test drives it. Its driver keeps a loop running in this thread, which other tests must not
    find there."""
    asyncio._set_running_loop(browser.loop)
    yield browser
    asyncio._set_running_loop(None)


@pytest.fixture
def new_page(driving: Any) -> Iterator[Callable[..., Any]]:
    """``new_page(width=…, scheme="dark")``: a page of a browser that nobody is signed in with. Console errors are
    forgiven where they contain one of ``forgive``. Pages of one look share what the browser has cached, for the whole
    session: Streamlit's scripts take longer than most tests."""
    used, pages, said = [], [], []
    forgiven: list[str] = []

    def new(width: int = 1440, height: int = 1000, scheme: str = "light", forgive: tuple[str, ...] = ()) -> Any:
        looks = driving.contexts_by_look
        if (width, height, scheme) not in looks:
            looks[width, height, scheme] = driving.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,
                timezone_id="Europe/Zurich",
                locale="en-GB",
            )
        context = looks[width, height, scheme]
        forgiven.extend(forgive)
        used.append(context)
        opened = context.new_page()
        pages.append(opened)
        opened.set_default_timeout(WAIT_MS)
        opened.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        opened.on("pageerror", lambda error: said.append(str(error)))
        return opened

    yield new
    for page in pages:
        page.close()
    for context in used:
        context.clear_cookies()
    assert [each for each in said if not any(words in each for words in forgiven)] == []


@pytest.fixture
def page(new_page: Callable[..., Any]) -> Any:
    return new_page()


def settled(page: Any) -> None:
    """Return when the page's run is over."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')


def opened(page: Any, url: str) -> Any:
    """Go there and wait for the page."""
    page.goto(url)
    page.wait_for_selector(".lab-head, .lab-empty, .lab-sign-in")
    settled(page)
    return page


def went_to(page: Any, path: str) -> None:
    """To another page by the navigation, as a reader goes: much quicker than loading it."""
    page.click(f'[data-testid="stSidebarNav"] a[href$="/{path}"]')
    page.wait_for_url(f"**/{path}*")
    settled(page)
    page.wait_for_selector(".lab-head, .lab-empty")


def signed_in(page: Any, site: Site, key: str, path: str = "/") -> Any:
    """The page at that path for the holder of a key of ``site.keys``."""
    opened(page, site.url + path)
    page.fill("input[type=password]", site.keys[key])
    page.click("text=Sign in >> nth=-1")
    page.wait_for_selector(".lab-head")
    settled(page)
    return page
