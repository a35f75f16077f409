"""A server that is missing: skipped on a desk, a failure where proofs are demanded."""

import pytest

from tests.store.required import VARIABLE, missing


@pytest.mark.parametrize(("value", "outcome"), [(None, "skip"), ("0", "skip"), ("1", "fail")])
def test_a_missing_server(value: str | None, outcome: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    with pytest.raises((pytest.fail.Exception, pytest.skip.Exception), match="apt-get install a-server") as caught:
        missing("A server", "a-server")
    assert caught.type is (pytest.fail.Exception if outcome == "fail" else pytest.skip.Exception)
