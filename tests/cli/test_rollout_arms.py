"""What the shell prints of an experiment."""

import pytest

from llmops.cli.rollout import _drawn, _time
from llmops.cli.rollout_arms import print_arms, print_expected


def test_arms_are_printed_with_their_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    mark = {"share": 0.5, "verdict": "LEADS", "candidate_n": 1200, "estimate": 0.91, "lower": 0.87, "upper": 0.94,
            "log_e": 2.5, "log_threshold": 4.09, "guard": "arm:stable"}  # fmt: skip
    arms = [{"arm": "stable", "release": "rel-a", "share": 0.5}, {"arm": "rel-b", "release": "rel-b", "share": 0.5}]
    print_arms({"arms": arms, "guards": [mark], "evidence": [mark, mark], "saying": "stable leads"}, _drawn)
    shown = capsys.readouterr().out
    assert "stable leads" in shown and "0.91 [0.87, 0.94]" in shown and "2.50 of 4.09" in shown and "1,200" in shown
    assert "▄" in shown and "!" not in shown


def test_what_an_experiment_needs_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    found = {"arms": 3, "lead": 0.05, "margin": 0.0, "units": 4321, "seconds": 7200.0}
    print_expected({"experiment": found, "calls_per_hour": 2160.5}, _time)
    shown = capsys.readouterr()
    assert "4,321" in shown.out and "2.0 h" in shown.out and "2,160.5 calls" in shown.err
