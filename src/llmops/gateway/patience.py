"""How long a caller waits: ``X-Request-Timeout-Ms`` (or ``grpc-timeout``) for the call, and ``X-LLMOps-Stage`` with
``X-LLMOps-Stage-Timeout-Ms`` for one stage of the caller's own work; and what becomes of the call when the caller
leaves: ``x-llmops-on-disconnect: cancel | finish``."""

from ..errors import InvalidRequest
from ..resilience.deadline import GRPC_TIMEOUT, STAGE, STAGE_TIMEOUT, TIMEOUT, read_wish
from ..types import Call

ON_DISCONNECT = b"x-llmops-on-disconnect"


def read_patience(headers: dict[bytes, bytes], call: Call) -> None:
    """Set the call's limits; `InvalidRequest` for what cannot be meant. Costs five look-ups where there are none."""
    on_disconnect = headers.get(ON_DISCONNECT)
    if on_disconnect is not None:
        if on_disconnect.strip().lower() not in (b"finish", b"cancel"):
            raise InvalidRequest(f"x-llmops-on-disconnect must be finish or cancel, not {on_disconnect[:40]!r}")
        call.outlives_client = on_disconnect.strip().lower() == b"finish"
    if TIMEOUT in headers or STAGE in headers or STAGE_TIMEOUT in headers or GRPC_TIMEOUT in headers:
        wish = read_wish(headers)
        call.timeout_s, call.stage, call.stage_timeout_s = wish.total_s, wish.stage, wish.stage_s
