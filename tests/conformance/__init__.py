"""The chain through an independent implementation: our gateway in front of a LiteLLM proxy that answers with mocks.

``make conformance`` (``python -m tests.conformance``) starts both and asks with the official SDKs. LiteLLM has its own
virtual environment, ``.benchmark/litellm`` (``make bench-setup``) or where BENCH_LITELLM_VENV points.
"""
