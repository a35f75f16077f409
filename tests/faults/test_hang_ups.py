"""Clients that leave mid-stream leave nothing behind but a bill; `make soak` sends ten thousand of them."""

from pathlib import Path

from .quick import quick


async def test_three_hundred_that_leave(tmp_path: Path) -> None:
    report = await quick("hang-ups", tmp_path, runs=300)
    assert report.figures["billed for what was produced"] > 50
