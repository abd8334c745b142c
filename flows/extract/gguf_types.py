"""GGUF file -> precision, from its header: the file type that its writer noted, else what its bytes are stored in.

Source of the file types: enum llama_ftype in github.com/ggml-org/llama.cpp include/llama.h, as LlamaFileType of gguf
0.19.0 repeats it; 4 to 6 and 33 to 35 were removed, forks use numbers of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from flows.extract.quantization import FLOATS, known_precisions
from flows.headers.ggml_types import BY_NAME
from flows.headers.tensor_set import TensorGroup

FILE_TYPE = "general.file_type"
GUESSED = 1024  # set by llama.cpp where the file does not say
FILE_TYPES = {
    0: "fp32", 1: "fp16", 2: "gguf_q4_0", 3: "gguf_q4_1", 7: "gguf_q8_0", 8: "gguf_q5_0", 9: "gguf_q5_1",
    10: "gguf_q2_k", 11: "gguf_q3_k_s", 12: "gguf_q3_k_m", 13: "gguf_q3_k_l", 14: "gguf_q4_k_s", 15: "gguf_q4_k_m",
    16: "gguf_q5_k_s", 17: "gguf_q5_k_m", 18: "gguf_q6_k", 19: "gguf_iq2_xxs", 20: "gguf_iq2_xs", 21: "gguf_q2_k_s",
    22: "gguf_iq3_xs", 23: "gguf_iq3_xxs", 24: "gguf_iq1_s", 25: "gguf_iq4_nl", 26: "gguf_iq3_s", 27: "gguf_iq3_m",
    28: "gguf_iq2_s", 29: "gguf_iq2_m", 30: "gguf_iq4_xs", 31: "gguf_iq1_m", 32: "bf16", 36: "gguf_tq1_0",
    37: "gguf_tq2_0", 38: "gguf_mxfp4_moe", 39: "gguf_nvfp4", 40: "gguf_q1_0", 41: "gguf_q2_0",
}  # fmt: skip

# Tensor types that one file type alone is made of. Q2_K to Q5_K, IQ2_XS, IQ2_S and IQ3_S are in several mixtures.
_UNIFORM = {
    **FLOATS, "MXFP4": "gguf_mxfp4_moe", "NVFP4": "gguf_nvfp4",
    **{name: f"gguf_{name.lower()}" for name in ("Q8_0", "Q6_K", "Q5_1", "Q5_0", "Q4_1", "Q4_0", "Q2_0", "Q1_0",
       "IQ4_NL", "IQ4_XS", "IQ3_XXS", "IQ2_XXS", "IQ1_M", "IQ1_S", "TQ2_0", "TQ1_0")},
}  # fmt: skip
# Published so in four bits and kept so: every gpt-oss file has its experts in MXFP4, be its file type F16 or Q2_K.
_KEPT = ("MXFP4", "NVFP4")
# Tables of the vocabulary have a type of their own, which is most of a small model and says nothing of the rest.
_TABLES = ("token_embd.weight", "output.weight", "per_layer_token_embd.weight")
_MOST = 0.8


def precision_of_tensors(groups: Iterable[TensorGroup], metadata: Mapping[str, str | int | float | bool]) -> str | None:
    """The precision of one GGUF file or shard set, null when it is none that we know.

    The noted file type is what the writer was asked for. The bytes decide where there is none, where it is one of 16 or
    32 bits, and where weights came in four bits.
    """
    held = _most_bytes(groups)
    noted = metadata.get(FILE_TYPE)
    noted = noted if type(noted) is int and noted < GUESSED else None
    precision = None if noted is None else FILE_TYPES.get(noted)
    is_weak = noted is None or precision in FLOATS.values()
    if held is not None and (is_weak or held in _KEPT):
        precision = _UNIFORM.get(held)
    return precision if precision in known_precisions() else None


def _most_bytes(groups: Iterable[TensorGroup]) -> str | None:
    """The tensor type of nearly all bytes outside the tables, null when there is none."""
    held: Counter[str] = Counter()
    for group in groups:
        stored = BY_NAME.get(group.dtype)
        if stored is None:
            return None
        if group.pattern not in _TABLES:
            held[group.dtype] += group.elements // stored.elements * stored.bytes
    name, size = max(held.items(), key=lambda item: item[1], default=("", 0))
    return name if size and size >= _MOST * held.total() else None
