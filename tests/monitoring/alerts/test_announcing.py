"""Who is told of what: once, again after a while, not under a silence, not beside something worse, never a stranger."""

from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from llmops.alert_settings import Severity
from llmops.monitoring.alerts.alert import Alert, State, new_alert
from llmops.monitoring.alerts.announcing import Addressee, Announcer, Notice
from llmops.monitoring.alerts.silence import Silence

HOUSE = Addressee(name="house")
ACME = Addressee(name="acme", tenant="acme")
OTHER = Addressee(name="other", tenant="other")


def an_alert(state: State = "firing", severity: Severity = "warning", **labels: str) -> Alert:
    return msgspec.structs.replace(new_alert("slow", severity, labels), state=state)


def a_silence(matchers: dict[str, str], until_s: float = 100, tenant: str | None = None) -> Silence:
    return Silence(
        id="s", matchers=matchers, starts_at_s=0, until_s=until_s, created_by="me", reason="work", created_at_s=0,
        tenant=tenant,
    )  # fmt: skip


def announcer(
    *addressees: Addressee, silences: Sequence[Silence] = (), notify: Sequence[str] = (), repeat_s: float = 3600
) -> Announcer:
    known = {each.name: each for each in addressees or (HOUSE,)}
    return Announcer(addressees=known, notify={"slow": notify}, silences=silences, repeat_s=repeat_s)


def told(found: tuple[list[Alert], list[Notice]]) -> list[tuple[str, str]]:
    return [(notice.receiver, notice.status) for notice in found[1]]


def test_once_again_after_a_while_and_when_it_is_over() -> None:
    one = announcer()
    first = one.announce([an_alert()], 0)
    assert told(first) == [("house", "firing")]
    again = one.announce(first[0], 3599)
    assert told(again) == []
    repeated = one.announce(again[0], 3600)
    assert told(repeated) == [("house", "firing")]
    over = one.announce([msgspec.structs.replace(repeated[0][0], state="ok")], 3700)
    assert told(over) == [("house", "resolved")]
    assert told(one.announce(over[0], 3800)) == []


def test_what_was_never_announced_is_not_taken_back() -> None:
    assert told(announcer().announce([an_alert("ok"), an_alert("pending")], 0)) == []


def test_a_receiver_may_want_no_end() -> None:
    quiet = announcer(Addressee(name="house", send_resolved=False))
    (alert,), _ = quiet.announce([an_alert()], 0)
    assert quiet.announce([msgspec.structs.replace(alert, state="ok")], 1)[1] == []


def test_a_silence_holds_announcements_until_it_is_over_and_no_ends() -> None:
    silenced = announcer(silences=[a_silence({"model": "gpt-*"})])
    assert told(silenced.announce([an_alert(model="gpt-5")], 99)) == []
    assert told(silenced.announce([an_alert(model="claude")], 99)) == [("house", "firing")]
    assert told(silenced.announce([an_alert(model="gpt-5")], 100)) == [("house", "firing")]
    known = msgspec.structs.replace(an_alert("ok", model="gpt-5"), announced={"house": 0.0})
    assert told(silenced.announce([known], 50)) == [("house", "resolved")]


def test_all_matchers_of_a_silence_must_fit() -> None:
    alert = an_alert(model="gpt-5", tenant="acme")
    for matchers, fits in (
        ({"rule": "slow"}, True),
        ({"severity": "warn*"}, True),
        ({"rule": "slow", "model": "claude"}, False),
        ({"release": "*"}, False),
    ):
        assert a_silence(matchers).matches(alert) is fits, matchers


def test_a_tenants_silence_keeps_only_its_own_receivers_quiet() -> None:
    mine = a_silence({"rule": "*"}, tenant="acme")
    one = announcer(HOUSE, ACME, silences=[mine], notify=["house", "acme"])
    assert told(one.announce([an_alert(tenant="acme")], 0)) == [("house", "firing")]
    stranger = announcer(HOUSE, OTHER, silences=[mine], notify=["house", "other"])
    assert len(told(stranger.announce([an_alert(tenant="other")], 0))) == 2


def test_something_worse_of_the_same_rule_keeps_it_quiet_until_that_is_over() -> None:
    one = announcer()
    mild, bad = an_alert(model="m"), an_alert(severity="critical", model="m")
    elsewhere = an_alert(model="n")
    alerts, notices = one.announce([mild, bad, elsewhere], 0)
    assert [(notice.alert.severity, notice.alert.labels["model"]) for notice in notices] == [
        ("critical", "m"),
        ("warning", "n"),
    ]
    after = [msgspec.structs.replace(each, state="ok") if each.severity == "critical" else each for each in alerts]
    assert [(notice.alert.severity, notice.status) for notice in one.announce(after, 60)[1]] == [
        ("warning", "firing"),
        ("critical", "resolved"),
    ]


def test_a_tenants_alert_goes_to_no_other_tenant() -> None:
    for notify in ([], ["house", "acme", "other"], ["other"]):
        found = told(announcer(HOUSE, ACME, OTHER, notify=notify).announce([an_alert(tenant="acme")], 0))
        assert ("other", "firing") not in found
    everybodys = announcer(HOUSE, ACME, OTHER, notify=["house", "acme"])
    assert told(everybodys.announce([an_alert(model="m")], 0)) == [("house", "firing")]


@given(
    st.lists(st.tuples(st.sampled_from(["ok", "pending", "firing"]), st.floats(0, 5000), st.booleans()), max_size=60)
)
def test_ends_follow_beginnings_and_beginnings_keep_their_distance(steps: list[tuple[State, float, bool]]) -> None:
    alert, now_s = an_alert("ok"), 0.0
    knows, last_s = False, float("-inf")
    for state, pause_s, silenced in steps:
        now_s += pause_s
        given_state: dict[str, Any] = {"state": state}
        silences = [a_silence({"rule": "*"}, until_s=now_s + 1)] if silenced else []
        (alert,), notices = announcer(silences=silences).announce(
            [msgspec.structs.replace(alert, **given_state)], now_s
        )
        for notice in notices:
            if notice.status == "firing":
                assert state == "firing" and not silenced and (not knows or now_s - last_s >= 3600)
                knows, last_s = True, now_s
            else:
                assert knows and state == "ok"
                knows = False
        if state == "firing" and not silenced:
            assert knows
        if state == "ok":
            assert not knows
