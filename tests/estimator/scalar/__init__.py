"""The estimator once more, one number at a time: plain Python after the prose of docs/method.md.

Nothing here imports the estimator or Polars: what is wrong in an expression must not be wrong here as well. How a
model divides over devices is in `split` and nowhere else.
"""
