"""The key of the content hashes in the request log: made once for an installation, kept beside the log.

Without a key, the hash of a short message could be looked up in a table of guesses.
"""

import os
import secrets
from pathlib import Path

_BYTES = 32


def load_hash_key(directory: Path) -> bytes:
    """Read ``directory/.hash-key``, or make it (mode 0600); of two processes that start together, one makes it."""
    path = directory / ".hash-key"
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    directory.mkdir(parents=True, exist_ok=True)
    draft = directory / f".hash-key.{os.getpid()}"
    draft.touch(mode=0o600)
    draft.write_bytes(secrets.token_bytes(_BYTES))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return _read(path)


def _read(path: Path) -> bytes:
    key = path.read_bytes()
    if len(key) != _BYTES:
        raise OSError(f"{path} must hold {_BYTES} bytes, not {len(key)}; delete it to have a new one made")
    return key
