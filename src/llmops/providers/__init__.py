"""Adapters to the places where models run: one file per provider, over one HTTP transport."""
