"""How much of the hardware and of the formats there is, and what is known of it: a lost column or row breaks this."""

from __future__ import annotations

import polars as pl
import pytest

import catalogs

# What has to be known of every device that is on the market, by kind of device. Rates besides: the test below.
MEMORY = ("memory_gib_nominal", "visible_bytes", "memory_type", "bandwidth_gb_per_s")
NODE = ("interconnect", "max_gpus_per_node", "launch_date")
KINDS: dict[str, tuple[pl.Expr, int, tuple[str, ...]]] = {
    "NVIDIA datacenter": (
        (pl.col("vendor") == "nvidia") & (pl.col("segment") == "datacenter"),
        36,
        (*MEMORY, *NODE, "compute_capability", "fp32_tflops", "tdp_watts"),
    ),
    "AMD datacenter": (
        (pl.col("vendor") == "amd") & pl.col("segment").is_in(["datacenter", "hpc"]),
        11,
        (*MEMORY, *NODE, "fp32_tflops", "tdp_watts"),
    ),
    "workstation": (
        pl.col("segment").eq("workstation") & (pl.col("vendor") != "tenstorrent"),
        33,
        (*MEMORY, *NODE, "tdp_watts"),
    ),
    "consumer": (pl.col("segment") == "consumer", 61, (*MEMORY, *NODE, "fp32_tflops", "tdp_watts")),
    "laptop": (
        pl.col("segment") == "laptop",
        10,
        (*MEMORY, *NODE, "fp32_tflops", "fp16_tflops", "tdp_watts"),
    ),
    "Apple": (
        pl.col("vendor") == "apple",
        53,
        (*MEMORY, *NODE, "unified_usable_fraction", "fp32_tflops", "fp16_tflops", "tdp_watts"),
    ),
    "edge": (pl.col("segment") == "edge", 11, (*MEMORY, *NODE, "unified_usable_fraction", "tdp_watts")),
    "TPU": (pl.col("vendor") == "google", 5, (*MEMORY, *NODE, "bf16_tflops")),
    "Trainium and Inferentia": (pl.col("vendor") == "aws", 5, (*MEMORY, *NODE, "bf16_tflops")),
    "Gaudi": (pl.col("gpu_id").str.contains("gaudi"), 3, (*MEMORY, *NODE, "link_gb_per_s", "tdp_watts")),
    "MIG": (
        pl.col("form_factor") == "MIG",
        25,
        (*MEMORY, *NODE, "compute_capability", "fp32_tflops", "bf16_tflops", "int8_tops"),
    ),
    "fraction": (
        pl.col("form_factor") == "fraction",
        9,
        (*MEMORY, *NODE, "compute_capability", "fp32_tflops", "bf16_tflops", "int8_tops"),
    ),
}
RATES = {"bf16": "bf16_tflops", "fp16": "fp16_tflops", "fp8": "fp8_tflops", "int8": "int8_tops", "fp4": "fp4_tflops"}
# Matrix units of which no dense rate is published, or none that agrees with another.
NO_RATE = {
    *("amd-mi308x-192gb", "amd-radeon-890m-shared", "amd-v710-28gb", "huawei-ascend-910b-64gb", "intel-gaudi1-32gb"),
    *("intel-gaudi2-96gb", "nvidia-dgx-spark-gb10-128gb", "nvidia-gtx-1660-super-6gb"),
    *("nvidia-jetson-agx-orin-32gb", "nvidia-jetson-agx-orin-64gb", "nvidia-jetson-orin-nano-super-8gb"),
    *("nvidia-jetson-orin-nx-16gb", "nvidia-jetson-thor-t4000-64gb", "nvidia-jetson-thor-t5000-128gb"),
    *("nvidia-rtx-pro-4500-blackwell-server-32gb", "amd-strix-halo-32gb", "amd-strix-halo-64gb", "amd-strix-halo-96gb"),
    *("amd-strix-halo-128gb", "tenstorrent-n150-12gb", "tenstorrent-n300-24gb", "tenstorrent-p100a-28gb"),
    "tenstorrent-p150-32gb",
}
UNKNOWN = {"fp32_tflops": {"nvidia-rtx-pro-4500-blackwell-server-32gb"}, "launch_date": {"huawei-ascend-910b-64gb"}}
# Nobody has one yet: a launch is announced, or none is.
ANNOUNCED = pl.col("launch_date").is_null() & (pl.col("gpu_id") != "huawei-ascend-910b-64gb")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_known_of_a_kind_of_device(kind: str) -> None:
    of, count, columns = KINDS[kind]
    found = catalogs.gpus().filter(of, ~ANNOUNCED)
    assert found.height >= count
    for column in columns:
        without = set(found.filter(pl.col(column).is_null())["gpu_id"])
        assert without <= UNKNOWN.get(column, set()), column


