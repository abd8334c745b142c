"""Names that drivers really print, and the rows that they are."""

from __future__ import annotations

import polars as pl
import pytest

import catalogs
from catalogs.device_names import device_names
from flows.local_devices.mapping import Names, key
from flows.local_devices.reported import Reported

# Name, total in MiB and row: published outputs of nvidia-smi and rocm-smi.
PRINTED = [
    ("NVIDIA H100 80GB HBM3", 81559, "nvidia-h100-sxm-80gb"),
    ("NVIDIA H100 PCIe", 81559, "nvidia-h100-pcie-80gb"),
    ("NVIDIA H100 NVL", 95830, "nvidia-h100-nvl-94gb"),
    ("NVIDIA H200", 143771, "nvidia-h200-sxm-141gb"),
    ("NVIDIA H200 NVL", 143771, "nvidia-h200-nvl-141gb"),
    ("NVIDIA H20", 97871, "nvidia-h20-96gb"),
    ("NVIDIA GH200 480GB", 97871, "nvidia-gh200-96gb"),
    ("GH200 120GB", 97871, "nvidia-gh200-96gb"),
    ("NVIDIA B200", 183359, "nvidia-b200-sxm-180gb"),
    ("NVIDIA B300", 275040, "nvidia-b300-sxm-288gb"),
    ("NVIDIA GB200", 189471, "nvidia-gb200-186gb"),
    ("NVIDIA GB300", 284208, "nvidia-gb300-288gb"),
    ("NVIDIA A100-SXM4-80GB", 81920, "nvidia-a100-sxm-80gb"),
    ("NVIDIA A100 80GB PCIe", 81920, "nvidia-a100-pcie-80gb"),
    ("NVIDIA A100-SXM4-40GB", 40960, "nvidia-a100-sxm-40gb"),
    ("NVIDIA A100-PCIE-40GB", 40960, "nvidia-a100-pcie-40gb"),
    ("NVIDIA A30", 24576, "nvidia-a30-24gb"),
    ("NVIDIA A40", 46068, "nvidia-a40-48gb"),
    ("NVIDIA A10", 23028, "nvidia-a10-24gb"),
    ("NVIDIA A10G", 23028, "nvidia-a10g-24gb"),
    ("NVIDIA L4", 23034, "nvidia-l4-24gb"),
    ("NVIDIA L40", 46068, "nvidia-l40-48gb"),
    ("NVIDIA L40S", 46068, "nvidia-l40s-48gb"),
    ("Tesla T4", 15360, "nvidia-t4-16gb"),
    ("Tesla V100-SXM2-16GB", 16384, "nvidia-v100-sxm2-16gb"),
    ("Tesla V100-SXM2-32GB", 32768, "nvidia-v100-sxm2-32gb"),
    ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", 97887, "nvidia-rtx-pro-6000-blackwell-ws-96gb"),
    ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", 97887, "nvidia-rtx-pro-6000-blackwell-maxq-96gb"),
    ("NVIDIA RTX PRO 6000 Blackwell Server Edition", 97887, "nvidia-rtx-pro-6000-blackwell-server-96gb"),
    ("NVIDIA RTX PRO 4500 Blackwell", 32623, "nvidia-rtx-pro-4500-blackwell-32gb"),
    ("NVIDIA RTX PRO 2000 Blackwell", 16311, "nvidia-rtx-pro-2000-blackwell-16gb"),
    ("NVIDIA RTX 6000 Ada Generation", 49140, "nvidia-rtx-6000-ada-48gb"),
    ("NVIDIA RTX 5880 Ada Generation", 49140, "nvidia-rtx-5880-ada-48gb"),
    ("NVIDIA RTX A6000", 49140, "nvidia-rtx-a6000-48gb"),
    ("NVIDIA RTX A5500", 24564, "nvidia-rtx-a5500-24gb"),
    ("NVIDIA RTX A5000", 24564, "nvidia-rtx-a5000-24gb"),
    ("NVIDIA RTX A2000 6GB", 6138, "nvidia-rtx-a2000-6gb"),
    ("NVIDIA GeForce RTX 5090", 32607, "nvidia-rtx-5090-32gb"),
    ("NVIDIA GeForce RTX 5080", 16303, "nvidia-rtx-5080-16gb"),
    ("NVIDIA GeForce RTX 5070 Ti", 16303, "nvidia-rtx-5070-ti-16gb"),
    ("NVIDIA GeForce RTX 5070", 12227, "nvidia-rtx-5070-12gb"),
    ("NVIDIA GeForce RTX 5060 Ti", 16311, "nvidia-rtx-5060-ti-16gb"),
    ("NVIDIA GeForce RTX 5060 Ti", 8151, "nvidia-rtx-5060-ti-8gb"),
    ("NVIDIA GeForce RTX 4090", 24564, "nvidia-rtx-4090-24gb"),
    ("NVIDIA GeForce RTX 4090 D", 24564, "nvidia-rtx-4090-d-24gb"),
    ("NVIDIA GeForce RTX 4080 SUPER", 16376, "nvidia-rtx-4080-super-16gb"),
    ("NVIDIA GeForce RTX 4080", 16376, "nvidia-rtx-4080-16gb"),
    ("NVIDIA GeForce RTX 4070 Ti SUPER", 16376, "nvidia-rtx-4070-ti-super-16gb"),
    ("NVIDIA GeForce RTX 4070 Ti", 12282, "nvidia-rtx-4070-ti-12gb"),
    ("NVIDIA GeForce RTX 4070 SUPER", 12282, "nvidia-rtx-4070-super-12gb"),
    ("NVIDIA GeForce RTX 4070", 12282, "nvidia-rtx-4070-12gb"),
    ("NVIDIA GeForce RTX 4060 Ti", 16380, "nvidia-rtx-4060-ti-16gb"),
    ("NVIDIA GeForce RTX 4060", 8188, "nvidia-rtx-4060-8gb"),
    ("NVIDIA GeForce RTX 3090 Ti", 24564, "nvidia-rtx-3090-ti-24gb"),
    ("NVIDIA GeForce RTX 3090", 24576, "nvidia-rtx-3090-24gb"),
    ("NVIDIA GeForce RTX 3080 Ti", 12288, "nvidia-rtx-3080-ti-12gb"),
    ("NVIDIA GeForce RTX 3080", 10240, "nvidia-rtx-3080-10gb"),
    ("NVIDIA GeForce RTX 3070", 8192, "nvidia-rtx-3070-8gb"),
    ("NVIDIA GeForce RTX 3060 Ti", 8192, "nvidia-rtx-3060-ti-8gb"),
    ("NVIDIA GeForce RTX 3060", 12288, "nvidia-rtx-3060-12gb"),
    ("NVIDIA GeForce RTX 2080 Ti", 11264, "nvidia-rtx-2080-ti-11gb"),
    ("NVIDIA GeForce RTX 5090 Laptop GPU", 24463, "nvidia-rtx-5090-laptop-24gb"),
    ("NVIDIA GeForce RTX 5080 Laptop GPU", 16303, "nvidia-rtx-5080-laptop-16gb"),
    ("NVIDIA GeForce RTX 4090 Laptop GPU", 16376, "nvidia-rtx-4090-laptop-16gb"),
    ("NVIDIA GeForce RTX 4070 Laptop GPU", 8188, "nvidia-rtx-4070-laptop-8gb"),
    ("Tesla V100-PCIE-32GB", 32768, "nvidia-v100-pcie-32gb"),
    ("Tesla V100-PCIE-16GB", 16384, "nvidia-v100-pcie-16gb"),
    ("NVIDIA GeForce RTX 4090", 49140, "nvidia-rtx-4090-48gb-modded"),
    ("AMD Instinct MI355X", 294896, "amd-mi355x-288gb"),
    ("AMD Instinct MI350X", 294896, "amd-mi350x-288gb"),
    ("AMD Instinct MI300X", 196592, "amd-mi300x-192gb"),
    ("AMD Instinct MI250X", 65520, "amd-mi250x-128gb"),
    ("AMD Instinct MI210", 65520, "amd-mi210-64gb"),
    ("AMD Radeon AI PRO R9700", 32624, "amd-r9700-32gb"),
    ("AMD Radeon RX 9070 XT", 16304, "amd-rx-9070-xt-16gb"),
    ("AMD Radeon RX 7900 XTX", 24560, "amd-rx-7900-xtx-24gb"),
    ("AMD Radeon RX 7800 XT", 16368, "amd-rx-7800-xt-16gb"),
    # sizes of which gpus.csv has the nominal one alone
    ("NVIDIA A16", 15356, "nvidia-a16-16gb"),
    ("NVIDIA A2", 15356, "nvidia-a2-16gb"),
    ("NVIDIA H800", 81559, "nvidia-h800-sxm-80gb"),
    ("NVIDIA A800-SXM4-80GB", 81920, "nvidia-a800-sxm-80gb"),
    ("Tesla P100-PCIE-16GB", 16384, "nvidia-p100-pcie-16gb"),
    ("Tesla P40", 24576, "nvidia-p40-24gb"),
    ("Quadro RTX 8000", 49152, "nvidia-quadro-rtx-8000-48gb"),
    ("NVIDIA TITAN RTX", 24576, "nvidia-titan-rtx-24gb"),
    ("NVIDIA GeForce RTX 3080", 12288, "nvidia-rtx-3080-12gb"),
    ("NVIDIA GeForce RTX 3060", 8192, "nvidia-rtx-3060-8gb"),
    ("NVIDIA GeForce RTX 4060 Ti", 8188, "nvidia-rtx-4060-ti-8gb"),
    ("NVIDIA GeForce RTX 2060", 6144, "nvidia-rtx-2060-6gb"),
    ("NVIDIA GeForce RTX 2060", 12288, "nvidia-rtx-2060-12gb"),
    ("NVIDIA GeForce GTX 1080 Ti", 11264, "nvidia-gtx-1080-ti-11gb"),
    ("NVIDIA RTX A2000 12GB", 12282, "nvidia-rtx-a2000-12gb"),
    ("NVIDIA RTX A2000", 6138, "nvidia-rtx-a2000-6gb"),
    ("NVIDIA RTX 4000 Ada Generation", 20475, "nvidia-rtx-4000-ada-20gb"),
    ("NVIDIA RTX 4000 SFF Ada Generation", 20475, "nvidia-rtx-4000-sff-ada-20gb"),
    # other totals of the same boards: with and without ECC, and drivers that call them otherwise
    ("NVIDIA RTX A6000", 46068, "nvidia-rtx-a6000-48gb"),
    ("NVIDIA RTX A5000", 23028, "nvidia-rtx-a5000-24gb"),
    ("Tesla T4", 16384, "nvidia-t4-16gb"),
    ("GeForce RTX 3090", 24268, "nvidia-rtx-3090-24gb"),
    ("A100-SXM4-40GB", 40537, "nvidia-a100-sxm-40gb"),
    ("NVIDIA B300 SXM6 AC", 275040, "nvidia-b300-sxm-288gb"),
    ("AMD Instinct MI300X OAM", 196592, "amd-mi300x-192gb"),
    ("AMD Instinct\u2122 MI355X", 294896, "amd-mi355x-288gb"),
    ("AMD INSTINCT MI250 (MCM) OAM AC MBA", 65520, "amd-mi250-128gb"),
    ("Radeon RX 7900 XTX", 24560, "amd-rx-7900-xtx-24gb"),
    ("1002:744c", 20464, "amd-rx-7900-xt-20gb"),
    ("1002:744c", 16368, "amd-rx-7900-gre-16gb"),
    ("1002:74a5", 262128, "amd-mi325x-256gb"),
    # parts of a board
    ("NVIDIA A10-4Q", 4096, "nvidia-a10-24gb-1of6"),
    ("NVIDIA A10-24Q", 24512, "nvidia-a10-24gb"),
    ("NVIDIA L4-3Q", 3072, "nvidia-l4-24gb-1of8"),
    ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", None, "nvidia-a100-sxm-40gb-mig-1g.5gb"),
    ("NVIDIA A100-SXM4-80GB MIG 1g.10gb", None, "nvidia-a100-sxm-80gb-mig-1g.10gb"),
    ("NVIDIA H100 80GB HBM3 MIG 3g.40gb", None, "nvidia-h100-sxm-80gb-mig-3g.40gb"),
    ("NVIDIA H100 NVL MIG 2g.24gb", None, "nvidia-h100-nvl-94gb-mig-2g.24gb"),
    ("NVIDIA A30 MIG 1g.6gb", None, "nvidia-a30-24gb-mig-1g.6gb"),
    ("NVIDIA B200 MIG 2g.45gb", None, "nvidia-b200-sxm-180gb-mig-2g.45gb"),
    ("Apple M2 Ultra", 192 * 1024, "apple-m2-ultra-192gb"),
    ("Apple M3 Max (30-core GPU)", 36 * 1024, "apple-m3-max-30c-36gb"),
    ("Apple M3 Max", 128 * 1024, "apple-m3-max-40c-128gb"),
    ("Apple M4", 16 * 1024, "apple-m4-16gb"),
]


