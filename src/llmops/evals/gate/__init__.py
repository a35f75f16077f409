"""The gate: may a candidate take the baseline's place? PASS, BLOCK, INCONCLUSIVE or ERROR, and the numbers behind it.

Both arms answer the same cases, fresh, in the same window. ``policy`` says beforehand what counts; ``arm`` is a run as
the gate reads it; ``integrity`` refuses what cannot be compared; ``tables``, ``must_pass`` and ``verdict`` decide;
``stages`` says what is bought next and at which level; ``running`` buys it. The rule itself is
`statistics.noninferiority.decide`. Everything fails closed: what could not be measured is ERROR and never PASS.
"""
