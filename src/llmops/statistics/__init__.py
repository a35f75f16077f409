"""One statistical engine for the gate (offline, paired) and the canary (online, sequential): the same four verdicts.

Pure functions and small states: no I/O, no clock, randomness only from a seed. ``noninferiority.decide`` is the gate's
rule, ``sequential.evidence`` the canary's guards; the other files are the tests, intervals and plans beneath them.
Modules of ``sequential`` need the standard library and msgspec only; files that work on arrays need numpy
(the extra ``evals``), so nothing of them is imported here. Which test is used when: docs/explanation/statistics.md.
"""

from .verdict import Finding, Interval, Verdict

__all__ = ["Finding", "Interval", "Verdict"]
