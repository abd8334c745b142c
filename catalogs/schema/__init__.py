"""What every catalog file must look like: columns and types as written, keys, and the rules of a row.

Units are in the column names. An empty cell is null: unknown or not applicable, never zero.
`engines`, `vendors` and `native_formats` hold sets: space separated members.
"""

from __future__ import annotations

from catalogs.schema.formats import KV_PRECISIONS, PRECISIONS
from catalogs.schema.hardware import GPUS, PRICES
from catalogs.schema.ledger import MEASUREMENTS
from catalogs.schema.offers import PRICE_NAMES, PRICE_SOURCES
from catalogs.schema.policy import POLICY
from catalogs.schema.rates import LINKS, SPEEDS
from catalogs.schema.reserves import RESERVES
from catalogs.schema.scenarios import ENGINE_PROFILES, WORKLOADS
from catalogs.schema.scores import SCORES
from catalogs.schema.table import Table

__all__ = [
    "ENGINE_PROFILES",
    "GPUS",
    "KV_PRECISIONS",
    "LINKS",
    "MEASUREMENTS",
    "POLICY",
    "PRECISIONS",
    "PRICES",
    "PRICE_NAMES",
    "PRICE_SOURCES",
    "RESERVES",
    "SCORES",
    "SPEEDS",
    "TABLES",
    "WORKLOADS",
    "Table",
]

# In this order they are read, checked and hashed.
TABLES = (
    *(GPUS, PRECISIONS, KV_PRECISIONS, ENGINE_PROFILES, RESERVES, SPEEDS, LINKS, WORKLOADS, PRICES, PRICE_NAMES),
    *(PRICE_SOURCES, POLICY, MEASUREMENTS, SCORES),
)
