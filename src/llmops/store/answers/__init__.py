"""Where kept answers lie: in this process, or in Redis for all of them. Opaque bytes under opaque keys."""
