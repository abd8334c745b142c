"""Headers of the GGUF files of one repository: the first is read whole, the others by what it says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flows.extract.info import File
from flows.extract.weight_files import FileSet
from flows.headers import gguf
from flows.headers.fold import Folder
from flows.headers.gguf_sibling import sibling_tensors
from flows.headers.problem import HeaderProblem
from flows.headers.safetensors import Tensor
from flows.headers.tensor_set import Scalar, TensorSet
from flows.repository import Repository
from flows.set_headers import unusable


def read_gguf(repository: Repository, sets: Iterable[FileSet]) -> list[TensorSet]:
    """A TensorSet for each of `sets`, which are files or shard sets of one model in several types."""
    files = _Files(repository)
    return [files.read(one) for one in sets]


class _Files:
    """Remembers the last file that was read whole: its tensors are looked for in the next."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._known: list[Tensor] = []
        self._like = gguf.GgufHeader()

    def read(self, one: FileSet) -> TensorSet:
        if self._known and len(one.files) == 1 and (found := self._by_sibling(one, one.files[0])):
            return found
        folder, total = Folder(), 0
        metadata: dict[str, Scalar] = {}
        known: list[Tensor] = []
        for file in sorted(one.files, key=lambda file: file.name):
            header = gguf.GgufHeader()
            try:
                folder.add(_kept(gguf.tensors(self._repository.reader(file), file.bytes, header), known))
            except HeaderProblem as problem:
                return unusable(one, f"{file.name}: {problem}")
            total += header.data_bytes
            metadata = header.metadata | metadata  # of shards only the first has the architecture
        if len(one.files) == 1:
            self._known, self._like = known, header
        return TensorSet(one.artifact, "gguf", len(one.files), total, folder.groups(), metadata)

    def _by_sibling(self, one: FileSet, file: File) -> TensorSet | None:
        """Null when the file is not like the one that is known; it is read whole then."""
        if file.bytes is None:
            return None
        folder, header = Folder(), gguf.GgufHeader()
        try:
            read_at = self._repository.reader(file)
            folder.add(sibling_tensors(read_at, file.bytes, self._known, self._like, header))
        except HeaderProblem:
            return None
        return TensorSet(one.artifact, "gguf", 1, header.data_bytes, folder.groups())


def _kept(tensors: Iterator[Tensor], known: list[Tensor]) -> Iterator[Tensor]:
    for tensor in tensors:
        known.append(tensor)
        yield tensor
