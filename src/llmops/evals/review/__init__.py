"""Human review: queues of outputs that people judge, so that two do not do the same, and agreement shows."""
