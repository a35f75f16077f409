"""The database engine: migrations, version counters, concurrent writers, and databases that are lost or unusable."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, insert, inspect, select, text

from llmops.errors import ConfigError, StoreUnavailable
from llmops.store import migrate
from llmops.store.database import Database
from llmops.store.tables import metadata, tenants
from tests.serving import ROOT, environment

ROW = {"name": "T", "created_at_s": 0.0, "disabled": False}


def add(database: Database, tenant: str) -> None:
    with database.write("identity") as connection:
        connection.execute(insert(tenants).values(id=tenant, **ROW))


def count(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(tenants)).scalar_one())


def is_ordinary(name: str | None, kind: str, _parents: object) -> bool:
    """Not an index over words, which is of each engine's own kind."""
    return kind not in ("table", "index") or not str(name).startswith(("span_texts_", "ix_span_texts_words"))


def test_the_migrations_lead_to_the_tables_that_the_code_knows(database: Database) -> None:
    database.ensure()
    with database.engine.connect() as connection:
        made = {name for name in inspect(connection).get_table_names() if is_ordinary(name, "table", {})}
        assert made == {*metadata.tables, "alembic_version"}
        context = MigrationContext.configure(connection, opts={"include_name": is_ordinary})
        assert compare_metadata(context, metadata) == []


def test_doing_it_again_changes_nothing(url: str, database: Database) -> None:
    database.ensure()
    add(database, "a")
    again = Database(url)
    again.ensure()
    assert (count(again), again.version("identity")) == (1, database.version("identity"))
    again.close()


def test_what_is_up_to_date_is_known_without_alembic(tmp_path: Path) -> None:
    """A command of the shell that only reads starts in half the time."""
    url = f"sqlite:///{tmp_path}/a.db"
    ready = Database(url)
    ready.ensure()
    ready.close()
    code = (
        "import sys; from llmops.store.database import Database; "
        f"Database({url!r}).ensure(); print('alembic' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"


def test_keys_of_an_older_version_are_kept(url: str, database: Database) -> None:
    """There and back again: rows from before a column get a value that means so."""
    database.ensure()
    add(database, "a")
    with database.engine.begin() as connection:
        command.downgrade(migrate._config(connection), "0001")
        assert "version" not in {column["name"] for column in inspect(connection).get_columns("tenants")}
    before = Database(url)
    before.ensure()
    with before.read() as connection:
        assert connection.execute(select(tenants.c.id, tenants.c.version)).all() == [("a", 0)]
    add(before, "b")
    assert before.version("identity") > 0
    before.close()


def test_two_processes_that_start_together_migrate_once(url: str, database: Database) -> None:
    script = "import sys; from llmops.store.database import Database; Database(sys.argv[1]).ensure()"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, url],
            env=environment(),
            cwd=ROOT,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        for _ in range(2)
    ]
    for process in started:
        _, said = process.communicate(timeout=40)
        assert process.returncode == 0, said
    assert count(database) == 0
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar() == 1


def test_threads_that_ask_together_migrate_once(database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: count(database), range(8))) == [0] * 8


def test_every_write_moves_the_counter_and_no_read_does(database: Database) -> None:
    database.ensure()
    seen = [database.version("identity")]
    for tenant in "abc":
        add(database, tenant)
        count(database)
        seen.append(database.version("identity"))
    assert seen == [seen[0] + step for step in range(4)]
    assert database.version("nothing-of-this-name") == 0


def test_a_write_that_fails_leaves_nothing_behind(database: Database) -> None:
    database.ensure()
    before = database.version("identity")
    with pytest.raises(KeyError), database.write("identity") as connection:
        connection.execute(insert(tenants).values(id="a", **ROW))
        raise KeyError
    assert (count(database), database.version("identity")) == (0, before)


def test_writers_at_once_lose_nothing(url: str, database: Database) -> None:
    """Two engines, as two processes have, each from several threads."""
    database.ensure()
    before = database.version("identity")
    other = Database(url)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: add((database, other)[number % 2], f"t{number}"), range(40)))
    assert (count(database), database.version("identity")) == (40, before + 40)
    other.close()


# --- a database in a file ---------------------------------------------------------------------------------------


def sqlite(path: Path) -> Database:
    return Database(f"sqlite:///{path}")


def test_looking_makes_no_file(tmp_path: Path) -> None:
    database = sqlite(tmp_path / "data/llmops.db")
    assert (database.exists, database.version("identity")) == (False, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_vanishes_is_reported_and_not_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "llmops.db"
    database = sqlite(path)
    add(database, "a")
    path.unlink()
    for use in (lambda: database.version("identity"), lambda: count(database), lambda: add(database, "b")):
        with pytest.raises(StoreUnavailable, match=r"llmops\.db is gone"):
            use()
    assert not path.exists()
    database.close()


def test_another_file_in_its_place_is_noticed_whatever_its_counter(tmp_path: Path) -> None:
    path = tmp_path / "llmops.db"
    database = sqlite(path)
    add(database, "old")
    before = database.version("identity")
    for file in tmp_path.iterdir():
        file.unlink()
    replacement = sqlite(path)
    add(replacement, "new")  # as many writes as the old one had
    replacement.close()
    with database.read() as connection:
        assert connection.execute(select(tenants.c.id)).scalars().all() == ["new"]
    assert database.version("identity") != before
    database.close()


@pytest.mark.parametrize("obstacle", ["a file in the folder's place", "not a database", "a later version", "/proc"])
def test_a_database_that_cannot_be_used_is_said_plainly(obstacle: str, tmp_path: Path) -> None:
    path = tmp_path / "data/llmops.db"
    if obstacle == "a file in the folder's place":
        path.parent.write_text("in the way")
    elif obstacle == "/proc":
        path = Path("/proc/llmops.db")  # read-only also for root
    else:
        path.parent.mkdir()
        if obstacle == "not a database":
            path.write_text("not a database " * 100)
        else:
            later = sqlite(path)
            later.ensure()
            with later.engine.begin() as connection:
                connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
            later.close()
    database = sqlite(path)
    with pytest.raises(StoreUnavailable) as caught:
        add(database, "a")
    database.close()
    message = caught.value.message
    assert message.startswith(f"the database sqlite:///{path} does not work: ") and "\n" not in message
    assert ("of a version that this one does not know" in message) == (obstacle == "a later version")


# --- addresses --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "is not a database URL"),
        ("postgres//me:do-not-show@h", "is not a database URL"),
        ("postgresql://me:do-not-show@h:port/d", "is not a database URL"),
        ("mysql://me:do-not-show@h/d", "'mysql': must be sqlite or postgresql"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_an_address_that_cannot_be_one(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Database(url)
    assert "do-not-show" not in str(caught.value)


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    database = Database("postgresql://me:do-not-show@127.0.0.1:1/d")
    with pytest.raises(
        StoreUnavailable, match=r"the database postgresql://me:\*+@127\.0\.0\.1:1/d does not work"
    ) as caught:
        database.version("identity")
    assert "do-not-show" not in caught.value.message
    assert (caught.value.status, caught.value.retryable) == (503, True)
    database.close()
