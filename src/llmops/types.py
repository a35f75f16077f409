"""The values that travel through the pipeline: a `Call` goes in, a `Reply` comes out.

The unit of composition is the model call, not HTTP. A policy wraps the next handler and may read or set any field
here; what one policy must tell another is a field on `Call` or `Reply`, never an import.
"""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Literal, Protocol, Self

import msgspec

Operation = Literal["chat", "responses", "messages", "count_tokens", "embeddings"]
"""What a client asks for; each operation is one path of the data plane and one wire dialect."""

Handler = Callable[["Call"], Awaitable["Reply"]]
Policy = Callable[[Handler], Handler]

Priority = Literal["low", "normal", "high"]
UsageSource = Literal["provider", "estimated", "none"]


class Usage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Tokens of one call. ``prompt`` includes ``cached``, ``cache_write`` and ``prompt_audio``; ``completion`` includes
    ``reasoning`` and ``completion_audio``; ``cached`` includes ``cached_audio``, ``cache_write`` ``cache_write_1h``."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0
    prompt_audio: int = 0
    cached_audio: int = 0
    completion_audio: int = 0
    cache_write_1h: int = 0
    source: UsageSource = "provider"

    @property
    def total(self) -> int:
        return self.prompt + self.completion


NO_USAGE = Usage(source="none")


class OutputContract(msgspec.Struct, frozen=True, gc=False):
    """What the caller demands of the answer's text: any JSON object, or JSON that fits ``schema`` (JSON Schema)."""

    schema: bytes | None = None


class MessageView(msgspec.Struct, frozen=True, gc=False):
    """One message as the request log sees it: its role and what is hashed. ``content`` is never stored as it is."""

    role: str
    content: bytes
    length: int


