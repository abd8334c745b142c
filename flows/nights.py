"""Published nights from Python: questions in SQL, answers as Polars frames.

from flows import nights

with nights.latest() as night:
    night.sql("FROM best_fit WHERE gpu = $gpu AND workload = 'chat-8k'", gpu="nvidia-l4-24gb")
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from types import TracebackType

import duckdb
import polars as pl

from flows import publication, warehouse
from flows.settings import Settings
from flows.sql_shell import TABLES, BadQuery, one_statement

# What a question may be given by name.
Parameter = str | int | float | bool | None


class OpenNight:
    """One published night, open for reading until it is closed. Nothing that is asked of it changes anything."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run_id = folder.name
        self._connection = warehouse.connect(folder / publication.DATABASE)

    def sql(self, query: str, **parameters: Parameter) -> pl.DataFrame:
        """The rows of one question; `$name` in it is the parameter of that name.

        Types are the database's: verdicts are categories, moments are at UTC, null is unknown or not applicable.
        Raises BadQuery with the database's own words.
        """
        try:
            # a cursor for each, so that no question waits for the end of another's answer
            with self._connection.cursor() as cursor:
                one_statement(cursor, query)
                # Polars reads Arrow's stream by itself: pyarrow is not needed
                return pl.DataFrame(cursor.sql(query, params=parameters or None))
        except duckdb.Error as error:
            raise BadQuery(str(error)) from None

    def table(self, name: str) -> pl.DataFrame:
        """All of a table or view. `fit` has a row for each model, precision, workload and device: ask `sql` for a part.

        Raises BadQuery when there is none of that name.
        """
        quoted = name.replace('"', '""')
        return self.sql(f'FROM "{quoted}"')

    def tables(self) -> pl.DataFrame:
        """What there is: name, type and comment of each table and view."""
        return self.sql(TABLES)

    def close(self) -> None:
        """Let go of the file; frames stay."""
        self._connection.close()

    def __enter__(self) -> OpenNight:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def latest(data: str | PathLike[str] | None = None) -> OpenNight:
    """The newest night in a data folder: `data`, else HUBFIT_DATA, else ./data. Raises publication.NothingPublished."""
    return OpenNight(publication.latest(_folder(data)))


def of(run_id: str, data: str | PathLike[str] | None = None) -> OpenNight:
    """An earlier night by its run_id, as it is in the table `runs`. Raises publication.NothingPublished."""
    folder = _folder(data) / "published" / run_id
    if not publication.RUN_ID.fullmatch(run_id) or not folder.is_dir():
        raise publication.NothingPublished(f"no night {run_id} is kept in {_folder(data)}")
    return OpenNight(folder)


def _folder(data: str | PathLike[str] | None) -> Path:
    return Settings.from_environment(data=None if data is None else Path(data)).data
