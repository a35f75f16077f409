"""The shape of an entry of ``exports``: another tool that gets traces and scores, and what it gets of them."""

import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

ExportKind = Literal["otlp", "langfuse", "mlflow"]
_OWN = ("host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")


class ExportSettings(BaseModel):
    """Another tool that gets traces and scores, after they are stored here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$", description="Unique; what has been sent is remembered under it."
    )
    kind: ExportKind = Field(description="`otlp`: any OpenTelemetry collector.")
    endpoint: str = Field(
        min_length=1,
        max_length=500,
        description="Its address, e.g. `http://localhost:4318`; the path of its interface is added.",
    )
    headers: dict[str, str] = Field({}, max_length=50, description="Sent with every request.")
    headers_env: dict[str, str] = Field(
        {}, max_length=50, description="Headers whose values are in variables, e.g. `{Authorization: OTLP_AUTH}`."
    )
    public_key: str | None = Field(None, min_length=1, max_length=200, description="Langfuse only: `pk-lf-…`.")
    secret_key_env: str = Field(
        "LANGFUSE_SECRET_KEY", min_length=1, description="Langfuse only: the variable that holds `sk-lf-…`."
    )
    experiment: str = Field("0", pattern=r"^\d{1,40}$", description="MLflow only: the id of the experiment.")
    tenants: list[str] = Field([], max_length=1000, description="Only what belongs to these; empty: all.")
    sample: float = Field(1.0, ge=0, le=1, description="Share of traces that are sent, chosen by their ids.")
    content: bool = Field(False, description="Send captured texts as well; otherwise they are masked.")
    scores: bool = Field(True, description="Send scores as well.")
    timeout_seconds: float = Field(10.0, gt=0, le=300, description="Time for one request.")
    spans_per_request: int = Field(500, ge=1, le=10_000, description="At most so many spans in one request.")
    max_backlog_megabytes: int = Field(
        1000, ge=1, le=1_000_000, description="What may wait on disk for it; beyond, the oldest is dropped and counted."
    )
    max_age_hours: float = Field(
        24.0, gt=0, le=8760, description="What has waited longer is dropped and counted instead of sent."
    )

    @field_validator("endpoint")
    @classmethod
    def _is_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{value!r} is not an http:// or https:// address")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("an address carries no credentials, query or fragment; use headers_env")
        if not (value.isascii() and value.isprintable() and " " not in value):
            raise ValueError("holds a character that cannot stand in a URL; percent-encode it")
        return value.rstrip("/")

    @field_validator("headers", "headers_env")
    @classmethod
    def _are_headers(cls, value: dict[str, str]) -> dict[str, str]:
        for name, content in value.items():
            if _HEADER.fullmatch(name) is None:
                raise ValueError(f"{name!r} is not a header name")
            if name.lower() in _OWN:
                raise ValueError(f"{name!r} is the gateway's own")
            if not (content.isascii() and content.isprintable()):
                raise ValueError(f"the value of {name!r} holds characters that no header can")
        return value

    @model_validator(mode="after")
    def _fits_kind(self) -> "ExportSettings":
        if (self.kind == "langfuse") != (self.public_key is not None):
            raise ValueError("public_key goes with kind 'langfuse', which needs it")
        return self
