"""Spans from other programs: waiting on disk, then stored, kept for a time, and found again."""
