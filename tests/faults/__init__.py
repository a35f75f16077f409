"""Proofs by fault: gateways that are killed, left by their clients, and cut off from Redis and PostgreSQL amid load.

``python -m tests.faults`` runs them at full length (``make soak``); the tests here run each of them for a few seconds.
Gateways are real processes in folders of their own, upstreams real servers of ours. What was asked and answered is
known from both ends of a call, the client's and the upstream's, and compared with the request log and the database.
"""
