"""What a buyer has already: of a file, of the folder of catalogs, or of the machine that asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from catalogs import demand as files
from catalogs.load import is_there
from flows import terminal
from flows.local_devices.machine import AUTO, Asker, here

ASKER = Asker(
    "--inventory auto",
    "Write gpu,devices and a line for each kind into a CSV and name that by --inventory:"
    ' `hubfit sql "SELECT gpu_id FROM gpus"` lists them',
    "Name the nearest in a CSV of gpu,devices by --inventory",
)


@dataclass(frozen=True)
class Owned:
    """`inventory`: gpu, devices. `on_one_node`: devices of a kind that are known to be in one machine."""

    inventory: pl.DataFrame
    on_one_node: Mapping[str, int] = field(default_factory=dict)


def owned(asked: Path | None, folder: Path | None, gpus: pl.DataFrame) -> Owned:
    """What `asked` names: a file, or `auto` for this machine; nothing asked is the inventory.csv of `folder`, if any.

    Says on stderr what this machine has, and what is left out because nobody knows its power.
    Raises machine.NoDevice and catalogs.CatalogError.
    """
    found = _found(asked, folder, gpus)
    unrated = gpus.filter(pl.col("tdp_watts").is_null())["gpu_id"].implode()
    for gpu in found.inventory.filter(pl.col("gpu").is_in(unrated))["gpu"]:
        terminal.note(
            f"{gpu} of the inventory is left out: nobody knows what it draws; say so in a gpus.csv of your own"
        )
    return found


def _found(asked: Path | None, folder: Path | None, gpus: pl.DataFrame) -> Owned:
    if asked == Path(AUTO):
        counts = here(gpus, folder, ASKER).counts
        return Owned(pl.DataFrame(list(counts.items()), schema=files.INVENTORY.columns, orient="row"), counts)
    if asked is None and folder is not None and is_there(folder / files.INVENTORY.file):
        asked = folder / files.INVENTORY.file  # as a night counts it
    if asked is None:
        return Owned(pl.DataFrame(schema=files.INVENTORY.columns))
    return Owned(files.inventory(asked, gpus["gpu_id"].to_list()))
