"""`--gpu auto`: what a machine has, as its tools tell it, and what is said where they tell nothing."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from command import hubfit
from driver_tools import nvidia, script

import catalogs
from catalogs.device_names import device_names
from flows.local_devices import machine
from flows.local_devices.machine import NoDevice
from flows.local_devices.reported import Reported

ROCM = json.dumps({
    f"card{at}": {"Card Series": "AMD Instinct MI300X OAM", "VRAM Total Memory (B)": "206141652992"} for at in range(8)
})  # fmt: skip
AMD = json.dumps({
    "gpu_data": [{"asic": {"market_name": "AMD Instinct MI210"}, "vram": {"size": {"value": 65520, "unit": "MB"}}}]
})  # fmt: skip
DISPLAYS = json.dumps({"SPDisplaysDataType": [{"sppci_cores": "40"}]})


def found() -> dict[str, int]:
    gpus = catalogs.gpus()
    return machine.machine(gpus, device_names(None, gpus["gpu_id"].to_list())).counts


def test_nvidias_boards_and_slices(tools: Path) -> None:
    slices = "  MIG 1g.10gb     Device  0: (UUID: MIG-x)\n  MIG 1g.10gb     Device  1: (UUID: MIG-y)\n"
    nvidia(tools, ("NVIDIA GeForce RTX 3090", 24576), ("NVIDIA H100 80GB HBM3", 81559), instances=slices)
    assert found() == {"nvidia-h100-sxm-80gb-mig-1g.10gb": 2, "nvidia-rtx-3090-24gb": 1}


def test_amds_of_the_first_tool_that_knows(tools: Path) -> None:
    script(tools, "amd-smi", AMD)
    assert found() == {"amd-mi210-64gb": 1}
    script(tools, "rocm-smi", ROCM)
    assert found() == {"amd-mi300x-192gb": 8}
    script(tools, "rocm-smi", "{}")
    assert found() == {"amd-mi210-64gb": 1}


def test_amds_of_the_kernel_alone_and_memory_that_they_share(tools: Path, tmp_path: Path) -> None:
    folder = tmp_path / "root/sys/class/drm/card0/device"
    folder.mkdir(parents=True)
    for file, text in {"vendor": "0x1002", "device": "0x1586", "mem_info_vram_total": str(512 * 2**20)}.items():
        (folder / file).write_text(text)
    (tmp_path / "root/proc").mkdir()
    (tmp_path / "root/proc/meminfo").write_text("MemTotal:       130662400 kB\nMemFree: 1 kB\n")
    assert found() == {"amd-strix-halo-128gb": 1}


def test_apples_chip(tools: Path) -> None:
    script(tools, "sysctl", "Apple M4 Max\n137438953472\n")
    assert found() == {"apple-m4-max-40c-128gb": 1}
    script(tools, "system_profiler", DISPLAYS)
    assert found() == {"apple-m4-max-40c-128gb": 1}


@pytest.mark.parametrize("noise", ["", "\x00\x01\x02", "NVIDIA L4, 23034\n" * 3, "{" * 5000, "[[[", "a,b,c,d,e\n"])
def test_tools_that_talk_nonsense(tools: Path, noise: str) -> None:
    for name in ("nvidia-smi", "rocm-smi", "amd-smi", "sysctl", "system_profiler"):
        script(tools, name, noise)
    with pytest.raises(NoDevice, match="--gpu auto found "):
        found()


def of(*devices: Reported) -> machine.Machine:
    gpus = catalogs.gpus()
    return machine.of(devices, gpus, device_names(None, gpus["gpu_id"].to_list()))


def test_what_no_row_is_is_left_out_and_said() -> None:
    here = of(Reported(("NVIDIA L4",), 23_034), Reported(("AMD Radeon Graphics", "1002:164e"), 512),
              Reported(("1002:740c",), 65_520))  # fmt: skip
    assert here.counts == {"nvidia-l4-24gb": 1}
    assert here.left_out == (
        "1002:740c (65,520 MiB), which may be amd-mi250-128gb or amd-mi250x-128gb",
        "AMD Radeon Graphics / 1002:164e (512 MiB)",
    )


def test_nothing_but_strangers_is_one_message_with_a_remedy() -> None:
    with pytest.raises(NoDevice) as stop:
        of(*[Reported(("NVIDIA RTX 9999",), 99_999)] * 2)
    assert str(stop.value) == (
        "--gpu auto found 2 x NVIDIA RTX 9999 (99,999 MiB): not one row of gpus.csv. Name the nearest by --gpu, or add "
        "a row to a gpus.csv, or the name to a device_names.csv, of --catalogs DIR (docs/operations.md)"
    )
    assert stop.value.exit_status == 2


def test_a_machine_with_nothing_is_a_usage_error(tools: Path) -> None:
    done = hubfit("check", "Qwen/Qwen3-0.6B", "--source", "snapshot", "--gpu", "auto")
    assert done.returncode == 2
    assert done.stderr.startswith("error: --gpu auto found no device here; it asks nvidia-smi, rocm-smi, amd-smi,")
    assert done.stdout == ""
    (tools / "nvidia-smi").write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed: no driver.'\nexit 9\n")
    (tools / "nvidia-smi").chmod(0o755)
    done = hubfit("check", "Qwen/Qwen3-0.6B", "--source", "snapshot", "--gpu", "auto")
    assert "found no device here (nvidia-smi: NVIDIA-SMI has failed: no driver.); it asks" in done.stderr
    nvidia(tools, ("NVIDIA L4", 23_034))
    done = hubfit("check", "Qwen/Qwen3-0.6B", "--source", "snapshot", "--gpu", "auto", "--nodes", "2")
    assert (done.returncode, "--gpu auto sees one machine" in done.stderr) == (2, True)


def test_each_device_no_more_often_than_it_is_there(tools: Path) -> None:
    """Llama-3.1-70B in bf16, 134 GiB: six of eight RTX 4090 hold it, though a node of the catalog has four; one A6000
    does not, though four would, as four L40S do, of which nobody says how many there are."""
    boards = [("NVIDIA GeForce RTX 4090", 24564)] * 8 + [("NVIDIA RTX A6000", 49140), ("Some Device", 1)]
    nvidia(tools, *boards)
    done = hubfit(
        *("check", "meta-llama/Llama-3.1-70B", "--source", "snapshot", "--engine", "none", "--gpu", "auto", "--json"),
        *("--precision", "bf16", "--precision", "int4_awq_g128", "--gpu", "nvidia-l40s-48gb"),
    )
    assert done.returncode == 0, done.stderr
    assert "this machine has 8 x nvidia-rtx-4090-24gb, 1 x nvidia-rtx-a6000-48gb" in done.stderr
    assert "left out: Some Device (1 MiB): not one row of gpus.csv" in done.stderr
    answer = json.loads(done.stdout)
    assert answer["local_gpus"] == {"nvidia-rtx-4090-24gb": 8, "nvidia-rtx-a6000-48gb": 1}
    assert answer["workload"]["max_gpus"] is None  # of the device that is named and may be as many as there are
    verdicts = {(row["gpu"], row["precision"]): (row["verdict"], row["gpus_needed"]) for row in answer["fit"]}
    assert len(verdicts) == len(answer["fit"]) == 6
    assert len(answer["requirements"]) == 2
    assert verdicts["nvidia-rtx-4090-24gb", "bf16"] == ("sharded", 6)
    assert verdicts["nvidia-rtx-a6000-48gb", "bf16"] == ("too_big", None)
    assert verdicts["nvidia-rtx-a6000-48gb", "int4_awq_g128"] == ("fits", 1)
    assert verdicts["nvidia-l40s-48gb", "bf16"] == ("sharded", 4)
    assert {way["gpus_needed"] for way in answer["cheapest"] if way["gpu"] == "nvidia-rtx-a6000-48gb"} <= {1}


def test_a_site_names_its_own_devices(tmp_path: Path) -> None:
    (tmp_path / "device_names.csv").write_text("name,gpu,source,as_of,notes\nOur Card,nvidia-l4-24gb,us,2026-11-30,\n")
    catalogs.validate(tmp_path)  # which needs no other file
    ours = catalogs.gpus()["gpu_id"].to_list()
    assert device_names(tmp_path, ours).rows() == [("Our Card", "nvidia-l4-24gb")]
    (tmp_path / "device_names.csv").write_text("name,gpu,source,as_of,notes\nOur Card,no-such,us,2026-11-30,\n")
    with pytest.raises(catalogs.CatalogError, match=r"line 2: gpu must be found in gpus.csv as gpu_id \(got no-such\)"):
        device_names(tmp_path, ours)


def test_names_of_devices_that_a_site_lacks_are_left_out(tmp_path: Path) -> None:
    catalogs.gpus().filter(gpu_id="nvidia-b200-sxm-180gb").select(
        pl.exclude("visible_bytes", "visible_basis", "reserve_bytes", "memory_tier")
    ).write_csv(tmp_path / "gpus.csv")
    only = catalogs.gpus(tmp_path)["gpu_id"].to_list()
    assert device_names(tmp_path, only).rows() == [("NVIDIA B200", "nvidia-b200-sxm-180gb")]
