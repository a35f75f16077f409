"""The queries of alerts."""
