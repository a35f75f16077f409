"""Releases: immutable bundles behind a public name, which of them is live, and how each has fared."""
