"""Evals: cases, and the run that judges the configured model by them."""
