"""Keys and tenants carry the version at which they were last written, so that a gateway reads what has changed only.

The counter begins anew, anywhere in 62 bits: two databases' counters are then too far apart to be taken for one that
has moved. Rows from before count as older than everything.
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_versions = sa.table("versions", sa.column("version", sa.BigInteger))


def upgrade() -> None:
    with op.batch_alter_table("versions") as versions:
        versions.alter_column("version", existing_type=sa.Integer, existing_nullable=False, type_=sa.BigInteger)
    op.execute(_versions.update().values(version=1 + secrets.randbelow(2**62)))
    for table in ("tenants", "api_keys"):
        op.add_column(table, sa.Column("version", sa.BigInteger, nullable=False, server_default="0"))
        op.create_index(f"ix_{table}_version", table, ["version"])


def downgrade() -> None:
    for table in ("tenants", "api_keys"):
        op.drop_index(f"ix_{table}_version", table)
        op.drop_column(table, "version")
    op.execute(_versions.update().values(version=1 + secrets.randbelow(2**30)))
    with op.batch_alter_table("versions") as versions:
        versions.alter_column("version", existing_type=sa.BigInteger, existing_nullable=False, type_=sa.Integer)