def test_what_was_only_announced_is_named() -> None:
    assert set(catalogs.gpus().filter(ANNOUNCED)["gpu_id"]) == {
        *("amd-mi455x-432gb", "apple-m5-ultra-256gb", "apple-m5-ultra-96gb", "huawei-ascend-950dt-96gb"),
        *("nvidia-dgx-station-gb300-252gb", "nvidia-rubin-288gb"),
    }


def test_every_segment_is_there() -> None:
    devices = catalogs.gpus()
    assert devices.height >= 280
    assert dict(devices.group_by("segment").len().iter_rows()) == {
        **{"cloud": 16, "consumer": 61, "datacenter": 52, "edge": 11, "hpc": 3},
        **{"laptop": 10, "slice": 34, "unified": 55, "workstation": 38},
    }


@pytest.mark.parametrize("format_", RATES)
def test_native_formats_have_a_dense_rate(format_: str) -> None:
    """But for those that are named: of them a prompt's speed is unknown, or counted at 16 bits."""
    has = pl.col("native_formats").str.split(" ").list.contains(format_)
    # Apple's chips multiply bf16 at the rate of fp16, which is the one that is published
    devices = catalogs.gpus().filter(has, ~ANNOUNCED, pl.col("vendor") != "apple")
    without = set(devices.filter(pl.col(RATES[format_]).is_null())["gpu_id"])
    assert without <= NO_RATE
    assert len(without) < devices.height / 4


def test_named_exceptions_are_needed() -> None:
    devices = catalogs.gpus().filter(pl.col("gpu_id").is_in(sorted(NO_RATE)))
    assert devices.height == len(NO_RATE)
    for row in devices.iter_rows(named=True):
        native = set(row["native_formats"].split())
        assert any(row[rate] is None for format_, rate in RATES.items() if format_ in native), row["gpu_id"]


def test_totals_of_drivers_and_processes() -> None:
    """What is measured does not get lost."""
    devices = catalogs.gpus()
    assert devices["memory_mib_driver"].count() >= 103
    assert devices["memory_gib_runtime"].count() >= 24
    assert devices["launch_price_usd"].count() >= 93


def test_links_have_a_speed() -> None:
    """Everything that is wired together, but for three whose makers do not say."""
    wired = catalogs.gpus().filter(pl.col("interconnect") != "none", pl.col("link_gb_per_s").is_null())
    assert set(wired["gpu_id"]) == {
        *("aws-inferentia2-32gb", "aws-trainium1-32gb", "google-tpu-v4-32gb", "nvidia-dgx-spark-gb10-128gb"),
    }


def test_formats_of_weights() -> None:
    """Bits of every one, what it leaves in more bits, where it runs, and of most a figure of quality."""
    formats = catalogs.precisions().filter(pl.col("precision") != "stored")
    assert formats.height >= 84
    for column in ("bits_per_weight", "keep_bits", "policy", "engines", "vendors", "compute_format", "source", "as_of"):
        assert formats[column].null_count() == 0, column
    on_nvidia = formats.filter(pl.col("vendors").str.contains("nvidia"), pl.col("min_compute_capability").is_null())
    # anything runs them, or it is not known from where on
    assert set(on_nvidia["precision"]) == {"fp32", "bf16", "fp16", "bitnet_i2s"}
    rated = formats.filter(pl.col("quality_value").is_not_null())
    assert rated.height >= 50
    assert rated["quality_source"].null_count() == 0
    assert dict(formats.group_by("family").len().iter_rows()) == {
        **{"float": 3, "fp8": 4, "int8": 3, "microscaling": 4, "int4": 8, "int3": 1, "bnb4": 3, "hqq": 2},
        **{"gguf": 32, "mlx": 7, "exl2": 8, "exl3": 8, "vector": 1, "ternary": 1},
    }


def test_formats_of_caches() -> None:
    caches = catalogs.kv_precisions()
    assert caches.height >= 16
    engines = set(caches["engines"].str.split(" ").explode())
    assert {"vllm", "sglang", "trtllm", "llamacpp", "mlx", "exllama", "transformers"} <= engines
