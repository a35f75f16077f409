"""What was used, by whom: the request log brought into the database, sums over it, and the proof that both agree."""