class PromptWish(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt of the registry that a request names instead of, or beside, its messages. ``which`` is a version's
    number or a label, ``fallback`` what will do where that is missing; None: as the settings say."""

    name: str
    which: int | str | None = None
    fallback: int | str | None = None
    variables: dict[str, Any] = {}


class RequestView(msgspec.Struct, kw_only=True, gc=False):
    """The few fields of a request that policies need, whatever its dialect."""

    model: str
    stream: bool = False
    wants_usage: bool = False
    """A stream whose client itself asked for the usage event."""
    max_tokens: int | None = None
    user: str | None = None
    cache_key: str | None = None
    """What the prompts that share a beginning have in common, for a provider's prompt cache."""
    output: OutputContract | None = None
    messages: list[MessageView] = []
    choices: int = 1
    """How many alternatives are asked for."""
    prompt: PromptWish | None = None
    """Until it has been put in; before, ``model`` may be empty and messages missing: the prompt brings them."""


class Rates(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A model's prices as they are published: USD per million tokens, ``per_request`` USD per call.

    A kind of token without a rate of its own costs what its wider kind does: cached and cache-written input and audio
    as ``input``, ``cache_write_1h`` as ``cache_write``, ``cached_audio`` as ``input_audio`` or else ``cached_input``,
    audio and reasoning in the answer as ``output``.
    """

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    input_audio: Decimal | None = None
    cached_audio: Decimal | None = None
    output_audio: Decimal | None = None
    reasoning: Decimal | None = None
    per_request: Decimal = Decimal(0)


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one exchange in seconds: to connect, to the whole head of the answer, between chunks, in total."""

    connect_s: float = 5.0
    first_byte_s: float = 60.0
    idle_s: float = 30.0
    total_s: float = 600.0


class Provider(Protocol):
    """Speaks one provider's wire and translates its errors into the `UpstreamError` family.

    ``send`` returns a complete reply, or a streaming one once its first content-bearing event has been seen.
    Both are in the dialect of the call, whatever the provider speaks.
    """

    @property
    def name(self) -> str: ...

    async def send(self, call: "Call") -> "Reply": ...


class Deployment(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One concrete place a call can go: provider + base URL + model name, under a name unique in the configuration.

    The provider holds the secret, bound to its base URL. ``model`` None passes the client's model name on.
    """

    name: str
    provider: Provider
    model: str | None
    base_url: str = ""
    has_secret: bool = False
    fingerprint: str = ""
    """Of the place and its credential: deployments of other processes with the same one share their health."""
    weight: float = 1.0
    rank: int = 0
    """Deployments of a higher rank get calls only when none of a lower one is to be had."""
    timeouts: Timeouts = Timeouts()
    rates: Rates | None = None
    """What its calls cost, where the configuration says so."""

    def upstream_model(self, requested: str) -> str:
        return self.model or requested


class CacheWish(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a caller asks of the cache, in the words of HTTP's ``Cache-Control``."""

    reads: bool = True
    """False (``no-cache``): an answer of today is wanted; it is kept for others."""
    writes: bool = True
    """False (``no-store``): neither read nor kept."""
    max_age_s: float | None = None
    """Answers older than that will not do."""
    only: bool = False
    """``only-if-cached``: rather nothing than a call upstream."""
    ttl_s: float | None = None
    """How long this answer may be kept, where that differs from the configuration."""


NO_WISH = CacheWish()

CacheState = Literal["hit", "shared", "partial", "semantic", "stale", "miss", "bypass"]
"""What the cache did for a call. ``shared``: an identical call under way was answered, and this one with it;
``partial``: some of several inputs were known."""


class CacheNote(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the cache has to say of a reply. ``age_s`` of the answer; ``similarity`` and ``verified`` of a semantic
    hit."""

    state: CacheState
    age_s: float = 0.0
    similarity: float | None = None
    verified: str | None = None
    deployment: "Deployment | None" = None
    """Where the answer came from when it was made: tells what it would have cost."""


class Allowance(msgspec.Struct, frozen=True, gc=False):
    """The tightest of the rates that bound a caller: its size, what is left of it, and when it is whole again."""

    limit: int
    remaining: int
    reset_s: float


class Headroom(msgspec.Struct, frozen=True, gc=False):
    """What a caller has left of its rates after this call; None where no rate bounds it."""

    requests: Allowance | None = None
    tokens: Allowance | None = None


SHADOW = "shadow"
"""The arm of a copy: a call that was mirrored to a candidate. It costs money and counts for nothing else: whoever
counts calls, their failures or their times leaves it out. Its key is `shadow_key`: no caller's limits are its own."""

UNMIRRORED = "unmirrored"
"""The arm of a call that should have been mirrored and was not, for want of a place."""


def shadow_key(rollout_id: str) -> str:
    """What copies have for a key, and so what a rollout's budget is kept by."""
    return f"{SHADOW}:{rollout_id}"


class Assignment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Which release of a name a rollout gives a call, as which arm, and how probable that was. ``mirror``: of which
    release a copy of the call is asked as well, which nobody waits for."""

    release_id: str
    arm: str
    probability: float
    rollout_id: str
    mirror: str | None = None


class FailedAttempt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An attempt that came to nothing. ``number`` is its place among the call's attempts, from 1; ``status`` what the
    upstream answered, None where it did not; ``in_doubt``: nobody knows whether the provider did the work."""

    number: int
    deployment: str
    error_type: str
    status: int | None
    latency_s: float
    in_doubt: bool
    began_s: float = 0.0
    """Monotonic, as `Call.started_s`."""


class Call(msgspec.Struct, kw_only=True, eq=False):
    """One request to a model as it travels through the pipeline."""

    operation: Operation
    body: bytes
    view: RequestView

    request_id: str
    trace_id: str
    span_id: str
    parent_span_id: str | None = None
    trace_flags: str = "01"
    tracestate: str | None = None
    started_at_s: float
    started_s: float
    """``started_at_s`` is wall clock, ``started_s`` monotonic."""

    credential: str | None = None
    client_ip: str | None = None
    allow_dropped: bool = False

    tenant: str = "default"
    key_id: str | None = None
    check_model: Callable[[str], None] | None = None
    """Set where the request leaves the model to its prompt: raises for one that the caller may not use."""
    prompt_version: str | None = None
    named_prompt: str | None = None
    """The prompt that the request itself asked for by its name, once it is put in."""
    release_id: str | None = None
    rollout_id: str | None = None
    arm: str | None = None
    probability: float | None = None
    """Of the assignment to the arm, where a rollout made one."""
    flags: dict[str, str] = {}
    """The variants of feature flags that the caller says the call is made under."""
    model: str | None = None
    """The configured name that matched the requested model; bounded, so it may be a metric's label."""
    deployment: Deployment | None = None
    attempts: int = 0
    failed: tuple[FailedAttempt, ...] = ()
    """The attempts that failed, also the last one of a call that did."""
    spent: Usage | None = None
    """What attempts used whose answers were not handed over: they were paid for all the same."""
    keep_text: bool = False
    """Set by a policy that needs the answer's text: a stream's text is then collected in `Outcome.text`."""
    tags: dict[str, str] = {}
    """What the caller says the call is for: budgets and usage are kept by it."""
    priority: Priority = "normal"
    timeout_s: float | None = None
    """What the caller gives the call in total, from its arrival on."""
    stage: str | None = None
    stage_timeout_s: float | None = None
    """A stage of the caller's own work, and what it may take."""
    timeouts: Timeouts | None = None
    """The limits of the present attempt, where they are shorter than its deployment's own."""
    knowledge: str | None = None
    """The knowledge base and its version that the caller put into the prompt; answers are kept apart by it."""
    cache: CacheWish | None = None
    """What the caller asks of the cache; None: nothing in particular."""
    cache_namespace: str | None = None
    """Answers are given only to calls of the same namespace, which the caller names; None: the tenant's common one."""
    outlives_client: bool = False
    """The call goes to its end, and its answer to the cache, even if the caller leaves before."""
    fingerprint: bytes | None = None
    """What makes it the same question as another call, where a cache has looked."""
    may_degrade: bool = True
    """False: rather an error than a last resort."""
    degraded: str | None = None
    """Which last resort answered: ``stale``, ``model:<name>`` or ``template``."""
    asked: str | None = None
    """The model that the client asked for, where a release or a last resort has put another into ``view`` and
    ``body``."""
    body_model: str | None = None
    """The model that ``body`` names, where a release has put another into ``view`` alone: an upstream's own name is
    written over it anyhow."""
    headroom: "Headroom | None" = None
    """Set where limits apply to the call: what its caller has left."""
    dropped: list[str] = []
    """Parameters that the target dialect could not carry and that the caller allowed to be dropped; and, as
    ``reply.…``, what of the answer the caller's dialect could not."""
    session: str | None = None
    """The conversation that the caller says the call is part of."""
    capture: bool = False
    """Set by the policy that decides whose texts are kept in the log."""
    entered_s: float = 0.0
    authorised_s: float = 0.0
    admitted_s: float = 0.0
    looked_up_s: float = 0.0
    attempted_s: float = 0.0
    """When the call was read and entered the pipeline, when its key, its limits and the cache had been seen to, and
    when its latest attempt began; monotonic, 0 for what it has not come to. Its trace is made of these."""


class Outcome(msgspec.Struct, kw_only=True, eq=False, gc=False):
    """What a reply turned out to be. For a stream it fills while the stream flows and is final at its end."""

    usage: Usage = NO_USAGE
    finish_reason: str | None = None
    model: str | None = None
    """The model's name as the provider reports it."""
    upstream_id: str | None = None
    output_chars: int = 0
    """Characters of output seen so far, for the estimate where the provider reports no usage."""
    text: str | None = None
    """The first choice's text, where it was decoded anyway or `Call.keep_text` asked for it."""
    first_content_s: float | None = None
    """Monotonic time of the first content-bearing event (a stream) or of the complete body."""


class ReplyStream(Protocol):
    """Whole server-sent events as bytes. Whoever holds one reads it to its end or calls ``aclose``, which may be
    called at any time, more than once, and before the first item; it cancels the upstream's work."""

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> bytes: ...

    async def aclose(self) -> None: ...


class Reply(msgspec.Struct, kw_only=True, eq=False):
    """An answer in the dialect of its call: a complete ``body``, or a ``stream`` of whole server-sent events.

    A streaming reply is handed up only once its first content-bearing event has been seen, so a reply that exists is
    committed; what fails before is raised, what fails after is raised out of ``stream``.
    """

    status: int = 200
    body: bytes = b""
    stream: ReplyStream | None = None
    headers: list[tuple[bytes, bytes]] = []
    outcome: Outcome
    cached: bool = False
    """Nothing was asked of an upstream for this reply: it settles at zero."""
    cache: CacheNote | None = None
    """None where there is no cache."""
    json_valid: bool | None = None
