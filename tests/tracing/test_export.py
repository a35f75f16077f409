"""Spans leave in the background: whatever the gateway does, the application goes on and every span is accounted for."""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from llmops import tracing
from llmops.tracing.export import Export, Rules, Sent, next_pause
from llmops.tracing.post import Post
from tests.serving import environment, until
from tests.tracing.collector import Collector


def make(count: int) -> None:
    for number in range(count):
        with tracing.step(f"step {number}"):
            pass


def test_everything_arrives_with_the_key_and_packed(collector: Collector) -> None:
    tracing.configure(endpoint=collector.url + "/v1/", api_key="sk-1", service="shop")
    make(1200)
    assert tracing.flush()
    assert tracing.tally() == tracing.Tally(ended=1200, exported=1200, rejected=0, dropped=0, waiting=0)
    tracing.shutdown()
    assert len({span.span_id for span in collector.spans}) == 1200
    assert collector.headers[0]["authorization"] == "Bearer sk-1"
    assert collector.headers[0]["content-encoding"] == "gzip"


def test_what_the_gateway_refuses_is_counted(traced: Collector, caplog: pytest.LogCaptureFixture) -> None:
    traced.rejects = 1
    make(1)
    until(lambda: tracing.tally().rejected == 1, "a partial success")
    traced.status = 401
    make(3)
    until(lambda: tracing.tally().rejected == 4, "a refusal")
    assert tracing.tally() == tracing.Tally(ended=4, exported=0, rejected=4, dropped=0, waiting=0)
    assert "the gateway rejected 1 of 1 spans: not those" in caplog.text


def test_what_fails_for_now_is_sent_again(traced: Collector) -> None:
    traced.status = 503
    make(5)
    until(lambda: traced.requests, "an attempt")
    assert tracing.tally().waiting == 5
    traced.status = 200
    until(lambda: tracing.tally().exported == 5, "another attempt")
    assert len(traced.spans) == 5


def test_a_gateway_that_hangs_holds_up_nobody(collector: Collector, caplog: pytest.LogCaptureFixture) -> None:
    collector.released.clear()
    tracing.configure(endpoint=collector.url, service="shop", max_waiting=50, interval_s=0.01, exit_s=0.05)
    with caplog.at_level(logging.WARNING):
        make(200)
        tally = tracing.tally()
        assert (tally.ended, tally.waiting, tally.dropped) == (200, 50, 150)
        assert not tracing.flush(0.01)
        tracing.shutdown()
    assert "of 200 spans 200 were dropped and 0 rejected" in caplog.text


def test_a_gateway_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    with Collector() as gone:
        url = gone.url
    tracing.configure(endpoint=url, service="shop", interval_s=0.01, exit_s=1)
    make(3)
    until(lambda: "does not answer" in caplog.text, "a warning")
    assert tracing.tally() == tracing.Tally(ended=3, exported=0, rejected=0, dropped=0, waiting=3)
    tracing.shutdown()


@pytest.mark.parametrize("endpoint", ["", "127.0.0.1:8000", "ftp://host", "http://"])
def test_an_endpoint_that_is_none(endpoint: str) -> None:
    with pytest.raises(ValueError, match="is not the address of a gateway"):
        Post(endpoint, None, 1)


def test_a_span_that_cannot_be_written_ends_nothing() -> None:
    sent = threading.Event()

    def send(batch: Sequence[ReadableSpan]) -> Sent:
        if sent.is_set():
            return Sent()
        sent.set()
        raise TypeError("a value of a kind that nobody knows")

    export = Export(send, Rules(interval_s=0.001))
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(export)
    tracer = provider.get_tracer("test")
    tracer.start_span("broken").end()
    until(sent.is_set, "the first")
    tracer.start_span("sound").end()
    assert export.force_flush(5000)
    export.close(1)
    assert export.tally == tracing.Tally(ended=2, exported=1, rejected=1, dropped=0, waiting=0)


AT_EXIT = """
import sys
from llmops import tracing
tracing.configure(endpoint=sys.argv[1], service="script", interval_s=3600)
with tracing.step("last words"):
    pass
"""


def test_what_is_left_at_the_end_of_a_process_is_sent(collector: Collector, tmp_path: Path) -> None:
    run(AT_EXIT, collector.url, tmp_path)
    assert [span.name for span in collector.spans] == ["last words"]


FORKING = """
import os, sys
from llmops import tracing
tracing.configure(endpoint=sys.argv[1], service="script", interval_s=3600)
with tracing.step("parent"):
    pass
child = os.fork()
if child == 0:
    with tracing.step("child"):
        pass
    assert tracing.tally().ended == 1
    tracing.shutdown()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks are for POSIX")
def test_a_forked_child_sends_its_own_spans_and_nobody_elses(collector: Collector, tmp_path: Path) -> None:
    run(FORKING, collector.url, tmp_path)
    assert sorted(span.name for span in collector.spans) == ["child", "parent"]


def run(script: str, url: str, folder: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", script, url], cwd=folder, env=environment(), check=True, timeout=60, capture_output=True
    )


@given(before_s=st.floats(0, 100), retry_after_s=st.none() | st.floats(0, 1e9, allow_nan=False), luck=st.floats(0, 1))
def test_pauses_grow_are_bounded_and_honour_what_is_asked(
    before_s: float, retry_after_s: float | None, luck: float
) -> None:
    pause_s = next_pause(before_s, retry_after_s, luck)
    assert 0.5 <= pause_s <= 45
    assert pause_s >= min(retry_after_s or 0, 30)
