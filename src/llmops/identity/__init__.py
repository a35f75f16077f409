"""Who is calling: tenants, API keys and what they may do."""
