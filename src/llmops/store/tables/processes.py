"""What processes tell each other: that something was written, whose turn it is, how far an export has come."""

from sqlalchemy import BigInteger, Column, Float, String, Table, Text

from .base import metadata

#: Counts the writes of each subject, from a random beginning: what caches poll. A row's ``version`` is where the
#: counter of its subject stood when it was last written; 0 was written before there were such columns.
versions = Table(
    "versions", metadata, Column("subject", String(40), primary_key=True), Column("version", BigInteger, nullable=False)
)

#: What one process of several does: whose turn it is, and how long.
leases = Table(
    "leases",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("holder", String(32), nullable=False),
    Column("until_s", Float, nullable=False),
)

#: How far each export to another tool has come with the logs of one place, and what became of everything before.
exports = Table(
    "exports",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("place", String(64), primary_key=True),
    Column("positions", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("updated_at_s", Float, nullable=False),
)