@pytest.fixture(scope="module")
def gpus() -> pl.DataFrame:
    return catalogs.gpus()


@pytest.fixture(scope="module")
def names(gpus: pl.DataFrame) -> Names:
    return Names(gpus, device_names(None, gpus["gpu_id"].to_list()))


def test_names_that_drivers_print(names: Names) -> None:
    assert len(PRINTED) > 100
    wrong = {(name, size): found for name, size, gpu in PRINTED if (found := candidates(names, name, size)) != [gpu]}
    assert wrong == {}


def candidates(names: Names, name: str, size: float | None) -> list[str]:
    return names.candidates(Reported((name,), size))


def test_every_row_is_itself_by_its_own_name_and_the_total_of_its_driver(gpus: pl.DataFrame, names: Names) -> None:
    known = gpus.drop_nulls("memory_mib_driver")
    assert known.height == 103
    rows = known.select("name", "memory_mib_driver", "gpu_id").rows()
    assert {gpu: candidates(names, name, size) for name, size, gpu in rows} == {gpu: [gpu] for *_, gpu in rows}


def test_every_other_row_is_itself_by_its_size_on_the_box(gpus: pl.DataFrame, names: Names) -> None:
    rows = gpus.filter(pl.col("memory_mib_driver").is_null()).select("name", "memory_gib_nominal", "gpu_id").rows()
    assert {gpu: candidates(names, name, 1024 * size) for name, size, gpu in rows} == {gpu: [gpu] for *_, gpu in rows}


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("NVIDIA GeForce RTX 4090 Laptop GPU", 24564),  # there is none of that size
        ("NVIDIA GeForce RTX 9999", 24564),
        ("NVIDIA GeForce RTX 4090", 98304),
        ("NVIDIA GeForce RTX", 24564),
        ("NVIDIA A100-PCIE-40GB MIG 7g.40gb", None),
        ("NVIDIA H100 80GB HBM3 MIG 1c.3g.40gb", None),  # a part of an instance
        ("NVIDIA", 24564), ("()", 1), ("", None), ("80GB", 81920),
    ],
)  # fmt: skip
def test_no_name_is_guessed(names: Names, name: str, size: float | None) -> None:
    assert candidates(names, name, size) == []


