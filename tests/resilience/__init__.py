"""The decisions of resilience, under a clock that is a number."""
