"""What is left behind of attempts that fail: on the call, in the operator's log, and in the counts."""

import logging

import pytest

from llmops.errors import LLMOpsError, UpstreamCredential, UpstreamRateLimited, UpstreamTimeout, UpstreamUnreachable
from llmops.resilience.census import census
from llmops.telemetry.health import Health
from llmops.types import Reply

from .house import CLOCK, House, Place, broken


def health_of(house: House) -> Health:
    return census(house.fleet, CLOCK.monotonic_s())


async def test_a_call_knows_the_attempts_that_failed_before_it_succeeded() -> None:
    slow = UpstreamRateLimited("slow", retry_after_s=30, upstream_status=429)
    house = House(Place(slow), Place(UpstreamTimeout("silence")), Place("ok"))
    call, reply = await house.call()
    assert isinstance(reply, Reply) and call.attempts == 3
    assert [(each.number, each.deployment, each.error_type, each.status, each.in_doubt) for each in call.failed] == [
        (1, "d0", "upstream_rate_limited", 429, False),
        (2, "d1", "upstream_timeout", None, True),
    ]
    assert all(each.latency_s >= 0 for each in call.failed)


async def test_the_last_attempt_of_a_call_that_failed_is_among_them() -> None:
    call, error = await House(Place(UpstreamUnreachable("nobody")), max_attempts=1).call()
    assert isinstance(error, LLMOpsError)
    assert [(each.number, each.in_doubt) for each in call.failed] == [(1, False)]


async def test_the_operator_hears_of_each_change_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "llmops")
    house = House(Place(UpstreamCredential("refused", upstream_status=401)), Place(broken()), Place("ok"))
    for _ in range(20):
        await house.call()
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("ERROR", "the deployment 'd0' is of no use until its credential is mended: 'refused'"),
        ("WARNING", "the deployment 'd1' is left alone for a while: 'garbage'"),
    ]


async def test_a_reason_is_short_and_stays_on_its_line(caplog: pytest.LogCaptureFixture) -> None:
    house = House(Place(UpstreamCredential("no\nERROR forged " + "x" * 1000, upstream_status=401)), Place("ok"))
    await house.call()
    (record,) = caplog.records
    assert "\n" not in record.getMessage() and len(record.getMessage()) < 300


async def test_attempts_are_counted_by_what_became_of_them() -> None:
    house = House(Place(UpstreamCredential("refused", upstream_status=401)), Place(broken()), Place("ok"))
    attempts = 0
    for _ in range(8):
        attempts += (await house.call())[0].attempts
    found = health_of(house).deployments
    assert found["d0"].attempts == {"success": 0, "abandoned": 0, "credential": 1}
    assert (found["d1"].attempts["transient"], found["d1"].changes, found["d1"].state) == (5, {"ejected": 1}, "open")
    assert (found["d2"].attempts["success"], found["d2"].state, found["d0"].state) == (8, "closed", "dead")
    assert sum(sum(each.attempts.values()) for each in found.values()) == attempts


async def test_a_retry_is_not_a_failover() -> None:
    alone, pair = House(Place(broken(), "ok")), House(Place(broken()), Place("ok"))
    for house in (alone, pair):
        await house.call()
    first, second = health_of(alone).models["m"], health_of(pair).models["m"]
    assert (first.retries, first.failovers, second.retries, second.failovers) == (1, 0, 0, 1)
    assert second.credits == pytest.approx(30.2)


async def test_counts_outlive_a_reload() -> None:
    house = House(Place(UpstreamCredential("refused", upstream_status=401)), Place("ok"))
    await house.call()
    before = health_of(house)
    house.fleet.set_out(house.table.models, house.fleet.rules, CLOCK.monotonic_s())
    after = health_of(house)
    assert after.deployments["d0"].attempts == before.deployments["d0"].attempts
    assert after.models["m"].failovers == before.models["m"].failovers == 1


@pytest.mark.parametrize("name", ["user", "cache_key"])
async def test_calls_with_one_key_go_to_one_deployment(name: str) -> None:
    house = House(*(Place("ok") for _ in range(4)), strategy="weighted")
    taken = set()
    for key in map(str, range(20)):
        went = {
            (call.deployment and call.deployment.name) for call, _ in [await house.call(**{name: key}) for _ in "123"]
        }
        assert len(went) == 1
        taken |= went
    assert len(taken) == 4


async def test_the_cache_key_counts_before_the_user() -> None:
    house = House(*(Place("ok") for _ in range(4)), strategy="weighted")
    calls = [(await house.call(user=str(number), cache_key="shared"))[0] for number in range(12)]
    assert len({call.deployment and call.deployment.name for call in calls}) == 1
    others = [(await house.call(tenant=str(number), cache_key="shared"))[0] for number in range(12)]
    assert len({call.deployment and call.deployment.name for call in others}) > 1, "tenants do not share"
