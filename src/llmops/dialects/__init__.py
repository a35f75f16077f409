"""Wire dialects: how the formats of the model APIs are read and written, on bytes and on neutral values."""
