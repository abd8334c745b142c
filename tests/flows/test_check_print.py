"""What people see of an answer, at the widths of their terminals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command import hubfit
from gguf_llama import Q4_0, gguf_llama
from local_folders import write

from flows import check_print

SNAPSHOT = ("--source", "snapshot")


@pytest.fixture(scope="module")
def answer() -> dict[str, Any]:
    done = hubfit("check", "Qwen/Qwen3-8B", *SNAPSHOT, "--json")
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def shown(answer: dict[str, Any], width: int, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> str:
    patch.setattr(check_print, "PIPED_WIDTH", width)
    check_print.show(answer)
    return capsys.readouterr().out


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_no_word_is_cut_and_no_line_is_longer_than_the_terminal(
    answer: dict[str, Any], width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = shown(answer, width, capsys, monkeypatch)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for precision in ("stored = bf16", "fp8_e4m3_block128", "int4_awq_g128", "nf4_dq", "gguf_q4_k_m"):
        assert f" {precision} " in text
    assert ("no room for" in text) == (width < 200)


def test_the_sentence_comes_first_and_a_format_stands_under_one_name(
    answer: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, *rest = shown(answer, 200, capsys, monkeypatch).splitlines()
    assert first.startswith("Qwen/Qwen3-8B  8.19 B parameters, decoder, qwen3")
    assert second.startswith("Needs 19.94 GiB as stored (bf16) or 10.34 GiB as nf4_dq for one chat of 8k tokens (vllm)")
    text = "\n".join(rest)
    assert "\n bf16 " not in text
    [row] = [line for line in rest if line.startswith(" stored = bf16 ") and "19.94" in line]
    assert row.split() == ["stored", "=", "bf16", "15.27", "1.12", "2.30", "1.25", "19.94", "17.81", "-", "22.07"]
    # no term that is nothing everywhere, no slice of a device where a whole one does, and what the engine cannot run
    assert "gradient" not in text
    assert "MIG" not in text
    assert "gguf_q4_k_m, gguf_q8_0 are not supported by vllm" in text


def test_devices_that_are_asked_for_are_all_there() -> None:
    done = hubfit("check", "Qwen/Qwen3-8B", *SNAPSHOT, "--gpu", "nvidia-rtx-4090-24gb", "--gpu", "nvidia-a2-16gb")
    table = done.stdout.split("Where it runs")[1].split("Cheapest")[0]
    for name in ("NVIDIA GeForce RTX 4090", "NVIDIA A2 16GB"):
        # six precisions: stored and bf16 are the same
        assert len([line for line in table.splitlines() if f" {name} " in line]) == 6
    assert "unsupported" in table


def test_files_of_llama_cpp_are_answered_for_with_llama_cpp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """vLLM runs none of them: the question that nobody asked is not the answer."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"m-Q8_0.gguf": gguf_llama(), "m-Q4_0.gguf": gguf_llama(Q4_0)})
    done = hubfit("check", ".", "--json")
    assert "--engine llamacpp is answered for" in done.stderr
    answer = json.loads(done.stdout)
    assert answer["workload"]["engine"] == "llamacpp"
    assert [row["precision"] for row in answer["requirements"]] == ["gguf_q8_0", "gguf_q4_0"]
    assert {row["verdict"] for row in answer["fit"]} >= {"fits"}
    asked = hubfit("check", ".", "--json", "--engine", "vllm")
    assert "answered for" not in asked.stderr
    assert json.loads(asked.stdout)["verdicts"]["gguf_q8_0"].keys() == {"unsupported"}
    text = hubfit("check", ".").stdout
    assert "What there is to load" in text
    [row] = [line.split() for line in text.splitlines() if line.startswith(" m-Q4_0.gguf ")]
    assert row[1:3] == ["model", "gguf_q4_0"]


def test_a_device_that_the_engine_does_not_run_on_is_answered_for_as_it_is() -> None:
    apple = ("--gpu", "apple-m4-max-40c-64gb")
    done = hubfit("check", "Qwen/Qwen3-0.6B", *SNAPSHOT, *apple, "--json")
    assert json.loads(done.stdout)["verdicts"]["stored"] == {"unsupported": 1}
    assert "answered for" not in done.stderr


def test_a_pipeline_is_answered_for_at_its_bare_minimum() -> None:
    done = hubfit("check", "black-forest-labs/FLUX.1-dev", *SNAPSHOT)
    assert "--engine none is answered for" in done.stderr
    assert "Needs 31.42 GiB as stored (bf16)" in done.stdout
    assert "text_encoder_2" in done.stdout


def test_what_is_not_known_stays_unknown() -> None:
    """A repository whose sizes nobody tells: no device, no price, and no zero."""
    text = hubfit("check", "tloen/alpaca-lora-7b", *SNAPSHOT).stdout
    assert "How much memory it needs for weights and an 8k cache, nothing else (none) is unknown." in text
    assert "Where it runs is unknown." in text
    assert "Cheapest" not in text
    assert "no device of the catalog" not in text
