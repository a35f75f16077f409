"""``python .ci/check_log.py FILE...``: is every line of a request log whole, and of the documented form?

Stands alone on purpose: it checks the file as a reader of it would, without the code that wrote it. The form is that of
docs/reference/request-log.md.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Check = Callable[[Any], bool]


def number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def truth(value: Any) -> bool:
    return isinstance(value, bool)


def matching(pattern: str) -> Check:
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def optional(check: Check) -> Check:
    return lambda value: value is None or check(value)


USAGE: dict[str, Check] = {
    "prompt": count,
    "completion": count,
    "total": count,
    "cached": count,
    "reasoning": count,
    "source": lambda value: value in ("provider", "estimated", "none"),
}
FAILED: dict[str, Check] = {"deployment": text, "error_type": text, "status": optional(count), "latency_ms": number}
STEPS = {"read", "auth", "limits", "cache", "upstream"}
MESSAGE: dict[str, Check] = {"role": text, "content_hash": matching("[0-9a-f]{32}"), "content_length": count}
FIELDS: dict[str, Check] = {
    "timestamp": matching(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
    "request_id": matching("req_[0-9a-f]{32}"),
    "trace_id": matching("[0-9a-f]{32}"),
    "span_id": matching("[0-9a-f]{16}"),
    "tenant": text,
    "key_id": optional(text),
    "provider": text,
    "model": text,
    "deployment": optional(text),
    "latency_ms": number,
    "ttft_ms": optional(number),
    "token_usage": lambda value: not list(problems_of(value, USAGE)),
    "error_type": optional(text),
    "session": optional(text),
    "prompt_version": optional(text),
    "release_id": optional(text),
    "attempts": count,
    "cached": truth,
    "cache": optional(text),
    "similarity": optional(number),
    "saved_nanousd": count,
    "json_valid": optional(truth),
    "status": lambda value: count(value) and 100 <= value <= 599,
    "stream": truth,
    "messages_masked": lambda value: (
        isinstance(value, list) and all(not list(problems_of(each, MESSAGE)) for each in value)
    ),
}


#: Left out where there is nothing to say.
SOMETIMES: dict[str, Check] = {
    "failed_attempts": lambda value: (
        isinstance(value, list) and value != [] and all(not list(problems_of(each, FAILED)) for each in value)
    ),
    "timings_ms": lambda value: isinstance(value, dict) and value.keys() <= STEPS and all(map(number, value.values())),
    "rollout_id": text,
    "arm": text,
    "probability": number,
    "flags": lambda value: isinstance(value, dict) and all(map(text, value.values())),
    "output": text,
}


def problems_of(record: Any, fields: dict[str, Check]) -> Iterator[str]:
    if not isinstance(record, dict):
        yield "is not a JSON object"
        return
    for name, check in fields.items():
        if name not in record:
            yield f"{name} is missing"
        elif not check(record[name]):
            yield f"{name} is {record[name]!r}"


def check_file(path: Path) -> tuple[int, list[str]]:
    """How many lines there are, and what is wrong with them."""
    problems: list[str] = []
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        problems.append(f"{path}: the last line is not complete")
    lines = content.splitlines()
    for number_of_line, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            found = list(problems_of(record, FIELDS))
            if isinstance(record, dict):
                found += problems_of(record, {name: check for name, check in SOMETIMES.items() if name in record})
        except ValueError as exc:
            found = [f"is not JSON: {exc}"]
        problems += [f"{path}:{number_of_line}: {problem}" for problem in found]
    return len(lines), problems


def main(names: list[str]) -> int:
    if not names:
        print("usage: python .ci/check_log.py FILE...", file=sys.stderr)
        return 2
    total, problems = 0, []
    for name in names:
        try:
            lines, found = check_file(Path(name))
        except OSError as exc:
            lines, found = 0, [f"{name}: cannot be read: {exc.strerror}"]
        total += lines
        problems += found
    for problem in problems[:50]:
        print(problem, file=sys.stderr)
    if not total and not problems:
        print("there are no lines to check", file=sys.stderr)
        return 1
    print(f"{total} lines, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
