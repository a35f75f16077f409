"""Anthropic's token counting: ``POST /v1/messages/count_tokens``, a Messages request that is counted and not answered.

Counts are facts of one model's tokenizer, so there is no translation to another provider and no stream: a
`ClientDialect`, not a whole `Dialect`. A count costs nothing: the outcome's usage stays `NO_USAGE`.
"""

from typing import Annotated

import msgspec

from ..errors import UpstreamBroken
from ..types import Outcome
from .dialect import patch_fields
from .messages import errors
from .messages.request_reader import read_counted
from .messages.view import view_counted


class _Count(msgspec.Struct):
    input_tokens: Annotated[int, msgspec.Meta(ge=0)]


_COUNT = msgspec.json.Decoder(_Count)


class CountTokensDialect:
    """The dialect of ``/v1/messages/count_tokens``."""

    name = "count_tokens"

    view = staticmethod(view_counted)
    read_request = staticmethod(read_counted)
    read_error = staticmethod(errors.read_error)
    write_error = staticmethod(errors.write_error)

    def patch(self, body: bytes, model: str, *, ask_usage: bool) -> bytes:
        return patch_fields(body, {"model": model})

    def tap_reply(self, body: bytes, outcome: Outcome) -> None:
        """Check that ``body`` is a count; there is nothing to note."""
        try:
            _COUNT.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise UpstreamBroken(f"the upstream's answer is not a token count: {exc}", upstream_status=200) from exc

    def write_reply(self, tokens: int) -> bytes:
        return msgspec.json.encode({"input_tokens": tokens})


__all__ = ["CountTokensDialect"]
