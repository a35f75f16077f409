"""Releases in memory: what a name means for whom, what follows the database, and whom a rollout may send where."""

from typing import Any

from llmops.dialects.registry import CONVERSATIONAL
from llmops.releases.refresher import ReleaseRefresher
from llmops.releases.table import ReleaseTable
from llmops.store.database import Database
from llmops.types import Assignment, Call
from tests.policies.handlers import a_call
from tests.releases.parts import BOT, SomeEvals, a_directory


class Sends:
    """An assigner that gives everybody the same."""

    def __init__(self, release_id: str) -> None:
        self.release_id = release_id

    def assign(self, name: str, call: Call) -> Assignment | None:
        return Assignment(release_id=self.release_id, arm="candidate", probability=0.1, rollout_id="ro-1")


class Following:
    """A table that follows a database, and what it lets go of."""

    def __init__(self, database: Database) -> None:
        self.evals = SomeEvals()
        self.releases = a_directory(database, self.evals)
        self.table = ReleaseTable(CONVERSATIONAL)
        self.dropped: list[dict[str, str]] = []
        self.failing = False
        self.refresher = ReleaseRefresher(self.releases.repository, self.table, period_s=60, drop=self.drop)

    async def drop(self, named: dict[str, str]) -> None:
        if self.failing:
            raise RuntimeError("the cache does not answer")
        self.dropped.append(named)

    def make(self, tenant: str | None, **fields: Any) -> str:
        return self.releases.create({**BOT, **fields}, tenant, by="ann", reason="")[0].id

    def found(self, name: str, tenant: str) -> str | None:
        released = self.table.find(name, tenant)
        return released.id if released is not None else None


async def test_a_name_means_a_tenants_own_or_the_shared_release(database: Database) -> None:
    following = Following(database)
    await following.refresher.refresh()
    assert following.found("support-bot", "acme") is None and following.table.names(None) == []
    shared, own = following.make(None), following.make("acme", model="other")
    await following.refresher.refresh()
    assert following.found("support-bot", "acme") is None, "nothing is live yet"
    assert following.found(f"support-bot@{own}", "acme") == own, "but may be asked for by its id"
    assert following.found(f"support-bot@{own}", "third") is None, "not by others"
    following.releases.live(shared, None, by="ann", reason="x")
    following.releases.live(own, "acme", by="ann", reason="x")
    await following.refresher.refresh()
    assert (following.found("support-bot", "acme"), following.found("support-bot", "third")) == (own, shared)
    assert following.table.names("third") == ["support-bot"] == following.table.names(None)


async def test_what_a_bundle_names_is_let_go_when_it_goes_live(database: Database) -> None:
    following = Following(database)
    first = following.make("acme", drop_caches=[{"model": "mock"}])
    second = following.make("acme", model="other", drop_caches=[{"model": "other"}, {"tag": "bot=1"}])
    following.releases.live(first, "acme", by="ann", reason="x")
    await following.refresher.refresh()
    assert following.dropped == [], "at the start nothing has moved"
    following.releases.live(second, "acme", by="ann", reason="x")
    following.failing = True
    for _ in range(2):
        try:
            await following.refresher.refresh()
        except RuntimeError:
            assert following.found("support-bot", "acme") == second
    following.failing = False
    await following.refresher.refresh()
    assert following.dropped == [{"model": "other", "tenant": "acme"}, {"tag": "bot=1", "tenant": "acme"}]


async def test_a_rollout_sends_nobody_where_the_gate_does_not_let_them(database: Database) -> None:
    following = Following(database)
    stable, gated = following.make("acme"), following.make("acme", requires_gate=True)
    other_name = following.make("acme", name="other-bot")
    following.releases.live(stable, "acme", by="ann", reason="x")
    await following.refresher.refresh()
    call, table = a_call(tenant="acme"), following.table

    def sent() -> tuple[str, str | None]:
        released = table.find("support-bot", "acme")
        assert released is not None
        found, assignment = table.assigned("support-bot", call, released)
        return found.id, assignment.arm if assignment is not None else None

    assert sent() == (stable, None)
    for astray in (gated, other_name, "rel-0000000000000000"):
        table.assigner = Sends(astray)
        assert sent() == (stable, None)
    assert table.problems() == ["3 calls were assigned to a release that is not known or may not take traffic"]
    following.evals.add("run", gated)
    following.releases.judge(gated, "acme", "PASS", ["run"], by="gate", reason="")
    await following.refresher.refresh()
    table.assigner = Sends(gated)
    assert sent() == (gated, "candidate")
    table.assigner = Sends(stable)
    assert sent() == (stable, "candidate")
    following.releases.judge(gated, "acme", "BLOCK", ["run"], by="gate", reason="")
    await following.refresher.refresh()
    table.assigner = Sends(gated)
    assert sent() == (stable, None)
    pinned = table.find(f"support-bot@{gated}", "acme")
    assert pinned is not None and table.assigned(f"support-bot@{gated}", call, pinned)[0].id == gated
