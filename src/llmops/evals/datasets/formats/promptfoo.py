"""A configuration of promptfoo: each of its prompts with each of its tests is a case.

Variables are put into prompts where they stand plainly (``{{name}}``); the same test with several prompts is one
cluster, for they rise and fall together. Assertions become scorers (`promptfoo_asserts`), in ``metadata.scorers``. What
cannot be carried over (filters and loops in templates, code, providers) is in the report; files outside the
configuration's folder are never read.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import msgspec

from ....errors import ConfigError
from ...case import Case
from .. import yaml_file
from ..mapping import RowMapping
from ..report import Progress, Report, no_progress
from .promptfoo_asserts import Mapped, mapped
from .promptfoo_files import prompt_texts, tests_of

_VARIABLE = re.compile(r"\{\{-?\s*([\w.]+)\s*-?\}\}")
_LOGIC = re.compile(r"\{%|\{\{[^}]*\|")
_KNOWN = {"prompts", "tests", "defaultTest", "description", "$schema"}
_TEST = {"vars", "assert", "description", "metadata", "prompts", "threshold", "options", "provider"}
_KEPT = ("description", "options", "provider", "threshold")
MAX_CASES = 1_000_000


def read(
    path: Path, report: Report, columns: Mapping[str, str] | None = None, progress: Progress = no_progress
) -> Iterator[Case]:
    config = yaml_file.read(path).value
    if not isinstance(config, dict) or "prompts" not in config:
        raise ConfigError(["has no prompts: this is no configuration of promptfoo"], source=str(path))
    for name in sorted(set(config) - _KNOWN):
        report.note(f"the section {name!r} is not carried over")
    prompts = list(prompt_texts(config["prompts"], path, report))
    default = config.get("defaultTest") or {}
    if not isinstance(default, dict):
        report.problem("defaultTest", f"{str(default)[:80]!r}: must be an object; files are not followed")
        default = {}
    tests = list(tests_of(config.get("tests") or [{}], path, report))
    mapping, made = RowMapping(report), 0
    for number, (where, test) in enumerate(tests, 1):
        for row in _rows(prompts, default, test, where, report, number):
            case = mapping.case(row, where)
            made += 1
            if made > MAX_CASES:
                report.problem(where, f"makes over {MAX_CASES:,} cases")
                report.check()
            if case is not None:
                yield case
        progress(number, len(tests))
    report.check()


def _rows(
    prompts: list[tuple[str, str]],
    default: dict[str, Any],
    test: dict[str, Any],
    where: str,
    report: Report,
    number: int,
) -> Iterator[dict[str, Any]]:
    for name in sorted(set(test) - _TEST):
        report.note(f"a test's {name!r} is not carried over", where)
    for name in ("options", "provider", "threshold"):
        if name in test or name in default:
            report.note(f"a test's {name!r} stays in the metadata, and has no effect", where)
    given = {**_dict(default.get("vars")), **_dict(test.get("vars"))}
    asserts = [*_list(default.get("assert")), *_list(test.get("assert"))]
    wanted = test.get("prompts")
    for index, values in enumerate(_expanded(given)):
        judged = _judged(asserts, values, where, report)
        cluster = f"test {number}" + (f".{index + 1}" if index else "")
        for label, text in prompts:
            if isinstance(wanted, list) and label not in wanted:
                continue
            metadata = {**_dict(default.get("metadata")), **_dict(test.get("metadata")), "vars": values}
            metadata |= {name: test[name] for name in _KEPT if name in test}
            yield {
                "id": f"{cluster} {label}"[:250],
                "input": _input(_filled(text, values, where, report)),
                "reference": judged.get("reference"),
                "cluster": cluster,
                "metadata": {**metadata, "prompt": label, **judged["kept"]},
            }


def _judged(asserts: list[Any], values: dict[str, Any], where: str, report: Report) -> dict[str, Any]:
    scorers: list[dict[str, Any]] = []
    unjudged: list[Any] = []
    reference: Any = None
    for each in _flat(asserts, where, report):
        filled = {name: _deep_filled(value, values, where, report) for name, value in each.items()}
        found = mapped(filled)
        if not isinstance(found, Mapped):
            report.note(f"an assertion is not judged: {found.why}", where)
            unjudged.append(each)
            continue
        if found.reference is not None:
            if reference is not None and reference != found.reference:
                report.note("an assertion is not judged: another one took the case's one reference", where)
                unjudged.append(each)
                continue
            reference = found.reference
        if "weight" in filled:
            report.note("an assertion's weight stays in the metadata, and has no effect", where)
        more: dict[str, Any] = {name: filled[name] for name in ("weight", "metric") if name in filled}
        scorers.append({"scorer": found.scorer, "settings": found.settings, **more})
    kept = {**({"scorers": scorers} if scorers else {}), **({"unjudged": unjudged} if unjudged else {})}
    return {"reference": reference, "kept": kept}


def _flat(asserts: list[Any], where: str, report: Report) -> Iterator[dict[str, Any]]:
    for each in asserts:
        if isinstance(each, dict) and each.get("type") == "assert-set":
            report.note("a set of assertions is taken apart; its threshold has no effect", where)
            yield from _flat(_list(each.get("assert")), where, report)
        elif isinstance(each, dict):
            yield each
        else:
            report.problem(where, f"assert {str(each)[:80]!r}: must be an object with a type")


def _expanded(given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A variable that is a list stands for a test with each of its values."""
    names = [name for name, value in given.items() if isinstance(value, list)]
    for chosen in product(*(given[name] for name in names)):
        yield {**given, **dict(zip(names, chosen, strict=True))}


def _filled(text: str, values: dict[str, Any], where: str, report: Report) -> str:
    if _LOGIC.search(text):
        report.note("a template has filters or logic, which are left as they stand", where)

    def value(found: re.Match[str]) -> str:
        said: Any = values
        for step in found[1].split("."):
            if not isinstance(said, dict) or step not in said:
                report.note(f"the variable {found[1][:60]!r} has no value and is left as it stands", where)
                return found[0]
            said = said[step]
        return said if isinstance(said, str) else msgspec.json.encode(said).decode()

    return _VARIABLE.sub(value, text)


def _deep_filled(value: Any, values: dict[str, Any], where: str, report: Report) -> Any:
    if isinstance(value, str):
        return _filled(value, values, where, report) if "{{" in value else value
    return [_deep_filled(each, values, where, report) for each in value] if isinstance(value, list) else value


def _input(text: str) -> Any:
    """A prompt that is a list of messages in JSON is one."""
    if text.lstrip().startswith("["):
        try:
            found = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return text
        if found and all(isinstance(each, dict) and "role" in each for each in found):
            return found
    return text


def _dict(value: Any) -> dict[str, Any]:
    return {str(name): each for name, each in value.items()} if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
