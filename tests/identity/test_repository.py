"""What a gateway reads when keys have changed: only what has, all of it, on both engines and with many writers."""

from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import msgspec
import pytest
from sqlalchemy import update

from llmops.errors import NotFound, Unauthenticated
from llmops.identity.key import Key, Tenant
from llmops.identity.keyring import Keyring
from llmops.identity.refresher import KeyringRefresher
from llmops.identity.repository import Changes, IdentityRepository
from llmops.store.database import Database
from llmops.store.tables import versions
from tests.identity.rings import NOW_S, PEPPER, a_key

TENANT = Tenant(id="default", name="D", created_at_s=NOW_S)


class Counted(IdentityRepository):
    """Notes how it was asked."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.read: list[str] = []

    def changes(self, known: int) -> Changes:
        self.read.append("changes")
        return super().changes(known)

    def every_key(self) -> Iterator[list[Key]]:
        self.read.append("all")
        return super().every_key()


@pytest.fixture
def repository(database: Database) -> Counted:
    made = Counted(database)
    made.add_tenant(TENANT)
    return made


def ring_over(repository: IdentityRepository) -> tuple[Keyring, Callable[[], Awaitable[None]]]:
    ring = Keyring(PEPPER)
    return ring, KeyringRefresher(ring, repository, period_s=1.0).refresh


def all_keys(repository: IdentityRepository) -> dict[str, Key]:
    return {key.id: key for key in repository.keys()}


def test_every_way_to_read_gives_the_same_keys(repository: IdentityRepository) -> None:
    plain, _ = a_key()
    narrow, _ = a_key(
        "editor", operations=("chat", "embeddings"), models=("gpt-*", "ü"), expires_at_s=NOW_S + 1.5,
        revoked_at_s=NOW_S, previous_digest=b"\0" * 32, previous_until_s=NOW_S + 2,
        timeout_s=1.5,
    )  # fmt: skip
    for key in (plain, narrow):
        repository.add_key(key)
        assert repository.key(key.id) == key
    expected = {plain.id: plain, narrow.id: narrow}
    assert all_keys(repository) == expected
    assert {key.id: key for key in chain.from_iterable(repository.every_key())} == expected
    assert {key.id: key for key in repository.changes(0).keys} == expected
    assert (repository.keys_of_role("editor"), repository.keys_of_role("admin")) == ([narrow], [])


def test_only_what_was_written_since_is_read(repository: IdentityRepository) -> None:
    (old, _), (new, _) = a_key(), a_key()
    repository.add_key(old)
    known = repository.version()
    assert repository.changes(known).keys == repository.changes(known).tenants == []
    repository.add_key(new)
    assert repository.changes(known) == msgspec.structs.replace(repository.changes(known), keys=[new], tenants=[])
    repository.change_key(old.id, revoked_at_s=NOW_S)
    assert {key.id for key in repository.changes(known).keys} == {old.id, new.id}
    repository.set_tenant_disabled("default", True)
    changes = repository.changes(repository.version() - 1)
    assert (changes.keys, [tenant.disabled for tenant in changes.tenants]) == ([], [True])
    assert changes.newest == repository.version()


def test_a_write_that_is_refused_moves_nothing(repository: IdentityRepository) -> None:
    before = repository.version()
    with pytest.raises(NotFound):
        repository.change_key("nobodyskey00", revoked_at_s=NOW_S)
    with pytest.raises(NotFound):
        repository.add_key(a_key(tenant="unknown")[0])
    assert repository.version() == before


async def test_a_change_is_read_as_one_and_another_database_as_a_whole(repository: Counted, database: Database) -> None:
    ring, refresh = ring_over(repository)
    await refresh()
    assert (repository.read, ring.open) == (["all"], True)
    key, credential = a_key()
    for step in (lambda: repository.add_key(key), lambda: repository.change_key(key.id, name="other")):
        step()
        await refresh()
        await refresh()
    assert repository.read == ["all", "changes", "changes"]
    for leap in (2**40, -(2**40)):
        with database.write("identity") as connection:
            connection.execute(update(versions).values(version=versions.c.version + leap))
        repository.read.clear()
        await refresh()
        assert repository.read == ["all"], leap
    with database.write("identity"):
        pass  # somebody who stamps no row
    repository.read.clear()
    await refresh()
    assert repository.read == ["changes", "all"]
    assert ring.identify(str(credential), NOW_S).name == "other"


async def test_following_while_many_write_misses_nothing(url: str, repository: Counted) -> None:
    """Two engines, as two processes have, each from several threads; a ring follows by what has changed alone."""
    other = Database(url)
    writers = (repository, IdentityRepository(other))
    ring, refresh = ring_over(repository)
    await refresh()
    pairs = [a_key() for _ in range(60)]

    def write(number: int) -> None:
        writer, key = writers[number % 2], pairs[number][0]
        writer.add_key(key)
        if number % 3 == 0:
            writers[1 - number % 2].change_key(key.id, revoked_at_s=NOW_S)

    with ThreadPoolExecutor(6) as pool:
        under_way = [pool.submit(write, number) for number in range(len(pairs))]
        while not all(each.done() for each in under_way):
            await refresh()
    for each in under_way:
        each.result()
    await refresh()
    assert repository.read.count("all") == 1, "only at the beginning"
    assert ring.count == len(pairs)
    for number, (key, credential) in enumerate(pairs):
        if number % 3 == 0:
            with pytest.raises(Unauthenticated, match="is revoked"):
                ring.identify(str(credential), NOW_S)
        else:
            assert ring.identify(str(credential), NOW_S) == key
    other.close()
