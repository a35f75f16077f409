"""Every fault, looked at on the wire: it does what its name says, so that passing it means something."""

import asyncio
import json
import re
import ssl
import zlib
from email.utils import parsedate_to_datetime
from time import time

import pytest

from llmops.dev.faults import FAULTS, FaultServer, Rehearsal
from tests.fakes.gateway import http_request

from .wire import CHAT, body, connect, data_of, dechunked, struck, text_of

WORDS = [f"w{number}" for number in range(1, 9)]
FIVE = WORDS[:5]
SILENT = {"silent", "half-open", "stall-after-tokens", "slowloris"}


def rehearsal() -> FaultServer:
    return FaultServer(Rehearsal(words=8))


def words_in(answer: bytes) -> list[str]:
    return re.findall(r"\bw\d+\b", answer.decode("utf-8", "replace"))


def head_of(answer: bytes) -> str:
    return answer.partition(b"\r\n\r\n")[0].decode()


CASES = [
    (name, stream) for name, fault in FAULTS.items() for stream in (True, False) if fault.expectation(stream=stream)
]


@pytest.mark.parametrize(("name", "stream"), CASES)
async def test_it_ends_as_it_should_and_is_counted(name: str, stream: bool) -> None:
    """Silent faults keep the line open, resets reset, and no strike raises: the server serves the next caller."""
    async with rehearsal() as server:
        if name == "dns-failure":
            assert server.url_for(name) == "http://faults.invalid/v1"
            return
        answer, ending = await struck(server, name, stream=stream, wait_s=0.2 if name in SILENT else 5)
        assert ending == ("open" if name in SILENT else "RST" if name.startswith("rst") else "FIN"), answer[:300]
        assert server.tally.struck == {name: 1}
        answer, _ = await struck(server, "missing-usage", stream=False)
        assert answer.startswith(b"HTTP/1.1 200")


async def test_resets_and_silence_come_where_they_should() -> None:
    async with rehearsal() as server:
        assert (await struck(server, "rst-before-headers", stream=True))[0] == b""
        assert head_of((await struck(server, "rst-after-headers", stream=True))[0]).startswith("HTTP/1.1 200")
        assert words_in((await struck(server, "rst-mid-stream", stream=True))[0]) == FIVE
        assert (await struck(server, "silent", stream=True, wait_s=0.1))[0] == b""
        half_open, _ = await struck(server, "half-open", stream=True, wait_s=0.1)
        assert half_open.endswith(b"\r\n\r\n") and words_in(half_open) == []
        assert words_in((await struck(server, "stall-after-tokens", stream=True, wait_s=0.1))[0]) == FIVE
        assert (await struck(server, "slowloris", stream=False, wait_s=1.5))[0] == b"HT"


async def test_rate_limits_give_their_hints() -> None:
    async with rehearsal() as server:
        hints = {}
        for name in ("", "-seconds", "-ms", "-date", "-absurd"):
            head = head_of((await struck(server, f"http-429{name}", stream=False))[0])
            assert head.startswith("HTTP/1.1 429")
            hints[name] = dict(re.findall(r"(retry-after\S*): (.*?)\r?$", head, re.MULTILINE))
        date = hints.pop("-date")["retry-after"]
        assert 0 <= parsedate_to_datetime(date).timestamp() - time() <= 3
        assert hints == {
            "": {},
            "-seconds": {"retry-after": "1"},
            "-ms": {"retry-after-ms": "250"},
            "-absurd": {"retry-after": "1000000000"},
        }


async def test_tls_fails_in_its_handshake() -> None:
    async with rehearsal() as server:
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection("127.0.0.1", server.port, ssl=ssl.create_default_context())
        assert server.tally.struck == {"tls-failure": 1}
        assert server.url_for("tls-failure").startswith("https://")


@pytest.mark.parametrize("stream", [True, False])
async def test_the_bomb_is_well_formed_and_small_until_it_is_opened(stream: bool) -> None:
    async with rehearsal() as server:
        answer, _ = await struck(server, "gzip-bomb", stream=stream)
    packed = answer.partition(b"\r\n\r\n")[2]
    assert len(packed) < 400_000
    unpacker, size, last = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), 0, b""
    while not unpacker.eof:
        last = unpacker.decompress(unpacker.unconsumed_tail or packed, 2**24)
        size += len(last)
    assert size > 256 * 2**20 and words_in(last[-10_000:]) == WORDS


