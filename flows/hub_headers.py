"""Tensor headers of a repository on the Hub: the fewest requests that give them.

A sharded checkpoint costs one request where the Hub serves all headers together, else one for each shard; a single file
costs one, and a second when its header is larger than the first piece. A failure here is no failure of the model: it is
the problem of the set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote

from flows.extract.info import File
from flows.failures import Failure
from flows.headers import safetensors, sharded
from flows.headers.fold import Folder
from flows.headers.problem import HeaderProblem
from flows.headers.tensor_set import TensorSet
from flows.hub_http import Answer, HubHttp

INDEX = "model.safetensors.index.json"


def read_set(
    client: HubHttp, model_id: str, revision: str, artifact: str, files: Sequence[File], *, has_index: bool
) -> TensorSet:
    """The headers of one set of safetensors files, all of it or a problem."""
    path = quote(model_id, safe="/")
    if has_index and len(files) > 1:
        found = _together(client, path, artifact, files)
        if found is not None:
            return found
    folder, total = Folder(), 0
    for file in files:
        header = safetensors.Header()
        try:
            if not _is_inside(file.name):
                raise HeaderProblem(f"{file.name!r:.80} leaves the repository")
            read_at = _reader(client, f"/{path}/resolve/{revision}/{quote(file.name, safe='/')}")
            folder.add(safetensors.tensors(read_at, file.bytes, header))
        except HeaderProblem as problem:
            return _unusable(artifact, len(files), f"{file.name}: {problem}")
        total += header.data_bytes
    return TensorSet(artifact, "safetensors", len(files), total, folder.groups())


def _together(client: HubHttp, path: str, artifact: str, files: Sequence[File]) -> TensorSet | None:
    """All headers in one answer; null when the Hub does not give it, or gives it for other files."""
    folder, shards = Folder(), sharded.Shards()

    def read(pieces: Iterator[bytes]) -> Answer:
        nonlocal folder, shards
        folder, shards = Folder(), sharded.Shards()  # a second try starts again
        folder.add(sharded.tensors(_sequential(pieces), shards))
        return Answer(b"")

    try:
        answer = client.consume(f"/api/models/{path}/safetensors-metadata/{INDEX}", bucket="api", reader=read)
    except HeaderProblem:
        return None
    # it is of the current revision, which may have moved on since the list of files was made
    if isinstance(answer, Failure) or sorted(shards.files) != sorted(file.name for file in files):
        return None
    return TensorSet(artifact, "safetensors", len(files), shards.data_bytes, folder.groups())


def _reader(client: HubHttp, path: str) -> Callable[[int, int], bytes]:
    def read_at(offset: int, length: int) -> bytes:
        answer = client.get_range(path, bucket="resolvers", start=offset, length=length)
        if isinstance(answer, Failure):
            raise HeaderProblem(f"{answer.kind}: {answer.message}")
        return answer.body

    return read_at


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


def _is_inside(name: str) -> bool:
    return not name.startswith("/") and "://" not in name and ".." not in name.split("/") and "\\" not in name


def _unusable(artifact: str, files: int, problem: str) -> TensorSet:
    return TensorSet(artifact, "safetensors", files, None, (), {}, problem[:300])
