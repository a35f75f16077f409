"""``/api/forecast``, ``/api/usage/tags`` and ``/api/metrics`` of a running gateway: nobody sees another tenant's."""

from typing import Any

from tests.gateway.test_usage import House, house

__all__ = ["house"]


async def asked(house: House, path: str, holder: str = "admin") -> tuple[int, Any]:
    answer = await house.gateway.get(f"/api/{path}", {"Authorization": f"Bearer {house._keys[holder]}"})
    return answer.status, answer.json()


async def test_the_month_so_far_is_what_usage_says(house: House) -> None:
    usage: Any = (await house.usage("by=day&tenant=acme")).json()
    status, found = await asked(house, "forecast", "acme viewer")
    assert status == 200 and found["spent_nanousd"] == usage["totals"]["nanousd"]
    assert found["forecast"] is None and found["days_known"] == 0, "one day is too little to go by"
    _, every = await asked(house, "forecast")
    assert every["spent_nanousd"] == (await house.usage("by=day")).json()["totals"]["nanousd"]


async def test_another_tenants_money_is_nobodys(house: House) -> None:
    _, found = await asked(house, "forecast?tenant=other", "acme viewer")
    assert found["spent_nanousd"] == 0 and not any(day["nanousd"] for day in found["days"])
    assert (await asked(house, "forecast", "acme caller"))[0] == 403
    assert (await asked(house, "forecast?tag=x"))[0] == 400


async def test_names_of_tags_are_the_tenants_own(house: House) -> None:
    assert (await asked(house, "usage/tags"))[1] == ["a", "feature"]
    assert (await asked(house, "usage/tags", "acme viewer"))[1] == ["feature"]
    assert (await asked(house, "usage/tags?tenant=other", "acme viewer"))[1] == []


async def test_the_metrics_as_json_are_an_administrators(house: House) -> None:
    status, found = await asked(house, "metrics")
    assert status == 200
    assert sum(each["value"] for each in found["llm_requests_total"]) == 3
    assert found["llm_requests_total"][0]["labels"]["status"] == "200"
    assert "llm_latency_seconds" not in found
    assert (await asked(house, "metrics", "acme viewer"))[0] == 403
