"""What `auto` means as a device: every one of this machine as a gpu_id, and how many there are of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from catalogs.device_names import device_names
from flows import terminal
from flows.failures import Stop
from flows.local_devices import amd, apple, nvidia
from flows.local_devices.mapping import Names
from flows.local_devices.reported import Reported, number

AUTO = "auto"
ROOT = Path("/")
ASKED = "nvidia-smi, rocm-smi, amd-smi, /sys/class/drm, sysctl"


class NoDevice(Stop):
    """There is no device here, or none that the catalog knows."""


@dataclass(frozen=True)
class Asker:
    """The option that asks, for its messages: what to do instead where nothing is found, or nothing that has a row."""

    option: str
    instead: str
    nearest: str


GPU = Asker("--gpu auto", 'Name one by --gpu: `hubfit sql "FROM gpus"` lists them', "Name the nearest by --gpu")


@dataclass(frozen=True)
class Machine:
    """`counts` by gpu_id, never empty. `left_out` are devices that no row of the catalog is."""

    counts: dict[str, int]
    left_out: tuple[str, ...]


def here(gpus: pl.DataFrame, folder: Path | None, asker: Asker = GPU) -> Machine:
    """The devices of this machine that `gpus` has, told on stderr. `folder` may have a device_names.csv.

    Raises NoDevice where there is none, and catalogs.CatalogError.
    """
    found = machine(gpus, device_names(folder, gpus["gpu_id"].to_list()), asker)
    terminal.note("this machine has " + ", ".join(f"{count} x {gpu}" for gpu, count in found.counts.items()))
    for left_out in found.left_out:
        terminal.note(f"left out: {left_out}: not one row of gpus.csv")
    return found


def machine(gpus: pl.DataFrame, names: pl.DataFrame, asker: Asker = GPU) -> Machine:
    """The devices of this machine that the catalog has. Raises NoDevice where there is none."""
    problems: list[str] = []
    found = reported(problems)
    if not found:
        why = f" ({'; '.join(problems)})" if problems else ""
        raise NoDevice(f"{asker.option} found no device here{why}; it asks {ASKED}. {asker.instead}")
    return of(found, gpus, names, asker)


def of(found: Sequence[Reported], gpus: pl.DataFrame, names: pl.DataFrame, asker: Asker = GPU) -> Machine:
    """Each of `found` as its row. Raises NoDevice where none has one."""
    known = Names(gpus, names)
    counts: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    for device in found:
        candidates = known.candidates(device)
        if len(candidates) == 1:
            counts[candidates[0]] += 1
        else:
            which = f", which may be {' or '.join(candidates)}" if candidates else ""
            left_out[f"{device}{which}"] += 1
    lines = tuple(f"{count} x {said}" if count > 1 else said for said, count in sorted(left_out.items()))
    if not counts:
        raise NoDevice(
            f"{asker.option} found {'; '.join(lines)}: not one row of gpus.csv. {asker.nearest}, or add a row to "
            "a gpus.csv, or the name to a device_names.csv, of --catalogs DIR (docs/operations.md)"
        )
    return Machine(dict(sorted(counts.items())), lines)


def reported(problems: list[str]) -> list[Reported]:
    """Devices of every maker that this machine's tools and kernel tell of."""
    host_mib = _host_mib(ROOT)
    return [*nvidia.devices(problems, host_mib), *amd.devices(problems, host_mib, ROOT), *apple.devices()]


def _host_mib(root: Path) -> float | None:
    """Memory of the system, which integrated devices share; null where the kernel does not tell it in this way."""
    try:
        with (root / "proc/meminfo").open("rb") as file:
            first = file.readline(4096).decode("ascii", errors="replace").split()
    except OSError:
        return None
    kib = number(first[1]) if len(first) == 3 and first[0] == "MemTotal:" else None
    return None if kib is None else kib / 1024
