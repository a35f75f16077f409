"""What the commands about keys and tenants share: the registry over the configured database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .output import clean_errors

if TYPE_CHECKING:
    from ..identity.registry import KeyRegistry
    from ..settings import Settings


@contextmanager
def opened(config: Path | None) -> Iterator[tuple["KeyRegistry", "Settings"]]:
    """The registry and the settings; errors end the command cleanly."""
    with clean_errors():
        from ..config import load_settings
        from ..opening import open_identity

        settings = load_settings(config)
        identity = open_identity(settings)
        try:
            yield identity.registry, settings
        finally:
            identity.close()
