"""Which tensor headers of a repository are worth a request, and asking for them.

Headers add nothing to a plain checkpoint that the Hub has counted as its configuration does. They do where the two
disagree, where weights are packed, where the Hub counted nothing (pickles, odd names) or only a part (components of a
pipeline, modules beside a transformer), and for adapters, whose rank and parameters nothing else tells. GGUF files
differ in the types of their tensors: every single file is read, shard sets only where their names do not say what they
are or nothing else tells what the model is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.extract.count import PLAIN, count
from flows.extract.gguf import quants
from flows.extract.info import Info
from flows.extract.measured import Measured
from flows.extract.read_config import configured
from flows.extract.weight_files import FileSet, weight_files
from flows.gguf_sets import read_gguf
from flows.headers.tensor_set import TensorSet
from flows.repository import Repository
from flows.set_headers import read_pickle_total, read_set

MOST_PICKLES = 2  # of more files the index tells the bytes in one request, and the configuration the parameters
MOST_GGUF = 64  # files of one repository
MOST_FILES = 64  # of the parts of one pipeline


def tensor_sets(repository: Repository, info: Info, config: Mapping[str, Any] | None) -> list[TensorSet]:
    """The headers of every set that they add something to; a set that cannot be read is there with its problem."""
    names = {file.name for file in info.files or ()}
    wanted = [one for one in weight_files(info) if one.files and _is_worth(one, info, config or {})]
    if sum(len(one.files) for one in wanted if one.role == "component") > MOST_FILES:
        wanted = []
    found = read_gguf(repository, _gguf_files(info, is_alone=config is None and not wanted))
    for one in wanted:
        if one.format == "pickle" and len(one.files) > MOST_PICKLES:
            found.append(read_pickle_total(repository, one))
        else:
            found.append(read_set(repository, one, names))
    return found


def _gguf_files(info: Info, *, is_alone: bool) -> list[FileSet]:
    """The smallest single file first, the others are read by what it says. `is_alone`: nothing else tells the model."""
    models = [quant for quant in quants(info.files or ()) if not quant.is_beside and quant.bytes]
    models.sort(key=lambda quant: (len(quant.members), quant.bytes, quant.name))
    wanted = [
        quant
        for number, quant in enumerate(models)
        if len(quant.members) == 1 or quant.precision is None or (number == 0 and is_alone)
    ]
    return [FileSet(quant.name, "model", quant.members) for quant in wanted[:MOST_GGUF]]


def _is_worth(one: FileSet, info: Info, config: Mapping[str, Any]) -> bool:
    if one.role != "model" or not info.dtypes:
        return True
    is_quantised = any(config.get(key) for key in ("quantization_config", "quantization"))
    text = config.get("text_config")
    is_quantised = is_quantised or bool(isinstance(text, dict) and text.get("quantization_config"))
    return is_quantised or any(dtype not in PLAIN for dtype in info.dtypes) or _is_ambiguous(info, config)


def _is_ambiguous(info: Info, config: Mapping[str, Any]) -> bool:
    """Whether the Hub's count and the configuration disagree in a way that nothing known explains."""
    found, _ = configured(config)
    counted = count(info, found, is_quantised=False, from_files=None, measured=Measured({}))
    return counted.is_conflict
