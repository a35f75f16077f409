"""``/v1/traces`` over HTTP: who may send, what is taken, what is refused and in which words, and what is counted."""

import asyncio
import gzip
import json
import re
import sqlite3
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from llmops.app import open_identity
from llmops.clock import ManualClock
from llmops.settings import Settings
from tests.fakes.gateway import Answer, Gateway
from tests.telemetry.traces.exports import PROTOBUF, export, many, wire_span, with_deep_span

Build = Callable[..., Settings]
PATH = "/v1/traces"
JSON_BODY = {
    "resourceSpans": [
        {
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": "5B8EFFF798038103D269B633813FC60C",
                            "spanId": "EEE19B7EC3C1B174",
                            "name": "from JSON",
                            "startTimeUnixNano": "1795300000000000000",
                            "endTimeUnixNano": 1795300001000000000,
                        }
                    ]
                }
            ]
        }
    ]
}


async def figures(gateway: Gateway) -> dict[str, float]:
    """The metrics about spans, by name and label."""
    text = (await gateway.get("/metrics")).body.decode()
    return {
        name: float(value)
        for name, value in re.findall(r"^llmops_(span[a-z_]*(?:\{[^}]*\})?) (\S+)$", text, re.MULTILINE)
    }


async def settled(gateway: Gateway, **wanted: float) -> dict[str, float]:
    """The metrics once they are these."""
    found: dict[str, float] = {}
    for _ in range(400):
        found = await figures(gateway)
        if all(found.get(name) == value for name, value in wanted.items()):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"wanted {wanted}, there is {found}: {(await gateway.get('/health')).json()}")


def rows(gateway: Gateway, query: str = "SELECT tenant, name FROM spans ORDER BY name") -> list[Any]:
    with sqlite3.connect(gateway.log_dir.parent / "llmops.db") as connection:
        return connection.execute(query).fetchall()


async def test_spans_are_taken_stored_and_counted(settings: Build) -> None:
    async with Gateway(settings()) as gateway:
        for body, headers in (
            (many(3), PROTOBUF),
            (gzip.compress(many(3, trace=2)), {**PROTOBUF, "Content-Encoding": "gzip"}),
            (zlib.compress(many(3, trace=3)), {**PROTOBUF, "Content-Encoding": "deflate"}),
            (many(3), PROTOBUF),
        ):
            answer = await gateway.post(PATH, body, headers)
            assert (answer.status, answer.body) == (200, b""), answer
            assert answer.headers["content-type"] == "application/x-protobuf"
        answer = await gateway.post(PATH, JSON_BODY)
        assert (answer.status, answer.json()) == (200, {})
        assert answer.headers["content-type"] == "application/json"
        found = await settled(gateway, spans_stored_total=10, spans_known_total=3, spans_waiting=0)
        assert found["spans_accepted_total"] == 13
        assert (await gateway.get("/health")).json()["problems"] == []
        assert {tenant for tenant, _ in rows(gateway)} == {"default"}
        assert rows(gateway, "SELECT trace_id FROM spans WHERE name = 'from JSON'") == [
            ("5b8efff798038103d269b633813fc60c",)
        ]


async def test_what_cannot_be_taken_is_told_and_the_rest_is_taken(settings: Build) -> None:
    async with Gateway(settings()) as gateway:
        body = with_deep_span(200, wire_span(1), wire_span(2, trace_id=b"short"))
        answer = await gateway.post(PATH, body, PROTOBUF)
        assert answer.status == 200
        partial = ExportTraceServiceResponse.FromString(answer.body).partial_success
        assert partial.rejected_spans == 2
        assert "nested too deep" in partial.error_message and "trace id" in partial.error_message
        wrong = json.loads(json.dumps(JSON_BODY).replace("EEE19B7EC3C1B174", "0000000000000000"))
        answer = await gateway.post(PATH, wrong)
        assert answer.json()["partialSuccess"]["rejectedSpans"] == "1"
        found = await settled(gateway, spans_stored_total=1, spans_rejected_total=3)
        assert found["spans_accepted_total"] == 1


REFUSED: dict[str, tuple[bytes, dict[str, str], int, int]] = {
    "no protobuf": (b"\xff\xff", PROTOBUF, 400, 3),
    "no JSON": (b"{", {"Content-Type": "application/json"}, 400, 3),
    "no gzip": (b"plain", {**PROTOBUF, "Content-Encoding": "gzip"}, 400, 3),
    "gzip that breaks off": (gzip.compress(many(50))[:-9], {**PROTOBUF, "Content-Encoding": "gzip"}, 400, 3),
    "a bomb": (gzip.compress(bytes(3_000_000)), {**PROTOBUF, "Content-Encoding": "gzip"}, 413, 8),
    "a bomb in parts": (gzip.compress(bytes(700_000)) * 3, {**PROTOBUF, "Content-Encoding": "gzip"}, 413, 8),
    "too large": (bytes(200_000), PROTOBUF, 413, 8),
    "another type": (many(1), {"Content-Type": "text/html"}, 415, 3),
    "no type": (many(1), {"Content-Type": ""}, 415, 3),
    "another coding": (many(1), {**PROTOBUF, "Content-Encoding": "zstd"}, 415, 3),
}


