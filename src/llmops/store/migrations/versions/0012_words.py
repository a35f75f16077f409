"""Words of captured texts as the gateway finds them itself, without case and accents: PostgreSQL gets a column for
them, with an index; SQLite's index is made anew, and filled again by the writer of spans."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("span_texts", sa.Column("words", TSVECTOR().with_variant(sa.Text(), "sqlite")))
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP INDEX ix_span_texts_words")
        op.execute("UPDATE span_texts SET words = to_tsvector('simple', text)")
        op.execute("CREATE INDEX ix_span_texts_words ON span_texts USING gin (words)")
    else:
        # Only words get here, so every letter that is not ASCII is part of one. Nothing is read from it but row ids.
        _make_anew("content='', detail=column, columnsize=0, tokenize='ascii'")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP INDEX ix_span_texts_words")
        op.execute("CREATE INDEX ix_span_texts_words ON span_texts USING gin (to_tsvector('simple', text))")
    else:
        _make_anew("content='span_texts', content_rowid='id', detail=column, columnsize=0")
    op.drop_column("span_texts", "words")


def _make_anew(options: str) -> None:
    op.drop_table("span_texts_fts")
    op.execute(f"CREATE VIRTUAL TABLE span_texts_fts USING fts5(text, tenant, {options})")
    op.execute("UPDATE span_texts_indexed SET up_to_id = 0")
