"""OFREP, OpenFeature's protocol of remote evaluation: one flag or all that the caller's tenant sees.

Whoever has a key may ask, one for calls too. The context's attribute ``tenant`` is the key's, whatever the body says.
Errors have OFREP's own form. All at once come with an ``ETag``, and 304 where nothing has changed for this context.
Decided in memory: nothing here waits for the database.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from ...flags.condition import Context
from ...flags.decision import Ready, UnitMissing
from ...flags.flag import TARGETING_KEY
from ...flags.table import FlagTable
from ...identity.key import DEFAULT_TENANT
from ..access import Caller
from .roles import Anybody

_JSON = "application/json"
_encode = msgspec.json.Encoder().encode


class _Wrong(Exception):
    def __init__(self, code: str, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


def router(table: FlagTable) -> APIRouter:
    """Routes that run in the event loop: they wait for nothing."""
    routes = APIRouter(prefix="/ofrep/v1", tags=["flags"])

    @routes.post("/evaluate/flags/{key}", summary="Decide one flag")
    async def evaluate(key: Annotated[str, Path(max_length=200)], request: Request, caller: Anybody) -> Response:
        tenant = _tenant(caller)
        ready = table.find(key, tenant)
        try:
            context = _context(await request.body(), tenant)
        except _Wrong as wrong:
            return _answer(400, {"key": key, "errorCode": wrong.code, "errorDetails": wrong.details})
        if ready is None:
            details = f"there is no flag {key!r}"
            return _answer(404, {"key": key, "errorCode": "FLAG_NOT_FOUND", "errorDetails": details})
        found = _decided(table, key, ready, context)
        return _answer(400 if "errorCode" in found else 200, found)

    @routes.post("/evaluate/flags", summary="Decide all flags that the caller sees")
    async def evaluate_all(request: Request, caller: Anybody) -> Response:
        tenant = _tenant(caller)
        try:
            context = _context(await request.body(), tenant)
        except _Wrong as wrong:
            return _answer(400, {"errorCode": wrong.code, "errorDetails": wrong.details})
        flags = [_decided(table, key, ready, context) for key, ready in table.seen(tenant).items()]
        body = _encode({"flags": flags})
        tag = f'"{blake2b(body, digest_size=16).hexdigest()}"'
        known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
        if tag in known or "*" in known:
            return Response(status_code=304, headers={"etag": tag})
        return Response(body, media_type=_JSON, headers={"etag": tag})

    return routes


def _decided(table: FlagTable, key: str, ready: Ready, context: Context) -> dict[str, Any]:
    try:
        decision = ready.decide(context)
    except UnitMissing as exc:
        return {"key": key, "errorCode": "TARGETING_KEY_MISSING", "errorDetails": str(exc)}
    table.exposures.note(key, decision)
    found = {"key": key, "reason": decision.reason, "variant": decision.variant, "value": decision.value}
    return {**found, "metadata": {"rule": decision.rule} if decision.rule else {}}


def _context(body: bytes, tenant: str) -> Mapping[str, Any]:
    try:
        sent = msgspec.json.decode(body) if body else {}
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise _Wrong("PARSE_ERROR", f"the body is not valid JSON: {exc}") from exc
    context = sent.get("context", {}) if isinstance(sent, dict) else None
    if not isinstance(context, dict):
        raise _Wrong("INVALID_CONTEXT", 'the body is an object such as {"context": {"targetingKey": "alice"}}')
    unit = context.get(TARGETING_KEY)
    if unit is not None and not isinstance(unit, str):
        raise _Wrong("INVALID_CONTEXT", f"context.{TARGETING_KEY}: {str(unit)[:100]!r}: a text")
    return {**context, "tenant": tenant}


def _tenant(caller: Caller) -> str:
    return caller.key.tenant if caller.key is not None else caller.tenant or DEFAULT_TENANT


def _answer(status: int, value: Any) -> Response:
    return Response(_encode(value), status_code=status, media_type=_JSON)
