"""``llmops rollout`` of the shell; every command is a process, so there are few."""

from pathlib import Path

import pytest

from llmops.store.database import Database
from tests.cli.test_release import run
from tests.releases.parts import BOT, a_directory


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "none.yaml").write_text(f"database: {{url: 'sqlite:///{tmp_path}/llmops.db'}}\n")
    return tmp_path


def test_from_a_plan_to_the_end_and_back(folder: Path) -> None:
    database = Database(f"sqlite:///{folder}/llmops.db")
    releases = a_directory(database)
    stable, _ = releases.create(BOT, None, by="ann", reason="")
    releases.live(stable.id, None, by="ann", reason="go")
    candidate, _ = releases.create({**BOT, "parameters": {"seed": 1}}, None, by="ann", reason="")
    database.close()
    plan = (
        f"name: support-bot\ncandidate: {candidate.id}\nsteps: [10, 100]\nguards: [{{metric: error, margin: 0.02}}]\n"
    )
    (folder / "plan.yaml").write_text(plan)
    planned = run(folder, "rollout", "plan", "plan.yaml", "--json")
    assert [each["percent"] for each in planned["steps"]] == [10, 100] and planned["steps"][0]["units"] > 100
    made = run(folder, "rollout", "start", "plan.yaml", "--reason", "\x1b[31mtry").strip()
    assert "is open" in run(folder, "rollout", "start", "plan.yaml", fails=True)
    shown = run(folder, "rollout", "status", made)
    assert "START" in shown and "\x1b" not in shown
    assert run(folder, "rollout", "rollback", made, "--reason", "no", "--json")["status"] == "rolled_back"


def test_a_shadow(folder: Path) -> None:
    database = Database(f"sqlite:///{folder}/llmops.db")
    releases = a_directory(database)
    stable, _ = releases.create(BOT, None, by="ann", reason="")
    releases.live(stable.id, None, by="ann", reason="go")
    candidate, _ = releases.create({**BOT, "parameters": {"seed": 1}}, None, by="ann", reason="")
    database.close()
    (folder / "plan.yaml").write_text(
        f"name: support-bot\ncandidate: {candidate.id}\nkind: shadow\nsteps: [20]\nbudget_usd: 0.1\n"
    )
    assert run(folder, "rollout", "plan", "plan.yaml", "--json")["mirrored"]["budget_usd"] == "0.1"
    assert "$0.1" in run(folder, "rollout", "plan", "plan.yaml")
    made = run(folder, "rollout", "start", "plan.yaml").strip()
    shown = run(folder, "rollout", "status", made)
    assert "$0.1 of $0.1" in shown and "0.2 of the calls are mirrored" in shown
    assert "a shadow never serves; start a canary" in run(folder, "rollout", "promote", made, fails=True)
