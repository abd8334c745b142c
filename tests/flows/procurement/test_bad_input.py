"""What is wrong with a buyer's files is one message: the file, the line and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import hubfit
from snapshot_answers import keep

import catalogs

HEAD = "model_id,precision,context_tokens,concurrent_sequences,min_tokens_per_second,replicas"
GOOD = "openai-community/gpt2,bf16,1024,1,,1"
DEVICES = ("nvidia-h100-sxm-80gb", "nvidia-l4-24gb")
PRICES, GPUS = (
    (Path(catalogs.__file__).parent / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    for name in ("prices", "gpus")
)
DOLLARS, NO_NUMBER = "convert to US dollars", "line 2: usd_per_gpu_hour must be a finite number"
OFFER = "nvidia-l4-24gb,here,,on_demand,contract,,1,0.5,,,2026-11-01,day,high,our contract,"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    keep(folder, "gpus", DEVICES)
    keep(folder, "precisions", ("bf16", "stored"))
    return folder


def message(tmp_path: Path, site: Path, demand: str, *options: str, status: int = 2) -> str:
    file = tmp_path / "demand.csv"
    file.write_text(demand, encoding="utf-8")
    done = hubfit("plan", str(file), "--source", "snapshot", "--catalogs", str(site), *options)
    assert done.returncode == status, done.stdout
    assert not done.stdout
    assert "Traceback" not in done.stderr
    [said] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return said


@pytest.mark.parametrize(
    ("text", "where", "what", "remedy"),
    [
        ("", "demand.csv: ", "is empty", f"begin it with {HEAD}"),
        (HEAD, "demand.csv: ", "has a header and no rows", "write a line for each use"),
        (f"{HEAD},gpu\n{GOOD},x", "demand.csv line 1: ", "column gpu is unknown", f"the columns are {HEAD}"),
        ("model_id,context_tokens\nx/y,1", "demand.csv line 1: ", "concurrent_sequences is missing", "the columns are"),
        (f"{HEAD}\nx/y,bf17,1,1,,", "demand.csv line 2: ", "(got bf17)", 'hubfit sql "FROM precisions"'),
        (f"{HEAD}\nx/y,bf-16,1,1,,", "demand.csv line 2: ", "(got bf-16)", "did you mean bf16?"),
        (HEAD.replace(",", ";"), "demand.csv line 1: ", "between semicolons", "save it as CSV UTF-8 with commas"),
        (f"{HEAD}\n{GOOD}\n{GOOD}".replace(",", "\t"), "demand.csv line 1: ", "between tabs", "with commas"),
        (f"{HEAD}\n# ours\nx y,,1,1,,", "demand.csv line 3: ", "model_id has characters", "as the Hub does"),
        (f"{HEAD}\n,,1,1,,", "demand.csv line 2: ", "model_id must not be empty", "owner/name"),
        (f"{HEAD}\n{GOOD}\nno/body,,1,1,,", "demand.csv line 3: ", "not_in_snapshot", "corrected or removed"),
        (f"{HEAD}\nx/y,,8k,1,,", "demand.csv line 2: ", "context_tokens must be a whole number", "such as 8192"),
        (f"{HEAD}\nx/y,,8192,,,", "demand.csv line 2: ", "concurrent_sequences must not be empty", "such as 16"),
        (f"{HEAD}\nx/y,,8192,-1,,", "demand.csv line 2: ", "concurrent_sequences must be > 0", "such as 16"),
        (
            f"{HEAD}\nx/y,,8192,1,-3,",
            "demand.csv line 2: ",
            "min_tokens_per_second must be > 0",
            "or nothing where none",
        ),
        (f"{HEAD}\nx/y,,8192,1,,0", "demand.csv line 2: ", "replicas must be > 0", "or nothing for one"),
        (f"{HEAD}\n{GOOD}\n{GOOD}", "demand.csv line 3: ", "is on line 2 too", "how many replicas"),
    ],
)
def test_a_demand(text: str, where: str, what: str, remedy: str, tmp_path: Path, site: Path) -> None:
    said = message(tmp_path, site, text)
    assert where in said
    assert what in said
    assert remedy in said


@pytest.mark.parametrize(
    ("text", "where", "what", "remedy"),
    [
        ("", "ours.csv: ", "is empty", "leave --inventory out"),
        ("gpu,devices", "ours.csv: ", "no rows", "leave --inventory out"),
        ("gpu,devices,room\nnvidia-l4-24gb,1,2", "ours.csv line 1: ", "column room", "the columns are gpu,devices"),
        ("gpu,devices\nnvidia-l4-24gb,-1", "ours.csv line 2: ", "devices must be >= 0", "such as 4"),
        ("gpu,devices\nnvidia-l4-24gb,some", "ours.csv line 2: ", "devices must be a whole number", "such as 4"),
        ("gpu,devices\nnvidia-l4-24gb,1\nnvidia-l4-24gb,2", "ours.csv line 3: ", "gpu must be unique", "into one line"),
        ("gpu;devices\nnvidia-l4-24gb;1", "ours.csv line 1: ", "between semicolons", "as CSV UTF-8 with commas"),
        ("gpu,devices\nnvidia-l4-24gb", "ours.csv line 2: ", "has 1 cell, the header has 2", ""),
        ("gpu,devices\nL4,1", "ours.csv line 2: ", "gpu_id of the catalog", "(got L4); did you mean nvidia-l4-24gb?"),
        # ours has it, the site's own list has not
        ("gpu,devices\nnvidia-rtx-4090-24gb,1", "ours.csv line 2: ", "(got nvidia-rtx-4090-24gb)", "a gpus.csv of"),
    ],
)  # fmt: skip
def test_an_inventory(text: str, where: str, what: str, remedy: str, tmp_path: Path, site: Path) -> None:
    (tmp_path / "ours.csv").write_text(text, encoding="utf-8")
    said = message(tmp_path, site, f"{HEAD}\n{GOOD}\n", "--inventory", str(tmp_path / "ours.csv"))
    assert where in said
    assert what in said
    assert remedy in said


@pytest.mark.parametrize(
    ("file", "content", "what"),
    [
        ("demand.csv", b"PK\x03\x04" + bytes(99), "demand.csv: is a spreadsheet"),
        ("demand.csv", f"{HEAD}\n{GOOD}\n".encode("utf-16"), "demand.csv: is UTF-16"),
        ("demand.csv", f"{HEAD}\n{GOOD}\0".encode(), "demand.csv line 2: is binary"),
        ("site/inventory.csv", "gpu,devices\nnvidia-l4-24gb,1\n".encode("utf-16"), "inventory.csv: is UTF-16"),
        ("site/prices.csv", PRICES[0].replace(",", ";").encode(), "prices.csv line 1: has cells between semicolons"),
        ("site/gpus.csv", b"PK\x03\x04" + bytes(99), "gpus.csv: is a spreadsheet"),
    ],
)
def test_files_of_a_spreadsheet(file: str, content: bytes, what: str, tmp_path: Path, site: Path) -> None:
    """What people save instead of CSV is one message that says how to save it."""
    (tmp_path / "demand.csv").write_text(f"{HEAD}\n{GOOD}\n", encoding="utf-8")
    (tmp_path / file).write_bytes(content)
    done = hubfit("plan", tmp_path / "demand.csv", "--source", "snapshot", "--catalogs", site)
    assert done.returncode == 2
    [said] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert what in said
    assert said.endswith("; save it as CSV UTF-8 with commas")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("header", "row", "what", "remedy"),
    [
        (f"{PRICES[0]},currency", f"{OFFER},EUR", "line 1: column currency is unknown", DOLLARS),
        (PRICES[0].replace("usd_per_gpu_hour", "price_eur"), OFFER, "line 1: column price_eur", DOLLARS),
        (PRICES[0], OFFER.replace("0.5", "€2.10"), NO_NUMBER, DOLLARS),
        (PRICES[0], OFFER.replace("0.5", '"2,10"'), NO_NUMBER, DOLLARS),
        (PRICES[0], OFFER.replace("0.5", "-2.1"), "line 2: usd_per_gpu_hour must be > 0", "(got -2.1)"),
        (PRICES[0], OFFER.replace("l4-24gb", "l4-48gb"), "line 2: gpu must be found in", "add the device there"),
        (PRICES[0], f"{OFFER}\n{OFFER}", "line 3: gpu + kind", "is on line 2 too"),
    ],
)  # fmt: skip
def test_prices_of_a_site(header: str, row: str, what: str, remedy: str, tmp_path: Path, site: Path) -> None:
    (site / "prices.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    said = message(tmp_path, site, f"{HEAD}\n{GOOD}\n")
    assert f"prices.csv {what}" in said
    assert remedy in said


def test_devices_of_a_site_replace_ours_but_not_each_other(tmp_path: Path, site: Path) -> None:
    """An L4 with 48 GiB is the site's own business; two of them are not."""
    [l4] = [row for row in GPUS if row.startswith("nvidia-l4-24gb,")]
    (site / "gpus.csv").write_text(f"{GPUS[0]}\n{l4}\n{l4}\n", encoding="utf-8")
    said = message(tmp_path, site, f"{HEAD}\n{GOOD}\n")
    assert "gpus.csv line 3: gpu_id must be unique (nvidia-l4-24gb is on line 2 too)" in said
    names = GPUS[0].split(",")
    cells = dict(zip(names, l4.split(","), strict=False))
    larger = l4.replace(f",{cells['memory_gib_nominal']},{cells['memory_mib_driver']},", ",48,49140,", 1)
    assert larger != l4
    (site / "gpus.csv").write_text(f"{GPUS[0]}\n{larger}\n", encoding="utf-8")
    (site / "prices.csv").write_text(f"{PRICES[0]}\n{OFFER}\n", encoding="utf-8")
    (tmp_path / "demand.csv").write_text(f"{HEAD}\n{GOOD}\n", encoding="utf-8")
    done = hubfit("plan", str(tmp_path / "demand.csv"), "--source", "snapshot", "--catalogs", str(site))
    assert done.returncode == 0, done.stderr
    assert "rent 1 x nvidia-l4-24gb of here" in done.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--no-rent", "--no-buy"), "renting would do"),
        (("--budget", "0"), "the budget stands in the way: "),
        (("--budget", "0.01", "--watts", "1"), "budget and power together stand in the way"),
    ],
)
def test_what_cannot_be_says_what_would_do(options: tuple[str, ...], words: str, tmp_path: Path, site: Path) -> None:
    said = message(tmp_path, site, f"{HEAD}\n{GOOD}\n", *options, status=1)
    assert "no plan: " in said
    assert words in said


def test_a_demand_of_too_many_kinds_is_split(tmp_path: Path, site: Path) -> None:
    rows = "\n".join(f"openai-community/gpt2,bf16,{100 + number},8,," for number in range(64))
    said = message(tmp_path, site, f"{HEAD}\n{rows}\n")
    assert "256 different contexts and concurrencies" in said
    assert "split the file" in said


def test_a_demand_of_too_many_lines_is_split(tmp_path: Path, site: Path) -> None:
    rows = "\n".join(f"openai-community/gpt2,bf16,{100 + number},1,," for number in range(201))
    assert "has 201 lines, and one plan has room for 200; split the file" in message(
        tmp_path, site, f"{HEAD}\n{rows}\n"
    )


def test_a_context_beyond_the_models_own_is_not_cut_in_silence(tmp_path: Path, site: Path) -> None:
    said = message(tmp_path, site, f"{HEAD}\nopenai-community/gpt2,bf16,1025,1,,\n")
    assert "line 2: openai-community/gpt2 stops at 1,024 tokens and 1,025 are asked for; shorten the context" in said
