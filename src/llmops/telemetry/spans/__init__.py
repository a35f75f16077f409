"""Spans: what they are here, what they say in the words of each convention, and how they come in and go out."""
