"""NVIDIA's devices, of nvidia-smi. A board in MIG mode is its instances, which only the list of `-L` names."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

from flows.local_devices import tools
from flows.local_devices.reported import MOST_DEVICES, Reported, number

FIELDS = "name,memory.total,compute_cap,driver_version,uuid"
SOURCE = "nvidia-smi"

_BOARD = re.compile(r"^GPU \d+: (?P<name>.+?) \(UUID: (?P<uuid>[^)]*)\)\s*$")
# a compute instance is a part of an instance, with all of its memory: 1c.3g.40gb is no device of ours
_INSTANCE = re.compile(r"^\s+MIG (?P<profile>[\w.+]+)\s+Device\s+\d+: \(UUID: [^)]*\)\s*$")


@dataclass(frozen=True)
class Board:
    name: str
    memory_mib: float | None
    uuid: str


def devices(problems: list[str], host_mib: float | None) -> list[Reported]:
    """Boards, or instances of boards in MIG mode. On boards that share it, `host_mib` is the memory."""
    query = [SOURCE, f"--query-gpu={FIELDS}", "--format=csv,noheader,nounits"]
    listed = tools.answer([SOURCE, "-L"], problems)
    # one that lists nothing is broken or has nothing, and has said so once
    return of(tools.answer(query, problems), listed, host_mib) if listed else []


def of(table: str, listed: str, host_mib: float | None) -> list[Reported]:
    """Of the two answers; the list alone says the names where the driver is too old for the table."""
    instances, names = _listed(listed)
    boards = _boards(table) or names
    found: list[Reported] = []
    for board in boards[:MOST_DEVICES]:
        slices = instances.get(board.uuid, [])
        found += [Reported((f"{board.name} MIG {profile}",), source=SOURCE) for profile in slices]
        if not slices:
            found.append(Reported((board.name,), board.memory_mib, host_mib, SOURCE))
    return found[:MOST_DEVICES]


def _boards(table: str) -> list[Board]:
    found = []
    for line in table.splitlines():
        try:
            cells = [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True), [])]
        except csv.Error:
            continue
        if len(cells) == len(FIELDS.split(",")) and cells[0]:
            found.append(Board(cells[0], number(cells[1]), cells[4]))
    return found


def _listed(text: str) -> tuple[dict[str, list[str]], list[Board]]:
    """Profiles of the instances of each board, and the boards."""
    instances: dict[str, list[str]] = {}
    boards: list[Board] = []
    for line in text.splitlines():
        if board := _BOARD.match(line):
            boards.append(Board(board["name"].strip(), None, board["uuid"].strip()))
        elif boards and (instance := _INSTANCE.match(line)):
            # an instance with the media engines of its board has the memory of one without
            instances.setdefault(boards[-1].uuid, []).append(instance["profile"].removesuffix("+me"))
    return instances, boards
