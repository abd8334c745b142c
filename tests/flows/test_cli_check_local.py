"""`hubfit check` of a path, as people call it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command import hubfit
from gguf_llama import gguf_llama
from local_folders import MATRIX, write
from local_hub import LLAMA, SHA


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """People are in an empty folder, without a Hub."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    return tmp_path


def answered(*arguments: str | Path) -> Any:
    done = hubfit("check", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_folder_is_answered_for_by_its_name_without_the_hub(place: Path) -> None:
    write(place / "my-finetune", {"config.json": LLAMA, "model.safetensors": MATRIX})
    answer = answered("./my-finetune", "--gpu", "nvidia-l4-24gb", "--engine", "none", "--context", "512")
    model = answer["model"]
    assert (model["model_id"], model["revision"], model["downloads"]) == ("my-finetune", None, None)
    assert (model["stored_bytes"], model["parameters_source"]) == (16_640, "safetensors_header")
    assert answer["path"] == str(place / "my-finetune")
    [stored] = [row for row in answer["requirements"] if row["precision"] == "stored"]
    # two layers of two heads of 16 for keys and as many for values, 512 tokens, two bytes
    assert stored["kv_cache_bytes"] == 2 * 2 * 2 * 16 * 512 * 2
    assert "my-finetune" in hubfit("check", "./my-finetune").stdout


def test_a_file_and_a_folder_in_one_question_with_an_id(place: Path) -> None:
    (place / "m-Q8_0.gguf").write_bytes(gguf_llama())
    snapshot = place / "models--a--b" / "snapshots" / SHA
    write(snapshot, {"config.json": LLAMA})
    gguf, cached, listed = answered("m-Q8_0.gguf", snapshot, "openai-community/gpt2", "--source", "snapshot")
    assert (gguf["model"]["model_id"], gguf["model"]["parameters_source"]) == ("m-Q8_0.gguf", "gguf_header")
    assert {row["precision"]: row["weights_basis"] for row in gguf["requirements"]}["gguf_q8_0"] == "stored"
    assert (cached["model"]["model_id"], cached["model"]["revision"]) == ("a/b", SHA)
    assert (listed["model"]["model_id"], listed["path"]) == ("openai-community/gpt2", None)


def test_an_id_stays_an_id_though_there_is_such_a_folder(place: Path) -> None:
    write(place / "openai-community" / "gpt2", {"config.json": LLAMA})
    done = hubfit("check", "openai-community/gpt2", "--source", "snapshot", "--json")
    assert json.loads(done.stdout)["model"]["parameters"] == 124_439_808
    assert "say ./openai-community/gpt2" in done.stderr


def test_where_nothing_can_be_said_there_is_one_message_and_two(place: Path) -> None:
    (place / "empty").mkdir()
    write(place / "text", {"config.json": b"{not json"})
    write(place / "other", {"data.bin": b"x", "notes.txt": b"x"})
    (place / "strange\x1b[31m").mkdir()
    write(place / "shelf", {"a/config.json": LLAMA, "b/c/config.json": LLAMA, "b/config.txt": b""})
    for path, words in (
        ("./empty", "empty: no_weights: "),
        ("./text", "text: malformed_config: "),
        ("./other", "other: no_weights: "),
        ("./strange\x1b[31m", "strange\ufffd[31m: no_weights: "),
        ("./gone", "./gone: no such file or folder"),
        ("./other/data.bin/x", "./other/data.bin/x: no such file or folder"),
        ("./shelf", "shelf: no_weights: no model at its top; there are some in: a, b/c"),
    ):
        done = hubfit("check", path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"error: {words}")
        assert len(done.stderr.splitlines()) == 1


def test_a_folder_that_may_not_be_read_is_one_message(place: Path) -> None:
    """Root reads whatever the permissions say, so it runs without that privilege."""
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override"]
    if os.geteuid() != 0:
        drop = []
    elif shutil.which("setpriv") is None:
        pytest.skip("root without setpriv cannot give up reading everything")
    write(place / "shut", {"config.json": LLAMA})
    write(place / "half", {"config.json": LLAMA, "model.safetensors": MATRIX})
    (place / "shut").chmod(0)
    (place / "half" / "model.safetensors").chmod(0)
    command = [*drop, sys.executable, "-m", "flows", "check"]
    try:
        shut = subprocess.run([*command, "./shut"], capture_output=True, text=True, timeout=120, check=False)
        half = subprocess.run([*command, "./half", "--json"], capture_output=True, text=True, timeout=120, check=False)
    finally:
        (place / "shut").chmod(0o755)
    assert shut.returncode == 2
    assert shut.stderr == "error: shut: unreadable: the folder cannot be read: Permission denied\n"
    assert half.returncode == 0, half.stderr
    assert "model.safetensors: cannot be read: Permission denied" in json.loads(half.stdout)["model"]["notes"]


@pytest.mark.parametrize("model", ["openai-community/gpt2", "./folder"])
def test_an_answer_waits_for_no_library_that_it_does_not_need(place: Path, model: str) -> None:
    write(place / "folder", {"config.json": LLAMA, "model.safetensors": MATRIX})
    program = (
        "import sys; from flows import cli; sys.argv = ['hubfit', *sys.argv[1:]]\n"
        "try: cli.main()\n"
        "except SystemExit as stop: assert not stop.code\n"
        "print(sorted({'prefect', 'huggingface_hub', 'httpx2', 'highspy', 'jinja2', 'numpy'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "check", model, "--source", "snapshot", "--json"],
        capture_output=True, text=True, timeout=200, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"
