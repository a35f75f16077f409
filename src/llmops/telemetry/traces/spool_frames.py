"""How exports lie in a file of a spool: one frame after another, each with a head that says whose it is."""

import struct
from typing import Literal

SUFFIX = ".spool"
MAGIC = b"OTL1"
HEAD = struct.Struct("<4sIIQIHB")
"""Magic, bytes after the head, their checksum, microseconds at receipt, spans, bytes of the tenant, encoding."""
Encoding = Literal["protobuf", "json"]
ENCODINGS: tuple[Encoding, ...] = ("protobuf", "json")
