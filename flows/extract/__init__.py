"""From raw Hub answers to rows: what a model is made of, with where each number comes from."""
