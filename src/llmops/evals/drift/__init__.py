"""Drift: whether live calls still look like those of a reference window."""
