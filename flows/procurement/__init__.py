"""The cheapest hardware that serves a demand: `hubfit plan`."""
