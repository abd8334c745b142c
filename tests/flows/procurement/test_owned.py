"""What is there already: `--inventory auto` asks the machine, as `hubfit check --gpu auto` does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import hubfit
from driver_tools import nvidia
from snapshot_answers import keep

import catalogs
from flows.local_devices.machine import NoDevice
from flows.procurement.owned import Owned, owned

HEAD = "model_id,precision,context_tokens,concurrent_sequences,min_tokens_per_second,replicas"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    keep(folder, "gpus", ("nvidia-rtx-4090-24gb", "nvidia-l4-24gb"))
    keep(folder, "precisions", ("bf16", "fp8_e4m3_channel", "stored"))
    return folder


def found(asked: Path | None, folder: Path | None) -> Owned:
    return owned(asked, folder, catalogs.gpus(folder))


def test_this_machine_comes_before_the_folder(tools: Path, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "inventory.csv").write_text("gpu,devices\nnvidia-l4-24gb,7\n")
    nvidia(tools, *[("NVIDIA GeForce RTX 4090", 24564)] * 2, ("NVIDIA L4", 23034), ("Some Device", 1))
    there = found(Path("auto"), site)
    assert there.inventory.rows() == [("nvidia-l4-24gb", 1), ("nvidia-rtx-4090-24gb", 2)]
    assert there.on_one_node == {"nvidia-l4-24gb": 1, "nvidia-rtx-4090-24gb": 2}
    said = capsys.readouterr().err
    assert "this machine has 1 x nvidia-l4-24gb, 2 x nvidia-rtx-4090-24gb" in said
    assert "left out: Some Device (1 MiB)" in said
    assert found(None, site).inventory.rows() == [("nvidia-l4-24gb", 7)]


def test_a_file_that_is_called_auto_has_a_folder(
    tools: Path, tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "auto").write_text("gpu,devices\nnvidia-l4-24gb,7\n")
    there = found(tmp_path / "auto", site)
    assert (there.inventory.rows(), there.on_one_node) == ([("nvidia-l4-24gb", 7)], {})
    with pytest.raises(NoDevice):
        found(Path("auto"), site)


def test_a_machine_without_devices_says_what_to_write(tools: Path, site: Path) -> None:
    with pytest.raises(NoDevice) as stop:
        found(Path("auto"), site)
    assert str(stop.value) == (
        "--inventory auto found no device here; it asks nvidia-smi, rocm-smi, amd-smi, /sys/class/drm, sysctl. Write"
        " gpu,devices and a line for each kind into a CSV and name that by --inventory:"
        ' `hubfit sql "SELECT gpu_id FROM gpus"` lists them'
    )
    nvidia(tools, ("NVIDIA RTX 9999", 99999))
    with pytest.raises(NoDevice, match=r"^--inventory auto found NVIDIA RTX 9999 \(99,999 MiB\): not one row") as stop:
        found(Path("auto"), site)
    assert "Name the nearest in a CSV of gpu,devices by --inventory, or add a row to a gpus.csv" in str(stop.value)


def test_nothing_asked_and_nothing_there_is_no_inventory(site: Path) -> None:
    assert found(None, site).inventory.rows() == []
    assert found(None, None).inventory.rows() == []


def test_a_machine_serves_what_its_devices_hold_together(tools: Path, tmp_path: Path, site: Path) -> None:
    """Llama-3.1-70B in fp8 needs 66 GiB of weights and working memory on each of its devices: too much for the four
    RTX 4090 of 21 GiB that a node of the catalog has, not for the eight of this machine."""
    nvidia(tools, *[("NVIDIA GeForce RTX 4090", 24564)] * 8)
    (tmp_path / "demand.csv").write_text(f"{HEAD}\nmeta-llama/Llama-3.1-70B,fp8_e4m3_channel,4096,1,,\n")
    asked = ("plan", tmp_path / "demand.csv", "--source", "snapshot", "--catalogs", site, "--no-rent", "--no-buy")
    done = hubfit(*asked, "--inventory", "auto", "--json")
    assert done.returncode == 0, done.stderr
    assert "this machine has 8 x nvidia-rtx-4090-24gb" in done.stderr
    told = json.loads(done.stdout)
    [served] = told["served"]
    assert (served["gpu"], served["offer"]) == ("nvidia-rtx-4090-24gb", "owned nvidia-rtx-4090-24gb")
    assert 4 < served["devices_per_group"] <= told["devices"] <= 8
    (tmp_path / "ours.csv").write_text("gpu,devices\nnvidia-rtx-4090-24gb,8\n")
    assert hubfit(*asked, "--inventory", tmp_path / "ours.csv").returncode == 1
