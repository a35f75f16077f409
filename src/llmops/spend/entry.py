"""The lines of the ledger's journal: a reservation before a call goes upstream, and its settlement when it has ended.

A settlement is the line of the request log itself, which reaches the journal a moment before the log. A journal begins
with an `Opened`, which says where the log stood, so that a recovery need not read all of it.
"""

import msgspec


class Opened(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="opened"):
    """When the journal was begun, and the request log's file (by inode) and size then: what the journal settles is
    logged behind that place, if at all."""

    at_s: float
    log_inode: int
    log_size: int


class Reserved(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="reserved", omit_defaults=True, gc=False
):
    """A call that is about to go upstream, and what it is expected to use. ``nanousd`` None: no known price."""

    request_id: str
    trace_id: str
    span_id: str
    at_s: float
    tenant: str
    key_id: str | None = None
    user: str | None = None
    operation: str
    model: str
    requested_model: str
    tags: dict[str, str] = {}
    prompt_version: str | None = None
    release_id: str | None = None
    stream: bool = False
    prompt_tokens: int
    completion_tokens: int
    nanousd: int | None = 0


Entry = Opened | Reserved
