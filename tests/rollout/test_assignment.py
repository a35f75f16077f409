"""Assignment: sticky, growing, told by its probability."""

from typing import Any

import pytest

from llmops.rollout.assignment import RolloutTable, Running
from llmops.types import Call, RequestView
from tests.rollout.parts import CANDIDATE_ID, STABLE_ID


def a_call(number: int, **fields: Any) -> Call:
    view = RequestView(model="bot", user=fields.pop("user", None))
    about: dict[str, Any] = {"request_id": f"req-{number}", "trace_id": f"{number:032x}", "tenant": "acme", **fields}
    return Call(operation="chat", body=b"", view=view, span_id="", started_at_s=0, started_s=0, **about)


def a_table(share: float, tenant: str | None = None, **fields: Any) -> RolloutTable:
    about: dict[str, Any] = {"id": "ro-1", "unit": "session", **fields}
    table = RolloutTable()
    table.replace([Running(tenant=tenant, name="bot", stable=STABLE_ID, candidate=CANDIDATE_ID, share=share, **about)])
    return table


def candidates(table: RolloutTable, count: int = 4000) -> set[int]:
    found = ((each, table.assign("bot", a_call(each, session=f"s-{each}"))) for each in range(count))
    return {each for each, assignment in found if assignment is not None and assignment.arm == "candidate"}


def test_a_growing_share_never_gives_a_unit_back() -> None:
    before: set[int] = set()
    for share in (0.0, 0.01, 0.05, 0.25, 0.5, 1.0):
        now = candidates(a_table(share))
        assert before <= now and len(now) / 4000 == pytest.approx(share, abs=0.02)
        before = now
    assert len(before) == 4000


def test_replicas_agree_and_rollouts_are_independent() -> None:
    assert candidates(a_table(0.25)) == candidates(a_table(0.25))
    both = candidates(a_table(0.5)) & candidates(a_table(0.5, id="ro-2"))
    assert len(both) / 4000 == pytest.approx(0.25, abs=0.03)


def test_the_probability_is_that_of_the_arm() -> None:
    table = a_table(0.25)
    found = [table.assign("bot", a_call(each, session=str(each))) for each in range(50)]
    told = {(each.arm, each.probability, each.release_id) for each in found if each is not None}
    assert told == {("stable", 0.75, STABLE_ID), ("candidate", 0.25, CANDIDATE_ID)}


def test_a_session_stays_whatever_else_changes() -> None:
    table = a_table(0.5)
    assert len({table.assign("bot", a_call(n, session="s", user=f"u{n}")) for n in range(50)}) == 1
    assert len({table.assign("bot", a_call(n, user="u")) for n in range(50)}) == 1
    assert len({table.assign("bot", a_call(n)) for n in range(50)}) == 2
    users = a_table(0.5, unit="user")
    assert len({users.assign("bot", a_call(n, session=f"s{n}", key_id="k")) for n in range(50)}) == 1


def test_another_name_and_another_tenant_are_not_concerned() -> None:
    assert a_table(0.5).assign("other", a_call(1)) is None
    assert a_table(0.5, tenant="beta").assign("bot", a_call(1)) is None
    assert a_table(0.5, tenant="acme").assign("bot", a_call(1)) is not None
