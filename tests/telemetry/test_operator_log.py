"""The operator's log: JSON lines for a collector, words for a person, warnings of everybody and news of our own."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from llmops.telemetry import operator_log


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("llmops")
    handlers, levels = root.handlers, (root.level, ours.level)
    for name in ("uvicorn", "uvicorn.error"):  # other tests' Streamlit gives them handlers, others switch them off
        server = logging.getLogger(name)
        server.handlers, server.propagate, server.disabled = [], True, False
        server.setLevel(logging.NOTSET)
    yield
    root.handlers = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


def test_elsewhere_each_line_is_an_object() -> None:
    stream = io.StringIO()
    operator_log.configure(stream)
    try:
        raise ValueError("what went wrong\nin two lines")
    except ValueError:
        logging.getLogger("llmops.gateway").error("call %s failed", "req_1", exc_info=True)
    line = json.loads(stream.getvalue())
    assert (line["level"], line["logger"], line["message"]) == ("error", "llmops.gateway", "call req_1 failed")
    assert line["timestamp"].endswith("Z") and "in two lines" in line["exception"]


def test_a_terminal_gets_words() -> None:
    stream = Terminal()
    operator_log.configure(stream)
    logging.getLogger("llmops.gateway").info("configuration reloaded")
    assert stream.getvalue().endswith("INFO configuration reloaded\n")


def test_libraries_are_heard_when_they_warn() -> None:
    stream = io.StringIO()
    operator_log.configure(stream)
    logging.getLogger("uvicorn.error").info("Started server process")
    assert stream.getvalue() == ""
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    assert json.loads(stream.getvalue())["logger"] == "uvicorn.error"
