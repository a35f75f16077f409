"""Traces and scores on their way to other tools: collectors, Langfuse, MLflow."""
