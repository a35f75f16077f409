"""Flags kept, followed and given out: whose they are, revisions, and the OpenFeature provider in-process."""

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext

from llmops.clock import ManualClock
from llmops.errors import Conflict, NotFound
from llmops.flags.directory import FlagDirectory, shown
from llmops.flags.openfeature import LLMOpsProvider
from llmops.flags.refresher import FlagRefresher
from llmops.flags.repository.flags import FlagRepository
from llmops.flags.table import FlagTable
from llmops.store.database import Database

ON_OFF = {"key": "new", "variants": {"on": True, "off": False}, "default": "off"}


def test_a_tenants_own_goes_before_the_shared_and_nobody_sees_anothers(database: Database) -> None:
    flags = FlagDirectory(database, ManualClock())
    assert flags.seen(None) == []
    flags.put(ON_OFF, None, by="root")
    flags.put({**ON_OFF, "default": "on"}, "acme", by="ann")
    flags.put({**ON_OFF, "key": "secret"}, "other", by="eve")
    assert [(each.flag.key, each.tenant) for each in flags.seen("acme")] == [("new", "acme")]
    assert [(each.flag.key, each.tenant) for each in flags.seen("third")] == [("new", None)]
    assert len(flags.seen(None)) == 3 and flags.get("new", "third").tenant is None
    with pytest.raises(NotFound):
        flags.get("secret", "acme")
    with pytest.raises(NotFound):
        flags.remove("new", "third")
    flags.remove("new", "acme")
    assert shown(flags.get("new", "acme"))["shared"]


def test_of_two_who_change_one_flag_the_second_is_told(database: Database) -> None:
    flags = FlagDirectory(database, ManualClock())
    _, first = flags.put(ON_OFF, "acme", by="ann", revision=0)
    with pytest.raises(Conflict, match="at revision 1 by 'ann', not at 0"):
        flags.put(ON_OFF, "acme", by="bob", revision=0)
    before, after = flags.switch("new", "acme", enabled=False, by="bob")
    assert before is not None and before.revision == first.revision and after.revision == 2
    assert not flags.get("new", "acme").flag.enabled


async def test_a_change_is_followed_and_a_lost_database_changes_nothing(database: Database) -> None:
    flags, table = FlagDirectory(database, ManualClock()), FlagTable()
    refresher = FlagRefresher(FlagRepository(database), table, period_s=60)
    await refresher.refresh()
    assert table.decide("new", "acme", {}) is None
    flags.put(ON_OFF, None, by="root")
    await refresher.refresh()
    decision = table.decide("new", "acme", {})
    assert decision is not None and decision.value is False
    assert list(table.exposures.counts()) == [(("new", "off", "static"), 1)]


def test_exposures_are_bounded() -> None:
    table = FlagTable()
    from llmops.flags.decision import Decision

    for number in range(1100):
        table.exposures.note(f"f{number}", Decision(True, "on", "STATIC"))
    counts = dict(table.exposures.counts())
    assert len(counts) == 1001 and counts[("other", "other", "other")] == 100


async def test_the_openfeature_provider(database: Database) -> None:
    flags, table = FlagDirectory(database, ManualClock()), FlagTable()
    numbers = {"kind": "number", "variants": {"few": 3, "half": 0.5}, "default": "few"}
    flags.put({**ON_OFF, "rules": [{"when": {"attribute": "tenant", "equals": "acme"}, "serve": "on"}]}, None, by="r")
    flags.put({"key": "count", **numbers}, None, by="r")
    flags.put({"key": "ratio", **numbers, "default": "half"}, None, by="r")
    flags.put({"key": "words", "kind": "object", "variants": {"a": {"x": [1]}}, "default": "a"}, None, by="r")
    flags.put({**ON_OFF, "key": "shared-out", "split": {"on": 1}}, None, by="r")
    await FlagRefresher(FlagRepository(database), table, period_s=60).refresh()
    api.set_provider(LLMOpsProvider(table, tenant="acme"))
    try:
        client, eve = api.get_client(), EvaluationContext(attributes={"tenant": "other"})
        assert client.get_boolean_value("new", False, eve) is True
        assert client.get_integer_value("count", 0) == 3 and client.get_float_value("ratio", 0.0) == 0.5
        assert client.get_object_value("words", {}) == {"x": [1]}
        details = client.get_boolean_details("shared-out", False)
        assert details.value is False and details.error_code == "TARGETING_KEY_MISSING"
        assert client.get_boolean_value("shared-out", False, EvaluationContext("alice")) is True
        assert client.get_boolean_details("nothing", True).error_code == "FLAG_NOT_FOUND"
        assert client.get_string_details("new", "x").error_code == "TYPE_MISMATCH"
        assert client.get_integer_details("new", 7).error_code == "TYPE_MISMATCH"
    finally:
        api.clear_providers()
