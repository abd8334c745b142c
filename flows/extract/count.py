"""How many parameters a model has: published counts and the configuration, cross-checked.

Order of truth: the tensor headers, where they were read; counts by dtype of the checkpoint (plain dtypes only),
confirmed or corrected by the configuration; the configuration alone; the count of a GGUF file; the size of the weight
files. The Hub counts what is stored, the configuration what is resident: the differences that are known (tied heads
stored twice, masks, rotary tables, extra prediction blocks, block scales) are no conflict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from flows.extract.architecture import Architecture
from flows.extract.info import Info
from flows.extract.measured import Measured

PLAIN = {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"}
TOWERS = ("p_vision", "p_audio", "p_speech", "p_projector")
BESIDE = {"I64", "BOOL", "F8_E8M0"}  # position tables, masks and scales: stored, but no parameters


@dataclass(frozen=True)
class Count:
    """`resident` excludes multi-token-prediction blocks. `difference` is what the count has beyond the parts."""

    parameters: int | None
    resident: int | None
    source: str | None  # safetensors_header | pickle_header | safetensors_api | gguf_api | config | file_size
    confidence: str | None  # exact | derived | estimated
    is_conflict: bool = False
    difference: int = 0
    note: str | None = None
    is_text_only: bool = False  # the towers that the configuration has are not among these weights


def count(
    info: Info,
    found: Architecture | None,
    *,
    is_quantised: bool,
    from_files: int | None,
    measured: Measured,
) -> Count:
    """The model's parameters; all null when nothing tells. Modules beside a transformer are added to what it has."""
    alone = _alone(info, found, is_quantised=is_quantised, from_files=from_files, measured=measured)
    if measured.module_parameters == 0:
        return alone
    if measured.module_parameters is None or alone.parameters is None or alone.resident is None:
        return Count(None, None, None, None, note="its modules beside the transformer cannot be sized")
    return replace(
        alone,
        parameters=alone.parameters + measured.module_parameters,
        resident=alone.resident + measured.module_parameters,
        difference=alone.difference + measured.module_parameters,
        confidence=alone.confidence if measured.are_modules_read else "estimated",
    )


def _alone(
    info: Info,
    found: Architecture | None,
    *,
    is_quantised: bool,
    from_files: int | None,
    measured: Measured,
) -> Count:
    if measured.parameters is not None:
        return _measured(measured.parameters, str(measured.source), found)
    published = _published_parameters(info.dtypes)
    configured = found.parameters if found else None
    if found and configured is not None:
        mtp = found.mtp_parameters or 0
        alone = "derived" if found.is_verified else "estimated"
        if published is None:
            return Count(configured, configured - mtp, "config", alone)
    if published is not None:
        return _told(published, found, is_scaled=any(dtype.startswith("F8_") for dtype in info.dtypes))
    if is_quantised and info.safetensors_total:
        note = "the Hub's count of a packed checkpoint may be of elements, not of parameters"
        return Count(info.safetensors_total, None, "safetensors_api", "estimated", note=note)
    if info.safetensors_total:
        note = "the Hub gives a total without counts by dtype"
        return Count(info.safetensors_total, info.safetensors_total, "safetensors_api", "estimated", note=note)
    if info.gguf_total:
        return Count(info.gguf_total, info.gguf_total, "gguf_api", "estimated")
    if from_files is not None:
        return Count(from_files, from_files, "file_size", "estimated")
    return Count(None, None, None, None)


def _measured(parameters: int, source: str, found: Architecture | None) -> Count:
    """A count of the headers is exact whatever the configuration says; their disagreement is still a conflict.

    GGUF files keep the towers of images and sound in a file of their own, and may leave out further predictions.
    """
    if source == "gguf_header" and found is not None and found.parameters is not None:
        mtp, towers = found.mtp_parameters or 0, _towers(found.columns)
        for has_mtp, has_towers in ((True, True), (False, True), (True, False), (False, False)):
            if parameters == found.parameters - (0 if has_mtp else mtp) - (0 if has_towers else towers):
                resident = parameters - (mtp if has_mtp else 0)
                return Count(parameters, resident, source, "exact", is_text_only=bool(towers) and not has_towers)
    told = _told(parameters, found, is_scaled=False)
    return replace(told, source=source, confidence="derived" if told.is_conflict else "exact")


def _told(published: int, found: Architecture | None, *, is_scaled: bool) -> Count:
    """A count of the checkpoint, confirmed or corrected by the configuration where there is one."""
    if found is None or found.parameters is None:
        return _published(published, found)
    alone = "derived" if found.is_verified else "estimated"
    return _both(published, found.parameters, found.mtp_parameters or 0, found, alone, is_scaled=is_scaled)


