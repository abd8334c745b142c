"""What turns a price list into costs: hours, years of amortisation, power and what it costs."""

from __future__ import annotations

import polars as pl

from catalogs.rules import Rule, one_of, positive
from catalogs.schema.table import Table

UNITS = {
    "hours_per_month": "hours",
    "horizon_months": "months",
    "amortisation_years": "years",
    "usd_per_kwh": "USD",
    "power_usage_effectiveness": "ratio",
    "power_share": "ratio",
}
PARAMETERS = tuple(UNITS)

_named = pl.col("parameter")

# Grain: a number that turns prices into costs, of the views `current_purchases` and `fit` and of plans.
POLICY = Table(
    name="policy",
    columns=pl.Schema(
        {
            "parameter": pl.String,
            "value": pl.Float64,
            "unit": pl.String,
            "source": pl.String,
            "as_of": pl.Date,
            "notes": pl.String,
        }
    ),
    key=("parameter",),
    optional=("notes",),
    rules=(
        one_of("parameter", PARAMETERS),
        *positive("value"),
        Rule("value", "must be at most 1 for power_share", (pl.col("value") <= 1) | (_named != "power_share")),
        Rule(
            "unit",
            f"must be that of its parameter ({', '.join(UNITS.values())}); convert the value",
            pl.col("unit") == _named.replace_strict(UNITS, default=None, return_dtype=pl.String),
        ),
        Rule("parameter", f"must list all of {', '.join(PARAMETERS)}", _named.n_unique() >= len(PARAMETERS)),
    ),
)
