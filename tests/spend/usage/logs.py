"""Request logs by hand for tests of what is made of them: records, files and rotations, and what the database holds."""

import os
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import func, select

from llmops.spend.usage.ingestion import Ingestion
from llmops.spend.usage.repository.calls import CallRepository
from llmops.store.database import Database
from llmops.store.tables import calls, log_files, usage_days
from llmops.telemetry.record import CallRecord, TokenUsage

_encode = msgspec.json.Encoder().encode


def record(number: int, **fields: Any) -> CallRecord:
    """A priced call of the tenant ``acme`` with 10 tokens in and 5 out, for 1,000 nano-dollars."""
    prompt, completion = fields.pop("prompt", 10), fields.pop("completion", 5)
    kinds = {name: fields.pop(name, 0) for name in ("cache_write", "reasoning")}
    tokens = TokenUsage(
        prompt=prompt, completion=completion, total=prompt + completion, cached=0, source="provider", **kinds
    )
    return CallRecord(
        **{
            "timestamp": "2026-11-21T10:00:00.250Z",
            "request_id": f"req_{number:032x}",
            "trace_id": "a" * 32,
            "span_id": "b" * 16,
            "tenant": "acme",
            "key_id": "key000000001",
            "operation": "chat",
            "provider": "mock",
            "model": "m",
            "requested_model": "m",
            "latency_ms": 12.5,
            "token_usage": tokens,
            "status": 200,
            "user": "u-1",
            "cost_nanousd": 1000,
            "reserved_nanousd": 2000,
            **fields,
        }
    )


def line(number: int, **fields: Any) -> bytes:
    return _encode(record(number, **fields)) + b"\n"


def lines(*numbers: int) -> bytes:
    return b"".join(line(number) for number in numbers)


class LogFolder:
    """A request log that others write and rotate."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "gateway.jsonl"
        self._rotations = 0
        folder.mkdir(parents=True, exist_ok=True)

    def append(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)

    def rotate(self, name: str | None = None) -> Path:
        """Rename the present file as the gateway does, or to ``name``."""
        self._rotations += 1
        target = self.path.with_name(name or f"gateway-20261121T10{self._rotations:010d}.jsonl")
        os.rename(self.path, target)
        return target


def ingest(log: LogFolder, database: Database, *, limit_bytes: int = 2_000_000) -> Ingestion:
    """Bring all that the log holds into the database."""
    ingestion = Ingestion(log.path, CallRepository(database))
    run(ingestion, limit_bytes=limit_bytes)
    ingestion.close()
    return ingestion


def run(ingestion: Ingestion, *, limit_bytes: int = 2_000_000) -> None:
    while ingestion.step(limit_bytes, thoroughly=True) is not None:
        pass


def stored(database: Database) -> list[int]:
    """The numbers of the calls in the database."""
    with database.read() as connection:
        ids = connection.execute(select(calls.c.request_id).order_by(calls.c.request_id)).scalars()
        return [int(request_id.removeprefix("req_"), 16) for request_id in ids]


def summed(database: Database) -> tuple[int, int, int]:
    """Calls, tokens in and nano-dollars by the sums by day."""
    sums = (func.coalesce(func.sum(usage_days.c[name]), 0) for name in ("calls", "prompt_tokens", "cost_nanousd"))
    with database.read() as connection:
        found = connection.execute(select(*sums)).one()
        return int(found[0]), int(found[1]), int(found[2])


def unreadable(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.coalesce(func.sum(log_files.c.unreadable), 0))).scalar_one())
