"""The architecture of a GGUF file from its own header, for repositories without any configuration.

The header has the dimensions under names of its own; a table of the catalog turns them into a configuration, which is
read like any other. The tensors decide whether that is right: as many parameters, or nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalogs import architectures
from flows.extract.architecture import Architecture
from flows.extract.expressions import evaluate
from flows.extract.info import clean
from flows.extract.logical import gguf_parameters
from flows.extract.read_config import configured
from flows.headers.gguf_metadata import ARCHITECTURE, TOKEN_COUNT
from flows.headers.tensor_set import TensorSet

HEAD = "output.weight"
# Biases that a configuration has to be told of.
SWITCHES = {"attention_bias": "blk.#.attn_q.bias", "mlp_bias": "blk.#.ffn_up.bias"}


def gguf_architecture(found: TensorSet) -> tuple[Architecture | None, str | None]:
    """(the architecture, a note) of a file whose header was read; never raises."""
    name = found.metadata.get(ARCHITECTURE)
    row = architectures.gguf().get(str(name))
    if not found.groups:
        return None, None
    if row is None:
        return None, f"the GGUF architecture {clean(name) or 'unnamed'} is not known here"
    parameters = gguf_parameters(found)
    read, problem = configured(_config(found, str(name), row))
    if read is None:
        return None, f"the dimensions in its GGUF header cannot be read ({problem})"
    own = None if read.parameters is None else read.parameters - (read.mtp_parameters or 0)
    if own != parameters:
        return None, f"the dimensions in its GGUF header give {own or 'no'} parameters, its tensors {parameters}"
    return read, "architecture from the GGUF header"


def _config(found: TensorSet, name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    patterns = {group.pattern: group.shape for group in found.groups}

    def value_of(key: str) -> int:
        value = found.metadata.get(f"{name}.{key}")
        if type(value) is not int:
            raise ValueError(f"{key} is missing")
        return value

    config: dict[str, Any] = {"model_type": row["type"], "tie_word_embeddings": HEAD not in patterns}
    config |= {key: pattern in patterns for key, pattern in SWITCHES.items()}
    for key, expression in row["keys"].items():
        try:
            config[key] = evaluate(expression, value_of)
        except ValueError:
            if key in row.get("absent", ()):
                config[key] = None  # and not the class default
    if config.get("num_experts") and "moe_type" in row:
        config["model_type"] = row["moe_type"]
    vocabulary = found.metadata.get(f"{name}.vocab_size", found.metadata.get(TOKEN_COUNT))
    embedding = patterns.get("token_embd.weight")
    config["vocab_size"] = embedding[0] if embedding else vocabulary
    return config
