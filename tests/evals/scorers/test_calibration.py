"""Judges held against people."""

from pathlib import Path

import pytest

from llmops.errors import ConfigError
from llmops.evals.calibration import Bar, Calibration, CalibrationFile, Rated, calibrate
from llmops.evals.scorer import version_of
from llmops.evals.scorers.registry import Tools, build

from .scripted import ScriptedJudge, by_prompt


def table(both: int, judge_only: int, human_only: int, neither: int) -> list[Rated]:
    return [*[Rated(1, 1)] * both, *[Rated(0, 1)] * judge_only, *[Rated(1, 0)] * human_only, *[Rated(0, 0)] * neither]


def calibrated(ratings: list[Rated], **settings: object) -> Calibration:
    return calibrate(ratings, scorer_version="v1", metric="m", judge="j", **settings)  # type: ignore[arg-type]


def test_a_table_of_four_fields() -> None:
    found = calibrated(table(20, 5, 10, 15))
    assert found.kappa == pytest.approx(0.4), "Cohen's, of the usual example"
    assert (found.base_rate.value, found.agreement.value) == (0.6, 0.7)
    assert (found.sensitivity.value, found.specificity.value) == (pytest.approx(2 / 3), 0.75)
    assert found.kappa_low is not None and found.kappa_high is not None
    assert found.kappa_low < 0.4 < found.kappa_high
    assert any("kappa 0.40" in problem for problem in found.problems)


def test_a_judge_that_knows_its_trade_stands_up() -> None:
    found = calibrated(table(48, 2, 3, 47))
    assert found.problems == ()
    assert found.holds_for("v1")
    assert not found.holds_for("v2")


def test_agreement_by_base_rate_alone_does_not_stand_up() -> None:
    always = calibrated(table(95, 5, 0, 0))
    assert always.agreement.value == 0.95
    assert always.kappa == 0
    assert not always.holds_for("v1")


def test_few_labels_do_not_stand_up_however_good_they_are() -> None:
    assert calibrated(table(10, 0, 0, 10)).problems == ("10 labels of the rarer answer; at least 20 are needed",)
    assert calibrated(table(10, 0, 0, 10), bar=Bar(least_of_each=10)).problems == ()


def test_one_answer_only_tells_nothing() -> None:
    found = calibrated(table(50, 0, 0, 0))
    assert (found.kappa, found.kappa_low) == (None, None)
    assert not found.holds_for("v1")


def test_a_judge_that_changes_its_mind() -> None:
    steady = [Rated(each.human, each.judge, (each.judge, each.judge)) for each in table(48, 0, 0, 48)]
    fickle = [Rated(each.human, each.judge, (1 - each.judge,)) for each in table(48, 0, 0, 48)]
    assert (calibrated(steady).consistency, calibrated(fickle).consistency) == (1, 0)
    assert any("itself" in problem for problem in calibrated(fickle).problems)


def test_rates_are_corrected_for_the_judge_s_errors() -> None:
    found = calibrated(table(80, 10, 20, 90))
    corrected = found.corrected(45, 100)
    assert corrected is not None
    assert corrected.estimate == pytest.approx((0.45 + 0.9 - 1) / (0.8 + 0.9 - 1))
    assert corrected.lower < corrected.estimate < corrected.upper
    assert calibrated(table(10, 10, 10, 10)).corrected(5, 10) is None, "a coin corrects nothing"


def test_grades_are_cut() -> None:
    grades = [Rated(5, 4), Rated(1, 2), Rated(4, 3), Rated(2, 1)]
    assert calibrated(grades, pass_at=4).agreement.value == 0.75


def test_no_labels_are_no_calibration() -> None:
    with pytest.raises(ValueError, match="none"):
        calibrated([])


def test_a_scorer_is_advisory_until_its_very_version_is_calibrated(tmp_path: Path) -> None:
    file = CalibrationFile(tmp_path / "evals" / "calibrations.jsonl")
    tools = Tools(judge=ScriptedJudge(by_prompt(), version="gpt"), calibrations=file)
    scorer = build("correctness", {}, tools)
    assert scorer.metrics[0].advisory
    good = table(48, 2, 3, 47)
    file.add(calibrate(good, scorer_version=version_of(scorer), metric="correctness", judge="gpt"))
    known = build("correctness", {}, tools)
    assert not known.metrics[0].advisory
    assert version_of(known) == version_of(scorer), "to be trusted does not make it another scorer"
    newer = Tools(judge=ScriptedJudge(by_prompt(), version="gpt-2"), calibrations=file)
    assert build("correctness", {}, newer).metrics[0].advisory
    file.add(calibrate(table(20, 20, 20, 20), scorer_version=version_of(scorer), metric="correctness", judge="gpt"))
    assert build("correctness", {}, tools).metrics[0].advisory, "the last calibration counts"


def test_a_line_that_is_no_calibration_is_named(tmp_path: Path) -> None:
    path = tmp_path / "calibrations.jsonl"
    path.write_text('\n{"n": 1}\n')
    with pytest.raises(ConfigError, match="line 2"):
        CalibrationFile(path).of("v1")
    assert CalibrationFile(tmp_path / "none.jsonl").of("v1") is None
