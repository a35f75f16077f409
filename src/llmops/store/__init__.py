"""The database: engine, tables and migrations. Queries belong to the domains, in their own ``repository.py``."""
