"""No span is lost in silence; `make faults` does it for longer."""

from pathlib import Path

from .quick import quick


async def test_gateway_and_writer_killed_at_any_moment(tmp_path: Path) -> None:
    report = await quick("traces-kill", tmp_path, runs=2)
    assert report.figures["spans stored"] > 0


async def test_a_slow_disk_and_a_full_one(tmp_path: Path) -> None:
    report = await quick("traces-disk", tmp_path, runs=1)
    assert report.figures["spans refused"] > 0


async def test_a_collector_that_is_dead_for_a_while(tmp_path: Path) -> None:
    report = await quick("traces-collector", tmp_path, runs=1)
    assert report.figures["spans exported"] > 0
