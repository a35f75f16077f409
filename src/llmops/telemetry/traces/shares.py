"""What each tenant has waiting in a spool, so that one who floods it leaves room for the others.

A tenant may hold three times what is free, and not more: alone it fills three quarters of the spool, and whoever comes
then still finds a quarter, of which again three quarters are for the first who wants it (Choudhury and Hahne's dynamic
threshold). No list of tenants and no quota has to be kept, and a spool that is half empty refuses nobody.

Whose a file's bytes are stands in the heads of its frames. They are read once each, also those that other processes
write, a few milliseconds at a time; bytes whose head has not been read yet are nobody's. A file counts until it is
removed.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

from .spool_frames import HEAD, MAGIC, SUFFIX

TIMES_FREE = 3
_LOOK_S = 0.05
_HEAD_BYTES = HEAD.size + 1024


def fits(limit: int, total: int, own: int, more: int) -> bool:
    """Whether a tenant that holds ``own`` of ``total`` bytes may have ``more`` of them."""
    return own + more <= TIMES_FREE * (limit - total)


class _File:
    __slots__ = ("by_tenant", "read", "size")

    def __init__(self) -> None:
        self.size = self.read = 0
        self.by_tenant: dict[bytes, int] = {}


class Shares:
    """Of one folder. One thread at a time."""

    def __init__(self, folder: Path) -> None:
        self.total = 0
        self._folder = folder
        self._files: dict[str, _File] = {}
        self._by_tenant: dict[bytes, int] = {}

    def of(self, tenant: bytes) -> int:
        """The bytes of a tenant, as of the last look and with what was added since."""
        return self._by_tenant.get(tenant, 0)

    def add(self, tenant: bytes, size: int) -> None:
        """This much has been written since the last look."""
        self.total += size
        self._by_tenant[tenant] = self._by_tenant.get(tenant, 0) + size

    def look(self, *, whose_beyond: int) -> None:
        """See how much there is; where that is more than so many bytes, also read the heads that are new."""
        self._sizes()
        self.total = sum(file.size for file in self._files.values())
        if self.total > whose_beyond:
            deadline_s = time.monotonic() + _LOOK_S
            for name, file in self._files.items():
                if file.read < file.size and time.monotonic() < deadline_s:
                    with suppress(OSError):
                        self._read(name, file, deadline_s)
        by_tenant: dict[bytes, int] = {}
        for file in self._files.values():
            for tenant, size in file.by_tenant.items():
                by_tenant[tenant] = by_tenant.get(tenant, 0) + size
        self._by_tenant = by_tenant

    def _sizes(self) -> None:
        """The files that there are; none in a folder that cannot be read, nor be written then."""
        found: dict[str, _File] = {}
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX):
                    with suppress(FileNotFoundError):
                        size = entry.stat().st_size
                        found[entry.name] = self._files.get(entry.name) or _File()
                        found[entry.name].size = size
        self._files = found

    def _read(self, name: str, file: _File, deadline_s: float) -> None:
        fd = os.open(self._folder / name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while file.read + HEAD.size <= file.size and time.monotonic() < deadline_s:
                head = os.pread(fd, _HEAD_BYTES, file.read)
                if len(head) < HEAD.size:
                    return
                magic, length, _, _, _, tenant_bytes, _ = HEAD.unpack_from(head)
                if magic != MAGIC:
                    file.read = file.size  # its reader tells
                    return
                end = file.read + HEAD.size + length
                if end > file.size:
                    return
                tenant = head[HEAD.size : HEAD.size + tenant_bytes]
                file.by_tenant[tenant] = file.by_tenant.get(tenant, 0) + end - file.read
                file.read = end
        finally:
            os.close(fd)
