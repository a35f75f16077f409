"""Feature flags: targeting rules and sticky shares, decided in memory and changed without a deploy."""
