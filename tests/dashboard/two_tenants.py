"""Two tenants with rows of every kind: ``acme``, whose every word would act on its reader if it could, and ``zebra``,
whose every word has ``zebra`` in it. Neither may act, and the second's may not be seen by the first.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from llmops.opening import open_identity
from llmops.telemetry.assessments.assessment import assessment_of
from llmops.telemetry.assessments.repository.assessments import AssessmentRepository
from tests.dashboard import evals_site
from tests.dashboard.changing import send
from tests.dashboard.conftest import Site, dashboard, serving
from tests.fakes.gateway import settings_for
from tests.serving import until
from tests.spend.usage.logs import LogFolder, line

EVIL = (
    '<img src="http://evil.example/x.png" onerror="alert(1)"><script>alert(2)</script>'
    "![x](http://evil.example/y.png) **b** $x$ :red[r] \u202egpj.exe"
)
"""What acme calls everything."""
MARK = "zebra"
TRACE, OTHERS_TRACE = "ab" * 16, "cd" * 16
CALLS = 12
_LONG = 1_000_000
_MOST_SENT = 240_000
"""The control plane takes a megabyte a request, and less of most things."""
_LARGE_FIELDS = ("model", "requested_model", "user", "session", "prompt_version", "error_type", "release_id")
"""Each of which is a megabyte in one of acme's calls."""


def config() -> dict[str, Any]:
    """Rules of both."""
    watched = {"kind": "success_rate", "threshold": {"warning": 0.999}, "min_events": 1, "window_seconds": 7200}
    return {
        "models": {"mock-1": {"deployments": [{"provider": "mock"}]}},
        "log": {"flush_milliseconds": 5},
        "budgets": [
            {"name": f"{tenant} month", "usd": 5, "window": "month", "where": {"tenant": tenant}}
            for tenant in ("acme", MARK)
        ],
        "limits": {
            "rules": [
                {"name": f"{tenant} pace", "requests_per_minute": 60, "where": {"tenant": tenant}}
                for tenant in ("acme", MARK)
            ]
        },
        "slos": [
            {"name": f"{tenant}-answers", "objective": "availability", "target": 0.99, "where": {"tenant": tenant}}
            for tenant in ("acme", MARK)
        ],
        "alerts": {
            "interval_seconds": 0.3,
            "rules": [
                {"name": "by-tenant", **watched, "per": ["tenant"]},
                {"name": f"{MARK}-rule", **watched, "where": {"tenant": MARK}},
            ],
            "receivers": [{"name": f"{MARK}-ops", "tenant": MARK, "kind": "webhook", "url": "http://127.0.0.1:9/x"}],
        },
    }


@contextmanager
def two_tenants(folder: Path) -> Iterator[Site]:
    """Keys: ``acme viewer``, ``acme caller``, ``zebra caller``, ``zebra editor``, ``admin``."""
    keys = _stored(folder)
    with ExitStack() as stack:
        gateway = stack.enter_context(serving(folder, config()))
        site = Site(gateway, "", folder, keys)
        for tenant, trace in (("acme", TRACE), (MARK, OTHERS_TRACE)):
            send(site, "POST", "/v1/traces", _spans(trace, _word(tenant)), f"{tenant} caller")
            _acted(site, tenant)
            _registered(site, tenant)
        until(lambda: site.ask("/api/overview", "admin")["totals"]["calls"] >= 2 * CALLS, "the calls")
        until(lambda: gateway.get(f"/api/traces/{TRACE}", key=keys["admin"])[0] == 200, "the spans")
        until(lambda: len(site.ask("/api/alerts?state=firing", "admin")) >= 3, "the alerts")
        yield site._replace(url=stack.enter_context(dashboard(folder, gateway.url)))


def _word(tenant: str) -> str:
    return EVIL if tenant == "acme" else f"{MARK} word"


def _stored(folder: Path) -> dict[str, str]:
    """All that is there before the gateway starts; the keys."""
    identity = open_identity(settings_for(folder / "runs/logs"))
    registry, made, log = identity.registry, {}, LogFolder(folder / "runs/logs")
    scores, now = [], datetime.now(UTC)
    for number, tenant in enumerate(("acme", MARK)):
        registry.create_tenant(tenant, _word(tenant)[:80])
        for role in ("caller", "viewer", "editor"):
            name = _word(tenant)[: 100 - len(role)] + role if role == "caller" else f"{tenant}-{role}"
            made[f"{tenant} {role}"] = str(registry.create_key(name=name, tenant=tenant, role=role)[1])  # type: ignore[arg-type]
        log.append(b"".join(_call(tenant, number * CALLS + each, now) for each in range(CALLS)))
        for each in range(4):
            given = {"trace_id": f"{number * CALLS + each + 1:032x}", "name": _word(tenant)[:90], "value": each > 1,
                     "comment": _word(tenant) + " x" * 3000, "source_id": _word(tenant)[:100]}  # fmt: skip
            scores.append(assessment_of(given, tenant, int(now.timestamp() * 1000), f"{tenant}{each}"))
        evals_site.fill(folder / f"evals-{number}", identity.database, tenant, f"{MARK}-" if number else "")
    AssessmentRepository(identity.database).store(scores)
    made["admin"] = str(registry.create_key(name=f"{MARK} admin", role="admin")[1])
    identity.close()
    return made


