"""What macOS says of its chip, as published for many machines."""

from __future__ import annotations

import json

import pytest

from flows.local_devices import apple

DISPLAYS = json.dumps({
    "SPDisplaysDataType": [
        {"_name": "Apple M3 Max", "sppci_model": "Apple M3 Max", "sppci_cores": "40", "spdisplays_vendor": "Apple"}
    ]
})  # fmt: skip


def test_chip_memory_and_cores() -> None:
    [device] = apple.of("Apple M3 Max\n68719476736\n", DISPLAYS)
    assert (device.names, device.memory_mib) == (("Apple M3 Max (40-core GPU)", "Apple M3 Max"), 65_536)


@pytest.mark.parametrize(
    "displays",
    ["", "{", "[]", "null", "{}", '{"SPDisplaysDataType": 1}', '{"SPDisplaysDataType": [3, {"sppci_cores": "many"}]}',
     '{"SPDisplaysDataType": [{"sppci_cores": "99999"}]}', "[" * 100_000],
)  # fmt: skip
def test_cores_may_be_unknown(displays: str) -> None:
    [device] = apple.of("Apple M2\n8589934592\n", displays)
    assert device.names == ("Apple M2",)


@pytest.mark.parametrize(
    "chip",
    ["", "Apple M1", "Apple M1\n\n", "Apple M1\nmuch", "Intel(R) Core(TM) i9-9880H CPU @ 2.30GHz\n17179869184\n",
     "sysctl: cannot stat /proc/sys/machdep/cpu/brand_string"],
)  # fmt: skip
def test_others_are_no_device(chip: str) -> None:
    assert apple.of(chip, DISPLAYS) == []
