"""Alerts, silences, and who is told."""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, String, Table, Text

from .base import metadata

#: The state of every alert that is not well, or was not within the last hour. ``record`` is an
#: `monitoring.alerts.alert.Alert`.
alerts = Table(
    "alerts",
    metadata,
    Column("fingerprint", String(32), primary_key=True),
    Column("rule", String(80), nullable=False),
    Column("tenant", String(256)),
    Column("state", String(16), nullable=False),
    Column("record", Text, nullable=False),
)

#: What has become of alerts, for the history.
alert_events = Table(
    "alert_events",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at_s", Float, nullable=False),
    Column("fingerprint", String(32), nullable=False),
    Column("rule", String(80), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("tenant", String(256)),
    Column("labels", Text, nullable=False),
    Column("change", String(16), nullable=False),
    Column("value", Float),
    Column("threshold", Float),
    Column("detail", Text, nullable=False),
    Index("ix_alert_events_at_s", "at_s"),
)

#: When which alerts are announced to nobody. ``tenant`` is whose own silence it is, NULL for an operator's.
silences = Table(
    "silences",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("tenant", String(256)),
    Column("matchers", Text, nullable=False),
    Column("starts_at_s", Float, nullable=False),
    Column("until_s", Float, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at_s", Float, nullable=False),
)

#: Messages to receivers. ``state``: waiting, delivered or given_up; ``due_at_s`` moves on when a process takes one up.
alert_letters = Table(
    "alert_letters",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("receiver", String(80), nullable=False),
    Column("state", String(16), nullable=False),
    Column("written_at_s", Float, nullable=False),
    Column("due_at_s", Float, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("letter", Text, nullable=False),
    Column("failure", Text),
    Index("ix_alert_letters_state", "state", "due_at_s"),
)

#: What each gateway process sees of itself and the database does not know otherwise: breakers, drops.
alert_signals = Table(
    "alert_signals",
    metadata,
    Column("process", String(32), primary_key=True),
    Column("at_s", Float, nullable=False),
    Column("signals", Text, nullable=False),
)
