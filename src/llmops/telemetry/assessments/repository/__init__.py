"""Assessments in the database."""
