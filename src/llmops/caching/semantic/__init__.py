"""Questions that mean the same: which calls may share an answer, how near they lie, and what has to agree besides."""
