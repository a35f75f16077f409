"""A soft budget that is used up is said once, with whose it is."""

import logging

import pytest

from llmops.spend.alerts import SoftBudgetAlerts
from llmops.spend.rule import SEPARATOR
from llmops.store.counters.counters import Hold
from llmops.store.counters.meter import Quota, Rate, Unit


def hold(*windows: int, over: tuple[int, ...] = (0, 1)) -> Hold:
    name = SEPARATOR.join(("budget:soft", "acme", "usd/day"))
    soft = Quota(name=name, rule="soft", unit=Unit.NANOUSD, limit=10**9, window="day", hard=False)
    shadow = Rate(name="r", rule="r", unit=Unit.REQUESTS, count=1, period_us=1, burst=1, shadow=True)
    return Hold(
        request_id="req_1",
        meters=(soft, shadow),
        amounts=(1, 1, 1),
        windows=(windows[0], 0, 0, 0),
        readings=(1_250_000_000, 0),
        over=over,
    )


def test_it_is_said_once_for_each_window(caplog: pytest.LogCaptureFixture) -> None:
    alerts = SoftBudgetAlerts()
    with caplog.at_level(logging.WARNING):
        alerts.note(hold(0, over=()))
        alerts.note(hold(0))
        alerts.note(hold(0))
        alerts.note(hold(86400))
    assert [record.getMessage() for record in caplog.records] == [
        "the soft budget 'soft' of $1.00 per day is used up for acme: $1.25 spent or reserved"
    ] * 2
