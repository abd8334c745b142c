"""Which devices this machine has: a module for each source that knows, and one that finds their rows of gpus.csv."""