@pytest.mark.parametrize(
    ("name", "whole", "low", "high", "gpu"),
    [
        # 92 to 108 % of the total of its driver: 21,191.3 to 24,876.7 of 23,034 MiB
        ("NVIDIA L4", 23_034, 21_192, 24_876, "nvidia-l4-24gb"),
        # 88 to 103 % of the size on the box, where that alone is known: 14,417.9 to 16,875.5 of 16,384 MiB
        ("NVIDIA A16", 16_384, 14_418, 16_875, "nvidia-a16-16gb"),
    ],
)
def test_how_far_a_size_may_be_off(names: Names, name: str, whole: int, low: int, high: int, gpu: str) -> None:
    sizes = (low - 1, low, whole, high, high + 1)
    assert [candidates(names, name, size) for size in sizes] == [[], [gpu], [gpu], [gpu], []]


def test_what_may_be_two_devices_is_neither(names: Names) -> None:
    assert candidates(names, "1002:740c", 65_520) == ["amd-mi250-128gb", "amd-mi250x-128gb"]
    assert candidates(names, "NVIDIA GeForce RTX 3080", None) == ["nvidia-rtx-3080-10gb", "nvidia-rtx-3080-12gb"]


def test_the_next_name_is_asked_where_the_first_means_nothing_of_that_size(names: Names) -> None:
    device = Reported(("Navi 31 [Radeon RX 7900 XT/7900 XTX/7900M]", "1002:744c:c8", "1002:744c"), 24_560)
    assert names.candidates(device) == ["amd-rx-7900-xtx-24gb"]
    assert names.candidates(Reported(("NVIDIA L4", "NVIDIA A10"), 24_564)) == ["nvidia-l4-24gb"]
    assert names.candidates(Reported(("NVIDIA T4", "NVIDIA A10"), 24_564)) == ["nvidia-a10-24gb"]


