"""Secrets that an installation makes for itself: random bytes in a file that only its owner reads."""

import os
import secrets
import tempfile
from pathlib import Path

SECRET_BYTES = 32


def load_or_make(path: Path) -> bytes:
    """Read the file, or make it (mode 0600); of those who start together, one makes it.

    `OSError` when it cannot be read or made, or does not hold `SECRET_BYTES` bytes.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # mode 0600
    try:
        with open(handle, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)
    return _read(path)


def _read(path: Path) -> bytes:
    secret = path.read_bytes()
    if len(secret) != SECRET_BYTES:
        raise OSError(f"{path} must hold {SECRET_BYTES} bytes, not {len(secret)}; delete it to have a new one made")
    return secret
