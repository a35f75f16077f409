"""The plot: every act is a configuration that loads, and changes what it names and nothing else."""

from typing import Any

import pytest
import yaml

from llmops.app import check
from llmops.demo import script
from llmops.demo.cast import TENANTS
from llmops.demo.stage import shipped_config
from llmops.settings import Settings

CONFIG: dict[str, Any] = yaml.safe_load(shipped_config().read_text())


def mocks(config: dict[str, Any]) -> dict[str, Any]:
    entries = [entry["deployments"] if isinstance(entry, dict) else entry for entry in config["models"].values()]
    return {deployment["name"]: deployment["mock"] for entry in entries for deployment in entry}


def test_the_shipped_configuration_is_sound_and_costs_nothing() -> None:
    settings = Settings.model_validate(CONFIG)
    assert {each.provider for model in settings.models.values() for each in model.deployments} == {"mock"}
    assert {model.name for model in check(settings)} >= {tenant.model for tenant in TENANTS}
    assert {name for name in settings.models} <= {name for name in settings.prices}


@pytest.mark.parametrize("act", script.PLOT, ids=lambda act: act.name)
def test_an_act_changes_what_it_names_and_nothing_else(act: script.Act) -> None:
    changed = script.with_acts(CONFIG, [act])
    Settings.model_validate(changed)
    different = {name for name, mock in mocks(changed).items() if mock != mocks(CONFIG)[name]}
    assert different == set(act.mocks), "the deployments of the plot are those of the configuration"
    assert set(act.busier) <= {tenant.id for tenant in TENANTS}
    assert act.mocks or act.busier or act.prompt_version
    assert script.with_acts(CONFIG, []) == CONFIG


def test_everything_is_over_before_the_hour_is() -> None:
    assert script.playing(0) == [] == script.playing(script.HOUR_MINUTES)
    turns = script.turns()
    assert turns == sorted(turns) and turns[-1] < script.HOUR_MINUTES
    assert all(act in script.playing(act.minute) and act not in script.playing(act.end) for act in script.PLOT)
    growing = [act for act in script.PLOT if act.name == "spend spike"]
    assert script.busier(growing, "growth") == 10 and script.busier(growing, "helpdesk") == 1


def test_limits_and_budgets_fit_the_traffic() -> None:
    small = script.fitted(CONFIG, minutes=6, per_s=1.0)
    before, after = Settings.model_validate(CONFIG), Settings.model_validate(small)
    assert [float(each.usd) for each in after.budgets] == [
        pytest.approx(float(each.usd) / 20, abs=0.006) for each in before.budgets
    ]
    assert after.limits.rules[0].requests_per_minute == 20 and before.limits.rules[0].requests_per_minute == 40
    assert script.fitted(CONFIG, 60, 2.0)["models"] == CONFIG["models"]
