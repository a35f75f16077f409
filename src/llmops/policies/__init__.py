"""Policies: each wraps the next handler of the pipeline and does one thing. `app.py` holds their order."""
