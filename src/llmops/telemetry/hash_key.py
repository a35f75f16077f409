"""The key of the content hashes in the request log: made once for an installation, kept beside the log.

Without a key, the hash of a short message could be looked up in a table of guesses.
"""

from pathlib import Path

from ..secret_file import load_or_make


def load_hash_key(directory: Path) -> bytes:
    """The key in ``directory/.hash-key``, made when missing; `OSError` when it cannot be read or made."""
    return load_or_make(directory / ".hash-key")
