"""Benchmarks: what the gateway costs, measured beside a bare proxy and its peers. Not part of the package."""
