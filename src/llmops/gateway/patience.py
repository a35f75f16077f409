"""How long a caller waits: ``X-Request-Timeout-Ms`` (or ``grpc-timeout``) for the call, and ``X-LLMOps-Stage`` with
``X-LLMOps-Stage-Timeout-Ms`` for one stage of the caller's own work."""

from ..resilience.deadline import GRPC_TIMEOUT, STAGE, STAGE_TIMEOUT, TIMEOUT, read_wish
from ..types import Call


def read_patience(headers: dict[bytes, bytes], call: Call) -> None:
    """Set the call's limits; `InvalidRequest` for what cannot be meant. Costs four look-ups where there are none."""
    if TIMEOUT in headers or STAGE in headers or STAGE_TIMEOUT in headers or GRPC_TIMEOUT in headers:
        wish = read_wish(headers)
        call.timeout_s, call.stage, call.stage_timeout_s = wish.total_s, wish.stage, wish.stage_s
