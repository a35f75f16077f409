"""Rollups in the database: how they get there, how they are read, and how long they stay."""
