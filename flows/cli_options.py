"""Options that several commands have, and the words that some of them take."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class SourceName(StrEnum):
    hub = "hub"
    snapshot = "snapshot"


class Format(StrEnum):
    table = "table"
    csv = "csv"
    json = "json"
    markdown = "markdown"
    parquet = "parquet"
    xlsx = "xlsx"


class Train(StrEnum):
    full = "full"
    lora = "lora"
    dora = "dora"
    qlora = "qlora"


class Loss(StrEnum):
    plain = "plain"
    fused = "fused"


class LoraTargets(StrEnum):
    all_linear = "all_linear"
    attention_qv = "attention_qv"


SourceOption = Annotated[SourceName, typer.Option("--source", help="Live Hub or the embedded snapshot.")]
ListsOption = Annotated[
    list[str] | None,
    typer.Option("--list", help="Name of a list in catalogs/lists, a file, hub:author=NAME or hub:top=N. Repeatable."),
]
ModelsOption = Annotated[list[str] | None, typer.Option("--model", help="A model id. Repeatable.")]
CatalogsOption = Annotated[
    Path | None,
    typer.Option("--catalogs", help="Folder with gpus.csv, prices.csv, … that replace ours (what-if)."),
]
DataOption = Annotated[
    Path | None, typer.Option("--data", envvar="HUBFIT_DATA", help="Where nights are kept; default ./data.")
]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Start anew even if an unfinished run could be resumed.")]
NotifyOption = Annotated[
    list[str] | None,
    typer.Option("--notify", help="Block of Prefect that is told what changed, like slack-webhook/NAME. Repeatable."),
]
