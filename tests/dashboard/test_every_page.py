"""Every page at once, for a tenant's viewer: nothing of another tenant reaches the browser, and no word acts.

The pages are opened once; the tests ask what was seen, sent and loaded meanwhile.
"""

import asyncio
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import pytest

from llmops.dashboard import PAGES
from tests.dashboard.conftest import Site, opened, settled, signed_in
from tests.dashboard.two_tenants import MARK, OTHERS_TRACE, TRACE, two_tenants

_MORE = {
    "costs": ["?by=user", "?by=tag", f"?tenant={MARK}"],
    "traces": [f"?trace={TRACE}", "?show=sessions", "?show=steps", f"?trace={OTHERS_TRACE}", f"?tenant={MARK}"],
    "feedback": ["?order=newest"],
    "evals": ["?", "?run=run-1", f"?run={MARK}-run-1", "?show=trends"],
    "datasets": ["?dataset=help-desk", "?dataset=acme-large", f"?dataset={MARK}-help-desk&of={MARK}"],
    "review": ["?queue=tone&do=look&place=1", "?queue=acme-large&do=look&place=1", f"?queue={MARK}-tone&of={MARK}"],
    "prompts": ["?", "?name=acme/answer", f"?name={MARK}/answer"],
    "releases": ["?", "?name=acme-bot"],
    "keys": ["?part=limits", "?state=every"],
}
"""Of each page its views, with what a link to another tenant's rows would have in its address."""


class Seen(NamedTuple):
    text: str
    markup: str


class Visit(NamedTuple):
    pages: dict[str, Seen]
    sent: list[bytes]
    """What came through the web socket."""
    asked: list[str]
    dialogs: list[str]
    errors: list[str]


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[Visit]:
    with two_tenants(tmp_path_factory.mktemp("two")) as site:
        yield _visited(site, browser)


def _visited(site: Site, browser: Any) -> Visit:
    asyncio._set_running_loop(browser.loop)
    found = Visit({}, [], [], [], [])
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.on("request", lambda request: found.asked.append(request.url))
    page.on("console", lambda message: found.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: found.errors.append(str(error)))
    page.on("dialog", lambda dialog: (found.dialogs.append(dialog.message), dialog.dismiss()))
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: found.sent.append(_bytes(data))))
    try:
        signed_in(page, site, "acme viewer", "/?live=off&window=now-1h")
        for address in (f"/{path}{query}" for _, _, _, _, path in PAGES for query in _MORE.get(path, ["?"])):
            where = address.replace("/overview?", "/?")  # the first page's address is that of the site
            opened(page, f"{site.url}{where}&live=off&window=now-1h")
            page.wait_for_selector(".lab-head, .lab-empty")
            settled(page)
            main = page.locator('[data-testid="stMain"]')
            found.pages[address] = Seen(main.inner_text(), page.content())
    finally:
        context.close()
        asyncio._set_running_loop(None)
    assert all(url.startswith((site.url, "data:", "blob:")) or "evil" in url for url in found.asked)
    return found


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


def test_nothing_of_another_tenant_reaches_the_browser(visit: Visit) -> None:
    for address, seen in visit.pages.items():
        if MARK not in address:
            assert MARK not in seen.markup, address
            continue
        asked = parse_qsl(address.partition("?")[2])  # what the address says may be named, and is not known
        said = seen.text
        named = {part for _, value in asked for part in (value, *value.split("/")) if MARK in part}
        for value in sorted(named, key=len, reverse=True):
            said = said.replace(value, "")
        assert MARK not in said, address
    assert len(visit.sent) > 100
    said = [data for data in visit.sent if re.search(rb"zebra[ -](word|admin|month|pace|answers|rule|ops)", data)]
    assert said == [], "nor is it sent and hidden"


def test_no_word_acts_and_all_are_shown_as_text(visit: Visit) -> None:
    assert [url for url in visit.asked if "evil" in url.split("?")[0]] == []
    assert visit.dialogs == [] and visit.errors == []
    for page in ("overview", "costs", "traces", "feedback", "keys", "audit", "alerts", "datasets", "review"):
        shown = [seen.text for address, seen in visit.pages.items() if address.startswith(f"/{page}?")]
        assert any("<script>" in text or "<img src=" in text for text in shown), page
        assert not any("\u202e" in text for text in shown), page
    assert max(len(seen.markup) for seen in visit.pages.values()) < 900_000, "long texts are cut before they are sent"
