"""Known traps of hardware and formats, one test each: whoever falls into one again breaks it.

Where a figure is that of a driver or a process, it was read from a published output of nvidia-smi, rocm-smi or an
out-of-memory message; rows say in `source` which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
import polars as pl
import pytest

import catalogs
from flows.headers.ggml_types import BY_NAME

GIB = 2**30
MIB = 2**20
COSTS = Path(__file__).parents[2] / "flows" / "sql" / "costs.sql"


@pytest.fixture(scope="module")
def gpus() -> dict[str, dict[str, object]]:
    return {row["gpu_id"]: row for row in catalogs.gpus().iter_rows(named=True)}


@pytest.fixture(scope="module")
def precisions() -> dict[str, dict[str, object]]:
    return {row["precision"]: row for row in catalogs.precisions().iter_rows(named=True)}


Rows = dict[str, dict[str, object]]


def members(row: Mapping[str, object]) -> set[str]:
    return set(str(row["native_formats"]).split())


# 1. GB, GiB and MiB


@pytest.mark.parametrize(
    ("gpu", "marketed", "mib"),
    [
        ("nvidia-h100-sxm-80gb", 80, 81_559),
        ("nvidia-h200-sxm-141gb", 141, 143_771),
        ("nvidia-a100-sxm-40gb", 40, 40_960),
        ("nvidia-t4-16gb", 16, 15_360),
        ("nvidia-l4-24gb", 24, 23_034),
        ("nvidia-a10g-24gb", 24, 23_028),
        ("nvidia-l40s-48gb", 48, 46_068),
        ("nvidia-rtx-4090-24gb", 24, 24_564),
        ("nvidia-rtx-5090-32gb", 32, 32_607),
        ("amd-mi300x-192gb", 192, 196_592),  # 206,141,652,992 bytes
        ("amd-mi355x-288gb", 288, 294_896),  # 309,220,868,096 bytes
    ],
)
def test_marketed_gigabytes_are_no_unit(gpus: Rows, gpu: str, marketed: float, mib: int) -> None:
    """ "80 GB" are 81,559 MiB, which is neither 80e9 bytes nor 80 GiB (modal-client PR 2797; rocm-smi outputs)."""
    row = gpus[gpu]
    assert (row["memory_gib_nominal"], row["memory_mib_driver"]) == (marketed, mib)
    assert row["visible_bytes"] < mib * MIB  # type: ignore[operator]


def test_no_total_is_the_one_of_an_instance_list() -> None:
    """Lists of instances mix bytes in decimal, nominal and driver totals in one field (Karpenter's AWS types: L4 and
    A10G 22,888, L40S 45,776, H100 81,920, H200 144,384). Fractions are theirs: no driver output is published."""
    whole = catalogs.gpus().filter(pl.col("segment") != "slice", ~pl.col("gpu_id").str.contains("a100"))
    assert whole.filter(pl.col("memory_mib_driver").is_in([22_888, 45_776, 81_920, 144_384])).is_empty()


def test_no_factor_leads_from_marketed_to_driver_memory() -> None:
    """From 0.93 (B300) to 1.00 (A100), so that a common factor is off by gigabytes either way."""
    whole = catalogs.gpus().filter(pl.col("segment") != "slice", pl.col("memory_mib_driver").is_not_null())
    share = (whole["memory_mib_driver"] / 1024 / whole["memory_gib_nominal"]).sort()
    assert share[0] < 0.94
    assert share[-1] == 1
    assert share.n_unique() > 20


# 2. Three totals of one card


@pytest.mark.parametrize(
    ("gpu", "runtime_gib"),
    [
        ("nvidia-rtx-pro-6000-blackwell-ws-96gb", 94.97),  # of 95.59: 97,247 of 97,887 MiB (ollama PR 18201)
        ("nvidia-b200-sxm-180gb", 178.35),
        ("nvidia-h200-sxm-141gb", 139.8),
        ("nvidia-a40-48gb", 44.34),
        ("nvidia-a10-24gb", 22.06),
        ("nvidia-rtx-5090-32gb", 31.36),
        ("nvidia-rtx-3090-24gb", 23.68),
    ],
)
def test_a_process_sees_less_than_the_driver(gpus: Rows, gpu: str, runtime_gib: float) -> None:
    """Totals in out-of-memory messages; they win over the driver's."""
    row = gpus[gpu]
    assert row["memory_gib_runtime"] == runtime_gib
    assert row["visible_basis"] == "runtime"
    assert 0.3 < row["memory_mib_driver"] / 1024 - runtime_gib < 0.75  # type: ignore[operator]


