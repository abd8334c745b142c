"""The page of every model, streamed: thousands are written and none is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from flows.report_calculators import Calculators
from flows.report_compare import Compared
from flows.report_rows import Row, Rows
from reports.model import Artifact, Bar, Comparison, Group, Heat, ModelPage, Night, Option, Silence, Workload
from reports.paths import device_path

# What a reader compares first; the heat map and SQL have every format.
BARS = ("stored", "bf16", "fp8_e4m3_block128", "int4_awq_g128", "nf4_dq", "gguf_q8_0", "gguf_q4_k_m")
PARTS = {
    "weights": "weights_bytes",
    "cache": "kv_cache_bytes",
    "state": "state_bytes",
    "activation": "activation_bytes",
    "gradient": "gradient_bytes",
    "optimizer": "optimizer_bytes",
    "overhead": "overhead_bytes",
}
# Rows of the map that say nothing: no kernel or nothing known, on every device.
SILENT = frozenset("-?")

# Weight sets with the types of their tensors, most bytes first, where their headers were read.
ARTIFACTS = """
    SELECT a.*, t.types
    FROM artifacts a
    LEFT JOIN (
        SELECT model_id, artifact, list(dtype ORDER BY bytes DESC NULLS LAST, dtype) AS types
        FROM tensor_types GROUP BY ALL
    ) t USING (model_id, artifact)
    ORDER BY model_id, artifact
"""


def model_pages(rows: Rows, night: Night, compared: Compared) -> Iterator[ModelPage]:
    """Every model read, shape by shape, so that a heat map is unfolded once for all models of its shape.

    What the page of comparisons needs of each is left in `compared`.
    """
    if not rows.workloads:
        return
    workload = Workload(rows.served["workload"], rows.served["title"])
    precisions = [row["precision"] for row in rows.all("SELECT precision FROM precisions ORDER BY precision_ix")]
    options, reach = rows.options(), rows.reach()
    groups = dict(rows.by_model("FROM attention_groups ORDER BY model_id, position"))
    artifacts = dict(rows.by_model(ARTIFACTS))
    needs = dict(
        rows.by_model(
            f"""
            SELECT model_id, precision, total_bytes, {", ".join(PARTS.values())} FROM requirements
            WHERE workload = ? AND list_contains(?, precision)
            ORDER BY model_id, list_position(?, precision)
            """,
            workload.id,
            list(BARS),
            list(BARS),
        )
    )
    calculators = Calculators(rows)
    models: dict[int, list[Row]] = {}
    for row in rows.all(
        "SELECT m.*, s.shape_ix FROM models m JOIN internal.shapes s USING (shape_id) ORDER BY model_id"
    ):
        models.setdefault(row["shape_ix"], []).append(row)
    # the map opens with the workload that the page is about
    mapped = sorted(rows.workloads, key=lambda row: bool(row["workload"] != workload.id))
    streams = [rows.heats(row["workload_ix"]) for row in mapped]
    for found in zip(*streams, strict=True):
        shape_ix = found[0][0]
        heats = [
            Heat(
                Workload(row["workload"], row["title"]),
                [(precisions[number], codes) for number, codes in pairs if not SILENT.issuperset(codes)],
            )
            for row, (_, pairs) in zip(mapped, found, strict=True)
        ]
        compared.shape(shape_ix, {row["workload_ix"]: pairs for row, (_, pairs) in zip(mapped, found, strict=True)})
        for model in models.get(shape_ix, ()):
            model_id = model["model_id"]
            page = _page(
                night, model, workload, [heat for heat in heats if heat.rows], needs.get(model_id, ()),
                reach.get(shape_ix), groups.get(model_id, ()), artifacts.get(model_id, ()), options.get(model_id, ()),
                *calculators.of(model_id),
            )  # fmt: skip
            compared.model(model, page, reach.get(shape_ix))
            yield page


def _page(
    night: Night,
    model: Row,
    workload: Workload,
    heats: Sequence[Heat],
    needs: Sequence[Row],
    reach: Mapping[str, object] | None,
    groups: Sequence[Row],
    artifacts: Sequence[Row],
    options: Sequence[Row],
    comparisons: Sequence[Comparison],
    silences: Sequence[Silence],
) -> ModelPage:
    shown = (
        ("Kind", "kind"), ("Type", "model_type"), ("Class", "architecture"), ("Base model", "base_model"),
        ("License", "license"), ("Revision", "revision"), ("Library", "library"), ("Task", "task"),
        ("Counts from", "parameters_source"), ("Stored as", "stored_precision"),
    )  # fmt: skip
    counts = (
        ("Parameters", "parameters"), ("Active per token", "active_parameters"),
        ("From the configuration alone", "config_parameters"),
        ("Layers", "layers"), ("Hidden size", "hidden_size"), ("Vocabulary", "vocab_size"),
        ("Longest context", "max_context_tokens"), ("Stored bytes", "stored_bytes"),
        ("Downloads", "downloads"), ("Likes", "likes"),
    )  # fmt: skip
    facts = [(title, model[name]) for title, name in shown]
    facts += [(title, None if model[name] is None else f"{model[name]:,}") for title, name in counts]
    return ModelPage(
        night=night,
        model_id=model["model_id"],
        facts=facts,
        confidence=model["confidence"],
        parameters=model["parameters"],
        active_parameters=model["active_parameters"],
        max_context_tokens=model["max_context_tokens"],
        notes=(model["notes"] or "").split("; ") if model["notes"] else (),
        workload=workload,
        bars=[
            Bar(row["precision"], {part: row[column] for part, column in PARTS.items()}, row["total_bytes"])
            for row in needs
        ],
        smallest_device=str(reach["name"]) if reach else None,
        smallest_precision=str(reach["precision"]) if reach else None,
        fits_on=int(str(reach["fits_on"])) if reach else 0,
        devices=night.devices,
        heats=heats,
        groups=[Group(**{name: row[name] for name in Group.__dataclass_fields__}) for row in groups],
        options=[
            Option(
                row["name"], "../" + device_path(row["gpu"]), row["precision"], row["verdict"], row["gpus_needed"],
                row["headroom_bytes"], row["max_context_tokens"], row["decode_tokens_per_second"],
                row["usd_per_hour"], row["usd_per_million_tokens"],
            )
            for row in options
        ],
        artifacts=[
            Artifact(
                row["artifact"], row["role"], row["format"], row["precision"], row["bytes"], row["files"],
                row["types"] or (),
            )
            for row in artifacts
        ],
        comparisons=comparisons,
        silences=silences,
    )  # fmt: skip
