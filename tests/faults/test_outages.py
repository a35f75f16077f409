"""Redis and PostgreSQL killed amid load and back again: no call and no row is lost; `make soak` waits ten minutes."""

from pathlib import Path

from .quick import quick


async def test_postgres_is_away_for_a_while(tmp_path: Path) -> None:
    await quick("postgres-lost", tmp_path)


async def test_redis_is_away_for_a_while_and_hard_budgets_fail_closed(tmp_path: Path) -> None:
    report = await quick("redis-lost", tmp_path)
    assert report.figures["calls under a hard budget, refused with 503 as configured"] > 0
