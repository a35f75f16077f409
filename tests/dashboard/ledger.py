"""A gateway with keys, budgets and objectives over forty days of two tenants' calls, and a dashboard beside it.

The calls of past days are written into the request log before the gateway starts, which is how it would have them.
"""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.serving import Server
from tests.spend.usage.logs import LogFolder, line

DAYS = 40
USD = 1_000_000_000
HOSTILE = "<script>alert(1)</script><img src=//evil.example/x onerror=alert(2)> ![i](//evil.example/y) \u202egpj.exe"
CONFIG: dict[str, Any] = {
    "models": {
        "writer": {"deployments": [{"provider": "mock", "price": {"input": 2.5, "output": 10}}]},
        "flaky": {"deployments": [{"provider": "mock", "mock": {"error_rate": 1.0}}]},
    },
    "budgets": [
        {"name": "others", "usd": 500, "window": "month", "where": {"tenant": "other"}},
        {"name": "each tenant", "usd": 1000, "window": "month", "per": ["tenant"]},
        {"name": "all of it", "usd": 90, "window": "month", "hard": False},
    ],
    "slos": [
        {"name": "availability", "objective": "availability", "target": 0.99, "per": ["model"]},
        {"name": "mine", "objective": "availability", "target": 0.9, "where": {"tenant": "acme"}},
    ],
    "log": {"flush_milliseconds": 5},
}


def history(now: datetime, *, seed: int = 5) -> bytes:
    """Two dollars a day of acme and half a dollar of other; a spike five days ago; calls without a price; and names
    that would act on their reader if they could."""
    luck, written, number = random.Random(seed), [], 0
    for ago in range(DAYS, 0, -1):
        day = (now - timedelta(days=ago)).replace(hour=9, minute=0, second=0, microsecond=0)
        for tenant, cost, calls in (("acme", 20 * USD if ago == 5 else 2 * USD, 4), ("other", USD // 2, 2)):
            for call in range(calls):
                number += 1
                at = (day + timedelta(minutes=call)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
                hostile = tenant == "acme" and call == 3
                is_free = hostile and ago % 4 == 0
                written.append(
                    line(
                        number,
                        timestamp=at,
                        tenant=tenant,
                        key_id=f"{tenant}key".ljust(12, "0"),
                        user=HOSTILE if hostile else f"{tenant}-{call}",
                        model=HOSTILE if hostile else "writer",
                        requested_model="x" * 1_000_000 if number == 7 else "writer",
                        tags={"feature": HOSTILE[:60] if hostile else f"{tenant}-search"},
                        cost_nanousd=None if is_free else round(cost / calls * luck.uniform(0.8, 1.2)),
                        saved_nanousd=USD // 10 if call == 1 else 0,
                        cached=call == 1,
                        trace_id=f"{number:032x}",
                        prompt=luck.randint(100, 900),
                        error_type="upstream_error" if call == 2 and ago % 7 == 0 else None,
                        status=502 if call == 2 and ago % 7 == 0 else 200,
                        release_id="release-9" if tenant == "acme" and call == 0 else None,
                    )
                )
    return b"".join(written)


@pytest.fixture(scope="session")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A `Site` with the keys of ``guarded``."""
    from tests.dashboard.conftest import Site, _keys, dashboard, serving
    from tests.serving import until

    folder: Path = tmp_path_factory.mktemp("ledger")
    made = _keys(folder)
    LogFolder(folder / "runs/logs").append(history(datetime.now(UTC)))
    with ExitStack() as stack:
        gateway = stack.enter_context(serving(folder, CONFIG))
        play_models(gateway, made["acme caller"])
        site = Site(gateway, "", folder, made)
        until(lambda: site.ask("/api/usage", "admin")["totals"]["calls"] >= DAYS * 6 + 8, "the calls")
        yield site._replace(url=stack.enter_context(dashboard(folder, gateway.url)))


def play_models(gateway: Server, key: str) -> None:
    """Six calls that are answered and two that fail, today."""
    for number in range(8):
        with gateway.stream("flaky" if number % 4 == 3 else "writer", key=key) as response:
            response.read()
