"""Answers that need not be asked for again: what is the same question, what is kept, and when it counts no more."""
