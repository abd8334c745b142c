"""Why a seed calculator's number differs from ours, or why one of the two is missing: rules over facts of the model.

A row has the facts: columns of internal.shapes, the parts of our own answer in bytes, and the workload of that answer;
what was not read is null. Every rule is one clause that holds whenever its condition does; nothing is written by hand
for a model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from catalogs import architectures
from estimator.calculator_rows import TOKENS as VRAM_TOKENS
from estimator.calculators import ADAPTER_PERCENT

Row = Mapping[str, Any]
FROM_AUTOMODEL = ("accelerate", "can_it_run")
# Formats of the catalog that stand for int8 and int4.
PACKED = {"int8_bnb": 8, "nf4": 4}
# Bytes a parameter of weights, gradients and two moments. accelerate and can-it-run-llm shrink all four with the dtype.
TRAINING_BYTES = {
    ("accelerate", "fp32"): 16, ("accelerate", "fp16"): 8, ("can_it_run", "fp32"): 16, ("can_it_run", "fp16"): 8,
    ("vram_estimator", "fp32"): 16, ("vram_estimator", "fp16"): 18,
}  # fmt: skip
# Parts of our own answer, in the order in which a reader asks for them.
PARTS = {
    "weights_bytes": "weights", "kv_cache_bytes": "cache", "state_bytes": "state", "activation_bytes": "activations",
    "overhead_bytes": "overhead",
}  # fmt: skip
GIB = 2**30


def why_silent(row: Row) -> str:
    """Why a tool prints nothing, or nothing that can be told from here."""
    if row["calculator"] in FROM_AUTOMODEL:
        return _why_no_automodel(row)
    if row["parameters_resident"] is None:
        return "the number of parameters is unknown"
    if row["kind"] == "encoder_decoder":
        return "it describes one stack of layers, not two"
    if row["kind"] not in ("decoder", "encoder"):
        return "it describes language models only"
    if row["experts"]:
        return "it has no entry for experts"
    if row["p_ssm"] or row["heads"] == 0:
        return "it knows no layers without attention"
    if row["kv_latent_elements_per_token"]:
        return "it knows no latent attention"
    return "a dimension that it asks for is unknown"


def _why_no_automodel(row: Row) -> str:
    if row["kind"] in ("diffusion", "adapter"):
        return "it builds transformers models only"
    is_copy = row["inherited_from"] is not None or str(row["parameters_source"]).startswith("gguf")
    if is_copy or row["model_type"] is None:
        return "the repository has no configuration for it to read"
    if row["automodel_parameters"] is None and row["model_type"] in architectures.automodels():
        return "what it builds cannot be told from the configuration alone"
    if row["model_type"] in architectures.classes():
        return "the class that it builds has buffers that are not counted here"
    return "the class that it builds is code of the repository, which is not run here"


def why_unknown(row: Row) -> str:
    """Why our own answer is missing: its first part that is not known."""
    if row["workload"] is None:
        return "no workload asks this"
    if row["model_id_of_need"] is None:
        return "the catalog has no such precision"
    if row["gradient_checkpointing"] is not None and row["activation_bytes"] is None:
        return "its activations in training are not modelled"
    part = next((name for column, name in PARTS.items() if row[column] is None), "total")
    return f"its {part} {'are' if part.endswith('s') else 'is'} unknown"


def reasons(row: Row) -> tuple[str, ...]:
    """What explains the difference between a tool's number and ours; also what can be said where ours is unknown."""
    return tuple(_differences(row)) or ("both count the same",)


def _differences(row: Row) -> Iterator[str]:
    if row["calculator"] in FROM_AUTOMODEL:
        yield from _of_the_class(row)
    if row["precision"] in PACKED:
        bits = PACKED[row["precision"]]
        yield f"{bits} bits for every weight, though embedding, head and norms stay wider and blocks have scales"
    if row["quantity"] == "inference":
        yield from _of_inference(row)
    elif row["quantity"] == "training_adam":
        yield from _of_training(row)
    elif row["quantity"] == "lora":
        yield from _of_adapters(row)


