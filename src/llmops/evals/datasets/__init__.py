"""Datasets: cases in files of many formats, in immutable versions in the database, and from what was recorded."""
