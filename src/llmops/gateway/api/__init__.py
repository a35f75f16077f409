"""The control plane's routes, imported on the first request to them."""
