"""Datasets in the database."""