def _published(published: int, found: Architecture | None) -> Count:
    """Only the checkpoint's count. Of a multimodal model whose text part is known, the rest is its towers."""
    parts = _parts(found.columns) if found else None
    difference = published - parts if parts is not None and published >= parts else 0
    return Count(published, published, "safetensors_api", "derived", difference=difference)


def _published_parameters(dtypes: Mapping[str, int]) -> int | None:
    """Sum over plain dtypes; null for packed ones. Beside 8-bit floats, F32 tensors are scales, not parameters."""
    weights = {dtype: count for dtype, count in dtypes.items() if dtype not in BESIDE}
    if not weights or not set(weights) <= PLAIN:
        return None
    is_scaled = any(dtype.startswith("F8_") for dtype in weights)
    return sum(count for dtype, count in weights.items() if not (is_scaled and dtype == "F32"))


def _both(published: int, configured: int, mtp: int, found: Architecture, alone: str, *, is_scaled: bool) -> Count:
    difference = published - configured
    resident = configured - mtp
    # per-channel and per-tensor scales may be stored in 16 bit
    most_scales = int(found.columns["quant_rows"] or 0) if is_scaled else 0
    if difference in _explained(found, mtp) or 0 < difference <= most_scales:
        return Count(configured, resident, "safetensors_api", "exact" if found.is_verified else "derived")
    if found.kind == "encoder" and abs(difference) <= _largest_head(found.columns):
        note = "stored with another head than its configuration names"
        return Count(published, published, "safetensors_api", "exact", difference=difference, note=note)
    note = f"published {published:,} parameters, the configuration gives {configured:,}"
    return Count(published, published, "safetensors_api", "estimated", True, difference, note)


def _explained(found: Architecture, mtp: int) -> set[int]:
    """Differences, stored less configured, that have a known reason."""
    columns = found.columns
    vocabulary, hidden = int(columns["vocab_size"] or 0), int(columns["hidden_size"] or 0)
    layers, context = int(columns["layers"] or 0), int(columns["max_context_tokens"] or 0)
    head_dim = int(found.dimensions.get("head_dim") or 0)
    matrix = vocabulary * hidden
    masks = layers * context * context
    scales = int(columns["fp8_block_scales"] or 0)
    experts = int(columns["experts"] or 0)
    buffers = {0, layers * head_dim // 2, masks, masks + layers, masks + layers + layers * head_dim // 2}
    buffers |= {masks + layers * (1 + int(found.dimensions.get("rotary_width") or 0) // 2), scales, context}
    # rows of the embedding that no token uses, for kernels that want multiples
    copies_of_rows = (1, 2) if columns["p_lm_head"] else (1,)
    buffers |= {64 * n * hidden * times for n in range(1, 9) for times in copies_of_rows}
    routers = {0, *(experts * n for n in range(1, layers + 2))} if experts else {0}
    # a configuration need not mention the prediction block that is stored beside the model
    block = int(found.dimensions.get("prediction_block") or 0)
    copies = {0, matrix, -mtp, -mtp + 2 * matrix, 2 * matrix} if mtp else {0, matrix, block, block + 2 * matrix}
    # encoder-decoders may store a bias of zeros for every word, and towers tables of positions
    words = vocabulary if found.kind == "encoder_decoder" else 0
    table = int(found.dimensions.get("stored_tables") or 0)
    tables = {0, words, table, table + words}
    return {
        copy + buffer + router + more for copy in copies for buffer in buffers for router in routers for more in tables
    }


def _largest_head(columns: Mapping[str, int | float | None]) -> int:
    hidden, vocabulary = int(columns["hidden_size"] or 0), int(columns["vocab_size"] or 0)
    return 3 * hidden * hidden + 10 * hidden + vocabulary + 1000


def parts(columns: Mapping[str, int | float | None]) -> Iterator[int | float | None]:
    """The components that add up to the resident parameters."""
    for name, value in columns.items():
        if name.startswith("p_") and name not in ("p_kv_proj", "p_tp_replicated", "p_expert_bias"):
            yield value


def _towers(columns: Mapping[str, int | float | None]) -> int:
    return int(sum(columns.get(name) or 0 for name in TOWERS))


def _parts(columns: Mapping[str, int | float | None]) -> int | None:
    """Sum of the known components, null when the decoder itself is not counted."""
    if columns.get("p_attn") is None:
        return None
    return int(sum(value for value in parts(columns) if value is not None))
