"""The shape of ``traces.capture``: whose texts are kept, of how many calls, and what is taken out of them before."""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

_MAX_PATTERN_CHARS = 500
Pattern = Annotated[str, Field(min_length=1, max_length=_MAX_PATTERN_CHARS)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TenantCaptureSettings(_Section):
    """One tenant's."""

    share: float = Field(ge=0, le=1, description="Share of this tenant's traces whose texts are kept.")


class CaptureSettings(_Section):
    """What people write and models answer, kept in the request log and searchable. Off unless a share is given."""

    share: float = Field(0.0, ge=0, le=1, description="Share of the traces of tenants that are not listed.")
    tenants: dict[str, TenantCaptureSettings] = Field({}, max_length=10_000, description="By tenant: `{share: 0.1}`.")
    redact: list[Pattern] = Field(
        [], max_length=100, description="Regular expressions; what they match is written as `[redacted]`."
    )
    redact_known: bool = Field(
        True, description="Take out e-mail addresses, telephone and card numbers, keys and tokens as well."
    )
    max_kilobytes: int = Field(32, ge=1, le=1000, description="What is kept of one message or answer, in characters.")

    @field_validator("redact")
    @classmethod
    def _are_expressions(cls, value: list[str]) -> list[str]:
        for pattern in value:
            try:
                found = re.compile(pattern)
            except re.error as exc:
                raise ValueError(f"{pattern!r} is no regular expression: {exc}") from exc
            if found.match(""):
                raise ValueError(f"{pattern!r} matches an empty text; it would take out nothing, everywhere")
        return value

    def share_of(self, tenant: str) -> float:
        known = self.tenants.get(tenant)
        return self.share if known is None else known.share