@pytest.mark.parametrize(
    ("name", "own_mib", "host_mib", "gpu"),
    [
        ("NVIDIA GB10", None, 122_570, "nvidia-dgx-spark-gb10-128gb"),
        ("Orin (nvgpu)", None, 62_841, "nvidia-jetson-agx-orin-64gb"),
        ("Orin (nvgpu)", None, 30_697, "nvidia-jetson-agx-orin-32gb"),
        ("Orin (nvgpu)", None, 7_620, "nvidia-jetson-orin-nano-super-8gb"),
        ("NVIDIA Thor", None, 125_772, "nvidia-jetson-thor-t5000-128gb"),
        ("Radeon 8060S Graphics", 512, 127_600, "amd-strix-halo-128gb"),
        ("Radeon 8060S Graphics", 98_304, 31_900, "amd-strix-halo-128gb"),  # set apart for the device
        ("Radeon 8060S Graphics", 32_768, 31_900, "amd-strix-halo-64gb"),
    ],
)
def test_devices_that_share_the_systems_memory(
    names: Names, name: str, own_mib: float | None, host_mib: float, gpu: str
) -> None:
    assert names.candidates(Reported((name,), own_mib, host_mib)) == [gpu]


def test_what_counts_in_a_name() -> None:
    assert key("NVIDIA A100-SXM4-80GB") == key("NVIDIA A100 SXM4 80GB") == ("a100", "sxm4")
    assert key("Tesla T4") == key("NVIDIA T4 16GB") == ("t4",)
    assert key("AMD Instinct(TM) MI250X (1 of 2 GCDs, 64 GB)") == ("instinct", "mi250x")
    assert key("Apple M3 Max (40-core GPU) 64GB") == ("apple", "m3", "max", "40", "core", "gpu")
    assert key("NVIDIA A100 SXM4 40GB MIG 1g.5gb") == ("a100", "sxm4", "40gb", "mig", "1g.5gb")
