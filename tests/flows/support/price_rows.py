"""Prices of a made-up provider, as the lake keeps them."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from flows.prices.naming import PRICES

H100 = "nvidia-h100-sxm-80gb"


def price_rows(*rows: dict[str, Any]) -> pl.DataFrame:
    whole = {
        "gpu": H100, "provider": "aws", "region": "us", "kind": "on_demand", "basis": "list", "instance_type": "p5",
        "gpu_count": 8.0, "usd_per_gpu_hour": 4.0, "as_of": date(2026, 11, 30), "confidence": "high", "source": "test",
    }  # fmt: skip
    return pl.DataFrame([whole | row for row in rows], schema=PRICES)
