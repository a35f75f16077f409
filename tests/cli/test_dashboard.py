"""``llmops dashboard`` and ``llmops serve --dashboard``: what is refused, and what comes up."""

from pathlib import Path

from llmops.cli.dashboard_process import wanted
from tests.serving import llmops


def test_a_public_address_needs_a_gateway_that_is_known_to_ask_for_keys(tmp_path: Path) -> None:
    asked = llmops("dashboard", "--host", "0.0.0.0", "--gateway", "http://127.0.0.1:1", folder=tmp_path)
    assert asked.returncode == 2 and "start the gateway at http://127.0.0.1:1 first" in asked.stderr
    asked = llmops("dashboard", "--gateway", "gopher://x", folder=tmp_path)
    assert asked.returncode == 2 and "'gopher://x' is no address of a gateway" in asked.stderr


def test_the_flag_wins_over_the_variable(tmp_path: Path) -> None:
    assert wanted(True) and not wanted(False)
