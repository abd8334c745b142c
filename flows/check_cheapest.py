"""The cheapest ways to rent what runs the one model of `hubfit check`, out of the rows of its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType

from flows import terminal
from flows.check_columns import Column, fitted

RUNS = ("fits", "tight", "sharded")
MOST_DEVICES = 5
ROOMY = 130  # characters that hold the whole story of a price beside the rest

PRICES = "FROM option_prices"

Row = Mapping[str, Any]


def cheapest(fit: Sequence[Row], prices: Sequence[Row]) -> list[dict[str, Any]]:
    """The five cheapest devices, each at its cheapest precision, and the cheapest way for each other precision.

    By USD per hour of all devices together, then USD per million tokens, then fewer devices, then more headroom.
    A way without a price is none.
    """
    offers = {(row["gpu"], row["devices"]): row for row in prices}
    ways = sorted((row for row in fit if _is_priced(row)), key=_order)
    devices = list({row["gpu"]: row for row in reversed(ways)}.values())  # the first of each is set last
    chosen = sorted(devices, key=_order)[:MOST_DEVICES]
    reached = {row["precision"] for row in chosen}
    for row in ways:
        if row["precision"] not in reached:
            reached.add(row["precision"])
            chosen.append(row)
    return [_way(row, offers[row["gpu"], row["gpus_needed"]]) for row in sorted(chosen, key=_order)]


def without_price(fit: Sequence[Row]) -> list[str]:
    """Devices that run the model in a precision that was asked for and that nobody is known to rent out."""
    running = [row for row in fit if row["verdict"] in RUNS]
    return sorted({row["gpu"] for row in running} - {row["gpu"] for row in running if _is_priced(row)})


def table(ways: Sequence[Row], width: int) -> RenderableType:
    """One row for each way; what is old or comes in larger numbers says so beside its price.

    Where `width` characters do not hold that, the region and who told the price are left to `--json`.
    """
    columns = [Column("precision", is_number=False), Column("device", is_number=False, least=18)]
    columns += [Column("devices", is_number=False), Column("tokens/s", rank=2), Column("USD/h")]
    columns += [Column("USD/Mtok", rank=3), Column("price of", rank=1, is_number=False, least=16)]
    rows = [
        (
            way["precision"],
            terminal.plain(way["name"]),
            "1" if way["gpus_needed"] == 1 else str(way["parallelism"]),
            speed(way["decode_tokens_per_second"]),
            f"{way['usd_per_hour']:.2f}",
            "-" if way["usd_per_million_tokens"] is None else f"{way['usd_per_million_tokens']:.2f}",
            _price(way),
        )
        for way in ways
    ]
    if width < ROOMY:
        rows = [(*row[:-1], _short_price(way)) for row, way in zip(rows, ways, strict=True)]
    return fitted("Cheapest ways to run it", columns, rows, width, "no way with a known price")


def remark(unpriced: Sequence[str]) -> str | None:
    """How many devices are left out for want of a price."""
    if not unpriced:
        return None
    return f"no price known for {len(unpriced):,} {'device that runs' if len(unpriced) == 1 else 'devices that run'} it"


def _is_priced(row: Row) -> bool:
    return row["verdict"] in RUNS and row["usd_per_hour"] is not None


def _order(row: Row) -> tuple[Any, ...]:
    """Ways whose speed is not known come after those of the same price whose cost of tokens is."""
    tokens, headroom = row["usd_per_million_tokens"], row["headroom_bytes"]
    return (
        *(row["usd_per_hour"], tokens is None, tokens or 0.0, row["gpus_needed"]),
        *(headroom is None, -(headroom or 0), row["gpu"], row["precision"]),
    )


def _way(row: Row, offer: Row) -> dict[str, Any]:
    kept = (
        *("gpu", "name", "gpus_needed", "precision", "parallelism", "verdict", "usd_per_hour"),
        *("usd_per_million_tokens", "usd_per_million_input_tokens", "decode_tokens_per_second"),
        *("total_tokens_per_second", "headroom_bytes"),
    )
    return {
        **{key: row[key] for key in kept},
        "provider": offer["provider"],
        "region": offer["region"],
        "instances": offer["instances"],
        "devices_per_instance": offer["devices_per_instance"],
        "price_as_of": offer["as_of"],
        "price_age_days": offer["age_days"],
        "price_is_stale": offer["is_stale"],
        "price_origin": offer["origin"],
    }


def _price(way: Row) -> str:
    place = ", ".join(str(way[key]) for key in ("provider", "region") if way[key])
    paid = way["instances"] * way["devices_per_instance"]
    by = f", for {paid}" if paid > way["gpus_needed"] else ""
    told = terminal.plain(f"{place}{by}, {way['price_as_of']}, {way['price_origin']}")
    stale = f" [yellow]stale ({way['price_age_days']:,} days)[/]" if way["price_is_stale"] else ""
    return told + stale


def _short_price(way: Row) -> str:
    paid = way["instances"] * way["devices_per_instance"]
    by = f", for {paid}" if paid > way["gpus_needed"] else ""
    told = terminal.plain(f"{way['provider']}{by}, {way['price_as_of']}")
    return f"{told} [yellow]stale[/]" if way["price_is_stale"] else told


def speed(value: float | None) -> str:
    """Tokens a second, with a digit more where they are few; a dash for unknown."""
    return "-" if value is None else f"{value:,.1f}" if value < 10 else f"{value:,.0f}"
