"""The governed benchmark, as far as it can be seen without a load: its configurations and its verdicts."""

import json
from pathlib import Path

import pytest

from benchmarks.governed import COLUMNS, OFF, ON, bars
from benchmarks.governed_gateway import CALL_NANOUSD, Governed, make_keys
from benchmarks.lab import Reading
from benchmarks.report import Results, markdown
from benchmarks.targets import DIRECT
from llmops.config import load_settings
from llmops.deployments import build_prices
from llmops.opening import build_rules, open_identity
from llmops.spend.estimate import Prices
from llmops.types import Deployment, Rates, Usage


def written(gateway: Governed, folder: Path) -> Path:
    path = folder / "llmops.yaml"
    path.write_text(json.dumps(gateway.settings(folder, 1)))
    return path


def test_off_has_nothing_and_on_has_four_limits_a_hard_budget_and_the_ledger(tmp_path: Path) -> None:
    off = load_settings(written(Governed(OFF, keyed=False, ruled=False), tmp_path))
    assert not build_rules(off) and not off.ledger.enabled
    on = load_settings(written(Governed(ON), tmp_path))
    assert len(on.limits.rules) == 4 and len(build_rules(on)) == 5 and on.budgets[0].hard and on.ledger.enabled


def test_the_price_of_a_call_is_what_the_proof_expects(tmp_path: Path) -> None:
    settings = load_settings(written(Governed(ON), tmp_path))
    (entry,) = settings.models["mock"].deployments
    assert entry.price is not None
    prices: Prices = build_prices(settings)
    rates = Rates(input=entry.price.input, output=entry.price.output)
    price = prices.find(Deployment(name="d", provider=_Provider(), model=None, rates=rates), "mock", 0.0)
    assert price is not None and price.cost(Usage(prompt=12, completion=9)) == CALL_NANOUSD


def test_the_loads_key_is_in_the_database(tmp_path: Path) -> None:
    path = written(Governed(ON), tmp_path)
    assert make_keys(path).startswith("sk-")
    identity = open_identity(load_settings(path))
    assert {key.role for key in identity.registry.keys()} == {"admin", "caller"}
    identity.close()


def reading(target: str, number: int, requests_per_s: float, p50_ms: float) -> Reading:
    figures = {"requests_per_s": requests_per_s, "p50_ms": p50_ms, "errors": 0.0}
    return Reading(
        target=target, round=number, figures=figures, cpu_us=None, resident_mib=None, noise=0.0, load_busy=None,
        stolen_s=0.0,
    )  # fmt: skip


@pytest.mark.parametrize(("on_per_s", "verdicts"), [(9000, ["met", "met"]), (6000, ["missed", "missed"])])
def test_on_is_compared_with_off_of_the_same_round(on_per_s: float, verdicts: list[str]) -> None:
    chat = [reading(OFF, 1, 10_000, 0.3), reading(ON, 1, on_per_s, 0.4)]
    alone = [reading(DIRECT, 1, 20_000, 0.1), reading(ON, 1, 2000, 0.5)]
    results = Results(date="d", quick=False, machine={}, readings={"chat-64": chat, "chat-1": alone})
    judged = bars(results)
    assert [bar.verdict for bar in judged[:2]] == verdicts
    assert judged[2].value == pytest.approx(0.4) and judged[3].verdict == "not measured"
    assert "against off" in markdown(results, judged, title="Governed", columns_of=COLUMNS)


class _Provider:
    name = "openai"

    async def send(self, call: object) -> object:
        raise NotImplementedError
