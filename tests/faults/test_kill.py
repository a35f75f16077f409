"""A gateway that is killed, or told to go, loses no call and charges none twice; `make soak` does it for longer."""

from pathlib import Path

from .quick import quick


async def test_killed_amid_load(tmp_path: Path) -> None:
    report = await quick("kill", tmp_path, runs=3)
    assert report.figures["charged exactly"] > 100


async def test_killed_while_the_log_begins_a_new_file(tmp_path: Path) -> None:
    report = await quick("kill-rotation", tmp_path, runs=2)
    assert report.figures["log files"] >= 2


async def test_killed_again_amid_the_recovery(tmp_path: Path) -> None:
    await quick("kill-recovery", tmp_path, runs=1)


async def test_one_of_two_workers_killed_then_both(tmp_path: Path) -> None:
    await quick("kill-workers", tmp_path, runs=2)


async def test_told_to_go_with_streams_open_then_killed_amid_the_drain(tmp_path: Path) -> None:
    report = await quick("sigterm", tmp_path, runs=2)
    assert report.figures["cut at the end of the drain, charged what was produced"] > 0
