"""The audit trail: what is kept of a change, who reads it, and what becomes of it while the database is away."""

from pathlib import Path
from typing import Any

import pytest

from llmops.audit.entry import MAX_CHARS, Actor, shown
from llmops.audit.repository import AuditFilter, AuditRepository
from llmops.audit.trail import AuditTrail
from llmops.clock import ManualClock
from llmops.store.database import Database

ADMIN = Actor("ops", "admin", None, "aaaaaaaaaaaa")
EDITOR = Actor("dana", "editor", "acme", "bbbbbbbbbbbb")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def trail(database: Database, clock: ManualClock) -> AuditTrail:
    return AuditTrail(AuditRepository(database), clock)


def actions(trail: AuditTrail, limit: int = 100, before: int | None = None, **wanted: Any) -> list[str]:
    return [each.action for each in trail.repository.find(AuditFilter(**wanted), limit, before)]


def test_an_entry_is_read_as_it_was_written(trail: AuditTrail, clock: ManualClock) -> None:
    before, after = {"disabled": False}, {"disabled": True, "nothing": None}
    trail.note(ADMIN, "tenant.disable", "acme", tenant="acme", before=before, after=after, reason="  unpaid ")
    (found,) = trail.repository.find(AuditFilter(), 10)
    assert (found.actor, found.object, found.reason) == (ADMIN, "acme", "unpaid")
    assert (found.before, found.after) == ({"disabled": False}, {"disabled": True})
    assert found.at_ms == int(clock.now_s() * 1000)


def test_it_is_filtered_and_paged_latest_first(trail: AuditTrail, clock: ManualClock) -> None:
    for action, tenant in (("key.create", "acme"), ("key.revoke", "acme"), ("keyring.x", None), ("limit.add", "other")):
        trail.note(EDITOR if tenant == "acme" else ADMIN, action, action, tenant=tenant)
        clock.advance(10)
    assert actions(trail) == ["limit.add", "keyring.x", "key.revoke", "key.create"]
    assert actions(trail, action="key.*") == ["key.revoke", "key.create"]
    assert actions(trail, action="key.revoke") == ["key.revoke"] == actions(trail, object="key.revoke")
    assert actions(trail, tenant="acme") == ["key.revoke", "key.create"] == actions(trail, key_id=EDITOR.key_id)
    assert actions(trail, action="%.*") == actions(trail, action="_ey.*") == []
    begin_ms = int((clock.now_s() - 20) * 1000)
    assert actions(trail, since_ms=begin_ms) == ["limit.add", "keyring.x"]
    assert actions(trail, until_ms=begin_ms) == ["key.revoke", "key.create"]
    last = trail.repository.find(AuditFilter(), 2)[-1]
    assert actions(trail, 2, last.id) == ["key.revoke", "key.create"]


def test_a_tenant_does_not_learn_who_the_operator_is(trail: AuditTrail) -> None:
    trail.note(ADMIN, "key.revoke", "x", tenant="acme")
    trail.note(EDITOR, "key.create", "x", tenant="acme")
    theirs, operators = trail.repository.find(AuditFilter(tenant="acme"), 10)
    assert shown(operators, "acme")["actor"] == {
        "name": "an administrator", "role": "admin", "key_id": None, "tenant": None,
    }  # fmt: skip
    assert shown(theirs, "acme")["actor"]["name"] == "dana"
    assert shown(operators, None)["actor"]["name"] == "ops"


def test_hostile_and_huge_values_are_kept_short(trail: AuditTrail) -> None:
    huge = {f"n{number}": ["x" * 1_000_000] * 50 for number in range(50)}
    after = {"text": "a\0b\ud800c", "deep": {"a": {"b": {"c": {"d": 1}}}}, **huge}
    trail.note(Actor("x" * 9000, "admin"), "key.create", "\0" * 999, tenant=None, after=after, reason="y" * 9000)
    (found,) = trail.repository.find(AuditFilter(), 10)
    assert found.after is not None and found.after["text"] == "a\N{REPLACEMENT CHARACTER}b?c"
    assert max(len(found.object), len(found.actor.name)) <= MAX_CHARS and len(str(found.after)) < 100_000


def test_what_cannot_be_written_waits_and_is_said(tmp_path: Path, clock: ManualClock) -> None:
    folder = tmp_path / "away"
    database = Database(f"sqlite:///{folder / 'llmops.db'}")
    trail = AuditTrail(AuditRepository(database), clock)
    trail.note(ADMIN, "key.create", "a", tenant=None)
    file = folder / "llmops.db"
    file.rename(tmp_path / "elsewhere.db")
    trail.note(ADMIN, "key.revoke", "a", tenant=None)
    assert trail.problems() == ["1 entries of the audit trail wait for the database"]
    (tmp_path / "elsewhere.db").rename(file)
    trail.note(ADMIN, "key.create", "b", tenant=None)
    assert trail.problems() == [] and actions(trail) == ["key.create", "key.revoke", "key.create"]
    database.close()
