"""Our own files: they load, are complete, and say of famous hardware and formats what is known."""

from __future__ import annotations

import re
from datetime import date

import polars as pl
import pytest

import catalogs
from catalogs.schema import TABLES, Table

GIB = 2**30
LOADERS = {
    "gpus": catalogs.gpus,
    "precisions": catalogs.precisions,
    "kv_precisions": catalogs.kv_precisions,
    "engines": catalogs.engines,
    "reserves": catalogs.reserves,
    "speeds": catalogs.speeds,
    "links": catalogs.links,
    "workloads": catalogs.workloads,
    "prices": catalogs.prices,
    "price_names": catalogs.price_names,
    "price_sources": catalogs.price_sources,
    "policy": catalogs.policy,
    "measurements": catalogs.measurements,
    "scores": catalogs.scores,
}


def row(frame: pl.DataFrame, key: str) -> dict[str, object]:
    return frame.filter(pl.col(frame.columns[0]) == key).row(0, named=True)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_file_loads_in_its_schema(table: Table) -> None:
    frame = LOADERS[table.name]()
    assert frame.schema == table.loaded
    assert frame.select(table.key).is_unique().all()


@pytest.mark.parametrize("table", [table for table in TABLES if not table.may_be_empty], ids=lambda table: table.name)
def test_every_row_is_sourced_and_dated(table: Table) -> None:
    frame = LOADERS[table.name]()
    assert frame["source"].str.len_chars().min() > 3  # type: ignore[operator]
    assert frame["as_of"].min() >= date(2016, 1, 1)  # type: ignore[operator]
    assert frame["as_of"].max() <= date(2026, 12, 31)  # type: ignore[operator]


@pytest.mark.parametrize("name", ["engines", "reserves", "speeds", "links"])
def test_every_row_of_constants_says_what_it_was_off_by(name: str) -> None:
    """In figures with a unit, or that nothing judges it. That the figures are those of the ledger: tests/flows."""
    for found in LOADERS[name]().iter_rows(named=True):
        residual = found["residual"]
        assert residual is not None, found
        if not residual.startswith(("not measured", "nothing to be off: ")):
            assert re.search(r"\d (%|GiB|bytes)", residual), residual
        assert residual.startswith("nothing to be off: ") == (found.get("engine") == "none"), found


def test_counts() -> None:
    assert catalogs.gpus().height >= 200
    formats = catalogs.precisions().filter(pl.col("precision") != "stored")
    assert formats.height >= 60
    assert formats["bits_per_weight"].null_count() == 0
    assert dict(catalogs.workloads().group_by("mode").len().iter_rows()) == {"inference": 7, "training": 2}
    assert catalogs.prices().height >= 380


def test_validate() -> None:
    catalogs.validate()


@pytest.mark.parametrize(
    ("gpu", "gib", "basis", "reserve_gib", "tier"),
    [
        # Runtime totals as processes print them.
        ("nvidia-h100-sxm-80gb", 79.18, "runtime", 0, "70_to_160_gib"),
        ("nvidia-a100-sxm-80gb", 79.25, "runtime", 0, "a100"),
        ("nvidia-rtx-4090-24gb", 23.64, "runtime", 0.5, "under_70_gib"),
        ("nvidia-t4-16gb", 14.56, "runtime", 0, "under_70_gib"),
        # 40960 MiB and 95830 MiB of the driver less half a GiB.
        ("nvidia-a100-sxm-40gb", 39.5, "driver", 0, "under_70_gib"),
        ("nvidia-h100-nvl-94gb", 95830 / 1024 - 0.5, "driver", 0, "70_to_160_gib"),
        # 275040 MiB less 0.7 GiB: Blackwell keeps more.
        ("nvidia-b300-sxm-288gb", 275040 / 1024 - 0.7, "driver", 0, "from_160_gib"),
        ("amd-mi300x-192gb", 196592 / 1024 - 0.5, "driver", 0, "from_160_gib"),
        # One device of the board, 65520 MiB.
        ("amd-mi250x-128gb", 65520 / 1024 - 0.5, "driver", 0, "under_70_gib"),
        ("nvidia-rtx-a4000-16gb", 16 * 0.93, "nominal", 0.5, "under_70_gib"),
        # Shared memory: the limit of the system, whatever the runtime reports.
        ("apple-m4-max-40c-128gb", 107.52, "unified", 0, "70_to_160_gib"),
        ("apple-m1-16gb", 11.84, "unified", 0, "under_70_gib"),
        ("nvidia-dgx-spark-gb10-128gb", 102.4, "unified", 0, "a100"),
    ],
)
def test_memory_of_famous_devices(gpu: str, gib: float, basis: str, reserve_gib: float, tier: str) -> None:
    found = row(catalogs.gpus(), gpu)
    assert found["visible_bytes"] == pytest.approx(gib * GIB, abs=1)
    assert found["visible_bytes"] <= gib * GIB  # type: ignore[operator]
    assert found["visible_basis"] == basis
    assert found["reserve_bytes"] == reserve_gib * GIB
    assert found["memory_tier"] == tier


