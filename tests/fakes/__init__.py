"""Real things for tests: scripted upstreams on sockets, providers' wires, and the gateway on a running server."""
