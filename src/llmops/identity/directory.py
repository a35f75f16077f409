"""Identity as a whole: the registry that changes it, the keyring that judges by it, the refresher between them."""

from ..clock import Clock
from ..store.database import Database
from .keyring import Keyring
from .refresher import KeyringRefresher
from .registry import KeyRegistry
from .repository import IdentityRepository


class IdentityDirectory:
    def __init__(
        self, database: Database, pepper: bytes, clock: Clock, *, refresh_s: float, may_open: bool = True
    ) -> None:
        repository = IdentityRepository(database)
        self.database = database
        self.registry = KeyRegistry(repository, pepper, clock)
        self.keyring = Keyring(pepper, may_open=may_open)
        self.refresher = KeyringRefresher(self.keyring, repository, period_s=refresh_s)

    async def aclose(self) -> None:
        await self.refresher.aclose()
        self.close()

    def close(self) -> None:
        """Give the database up; enough where nothing was started."""
        self.database.close()