# 3. Error correction


@pytest.mark.parametrize(
    ("gpu", "mib", "is_corrected"),
    [
        ("nvidia-rtx-a6000-48gb", 49_140, False),
        ("nvidia-a40-48gb", 46_068, True),
        ("nvidia-rtx-a5000-24gb", 24_564, False),
        ("nvidia-a10-24gb", 23_028, True),
        ("nvidia-t4-16gb", 15_360, True),
        ("nvidia-l40-48gb", 46_068, True),
        ("nvidia-a100-sxm-80gb", 81_920, False),  # HBM keeps its check bits elsewhere
        ("nvidia-rtx-pro-6000-blackwell-server-96gb", 97_887, False),  # so does GDDR7
    ],
)
def test_gddr6_gives_a_sixteenth_to_error_correction(gpus: Rows, gpu: str, mib: int, is_corrected: bool) -> None:
    """On where clouds sell it, off in workstations as shipped (outputs of nvidia-smi; modal-client PR 2797)."""
    row = gpus[gpu]
    assert row["memory_mib_driver"] == mib
    assert (mib <= row["memory_gib_nominal"] * 1024 * 15 / 16) is is_corrected  # type: ignore[operator]


# 5. Displays


def test_displays_take_memory_of_cards_that_have_them() -> None:
    """Not of servers, of shared memory, whose share leaves room already, or of slices."""
    devices = catalogs.gpus()
    has = pl.col("segment").is_in(["consumer", "laptop", "workstation"]) & ~pl.col("is_unified_memory")
    assert set(devices.filter(has)["reserve_bytes"]) == {GIB // 2}
    assert set(devices.filter(~has)["reserve_bytes"]) == {0}


# 6. Boards of several dies


@pytest.mark.parametrize(
    ("gpu", "devices", "gib", "gb_per_s"),
    [
        # two dies, one device: TechPowerUp lists 90 GB and 4,100 GB/s
        ("nvidia-b200-sxm-180gb", 1, 180, 7700),
        ("nvidia-b300-sxm-288gb", 1, 288, 7750),
        ("amd-mi300x-192gb", 1, 192, 5300),
        # sold by the board, or by the superchip, and counted by the device
        ("nvidia-gb200-186gb", 1, 186, 8000),
        ("nvidia-h100-nvl-94gb", 1, 94, 3938),
        ("amd-mi250x-128gb", 2, 64, 1638.5),
        ("amd-mi250-128gb", 2, 64, 1638.5),
        ("intel-max-1550-128gb", 2, 64, 1638.5),
        ("intel-arc-pro-b60-dual-48gb", 2, 24, 456),
        ("nvidia-a16-16gb", 4, 16, 200),
        ("google-tpu-v7x-192gb", 2, 96, 3690),
        ("tenstorrent-n300-24gb", 2, 12, 288),
        # "GH200 480GB" is what it prints, and 480 its LPDDR
        ("nvidia-gh200-96gb", 1, 96, 4000),
    ],
)
def test_a_row_is_what_software_sees_as_one_device(
    gpus: Rows, gpu: str, devices: int, gib: float, gb_per_s: float
) -> None:
    """ROCm, oneAPI and TPU documentation; nvidia-smi lists an A16 as four and a B200 as one."""
    row = gpus[gpu]
    assert (row["devices_per_board"], row["memory_gib_nominal"], row["bandwidth_gb_per_s"]) == (devices, gib, gb_per_s)


# 7. Several numbers for one product


@pytest.mark.parametrize(
    ("gpu", "nominal", "driver_mib"),
    [
        ("nvidia-b200-sxm-180gb", 180, 183_359),  # 192 at launch, 186 in tables
        ("nvidia-b300-sxm-288gb", 288, 275_040),  # 279, 270 and 268 in tables
        ("nvidia-gb200-186gb", 186, 189_471),
        ("nvidia-gb300-288gb", 288, 284_208),
        ("nvidia-h20-96gb", 96, 97_871),
        ("nvidia-gh200-96gb", 96, 97_871),
        ("amd-mi325x-256gb", 256, None),  # 288 was announced
    ],
)
def test_of_several_numbers_the_driver_decides(gpus: Rows, gpu: str, nominal: float, driver_mib: int | None) -> None:
    """aiconfigurator's systems; instance data of AWS, which are driver totals for B200 and B300."""
    assert (gpus[gpu]["memory_gib_nominal"], gpus[gpu]["memory_mib_driver"]) == (nominal, driver_mib)


def test_a_spark_shares_its_memory_with_its_system(gpus: Rows) -> None:
    """nvidia-smi says "not supported", CUDA 121.69 GiB, and 101.3 to 102.2 are free after a boot (gpud PR 1170)."""
    spark = gpus["nvidia-dgx-spark-gb10-128gb"]
    assert (spark["memory_mib_driver"], spark["memory_gib_runtime"]) == (None, 121.69)
    assert spark["visible_bytes"] == pytest.approx(102.4 * GIB, abs=1)


def test_b300_lost_its_integer_units(gpus: Rows) -> None:
    """153.5 TOPS (GB300: 165), less than an A100 (aiconfigurator b300 yaml)."""
    found = [gpus[f"nvidia-{name}"]["int8_tops"] for name in ("b300-sxm-288gb", "gb300-288gb", "a100-sxm-80gb")]
    assert found == [153.5, 165, 624]


# 8. Rates


@pytest.mark.parametrize(
    ("gpu", "rates", "sparse_or_vector"),
    [
        # bf16 (fp16 where there is none), fp8, int8, fp4; and what tables print instead
        ("nvidia-rtx-5090-32gb", (209.5, 419, 838, 1676), 3352),
        ("nvidia-rtx-4090-24gb", (165.2, 330.3, 660.6, None), 82.6),
        ("nvidia-rtx-3090-24gb", (71.16, None, 284.7, None), 142),
        ("nvidia-rtx-a6000-48gb", (154.8, None, 309.7, None), 619),
        ("nvidia-rtx-pro-6000-blackwell-ws-96gb", (503.8, 1008, 1008, 2015), 4030),
        ("nvidia-h100-sxm-80gb", (989.4, 1978.9, 1978.9, None), 3958),
        ("nvidia-dgx-spark-gb10-128gb", (None, None, None, 500), 1000),
        ("nvidia-jetson-agx-orin-64gb", (42.6, None, 85, None), 275),
        ("nvidia-jetson-thor-t5000-128gb", (None, 517, 517, 1035), 2070),
        ("amd-rx-9070-xt-16gb", (195, 389, 389, None), 1557),
        ("amd-r9700-32gb", (191, 383, 383, None), 1531),
        ("aws-trainium2-96gb", (667, 1299, None, None), 2563),
        ("intel-gaudi3-oam-128gb", (1677, 1677, None, None), 1835),
    ],
)
def test_rates_are_dense_and_of_matrix_units(
    gpus: Rows, gpu: str, rates: tuple[float | None, ...], sparse_or_vector: float
) -> None:
    """Not with 2:4 sparsity, not of vector units, not at clocks that were never shipped (Gaudi 3: 1,600 MHz).

    Vendors' white papers and data sheets; stas00/ml-engineering for what shipped.
    """
    row = gpus[gpu]
    sixteen = row["fp16_tflops"] if row["bf16_tflops"] is None else row["bf16_tflops"]
    assert (sixteen, row["fp8_tflops"], row["int8_tops"], row["fp4_tflops"]) == rates
    assert sparse_or_vector not in rates


def ratio(gpus: Rows, gpu: str, above: str, below: str) -> float:
    return gpus[gpu][above] / gpus[gpu][below]  # type: ignore[operator]


def test_geforce_halves_what_accumulates_in_fp32(gpus: Rows) -> None:
    """A quarter of the integer rate where the professional card of the same die has half of it. fp8 is halved, too,
    and fp4 is not (NVIDIA's white papers of Turing, Ampere, Ada and Blackwell)."""
    for gpu, row in gpus.items():
        if row["vendor"] != "nvidia" or row["segment"] not in ("consumer", "laptop", "workstation"):
            continue
        if row["int8_tops"] is None:
            continue
        is_geforce = row["segment"] != "workstation"
        assert ratio(gpus, gpu, "int8_tops", "fp16_tflops") == pytest.approx(4 if is_geforce else 2, rel=0.01), gpu
        if row["fp8_tflops"] is not None:
            assert ratio(gpus, gpu, "fp8_tflops", "fp16_tflops") == pytest.approx(2, rel=0.01), gpu
        if row["fp4_tflops"] is not None:
            assert ratio(gpus, gpu, "fp4_tflops", "fp8_tflops") == pytest.approx(4 if is_geforce else 2, rel=0.01), gpu


def test_of_one_die_l40_and_l20_are_halved_and_l40s_is_not(gpus: Rows) -> None:
    found = [gpus[f"nvidia-{name}"]["bf16_tflops"] for name in ("l40-48gb", "l20-48gb", "l40s-48gb")]
    assert found == [181, 119.5, 362]


def test_rates_double_from_format_to_format() -> None:
    """By what hardware has: a sparse rate in one column and a dense one in the next would show as a factor of four."""
    rates = catalogs.gpus().filter(vendor="nvidia")
    eight = rates.filter(pl.col("fp8_tflops") / pl.col("bf16_tflops") > 2.1)
    # Rubin multiplies bf16 at less than half of its fp8
    assert set(eight["gpu_id"]) == {"nvidia-rubin-288gb"}
    four = rates.filter(pl.col("segment") == "datacenter", pl.col("fp4_tflops") / pl.col("fp8_tflops") > 2.01)
    assert set(four["gpu_id"]) <= {"nvidia-b300-sxm-288gb", "nvidia-gb300-288gb"}


@pytest.mark.parametrize(
    ("gpu", "capability"),
    [
        ("nvidia-b200-sxm-180gb", "10.0"),
        ("nvidia-b300-sxm-288gb", "10.3"),  # tables print 10.0
        ("nvidia-gb300-288gb", "10.3"),
        ("nvidia-rtx-5090-32gb", "12.0"),  # and here, too
        ("nvidia-rtx-pro-6000-blackwell-ws-96gb", "12.0"),
        ("nvidia-dgx-spark-gb10-128gb", "12.1"),
        ("nvidia-jetson-thor-t5000-128gb", "11.0"),
    ],
)
def test_compute_capabilities_of_blackwell(gpus: Rows, gpu: str, capability: str) -> None:
    """CUDA's list of devices; the Hugging Face table and gpuhunt have 10.0 for B300, whichllm for RTX 50."""
    assert gpus[gpu]["compute_capability"] == capability


def test_compute_capabilities_survive_as_text(what_if: Callable[..., Path]) -> None:
    """As numbers 8.10 is 8.1 and 12.0 is 12."""
    folder = what_if("gpus", ("nvidia-rtx-4090-24gb", {"compute_capability": "8.10"}))
    assert catalogs.gpus(folder)["compute_capability"].to_list() == ["8.10"]


def test_no_format_asks_for_more_than_hopper_by_number() -> None:
    """From 10.0 on numbers do not order units: sm_120 is the higher one and lacks what sm_100 has (Transformer Engine:
    MXFP8 "no", NVFP4 "partial"). What newer devices can do is asked of `native_formats`."""
    needed = catalogs.precisions()["min_compute_capability"].drop_nulls().unique()
    assert max(tuple(map(int, one.split("."))) for one in needed) <= (9, 0)
    beyond = catalogs.kv_precisions().filter(pl.col("min_compute_capability").str.contains(r"^1\d\."))
    # a cache of TensorRT-LLM; whether it runs on sm_120 is not documented
    assert beyond["kv_precision"].to_list() == ["nvfp4"]


@pytest.mark.parametrize(
    ("gpu", "has", "lacks"),
    [
        ("nvidia-t4-16gb", "fp16 int8", "bf16 fp8"),
        ("nvidia-a100-sxm-80gb", "bf16 int8", "fp8 fp4"),
        ("nvidia-h100-sxm-80gb", "fp8", "fp4"),
        ("nvidia-rtx-5090-32gb", "fp8 fp4", ""),
        ("amd-mi250x-128gb", "bf16", "fp8"),
        ("amd-mi300x-192gb", "fp8", "fp4"),
        ("amd-rx-7900-xtx-24gb", "bf16 int8", "fp8"),
        ("google-tpu-v5e-16gb", "bf16 int8", "fp8"),
        ("apple-m1-16gb", "fp16", "bf16 int8 fp8"),
        ("apple-m3-pro-18gb", "bf16", "int8 fp8"),
        ("nvidia-p40-24gb", "fp32", "fp16 bf16"),
    ],
)
def test_native_formats_are_a_set(gpus: Rows, gpu: str, has: str, lacks: str) -> None:
    assert set(has.split()) <= members(gpus[gpu])
    assert not set(lacks.split()) & members(gpus[gpu])


# 9. Apple


@pytest.mark.parametrize(
    ("gib", "share"),
    [(16, 0.74), (18, 0.74), (24, 0.74), (32, 0.78), (36, 0.78), (48, 0.78), (64, 0.81), (96, 0.75), (128, 0.84)],
)
def test_what_macos_lets_a_gpu_wire_steps_with_the_memory(gib: float, share: float) -> None:
    """`recommendedMaxWorkingSetSize` under macOS 26, whatever the chip: 11.84, 13.32, 17.76, 24.96, 28.08, 37.44, 51.84
    and 107.52 GiB (llama.cpp's logs, exo PR 1672, sglang PR 29949); of 96 GiB an older macOS's 72.0 alone is known."""
    macs = catalogs.gpus().filter(vendor="apple", memory_gib_nominal=gib)
    assert set(macs["unified_usable_fraction"]) == {share}
    assert (macs["visible_bytes"] == int(gib * share * GIB)).all()


@pytest.mark.parametrize(
    ("binned", "whole", "gb_per_s"),
    [
        ("apple-m3-max-30c-36gb", "apple-m3-max-40c-64gb", (300, 400)),
        ("apple-m4-max-32c-36gb", "apple-m4-max-40c-48gb", (410, 546)),  # MTPLX issue 64
        ("apple-m5-max-32c-36gb", "apple-m5-max-40c-128gb", (460, 614)),
    ],
)
def test_binned_chips_of_one_name_are_slower(gpus: Rows, binned: str, whole: str, gb_per_s: tuple[int, int]) -> None:
    assert (gpus[binned]["bandwidth_gb_per_s"], gpus[whole]["bandwidth_gb_per_s"]) == gb_per_s


# 10. Slices


@pytest.mark.parametrize(
    ("gpu", "name_gib", "lists_gib"),
    [
        ("nvidia-a100-sxm-40gb-mig-3g.20gb", 20, 19.5),  # nvitop PR 8
        ("nvidia-a100-sxm-80gb-mig-1g.10gb", 10, 9.5),
        ("nvidia-h100-sxm-80gb-mig-1g.10gb", 10, 9.75),
        ("nvidia-h100-nvl-94gb-mig-1g.12gb", 12, 10.62),  # mig-parted PR 101: 10.75
        ("nvidia-h100-nvl-94gb-mig-3g.47gb", 47, 46.12),
        ("nvidia-h200-sxm-141gb-mig-1g.18gb", 18, 16),  # mig-parted issue 120
        ("nvidia-gh200-144gb-mig-1g.18gb", 18, 17.5),  # mig-parted PR 139
        ("nvidia-b200-sxm-180gb-mig-1g.23gb", 23, 20.5),  # gpu-operator PR 1351
        ("nvidia-gb200-186gb-mig-1g.24gb", 24, 20),  # gpu-operator PR 1303
    ],
)
def test_a_slice_has_less_than_its_name(gpus: Rows, gpu: str, name_gib: float, lists_gib: float) -> None:
    """`nvidia-smi mig -lgip` says how much; the name overstates it by up to 17 %."""
    row = gpus[gpu]
    assert row["memory_gib_nominal"] == name_gib
    assert row["visible_bytes"] <= lists_gib * GIB  # type: ignore[operator]
    known = row["memory_gib_runtime"] or row["memory_mib_driver"] / 1024  # type: ignore[operator]
    assert known == pytest.approx(lists_gib, abs=1 / 1024)


def test_slices_of_a_board_have_no_more_than_the_board() -> None:
    slices = (
        catalogs.gpus().filter(segment="slice").with_columns(of=pl.col("gpu_id").str.replace(r"-(mig-|1of).*$", ""))
    )
    slices = slices.with_columns(
        of=pl.col("of").str.replace("nvidia-rtx-pro-6000-server-96gb", "nvidia-rtx-pro-6000-blackwell-server-96gb")
    )
    both = slices.join(catalogs.gpus(), left_on="of", right_on="gpu_id", suffix="_whole")
    assert both.height == slices.height == 34
    # not by name: two of 71 GB are more than the 141 of their H200
    for column in ("visible_bytes", "bandwidth_gb_per_s", "bf16_tflops", "fp8_tflops", "fp4_tflops"):
        # 0.05 % for figures of four digits
        known = both.filter(pl.col(column).is_not_null())
        if column == "visible_bytes":
            # 93 % of what is marketed is a guess, above what an A10 shows
            known = known.filter(pl.col("visible_basis") != "nominal")
            assert known.height >= 25
        many = known[column] * known["devices_per_board"]
        assert (many <= known[f"{column}_whole"] * 1.0005).all(), column
    assert (both["native_formats"] == both["native_formats_whole"]).all()
    assert set(both["max_gpus_per_node"]) == {1}  # peer-to-peer is off in MIG mode
    assert both["launch_price_usd"].null_count() == both.height


def current_prices(rows: str) -> dict[str, float]:
    """The view of the published file over `rows` of (gpu, usd_per_gpu_hour, gpu_count)."""
    view = COSTS.read_text(encoding="utf-8").partition("CREATE VIEW current_prices")[2].partition(";")[0]
    with duckdb.connect() as connection:
        connection.execute(
            f"""CREATE TABLE prices AS SELECT *, 'on_demand' AS kind, 'a' AS provider, 'b' AS region,
            'x' AS instance_type, 'seed' AS origin, 9 AS age_days, false AS is_stale, DATE '2026-01-01' AS as_of
            FROM (VALUES {rows}) AS t (gpu, usd_per_gpu_hour, gpu_count)"""
        )
        connection.execute(f"CREATE VIEW current_prices{view}")
        return dict(connection.execute("SELECT gpu, usd_per_gpu_hour::DOUBLE FROM current_prices").fetchall())


def test_a_fraction_prices_no_whole_device() -> None:
    """A sixth of an A10 at 0.454 dollars is no A10 at 2.72, and none at 0.454."""
    assert current_prices("('a10', 0.454, 0.1667), ('l4', 0.5, 0.125), ('l4', 0.805, 1), ('l4', 0.9, 8)") == {
        "l4": 0.805
    }


@pytest.mark.parametrize(
    ("gpu", "instance", "usd_per_hour"),
    [
        ("nvidia-l4-24gb-1of8", "g6f.large", 0.202),
        ("nvidia-l4-24gb-1of2", "g6f.4xlarge", 0.95),
        ("nvidia-a10-24gb-1of6", "Standard_NV6ads_A10_v5", 0.454),
        ("nvidia-a10-24gb-1of3", "Standard_NC8ads_A10_v4", 1.1),
        ("nvidia-rtx-pro-6000-server-96gb-1of8", "g4-standard-6", 0.5596),
    ],
)
def test_fractions_cost_what_their_instance_does(gpu: str, instance: str, usd_per_hour: float) -> None:
    prices = catalogs.prices().filter(gpu=gpu, instance_type=instance, kind="on_demand")
    assert prices["usd_per_gpu_hour"].min() == usd_per_hour
    assert set(prices["gpu_count"]) == {1}


# 11. Names


@pytest.mark.parametrize(
    ("laptop", "desktop"),
    [
        ("nvidia-rtx-5090-laptop-24gb", "nvidia-rtx-5090-32gb"),
        ("nvidia-rtx-5080-laptop-16gb", "nvidia-rtx-5080-16gb"),
        ("nvidia-rtx-4090-laptop-16gb", "nvidia-rtx-4090-24gb"),
        ("nvidia-rtx-4080-laptop-12gb", "nvidia-rtx-4080-16gb"),
        ("nvidia-rtx-4070-laptop-8gb", "nvidia-rtx-4070-12gb"),
    ],
)
def test_laptops_reuse_names_of_faster_cards(gpus: Rows, laptop: str, desktop: str) -> None:
    """RTX 5090 Laptop: 24 GB and 896 GB/s against 32 and 1,792 (NVIDIA; whichllm issues 61, 74 and 93)."""
    assert "Laptop" in str(gpus[laptop]["name"])
    assert "Laptop" not in str(gpus[desktop]["name"])
    for column in ("memory_gib_nominal", "bandwidth_gb_per_s", "bf16_tflops"):
        assert gpus[laptop][column] <= gpus[desktop][column], column  # type: ignore[operator]
    assert gpus[laptop]["bf16_tflops"] < 0.6 * gpus[desktop]["bf16_tflops"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("stem", "sizes"),
    [
        ("nvidia-rtx-3060", {8, 12}),
        ("nvidia-rtx-3050", {6, 8}),
        ("nvidia-rtx-3080", {10, 12}),
        ("nvidia-rtx-5060-ti", {8, 16}),
        ("nvidia-rtx-4060-ti", {8, 16}),
        ("nvidia-rtx-2060", {6, 12}),
        ("nvidia-a100-sxm", {40, 80}),
        ("nvidia-a100-pcie", {40, 80}),
        ("nvidia-rtx-pro-5000-blackwell", {48, 72}),
        ("nvidia-v100-sxm2", {16, 32}),
        ("nvidia-gh200", {96, 144}),
    ],
)
def test_a_name_with_several_memories_is_several_rows(stem: str, sizes: set[int]) -> None:
    """And each says its size, so that no bare name stands for one of them."""
    found = catalogs.gpus().filter(pl.col("gpu_id").str.contains(rf"^{stem}-\d+gb$"))
    assert set(found["memory_gib_nominal"]) == sizes
    for row in found.iter_rows(named=True):
        assert f"{row['memory_gib_nominal']:g}GB" in row["name"].replace(" GB", "GB")


def test_names_are_unique() -> None:
    assert catalogs.gpus()["name"].str.to_lowercase().is_unique().all()


def test_modified_cards_say_so(gpus: Rows) -> None:
    """RTX 4090 of 48 GB are on marketplaces under the plain name (Vast)."""
    modded = [gpu for gpu, row in gpus.items() if "4090" in gpu and row["memory_gib_nominal"] == 48]
    assert modded == ["nvidia-rtx-4090-48gb-modded"]


# 12. Formats


@pytest.mark.parametrize(
    ("precision", "total", "vocabulary_by_width", "whole_model_bits"),
    [
        # NVFP4 of Qwen3-8B: 6.4 GB (HF Rodder5/Qwen3-8B-NVFP4)
        ("nvfp4", 8_190_735_360, 2 * 151_936 * 4096, 6.25),
        # "2-bit" AQLM of Llama-3-8B: 4.1 GB (HF ISTA-DASLab)
        ("aqlm_2bit_1x16", 8_030_261_248, 2 * 128_256 * 4096, 4.08),
    ],
)
def test_small_formats_leave_embeddings_and_heads_in_16_bits(
    precisions: Rows, precision: str, total: int, vocabulary_by_width: int, whole_model_bits: float
) -> None:
    """(bits·(total - kept) + 16·kept) / total."""
    row = precisions[precision]
    assert (row["policy"], row["keep_bits"]) == ("linears", 16)
    bits = (total - vocabulary_by_width) * row["bits_per_weight"] + vocabulary_by_width * 16  # type: ignore[operator]
    assert bits / total == pytest.approx(whole_model_bits, rel=0.004)


@pytest.mark.parametrize(("bits", "published"), [(2, 2.51), (3, 3.51), (4, 4.52), (6, 6.51), (8, 8.51)])
def test_mlx_quantises_embeddings_and_heads(precisions: Rows, bits: int, published: float) -> None:
    """Files of Qwen2.5-7B: within 0.02 bits of the formula, a scale and a bias of 16 bits for 64 weights."""
    row = precisions[f"mlx_{bits}bit_g64"]
    assert (row["policy"], row["bits_per_weight"]) == ("all", bits + 32 / 64)
    assert published - row["bits_per_weight"] == pytest.approx(0.01, abs=0.011)  # type: ignore[operator]


def test_bits_of_gguf_are_those_of_its_blocks() -> None:
    """Bytes of a block over its elements (ggml; tests/flows/headers/test_gguf.py holds the blocks against the package).

    Mixtures: the main type's bits.
    """
    main = {"IQ2_M": "IQ2_S", "IQ3_M": "IQ3_S", "IQ3_XS": "IQ3_S", "MXFP4_MOE": "MXFP4"}
    checked = 0
    for row in catalogs.precisions().filter(family="gguf").iter_rows(named=True):
        name = row["precision"].removeprefix("gguf_").upper()
        kind = BY_NAME[main.get(name, name if name in BY_NAME else name.rpartition("_")[0])]
        assert row["bits_per_weight"] == kind.bytes * 8 / kind.elements, row["precision"]
        checked += 1
    assert checked == 32


def test_elements_of_gguf_caches_are_those_of_its_blocks() -> None:
    found = {row["kv_precision"]: row["bytes_per_element"] for row in catalogs.kv_precisions().iter_rows(named=True)}
    for name in ("q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"):
        assert found[name] == BY_NAME[name.upper()].bytes / BY_NAME[name.upper()].elements


def test_q8_1_has_36_bytes() -> None:
    """As the struct in C; the gguf package says 40, and nothing stores it."""
    assert (BY_NAME["Q8_1"].bytes, BY_NAME["Q8_1"].elements) == (36, 32)


def test_mixtures_that_a_readme_forgets_are_there_once(precisions: Rows) -> None:
    """llama.cpp's quantize README lacks Q3_K_M and prints Q4_K_S twice."""
    assert [precisions[f"gguf_{name}"]["whole_model_bits"] for name in ("q3_k_m", "q4_k_s")] == [4, 4.6672]


@pytest.mark.parametrize(("precision", "ratio_"), [("gguf_q2_k", 1.5648), ("gguf_q4_k_m", 1.0282)])
def test_quality_is_that_of_a_named_model(precisions: Rows, precision: str, ratio_: float) -> None:
    """Q2_K costs 10.8 % on Llama-2-7B and 56.5 % on Llama-3-8B (llama.cpp perplexity README)."""
    assert precisions[precision]["quality_value"] == ratio_
    for row in precisions.values():
        if row["quality_value"] is not None:
            assert any(name in str(row["quality_metric"]) for name in ("Llama-", "ERNIE-", "Muse-")), row["precision"]


@pytest.mark.parametrize(
    ("family", "engine"),
    [
        ("gguf", "vllm"),  # a plugin since 0.24 (PR 39612)
        ("vector", "vllm"),  # AQLM left its table after 0.9.2
        ("exl3", "vllm"),
        ("mlx", "vllm"),
        ("microscaling", "llamacpp"),  # its own MXFP4 and NVFP4 are formats of GGUF
    ],
)
def test_engines_drop_formats(family: str, engine: str) -> None:
    engines = catalogs.precisions().filter(family=family)["engines"].str.split(" ").explode().unique()
    assert engines.len() > 0
    assert engine not in engines.to_list()
