"""Several gateways on one Redis admit together what one would; `make soak` does it with four, too."""

from pathlib import Path

from .quick import quick


async def test_a_limit_of_n_admits_n(tmp_path: Path) -> None:
    await quick("processes", tmp_path)
