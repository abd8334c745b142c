"""Sizes of hash tables: models hash into as many rows as a prime number says, so that tables share few collisions."""

from __future__ import annotations

import math
from functools import lru_cache

# Bounds that keep a hostile configuration from costing more than a fraction of a second; Qwen4-Exp has 20,000,000.
LARGEST_START = 10**8
MOST = 256


@lru_cache(maxsize=64)
def sum_of_primes(start: int, skipped: int, count: int) -> int:
    """The sum of `count` primes from `start` on, after the first `skipped`. Raises ValueError beyond reason."""
    if not (0 <= start <= LARGEST_START and skipped >= 0 and count >= 0 and skipped + count <= MOST):
        raise ValueError(f"primes({start}, {skipped}, {count}): beyond any table")
    total, found, candidate = 0, 0, start - 1
    while found < skipped + count:
        candidate += 1
        if _is_prime(candidate):
            found += 1
            total += candidate if found > skipped else 0
    return total


def _is_prime(number: int) -> bool:
    if number < 4:
        return number > 1
    return number % 2 > 0 and all(number % divisor for divisor in range(3, math.isqrt(number) + 1, 2))
