"""Azure Retail Prices API: pages of JSON, one item per meter. Instance types stand for their devices.

Left out: other terms than by the hour (a reservation's price is that of its whole term), Windows, low priority,
meters of other regions and those that have expired. A price in another currency than US dollars refuses the list.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl

from flows.prices.offers import BadList, Offers, offers

TEXTS = ("armRegionName", "armSkuName", "productName", "skuName", "meterName", "unitOfMeasure", "type", "currencyCode")
_ITEMS = pl.Schema(
    dict.fromkeys(TEXTS, pl.String()) | {"retailPrice": pl.Float64(), "isPrimaryMeterRegion": pl.Boolean()}
)


def next_page(page: bytes) -> str | None:
    """Address of the page that follows, null after the last. Raises BadList."""
    link = _page(page).get("NextPageLink")
    if link is not None and not isinstance(link, str):
        raise BadList("NextPageLink of the answer is no address")
    return link or None


def parse(pages: Sequence[bytes], provider: str, as_of: date, source: str) -> Offers:
    """Offers of `provider` from all `pages`. Raises BadList."""
    items = [_item(item) for page in pages for item in _page(page)["Items"]]
    frame = pl.DataFrame(items, schema=_ITEMS, orient="row")
    if other := frame.filter(pl.col("currencyCode") != "USD")["currencyCode"].unique().sort().to_list():
        raise BadList(f"prices are in {', '.join(other)}, not in USD")
    words = pl.concat_str("skuName", "meterName", separator=" ", ignore_nulls=True)
    rows = frame.lazy().select(
        provider=pl.lit(provider),
        region=pl.col("armRegionName"),
        instance_type=pl.col("armSkuName"),
        gpu_name=pl.col("armSkuName"),
        device_memory_gib=pl.lit(None, pl.Float64),
        gpu_count=pl.lit(None, pl.Float64),
        kind=pl.when(words.str.contains("Spot", literal=True)).then(pl.lit("spot")).otherwise(pl.lit("on_demand")),
        usd_per_instance_hour=pl.col("retailPrice"),
        as_of=pl.lit(as_of),
        source=pl.lit(source),
        words=words,
        product=pl.col("productName"),
        term=pl.col("type"),
        unit=pl.col("unitOfMeasure"),
        is_primary="isPrimaryMeterRegion",
    )
    reasons = {
        "no GPU family": ~pl.col("instance_type").str.starts_with("Standard_N").fill_null(False),
        "another term": (pl.col("term") != "Consumption").fill_null(True),
        "not by the hour": (pl.col("unit") != "1 Hour").fill_null(True),
        "Windows": pl.col("product").str.contains("Windows", literal=True),
        "low priority or expired": pl.col("words").str.contains("Low Priority|Expired"),
        "meter of another region": ~pl.col("is_primary").fill_null(True),
        "no price": ~(pl.col("usd_per_instance_hour") > 0).fill_null(False),
    }
    return offers(rows, reasons)


def _page(body: bytes) -> dict[str, Any]:
    try:
        page = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadList("the answer is not JSON") from error
    if not isinstance(page, dict) or not isinstance(page.get("Items"), list):
        raise BadList("the answer has no Items")
    return page


def _item(item: object) -> tuple[object, ...]:
    """The cells of an item; null for what is not of its type."""
    if not isinstance(item, dict):
        raise BadList("an item of the answer is no object")
    price, is_primary = item.get("retailPrice"), item.get("isPrimaryMeterRegion")
    # half a character, which JSON can spell, is no text elsewhere
    texts = (
        value.encode("utf-8", "replace").decode() if isinstance(value := item.get(name), str) else None
        for name in TEXTS
    )
    return (*texts, _number(price), is_primary if isinstance(is_primary, bool) else None)


def _number(value: object) -> float | None:
    """A finite number; JSON can spell whole numbers that no float holds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None
