"""Upstream statuses and their wishes for patience: tables, and that no header can break the reading."""

import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.dialects.dialect import WireError
from llmops.errors import (
    UpstreamBroken,
    UpstreamCredential,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from llmops.providers.status import error_for, retry_after_s

SAID = WireError(message="no", code="their_code", param="temperature")
DAY_S = 86_400.0


@pytest.mark.parametrize(
    ("status", "kind", "ours", "retryable"),
    [
        (400, UpstreamRejected, 400, False),
        (401, UpstreamCredential, 502, False),
        (403, UpstreamCredential, 502, False),
        (404, UpstreamRejected, 404, False),
        (408, UpstreamTimeout, 504, True),
        (409, UpstreamRejected, 409, False),
        (413, UpstreamRejected, 413, False),
        (422, UpstreamRejected, 422, False),
        (429, UpstreamRateLimited, 429, True),
        (500, UpstreamUnavailable, 503, True),
        (502, UpstreamUnavailable, 503, True),
        (503, UpstreamUnavailable, 503, True),
        (504, UpstreamTimeout, 504, True),
        (529, UpstreamUnavailable, 503, True),
        (301, UpstreamBroken, 502, True),
        (307, UpstreamBroken, 502, True),
        (204, UpstreamBroken, 502, True),
        (206, UpstreamBroken, 502, True),
    ],
)
def test_each_status(status: int, kind: type[UpstreamError], ours: int, retryable: bool) -> None:
    error = error_for(status, {}, SAID)
    assert (type(error), error.status, error.retryable, error.upstream_status) == (kind, ours, retryable, status)


@pytest.mark.parametrize(("status", "code"), [(402, None), (429, "insufficient_quota")])
def test_a_used_up_account_is_the_credentials_fault_and_not_a_matter_of_patience(status: int, code: str | None) -> None:
    error = error_for(status, {b"retry-after": b"1"}, WireError(message="pay key sk-secret", code=code))
    assert (type(error), error.status, error.retryable, error.retry_after_s) == (UpstreamCredential, 502, False, None)
    assert error.upstream_status == status and "sk-secret" not in error.message and "billing" in error.message


def test_a_rejection_keeps_the_providers_words() -> None:
    error = error_for(400, {}, SAID)
    assert isinstance(error, UpstreamRejected)
    assert (error.message, error.upstream_code, error.param) == ("no", "their_code", "temperature")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({b"retry-after": b"7"}, 7.0),
        ({b"retry-after": b"0.5"}, 0.5),
        ({b"retry-after": b"-3"}, 0.0),
        ({b"retry-after": b"1e9"}, DAY_S),
        ({b"retry-after": b"inf"}, DAY_S),
        ({b"retry-after": b"nan"}, None),
        ({b"retry-after": b"soon"}, None),
        ({b"retry-after": b""}, None),
        ({}, None),
        ({b"retry-after-ms": b"250"}, 0.25),
        ({b"x-ms-retry-after-ms": b"1500"}, 1.5),
        ({b"retry-after-ms": b"250", b"retry-after": b"9"}, 0.25),
        ({b"retry-after-ms": b"x", b"retry-after": b"9"}, 9.0),
        ({b"retry-after": b"Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({b"retry-after": b"Wed, 99 Foo 2015"}, None),
    ],
)
def test_the_forms_of_retry_after(headers: dict[bytes, bytes], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


def test_a_date_is_counted_from_now() -> None:
    found = retry_after_s({b"retry-after": formatdate(time.time() + 60, usegmt=True).encode()})
    assert found is not None and 58 <= found <= 60


@given(
    st.sampled_from([b"retry-after", b"retry-after-ms", b"x-ms-retry-after-ms"]),
    st.one_of(st.binary(max_size=40), st.text("0123456789 :,-+GMTWedOct.einf", max_size=40).map(str.encode)),
)
def test_no_header_breaks_the_reading(name: bytes, value: bytes) -> None:
    found = retry_after_s({name: value})
    assert found is None or 0 <= found <= DAY_S
