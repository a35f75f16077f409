"""Answers against what was looked up for them. Definitions are those of RAGAS (Es et al. 2023, arXiv 2309.15217).

Where RAGAS would say NaN, a score has no value and a note. ``ragas_compat`` gives its very arithmetic: the 1e-10 in
average precision; where it is NaN there, the evidence says so and the value is still None. Words of prompts are ours,
so a judge's verdicts may differ from what it would say to theirs.
"""
