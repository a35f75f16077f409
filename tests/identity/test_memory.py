"""The keyring remembers valid credentials: no answer may differ from that of a ring that remembers nothing."""

from collections.abc import Callable

import msgspec
from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from llmops.errors import Unauthenticated
from llmops.identity.key import Key, Tenant
from llmops.identity.keyring import Keyring
from llmops.identity.secret import Credential, Digester, mint
from tests.identity.rings import NOW_S, PEPPER, TENANTS, a_key, ring_of


def answer(ring: Keyring, credential: object, now_s: float) -> Key | str:
    try:
        return ring.identify(str(credential), now_s)
    except Unauthenticated as exc:
        return exc.message


class Histories(RuleBasedStateMachine):
    """Keys are made, rotated, revoked and tenants disabled while time goes on or back; the ring that has followed all
    of it is asked for every credential that ever was, again and again, and compared with a new one."""

    def __init__(self) -> None:
        super().__init__()
        self.ring = ring_of()
        self.keys: dict[str, Key] = {}
        self.tenants = {tenant.id: tenant for tenant in TENANTS}
        self.credentials: list[Credential] = []
        self.now_s = NOW_S

    def change(self, key: Key) -> None:
        self.keys[key.id] = key
        self.ring.update([key], [])

    def pick(self, number: int) -> Key | None:
        return list(self.keys.values())[number % len(self.keys)] if self.keys else None

    @rule(life_s=strategies.sampled_from([None, 5.0, 20.0]), tenant=strategies.sampled_from(["default", "off"]))
    def make(self, life_s: float | None, tenant: str) -> None:
        key, credential = a_key(tenant=tenant, expires_at_s=None if life_s is None else self.now_s + life_s)
        self.credentials.append(credential)
        self.change(key)

    @rule(number=strategies.integers(0, 9))
    def revoke(self, number: int) -> None:
        if key := self.pick(number):
            self.change(msgspec.structs.replace(key, revoked_at_s=self.now_s))

    @rule(number=strategies.integers(0, 9), grace_s=strategies.sampled_from([0.0, 3.0, 30.0]))
    def rotate(self, number: int, grace_s: float) -> None:
        if key := self.pick(number):
            self.credentials.append(mint(key.id))
            digest = Digester(PEPPER).digest(self.credentials[-1].secret)
            until_s = self.now_s + grace_s
            self.change(
                msgspec.structs.replace(key, digest=digest, previous_digest=key.digest, previous_until_s=until_s)
            )

    @rule(tenant=strategies.sampled_from(["default", "off"]), disabled=strategies.booleans())
    def disable(self, tenant: str, disabled: bool) -> None:
        self.tenants[tenant] = Tenant(id=tenant, name="T", created_at_s=0, disabled=disabled)
        self.ring.update([], [self.tenants[tenant]])

    @rule(seconds=strategies.sampled_from([1.0, 5.0, -4.0]))
    def pass_time(self, seconds: float) -> None:
        self.now_s += seconds

    @rule(kept=strategies.integers(0, 5))
    def lose(self, kept: int) -> None:
        """Another database in the place of this one."""
        self.keys = dict(list(self.keys.items())[:kept])
        self.ring.replace(self.keys.values(), self.tenants.values())

    @invariant()
    def all_answers_are_those_of_a_ring_without_memory(self) -> None:
        fresh = Keyring(PEPPER)
        fresh.replace(self.keys.values(), self.tenants.values())
        assert (self.ring.open, self.ring.count) == (fresh.open, fresh.count)
        for credential in self.credentials:
            expected = answer(fresh, credential, self.now_s)
            assert answer(self.ring, credential, self.now_s) == answer(self.ring, credential, self.now_s) == expected
            wrong = Credential(credential.public_id, credential.secret[::-1])
            assert isinstance(answer(self.ring, wrong, self.now_s), str)


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


class EventfulMoment(float):
    """A time in whose first comparison something happens: a judgement is then under way."""

    happening: Callable[[], None] | None = None

    def __ge__(self, other: float) -> bool:
        if (happening := self.happening) is not None:
            self.happening = None
            happening()
        return float(self) >= other

    def __lt__(self, other: float) -> bool:
        return not self >= other


def test_a_revocation_in_the_middle_of_a_judgement_is_not_forgotten() -> None:
    """The ring changes in a thread while calls are judged: what was valid a moment ago must not be remembered after."""
    key, credential = a_key()
    ring, moment = ring_of(key), EventfulMoment(NOW_S)
    moment.happening = lambda: ring.update([msgspec.structs.replace(key, revoked_at_s=1.0)], [])
    assert answer(ring, credential, moment) is key, "it was valid when it was looked up"
    assert moment.happening is None and "is revoked" in str(answer(ring, credential, NOW_S))


def test_more_credentials_than_are_remembered_are_judged_all_the_same() -> None:
    pairs = [a_key() for _ in range(50)]
    ring = Keyring(PEPPER, remembered=8)
    ring.replace([key for key, _ in pairs], TENANTS)
    for _ in range(2):
        assert [answer(ring, credential, NOW_S) for _, credential in pairs] == [key for key, _ in pairs]
    assert ring.remembered <= 8


def test_what_does_not_fit_is_not_remembered() -> None:
    key, credential = a_key()
    ring = ring_of(key)
    for _ in range(2):
        for text in (mint(key.id), mint(), "x" * 64, "ü" * 64, "\ud800" * 64):
            assert isinstance(answer(ring, text, NOW_S), str)
    assert ring.remembered == 0
    assert answer(ring, credential, NOW_S) is key and ring.remembered == 1
