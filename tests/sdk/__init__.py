"""The official SDKs, unchanged, against a really running gateway."""
