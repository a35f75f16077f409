"""A model's opinion of an answer: against a rubric, against a reference, against another answer, or of several models.

A judge has tastes (the longer answer, the first one, its own), so it sees no names, and pairs in both orders. Until
it is calibrated against people (`calibration`) its word is advice.
"""
