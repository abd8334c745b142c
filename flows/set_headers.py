"""Tensor headers of one set of files: the fewest requests that give them.

A sharded checkpoint costs one request where the Hub serves all headers together, else one for each shard; a single file
costs one, and a second when its header is larger than the first piece. A failure here is no failure of the model: it is
the problem of the set.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator

from flows.extract.info import LARGEST_SIZE, whole
from flows.extract.weight_files import FileSet
from flows.failures import Failure
from flows.headers import pickled, safetensors, sharded
from flows.headers.fold import Folder
from flows.headers.problem import HeaderProblem
from flows.headers.tensor_set import TensorSet
from flows.repository import Repository

INDEX = "model.safetensors.index.json"
PICKLE_INDEX = "pytorch_model.bin.index.json"
LARGEST_INDEX = 32 * 2**20
MOST_BESIDE = safetensors.LARGEST_HEADER + 8  # bytes of a file that are no data
READERS = {"safetensors": safetensors.tensors, "pickle": pickled.tensors}


def read_set(repository: Repository, one: FileSet, names: Collection[str]) -> TensorSet:
    """The headers of one set, all of it or a problem. `names` are the repository's files."""
    if one.role == "model" and one.format == "safetensors" and len(one.files) > 1 and INDEX in names:
        found = _together(repository, one)
        if found is not None:
            return found
    folder, total = Folder(), 0
    for file in one.files:
        header = safetensors.Header()
        try:
            folder.add(READERS[one.format](repository.reader(file), file.bytes, header))
        except HeaderProblem as problem:
            return unusable(one, f"{file.name}: {problem}")
        total += header.data_bytes
    return TensorSet(one.artifact, one.format, len(one.files), total, folder.groups())


def read_pickle_total(repository: Repository, one: FileSet) -> TensorSet:
    """Bytes of a sharded pickle by its index, without its tensors: one request instead of one for each shard."""
    content = repository.content(PICKLE_INDEX, LARGEST_INDEX)
    if isinstance(content, Failure):
        return unusable(one, f"{PICKLE_INDEX}: {content.kind}: {content.message}")
    try:
        total = whole(json.loads(content)["metadata"]["total_size"], LARGEST_SIZE)
    except (ValueError, RecursionError, LookupError, TypeError):
        total = None
    if not total:
        return unusable(one, f"{PICKLE_INDEX} has no usable total_size")
    return TensorSet(one.artifact, one.format, len(one.files), total, ())


def _together(repository: Repository, one: FileSet) -> TensorSet | None:
    """All headers in one answer; null when there is none, or it is of other files."""
    folder, shards = Folder(), sharded.Shards()

    def read(pieces: Iterator[bytes]) -> None:
        nonlocal folder, shards
        folder, shards = Folder(), sharded.Shards()  # a second try starts again
        folder.add(sharded.tensors(_sequential(pieces), shards))

    try:
        is_served = repository.headers_together(INDEX, read)
    except HeaderProblem:
        return None
    # it is of the current revision, which may have moved on since the list of files was made
    if not is_served or shards.files.keys() != {file.name for file in one.files}:
        return None
    beside = [file.bytes - shards.files[file.name] for file in one.files if file.bytes is not None]
    if not all(0 < size <= MOST_BESIDE for size in beside):
        return None
    return TensorSet(one.artifact, one.format, len(one.files), shards.data_bytes, folder.groups())


def _sequential(pieces: Iterator[bytes]) -> Callable[[int, int], bytes]:
    """Pieces of any size as reads of the next bytes; the offset is always where the last read ended."""
    left = b""

    def read_at(_offset: int, length: int) -> bytes:
        nonlocal left
        while len(left) < length and (piece := next(pieces, b"")):
            left += piece
        found, left = left[:length], left[length:]
        return found

    return read_at


def unusable(one: FileSet, problem: str) -> TensorSet:
    """The set with the reason why it has no tensors."""
    return TensorSet(one.artifact, one.format, len(one.files), None, (), {}, problem[:300])
