"""A made-up history of published nights for the page of trends."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from made_up_night import CHAT, NIGHT

from reports.trends import Then, TrendsPage

CLASSES = (
    ("consumer 8 GiB", 0.30), ("consumer 12 GiB", 0.40), ("consumer 16 GiB", 0.47), ("consumer 24 GiB", 0.58),
    ("workstation 24 GiB", 0.59), ("datacenter 48 GiB", 0.70), ("datacenter 80 GiB", 0.79),
    ("datacenter 128 GiB", 0.81), ("datacenter 192 GiB", 0.90), ("datacenter 256 GiB", 0.91),
)  # fmt: skip
FAMILIES = ("float", "gguf", "fp8", "int4", "mlx", "microscaling", "exl2", "hqq", "vector", "unknown")


def nights(number: int, every: timedelta = timedelta(days=1), without: tuple[int, ...] = ()) -> list[Then]:
    """The last of them is the made-up night; `without` are places of nights that failed."""
    moments = [NIGHT.started_at - every * (number - 1 - n) for n in range(number)]
    return [
        Then(f"{at:%Y-%m-%dT%H%M%SZ}", at, NIGHT.source, NIGHT.code_version, 180 if n < number // 3 else 221)
        for n, at in enumerate(moments)
        if n not in without or n == number - 1
    ]


def trends_page(number: int = 1, name: str = "float", **changes: Any) -> TrendsPage:
    """`name` is what a site calls a family of precisions."""
    made = changes.pop("nights", None) or nights(number)
    figures: dict[tuple[str, str], dict[str, float]] = {}
    last = max(1, len(made) - 1)
    for n, then in enumerate(made):
        part = n / last
        told: dict[tuple[str, str], float] = {
            ("models", "listed"): then.models_listed,
            ("models", "read"): then.models_listed - 3,
            ("models", "failed"): 3,
            ("kind", "decoder"): then.models_listed - 30,
            ("kind", "encoder"): 27,
            ("known", "exact counts"): 0.8,
            ("known", "something unknown"): 0.995,
            ("parameters", "median"): 7e9 + 1e9 * part,
            ("parameters", "90th percentile"): 70e9,
            ("parameters", "largest"): 671e9 if part < 0.5 else 1040e9,
        }
        for at, family in enumerate(FAMILIES):
            share = 0.82 - 0.1 * part if at == 0 else 0.02 + 0.01 * part
            told["stored precision", name if at == 0 else family] = share
        for at, (item, share) in enumerate(CLASSES):
            told["devices", item] = at + 2
            told["fit", item] = share + 0.03 * part
        told["price", "consumer 24 GiB"] = 0.35
        told["stale prices", "consumer 24 GiB"] = 1
        for key, value in told.items():
            figures.setdefault(key, {})[then.run_id] = value
    return TrendsPage(**{"night": NIGHT, "workload": CHAT, "nights": made, "figures": figures, **changes})


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text + "+00:00")