def _of_the_class(row: Row) -> Iterator[str]:
    """What AutoModel builds that an engine does not load, and the other way round."""
    built, resident = row["automodel_parameters"], row["parameters_resident"]
    if built is None or resident is None or built == resident:
        return
    share = f"{100 * abs(built - resident) / max(resident, 1):.1f} % of the parameters"
    if built > resident:
        yield f"tied embeddings are counted more than once ({share})"
    elif row["p_lm_head"]:
        yield f"the output head is missing ({share})"
    else:
        yield f"what stands on the base class is missing ({share})"


def _of_inference(row: Row) -> Iterator[str]:
    cache, state = row["kv_cache_bytes"], row["state_bytes"]
    if cache:
        yield f"no cache, ours is {_gib(cache + (state or 0))} at {_tokens(row)}"
    elif state:
        yield f"no recurrent state, ours is {_gib(state)}"
    if row["activation_bytes"] is None or row["overhead_bytes"] is None:
        around = ""
    else:
        around = f", where our activations and overhead are {_gib(row['activation_bytes'] + row['overhead_bytes'])}"
    if row["calculator"] == "vram_estimator":
        yield f"1,000 MiB for CUDA and one layer of {VRAM_TOKENS} tokens{around}"
    else:
        yield f"{_margin(row)}{around}"


def _of_training(row: Row) -> Iterator[str]:
    theirs, ours = TRAINING_BYTES.get((row["calculator"], row["precision"])), _bytes_a_parameter(row)
    if theirs is not None and ours is not None and abs(theirs - ours) >= 0.05:
        yield f"{theirs} bytes a parameter for weights, gradients and moments, where ours takes {ours:.3g}"
    if row["calculator"] != "vram_estimator":
        yield from _without_activations(row)
        return
    if row["gradient_checkpointing"]:
        yield "activations of every layer are kept, where ours are recomputed"
    if row["context_tokens"] is not None and row["context_tokens"] != VRAM_TOKENS:
        yield f"{VRAM_TOKENS} tokens, ours {_tokens(row)}"


def _of_adapters(row: Row) -> Iterator[str]:
    trained = f"{ADAPTER_PERCENT:.0f} % of the parameters are trained"
    if row["automodel_parameters"] is not None and row["lora_io"] is not None and row["lora_rank"] is not None:
        theirs, ours = row["automodel_parameters"] * ADAPTER_PERCENT / 100, row["lora_io"] * row["lora_rank"]
        trained += f" ({theirs / 1e6:,.0f} M), ours are {ours / 1e6:,.0f} M at rank {row['lora_rank']}"
    yield trained
    yield from _without_activations(row)
    yield _margin(row)


def _without_activations(row: Row) -> Iterator[str]:
    if row["activation_bytes"] is None:
        yield "no activations"
    elif row["activation_bytes"]:
        yield f"no activations, ours are {_gib(row['activation_bytes'])} at {_tokens(row)}"


def _margin(row: Row) -> str:
    """The fifth that the rule adds: a sixth of what it prints."""
    return f"20 % on top ({_gib(row['bytes'] / 6)})"


def _bytes_a_parameter(row: Row) -> float | None:
    """Of our weights, gradients and optimizer states."""
    states = [row[name] for name in ("weights_bytes", "gradient_bytes", "optimizer_bytes")]
    parameters = row["parameters_resident"]
    return sum(states) / parameters if parameters and None not in states else None


def _gib(size: float) -> str:
    return f"{size / GIB:,.2f} GiB"


def _tokens(row: Row) -> str:
    count = f"{row['context_tokens']:,} tokens" if row["context_tokens"] is not None else "its context"
    sequences = row["concurrent_sequences"] or 1
    return count if sequences == 1 else f"{sequences:,} x {count}"
