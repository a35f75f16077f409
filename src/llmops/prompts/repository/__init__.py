"""Prompts in the database; the only queries there are about them."""
