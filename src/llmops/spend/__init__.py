"""What calls cost and what they may: prices, limits, budgets and the ledger."""
