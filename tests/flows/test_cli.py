"""The command as people and schedulers use it: what it prints where, and its exit status."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from command import hubfit

from flows import publication

if TYPE_CHECKING:
    from local_hub import HubServer

HUBFIT = [sys.executable, "-m", "flows"]  # for what needs a process of its own
SMALL = ["--source", "snapshot", "--model", "openai-community/gpt2"]


def process(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HUBFIT, *map(str, arguments)],
        capture_output=True, text=True, timeout=200, check=False, env={**os.environ, **environment},
    )  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one published night."""
    folder = tmp_path_factory.mktemp("data")
    done = hubfit("run", *SMALL, "--model", "Qwen/Qwen3-0.6B", "--data", folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(publication.latest(folder) / "report" / "index.html")
    return folder


@pytest.mark.parametrize("command", ["", "run", "nightly", "serve", "check", "sql"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = (hubfit if command else process)(*command.split(), "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout
    assert not command or f"hubfit {command}" in done.stdout


def test_sql_prints_tables_csv_json_and_parquet(data: Path, tmp_path: Path) -> None:
    query = "SELECT model_id, parameters FROM models ORDER BY parameters"
    assert "124,439,808" in hubfit("sql", query, "--data", data).stdout
    csv = hubfit("sql", query, "--data", data, "--format", "csv").stdout
    assert csv.splitlines()[:2] == ["model_id,parameters", "openai-community/gpt2,124439808"]
    records = json.loads(hubfit("sql", query, "--data", data, "--format", "json").stdout)
    assert records[0] == {"model_id": "openai-community/gpt2", "parameters": 124_439_808}
    file = tmp_path / "rows.parquet"
    assert hubfit("sql", query, "--data", data, "--format", "parquet", "-o", file).returncode == 0
    assert pl.read_parquet(file)["parameters"].to_list() == [124_439_808, 596_049_920]


def test_sql_is_asked_by_a_file_or_on_stdin(data: Path, tmp_path: Path) -> None:
    query = tmp_path / "query.sql"
    query.write_text("\ufeff-- how many\nSELECT count(*) AS n\nFROM models;\n-- all\n", encoding="utf-8")
    answers = [hubfit("sql", "-f", query, "--data", data, "--format", "csv")]
    for options in ((), ("--file", "-")):
        with query.open("rb") as stdin:
            answers.append(
                subprocess.run(
                    [*HUBFIT, "sql", *options, "--data", data, "--format", "csv"],
                    stdin=stdin, capture_output=True, text=True, timeout=200, check=False,
                )
            )  # fmt: skip
    assert [(done.returncode, done.stdout, done.stderr) for done in answers] == [(0, "n\n2\n", "")] * 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("SELECT 1", "--file", "x.sql"), "either a query or --file"),
        (("SELECT 1", "--all", "--limit", "3"), "either --limit or --all"),
        (("--file", "no/such.sql"), "cannot read no/such.sql: No such file"),
        (("--file", "latin.sql"), "latin.sql is no text in UTF-8"),
        (("--file", "empty.sql"), "no query: give one"),
        (("SELECT 1", "--format", "xlsx"), "xlsx is not for terminals: give --output FILE"),
    ],
)
def test_what_cannot_be_asked_says_why(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin.sql").write_bytes("SELECT 'é'".encode("latin-1"))
    (tmp_path / "empty.sql").write_text("\n", encoding="utf-8")
    done = hubfit("sql", *options, "--data", data)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in " ".join(done.stderr.split())


def test_sql_and_nothing_else_on_a_terminal_says_what_there_is_to_ask(data: Path) -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [*HUBFIT, "sql", "--data", data], stdin=theirs, capture_output=True, text=True, timeout=200, check=False
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0
    assert re.search(r"^best_fit +view +The best way to run a model", done.stdout, flags=re.MULTILINE)
    assert "internal" not in {line.split()[0] for line in done.stdout.splitlines()}


@pytest.mark.parametrize(
    "query", ["SELEKT 1", "DROP TABLE models", "SELECT 1; SELECT 2", "FROM nothing", "COPY models TO 'x.csv'"]
)
def test_bad_sql_is_one_message_and_two(data: Path, query: str) -> None:
    done = hubfit("sql", query, "--data", data)
    assert done.returncode == 2
    assert done.stderr.startswith("error:")
    assert "Traceback" not in done.stderr


def test_sql_before_the_first_night_says_what_to_do(tmp_path: Path) -> None:
    done = hubfit("sql", "SELECT 1", "--data", tmp_path)
    assert done.returncode == 2
    assert "make audit" in done.stderr


def test_check_answers_for_one_model(tmp_path: Path) -> None:
    done = hubfit(
        "check",
        "Qwen/Qwen3-0.6B",
        "--source",
        "snapshot",
        "--gpu",
        "nvidia-l4-24gb",
        "--json",
        HUBFIT_DATA=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["model"]["parameters"] == 596_049_920
    assert {row["gpu"] for row in answer["fit"]} == {"nvidia-l4-24gb"}
    assert {row["precision"]: row["verdict"] for row in answer["fit"]}["bf16"] == "fits"
    # among the devices that are named, at the prices that come with hubfit, of 2026-07-09 and older
    assert {way["gpu"] for way in answer["cheapest"]} == {"nvidia-l4-24gb"}
    priced = {row["precision"]: row["usd_per_hour"] for row in answer["fit"] if row["usd_per_hour"] is not None}
    assert {way["precision"]: way["usd_per_hour"] for way in answer["cheapest"]} == priced
    assert {(way["price_origin"], way["price_is_stale"]) for way in answer["cheapest"]} == {("seed", True)}
    assert answer["gpus_without_price"] == []
    shown = hubfit("check", "Qwen/Qwen3-0.6B", "--source", "snapshot", "--context", "32768", "--concurrency", "4")
    assert "32,768 tokens x 4" in shown.stdout
    ways = shown.stdout.split("Cheapest ways to run it")[1]
    assert "stale (" in ways
    assert re.search(r"no price known for \d+ devices that run it", ways)
    trained = hubfit("check", "Qwen/Qwen3-0.6B", "--source", "snapshot", "--train", "full", "--json")
    [bf16] = [row for row in json.loads(trained.stdout)["requirements"] if row["precision"] == "bf16"]
    # 28 layers of 1,024 with checkpoints, 151,936 logits or one layer with norms of 16 and 8 heads of 128; 2,048 tokens
    layer = 16 * 1024 + 4 * 3072 + 8 * 3072 + 4 * 16 + 8 + 6 * 3072 + 4 * 24
    forward = 2048 * (2 * 1024 * 28 + max(layer, 8 * 1024 + 12 * 151_936))  # before there are gradients
    beside = forward - 2 * 596_049_920
    assert (bf16["activation_bytes"], bf16["total_bytes"]) == (beside, 16 * 596_049_920 + beside)
    fused = hubfit(
        *("check", "Qwen/Qwen3-0.6B", "--source", "snapshot", "--train", "full", "--loss", "fused", "--json"),
        *("--context", "16384", "--concurrency", "4"),
    )
    [bf16] = [row for row in json.loads(fused.stdout)["requirements"] if row["precision"] == "bf16"]
    # 149 times as wide: 512 of 65,536 tokens at once; the tied head has a gradient of 2 x 155,582,464
    loss = 65_536 * 10 * 1024 + 4 * 512 * 151_936 + 2 * 155_582_464
    forward = 65_536 * 2 * 1024 * 28 + max(65_536 * layer, loss)
    assert bf16["activation_bytes"] == max(forward - 2 * 596_049_920, 65_536 * layer)
    adapted = hubfit(
        *("check", "Qwen/Qwen3-0.6B", "--source", "snapshot", "--train", "lora", "--lora-targets", "attention_qv"),
        "--json",
    )
    [bf16] = [row for row in json.loads(adapted.stdout)["requirements"] if row["precision"] == "bf16"]
    # rank 16 in 28 layers: 1,024 inputs each, 2,048 and 1,024 outputs; two fp32 moments
    assert bf16["optimizer_bytes"] == 8 * 16 * 28 * (1024 + 2048 + 1024 + 1024)
    refused = hubfit("check", "Qwen/Qwen3-0.6B", "--train", "full", "--lora-targets", "attention_qv")
    assert "lora_targets must be empty for full training" in refused.stderr
    assert "say --train as well" in hubfit("check", "Qwen/Qwen3-0.6B", "--loss", "fused").stderr
    assert not list(tmp_path.iterdir())


def test_check_says_how_many_devices_may_do() -> None:
    """Llama-3.1-70B in bf16: 72.02 GiB of 72.85 on each of two H100 at the middle, more at the upper end."""
    asked = ("check", "meta-llama/Llama-3.1-70B-Instruct", "--source", "snapshot", "--precision", "bf16", "--engine",
             "vllm", "--gpu", "nvidia-h100-sxm-80gb", "--gpu", "nvidia-l4-24gb")  # fmt: skip
    found = {row["gpu"]: row for row in json.loads(hubfit(*asked, "--json").stdout)["fit"]}
    two, eight = found["nvidia-h100-sxm-80gb"], found["nvidia-l4-24gb"]
    assert (two["verdict"], two["parallelism"], two["parallelism_at_middle"]) == ("sharded", "pp3", "tp2")
    assert (eight["verdict"], eight["parallelism"], eight["parallelism_at_middle"]) == ("too_big", None, "tp8")
    shown = hubfit(*asked).stdout
    assert "pp3 (tp2 tight)" in shown
    assert "- (tp8 tight)" in shown


def test_check_over_two_nodes() -> None:
    """DeepSeek-V3's own FP8 is 82.1 GiB on each of eight H100; in two nodes it runs, how fast nobody knows."""
    asked = ("check", "deepseek-ai/DeepSeek-V3", "--source", "snapshot", "--precision", "stored", "--engine", "vllm",
             "--gpu", "nvidia-h100-sxm-80gb", "--gpu", "nvidia-l4-24gb", "--json")  # fmt: skip
    alone = {row["gpu"]: row for row in json.loads(hubfit(*asked).stdout)["fit"]}["nvidia-h100-sxm-80gb"]
    assert (alone["verdict"], alone["parallelism_at_middle"]) == ("too_big", None)
    answer = json.loads(hubfit(*asked, "--nodes", "2").stdout)
    assert answer["workload"]["max_nodes"] == 2
    found = {row["gpu"]: row for row in answer["fit"]}
    two, small = found["nvidia-h100-sxm-80gb"], found["nvidia-l4-24gb"]
    assert (two["verdict"], two["gpus_needed"], two["parallelism"]) == ("sharded", 16, "tp8+pp2")
    assert (two["decode_tokens_per_second"], two["first_token_seconds"]) == (None, None)
    assert two["usd_per_hour"] > 0
    assert small["verdict"] == "too_big"


def test_check_predicts_tokens_with_blocks_of_the_model() -> None:
    """GLM-4.5-Air: 1.8 tokens of a longer step; Qwen3 has no block, and nobody counts Qwen3.5's."""

    def asked(model: str, *options: str) -> dict[str, Any]:
        gpu, precision = ("--gpu", "nvidia-h200-sxm-141gb"), ("--precision", "bf16", "--json")
        shown = hubfit("check", model, "--source", "snapshot", *gpu, *precision, *options)
        return json.loads(shown.stdout)["fit"][0]  # type: ignore[no-any-return]

    plain, predicting = (asked("zai-org/GLM-4.5-Air", *more) for more in ((), ("--speculate", "1:0.8")))
    assert predicting["step_seconds"] > plain["step_seconds"]
    for name in ("decode_tokens_per_second", "total_tokens_per_second"):
        assert predicting[name] == pytest.approx(1.8 / predicting["step_seconds"])
    assert plain["required_bytes"] < predicting["required_bytes"] < 1.1 * plain["required_bytes"]
    assert predicting["decode_tokens_per_second"] < predicting["decode_tokens_per_second_bound"]
    assert predicting["speed_confidence"] == "low"
    assert asked("Qwen/Qwen3-8B", "--speculate", "1:0.8")["verdict"] == "unsupported"
    assert asked("Qwen/Qwen3.5-0.8B", "--speculate", "1:0.8")["verdict"] == "unknown"
    wrong = hubfit("check", "Qwen/Qwen3-8B", "--source", "snapshot", "--speculate", "much")
    assert wrong.returncode == 2
    assert "not TOKENS:ACCEPTANCE" in wrong.stderr


def test_check_leaves_weights_on_a_host_that_has_memory() -> None:
    """Llama-3.1-70B at 4.8944 bits over all: 39.59 GiB of weights and 42.35 in all, for 22.74 of an RTX 4090."""
    asked = ("check", "meta-llama/Llama-3.1-70B", "--source", "snapshot", "--gpu", "nvidia-rtx-4090-24gb", "--engine",
             "llamacpp", "--precision", "gguf_q4_k_m", "--json")  # fmt: skip
    [alone] = json.loads(hubfit(*asked).stdout)["fit"]
    assert (alone["verdict"], alone["gpus_needed"], alone["parallelism"]) == ("sharded", 3, "pp3")
    [hosted] = json.loads(hubfit(*asked, "--host-memory", "64").stdout)["fit"]
    assert (hosted["verdict"], hosted["gpus_needed"]) == ("offload", None)
    assert hosted["host_bytes"] == hosted["required_bytes"] - hosted["usable_bytes"]
    assert hosted["host_bytes"] / 2**30 == pytest.approx(19.61, abs=0.01)
    # all but one layer of 80 may leave: 61.84 - 42.35 GiB are 63,874 tokens of 327,680 B more, less their masks
    assert hosted["max_context_tokens"] == 71_680
    # 0.985 of what left, 20.75 GB, at 0.6 of 89.6 GB/s are 386 ms of 421
    assert hosted["step_seconds"] == pytest.approx(0.4213, abs=0.0001)
    assert hosted["speed_confidence"] == "low"
    [slower] = json.loads(hubfit(*asked, "--host-memory", "64", "--host-bandwidth", "44.8").stdout)["fit"]
    assert slower["step_seconds"] - hosted["step_seconds"] == pytest.approx(0.3859, abs=0.0001)
    # 16 batches of 512 tokens, 20.75 GB for each of them at 0.45 of 31.5 GB/s: 23.4 of 36 s, the rest is multiplied
    [twice] = json.loads(hubfit(*asked, "--host-memory", "64", "--host-link", "63").stdout)["fit"]
    waited = hosted["first_token_seconds"] - twice["first_token_seconds"]
    assert 2 * waited == pytest.approx(16 * 20.75e9 / (0.45 * 31.5e9), rel=0.001)
    assert hosted["prefill_tokens_per_second"] == pytest.approx(8192 / hosted["first_token_seconds"])
    assert hosted["interconnect_bound"] is False
    [too_little] = json.loads(hubfit(*asked, "--host-memory", "24").stdout)["fit"]
    assert (too_little["verdict"], too_little["host_bytes"]) == ("too_big", None)


def test_check_prints_what_other_calculators_say() -> None:
    llama = ("check", "meta-llama/Llama-3.1-8B", "--source", "snapshot")
    shown = hubfit(*llama, "--calculators", "--gpu", "nvidia-rtx-4090-24gb").stdout
    rows = [line.split() for line in shown[shown.index("What other calculators say") :].splitlines()]
    assert ["can_it_run", "inference", "33.55", "16.77", "8.39", "4.19"] in rows
    assert ["lora", "34.99", "18.22", "9.83", "5.63"] in rows
    assert ["devices", "nvidia-rtx-4090-24gb", "2", "1", "1", "1"] in rows
    assert ["training:", "second", "moments", "29.92", "29.92", "-", "-"] in rows
    assert "1 x 512 tokens, one device" in shown
    done = hubfit(*llama, "--context", "4096", "--concurrency", "2", "--fsdp", "4", "--lora-percent", "5", "--json")
    found = json.loads(done.stdout)["calculators"]
    assert (found["tokens"], found["sequences"], found["devices"], found["is_sharded"]) == (4096, 2, 4, True)
    sizes = {(row["calculator"], row["precision"], row["quantity"]): row["bytes"] for row in found["rows"]}
    # 4 bytes of 8,030,261,248 parameters over four devices are 7,658.25 MiB; a second sequence doubles the logits
    assert sizes["vram_estimator", "fp16", "training_gradients"] == 7658 * 2**20
    assert sizes["vram_estimator", "fp16", "inference_outputs"] == 4008 * 2**20
    # 1.2 x (13.98 GiB and 5 % of 7.504924672 billion at 8 bytes, taken for GiB)
    assert round(sizes["can_it_run", "fp16", "lora"] / 2**30, 2) == 20.38
    assert "calculators" not in json.loads(hubfit(*llama, "--json").stdout)


def test_check_says_when_no_calculator_has_a_number() -> None:
    shown = hubfit("check", "tloen/alpaca-lora-7b", "--source", "snapshot", "--calculators").stdout
    assert "no tool prints a number for it" in shown
    assert "What other calculators say" not in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nobody/nothing", "--source", "snapshot"), "not_in_snapshot"),
        (("Qwen/Qwen3-0.6B", "--source", "snapshot", "--gpu", "4090"), "did you mean"),
        (("Qwen/Qwen3-0.6B", "--source", "snapshot", "--precision", "int3"), "unknown precision"),
    ],
)
def test_check_of_something_unknown_says_so(arguments: tuple[str, ...], words: str) -> None:
    done = hubfit("check", *arguments)
    assert done.returncode == 2
    assert words in done.stderr


def empty(folder: Path) -> tuple[str | Path, ...]:
    (folder / "empty.txt").write_text("# nothing\n")
    return ("--list", folder / "empty.txt")


def binary(folder: Path) -> tuple[str | Path, ...]:
    (folder / "list.txt").write_bytes(b"\x00\xff\xfe" * 100)
    return ("--list", folder / "list.txt")


def missing(folder: Path) -> tuple[str | Path, ...]:
    return ("--list", folder / "no-such-list.txt")


def bad_catalog(folder: Path) -> tuple[str | Path, ...]:
    import catalogs

    text = (Path(catalogs.__file__).parent / "workloads.csv").read_text()
    (folder / "workloads.csv").write_text(text.replace(",8192,1,", ",-8192,1,", 1))
    return ("--model", "openai-community/gpt2", "--catalogs", folder)


def no_catalogs(folder: Path) -> tuple[str | Path, ...]:
    return ("--model", "openai-community/gpt2", "--catalogs", folder / "nowhere")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (empty, "empty.txt"), (binary, "list.txt"), (missing, "no-such-list"), (bad_catalog, "workloads.csv line 2"),
        (no_catalogs, "nowhere"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["run", "nightly"])
def test_bad_input_fails_before_anything_and_keeps_the_night(
    data: Path,
    tmp_path: Path,
    command: str,
    make,
    words: str,  # type: ignore[no-untyped-def]
) -> None:
    before = publication.latest(data)
    done = hubfit(command, "--source", "snapshot", *make(tmp_path), "--data", data)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert publication.latest(data) == before


def test_a_list_with_garbage_and_duplicates_costs_rows(tmp_path: Path) -> None:
    listing = tmp_path / "list.csv"
    listing.write_text("model_id\nopenai-community/gpt2\nopenai-community/gpt2\na b c\n../x\n\x1b[31mred\n")
    done = hubfit("run", "--source", "snapshot", "--list", listing, "--data", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    query = "SELECT models_listed, models_read, models_failed FROM runs"
    out = hubfit("sql", query, "--data", tmp_path / "data", "--format", "csv").stdout
    assert out.splitlines()[1] == "4,1,3"


def test_an_unwritable_data_folder_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = hubfit("run", *SMALL, "--data", tmp_path / "file" / "data")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: data folder")


def test_a_read_only_data_folder_is_one_message_and_can_still_be_asked(data: Path, tmp_path: Path) -> None:
    """Root writes whatever the permissions say, so it runs without that privilege."""
    copy = tmp_path / "data"
    shutil.copytree(data, copy, symlinks=True)
    for path in (copy, *(path for path in copy.rglob("*") if not path.is_symlink())):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = publication.latest(copy)
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override"]
    if os.geteuid() != 0:
        drop = []
    elif shutil.which("setpriv") is None:
        pytest.skip("root without setpriv cannot give up writing everywhere")
    try:
        done = subprocess.run(
            [*drop, *HUBFIT, "run", *SMALL, "--data", str(copy)],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith("error: data folder: [Errno 13] Permission denied")
        assert publication.latest(copy) == before
        asked = subprocess.run(
            [*drop, *HUBFIT, "sql", "SELECT count(*) AS n FROM models", "--data", str(copy), "--format", "csv"],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert asked.stdout.splitlines() == ["n", "2"], asked.stderr
    finally:
        for path in (copy, *(path for path in copy.rglob("*") if path.is_dir() and not path.is_symlink())):
            path.chmod(0o755)


def test_a_full_disk_is_one_message_and_the_night_stays(data: Path) -> None:
    """A file-size limit makes every larger write fail the way a full disk does."""
    before = publication.latest(data)
    limited = "import resource, signal, runpy, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    limited += "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)); sys.argv[0] = 'hubfit';"
    limited += "runpy.run_module('flows', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", limited, "run", *SMALL, "--fresh", "--data", str(data)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "error: data folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert publication.latest(data) == before


def test_two_nights_at_once_exclude_each_other(data: Path) -> None:
    from flows import night

    with night.exclusive(data):
        done = hubfit("run", *SMALL, "--data", data)
    assert done.returncode == 2
    assert "another night" in done.stderr


def test_ctrl_c_is_one_message_and_the_next_run_resumes(tmp_path: Path, hub: HubServer) -> None:
    from local_hub import hang

    for number in range(6):
        hub.add(f"slow/m{number}")
        hub.faults[f"/api/models/slow/m{number}"] = hang(30)
    command = [*HUBFIT, "run", "--data", str(tmp_path), *(f"--model=slow/m{number}" for number in range(6))]
    environment = {**os.environ, "HF_ENDPOINT": hub.url}
    running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    while not hub.seen:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert out == ""


def test_the_live_hub_end_to_end_and_away(tmp_path: Path, hub: HubServer) -> None:
    hub.add("owner/tiny", downloads=7, safetensors={"parameters": {"BF16": 106_816}, "total": 106_816})
    environment = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
    done = process("run", "--model", "owner/tiny", "--model", "owner/gone", "--data", tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    out = hubfit("sql", "SELECT model_id, kind FROM model_errors", "--data", tmp_path, "--format", "csv").stdout
    assert out.splitlines()[1:] == ["owner/gone,not_found"]
    before = publication.latest(tmp_path)
    away = process("run", "--model", "owner/tiny", "--data", tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
    assert away.returncode == 3, away.stderr
    assert "does not answer" in away.stderr
    assert publication.latest(tmp_path) == before
    offline = process("run", "--model", "owner/tiny", "--data", tmp_path, HF_HUB_OFFLINE="1")
    assert offline.returncode == 3


def test_check_answers_for_several_models_and_names_the_one_that_failed(tmp_path: Path) -> None:
    small = tmp_path / "list.txt"
    small.write_text("openai-community/gpt2\n")
    done = hubfit(
        "check", "Qwen/Qwen3-0.6B", "--model", "no/body", "--list", small, "--source", "snapshot", "--json",
        "--engine", "none", "--context", "9999999",
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: no/body: not_in_snapshot")
    answers = json.loads(done.stdout)
    assert [one["model"]["model_id"] for one in answers] == ["Qwen/Qwen3-0.6B", "openai-community/gpt2"]
    assert {one["workload"]["engine"] for one in answers} == {"none"}
    assert answers[0]["requirements"][0]["context_tokens"] == 40_960
    for engine in ("sglang", "llamacpp", "transformers", "trtllm", "mlx"):  # no workload of the catalog has them
        served = hubfit("check", "Qwen/Qwen3-0.6B", "--source", "snapshot", "--json", "--engine", engine).stdout
        assert json.loads(served)["workload"]["engine"] == engine
        assert {row["verdict"] for row in json.loads(served)["fit"]} >= {"fits"}
    text = hubfit("check", "Qwen/Qwen3-0.6B", "--source", "snapshot", "--context", "9999999").stdout
    assert "own limit of 40,960 tokens" in text


def test_check_names_what_is_wrong_in_the_owners_words(tmp_path: Path) -> None:
    (tmp_path / "workloads.csv").write_text("workload\nx\n")
    bad = hubfit("check", "Qwen/Qwen3-0.6B", "--source", "snapshot", "--catalogs", tmp_path)
    assert bad.returncode == 2
    assert str(tmp_path / "workloads.csv") in bad.stderr
    assert "is no model id; write owner/name" in hubfit("check", "not an id", "--source", "snapshot").stderr
    assert "unknown engine 'warp'" in hubfit("check", "a/b", "--engine", "warp", "--source", "snapshot").stderr
    assert "name one to 20 models" in hubfit("check").stderr
    beyond = hubfit("check", "Qwen/Qwen3-0.6B", "--source", "snapshot", "--context", "999999999").stderr
    assert "no such question: context_tokens must be" in beyond
    assert "hubfit-check-" not in beyond
