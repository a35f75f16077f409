"""Token log probabilities, between the form of Responses and that of Chat Completions (the neutral one)."""

from typing import Any

import msgspec

from ...errors import UpstreamBroken


class TopLogprob(msgspec.Struct):
    token: str | None = None
    logprob: float | None = None
    bytes: list[int] | None = None


class Logprob(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] | None = None


class _ChatLogprobs(msgspec.Struct):
    content: list[Logprob] | None = None


def to_chat(logprobs: list[Logprob]) -> dict[str, Any] | None:
    return {"content": [_plain(entry) for entry in logprobs], "refusal": None} if logprobs else None


def from_chat(logprobs: Any) -> list[dict[str, Any]]:
    if logprobs is None:
        return []
    try:
        found = msgspec.convert(logprobs, _ChatLogprobs).content
    except msgspec.ValidationError as exc:
        raise UpstreamBroken(f"the upstream's logprobs are not understood: {exc}") from exc
    return [_plain(entry) for entry in found or ()]


def _plain(entry: Logprob) -> dict[str, Any]:
    tops = [
        _token(top.token, top.logprob, top.bytes)
        for top in entry.top_logprobs or ()
        if top.token is not None and top.logprob is not None
    ]
    return {**_token(entry.token, entry.logprob, entry.bytes), "top_logprobs": tops}


def _token(token: str, logprob: float, octets: list[int] | None) -> dict[str, Any]:
    """Responses wants the bytes always; Chat Completions may leave them out."""
    octets = octets if octets is not None else list(token.encode("utf-8", "surrogatepass"))
    return {"token": token, "logprob": logprob, "bytes": octets}