def _call(tenant: str, number: int, now: datetime) -> bytes:
    at = now - timedelta(minutes=20 + number)
    word, fails = _word(tenant), number % 3 == 0
    fields: dict[str, Any] = {
        "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "tenant": tenant,
        "key_id": f"{tenant}key".ljust(12, "0"),
        "model": word,
        "requested_model": word,
        "provider": "mock",
        "user": word,
        "session": word,
        "tags": {"feature": word[:60], f"{tenant} tag": "1"},
        "release_id": f"{tenant}-release",
        "prompt_version": word[:60],
        "trace_id": f"{number + 1:032x}",
        "cost_nanousd": 200_000_000,
        "error_type": "upstream_error" if fails else None,
        "status": 502 if fails else 200,
    }
    if tenant == "acme" and number < len(_LARGE_FIELDS):
        fields[_LARGE_FIELDS[number]] = word + "x" * _LONG
    elif tenant == "acme" and number == len(_LARGE_FIELDS):
        fields["tags"] = {"feature": word + "x" * _LONG}
    return line(number, **fields)


def _acted(site: Site, tenant: str) -> None:
    """Rows that only a gateway makes: entries of the audit trail, silences."""
    word = _word(tenant)
    key = send(site, "POST", "/api/keys", {"name": word[:100], "tenant": tenant})
    send(site, "DELETE", f"/api/keys/{key['id']}", key=f"{tenant} editor")
    silence = {"matchers": {"rule": "nothing", "model": word[:60]}, "seconds": 600, "reason": word}
    send(site, "POST", "/api/silences", silence, f"{tenant} editor")


def _registered(site: Site, tenant: str) -> None:
    """Prompts, releases, a rollout, flags, a dataset and a queue, of texts as long as they may be."""
    key, word = f"{tenant} editor", _word(tenant)
    some = word + "x" * (_MOST_SENT if tenant == "acme" else 0)
    text = {"text": some, "comment": word + " x" * 900, "tags": [word[:40]]}
    send(site, "POST", "/api/prompts", {"name": f"{tenant}/answer", **text}, key)
    send(site, "POST", "/api/prompts/comments", {"name": f"{tenant}/answer", "version": 1, "text": word}, key)
    made = []
    for limit in (100, 200):
        bundle = {"name": f"{tenant}-bot", "model": "mock-1", "parameters": {"max_tokens": limit, "stop": [some]}}
        made.append(send(site, "POST", "/api/releases", {"bundle": bundle, "reason": word}, key)["id"])
    send(site, "POST", f"/api/releases/{made[0]}/live", {"reason": word}, key)
    plan = {"name": f"{tenant}-bot", "candidate": made[1], "steps": [50, 100], "min_units": 5, "min_time": "1h",
            "guards": [{"metric": "error", "margin": 0.2}]}  # fmt: skip
    send(site, "POST", "/api/rollouts", {"plan": plan, "reason": word}, key)
    flag = {"kind": "string", "variants": {"a": some, "b": word}, "default": "a", "description": word}
    send(site, "PUT", f"/api/flags/{tenant}-style", flag, key)
    case = {"id": "one", "input": some, "reference": some, "metadata": {"topic": some}}
    send(site, "POST", "/api/datasets", {"name": f"{tenant}-large", "cases": [case], "note": word}, key)
    send(site, "POST", "/api/review/queues", {"name": f"{tenant}-large", "question": "tone", "kind": "text"}, key)
    item = {"input": some, "output": some, "reference": some, "metadata": {"topic": some}}
    send(site, "POST", f"/api/review/queues/{tenant}-large/items", {"items": [item]}, key)


def _spans(trace: str, word: str) -> dict[str, Any]:
    begin_ns = int(datetime.now(UTC).timestamp() * 1e9) - 60 * 10**9
    said = json.dumps([{"role": "user", "parts": [{"type": "text", "content": word}]}])
    answered = json.dumps([{"role": "assistant", "content": word + "x" * _LONG}])

    def pair(name: str, value: str) -> dict[str, Any]:
        return {"key": name, "value": {"stringValue": value}}

    model = [pair("gen_ai.operation.name", "chat"), pair("gen_ai.request.model", word)]
    texts = [pair("gen_ai.input.messages", said), pair("gen_ai.output.messages", answered)]
    who = [pair("session.id", word), pair("user.id", word), pair(word, word), pair("large", word + "y" * _LONG)]
    event = {"timeUnixNano": str(begin_ns + 10**8), "name": word, "attributes": [pair(word, word)]}
    spans = [
        {"spanId": f"{1:016x}", "name": word, "attributes": [*model, *texts, *who], "events": [event]},
        {
            "spanId": f"{2:016x}",
            "parentSpanId": f"{1:016x}",
            "name": word + "x" * _LONG,
            "status": {"code": 2, "message": word + "x" * _LONG},
        },
    ]
    times = {"startTimeUnixNano": str(begin_ns), "endTimeUnixNano": str(begin_ns + 3 * 10**8)}
    scope = {"scope": {"name": word[:60]}, "spans": [{"traceId": trace, "kind": 1, **each, **times} for each in spans]}
    return {"resourceSpans": [{"resource": {"attributes": [pair("service.name", word)]}, "scopeSpans": [scope]}]}
