"""Headers of weight files: which tensors a repository stores, read without reading the weights."""
