"""What the tests of pages with actions share: changes beside the browser, and dialogs in it."""

import http.client
import json
from typing import Any

from tests.dashboard.conftest import Site, settled
from tests.serving import HOST


def send(site: Site, method: str, path: str, body: Any = None, key: str = "admin") -> Any:
    """A change over HTTP, with a key of the site."""
    headers = {"Authorization": f"Bearer {site.keys[key]}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(HOST, site.gateway.port, timeout=20)
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    raw = answer.read()
    connection.close()
    assert answer.status < 300, raw[:500]
    return json.loads(raw)


def dialog(page: Any, *values: str, button: str) -> None:
    """Fill the dialog's fields in their order and press that button."""
    page.wait_for_selector("[role=dialog] form, [role=dialog] [data-testid=stForm]")
    settled(page)
    for number, value in enumerate(values):
        page.fill(f"[role=dialog] input[type=text]:not([role=combobox]) >> nth={number}", value)
    page.click(f'[role=dialog] button:has-text("{button}") >> nth=-1')


def said(page: Any, words: str) -> str:
    """The line that says what was done."""
    page.wait_for_selector(f'.lab-said:has-text("{words}")')
    settled(page)
    found: str = page.inner_text(".lab-said")
    return found


def rows(page: Any, label: str) -> list[list[str]]:
    """A table's cells."""
    found = page.query_selector_all(f'[aria-label="{label}"] tbody tr')
    return [[cell.inner_text().strip() for cell in row.query_selector_all("td")] for row in found]
