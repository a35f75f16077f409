"""``/api/overview`` and ``/api/series`` of a running gateway: nobody sees another tenant's figures."""

import pytest

from tests.gateway.test_usage import House, house

__all__ = ["house"]


async def asked(house: House, path: str, holder: str = "admin") -> tuple[int, dict[str, object]]:
    answer = await house.gateway.get(f"/api/{path}", {"Authorization": f"Bearer {house._keys[holder]}"})
    return answer.status, answer.json()


async def test_an_administrator_sees_all_calls(house: House) -> None:
    status, found = await asked(house, "overview?by=tenant&from=now-1h&step=5m")
    assert status == 200 and found["totals"]["calls"] == 3
    assert {row["tenant"]: row["calls"] for row in found["rows"]} == {"acme": 2, "other": 1}
    assert found["totals"]["success_rate"] == 1 and found["totals"]["latency_ms"]["p50"] > 0
    assert sum(point["calls"] for point in found["series"]["series"][0]["points"]) == 3
    assert found["before"]["calls"] == 0


async def test_a_tenant_sees_its_own(house: House) -> None:
    _, found = await asked(house, "overview?by=model", "acme viewer")
    assert found["totals"]["calls"] == 2 and [row["calls"] for row in found["rows"]] == [2]
    for query in ("overview?tenant=other", "series?tenant=other&by=tenant"):
        _, found = await asked(house, query, "acme viewer")
        assert found.get("totals", {"calls": 0})["calls"] == 0 and found.get("series", []) == []
    status, found = await asked(house, "series?by=tenant,model", "other viewer")
    assert status == 200 and [line["tenant"] for line in found["series"]] == ["other"]


@pytest.mark.parametrize(
    "query",
    [
        "overview?from=soon",
        "overview?by=user",
        "series?step=90s",
        "overview?from=now&to=now-1h",
        "series?by=tenant,model",
    ],
)
async def test_what_cannot_be_answered_is_refused(house: House, query: str) -> None:
    status, found = await asked(house, query)
    assert status == 400, found


async def test_callers_keys_see_nothing(house: House) -> None:
    assert (await asked(house, "overview", "acme caller"))[0] == 403
