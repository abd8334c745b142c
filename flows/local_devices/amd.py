"""AMD's devices: of rocm-smi, else of amd-smi, else of what the kernel's driver shows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.local_devices import tools
from flows.local_devices.reported import MOST_DEVICES, Reported, number

VENDOR = "1002"
ROCM = ("rocm-smi", "--showproductname", "--showid", "--showmeminfo", "vram", "--json")
AMD = ("amd-smi", "static", "--asic", "--vram", "--json")

_HEX = re.compile(r"^(?:0x)?([0-9a-f]{4})$", re.IGNORECASE)
_BYTES = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "MIB": 2**20, "GIB": 2**30}


def devices(problems: list[str], host_mib: float | None, root: Path) -> list[Reported]:
    """Of the first source that names any."""
    return (
        of_rocm(tools.answer(ROCM, problems), host_mib)
        or of_amd_smi(tools.answer(AMD, problems), host_mib)
        or of_kernel(root, host_mib)
    )


def of_rocm(text: str, host_mib: float | None) -> list[Reported]:
    """`{"card0": {"Card Series": …, "Device ID": …, "VRAM Total Memory (B)": …}}`; keys differ in case by version."""
    cards = _read(text)
    if not isinstance(cards, dict):
        return []
    found = []
    for key in sorted(cards, key=_ordinal):
        if not key.startswith("card") or not isinstance(cards[key], dict):
            continue
        said = {str(name).casefold(): str(value).strip() for name, value in cards[key].items()}
        # the model of older versions is that of the board's maker; where it is an id of a device, that is what it is
        ids = [pci for name in ("device id", "gpu id", "card model", "card series") if (pci := _pci(said.get(name)))]
        names = [name for name in (said.get("card series"), said.get("card model")) if name and not _pci(name)]
        size = number(said.get("vram total memory (b)"))
        found.append(_reported([*names, *ids], size, host_mib, ROCM[0]))
    return [device for device in found if device.names][:MOST_DEVICES]


def of_amd_smi(text: str, host_mib: float | None) -> list[Reported]:
    """A list of devices, or an object with the list in `gpu_data`; each has `asic` and `vram`."""
    read = _read(text)
    rows = read.get("gpu_data") if isinstance(read, dict) else read
    found = []
    for row in rows if isinstance(rows, list) else []:
        asic = row.get("asic") if isinstance(row, dict) else None
        if not isinstance(asic, dict):
            continue
        pci = _pci(asic.get("device_id"))
        revision = _pci_revision(asic.get("rev_id"))
        names = [str(asic.get("market_name") or ""), *([f"{pci}:{revision}"] if pci and revision else []), pci or ""]
        found.append(_reported(names, _size(row.get("vram")), host_mib, AMD[0]))
    return [device for device in found if device.names][:MOST_DEVICES]


def of_kernel(root: Path, host_mib: float | None) -> list[Reported]:
    """`/sys/class/drm/card*/device`: PCI ids, revision and the size of the memory."""
    found = []
    for folder in sorted((root / "sys/class/drm").glob("card*/device"), key=lambda path: _ordinal(path.parent.name)):
        if not re.fullmatch(r"card\d+", folder.parent.name) or _line(folder / "vendor").removeprefix("0x") != VENDOR:
            continue
        pci, revision = _pci(_line(folder / "device")), _pci_revision(_line(folder / "revision"))
        if pci:
            names = [*([f"{pci}:{revision}"] if revision else []), pci]
            size = number(_line(folder / "mem_info_vram_total"))
            found.append(_reported([_line(folder / "product_name"), *names], size, host_mib, "amdgpu"))
    return found[:MOST_DEVICES]


def _reported(names: list[str], size_bytes: float | None, host_mib: float | None, source: str) -> Reported:
    named = tuple(name for name in names if name.casefold() not in ("n/a", "none", "unknown"))
    return Reported(named, None if size_bytes is None else size_bytes / 2**20, host_mib, source)


def _read(text: str) -> Any:
    """JSON, also behind lines of warnings; null where there is none."""
    start = min((at for mark in "{[" if (at := text.find(mark)) >= 0), default=-1)
    try:
        return json.JSONDecoder().raw_decode(text[start:])[0] if start >= 0 else None
    except (ValueError, RecursionError):
        return None


def _size(vram: object) -> float | None:
    """Bytes of `{"size": {"value": 196592, "unit": "MB"}}` or, of older versions, `{"size_mb": 196288}`."""
    if not isinstance(vram, Mapping):
        return None
    size = vram.get("size")
    if isinstance(size, Mapping):
        value, unit = number(size.get("value")), _BYTES.get(str(size.get("unit")).upper())
        return None if value is None or unit is None else value * unit
    value = number(vram.get("size_mb"))
    return None if value is None else value * 2**20


def _pci(text: object) -> str | None:
    found = _HEX.match(str(text or "").strip())
    return f"{VENDOR}:{found[1].lower()}" if found else None


def _pci_revision(text: object) -> str | None:
    found = re.fullmatch(r"(?:0x)?([0-9a-f]{2})", str(text or "").strip(), re.IGNORECASE)
    return found[1].lower() if found else None


def _ordinal(name: str) -> tuple[int, str]:
    digits = re.search(r"\d{1,9}$", name)
    return int(digits[0]) if digits else 0, name


def _line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(4096).decode("utf-8", errors="replace").strip()
    except OSError:
        return ""
