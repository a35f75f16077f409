"""The audit trail in a browser: the control plane's entries, filtered, paged by link, and nobody else's."""

from typing import Any

from tests.dashboard.changing import rows, send
from tests.dashboard.conftest import Site, opened, signed_in


def test_entries_are_those_of_the_control_plane(guarded: Site, page: Any) -> None:
    name = "<b>audited</b> \u00fc"
    key = send(guarded, "POST", "/api/keys?reason=for+a+test", {"name": name, "tenant": "acme"})
    send(guarded, "DELETE", f"/api/keys/{key['id']}?reason=%3Cimg+src%3Dx%3E", key="acme editor")
    signed_in(page, guarded, "admin", f"/audit?live=off&window=now-1h&object={key['id']}")
    page.wait_for_selector('[aria-label="Audit trail"] tbody tr')
    entries = guarded.ask(f"/api/audit?object={key['id']}", "admin")["entries"]
    shown = rows(page, "Audit trail")
    assert [row[1] for row in shown] == [each["actor"]["name"] for each in entries] == ["acme-editor", "the-admin"]
    assert [row[3].removeprefix("! ") for row in shown] == ["key revoke", "key create"]
    assert {row[4] for row in shown} == {name} and shown[0][6] == "state: active → revoked"
    assert [row[7] for row in shown] == ["<img src=x>", "for a test"]
    assert page.query_selector("img[src=x]") is None and key["key"] not in page.content()


def test_a_viewer_reads_its_tenants_and_older_ones_by_link(guarded: Site, page: Any) -> None:
    for tenant in ("acme", "other"):
        send(guarded, "POST", "/api/keys", {"name": f"seen by {tenant}", "tenant": tenant})
    signed_in(page, guarded, "acme viewer", "/audit?live=off&window=now-1h&tenant=other")
    page.wait_for_selector('[aria-label="Audit trail"] tbody tr')
    shown = rows(page, "Audit trail")
    assert {row[5] for row in shown} == {"acme"} and shown[0][1] == "an administrator"
    assert shown[0][4] == "seen by acme"
    newest = guarded.ask("/api/audit", "acme viewer")["entries"][0]["id"]
    opened(page, f"{guarded.url}/audit?live=off&window=now-1h&before={newest}&about=key.*")
    page.wait_for_selector(".lab-table, .lab-empty")
    older = guarded.ask(f"/api/audit?before={newest}&action=key.*", "acme viewer")["entries"]
    assert len(rows(page, "Audit trail")) == len(older)
