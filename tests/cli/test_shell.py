"""The shell as a whole: quick, helpful, and the same under every way of starting it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from llmops.version import __version__
from tests.serving import environment, llmops


def test_version(tmp_path: Path) -> None:
    assert llmops("version", folder=tmp_path).stdout == f"llmops {__version__}\n"
    assert json.loads(llmops("version", "--json", folder=tmp_path).stdout) == {"version": __version__}


def test_without_a_command_it_lists_the_commands(tmp_path: Path) -> None:
    asked = llmops(folder=tmp_path)
    assert all(command in asked.stdout + asked.stderr for command in ("serve", "config", "doctor", "version"))


@pytest.mark.parametrize("module", ["llmops", "src.llmops"])
def test_the_package_imports_under_both_names_and_loads_nothing_else(module: str, tmp_path: Path) -> None:
    script = (
        f"import sys; before = set(sys.modules); import {module} as package; "
        "print(sorted(name for name in set(sys.modules) - before if '.' not in name)); "
        "print(package.__version__, package.Stack.__name__, package.Settings.__name__, "
        "package.load_settings.__name__, 'Stack' in dir(package))"
    )
    asked = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment(),
        text=True,
        capture_output=True,
        check=True,
        timeout=20,
    )
    loaded, offered = asked.stdout.splitlines()
    assert not {"msgspec", "pydantic", "yaml", "uvicorn", "typer", "fastapi", "asyncio"} & set(eval(loaded))
    assert offered == f"{__version__} Stack Settings load_settings True"


def test_help_loads_neither_server_nor_settings(tmp_path: Path) -> None:
    asked = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "llmops", "--help"],
        cwd=tmp_path,
        text=True,
        env=environment(),
        capture_output=True,
        check=True,
        timeout=20,
    )
    loaded = {line.rsplit("|", 1)[1].strip() for line in asked.stderr.splitlines() if "|" in line}
    assert not {"pydantic", "uvicorn", "fastapi", "yaml", "msgspec"} & loaded


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    import llmops as package

    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        package.Nothing  # noqa: B018