def test_h100_as_published() -> None:
    found = row(catalogs.gpus(), "nvidia-h100-sxm-80gb")
    assert found["visible_bytes"] == 85_018_877_624
    assert (found["bandwidth_gb_per_s"], found["bf16_tflops"], found["fp8_tflops"]) == (3350, 989.4, 1978.9)
    assert found["native_formats"] == "fp32 bf16 fp16 fp8 int8"


def test_compute_capability_is_text() -> None:
    found = dict(catalogs.gpus().select("gpu_id", "compute_capability").iter_rows())
    assert found["nvidia-rtx-5090-32gb"] == "12.0"
    assert found["nvidia-b300-sxm-288gb"] == "10.3"
    assert found["amd-mi300x-192gb"] is None


def test_memory_totals_are_ordered() -> None:
    discrete = catalogs.gpus().filter(~pl.col("is_unified_memory"))
    assert (discrete["visible_bytes"] <= discrete["memory_gib_nominal"] * GIB).all()
    totals = discrete.filter(pl.col("memory_gib_runtime").is_not_null() & pl.col("memory_mib_driver").is_not_null())
    assert totals.height >= 15
    assert (totals["memory_gib_runtime"] <= totals["memory_mib_driver"] / 1024).all()


@pytest.mark.parametrize(("rate", "native"), [("fp8_tflops", "fp8"), ("fp4_tflops", "fp4"), ("bf16_tflops", "bf16")])
def test_a_rate_needs_native_units(rate: str, native: str) -> None:
    members = pl.col("native_formats").str.split(" ").list.contains(native)
    odd = catalogs.gpus().filter(pl.col(rate).is_not_null() & ~members)
    # v6e emulates FP8 on its integer units and has a rate for it.
    assert set(odd["gpu_id"]) <= {"google-tpu-v6e-32gb", "aws-inferentia2-32gb", "aws-trainium1-32gb"}


@pytest.mark.parametrize(
    ("precision", "bits", "row_scale", "block_scale"),
    [
        ("bf16", 16, 0, 0),
        ("fp32", 32, 0, 0),
        ("fp8_e4m3_block128", 8, 0, 4),
        ("fp8_e4m3_channel", 8, 4, 0),
        ("int8_w8a8", 8, 2, 0),
        ("int4_awq_g128", 4.15625, 0, 0),
        ("int4_gptq_g32", 4.625, 0, 0),
        ("int4_ct_sym_g128", 4.125, 0, 0),
        ("nf4", 4.5, 0, 0),
        ("nf4_dq", 4.126953125, 0, 0),
        ("mxfp4", 4.25, 0, 0),
        ("nvfp4", 4.5, 0, 0),
        ("int3_gptq_g128", 3.1484375, 0, 0),
    ],
)
def test_exact_bits(precision: str, bits: float, row_scale: float, block_scale: float) -> None:
    found = row(catalogs.precisions(), precision)
    assert found["bits_per_weight"] == bits
    assert found["row_scale_bytes"] == row_scale
    assert found["block_scale_bytes"] == block_scale
    assert found["keep_bits"] == (32 if precision == "fp32" else 16)


def test_block_scales_are_dyadic() -> None:
    found = row(catalogs.precisions(), "fp8_e4m3_block128")
    assert found["bits_per_weight"] + found["block_scale_bytes"] * 8 / 128**2 == 8.001953125  # type: ignore[operator]


def test_gguf_mixtures_carry_their_average() -> None:
    assert row(catalogs.precisions(), "gguf_q4_k_m")["whole_model_bits"] == 4.8944
    gguf = catalogs.precisions().filter(pl.col("family") == "gguf", pl.col("policy") == "all")
    # A mixture raises some tensors above its main type and lowers none by more than the embedding.
    assert (gguf["whole_model_bits"] >= gguf["bits_per_weight"]).all()


def test_precisions_come_from_most_to_least_bits_within_a_family() -> None:
    frame = catalogs.precisions().with_columns(
        size=pl.when(pl.col("family") == "gguf")
        .then(pl.coalesce("whole_model_bits", "bits_per_weight"))
        .otherwise(
            pl.col("bits_per_weight") + pl.col("row_scale_bytes") * 8 / 4096 + pl.col("block_scale_bytes") / 2048
        )
    )
    families = frame["family"].rle().struct.field("value")
    assert families.is_unique().all()
    for _, family in frame.group_by("family"):
        assert family["size"].is_sorted(descending=True)


def test_stored_has_no_bits_and_runs_everywhere() -> None:
    found = row(catalogs.precisions(), "stored")
    assert found["bits_per_weight"] is None
    assert set(str(found["vendors"]).split()) == set(catalogs.gpus()["vendor"])


