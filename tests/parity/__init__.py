"""The parity matrix: what each client dialect can ask of each provider, found out by asking.

``python -m tests.parity`` writes ``docs/reference/parity.md``; the test fails while the page and the behaviour differ.
"""
