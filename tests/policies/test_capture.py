"""Whose texts are kept: a share of a tenant's traces, all calls of a trace or none."""

import random

import pytest

from llmops.capture_settings import CaptureSettings
from llmops.policies.capture import capture
from llmops.types import Call, Reply
from tests.telemetry.calls import a_call, a_reply

SETTINGS = CaptureSettings.model_validate(
    {"share": 0.0, "tenants": {"all": {"share": 1}, "some": {"share": 0.25}, "none": {"share": 0}}}
)


async def captured(tenant: str, trace_id: str) -> bool:
    async def handle(call: Call) -> Reply:
        assert call.keep_text is call.capture
        return a_reply()

    call = a_call(tenant=tenant, trace_id=trace_id)
    await capture(SETTINGS.share_of)(handle)(call)
    return call.capture


async def test_a_share_is_a_share_and_a_trace_is_kept_whole() -> None:
    luck = random.Random(3)
    traces = [f"{luck.getrandbits(128):032x}" for _ in range(2000)]
    kept = [await captured("some", trace) for trace in traces]
    assert 400 < sum(kept) < 600
    assert kept == [await captured("some", trace) for trace in traces]
    for tenant, expected in (("all", 20), ("none", 0), ("unlisted", 0)):
        assert sum([await captured(tenant, trace) for trace in traces[:20]]) == expected
    assert await captured("all", "f" * 32)


@pytest.mark.parametrize("pattern", ["(", "", "x*", "a|"])
def test_patterns_that_are_of_no_use_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"redact"):
        CaptureSettings(redact=[pattern])
