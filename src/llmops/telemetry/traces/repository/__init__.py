"""What the trace store asks of the database."""
