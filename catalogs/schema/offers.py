"""Where prices come from by themselves, and which device a provider's name means."""

from __future__ import annotations

import polars as pl

from catalogs.rules import Rule, identifier, one_of, positive
from catalogs.schema.table import CONFIDENCES, Table

LAYOUTS = ("azure_retail", "gpuhunt", "skypilot")

# Grain: provider. Each is read from one place, so that no offer counts twice.
PRICE_SOURCES = Table(
    name="price_sources",
    columns=pl.Schema(
        {
            "provider": pl.String,
            "layout": pl.String,  # how the answer is to be read
            "address": pl.String,  # a mirror's where the public one cannot be reached
            "basis": pl.String,
            "confidence": pl.String,
            "source": pl.String,
            "as_of": pl.Date,
            "notes": pl.String,
        }
    ),
    key=("provider",),
    optional=("notes",),
    rules=(
        identifier("provider"),
        one_of("layout", LAYOUTS),
        Rule("address", "must be an http or https address", pl.col("address").str.contains(r"^https?://[^\s/]+/?")),
        one_of("basis", ("list", "marketplace")),
        one_of("confidence", CONFIDENCES),
    ),
)

# Grain: name of a device or of an instance type, by provider and memory of one device.
PRICE_NAMES = Table(
    name="price_names",
    columns=pl.Schema(
        {
            "name": pl.String,  # as the provider writes it; case, blanks, '-' and '_' do not count
            "provider": pl.String,
            "device_memory_gib": pl.Float64,  # nominal; empty where the provider tells none and the name is enough
            "gpu_count": pl.Float64,  # where the provider does not tell how many an instance has
            "gpu": pl.String,
            "source": pl.String,
            "as_of": pl.Date,
            "notes": pl.String,
        }
    ),
    key=("name", "provider", "device_memory_gib"),
    optional=("device_memory_gib", "gpu_count", "notes"),
    rules=(identifier("provider"), *positive("device_memory_gib", "gpu_count")),
)
