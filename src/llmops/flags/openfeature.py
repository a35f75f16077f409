"""An OpenFeature provider over flags in memory, for programs that run the stack in-process::

    from openfeature import api
    from llmops.flags.openfeature import LLMOpsProvider

    api.set_provider(LLMOpsProvider(table, tenant="acme"))

Needs the package ``openfeature-sdk``. Programs elsewhere use OpenFeature's own OFREP provider against the gateway.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagResolutionDetails
from openfeature.provider import AbstractProvider, Metadata

from .decision import UnitMissing
from .flag import TARGETING_KEY
from .table import FlagTable

_KINDS: Mapping[type, str] = {bool: "boolean", str: "string"}


class LLMOpsProvider(AbstractProvider):
    """Decides for one ``tenant``, whose attribute ``tenant`` it sets."""

    def __init__(self, table: FlagTable, *, tenant: str = "default") -> None:
        super().__init__()
        self._table = table
        self._tenant = tenant

    def get_metadata(self) -> Metadata:
        return Metadata(name="llmops")

    def get_provider_hooks(self) -> list[Any]:
        return []

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        return self._resolve(flag_key, default_value, evaluation_context, bool)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        return self._resolve(flag_key, default_value, evaluation_context, str)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        return self._resolve(flag_key, default_value, evaluation_context, int)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        return self._resolve(flag_key, default_value, evaluation_context, int, float)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[Any] | Mapping[str, Any],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Any]:
        return self._resolve(flag_key, default_value, evaluation_context, dict, list)

    def _resolve(
        self, key: str, default: Any, context: EvaluationContext | None, *kinds: type
    ) -> FlagResolutionDetails[Any]:
        given: dict[str, Any] = dict(context.attributes) if context is not None else {}
        if context is not None and context.targeting_key:
            given[TARGETING_KEY] = context.targeting_key
        try:
            decision = self._table.decide(key, self._tenant, {**given, "tenant": self._tenant})
        except UnitMissing as exc:
            return _failed(default, ErrorCode.TARGETING_KEY_MISSING, str(exc))
        if decision is None:
            return _failed(default, ErrorCode.FLAG_NOT_FOUND, f"there is no flag {key!r}")
        value = decision.value
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            wanted = " or ".join(_KINDS.get(kind, kind.__name__) for kind in kinds)
            return _failed(default, ErrorCode.TYPE_MISMATCH, f"the flag {key!r} is at {value!r}, which is no {wanted}")
        return FlagResolutionDetails(value=value, variant=decision.variant, reason=decision.reason)


def _failed(default: Any, code: ErrorCode, why: str) -> FlagResolutionDetails[Any]:
    return FlagResolutionDetails(value=default, error_code=code, error_message=why, reason="ERROR")
