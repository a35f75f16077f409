"""``python -m tests.parity``: observe, and write ``docs/reference/parity.md``."""

import asyncio
import tempfile
from pathlib import Path

from .observation import observe
from .page import PAGE, render


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        matrix = asyncio.run(observe(Path(folder)))
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(render(matrix), encoding="utf-8")
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
