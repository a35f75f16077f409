"""Releases in the database."""
