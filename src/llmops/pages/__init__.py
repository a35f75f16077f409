"""Pages of the dashboard, one file each, with one function: ``render(view)``. See `llmops.viewing`."""
