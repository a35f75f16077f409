"""``llmops dev faults``: the table, the server and its end."""

import json
import signal
from pathlib import Path

import pytest

from llmops.dev.faults import FAULTS
from tests.serving import free_port, llmops, running


def test_the_list_names_every_fault_and_where_to_point_at_it(tmp_path: Path) -> None:
    shown = json.loads(llmops("dev", "faults", "--list", "--port", "9", "--json", folder=tmp_path).stdout)
    assert [each["name"] for each in shown] == list(FAULTS)
    addresses = {each["name"]: each["base_url"] for each in shown}
    assert addresses["silent"] == "http://127.0.0.1:9/fault/silent/v1"
    assert addresses["tls-failure"] == "https://127.0.0.1:9/fault/tls-failure/v1"
    table = llmops("dev", "faults", "--list", folder=tmp_path)
    assert all(name in table.stdout for name in FAULTS) and "commit point" in table.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop_and_says_what_it_did(number: signal.Signals, tmp_path: Path) -> None:
    port = free_port()
    options = ["--port", str(port), "--fault", "http-503", "--rate", "1", "--seed", "3"]
    with running(["-m", "llmops", "dev", "faults", *options], tmp_path, port) as server:
        assert server.chat().status == 503
        assert server.get("/_faults")[1]["struck"] == {"http-503": 1}
        assert "100.0% of requests are struck, seed 3" in server.said
        server.signal(number)
        assert server.wait() == 0
        assert "1 requests over" in server.said and "http-503" in server.said


def test_impossible_wishes_are_refused_in_words(tmp_path: Path) -> None:
    unknown = llmops("dev", "faults", "--fault", "slow", folder=tmp_path)
    assert unknown.returncode == 2 and "slowloris" in unknown.stderr
    assert llmops("dev", "faults", "--rate", "2", folder=tmp_path).returncode == 2
