"""Whether a text is the JSON that a call demands: any object, or one that fits the caller's JSON Schema.

A schema is the caller's text: it may not make the gateway fetch anything, nor match in exponential time.
"""

from collections import OrderedDict
from collections.abc import Callable

import jsonschema_rs
import msgspec

from .errors import InvalidRequest
from .types import OutputContract

_MAX_KEPT = 256
Check = Callable[[str], bool]


class OutputChecks:
    """Compiled checks by contract, the most recently used kept."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes | None, Check] = OrderedDict()

    def of(self, contract: OutputContract) -> Check:
        """Raises `InvalidRequest` for a schema that cannot be used."""
        check = self._kept.get(contract.schema)
        if check is None:
            check = _compile(contract)
            self._kept[contract.schema] = check
            if len(self._kept) > _MAX_KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(contract.schema)
        return check


def _compile(contract: OutputContract) -> Check:
    if contract.schema is None:
        return _is_json_object
    try:
        validator = jsonschema_rs.validator_for(
            msgspec.json.decode(contract.schema), retriever=_refuse, pattern_options=jsonschema_rs.RegexOptions()
        )
    except (ValueError, TypeError, jsonschema_rs.ReferencingError) as exc:
        raise InvalidRequest(
            f"the JSON schema of the requested output is not usable: {exc}", param="response_format"
        ) from exc

    def check(text: str) -> bool:
        try:
            return bool(validator.is_valid(msgspec.json.decode(text)))
        except (msgspec.DecodeError, RecursionError):
            return False

    return check


def _refuse(uri: str) -> None:
    raise ValueError(f"it refers to {uri!r}, and references to other documents are not followed")


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except (msgspec.DecodeError, RecursionError):
        return False
