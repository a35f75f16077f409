"""Watching what runs: objectives, and what other monitoring systems need to know of us."""
