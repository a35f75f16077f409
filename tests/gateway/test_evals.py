"""Evals over HTTP: pages of runs, a run's cells, a case with its texts, two runs compared, a tenant's own."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from llmops.evals.comparison import Arm, criterion_of, default_margin, pairs_of
from llmops.evals.dataset import Dataset
from llmops.evals.directory import EvalDirectory
from llmops.evals.distribution import bins
from llmops.evals.repository.reading import Row
from llmops.evals.score import Metric
from llmops.identity.directory import IdentityDirectory
from llmops.opening import open_identity
from llmops.settings import Settings
from tests.dashboard.evals_site import HOSTILE, add_run, fill, questions
from tests.fakes.gateway import Gateway, http_request


class House:
    def __init__(self, gateway: Gateway, keys: dict[str, str], identity: IdentityDirectory, folder: Path) -> None:
        self.gateway, self.keys, self.identity, self.folder = gateway, keys, identity, folder

    async def ask(self, holder: str, path: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.keys[holder]}"}
        async with await self.gateway.connect() as connection:
            await connection.send(http_request("GET", f"/api/evals/{path}", None, headers))
            answer = await connection.read_answer()
        return answer.status, answer.json()


@pytest.fixture
async def house(
    settings: Callable[..., Settings], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    built = settings()
    identity = open_identity(built)
    keys = {}
    for tenant in ("acme", "other"):
        identity.registry.create_tenant(tenant)
        keys[tenant] = str(identity.registry.create_key(name="viewer", tenant=tenant, role="viewer")[1])
    keys["admin"] = str(identity.registry.create_key(name="admin", role="admin")[1])
    folder = tmp_path / "evals"
    fill(folder, identity.database, "acme")
    async with Gateway(built) as gateway:
        gateway.app.control_plane._evals = EvalDirectory(identity.database, folder)  # type: ignore[attr-defined]
        yield House(gateway, keys, identity, folder)
    identity.close()


async def test_runs_come_in_pages_that_miss_none(house: House) -> None:
    dataset = Dataset("help-desk", questions(12))
    for number in range(3):  # all in the same millisecond
        add_run(
            house.folder, house.identity.database, dataset, f"same-{number}", 0.8, at=99, tenant="acme", seed=number
        )
    found: list[str] = []
    after = ""
    while True:
        status, page = await house.ask("acme", f"runs?limit=2&after={quote(after)}")
        assert status == 200
        found += [each["run_id"] for each in page["runs"]]
        if not (after := page["next"]):
            break
    assert found[:3] == ["same-2", "same-1", "same-0"] and len(found) == len(set(found)) == 11
    _, page = await house.ask("acme", "runs?state=interrupted")
    assert [each["run_id"] for each in page["runs"]] == ["stopped"] and page["runs"][0]["reason"] == "budget"
    assert (await house.ask("acme", "runs?after=nonsense"))[0] == 400


async def test_a_runs_cells_are_sorted_filtered_and_paged(house: House) -> None:
    _, run = await house.ask("acme", "runs/run-5")
    assert run["texts"] is True and run["summary"]["metrics"][0]["name"] == "correct"
    assert run["summary"]["failed"] == 1 and "topic=returns" in run["summary"]["slices"]
    _, worst = await house.ask("acme", "runs/run-5/cells?metric=tone&limit=500")
    values = [cell["scores"]["tone"]["value"] for cell in worst["cells"] if cell["scores"]]
    assert values == sorted(values) and worst["total"] == 80
    assert worst["cells"][-1]["error"] == "timeout", "what has no value is last"
    _, slow = await house.ask("acme", "runs/run-5/cells?metric=latency&limit=1")
    assert slow["cells"][0]["scores"]["latency"]["value"] == max(
        cell["scores"]["latency"]["value"] for cell in worst["cells"] if cell["scores"]
    ), "for latency the worst is the largest"
    _, failed = await house.ask("acme", "runs/run-5/cells?which=failed")
    assert [cell["case_id"] for cell in failed["cells"]] == ["q013"]
    _, part = await house.ask("acme", "runs/run-5/cells?slice=topic=returns&metric=correct&offset=18&limit=5")
    assert part["total"] == 20 and len(part["cells"]) == 2 and part["next"] is None
    _, searched = await house.ask("acme", "runs/run-5/cells?search=q01")
    assert searched["total"] == 10
    _, spread = await house.ask("acme", "runs/run-5/distribution?metric=correct")
    assert sum(each["count"] for each in spread["bins"]) == 79
    assert (await house.ask("acme", "runs/run-5/cells?metric=nonsense"))[0] == 400


async def test_a_case_shows_its_texts_where_they_are(house: House) -> None:
    _, told = await house.ask("acme", "runs/repeats/case?case=q003")
    assert told["case"]["input"].startswith("Deniz asks") and len(told["repeats"]) == 3
    assert told["repeats"][0]["result"]["scores"][1]["evidence"]["claims"][0]["claim"] == "Order 3 was sent"
    hostile = questions()[0].id
    _, told = await house.ask("acme", f"runs/repeats/case?case={quote(hostile, safe='')}")
    assert told["case"]["input"][0]["content"] == HOSTILE
    assert (await house.ask("acme", "runs/repeats/case?case=nonsense"))[0] == 404
    (house.folder / "repeats").rename(house.folder / "elsewhere")
    _, told = await house.ask("acme", "runs/repeats/case?case=q003")
    assert told["texts"] is False and told["repeats"][0]["result"] is None, "figures are there without texts"
    assert told["repeats"][0]["scores"]["correct"]["value"] in (0.0, 1.0)


async def test_two_runs_are_compared_by_the_gates_rule(house: House) -> None:
    _, told = await house.ask("acme", "compare?first=run-0&second=run-4&metric=correct")
    assert told["cases"] == told["better"] + told["worse"] + told["same"] + told["missing"] == 80
    assert told["finding"]["verdict"] == "PASS" and told["margin"] == 0.02 and told["clustered"] is True
    _, tight = await house.ask("acme", "compare?first=run-4&second=run-0&metric=correct&margin=0")
    assert tight["finding"]["verdict"] == "BLOCK"
    _, pairs = await house.ask("acme", "compare/cases?first=run-0&second=run-4&metric=correct&which=worse")
    assert pairs["total"] == told["worse"] and {pair["gain"] for pair in pairs["cases"]} == {-1.0}
    _, missing = await house.ask("acme", "compare?first=run-0&second=run-5&metric=correct")
    assert missing["finding"]["verdict"] == "ERROR" and missing["missing"] == 1, "a missing answer is never a PASS"
    _, other = await house.ask("acme", "compare?first=repeats&second=run-4&metric=correct")
    assert other["finding"]["verdict"] == "ERROR" and "repeats" in other["mismatches"][0]
    for wrong in ("margin=-1", "margin=nan", "metric=nonsense"):
        assert (await house.ask("acme", f"compare?first=run-0&second=run-4&metric=correct&{wrong}"))[0] == 400


async def test_another_tenants_runs_are_not_there(house: House) -> None:
    paths = ("run-0", "run-0/cells", "run-0/distribution?metric=correct", "run-0/case?case=q003")
    for path in (*(f"runs/{each}" for each in paths), "compare?first=run-0&second=run-1&metric=correct"):
        assert (await house.ask("other", path))[0] == 404, path
        assert (await house.ask("admin", path))[0] == 200, path
    for path in ("runs", "metrics", "trend?dataset=help-desk&metric=correct", "gates", "baselines"):
        status, found = await house.ask("other", path)
        assert status == 200 and not (found["runs"] if isinstance(found, dict) else found), path
        asked = f"{path}{'&' if '?' in path else '?'}tenant=acme"
        assert (await house.ask("other", asked))[0] == 403, path
    _, trend = await house.ask("acme", "trend?dataset=help-desk&metric=correct")
    assert [point["run_id"] for point in trend][:2] == ["run-0", "run-1"]


def test_a_journal_of_another_run_is_not_read(tmp_path: Path, settings: Callable[..., Settings]) -> None:
    """A folder of the same name, of another tenant or dataset, says nothing of the stored run."""
    identity = open_identity(settings())
    dataset = Dataset("d", questions(4))
    spec = add_run(tmp_path / "a", identity.database, dataset, "r", 1.0, at=0, tenant="acme")
    add_run(tmp_path / "b", identity.database, dataset, "r", 1.0, at=0, tenant="other")
    directory = EvalDirectory(identity.database, tmp_path / "a")
    assert directory.archive.has(spec)
    stored = directory.run("r", "other")
    assert not directory.archive.has(stored.spec)
    assert directory.case(stored, "q001").results == {}
    identity.close()


def row(case_id: str, value: float | None, repeat: int = 0) -> Row:
    return Row(case_id, repeat, None, {"m": (value, None, None)}, None, None, None, False, None)


def test_pairs_turn_gains_so_that_more_is_better() -> None:
    latency = Metric(name="m", scale="ratio", direction="lower")
    criterion = criterion_of(latency, default_margin(latency), 0.05)
    first = Arm([row("a", 100.0), row("b", 100.0), row("c", 100.0)], "m", 1)
    second = Arm([row("a", 50.0), row("b", 200.0), row("d", 1.0)], "m", 1)
    pairs = {pair.case_id: (pair.kind, pair.gain) for pair in pairs_of(first, second, criterion)}
    assert pairs["a"] == ("better", pytest.approx(0.5)) and pairs["b"] == ("worse", pytest.approx(-1.0))
    assert pairs["c"] == pairs["d"] == ("missing", None)


def test_a_mean_over_fewer_repeats_is_missing() -> None:
    arm = Arm([row("a", 1.0), row("a", None, 1)], "m", 2)
    assert arm.mean("a") is None and arm.mean("b") is None


def test_bins_keep_every_value() -> None:
    assert bins([]) == []
    assert [(each.low, each.count) for each in bins([1.0, 0.0, 1.0])] == [(0.0, 1), (1.0, 2)]
    many = bins([number / 7 for number in range(100)] + [float("nan")])
    assert len(many) == 20 and sum(each.count for each in many) == 100
