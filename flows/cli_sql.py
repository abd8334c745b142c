"""`hubfit sql`: questions to the latest night, their rows on the terminal or in a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.cli_options import DataOption, Format


def sql(
    query: Annotated[
        str | None,
        typer.Argument(help="One SELECT (or FROM, DESCRIBE, SHOW, SUMMARIZE, EXPLAIN); else --file, else stdin."),
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Read the query there; - is stdin.")] = None,
    format: Annotated[
        Format | None,
        typer.Option("--format", help="How to write the rows; else by the suffix of --output, else table."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write there instead of stdout; parquet and xlsx need it.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="At most so many rows; of a table 1,000.", min=0)] = None,
    all_rows: Annotated[bool, typer.Option("--all", help="All rows, of a table too.")] = False,
    data: DataOption = None,
) -> None:
    """Read-only SQL on the latest published night; without a query, on a terminal: the tables that there are.

    hubfit sql "FROM fit WHERE gpu = 'nvidia-rtx-4090-24gb' AND verdict = 'fits' LIMIT 5"

    hubfit sql "FROM best_fit" -o best_fit.parquet  # or .csv, .xlsx, .json, .md

    hubfit sql < query.sql
    """
    from flows import publication, sql_shell
    from flows.settings import Settings

    if limit is not None and all_rows:
        raise typer.BadParameter("give either --limit or --all")
    settings = Settings.from_environment(data=data)
    sql_shell.answer(
        publication.latest_database(settings.data),
        _asked(query, file),
        None if format is None else format.value,
        output,
        sql_shell.ALL if all_rows else limit,
    )


def _asked(query: str | None, file: Path | None) -> str:
    from flows.sql_shell import TABLES, BadQuery

    if query is not None:
        if file is not None:
            raise typer.BadParameter("give either a query or --file")
        return query
    if file is None and sys.stdin.isatty():
        return TABLES
    place = None if file is None or str(file) == "-" else file
    try:
        text = (sys.stdin.buffer.read() if place is None else place.read_bytes()).decode("utf-8-sig")
    except OSError as error:
        raise BadQuery(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadQuery(f"{place or 'stdin'} is no text in UTF-8") from None
    if not text.strip():
        raise BadQuery("no query: give one, --file FILE, or one on stdin")
    return text
