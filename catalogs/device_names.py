"""What drivers call a device where gpus.csv calls it otherwise: a file of ours that a site may replace."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from catalogs import load
from catalogs.rules import Rule
from catalogs.schema.hardware import GPUS
from catalogs.schema.table import Table

# Grain: a name and a device that it may mean; of several the memory of the device decides.
DEVICE_NAMES = Table(
    name="device_names",
    columns=pl.Schema(
        {
            "name": pl.String,  # as a driver's tool prints it, or PCI vendor:device or vendor:device:revision
            "gpu": pl.String,
            "source": pl.String,
            "as_of": pl.Date,
            "notes": pl.String,
        }
    ),
    key=("name", "gpu"),
    optional=("notes",),
    rules=(Rule("name", "must have a letter or a digit", pl.col("name").str.contains("[A-Za-z0-9]")),),
)


def device_names(folder: Path | None, gpus: list[str]) -> pl.DataFrame:
    """Columns name and gpu. Errors: CatalogError, also for a device that no catalog has.

    Of our own names those that mean a device which the site's gpus.csv lacks are left out.
    """
    path = load.path_of(DEVICE_NAMES, folder)
    rows = load.checked(DEVICE_NAMES, load.file_name(path), load.content(path))
    known = pl.col("gpu").is_in(gpus)
    if path.parent == load.OURS and load.path_of(GPUS, folder).parent != load.OURS:
        rows = rows.filter(known)
    load.check_rule(Rule("gpu", "must be found in gpus.csv as gpu_id", known), load.file_name(path), rows)
    return rows.select("name", "gpu")
