"""The files of a folder as those of a repository: listed like the Hub lists them, read by ranges, never whole.

Symlinks are followed, as the cache of huggingface_hub needs, but never into a folder that they are in. What is neither
file nor folder is no file of a model. Names are kept as they can be printed, so that a file is found by what its list
calls it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from flows.extract.gguf import SHARD
from flows.extract.info import File, printable
from flows.extract.weight_files import ENDINGS
from flows.failures import Failure
from flows.headers.byte_source import ReadAt
from flows.headers.problem import HeaderProblem
from flows.repository import MOST_BYTES

MOST_ENTRIES = 20_000  # of one folder and those below it; a model has some hundred
DEEPEST = 4  # folders below the one that is named
_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\n.*?^size (\d{1,16})$", re.DOTALL | re.MULTILINE)
LARGEST_POINTER = 1024


class LocalFiles:
    """`paths` by the names that a repository would give them. The bound of bytes is of all files together."""

    def __init__(self, paths: dict[str, Path]) -> None:
        self._paths = paths
        self._left = MOST_BYTES

    def files(self) -> list[tuple[str, int | None]]:
        """Names and bytes; null bytes where a link leads nowhere. What Git LFS did not fetch has the size it will."""
        return [(name, _size(path)) for name, path in self._paths.items()]

    def reader(self, file: File) -> ReadAt:
        """Reads of one file. Raises HeaderProblem for what the disk refuses, and when the bound is met."""
        path = self._paths[file.name]

        def read_at(offset: int, length: int) -> bytes:
            if self._left <= 0:
                raise HeaderProblem("the headers of this folder are more than one answer can read")
            try:
                with path.open("rb", buffering=0) as source:
                    source.seek(offset)
                    found = source.read(length) or b""
            except OSError as error:
                raise HeaderProblem(f"cannot be read: {error.strerror}") from error
            if offset == 0 and _POINTER.match(found):
                raise HeaderProblem("is a pointer of Git LFS, its content was not fetched; run `git lfs pull`")
            self._left -= len(found)
            return found

        return read_at

    def content(self, name: str, limit: int) -> bytes | Failure:
        """A whole small file, read no further than its limit."""
        try:
            with self._paths[name].open("rb") as source:
                found = source.read(limit + 1)
        except OSError as error:
            return Failure("unreadable", f"{name}: {error.strerror}")
        except KeyError:
            return Failure("not_found", f"there is no {name}")
        if len(found) > limit:
            return Failure("too_large", f"{name} is larger than {limit // 2**20} MiB")
        return found

    def headers_together(self, index: str, read: Callable[[Iterator[bytes]], None]) -> bool:
        """Every shard is at hand: there is nothing to save."""
        return False


def of_folder(folder: Path) -> LocalFiles | Failure:
    """All files of a folder and of those below it, but for hidden folders. A failure when there are too many."""
    paths: dict[str, Path] = {}
    waiting: list[tuple[Path, str, tuple[tuple[int, int], ...]]] = [(folder, "", ())]
    seen = 0
    while waiting:
        place, prefix, above = waiting.pop()
        try:
            own = place.stat()
            with os.scandir(place) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if not prefix:
                return Failure("unreadable", f"the folder cannot be read: {error.strerror}")
            continue
        here = (own.st_dev, own.st_ino)
        if here in above:
            continue  # a link to a folder that it is in
        seen += len(found)
        if seen > MOST_ENTRIES:
            return Failure("too_large", f"more than {MOST_ENTRIES:,} files; name the folder of one model")
        for entry in found:
            path = Path(entry.path)
            if _is_folder(entry):
                if len(above) < DEEPEST and not entry.name.startswith("."):
                    waiting.append((path, f"{prefix}{entry.name}/", (*above, here)))
            elif _may_be_file(path):
                paths.setdefault(printable(f"{prefix}{entry.name}"), path)
    return LocalFiles(dict(sorted(paths.items())))


def of_file(path: Path) -> LocalFiles:
    """One weight file, with the other shards of its set and, of safetensors and pickles, the settings beside it.

    A GGUF file has its own settings.
    """
    stem = SHARD.sub("", path.name)
    is_sharded = stem != path.name
    try:
        beside = sorted(path.parent.iterdir()) if is_sharded or not is_gguf(path) else [path]
    except OSError:
        beside = [path]
    settings = () if is_gguf(path) else ("config.json", "adapter_config.json")
    chosen = [
        other
        for other in beside
        if other == path
        or (is_sharded and SHARD.sub("", other.name) == stem and _may_be_file(other))
        or (_may_be_file(other) and (other.name in settings or (settings and other.name.endswith(".index.json"))))
    ]
    return LocalFiles({printable(other.name): other for other in chosen})


def is_gguf(path: Path) -> bool:
    """Whether its name says so."""
    return path.name.lower().endswith(".gguf")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _may_be_file(path: Path) -> bool:
    """A regular file, or a link that leads nowhere: the file is missing then, and its name still tells of it."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return path.is_symlink()


def _size(path: Path) -> int | None:
    try:
        size = path.stat().st_size
        if size <= LARGEST_POINTER and path.name.lower().endswith(tuple(ENDINGS)):
            with path.open("rb") as source:
                pointer = _POINTER.match(source.read(LARGEST_POINTER))
            return int(pointer[1]) if pointer else size
    except OSError:
        return None
    return size
