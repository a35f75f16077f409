"""Records, the log, metrics and trace context."""
