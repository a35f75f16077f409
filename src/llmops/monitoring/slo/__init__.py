"""Objectives (SLOs): error budgets, how fast they burn, and when that is worth an alert."""
