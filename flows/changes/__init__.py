"""What a night has that the one before it had not: models, catalogs, prices, verdicts, and why."""
