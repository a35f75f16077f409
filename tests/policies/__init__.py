"""Policies over handlers made on the spot."""
