"""Catalogs of gpuhunt: a zip with one CSV per provider, the price of the whole instance, memory of one device in GB.

The version of a catalog begins with its date. Left out: capacity that is reserved ahead (`dws`) and appliances at the
customer's (`edgegpu`), which are no offers by the hour.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from datetime import date, datetime

import polars as pl

from flows.prices import delimited
from flows.prices.offers import BadList, Offers, offers

NEEDED = ("instance_name", "location", "price", "gpu_count", "gpu_name", "gpu_memory", "spot")
LARGEST_CSV_BYTES = 256 * 2**20


def version_date(body: bytes) -> tuple[str, date]:
    """The name and the date of the newest catalog, from the file that says it. Raises BadList."""
    version = body[:200].decode("utf-8", "replace").strip()
    if not (found := re.fullmatch(r"(\d{8})-[A-Za-z0-9_-]{1,60}", version)):
        raise BadList("the version of the catalog is not like 20261122-17")
    try:
        return version, datetime.strptime(found[1], "%Y%m%d").date()  # noqa: DTZ007 a day has no zone here
    except ValueError as error:
        raise BadList(f"the version of the catalog has no date: {found[1]}") from error


def parse(body: bytes, provider: str, as_of: date, source: str) -> Offers:
    """Offers of `provider`. Raises BadList."""
    text = delimited.read(_csv(body), NEEDED, ("flags",))
    rows = text.lazy().select(
        provider=pl.lit(provider),
        region=pl.col("location"),
        instance_type=pl.col("instance_name"),
        gpu_name=pl.col("gpu_name"),
        device_memory_gib=delimited.number("gpu_memory"),
        gpu_count=delimited.number("gpu_count"),
        kind=pl.col("spot").str.to_lowercase().replace_strict({"true": "spot", "false": "on_demand"}, default=None),
        usd_per_instance_hour=delimited.number("price"),
        as_of=pl.lit(as_of),
        source=pl.lit(source),
        flags=pl.col("flags"),
    )
    reasons = {
        "no accelerator": pl.col("gpu_name").is_null() | ~(pl.col("gpu_count") > 0).fill_null(False),
        "reserved ahead": pl.col("flags").str.to_lowercase().str.contains("dws", literal=True),
        "at the customer's": pl.col("instance_type").str.contains("edgegpu", literal=True),
        "neither spot nor on demand": pl.col("kind").is_null(),
        "no price": ~(pl.col("usd_per_instance_hour") > 0).fill_null(False),
    }
    rows = rows.with_columns(device_memory_gib=pl.when(pl.col("device_memory_gib") > 0).then("device_memory_gib"))
    return offers(rows, reasons)


def _csv(body: bytes) -> bytes:
    """The one CSV in the zip, no larger than LARGEST_CSV_BYTES whatever the zip claims."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            names = [name for name in archive.namelist() if name.endswith(".csv")]
            if len(names) != 1:
                raise BadList(f"the zip holds {len(names)} CSV files instead of one")
            with archive.open(names[0]) as file:
                content = file.read(LARGEST_CSV_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise BadList("the catalog is no whole zip") from error
    if len(content) > LARGEST_CSV_BYTES:
        raise BadList(f"the CSV in the zip is larger than {LARGEST_CSV_BYTES // 2**20} MiB")
    return content
