"""The registry over its repository, on both engines: one contract for SQLite and PostgreSQL."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from llmops.clock import ManualClock
from llmops.errors import Conflict, InvalidRequest, NotFound, Unauthenticated
from llmops.identity.directory import IdentityDirectory
from llmops.identity.registry import KeyRegistry
from llmops.identity.secret import Credential, mint
from llmops.identity.shown import show_key, show_tenant
from llmops.store.database import Database
from tests.identity.rings import PEPPER


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def open_directory(url: str, clock: ManualClock) -> Iterator[Callable[[], IdentityDirectory]]:
    """Opens the same database anew, as another process does."""
    opened: list[IdentityDirectory] = []

    def open_one() -> IdentityDirectory:
        opened.append(IdentityDirectory(Database(url), PEPPER, clock, refresh_s=0.05))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


@pytest.fixture
def directory(open_directory: Callable[[], IdentityDirectory]) -> IdentityDirectory:
    return open_directory()


@pytest.fixture
def registry(directory: IdentityDirectory) -> KeyRegistry:
    return directory.registry


async def opens(directory: IdentityDirectory, credential: Credential, clock: ManualClock) -> bool:
    """Whether a gateway that looks now takes the credential."""
    await directory.refresher.refresh()
    try:
        directory.keyring.identify(str(credential), clock.now_s())
    except Unauthenticated:
        return False
    return True


def test_an_empty_database_has_neither_keys_nor_tenants(registry: KeyRegistry) -> None:
    assert (registry.keys(), registry.tenants(), registry.keys("default")) == ([], [], [])


async def test_a_key_as_it_was_asked_for(open_directory: Callable[[], IdentityDirectory], clock: ManualClock) -> None:
    registry, running = open_directory().registry, open_directory()
    key, credential = registry.create_key(
        name="büro → bot",
        role="caller",
        operations=["chat", "embeddings"],
        models=["gpt-*", "claude"],
        expires_at_s=clock.now_s() + 100,
    )
    assert registry.key(key.id) == registry.keys()[0] == key
    assert (key.tenant, key.created_at_s, key.operations) == ("default", clock.now_s(), ("chat", "embeddings"))
    assert [tenant.id for tenant in registry.tenants()] == ["default"]
    assert await opens(running, credential, clock)
    clock.advance(100)
    assert not await opens(running, credential, clock)


async def test_the_time_of_a_key_is_kept_through_a_rotation_and_reaches_a_running_gateway(
    open_directory: Callable[[], IdentityDirectory], clock: ManualClock
) -> None:
    registry, running = open_directory().registry, open_directory()
    registry.create_key(name="first")
    await running.refresher.refresh()  # what follows is read as a change
    clock.advance(1)
    key, _ = registry.create_key(name="n", timeout_s=2.5)
    rotated, credential = registry.rotate(key.id, 0)
    await running.refresher.refresh()
    assert running.keyring.identify(str(credential), clock.now_s()).timeout_s == rotated.timeout_s == 2.5
    assert (show_key(registry.key(key.id))["timeout_seconds"], registry.keys()[0].timeout_s) == (2.5, None)


def test_a_secret_is_stored_nowhere(registry: KeyRegistry, database: Database) -> None:
    key, credential = registry.create_key(name="n")
    assert credential.secret not in f"{registry.keys()} {show_key(key)}"
    assert "digest" not in show_key(key) and key.digest.hex() not in str(show_key(key))
    with database.read() as connection:
        for table in ("api_keys", "tenants", "versions"):
            assert credential.secret not in str(connection.exec_driver_sql(f"SELECT * FROM {table}").all())  # noqa: S608


def test_keys_are_listed_oldest_first_and_by_tenant(registry: KeyRegistry, clock: ManualClock) -> None:
    registry.create_tenant("acme", "Acme Inc.")
    ids = []
    for tenant in ("acme", "default", "acme"):
        ids.append(registry.create_key(name="n", tenant=tenant)[0].id)
        clock.advance(1)
    assert [key.id for key in registry.keys()] == ids
    assert [key.id for key in registry.keys("acme")] == [ids[0], ids[2]]
    assert registry.keys("nobody") == []
    assert [(tenant.id, tenant.name) for tenant in registry.tenants()] == [
        ("acme", "Acme Inc."),
        ("default", "default"),
    ]


async def test_a_rotation_gives_a_new_secret_and_the_old_one_its_grace(
    directory: IdentityDirectory, clock: ManualClock
) -> None:
    key, first = directory.registry.create_key(name="n")
    rotated, second = directory.registry.rotate(key.id, 60)
    assert (rotated.id, second.public_id) == (key.id, key.id) and second != first
    assert directory.registry.key(key.id) == rotated
    assert await opens(directory, first, clock) and await opens(directory, second, clock)
    clock.advance(59)
    _, third = directory.registry.rotate(key.id, 60)
    assert [await opens(directory, each, clock) for each in (first, second, third)] == [False, True, True]
    clock.advance(60)
    assert [await opens(directory, each, clock) for each in (first, second, third)] == [False, False, True]
    _, fourth = directory.registry.rotate(key.id, 0)
    assert [await opens(directory, each, clock) for each in (third, fourth)] == [False, True]


async def test_a_revoked_key_is_over_also_within_a_grace(directory: IdentityDirectory, clock: ManualClock) -> None:
    registry = directory.registry
    key, first = registry.create_key(name="n")
    _, second = registry.rotate(key.id, 3600)
    revoked = registry.revoke(key.id)
    assert revoked.state(clock.now_s()) == "revoked" and registry.key(key.id) == revoked
    assert [await opens(directory, each, clock) for each in (first, second)] == [False, False]
    clock.advance(5)
    assert registry.revoke(key.id) == revoked, "again changes nothing"
    with pytest.raises(InvalidRequest, match="is revoked and cannot be rotated"):
        registry.rotate(key.id, 0)


def test_an_expired_key_is_not_rotated_back_to_life(registry: KeyRegistry, clock: ManualClock) -> None:
    key, _ = registry.create_key(name="n", expires_at_s=clock.now_s() + 1)
    clock.advance(1)
    with pytest.raises(InvalidRequest, match="is expired and cannot be rotated"):
        registry.rotate(key.id, 0)


async def test_a_disabled_tenants_keys_are_refused_until_it_is_enabled(
    directory: IdentityDirectory, clock: ManualClock
) -> None:
    registry = directory.registry
    registry.create_tenant("acme")
    _, credential = registry.create_key(name="n", tenant="acme")
    _, other = registry.create_key(name="n")
    assert registry.set_disabled("acme", True).disabled
    assert [await opens(directory, each, clock) for each in (credential, other)] == [False, True]
    assert not registry.set_disabled("acme", False).disabled
    assert await opens(directory, credential, clock)


def test_a_tenant_there_already_is_a_conflict(registry: KeyRegistry) -> None:
    registry.create_tenant("acme")
    with pytest.raises(Conflict, match="'acme' already") as caught:
        registry.create_tenant("acme")
    assert caught.value.status == 409


@pytest.mark.parametrize(
    "tenant", ["nobody", "", "UPPER", "a b", "x" * 65, "a\x00b", "a\ud800", "'; DROP TABLE tenants"]
)
def test_an_unknown_tenant_is_said_and_nothing_is_written(tenant: str, registry: KeyRegistry) -> None:
    with pytest.raises(NotFound, match="there is no tenant"):
        registry.create_key(name="n", tenant=tenant)
    with pytest.raises(NotFound, match="there is no tenant"):
        registry.set_disabled(tenant, True)
    assert (registry.keys(), registry.keys(tenant)) == ([], [])


@pytest.mark.parametrize("key_id", ["", "abcdefghijkl", "x" * 500, "ABCDEFGHIJKL", "a\x00b", "a\ud800", "' OR 1=1 --"])
def test_an_unknown_key_is_said(key_id: str, registry: KeyRegistry) -> None:
    registry.create_key(name="n")
    for ask in (registry.key, registry.revoke, lambda wanted: registry.rotate(wanted, 0)):
        with pytest.raises(NotFound, match="there is no API key"):
            ask(key_id)


def test_another_tenants_key_is_as_good_as_none(registry: KeyRegistry) -> None:
    registry.create_tenant("acme")
    key, _ = registry.create_key(name="n", tenant="acme")
    messages = set()
    for wanted in (key.id, "abcdefghijkl"):
        with pytest.raises(NotFound) as caught:
            registry.key(wanted, "default")
        messages.add(caught.value.message.replace(wanted, "…"))
        with pytest.raises(NotFound):
            registry.rotate(wanted, 0, tenant="default")
        with pytest.raises(NotFound):
            registry.revoke(wanted, tenant="default")
    assert len(messages) == 1
    assert registry.key(key.id, "acme") == key


BAD_KEYS = [
    ({"name": ""}, "name"),
    ({"name": "x" * 201}, "name"),
    ({"name": "two\nlines"}, "name"),
    ({"name": "\x1b[31m"}, "name"),
    ({"models": [""]}, "models"),
    ({"models": ["m" * 201]}, "models"),
    ({"models": ["a\x00b"]}, "models"),
    ({"expires_at_s": 0.0}, "expires_at"),
    ({"expires_at_s": -1.0}, "expires_at"),
    ({"expires_at_s": ManualClock().now_s()}, "expires_at"),
    ({"expires_at_s": float("inf")}, "expires_at"),
    ({"expires_at_s": float("nan")}, "expires_at"),
    ({"expires_at_s": 253_402_300_800.0}, "expires_at"),
    ({"timeout_s": 0.0}, "timeout_seconds"),
    ({"timeout_s": -1.0}, "timeout_seconds"),
    ({"timeout_s": 3600.5}, "timeout_seconds"),
    ({"timeout_s": float("nan")}, "timeout_seconds"),
    ({"timeout_s": float("inf")}, "timeout_seconds"),
]


@pytest.mark.parametrize(("fields", "param"), BAD_KEYS, ids=[str(fields)[:40] for fields, _ in BAD_KEYS])
def test_a_key_that_makes_no_sense_is_not_made(fields: dict[str, object], param: str, registry: KeyRegistry) -> None:
    with pytest.raises(InvalidRequest) as caught:
        registry.create_key(**{"name": "n", **fields})  # type: ignore[arg-type]
    assert caught.value.param == param and len(caught.value.message) < 250
    assert (registry.keys(), registry.tenants()) == ([], [])


@pytest.mark.parametrize("grace_s", [-1, float("nan"), float("inf"), 31 * 86400])
def test_a_grace_that_makes_no_sense_changes_nothing(grace_s: float, registry: KeyRegistry) -> None:
    key, _ = registry.create_key(name="n")
    with pytest.raises(InvalidRequest, match="grace period is 0 to 2592000 seconds"):
        registry.rotate(key.id, grace_s)
    assert registry.key(key.id) == key


@pytest.mark.parametrize("tenant", ["", "-a", "_a", "A", "a b", "ä", "a" * 65, "a\n", "a/b"])
def test_a_tenants_id_is_short_and_plain(tenant: str, registry: KeyRegistry) -> None:
    with pytest.raises(InvalidRequest, match="1 to 64 of a-z"):
        registry.create_tenant(tenant)
    assert registry.tenants() == []


def test_all_that_can_be_stored_can_be_shown(registry: KeyRegistry, clock: ManualClock) -> None:
    key, _ = registry.create_key(name="n", expires_at_s=clock.now_s() + 100 * 365 * 86400)
    rotated, _ = registry.rotate(key.id, 30 * 86400)
    shown = show_key(rotated)
    assert (shown["created_at"], shown["expires_at"]) == ("2023-11-14T22:13:20Z", "2123-10-21T22:13:20Z")
    assert shown["previous_secret_until"] == "2023-12-14T22:13:20Z" and shown["revoked_at"] is None
    assert show_tenant(registry.tenants()[0])["created_at"] == "2023-11-14T22:13:20Z"


def test_the_first_keys_may_be_made_at_once(open_directory: Callable[[], IdentityDirectory]) -> None:
    """Several processes on an empty database: each gets its key, and there is one default tenant."""
    registries = [open_directory().registry for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: registries[number % 4].create_key(name=f"n{number}")[0].id, range(12)))
    assert sorted(key.id for key in registries[0].keys()) == sorted(made)
    assert [tenant.id for tenant in registries[0].tenants()] == ["default"]


def test_every_change_moves_the_counter(directory: IdentityDirectory, database: Database) -> None:
    registry = directory.registry
    registry.create_tenant("acme")
    seen = [database.version("identity")]
    key, _ = registry.create_key(name="n", tenant="acme")
    for change in (
        lambda: registry.rotate(key.id, 0),
        lambda: registry.set_disabled("acme", True),
        lambda: registry.revoke(key.id),
        lambda: registry.create_tenant("other"),
    ):
        change()
        seen.append(database.version("identity"))
    assert sorted(set(seen)) == seen


def test_a_minted_id_that_nobody_has_is_not_found(registry: KeyRegistry) -> None:
    with pytest.raises(NotFound):
        registry.key(mint().public_id)
