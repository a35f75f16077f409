"""The queries about calls and usage: storing them, summing them up, comparing them with the log."""
