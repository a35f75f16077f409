"""Assessments: what somebody or something thinks of a trace, a span or a session."""
