"""Requests for plans without a night: what fits where and what it costs, in a few numbers."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

import polars as pl

from flows.procurement.offers import Terms
from flows.procurement.options import FITS, Answers
from flows.procurement.problem import Limits
from flows.procurement.request import Request

PRECISIONS = pl.DataFrame(
    {
        "precision": ["bf16", "fp8", "int4", "int2", "stored"],
        "bits": [16.0, 8.0, 4.25, 2.5, None],
        "rank": [1, 2, 3, None, 4],
    }
)
# a month of 1,000 hours, and power that costs nothing: what is bought costs its price of a month of 50
POLICY = {
    "hours_per_month": 1000.0, "amortisation_years": 50 / 12, "usd_per_kwh": 1e-9, "power_usage_effectiveness": 1.0,
    "power_share": 1.0,
}  # fmt: skip


def fit(gpu: str, precision: str = "bf16", degree: int = 1, speed: float | None = 50.0, **more: Any) -> dict[str, Any]:
    return {
        "demand": 0, "groups": 1, "gpu": gpu, "precision": precision, "is_own_format": False, "is_tight": False,
        "degree": degree, "parallelism": f"tp{degree}", "tokens_per_second": speed,
        "required_bytes": 80, "required_bytes_high": 90, "usable_bytes": 120, "assured_bytes": 110,
        "confidence": "high", "speed_confidence": "medium", **more,
    }  # fmt: skip


def price(gpu: str, usd: float, kind: str = "on_demand", count: float = 1.0, **more: Any) -> dict[str, Any]:
    """US dollars of a device: of an hour in thousandths, so that a month costs `usd`; bought, of the month of 50."""
    return {
        "gpu": gpu, "kind": kind, "gpu_count": count, "provider": None if kind == "purchase" else "one",
        "region": None, "basis": "street", "source": "s", "as_of": datetime.date(2026, 11, 1), "age_days": 30,
        "is_stale": False, "origin": "seed", "usd_per_gpu_hour": None if kind == "purchase" else usd / 1000,
        "usd_purchase": 50 * usd if kind == "purchase" else None, **more,
    }  # fmt: skip


def answers(
    fits: Iterable[dict[str, Any]],
    prices: Iterable[dict[str, Any]] = (),
    rooms: Iterable[tuple[str, int, int]] = (),
    **watts: int,
) -> Answers:
    """Devices named a to d, of nvidia but for c and d, which are of amd; 100 W each unless said otherwise."""
    gpus = {
        "gpu_id": ["a", "b", "c", "d"], "vendor": ["nvidia", "nvidia", "amd", "amd"], "max_gpus_per_node": [8] * 4,
        "watts": [watts.get(gpu, 100) for gpu in "abcd"],
    }  # fmt: skip
    floats = dict.fromkeys(("usd_purchase", "usd_per_gpu_hour"), pl.Float64)
    return Answers(
        fits=pl.DataFrame(list(fits), schema=FITS),
        rooms=pl.DataFrame(list(rooms), schema=["gpu", "processes", "assured_bytes"], orient="row"),
        prices=pl.DataFrame(list(prices), infer_schema_length=None, schema_overrides=floats),
        gpus=pl.DataFrame(gpus),
        precisions=PRECISIONS,
    )


def demand(*rows: dict[str, Any]) -> pl.DataFrame:
    """Lines from 2 on: any precision, no speed and one replica unless they say otherwise."""
    usual = {
        "model_id": "m", "precision": "any", "context_tokens": 8192, "concurrent_sequences": 1,
        "min_tokens_per_second": None, "replicas": 1,
    }  # fmt: skip
    lines = [usual | row | {"line": line} for line, row in enumerate(rows or ({},), start=2)]
    return pl.DataFrame(lines, schema_overrides={"min_tokens_per_second": pl.Float64})


def inventory(**devices: int) -> pl.DataFrame:
    return pl.DataFrame({"gpu": list(devices), "devices": list(devices.values())}, schema=["gpu", "devices"]).cast(
        {"gpu": pl.String, "devices": pl.Int64}
    )


def request(
    asked: pl.DataFrame,
    found: Answers,
    *,
    owned: pl.DataFrame | None = None,
    terms: Terms | None = None,
    limits: Limits | None = None,
    share: bool = False,
) -> Request:
    return Request(
        asked, found, inventory() if owned is None else owned, POLICY, terms or Terms(1.0), limits or Limits(), share
    )