@pytest.mark.parametrize("kind", REFUSED)
async def test_what_is_refused_gets_a_status_in_its_own_encoding(kind: str, settings: Build) -> None:
    body, headers, status, code = REFUSED[kind]
    async with Gateway(settings(server={"body_limit_bytes": 100_000}, traces={"body_limit_megabytes": 1})) as gateway:
        answer = await gateway.post(PATH, body, headers)
        assert answer.status == status, answer
        if answer.headers["content-type"] == "application/json":
            assert answer.json()["code"] == code and answer.json()["message"]
        else:
            assert answer.body[:2] == bytes([1 << 3, code])
            assert answer.headers["content-type"] == "application/x-protobuf"
        found = await figures(gateway)
        assert sum(count for name, count in found.items() if name.startswith("span_exports_refused_total")) == 1
        assert found["spans_accepted_total"] == 0
        assert (await gateway.post(PATH, many(1), PROTOBUF)).status == 200, "it goes on"


async def test_it_is_posted(settings: Build) -> None:
    async with Gateway(settings()) as gateway:
        assert (await gateway.get(PATH)).status == 405


async def test_it_can_be_switched_off(settings: Build) -> None:
    async with Gateway(settings(traces={"enabled": False})) as gateway:
        assert (await gateway.post(PATH, many(1), PROTOBUF)).status == 404


async def test_the_key_says_whose_spans_they_are(settings: Build) -> None:
    built = settings(auth={"refresh_seconds": 0.05})
    identity = open_identity(built, ManualClock())
    keys = {}
    for tenant, role in (("acme", "caller"), ("other", "viewer"), ("ops", "admin")):
        identity.registry.create_tenant(tenant)
        keys[tenant] = str(identity.registry.create_key(name="k", role=role, tenant=tenant)[1])
    async with Gateway(built) as gateway:

        async def send(key: str | None, name: str) -> Answer:
            headers = {**PROTOBUF, **({"Authorization": f"Bearer {key}"} if key else {})}
            body = export(wire_span(1, name=name, attributes={"tenant": "ops"}), resource={"tenant.id": "ops"})
            return await gateway.post(PATH, body, headers)

        for tenant, key in keys.items():
            assert (await send(key, f"of {tenant}")).status == 200
        for key in (None, "sk-garbage"):
            answer = await send(key, "of nobody")
            assert (answer.status, answer.body[:2]) == (401, b"\x08\x10")
        for _ in range(400):
            if (gateway.log_dir.parent / "llmops.db").exists() and len(rows(gateway)) == 3:
                break
            await asyncio.sleep(0.05)
        assert rows(gateway) == [("acme", "of acme"), ("ops", "of ops"), ("other", "of other")]
    identity.close()


async def test_a_full_spool_says_when_to_come_again_and_loses_nothing(settings: Build) -> None:
    """The database is away meanwhile, and is given back."""
    built = settings(traces={"spool_megabytes": 1})
    database = built.log.dir.parent / "llmops.db"
    async with Gateway(built) as gateway:
        database.mkdir()  # no file can be made there
        taken, status = 0, 200
        while status == 200:
            answer = await gateway.post(PATH, many(500, begin=1 + 500 * taken), PROTOBUF)
            status = answer.status
            taken += status == 200
        assert (status, answer.headers["retry-after"]) == (503, "10")
        assert answer.body[:2] == b"\x08\x0e"
        found = await settled(gateway, spans_waiting=500 * taken)
        assert found["spans_accepted_total"] == 500 * taken
        assert found['span_exports_refused_total{error_type="overloaded"}'] == 1
        problems = (await gateway.get("/health")).json()["problems"]
        assert any("spans cannot be stored" in problem for problem in problems), problems
        database.rmdir()
        await settled(gateway, spans_stored_total=500 * taken, spans_waiting=0)
        assert rows(gateway, "SELECT count(*) FROM spans") == [(500 * taken,)]
        assert (await gateway.post(PATH, many(1, trace=9), PROTOBUF)).status == 200
        await settled(gateway, spans_stored_total=500 * taken + 1)


async def test_a_folder_that_cannot_be_written_is_a_503(settings: Build) -> None:
    built = settings()
    built.log.dir.mkdir()
    (built.log.dir / "traces").write_text("in the way")
    async with Gateway(built) as gateway:
        answer = await gateway.post(PATH, many(1), PROTOBUF)
        assert (answer.status, answer.headers["retry-after"]) == (503, "10")
        assert (await figures(gateway))["spans_accepted_total"] == 0
