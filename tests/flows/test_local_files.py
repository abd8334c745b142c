"""Folders as they are found: links, holes, strange files; nothing is read but headers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from local_folders import MATRIX, here, rows, write
from local_hub import LLAMA
from weight_bytes import safetensors_header

from flows import local_files
from flows.extract.info import File
from flows.failures import Failure
from flows.headers.problem import HeaderProblem
from flows.local_files import LocalFiles

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 16640\n"


def listed(folder: Path) -> dict[str, int | None]:
    found = local_files.of_folder(folder)
    assert isinstance(found, LocalFiles), found
    return dict(found.files())


def sparse(path: Path, numbers: int) -> None:
    """A file whose header is true and whose data are a hole."""
    text = json.dumps(safetensors_header({"model.norm.weight": ("BF16", (numbers,))})).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + 2 * numbers)


def test_files_of_thirty_gigabytes_are_read_no_further_than_their_headers(tmp_path: Path) -> None:
    write(tmp_path, {"config.json": LLAMA})
    for shard in (1, 2):
        sparse(tmp_path / f"model-0000{shard}-of-00002.safetensors", 2**32)
        sparse(tmp_path / f"x_{shard}" / "pytorch_model.bin", 2**32)
    found = local_files.of_folder(tmp_path)
    assert isinstance(found, LocalFiles)
    before = read_bytes()
    name = "model-00001-of-00002.safetensors"
    read_at = found.reader(File(name, found._paths[name].stat().st_size))
    assert len(read_at(0, 100)) == 100
    model = rows(here(tmp_path))["model"]
    assert model["stored_bytes"] == 2 * 2 * 2**32
    assert read_bytes() - before < 2**20


def read_bytes() -> int:
    """What this process has read of files until now."""
    counters = Path("/proc/self/io")
    if not counters.exists():
        pytest.skip("the system does not say how much is read")
    return int(counters.read_text().split("rchar: ")[1].split()[0])


def test_the_cache_of_huggingface_hub_is_links(tmp_path: Path) -> None:
    write(tmp_path / "blobs", {"1": LLAMA, "2": MATRIX})
    snapshot = tmp_path / "snapshots" / "rev"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").symlink_to("../../blobs/1")
    (snapshot / "model.safetensors").symlink_to("../../blobs/2")
    assert listed(snapshot)["model.safetensors"] == len(MATRIX)
    assert rows(here(snapshot))["model"]["stored_bytes"] == 16_640


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    write(tmp_path, {"model.safetensors": MATRIX, "vae/model.safetensors": MATRIX})
    (tmp_path / "self").symlink_to(".")
    (tmp_path / "vae" / "up").symlink_to("..")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    found = listed(tmp_path)
    assert {name: size for name, size in found.items() if size} == {
        "model.safetensors": len(MATRIX),
        "vae/model.safetensors": len(MATRIX),
    }
    assert found["a"] is None


def test_a_link_to_nowhere_is_a_file_of_unknown_size(tmp_path: Path) -> None:
    write(tmp_path, {"config.json": LLAMA, "model-00001-of-00002.safetensors": MATRIX})
    (tmp_path / "model-00002-of-00002.safetensors").symlink_to("../blobs/gone")
    assert listed(tmp_path)["model-00002-of-00002.safetensors"] is None
    model = rows(here(tmp_path))["model"]
    assert model["stored_bytes"] is None
    assert "No such file" in model["notes"]


def test_two_links_to_one_folder_are_two_components(tmp_path: Path) -> None:
    write(tmp_path / "shared", {"model.safetensors": MATRIX})
    model = write(tmp_path / "model", {"model_index.json": {}})
    for name in ("text_encoder", "text_encoder_2"):
        (model / name).symlink_to("../shared")
    assert [name for name in listed(model) if "encoder" in name] == [
        "text_encoder/model.safetensors",
        "text_encoder_2/model.safetensors",
    ]


def test_a_pointer_of_git_lfs_has_the_size_of_its_file_and_no_header(tmp_path: Path) -> None:
    write(tmp_path, {"config.json": LLAMA, "model.safetensors": POINTER})
    model = rows(here(tmp_path))["model"]
    assert model["stored_bytes"] == 16_640
    assert "git lfs pull" in model["notes"]


def test_what_is_neither_file_nor_folder_is_not_touched(tmp_path: Path) -> None:
    write(tmp_path, {"config.json": LLAMA})
    os.mkfifo(tmp_path / "model.safetensors")  # reading it would wait for ever
    (tmp_path / "model-00001-of-00001.safetensors").symlink_to("/dev/zero")
    assert list(listed(tmp_path)) == ["config.json"]


def test_hidden_folders_are_not_of_the_model(tmp_path: Path) -> None:
    write(
        tmp_path, {".git/lfs/model.safetensors": MATRIX, ".cache/x.gguf": b"", "a/b/c/d/e/f.gguf": b"", "a/x.gguf": b""}
    )
    assert list(listed(tmp_path)) == ["a/x.gguf"]


def test_strange_names_are_listed_as_they_can_be_shown(tmp_path: Path) -> None:
    (tmp_path / "model\x1b[31m.safetensors").write_bytes(MATRIX)
    (tmp_path / os.fsdecode(b"\xff.gguf")).write_bytes(b"x")
    assert sorted(listed(tmp_path)) == ["model\ufffd[31m.safetensors", "\ufffd.gguf"]
    assert rows(here(tmp_path))["model"]["parameters"] == 128 * 64 + 64


def test_a_folder_of_too_many_files_is_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_files, "MOST_ENTRIES", 10)
    write(tmp_path, {f"{number // 4}/{number}.txt": b"" for number in range(12)})
    found = local_files.of_folder(tmp_path)
    assert isinstance(found, Failure)
    assert (found.kind, "name the folder of one model" in found.message) == ("too_large", True)


def test_the_headers_of_one_folder_are_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_files, "MOST_BYTES", 1000)
    found = LocalFiles({"x": tmp_path / "x"})
    (tmp_path / "x").write_bytes(bytes(2000))
    read_at = found.reader(File("x", 2000))
    assert len(read_at(0, 1000)) == 1000
    with pytest.raises(HeaderProblem, match="more than one answer can read"):
        read_at(1000, 1)


def test_a_configuration_that_cannot_be_read_is_a_failure_as_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"model.safetensors": MATRIX})
    (tmp_path / "config.json").symlink_to("gone.json")
    assert rows(here(tmp_path))["kind"] == "unreadable"
    (tmp_path / "config.json").unlink()
    write(tmp_path, {"config.json": LLAMA})
    monkeypatch.setattr("flows.local_source.LARGEST_CONFIG", 100)
    assert rows(here(tmp_path))["kind"] == "too_large"


def test_an_empty_folder_has_no_weights(tmp_path: Path) -> None:
    assert rows(here(tmp_path))["kind"] == "no_weights"
