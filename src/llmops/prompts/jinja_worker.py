"""The process that Jinja templates run in: a script, with no environment, no files and little memory.

It reads frames (four bytes of length, then JSON) and answers each with one: ``check`` gives the variables of templates,
``render`` their texts. Three fences stand around a hostile template: Jinja's immutable sandbox, what this process gives
up before it reads anything (files, sockets, processes, and root where it has it), and its parent, which ends it when an
answer takes too long. What is not covered: a defect in the interpreter that calls the kernel past Python.

It stands alone: nothing of the package around it is imported, so that it starts quickly and holds no secrets.
"""

import json
import os
import resource
import sys
from typing import Any, BinaryIO

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

_MEMORY_BYTES = 512_000_000
_CPU_S = 3
_MAX_ERROR_CHARS = 300
_MAX_COMPILED = 200
_NOBODY = 65534
_FIRST_INHERITED, _MOST_INHERITED = 3, 65_536
_UNWANTED_GLOBALS = ("lipsum", "cycler", "joiner")
_UNWANTED_FILTERS = ("random", "pprint")


def main() -> None:
    worker = _Worker()
    worker.warm()
    confine()
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    _write(sink, {"ready": True})
    while (asked := _read(source)) is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        soft = int(used.ru_utime + used.ru_stime) + _CPU_S
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
        _write(sink, worker.answer(asked))


def confine() -> None:
    """Give up for good what rendering does not need. Without a new descriptor nothing can be opened, connected or
    loaded, so all that is imported has to be by now; root could take its limits back, and so is given up as well."""
    os.chdir("/")
    os.closerange(_FIRST_INHERITED, _MOST_INHERITED)
    if os.geteuid() == 0:
        try:
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
        except OSError:  # a container that may not either: then there is little that this root may do
            pass
    for what, limit in (
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        _, hard = resource.getrlimit(what)
        most = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(what, (most, most))


class _Worker:
    def __init__(self) -> None:
        self._sandbox = ImmutableSandboxedEnvironment(
            undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, cache_size=0, optimized=False
        )
        for name in _UNWANTED_GLOBALS:
            self._sandbox.globals.pop(name, None)
        for name in _UNWANTED_FILTERS:
            self._sandbox.filters.pop(name, None)
        self._compiled: dict[str, Any] = {}

    def warm(self) -> None:
        """Have everything imported that Jinja and Python would import in the middle of a template."""
        everything = "{{ 'a b'|wordwrap(1) }}{{ 'a'|urlize }}{{ [1]|tojson }}{{ '<'|striptags }}{{ 1|filesizeformat }}"
        for text in (everything, "{{ missing }}", "{% if %}", "{{ ''.__class__.x }}", "{{ 1/0 }}", "{{ '%d' % '' }}"):
            for op in ("check", "render"):
                self.answer({"op": op, "texts": [text], "values": {}, "max_chars": 1000})
        self._compiled.clear()

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        try:
            if asked["op"] == "check":
                return {"names": self._names(asked["texts"])}
            return {"texts": self._render(asked["texts"], asked["values"], asked["max_chars"])}
        except TemplateSyntaxError as exc:
            return {"error": f"line {exc.lineno}: {exc.message}"[:_MAX_ERROR_CHARS]}
        except TemplateError as exc:
            return {"error": f"{type(exc).__name__}: {exc}"[:_MAX_ERROR_CHARS]}
        except (MemoryError, RecursionError) as exc:
            return {"error": f"the template needs too much: {type(exc).__name__}"}
        except Exception as exc:  # noqa: BLE001 - a border: a template may raise anything that Python can
            return {"error": f"{type(exc).__name__}: {exc}"[:_MAX_ERROR_CHARS]}

    def _names(self, texts: list[str]) -> list[str]:
        names: set[str] = set()
        for text in texts:
            tree = self._sandbox.parse(text)
            names |= meta.find_undeclared_variables(tree)
            self._sandbox.compile(tree)
        return sorted(names - set(self._sandbox.globals))

    def _render(self, texts: list[str], values: dict[str, Any], max_chars: int) -> list[str]:
        rendered, left = [], max_chars
        for text in texts:
            pieces = []
            for piece in self._template(text).generate(values):
                left -= len(piece)
                if left < 0:
                    raise TemplateError(f"the rendered prompt has more than {max_chars:,} characters")
                pieces.append(piece)
            rendered.append("".join(pieces))
        return rendered

    def _template(self, text: str) -> Any:
        found = self._compiled.get(text)
        if found is None:
            if len(self._compiled) >= _MAX_COMPILED:
                self._compiled.clear()
            found = self._compiled[text] = self._sandbox.from_string(text)
        return found


def _read(source: BinaryIO) -> dict[str, Any] | None:
    head = source.read(4)
    if len(head) < 4:
        return None
    found: dict[str, Any] = json.loads(source.read(int.from_bytes(head, "big")))
    return found


def _write(sink: BinaryIO, value: dict[str, Any]) -> None:
    body = json.dumps(value).encode()
    sink.write(len(body).to_bytes(4, "big") + body)
    sink.flush()


if __name__ == "__main__":
    main()
