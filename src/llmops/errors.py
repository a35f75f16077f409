"""The error tree: everything that can go wrong with a call, each class with its HTTP status and wire code.

::

    LLMOpsError
    ├── ConfigError                 the configuration cannot be used; the start stops, a reload is refused
    ├── PortTaken                   the address cannot be bound; the start stops
    ├── RequestError                the caller can mend it
    │   ├── InvalidRequest          400  malformed or impossible request
    │   │   └── UnsupportedParameter 400  the chosen deployment cannot carry a parameter
    │   ├── Unauthenticated         401  no key, or none that is valid
    │   ├── Forbidden               403  a valid key that may not do this
    │   ├── NotFound                404  no such object, or not the caller's
    │   ├── Conflict                409  it exists already, or has changed meanwhile
    │   ├── UnknownRoute            404  no such path
    │   ├── UnknownModel            404  no such model here
    │   ├── MethodNotAllowed        405  the path is called with another method
    │   ├── BodyTooLarge            413  more than server.body_limit_bytes
    │   ├── UnsupportedMediaType    415  a content type or encoding that is not understood here
    │   └── HeadersTooLarge         431  one more than server.header_limit_bytes, or all more than four times that
    ├── LimitReached                429  a limit of the caller's is used up; nothing was sent upstream
    ├── BudgetExceeded              402  a hard budget has too little left for the call
    ├── UpstreamError               the provider failed; nothing the caller did
    │   ├── UpstreamUnreachable     502  no connection
    │   ├── UpstreamBroken          502  an answer that is not one: HTML, garbage, cut short
    │   ├── UpstreamCredential      502  the provider refused the gateway's own credential
    │   ├── UpstreamUnavailable     503  the provider says it cannot serve now (5xx, overloaded)
    │   ├── UpstreamTimeout         504  no answer in time
    │   ├── UpstreamRateLimited     429  the provider asks to slow down
    │   └── UpstreamRejected        4xx  the provider refused this request; its status and words are kept
    ├── DeadlineExceeded            504  the caller's own time was over before an attempt could be made
    ├── NotCached                   504  only a kept answer was wanted, and there is none
    ├── StoreUnavailable            503  the database does not answer; calls go on without it
    ├── Overloaded                  503  the gateway has too much to do; nothing of the call was read
    ├── Draining                    503  the gateway is shutting down
    ├── ClientDisconnected          499  the caller left; recorded, never sent
    └── InternalError               500  a defect of ours, caught at the border and recorded

``retryable`` says whether the same call may succeed elsewhere or later; ``kind`` is the family that dialects map
to their own error types.
"""

import copy
from typing import TYPE_CHECKING, ClassVar, Literal, Self

if TYPE_CHECKING:
    from .types import Headroom

Kind = Literal[
    "invalid_request",
    "authentication",
    "permission",
    "not_found",
    "too_large",
    "rate_limit",
    "billing",
    "upstream",
    "overloaded",
    "timeout",
    "internal",
]


class LLMOpsError(Exception):
    """Base of all errors that this package raises on purpose."""

    status: int = 500
    code: ClassVar[str] = "internal_error"
    kind: Kind = "internal"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s

    def again(self) -> Self:
        """A copy to be raised by whoever keeps this one: raising the kept one itself would tie it, by its traceback, to
        the frame and so to its keeper, and all that they hold would wait for the collector."""
        return copy.copy(self)


class ConfigError(LLMOpsError):
    """The configuration is unusable. ``problems`` holds one line per finding: key, value, what would be right."""

    code = "config_error"

    def __init__(self, problems: list[str], *, source: str = "configuration") -> None:
        super().__init__(f"{source} cannot be used:\n" + "\n".join(f"  - {problem}" for problem in problems))
        self.problems = problems


class PortTaken(LLMOpsError):
    """The address cannot be bound; the message says by whom it may be taken and how to choose another."""

    code = "port_taken"


class RequestError(LLMOpsError):
    """The request is at fault; sending it again unchanged will fail again."""

    status = 400
    code = "invalid_request"
    kind: Kind = "invalid_request"


class InvalidRequest(RequestError):
    """Malformed JSON, a wrong type, a missing or impossible value."""


class UnsupportedParameter(InvalidRequest):
    """The deployment behind this model speaks another dialect, which cannot carry the named parameters."""

    code = "unsupported_parameter"


class Unauthenticated(RequestError):
    """Says nothing about which part of a credential was wrong."""

    status = 401
    code = "invalid_api_key"
    kind = "authentication"