async def test_large_answers_are_large_and_healthy() -> None:
    async with rehearsal() as server:
        whole, _ = await struck(server, "body-10mb", stream=False)
        content = json.loads(whole.partition(b"\r\n\r\n")[2])["choices"][0]["message"]["content"]
        assert len(whole) > 10 * 2**20 and content.split() == WORDS
        line, _ = await struck(server, "sse-line-10mb", stream=True)
        assert max(map(len, dechunked(line).split(b"\n"))) > 10 * 2**20
        assert text_of(data_of(dechunked(line))).split() == WORDS


async def test_lengths_that_are_too_small_leave_the_rest_on_the_line() -> None:
    async with rehearsal() as server, await connect(server) as connection:
        await connection.send(http_request("POST", f"/fault/wrong-content-length{CHAT}", body()))
        answer = await connection.read_answer()
        assert len(await connection.reader.read(10_000)) > 10
        with pytest.raises(ValueError, match=r"Expecting|Unterminated|delimiter|Invalid"):
            answer.json()
        stream, _ = await struck(server, "wrong-content-length", stream=True)
        length = int(re.findall(r"content-length: (\d+)", head_of(stream))[0])
        assert words_in(stream.partition(b"\r\n\r\n")[2][:length])[:5] == FIVE
        assert b"[DONE]" in stream.partition(b"\r\n\r\n")[2][length:]


async def test_bodies_are_what_they_are_called() -> None:
    async with rehearsal() as server:
        found = {}
        for name in ("html-200", "garbage-json", "truncated-json", "trailing-garbage", "error-event-first"):
            answer, _ = await struck(server, name, stream=False)
            assert answer.startswith(b"HTTP/1.1 200"), name
            found[name] = answer.partition(b"\r\n\r\n")[2]
        assert found["html-200"].startswith(b"<!doctype html>")
        assert found["truncated-json"].startswith(b'{"id"') and not found["truncated-json"].endswith(b"}")
        assert json.JSONDecoder().raw_decode(found["trailing-garbage"].decode("utf-8", "replace"))[0]["usage"]
        assert "overloaded" in json.loads(found["error-event-first"])["error"]["message"]
        assert len(found["trailing-garbage"]) > len(found["truncated-json"]) * 2
        with pytest.raises(UnicodeDecodeError):
            json.loads(found["garbage-json"])


async def test_usage_is_missing_or_below_zero() -> None:
    async with rehearsal() as server:
        for stream in (True, False):
            missing, _ = await struck(server, "missing-usage", stream=stream)
            assert b"usage" not in missing and b"w8" in missing
            negative, _ = await struck(server, "negative-usage", stream=stream)
            assert b'"completion_tokens":-8' in negative and b"w8" in negative


async def test_streams_are_strange_but_whole() -> None:
    async with rehearsal() as server:
        streams = {}
        for name in ("sse-without-done", "split-utf8", "crlf-cr-mix", "duplicate-chunks", "tool-call-split"):
            answer, _ = await struck(server, name, stream=True)
            streams[name] = dechunked(answer)
        assert b"[DONE]" not in streams["sse-without-done"] and b'"stop"' in streams["sse-without-done"]
        assert text_of(data_of(streams["split-utf8"])) == "".join(f"{word}·é€😀 " for word in WORDS)
        mixed = streams["crlf-cr-mix"]
        assert mixed.count(b"\r\n\r\n") >= 3 and re.search(rb"\}\r\r:", mixed) and re.search(rb"\}\n\n\n?:", mixed)
        assert words_in(mixed) == WORDS
        twice = data_of(streams["duplicate-chunks"])
        assert twice.count("[DONE]") == 2 and text_of(twice).split() == WORDS and twice[0] == twice[1]
        calls = [
            call["function"]["arguments"]
            for chunk in data_of(streams["tool-call-split"])
            if chunk != "[DONE]"
            for choice in chunk["choices"]
            for call in choice["delta"].get("tool_calls", ())
        ]
        arguments = json.loads("".join(calls))
        assert arguments["words"].split() == WORDS and arguments["face"] == "😀" and max(map(len, calls)) == 3


async def test_streams_that_break_do_so_at_their_place() -> None:
    async with rehearsal() as server:
        first = dechunked((await struck(server, "error-event-first", stream=True))[0])
        assert "error" in data_of(first)[0]
        later = dechunked((await struck(server, "error-event-mid", stream=True))[0])
        assert words_in(later) == FIVE and "error" in data_of(later)[-1]
        cut = dechunked((await struck(server, "truncated-json", stream=True))[0])
        assert words_in(cut) == [*FIVE, *WORDS[6:]] and b"[DONE]" in cut
        garbage = dechunked((await struck(server, "garbage-json", stream=True))[0])
        assert words_in(garbage) == [] and b"nonsense" in garbage
