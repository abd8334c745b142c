"""Lists of model ids: text, CSV or Parquet, by anybody's hand.

A bad entry is recorded, a bad file is an error.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from catalogs import decoding
from catalogs.errors import CatalogError, visible

LISTS = Path(__file__).parent / "lists"
COLUMN = "model_id"
TEXT_REMEDY = "save it as UTF-8 text with an id on each line"
GIVEN = "model ids given"  # where an id came from that no file holds
# Room for every repository of the Hub, and an end for a file that is something else.
LARGEST_FILE_BYTES = 256 * 2**20
LARGEST_FILE_ENTRIES = 10_000_000

_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?")


@dataclass(frozen=True)
class BadEntry:
    """An entry that cannot be a model id. `text` is safe to print; `line` is the row in Parquet."""

    text: str
    reason: str
    file: str
    line: int


@dataclass(frozen=True)
class ModelList:
    """Distinct ids in the order in which they were first named, and the entries that are none."""

    ids: tuple[str, ...]
    rejected: tuple[BadEntry, ...]


def read(names_or_files: Sequence[str | Path], extra: Sequence[str]) -> ModelList:
    """Merge lists, then the ids of `extra`. Errors: CatalogError for a file that is missing, unreadable or
    without one usable id, and when there is no usable id at all."""
    ids: dict[str, None] = {}
    rejected: list[BadEntry] = []
    for name_or_file in names_or_files:
        path = _path(name_or_file)
        _sort(_shown(path), _entries(path), ids, rejected)
    if extra:
        given = enumerate((text.strip() for text in extra), start=1)
        _sort(GIVEN, given, ids, rejected, must_have_one=not names_or_files)
    return ModelList(tuple(ids), tuple(rejected))


def _sort(
    file: str,
    entries: Iterable[tuple[int, str]],
    ids: dict[str, None],
    rejected: list[BadEntry],
    *,
    must_have_one: bool = True,
) -> None:
    """Put every entry of one source where it belongs."""
    usable = False
    wrong: list[BadEntry] = []
    for line, entry in entries:
        problem = id_problem(entry)
        if problem is None:
            usable = True
            ids.setdefault(entry)
        else:
            wrong.append(BadEntry(visible(entry), problem, file, line))
    if must_have_one and not usable:
        first = f" ({wrong[0].text} {wrong[0].reason})" if wrong else ""
        raise CatalogError(file, f"names no model{first}", wrong[0].line if wrong else None)
    rejected += wrong


def id_problem(text: str) -> str | None:
    """Why `text` cannot be a repository id on the Hub, None if it can."""
    if not text:
        return "is empty"
    if "://" in text:
        return "is an address, not owner/name"
    if not text.isascii():
        return "has characters beyond ASCII letters, digits, '_', '.' and '-'"
    parts = text.split("/")
    if len(parts) > 2:
        return "has more than one '/'"
    if "--" in text or ".." in text:
        return "contains '--' or '..'"
    if text.endswith(".git"):
        return "ends with .git"
    for part in parts:
        if not part:
            return "is not owner/name"
        if len(part) > 96:
            return "has a part longer than 96 characters"
        if _PART.fullmatch(part) is None:
            if part[0] in "-." or part[-1] in "-.":
                return "has a part that starts or ends with '-' or '.'"
            return "has characters beyond letters, digits, '_', '.' and '-'"
    return None


def _path(name_or_file: str | Path) -> Path:
    """A bare word is a list of ours, all else a path."""
    path = Path(name_or_file)
    if isinstance(name_or_file, str) and re.fullmatch(r"[A-Za-z0-9_-]+", name_or_file):
        path = LISTS / f"{name_or_file}.txt"
        if not path.is_file():
            ours = ", ".join(sorted(p.stem for p in LISTS.glob("*.txt"))) or "none"
            raise CatalogError(f"lists/{path.name}", f"does not exist (lists: {ours}; a file needs its suffix)")
    if path.suffix.lower() not in _READERS:
        raise CatalogError(visible(str(name_or_file)), "must be the name of a list, or a .txt, .csv or .parquet file")
    return path


def _shown(path: Path) -> str:
    return f"lists/{path.name}" if path.parent == LISTS else visible(str(path), limit=400)


def _entries(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every entry that is not blank or a comment."""
    file = _shown(path)
    try:
        if path.exists() and not path.is_file():  # reading a pipe would never end
            raise CatalogError(file, "cannot be read (is not a file)")
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise CatalogError(file, f"is larger than {LARGEST_FILE_BYTES // 2**20} MiB")
        raw = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise CatalogError(file, f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
    count = 0
    for line, text in _READERS[path.suffix.lower()](file, raw):
        entry = text.strip(" \t\ufeff\v\f\r\n")
        if entry and not entry.startswith("#"):
            count += 1
            if count > LARGEST_FILE_ENTRIES:
                raise CatalogError(file, f"has more than {LARGEST_FILE_ENTRIES} entries", line)
            yield line, entry


def _read_txt(file: str, raw: bytes) -> Iterator[tuple[int, str]]:
    # Not splitlines(): it also breaks at characters at which editors do not count a line.
    for number, line in enumerate(re.split(r"\r\n|\n|\r", decoding.text(file, raw, TEXT_REMEDY)), start=1):
        yield number, re.split(r"\s#", line, maxsplit=1)[0]


def _read_csv(file: str, raw: bytes) -> Iterator[tuple[int, str]]:
    reader = csv.reader(io.StringIO(decoding.text(file, raw), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if header.count(COLUMN) != 1:
            decoding.require_commas(file, ",".join(header), 1)
            raise CatalogError(file, f"must have one column {COLUMN} (got {visible(', '.join(header))})", 1)
        position = header.index(COLUMN)
        for cells in reader:
            if len(cells) > position:
                yield reader.line_num, cells[position]
    except csv.Error as error:
        raise CatalogError(file, f"is not CSV ({error})", max(reader.line_num, 1)) from error


def _read_parquet(file: str, raw: bytes) -> Iterator[tuple[int, str]]:
    try:
        # Bytes, not the path: polars would read '*' and '[' in a file name as a pattern.
        ids = pl.read_parquet(io.BytesIO(raw), columns=[COLUMN], n_rows=LARGEST_FILE_ENTRIES + 1)[COLUMN]
    except pl.exceptions.ColumnNotFoundError as error:
        raise CatalogError(file, f"must have a column {COLUMN}") from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise CatalogError(file, "is not Parquet that can be read") from error
    if not isinstance(ids.dtype, pl.String | pl.Categorical | pl.Enum):
        raise CatalogError(file, f"column {COLUMN} must be text (got {ids.dtype})")
    for number, text in enumerate(ids.cast(pl.String), start=1):
        if text is not None:
            yield number, text


_READERS = {".txt": _read_txt, ".csv": _read_csv, ".parquet": _read_parquet}
