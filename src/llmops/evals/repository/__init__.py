"""Runs and their results in the database."""
