"""The environment with the packages of others: ``.venv-interop`` of the checkout, or what TEST_INTEROP_VENV names.

They are heavy and pin what ours must not be pinned by. ``make interop-setup`` makes it; without it these tests are
skipped, unless TEST_REQUIRE_INTEROP=1 says that a proof which was not made is a failure.
"""

import os
from pathlib import Path

import pytest

from tests.serving import ROOT


def interop_python(*modules: str) -> Path:
    """Its interpreter, if it has these packages; skips or fails the test otherwise."""
    venv = Path(os.environ.get("TEST_INTEROP_VENV") or ROOT / ".venv-interop")
    python = venv / "bin" / "python"
    packages = [found.name for found in venv.glob("lib/python*/site-packages/*")]
    missing = [module for module in modules if not any(name.startswith(module) for name in packages)]
    if python.exists() and not missing:
        return python
    why = f"{venv} does not have {', '.join(missing)}" if python.exists() else f"there is no {venv}"
    if os.environ.get("TEST_REQUIRE_INTEROP") == "1":
        pytest.fail(f"{why}; `make interop-setup` makes it")
    pytest.skip(f"{why}; `make interop-setup` makes it")
