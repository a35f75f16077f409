"""Rollouts in the database: `rollouts` writes them, `calls` reads what their evidence is made of."""
