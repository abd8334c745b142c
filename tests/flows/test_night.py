from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows import locks, night

NOW = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
ENTRIES = [("b/two", None), ("a/one", None), ("bad id", "has a blank")]


def repr_of_few(value: bytes) -> str:
    return repr(value[:20])


def start(data: Path, **changes: object) -> night.Night:
    inputs: dict[str, object] = {"source": "snapshot", "entries": ENTRIES, "now": NOW, **changes}
    return night.start(data, **inputs)  # type: ignore[arg-type]


def test_a_run_is_named_after_its_start_and_sorts_its_list(tmp_path: Path) -> None:
    this = start(tmp_path)
    assert this.run_id == "2026-01-02T030000Z"
    assert this.entries == (("a/one", None), ("b/two", None), ("bad id", "has a blank"))


def test_shards_cut_the_list_without_loss(tmp_path: Path) -> None:
    this = start(tmp_path, entries=[(f"m/{n:03d}", None) for n in range(5)], models_per_shard=2)
    assert this.shards == 3
    assert tuple(entry for number in range(3) for entry in this.shard(number)) == this.entries


def test_the_same_inputs_resume_the_unfinished_run(tmp_path: Path) -> None:
    first = start(tmp_path)
    assert start(tmp_path, now=NOW + timedelta(hours=1)) == first


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "hub"},
        {"entries": ENTRIES[:2]},
        {"models_per_shard": 7},
        {"now": NOW + timedelta(hours=21)},
        {"fresh": True},
    ],
)
def test_other_inputs_or_an_old_run_start_anew(tmp_path: Path, changes: dict[str, object]) -> None:
    first = start(tmp_path)
    again = start(tmp_path, **{"now": NOW + timedelta(hours=1), **changes})
    assert again.run_id > first.run_id


def test_other_code_or_catalogs_start_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = start(tmp_path)
    monkeypatch.setattr(night, "code_version", lambda: "0.0.0+other")
    assert start(tmp_path).run_id > first.run_id


def test_a_finished_run_is_not_resumed(tmp_path: Path) -> None:
    first = start(tmp_path)
    night.finish(first)
    assert start(tmp_path).run_id == "2026-01-02T030001Z"


@pytest.mark.parametrize(
    "manifest", [b"{", b"", b"\xff\xfe", b"[]", b"{}", b'{"entries": 3}', b"[" * 100_000], ids=repr_of_few
)
def test_a_damaged_manifest_is_reported_and_not_resumed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, manifest: bytes
) -> None:
    first = start(tmp_path)
    (first.folder / "manifest.json").write_bytes(manifest)
    again = start(tmp_path, now=NOW + timedelta(hours=1))
    assert again.run_id > first.run_id
    assert "manifest.json is damaged" in caplog.text
    caplog.clear()
    start(tmp_path, now=NOW + timedelta(days=2))
    assert not caplog.text, "what cannot be resumed any more is not worth a word every night"


def test_a_manifest_of_another_run_is_not_resumed(tmp_path: Path) -> None:
    first = start(tmp_path)
    text = (first.folder / "manifest.json").read_text()
    (first.folder / "manifest.json").write_text(text.replace(first.run_id, "../../elsewhere"))
    assert start(tmp_path, now=NOW + timedelta(hours=1)).folder.parent == first.folder.parent


def test_two_writers_exclude_each_other(tmp_path: Path) -> None:
    with (
        night.exclusive(tmp_path),
        pytest.raises(locks.Refused, match=f"process {os.getpid()}"),
        night.exclusive(tmp_path),
    ):
        pass
    with night.exclusive(tmp_path):
        pass


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib\nfrom flows import locks, night\n"
        "with night.exclusive(pathlib.Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(locks.Refused), night.exclusive(tmp_path):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.communicate(timeout=10)
    with night.exclusive(tmp_path):
        pass


def test_code_version_names_the_package_and_its_sources() -> None:
    version, fingerprint = night.code_version().split("+")
    assert version
    assert len(fingerprint) == 12
