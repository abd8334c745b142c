"""`hubfit plan` from a file to an answer, and one message for all that is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from command import hubfit
from snapshot_answers import keep

import catalogs

HEAD = "model_id,precision,context_tokens,concurrent_sequences,min_tokens_per_second,replicas"
GPUS = ("nvidia-h100-sxm-80gb", "nvidia-rtx-4090-24gb", "nvidia-l4-24gb")


@pytest.fixture
def few(tmp_path: Path) -> Path:
    folder = tmp_path / "few"
    folder.mkdir()
    keep(folder, "gpus", GPUS)
    keep(folder, "precisions", ("bf16", "int4_awq_g128", "mxfp4", "stored"))
    return folder


def written(folder: Path, *lines: str) -> str:
    file = folder / "demand.csv"
    file.write_text("\n".join([HEAD, *lines]) + "\n", encoding="utf-8")
    return str(file)


def units(hardware: list[dict[str, Any]]) -> dict[str, int]:
    return {row["offer"]: row["units"] for row in hardware}


def test_a_demand_is_planned_for(tmp_path: Path, few: Path) -> None:
    """As JSON: what is taken holds what runs on it, and an alternative costs no less."""
    file = written(tmp_path, "meta-llama/Llama-3.1-8B,,8192,16,20,2", "openai/gpt-oss-20b,stored,8192,4,,")
    ours = (Path(catalogs.__file__).parent / "policy.csv").read_text(encoding="utf-8")
    (few / "policy.csv").write_text(ours.replace("horizon_months,12,", "horizon_months,6,"), encoding="utf-8")
    done = hubfit("plan", file, "--source", "snapshot", "--catalogs", str(few), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["status"] == "planned"
    assert told["months"] == 6
    assert not any(row["offer"].startswith("owned") for row in told["hardware"])
    # the folder's own inventory counts as it does in a night
    (few / "inventory.csv").write_text("gpu,devices\nnvidia-l4-24gb,40\n", encoding="utf-8")
    owned = hubfit("plan", file, "--source", "snapshot", "--catalogs", str(few), "--json")
    assert {row["offer"] for row in json.loads(owned.stdout)["hardware"]} == {"owned nvidia-l4-24gb"}
    (few / "inventory.csv").unlink()
    assert sum(row["replicas"] for row in told["served"] if row["line"] == 2) == 2
    assert {row["model_id"] for row in told["served"]} == {"meta-llama/Llama-3.1-8B", "openai/gpt-oss-20b"}
    taken = sum(row["devices"] for row in told["hardware"])
    used = sum(row["replicas"] * row["groups"] * row["devices_per_group"] for row in told["served"])
    assert used <= taken == told["devices"]
    assert told["usd"] == pytest.approx(sum(row["usd"] for row in told["hardware"]), abs=0.05)
    for row in told["served"]:
        assert row["required_bytes"] <= row["usable_bytes"]
        assert row["line"] == 3 or row["tokens_per_second"] >= 20
    for other in told["alternatives"]:
        assert other["usd"] is None or other["usd"] >= told["usd"] - 0.05
        assert other["hardware"] is None or all(row["offer"] != other["without"] for row in other["hardware"])
    for row in told["hardware"]:
        assert row["price_origin"] == "seed"
        assert row["price_age_days"] >= 0
        assert row["price_as_of"] in row["offer"]
        assert isinstance(row["price_is_stale"], bool)
    taken_before = [told["hardware"]]
    for other in told["next_best"]:
        assert other["usd"] == pytest.approx(told["usd"] + other["usd_more"], abs=0.02)
        assert other["usd_more"] >= -0.05
        assert all(units(other["hardware"]) != units(before) for before in taken_before)
        taken_before.append(other["hardware"])
    assert len(told["next_best"]) == 3
    for one in told["binding"]:
        assert one["usd"] == pytest.approx(told["usd"] - one["usd_saved"], abs=0.02)
        assert one["usd_saved"] > 0
        assert one["line"] in (None, 2, 3)
    holds = told["sensitivity"]
    assert [row["offer"] for row in holds["prices"]] == [row["offer"] for row in told["hardware"]]
    for row in holds["prices"]:
        assert row["stays_up_to_percent"] is None or row["stays_up_to_percent"] >= 0
        assert row["stays_up_to_usd_each"] is None or row["stays_up_to_usd_each"] >= row["usd_each"] - 0.01
    assert [row["percent"] for row in holds["rents"]] == [-20, 20]
    assert holds["rents"][0]["usd_more"] <= 0.05
    assert holds["rents"][1]["usd_more"] >= -0.05
    assert [row["bits"] for row in holds["precision"]] == [4, 8, 16]
    assert all(row["usd"] is None or row["usd_more"] >= -0.05 for row in holds["precision"])
    assert told["left_out"] == []


def test_models_take_turns_where_they_may(tmp_path: Path, few: Path) -> None:
    """Up to four on a device: each has its memory, its speed is a share of the device's, and none is left over."""
    (tmp_path / "ours.csv").write_text("gpu,devices\nnvidia-h100-sxm-80gb,2\n")
    file = written(
        tmp_path, "Qwen/Qwen3-0.6B,,4096,1,20,5", "openai/gpt-oss-20b,stored,8192,1,,1",
        "openai-community/gpt2,bf16,1024,1,,1",
    )  # fmt: skip
    ours = ("--inventory", str(tmp_path / "ours.csv"), "--no-rent", "--no-buy")
    asked = ("plan", file, "--source", "snapshot", "--catalogs", str(few), *ours)
    alone = hubfit(*asked)
    assert alone.returncode == 1
    assert "--share" in alone.stderr
    done = hubfit(*asked, "--share", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["devices"] == 2
    assert told["is_proven"]
    assert told["usd_at_least"] == told["usd"]
    assert sum(row["replicas"] for row in told["served"]) == 7
    for number, device in enumerate(told["shared"]):
        there = [row for row in told["served"] if row["shared"] == number]
        assert 1 < sum(row["replicas_per_device"] for row in there) <= 4
        assert [held["replicas"] for held in device["holds"]] == [row["replicas_per_device"] for row in there]
        assert device["required_bytes_high"] <= device["assured_bytes"]
        assert device["required_bytes_high"] == sum(
            held["replicas"] * held["required_bytes_high"] for held in device["holds"]
        )
        # they take turns: all have one speed
        [speed] = {row["tokens_per_second"] for row in there}
        assert speed >= 20 or all(row["line"] != 2 for row in there)
    shown = hubfit(*asked, "--share")
    assert "shared 1: " in shown.stdout


def test_the_terminal_shows_it_and_what_is_owned_comes_first(tmp_path: Path, few: Path) -> None:
    file = written(tmp_path, "meta-llama/Llama-3.1-8B,bf16,8192,1,,1")
    (tmp_path / "ours.csv").write_text("gpu,devices\nnvidia-rtx-4090-24gb,2\n")
    done = hubfit(
        "plan", file, "--source", "snapshot", "--catalogs", str(few), "--inventory", str(tmp_path / "ours.csv")
    )
    assert done.returncode == 0, done.stderr
    assert "owned nvidia-rtx-4090-24gb" in done.stdout
    for title in ("What to take", "What runs on it", "next best, ", "How far it holds", "rents -20 %"):
        assert title in done.stdout
    # the one line asks for a precision
    assert "bits in every line" not in done.stdout
    assert "Traceback" not in done.stderr


def test_what_is_owned_and_of_unknown_power_is_told(tmp_path: Path) -> None:
    """It has no cost to compare, and is not taken for free."""
    dark = catalogs.gpus().filter(pl.col("tdp_watts").is_null())["gpu_id"][0]
    few = tmp_path / "few"
    few.mkdir()
    keep(few, "gpus", (*GPUS, dark))
    keep(few, "precisions", ("bf16", "stored"))
    (tmp_path / "ours.csv").write_text(f"gpu,devices\n{dark},2\n")
    file = written(tmp_path, "openai-community/gpt2,bf16,1024,1,,1")
    done = hubfit(
        "plan", file, "--source", "snapshot", "--catalogs", str(few), "--inventory", str(tmp_path / "ours.csv")
    )
    assert done.returncode == 0, done.stderr
    assert f"{dark} of the inventory is left out: nobody knows what it draws" in done.stderr
    assert f"owned {dark}" not in done.stdout


@pytest.mark.parametrize("engine", ["sglang", "llamacpp"])
def test_engines_serve_on_several_devices_without_a_host(engine: str, tmp_path: Path, few: Path) -> None:
    """No workload of ours is one of SGLang, and that of llama.cpp has one device and a host's memory."""
    keep(few, "precisions", ("bf16", "int4_awq_g128", "gguf_q4_k_m", "stored"))
    file = written(tmp_path, "meta-llama/Llama-3.1-70B,,8192,1,,1")
    (tmp_path / "ours.csv").write_text("gpu,devices\nnvidia-rtx-4090-24gb,8\n")
    ours = ("--inventory", str(tmp_path / "ours.csv"), "--no-rent", "--no-buy")
    done = hubfit("plan", file, "--source", "snapshot", "--catalogs", str(few), "--engine", engine, "--json", *ours)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    [served] = told["served"]
    assert 1 < served["devices_per_group"] <= told["devices"] <= 8
    assert served["required_bytes"] <= served["usable_bytes"]


@pytest.mark.parametrize(
    ("line", "options", "words"),
    [
        ("openai/gpt-oss-20b,nothing,8192,1,,1", (), "demand.csv line 2: precision must be any or a precision of"),
        ("openai/gpt-oss-20b,,-1,1,,1", (), "demand.csv line 2: context_tokens must be > 0 (got -1)"),
        ("openai/gpt-oss-20b,,8192,,,1", (), "demand.csv line 2: concurrent_sequences must not be empty"),
        ("no/body,,8192,1,,1", (), "demand.csv line 2: no/body: not_in_snapshot"),
        ("openai/gpt-oss-20b,,8192,1,,1", ("--vendor", "acme"), "unknown vendor 'acme'; one of"),
        ("openai/gpt-oss-20b,,8192,1,,1", ("--vendor", "NVIDIA"), "unknown vendor 'NVIDIA'; did you mean nvidia?"),
        ("openai/gpt-oss-20b,,8192,1,,1", ("--engine", "acme"), "unknown engine 'acme'; `hubfit sql"),
        (
            "openai/gpt-oss-20b,,8192,1,,1", ("--no-rent", "--provider", "runpod"),
            "--provider names whom to rent from and --no-rent forbids to rent: leave one of them out",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_message(
    line: str, options: tuple[str, ...], words: str, tmp_path: Path, few: Path
) -> None:
    """Without --json on stderr alone, with it also as the one document of stdout."""
    asked = ("plan", written(tmp_path, line), "--source", "snapshot", "--catalogs", str(few), *options)
    done = hubfit(*asked)
    assert done.returncode == 2, done.stdout
    [message] = [text for text in done.stderr.splitlines() if text.startswith("error: ")]
    assert words in message
    assert not done.stdout
    assert "Traceback" not in done.stderr
    as_json = hubfit(*asked, "--json")
    assert as_json.returncode == 2
    assert json.loads(as_json.stdout) == {"status": "error", "error": message.removeprefix("error: ")}


@pytest.mark.parametrize(
    ("line", "options", "words", "reasons", "would_do"),
    [
        (
            "openai/gpt-oss-20b,,8192,1,,1", ("--no-rent", "--no-buy"), "fits only devices without an offer", 1,
            {"rent", "buy"},
        ),
        ("openai/gpt-oss-20b,,8192,1,,1", ("--budget", "1"), "the budget stands in the way: ", 0, {"budget"}),
        ("openai/gpt-oss-20b,,8192,1,,1", ("--watts", "1"), "the power limit stands in the way: ", 0, {"power"}),
        (
            "openai/gpt-oss-20b,,8192,1,99999,1", (), "reaches 99,999 tokens/s nowhere; the fastest gives ", 1,
            {"minimum speed"},
        ),
    ],
)  # fmt: skip
def test_no_plan_is_an_answer_of_its_own(
    line: str, options: tuple[str, ...], words: str, reasons: int, would_do: set[str], tmp_path: Path, few: Path
) -> None:
    """Neither a plan nor an error: exit status 1, and as JSON all that the message says."""
    asked = ("plan", written(tmp_path, line), "--source", "snapshot", "--catalogs", str(few), *options)
    done = hubfit(*asked)
    assert (done.returncode, done.stdout) == (1, "")
    [message] = [text for text in done.stderr.splitlines() if text.startswith("error: ")]
    assert words in message
    as_json = hubfit(*asked, "--json")
    assert as_json.returncode == 1
    told = json.loads(as_json.stdout)
    assert told.keys() == {"status", "reasons", "relaxations", "left_out"}
    assert (told["status"], len(told["reasons"]), told["left_out"]) == ("infeasible", reasons, [])
    assert {what for one in told["relaxations"] for what in one["what"]} == would_do
    said = [*told["reasons"], *(one["words"] for one in told["relaxations"])]
    assert message == "error: no plan: " + "; ".join(said)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            "stabilityai/stable-diffusion-xl-base-1.0,,77,1,,1",
            "stabilityai/stable-diffusion-xl-base-1.0 is run by vllm on no device in any precision; ask another engine,"
            " or leave the line out",
        ),
        (
            "Efficient-Large-Model/VILA1.5-3b,,77,1,,1",
            "Efficient-Large-Model/VILA1.5-3b needs an unknown amount of memory under vllm in any precision; ask"
            " another engine, or leave the line out",
        ),
        (
            "openai-community/gpt2,gguf_q4_k_m,77,1,,1",
            "openai-community/gpt2 is run by vllm on no device in gguf_q4_k_m; ask another precision or engine, or"
            " leave the line out",
        ),
    ],
)
def test_what_no_device_can_run_is_not_called_too_large(line: str, reason: str, tmp_path: Path, few: Path) -> None:
    keep(few, "precisions", ("bf16", "int4_awq_g128", "gguf_q4_k_m", "stored"))
    file = written(tmp_path, line, "openai-community/gpt2,bf16,77,1,,1")
    done = hubfit("plan", file, "--source", "snapshot", "--catalogs", str(few), "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["reasons"] == [f"line 2: {reason}"]


def test_a_document_also_where_the_hub_is_away(tmp_path: Path, few: Path) -> None:
    asked = ("plan", written(tmp_path, "openai/gpt-oss-20b,,8192,1,,1"), "--catalogs", str(few), "--json")
    done = hubfit(*asked, HF_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 3
    told = json.loads(done.stdout)
    assert told["status"] == "error"
    assert told["error"] in done.stderr


def test_the_same_line_twice_is_refused(tmp_path: Path, few: Path) -> None:
    line = "openai/gpt-oss-20b,,8192,1,,1"
    done = hubfit("plan", written(tmp_path, line, line), "--source", "snapshot", "--catalogs", str(few))
    assert done.returncode == 2
    assert "line 3: model_id + precision" in done.stderr
