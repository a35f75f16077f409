"""The auth policy: calls get their tenant and key, or are refused before anything else happens."""

import pytest

from llmops.clock import ManualClock
from llmops.errors import Forbidden, Unauthenticated
from llmops.identity.keyring import Keyring
from llmops.policies.auth import auth
from llmops.types import Call, Reply
from tests.identity.rings import PEPPER, a_key, ring_of

from .handlers import a_call, answering


class Asked:
    """A handler that keeps the calls that came through."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._answer = answering("yes")

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        return await self._answer(call)


async def ask(ring: Keyring, call: Call, clock: ManualClock | None = None) -> list[Call]:
    asked = Asked()
    await auth(ring, clock or ManualClock())(asked)(call)
    return asked.calls


async def test_a_call_gets_the_tenant_and_the_key_of_its_credential() -> None:
    key, credential = a_key()
    (call,) = await ask(ring_of(key), a_call(credential=str(credential)))
    assert (call.tenant, call.key_id) == ("default", key.id)


async def test_without_keys_a_call_of_this_machine_belongs_to_the_default_tenant() -> None:
    (call,) = await ask(ring_of(), a_call(credential="unused", client_ip="127.0.0.1"))
    assert (call.tenant, call.key_id) == ("default", None)
    with pytest.raises(Unauthenticated, match="its own machine only"):
        await ask(ring_of(), a_call(client_ip="192.0.2.1"))


async def test_before_keys_are_loaded_no_call_passes() -> None:
    for credential in (None, str(a_key()[1])):
        with pytest.raises(Unauthenticated):
            await ask(Keyring(PEPPER), a_call(credential=credential, client_ip="127.0.0.1"))


async def test_a_refused_call_goes_nowhere_and_still_says_whose_key_it_was() -> None:
    key, credential = a_key(models=("other",))
    asked, call = Asked(), a_call(credential=str(credential))
    with pytest.raises(Forbidden):
        await auth(ring_of(key), ManualClock())(asked)(call)
    assert asked.calls == [] and call.key_id == key.id

    unknown = a_call(credential=str(a_key()[1]))
    with pytest.raises(Unauthenticated):
        await auth(ring_of(key), ManualClock())(asked)(unknown)
    assert asked.calls == [] and (unknown.tenant, unknown.key_id) == ("default", None)


async def test_a_key_ends_while_the_gateway_runs() -> None:
    clock = ManualClock()
    key, credential = a_key(expires_at_s=clock.now_s() + 60)
    ring = ring_of(key)
    assert await ask(ring, a_call(credential=str(credential)), clock)
    clock.advance(60)
    with pytest.raises(Unauthenticated, match="is expired"):
        await ask(ring, a_call(credential=str(credential)), clock)


async def test_a_change_of_the_keys_holds_from_the_next_call_on() -> None:
    key, credential = a_key()
    ring = ring_of(key)
    assert await ask(ring, a_call(credential=str(credential)))
    other, _ = a_key()
    ring.replace([other], [])
    with pytest.raises(Unauthenticated):
        await ask(ring, a_call(credential=str(credential)))


@pytest.mark.parametrize(("asked_s", "bound_s"), [(None, 3.0), (10.0, 3.0), (1.0, 1.0)])
async def test_the_time_of_a_key_bounds_its_calls_and_its_caller_may_ask_for_less(
    asked_s: float | None, bound_s: float
) -> None:
    key, credential = a_key(timeout_s=3.0)
    (call,) = await ask(ring_of(key), a_call(credential=str(credential), timeout_s=asked_s))
    assert call.timeout_s == bound_s
