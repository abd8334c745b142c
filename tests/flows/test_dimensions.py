"""The rows of the engine catalog that a night counts with."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import catalogs
import estimator
from flows import dimensions

KEY = ["engine", "memory_tier"]


def test_a_night_counts_with_one_range_of_each_engine() -> None:
    dims = dimensions.load(None)
    assert dims.profiles.select(KEY).is_unique().all()
    assert set(dims.profiles.select(KEY).iter_rows()) == set(dims.engines.select(KEY).iter_rows())
    assert set(dims.profiles.filter(engine="vllm")["version_range"]) == {"0.17-0.26"}
    assert dims.engines.filter(engine="vllm")["version_range"].n_unique() == 3


def test_a_site_has_another_share_of_the_power(tmp_path: Path) -> None:
    """A board of 500 W with two devices, and one whose power nobody knows."""
    policy = catalogs.policy().with_columns(value=pl.when(parameter="power_share").then(0.5).otherwise("value"))
    policy.write_csv(tmp_path / "policy.csv")
    drawn = {
        folder: dict(dimensions.load(folder).gpus.select("gpu_id", "drawn_watts").iter_rows())
        for folder in (None, tmp_path)
    }
    assert drawn[None]["nvidia-a100-sxm-80gb"] == 240
    assert drawn[tmp_path]["nvidia-a100-sxm-80gb"] == 200
    assert drawn[tmp_path]["amd-mi250x-128gb"] == 125
    assert drawn[tmp_path]["google-tpu-v4-32gb"] is None


def test_a_site_has_another_reserve(tmp_path: Path) -> None:
    """An H100 of 79.18 GiB that leaves 8,192 MiB instead of 13,440."""
    reserves = catalogs.reserves().with_columns(
        pl.lit(8192).alias("constant_mib"),
        *(pl.lit(0).alias(name) for name in ("token_mib", "sequence_mib", "device_mib")),
    )
    reserves.write_csv(tmp_path / "reserves.csv")
    theirs, before = dimensions.load(tmp_path), dimensions.load(None)
    [device] = before.gpus.filter(gpu_id="nvidia-h100-sxm-80gb").to_dicts()
    at = {"gpu_ix": device["gpu_ix"], "engine": "sglang"}
    [left], [ours] = (
        estimator.reserved(dims.gpus, dims.reserves).collect().filter(**at)["left_bytes"] for dims in (theirs, before)
    )
    assert (left, ours) == (8192 << 20, 13_440 << 20)
    sglang = before.workloads.head(1).with_columns(engine=pl.lit("sglang"))
    usable = estimator.capacities(theirs.gpus, sglang, theirs.profiles, theirs.reserves).collect()
    share = round((device["visible_bytes"] - left) / device["visible_bytes"], 3)
    assert usable.filter(gpu_ix=at["gpu_ix"])["usable_bytes"].to_list() == [
        int(share * (device["visible_bytes"] - 2**29))
    ]


def test_a_site_counts_with_another_range(tmp_path: Path) -> None:
    """vLLM before 0.17 takes 0.90 of a device, later ones 0.92."""
    ours = catalogs.engines()
    of_vllm = pl.col("engine") == "vllm"
    moved = ours.with_columns(
        is_default=pl.when(of_vllm).then(pl.col("version_range") == "-0.16").otherwise("is_default")
    )
    moved.write_csv(tmp_path / "engines.csv")
    theirs, before = dimensions.load(tmp_path), dimensions.load(None)
    assert set(theirs.profiles.filter(of_vllm)["version_range"]) == {"-0.16"}
    on = {"gpu_ix": before.gpus.filter(gpu_id="nvidia-h100-sxm-80gb")["gpu_ix"].item()}
    on["workload_ix"] = before.workloads.filter(of_vllm)["workload_ix"][0]
    [old], [new] = (dims.capacities.filter(**on)["usable_bytes"] for dims in (theirs, before))
    visible = before.gpus.filter(gpu_id="nvidia-h100-sxm-80gb")["visible_bytes"].item()
    assert (round(old / visible, 6), round(new / visible, 6)) == (0.9, 0.92)
