"""The audit trail: who changed what, when and why. See `trail` for writing to it, `repository` for reading."""
