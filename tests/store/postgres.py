"""A PostgreSQL server of the tests' own: Debian's binaries, a temporary folder, a free port, nobody else's business.

The server refuses to run as root, so as root it runs as the package's user ``postgres``. Where it is not installed the
tests that need it are skipped, with the reason, or fail where servers are required (`required`).
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg

from llmops.store.database import Database
from tests.serving import HOST, free_port

USER = "postgres"


def binaries() -> Path | None:
    """The folder of the newest installed version's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


class PostgresServer:
    """``url`` leads to its first database, ``fresh`` makes another one, ``migrated`` one with this version's tables;
    ``kill`` ends the server amid its work, and ``start`` brings it back."""

    def __init__(self, port: int, start: Callable[[], None], kill: Callable[[], None]) -> None:
        self._port = port
        self.start = start
        self.kill = kill
        self._template: str | None = None

    def url(self, name: str = USER) -> str:
        return f"postgresql://{USER}@{HOST}:{self._port}/{name}"

    def fresh(self) -> str:
        """The URL of a new, empty database."""
        return self.url(self._create("template1"))

    def migrated(self) -> str:
        """The URL of a new database that is a copy of one that was migrated once: what the migrations make, its version
        counters at random as theirs are."""
        if self._template is None:
            name = self._create("template1")
            made = Database(self.url(name))
            made.ensure()
            made.close()
            self._template = name
        url = self.url(self._create(self._template))
        with psycopg.connect(url) as connection:
            connection.execute("UPDATE versions SET version = 1 + floor(random() * 1000000000)")
        return url

    def _create(self, template: str) -> str:
        name = f"test_{uuid4().hex}"
        statement = psycopg.sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement.format(psycopg.sql.Identifier(name), psycopg.sql.Identifier(template)))
        return name


@contextmanager
def postgres_server(programs: Path) -> Iterator[PostgresServer]:
    """A running server; its folder is gone afterwards."""
    owner = USER if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="llmops-postgres-"))  # not pytest's: its folders are closed to other users
    try:
        if owner is not None:
            shutil.chown(folder, owner)
        data, port = folder / "data", free_port()

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [programs / program, *arguments],
                cwd=folder,
                user=owner,
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                timeout=50,
            )

        run("initdb", "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        flags = f"-c listen_addresses={HOST} -p {port} -k {folder} -c fsync=off -c max_connections=40"

        def start() -> None:
            run("pg_ctl", "-D", str(data), "-o", flags, "-l", str(folder / "log"), "-w", "start")

        def kill() -> None:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")

        start()
        try:
            yield PostgresServer(port, start, kill)
        finally:
            if (data / "postmaster.pid").exists():
                kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
