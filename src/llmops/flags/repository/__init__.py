"""Flags in the database."""
