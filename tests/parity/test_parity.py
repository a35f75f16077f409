"""The parity matrix is what the gateway does, and nothing in it is lost in silence."""

from pathlib import Path

import pytest

from .observation import DIALECTS, NOT_ANSWERED, NOT_CARRIED, PROVIDERS, Matrix, observe
from .page import PAGE, render


@pytest.fixture(scope="module")
def seen() -> dict[str, Matrix]:
    return {}


@pytest.fixture
async def matrix(seen: dict[str, Matrix], tmp_path: Path) -> Matrix:
    if not seen:
        seen["matrix"] = await observe(tmp_path)
    return seen["matrix"]


async def test_nothing_is_lost_in_silence(matrix: Matrix) -> None:
    lost = [
        (dialect, feature, name, cell)
        for dialect in DIALECTS
        for feature, cells in matrix[dialect].items()
        for name, cell in cells.items()
        if cell is not None and {NOT_ANSWERED, NOT_CARRIED} & set(cell)
    ]
    assert lost == []


async def test_the_own_dialect_of_a_provider_carries_everything(matrix: Matrix) -> None:
    own = {
        "openai": ("chat", "responses"),
        "azure": ("chat", "responses"),
        "compatible": ("chat",),
        "anthropic": ("messages",),
    }
    for name, dialects in own.items():
        for dialect in dialects:
            assert {cells[name] for cells in matrix[dialect].values()} <= {("native", "native"), None}
    assert all(cells[name] is not None for name in PROVIDERS for cells in [matrix["chat"]["text"]])


async def test_the_page_is_up_to_date(matrix: Matrix) -> None:
    written = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    assert written == render(matrix), "behaviour has changed: look at the difference, then run python -m tests.parity"