class Forbidden(RequestError):
    status = 403
    code = "forbidden"
    kind = "permission"


class NotFound(RequestError):
    """Also said of what belongs to another tenant: whether it exists is none of the caller's business."""

    status = 404
    code = "not_found"
    kind = "not_found"


class Conflict(RequestError):
    status = 409
    code = "conflict"


class UnknownRoute(RequestError):
    status = 404
    code = "unknown_url"
    kind = "not_found"


class UnknownModel(RequestError):
    status = 404
    code = "model_not_found"
    kind = "not_found"


class MethodNotAllowed(RequestError):
    status = 405
    code = "method_not_allowed"


class BodyTooLarge(RequestError):
    status = 413
    code = "request_too_large"
    kind = "too_large"


class UnsupportedMediaType(RequestError):
    status = 415
    code = "unsupported_media_type"


class HeadersTooLarge(RequestError):
    status = 431
    code = "headers_too_large"
    kind = "too_large"


class LimitReached(LLMOpsError):
    """The message names the limit. ``retry_after_s`` None: waiting does not help, the call itself is too large."""

    status = 429
    code = "rate_limit_exceeded"
    kind = "rate_limit"
    retryable = True

    def __init__(self, message: str, *, retry_after_s: float | None = None, headroom: "Headroom | None" = None) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.headroom = headroom


class BudgetExceeded(LLMOpsError):
    status = 402
    code = "budget_exceeded"
    kind = "billing"


class UpstreamError(LLMOpsError):
    """The provider failed. ``upstream_status`` is what it answered, None where there was no answer."""

    status = 502
    code = "upstream_error"
    kind: Kind = "upstream"
    retryable = True
    was_sent: ClassVar[bool] = True
    """Whether the request may have reached the provider."""

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
        upstream_status: int | None = None,
    ) -> None:
        super().__init__(message, param=param, retry_after_s=retry_after_s)
        self.upstream_status = upstream_status


class UpstreamUnreachable(UpstreamError):
    code = "upstream_unreachable"
    was_sent = False


class UpstreamBroken(UpstreamError):
    code = "upstream_broken"


class UpstreamCredential(UpstreamError):
    """401 or 403 from the provider: the gateway's credential, not the caller's, so the caller sees a 502."""

    code = "upstream_credential"
    retryable = False


class UpstreamUnavailable(UpstreamError):
    status = 503
    code = "upstream_unavailable"
    kind = "overloaded"


class UpstreamTimeout(UpstreamError):
    status = 504
    code = "upstream_timeout"
    kind = "timeout"


class UpstreamRateLimited(UpstreamError):
    status = 429
    code = "upstream_rate_limited"
    kind = "rate_limit"


class UpstreamRejected(UpstreamError):
    """The provider calls the request wrong. Its status and message reach the caller unchanged."""

    code = "upstream_rejected"
    kind: Kind = "invalid_request"
    retryable = False

    def __init__(
        self, message: str, *, upstream_status: int, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message, param=param, upstream_status=upstream_status)
        self.status = upstream_status
        self.upstream_code = code
        if upstream_status == 404:
            self.kind = "not_found"
        elif upstream_status == 413:
            self.kind = "too_large"


class DeadlineExceeded(LLMOpsError):
    status = 504
    code = "deadline_exceeded"
    kind = "timeout"


class NotCached(LLMOpsError):
    """The status is HTTP's own for ``only-if-cached`` (RFC 9111, 5.2.1.7)."""

    status = 504
    code = "not_cached"
    kind = "invalid_request"


class StoreUnavailable(LLMOpsError):
    status = 503
    code = "store_unavailable"
    kind = "overloaded"
    retryable = True


class Overloaded(LLMOpsError):
    """This process turns calls away so that those under way are answered in time."""

    status = 503
    code = "overloaded"
    kind = "overloaded"
    retryable = True


class Draining(LLMOpsError):
    status = 503
    code = "draining"
    kind = "overloaded"
    retryable = True


class ClientDisconnected(LLMOpsError):
    status = 499
    code = "client_disconnected"


class InternalError(LLMOpsError):
    """Raised only at a named border, from the unexpected exception that it wraps."""


def internal_error() -> InternalError:
    """What a caller is told of a defect: nothing but where its operator finds the cause."""
    return InternalError(
        "the gateway failed on this call; the operator finds the cause in its log under this request id"
    )
