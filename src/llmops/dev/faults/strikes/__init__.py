"""The strikes themselves, by the layer they hit: the connection, the status, the body, the events of a stream."""
