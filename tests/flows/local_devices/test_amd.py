"""What rocm-smi, amd-smi and the kernel say, as published for many machines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows.local_devices import amd

MI300X = {
    "Device ID": "0x74a1", "VRAM Total Memory (B)": "206141652992", "VRAM Total Used Memory (B)": "298000000",
    "Card Series": "AMD Instinct MI300X OAM", "Card Model": "0x74a1",
    "Card Vendor": "Advanced Micro Devices, Inc. [AMD/ATI]", "Card SKU": "M3000100",
}  # fmt: skip
MI250 = {
    "GPU ID": "0x740c", "VRAM Total Memory (B)": "68702699520",
    "Card series": "AMD INSTINCT MI250 (MCM) OAM AC MBA", "Card model": "0x0b0c", "Card SKU": "D65209",
}  # fmt: skip


def rocm(answer: Any) -> list[tuple[tuple[str, ...], float | None]]:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return [(device.names, device.memory_mib) for device in amd.of_rocm(text, None)]


def smi(answer: Any) -> list[tuple[tuple[str, ...], float | None]]:
    return [(device.names, device.memory_mib) for device in amd.of_amd_smi(json.dumps(answer), None)]


def test_rocm_smi_names_ids_and_bytes() -> None:
    one = (("AMD Instinct MI300X OAM", "1002:74a1"), 196_592.0)
    assert rocm({"card0": MI300X, "card1": MI300X, "system": {"Driver version": "6.10.5"}}) == [one, one]


def test_rocm_smi_of_older_versions_has_other_keys_and_the_model_of_the_boards_maker() -> None:
    assert rocm({"card0": MI250}) == [
        (("AMD INSTINCT MI250 (MCM) OAM AC MBA", "1002:740c", "1002:0b0c"), 65_520.0)
    ]  # fmt: skip


def test_rocm_smi_without_names_or_behind_a_warning() -> None:
    assert rocm({"card0": {**MI300X, "Card Series": "N/A", "Card Model": "0x74a1"}}) == [(("1002:74a1",), 196_592.0)]
    assert rocm("WARNING: AMD GPU device(s) is/are in a low-power state.\n" + json.dumps({"card3": MI300X}) + "\nend")


def test_cards_in_the_order_of_their_numbers() -> None:
    cards = {f"card{at}": {"Card Series": f"n{at}"} for at in (10, 2, 0)}
    assert [names[0] for names, _ in rocm(cards)] == ["n0", "n2", "n10"]


def test_amd_smi_in_both_shapes() -> None:
    device = {
        "gpu": 0,
        "asic": {"market_name": "AMD Instinct MI210", "vendor_id": "0x1002", "device_id": "0x740f", "rev_id": "0x02"},
        "vram": {"type": "HBM", "size": {"value": 65520, "unit": "MB"}},
    }
    found = (("AMD Instinct MI210", "1002:740f:02", "1002:740f"), 65_520.0)
    assert smi([device]) == [found]
    assert smi({"gpu_data": [device, device]}) == [found, found]
    assert smi([{**device, "vram": {"size_mb": 65520}}]) == [found]
    assert smi([{**device, "vram": {"size": {"value": 68_702_699_520, "unit": "B"}}}]) == [found]
    assert smi([{**device, "vram": {"size": {"value": "N/A", "unit": "MB"}}}]) == [(found[0], None)]
    assert smi([{**device, "vram": {"size": {"value": 1, "unit": "parsec"}}}]) == [(found[0], None)]


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "{}", "{", "[1, null]", '{"card0": 7}', '{"card0": {}}', '{"gpu_data": 3}', "[" * 100_000,
        '[{"asic": []}]', '[{"asic": {"market_name": null, "device_id": 9}}]', "ERROR: No AMD devices", '{"cardX": []}',
    ],
)  # fmt: skip
def test_noise_is_no_device(text: str) -> None:
    assert amd.of_rocm(text, None) == []
    assert amd.of_amd_smi(text, None) == []


def card(root: Path, name: str, **files: str) -> None:
    folder = root / "sys/class/drm" / name / "device"
    folder.mkdir(parents=True)
    for file, text in files.items():
        (folder / file).write_text(text + "\n")


def test_the_kernel_shows_ids_and_bytes(tmp_path: Path) -> None:
    card(tmp_path, "card1", vendor="0x1002", device="0x744c", revision="0xc8", mem_info_vram_total="25753026560")
    card(tmp_path, "card1-DP-1", vendor="0x1002", device="0x744c")  # a connector of it
    card(tmp_path, "card0", vendor="0x8086", device="0x46a6")
    card(tmp_path, "card2", vendor="0x1002", device="0x74A1", product_name="AMD Instinct MI300X")
    card(tmp_path, "card3", vendor="0x1002", device="broken")
    card(tmp_path, "card4", vendor="0x1002")
    assert [(device.names, device.memory_mib) for device in amd.of_kernel(tmp_path, None)] == [
        (("1002:744c:c8", "1002:744c"), 24_560.0),
        (("AMD Instinct MI300X", "1002:74a1"), None),
    ]
    assert amd.of_kernel(tmp_path / "nowhere", None) == []
