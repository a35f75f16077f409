"""Counters that calls are checked against and taken from, all together or not at all; in-process and in Redis."""