def test_formats_that_a_kernel_widens_need_no_native_units() -> None:
    needy = catalogs.precisions().filter(pl.col("requires_native").is_not_null())
    assert set(needy["precision"]) == {"int8_w8a8", "int4_w4a8_fp8"}
    assert row(catalogs.precisions(), "fp8_e4m3_block128")["min_compute_capability"] == "7.5"


def test_every_engine_has_every_tier() -> None:
    engines = catalogs.engines()
    assert (engines.group_by("engine").agg(pl.col("memory_tier").n_unique())["memory_tier"] == 4).all()
    assert set(catalogs.gpus()["memory_tier"]) == set(engines["memory_tier"])


def test_engine_none_takes_nothing() -> None:
    none = catalogs.engines().filter(pl.col("engine") == "none")
    assert (none["memory_utilization"] == 1).all()
    taken = [name for name in none.columns if name.endswith(("_bytes", "_copies", "_1", "_2", "_4", "_tokens"))]
    assert none.select(pl.sum_horizontal(taken).sum()).item() == 0


def test_vllm_constants() -> None:
    found = dict(
        catalogs.engines()
        .filter(pl.col("engine") == "vllm", "is_default")
        .select("memory_tier", pl.struct("batched_tokens", "max_sequences", "logit_bytes", "hidden_copies"))
        .iter_rows()
    )
    assert tuple(found["a100"].values()) == (2048, 256, 15, 4.2)
    assert tuple(found["70_to_160_gib"].values()) == (8192, 1024, 15, 4.2)
    assert tuple(found["from_160_gib"].values()) == (16384, 1024, 15, 4.2)


@pytest.mark.parametrize(
    ("range_", "is_default", "constants"),
    [
        ("-0.16", False, (0.90, 38.4, 8.5, 0.13, 0.55, 0.55)),
        ("0.17-0.26", True, (0.92, 15, 4.2, 0.25, 2.07, 2.15)),
        ("0.27-", False, (0.92, 15, 8.9, 0.25, 1.2, 1.2)),
    ],
)
def test_constants_of_vllm_by_version(range_: str, is_default: bool, constants: tuple[float, ...]) -> None:
    found = catalogs.engines().filter(engine="vllm", version_range=range_)
    assert found["memory_tier"].n_unique() == found.height == 4
    assert (found["is_default"] == is_default).all()
    outside = [f"non_torch_bytes_{devices}" for devices in (1, 2, 4)]
    for row in found.iter_rows(named=True):
        told = [row[name] for name in ("memory_utilization", "logit_bytes", "hidden_copies")]
        assert (*told, *(round(row[name] / 2**30, 2) for name in outside)) == constants


@pytest.mark.parametrize(
    ("kv_precision", "size"), [("bf16", 2), ("fp8_e4m3", 1), ("q8_0", 34 / 32), ("q4_0", 18 / 32), ("fp32", 4)]
)
def test_cache_elements(kv_precision: str, size: float) -> None:
    assert row(catalogs.kv_precisions(), kv_precision)["bytes_per_element"] == size


def test_prices_are_plausible() -> None:
    prices = catalogs.prices()
    hourly = prices.filter(pl.col("kind") != "purchase")["usd_per_gpu_hour"]
    # 33.8 is what Azure lists for a GB200 in one region; the next is below 30.
    assert hourly.is_between(0.02, 34).all()
    h100 = prices.filter(pl.col("gpu") == "nvidia-h100-sxm-80gb", pl.col("kind") == "on_demand")
    assert h100["usd_per_gpu_hour"].is_between(1.5, 16).all()
    assert h100.height >= 5


def test_spot_is_not_above_on_demand() -> None:
    same = ["gpu", "provider", "region", "instance_type", "as_of"]
    prices = catalogs.prices()
    spot = prices.filter(pl.col("kind") == "spot").join(prices.filter(pl.col("kind") == "on_demand"), on=same)
    assert spot.height >= 70
    assert (spot["usd_per_gpu_hour"] <= spot["usd_per_gpu_hour_right"]).all()


def test_measurements_are_split_by_model() -> None:
    """A model that a constant was fitted to cannot judge it."""
    sides = catalogs.measurements().group_by("component", "engine", "engine_version", "model_id").agg("split")
    assert sides.filter(pl.col("split").list.n_unique() > 1).is_empty()
    assert dict(catalogs.measurements().group_by("split").len().iter_rows())["judged"] >= 500


def test_models_that_stand_for_others_are_in_the_snapshot() -> None:
    known = {row["model_id"] for row in catalogs.hub_snapshot()}
    assert set(catalogs.measurements()["dimensions_of"].drop_nulls()) <= known


def test_every_link_knows_up_to_eight_devices() -> None:
    """Latencies rise with each hop of a ring; what was not measured lies between what was."""
    for link, rows in catalogs.links().sort("degree").group_by("link", maintain_order=True):
        assert rows["degree"].to_list() == list(range(2, 9)), link
        assert rows["reduce_seconds"].is_sorted(), link
        assert rows.filter(pl.col("degree").is_in([3, 5, 6, 7]))["confidence"].unique().to_list() == ["low"], link
