"""Jinja templates as an attack: known escapes, bombs in time and memory, all answered with an error within bounds."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.errors import InvalidRequest
from llmops.prompts import sandboxed
from llmops.prompts.sandboxed import JinjaRenderer

#: Payloads that break out of an unprotected Jinja environment.
ESCAPES = (
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ ''|attr('__class__') }}",
    "{{ ''|attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
    "{{ [].__class__.__base__.__subclasses__()[40]('/etc/passwd').read() }}",
    "{{ config.__class__.__init__.__globals__['os'].popen('id').read() }}",
    "{{ self.__init__.__globals__.__builtins__.__import__('os').popen('id').read() }}",
    "{{ self._TemplateReference__context.cycler.__init__.__globals__.os }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__.os }}",
    "{{ dict.__base__.__subclasses__() }}",
    "{{ range.__class__.__mro__ }}",
    "{{ (1).__class__.__base__ }}",
    "{{ '{0.__class__.__mro__}'.format('') }}",
    "{{ '{0.__class__}'|format('') }}{{ ''.__class__ }}",
    "{{ ''.format_map.__self__.__class__ }}",
    "{{ [1]|map(attribute='__class__')|list|first }}{{ ''.__class__ }}",
    "{{ request.application.__globals__ }}",
    "{% set x = [] %}{{ x.append(1) }}",
    "{% set x = {} %}{{ x.update({'a': 1}) }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% extends 'x' %}",
    "{{ undefined_name }}",
    "{% macro m() %}{{ caller.__globals__ }}{% endmacro %}{% call m() %}{% endcall %}",
    "{{ (lambda: 1)() }}",
    "{{ x.gi_frame.f_globals }}",
    "{{ ''.join.__self__.__class__ }}",
)
BOMBS = (
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{{ range(10**9)|list }}",
    "{{ 'x' * 10**10 }}",
    "{{ 'x'.center(10**10) }}",
    "{{ '%01000000000d' % 1 }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ 10**10**2**5 }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s|length }}",
    "{{ 'x'|indent(10**10) }}{{ 'x\ny'|indent(10**10) }}",
    "{% for a in range(100000) %}xxxxxxxxxx{% endfor %}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{{ " + "-" * 100_000 + "1 }}",
)


@pytest.fixture(scope="module")
def jinja() -> Iterator[JinjaRenderer]:
    made = JinjaRenderer(workers=1, limit_s=0.5)
    yield made
    made.close()


@pytest.mark.parametrize("payload", ESCAPES)
def test_an_escape_is_an_error(payload: str, jinja: JinjaRenderer) -> None:
    with pytest.raises(InvalidRequest, match="the Jinja template") as raised:
        jinja.render([payload], {}, max_chars=10_000)
    assert "root:" not in raised.value.message and "uid=" not in raised.value.message


@pytest.mark.parametrize("payload", BOMBS, ids=range(len(BOMBS)))
def test_a_bomb_ends_in_bounded_time_and_the_next_template_is_rendered(payload: str, jinja: JinjaRenderer) -> None:
    for ask in (lambda: jinja.names([payload]), lambda: jinja.render([payload], {}, max_chars=10_000)):
        began_s = time.monotonic()
        try:
            ask()
        except InvalidRequest:
            pass
        assert time.monotonic() - began_s < 10
    assert jinja.render(["{{ x }}"], {"x": "well"}, max_chars=100) == ["well"]


def test_values_are_never_templates(jinja: JinjaRenderer) -> None:
    assert jinja.render(["{{ x }}{% if y %}!{% endif %}\n"], {"x": "{{ 7 * 7 }}", "y": True}, max_chars=99) == [
        "{{ 7 * 7 }}!\n"
    ]
    assert jinja.names(["{{ a }}{% for b in c %}{{ b }}{% endfor %}"]) == {"a", "c"}
    with pytest.raises(InvalidRequest, match="line 2"):
        jinja.names(["fine\n{% if %}"])
    with pytest.raises(InvalidRequest, match="more than 3 characters"):
        jinja.render(["{{ x }}"], {"x": "long"}, max_chars=3)


def test_a_template_learns_nothing_of_the_gateway(jinja: JinjaRenderer) -> None:
    """Its process has no environment to read."""
    assert jinja.render(["{{ environ is defined }}{{ os is defined }}"], {}, max_chars=99) == ["FalseFalse"]


#: What a template could do if Jinja's sandbox failed: run in a process that has given up what the worker gives up.
BREAKOUT = """
import json, os, resource, runpy, socket, sys
import jinja2
worker_of = runpy.run_path(sys.argv[1])
worker = worker_of["_Worker"]()
worker.warm()
worker._sandbox = jinja2.Environment()  # no sandbox at all
worker_of["confine"]()

def tried(what):
    try:
        return f"done: {what()!r}"
    except BaseException as exc:
        return f"refused: {type(exc).__name__}"

print(json.dumps({
    "rendered": [
        worker.answer({"op": "render", "texts": [text], "values": {}, "max_chars": 10_000})
        for text in json.loads(sys.argv[2])
    ],
    "tried": {
        "read": tried(lambda: open("/etc/passwd").read()),
        "list": tried(lambda: os.listdir("/etc")),
        "write": tried(lambda: os.write(os.open(sys.argv[3], os.O_CREAT | os.O_WRONLY), b"x")),
        "connect": tried(lambda: socket.create_connection(("127.0.0.1", 1))),
        "fork": tried(os.fork),
        "take back": tried(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))),
        "become root": tried(lambda: os.setuid(0) or (os.getuid() == 0 and "root") or 1 / 0),
        "inherited": tried(lambda: os.read(int(sys.argv[4]), 10)),
        "environment": tried(lambda: dict(os.environ)),
    },
}))
"""
READERS = (
    "{{ cycler.__init__.__globals__.os.popen('cat /etc/passwd').read() }}",
    "{{ self.__init__.__globals__.__builtins__.__import__('os').popen('id').read() }}",
    "{{ self.__init__.__globals__.__builtins__.open('/etc/passwd').read() }}",
    "{{ lipsum.__globals__['os'].listdir('/etc') }}",
    "{{ self.__init__.__globals__.__builtins__.__import__('sqlite3') }}",
)


def test_where_the_sandbox_fails_there_is_nothing_to_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root: secret")
    script = Path(sandboxed.__file__).with_name("jinja_worker.py")
    with secret.open() as inherited:
        arguments = [str(script), json.dumps(READERS), str(tmp_path / "made"), str(inherited.fileno())]
        done = subprocess.run(
            [sys.executable, "-I", "-c", BREAKOUT, *arguments],
            capture_output=True,
            env={},
            pass_fds=[inherited.fileno()],
            check=False,
        )
    told = json.loads(done.stdout)
    assert all("error" in each for each in told["rendered"]), told["rendered"]
    assert "root:" not in done.stdout.decode() and not (tmp_path / "made").exists()
    environment = told["tried"].pop("environment")
    assert "LLM" not in environment and "KEY" not in environment
    assert {each.partition(":")[0] for each in told["tried"].values()} == {"refused"}, told["tried"]
