"""The ways in which a letter reaches somebody."""
