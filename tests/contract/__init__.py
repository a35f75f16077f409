"""One suite over every provider."""
