"""What is known about calls: the request log, metrics and trace context."""
