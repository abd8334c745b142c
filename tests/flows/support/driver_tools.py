"""A machine whose drivers' tools say what a test wants."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.local_devices import machine


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, on a machine whose kernel shows nothing."""
    monkeypatch.setattr(machine, "ROOT", tmp_path / "root")
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def script(folder: Path, name: str, *answers: str, first: str = "") -> None:
    """A tool that prints `answers[0]`, or `answers[1]` where its first argument is `first`."""
    for at, answer in enumerate(answers):
        (folder / f"{name}.{at}").write_text(answer)
    # built in, for nothing else is on PATH
    show = 'show() { while IFS= read -r line || [ -n "$line" ]; do printf "%s\\n" "$line"; done < "$0.$1"; }'
    (folder / name).write_text(f'#!/bin/sh\n{show}\n[ "$1" = "{first}" ] && show 1 || show 0\n')
    (folder / name).chmod(0o755)


def nvidia(folder: Path, *boards: tuple[str, int], instances: str = "") -> None:
    table = "".join(f"{name}, {mib}, 8.9, 550.54.14, GPU-{at}\n" for at, (name, mib) in enumerate(boards))
    listed = "".join(f"GPU {at}: {name} (UUID: GPU-{at})\n" for at, (name, _) in enumerate(boards))
    script(folder, "nvidia-smi", table, listed + instances, first="-L")
