"""Files of cases, one module a format; `registry` knows them by name."""
