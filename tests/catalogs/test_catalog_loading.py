"""Reading a catalog: files that are no catalog, what-if folders, references, the digest."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import catalogs
from catalogs.load import OURS, TABLE_BY_NAME
from catalogs.schema import TABLES, Table

WhatIf = Callable[..., Path]


def put(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder


def kv(*lines: str) -> bytes:
    header = "kv_precision,title,bytes_per_element,engines,min_compute_capability,confidence,source,as_of,notes"
    return "\n".join((header, *lines)).encode()


REMEDY = "save it as CSV UTF-8 with commas"
GOOD = "bf16,bfloat16,2,vllm,,high,definition,2026-11-22,"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "kv_precisions.csv: is empty"),
        (b"\n# a comment\n\n", "kv_precisions.csv: is empty"),
        (kv(), "kv_precisions.csv: has a header and no rows"),
        (kv(GOOD).replace(b",source", b""), "kv_precisions.csv line 1: column source is missing"),
        (b"\n" + kv(GOOD).replace(b"title,", b""), "kv_precisions.csv line 2: column title is missing"),
        (
            kv(GOOD).replace(b"title,", b"titel,"),
            "kv_precisions.csv line 1: column titel is unknown (did you mean title?)",
        ),
        (kv(GOOD).replace(b"notes", b"title"), "kv_precisions.csv line 1: column title appears twice"),
        (kv(GOOD, "fp16,half"), "kv_precisions.csv line 3: has 2 cells, the header has 9"),
        (kv(GOOD, '"fp16,half'), "kv_precisions.csv line 3: is not CSV (unexpected end of data)"),
        (
            kv(GOOD, "# note", "", GOOD),
            "kv_precisions.csv line 5: kv_precision must be unique (bf16 is on line 2 too)",
        ),
        (kv(GOOD, "fp16"), "kv_precisions.csv line 3: has 1 cell, the header has 9"),
        (kv(GOOD, GOOD) + b"\xff", f"kv_precisions.csv line 3: is not UTF-8; {REMEDY}"),
        (kv(GOOD, "fp16,\0"), f"kv_precisions.csv line 3: is binary, or UTF-16 without a mark; {REMEDY}"),
        (
            kv(GOOD).decode().encode("utf-16-le"),
            f"kv_precisions.csv line 1: is binary, or UTF-16 without a mark; {REMEDY}",
        ),
        (kv(GOOD).decode().encode("utf-16"), f"kv_precisions.csv: is UTF-16 or UTF-32, not UTF-8; {REMEDY}"),
        (
            "\ufeff".encode("utf-32-be") + kv(GOOD).decode().encode("utf-32-be"),
            f"kv_precisions.csv: is UTF-16 or UTF-32, not UTF-8; {REMEDY}",
        ),
        (b"PK\x03\x04" + bytes(64), f"kv_precisions.csv: is a spreadsheet or an archive, not text; {REMEDY}"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(64),
            f"kv_precisions.csv: is a spreadsheet or an archive, not text; {REMEDY}",
        ),
        (
            b"# ours\n" + kv(GOOD.replace("2", "0,5")).replace(b",", b";"),
            f"kv_precisions.csv line 2: has cells between semicolons instead of commas; {REMEDY}",
        ),
        (
            kv(GOOD, GOOD.replace(",", ";")),
            f"kv_precisions.csv line 3: has cells between semicolons instead of commas; {REMEDY}",
        ),
        (
            b"\xef\xbb\xbf" + kv(GOOD).replace(b",", b'"\t"'),
            f"kv_precisions.csv line 1: has cells between tabs instead of commas; {REMEDY}",
        ),
    ],
)
def test_a_file_that_is_no_catalog(tmp_path: Path, content: bytes, message: str) -> None:
    folder = put(tmp_path, "kv_precisions.csv", content)
    with pytest.raises(catalogs.CatalogError) as caught:
        catalogs.kv_precisions(folder)
    assert str(caught.value) == f"{tmp_path}/{message}"


def test_spreadsheets_are_read(tmp_path: Path) -> None:
    text = "\ufeff" + kv(GOOD, ' fp16 ,"16 ""bit"", half", 2.0 ,vllm,,high,definition,2026-11-22,').decode()
    put(tmp_path, "kv_precisions.csv", text.replace("\n", "\r\n").encode())
    frame = catalogs.kv_precisions(tmp_path)
    assert frame["kv_precision"].to_list() == ["bf16", "fp16"]
    assert frame["title"].to_list() == ["bfloat16", '16 "bit", half']
    assert frame["notes"].to_list() == [None, None]


def test_columns_may_come_in_any_order(tmp_path: Path) -> None:
    lines = (line.split(",") for line in kv(GOOD).decode().splitlines())
    put(tmp_path, "kv_precisions.csv", "\n".join(",".join(reversed(line)) for line in lines).encode())
    assert catalogs.kv_precisions(tmp_path).columns == catalogs.kv_precisions().columns


@pytest.mark.parametrize("name", ["engines", "reserves", "speeds", "links"])
def test_a_site_need_not_say_what_its_constants_are_off_by(tmp_path: Path, name: str) -> None:
    getattr(catalogs, name)().drop("residual").select(TABLE_BY_NAME[name].columns.keys() - {"residual"}).write_csv(
        tmp_path / f"{name}.csv"
    )
    theirs = getattr(catalogs, name)(tmp_path)
    assert theirs["residual"].null_count() == theirs.height
    assert theirs.drop("residual").equals(getattr(catalogs, name)().drop("residual"))


def test_workloads_of_before_a_column_was_there(tmp_path: Path) -> None:
    """A site that wrote its file when there were neither links to hosts nor predictions."""
    new = ("host_link_gb_per_s", "speculative_tokens", "acceptance")
    ours = pl.read_csv(OURS / "workloads.csv", infer_schema=False)
    ours.drop(new).write_csv(tmp_path / "workloads.csv")
    read = catalogs.workloads(tmp_path)
    assert read.drop(new).equals(catalogs.workloads().drop(new))
    assert read.select(new).null_count().row(0) == (read.height,) * 3


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "gpus.csv").mkdir()
    with pytest.raises(catalogs.CatalogError, match=r"gpus\.csv: cannot be read \(Is a directory\)"):
        catalogs.gpus(tmp_path)


def test_a_link_to_nothing_is_not_ignored(tmp_path: Path) -> None:
    (tmp_path / "gpus.csv").symlink_to(tmp_path / "gone.csv")
    with pytest.raises(catalogs.CatalogError, match=r"gpus\.csv: cannot be read \(No such file"):
        catalogs.gpus(tmp_path)


@pytest.mark.parametrize("name", ["nowhere", "a\0b", "file.txt"])
def test_a_what_if_folder_that_is_none(tmp_path: Path, name: str) -> None:
    put(tmp_path, "file.txt", b"")
    with pytest.raises(catalogs.CatalogError, match="is not a folder"):
        catalogs.validate(f"{tmp_path}/{name}")


def test_a_what_if_folder_without_a_catalog(tmp_path: Path) -> None:
    put(tmp_path, "GPU.csv", b"")
    with pytest.raises(catalogs.CatalogError, match=r"holds none of gpus\.csv, precisions\.csv"):
        catalogs.digest(tmp_path)


def test_a_what_if_replaces_file_by_file(what_if: WhatIf) -> None:
    folder = what_if("gpus", ("nvidia-h100-sxm-80gb", {"memory_gib_nominal": "160", "memory_gib_runtime": "158"}))
    assert catalogs.gpus(folder)["visible_bytes"].to_list() == [158 * 2**30]
    assert catalogs.precisions(folder).equals(catalogs.precisions())
    assert catalogs.gpus().height > 200


def test_our_prices_of_devices_that_a_site_lacks_are_left_out(what_if: WhatIf) -> None:
    folder = what_if("gpus", ("nvidia-h100-sxm-80gb", {}))
    assert set(catalogs.prices(folder)["gpu"]) == {"nvidia-h100-sxm-80gb"}
    # files that no device was needed for stay
    assert set(catalogs.measurements(folder)["gpu"]) == {"nvidia-h100-sxm-80gb", None}
    catalogs.validate(folder)


def test_a_column_that_nobody_reads_any_more(what_if: WhatIf) -> None:
    """A site's file of an older version loads, whatever stands in that column."""
    folder = what_if("engines", ("none", {}))
    file = folder / "engines.csv"
    header, row = file.read_text(encoding="utf-8").splitlines()
    file.write_text(f"rope_table,{header}\nperhaps,{row}\n", encoding="utf-8")
    read = catalogs.engines(folder)
    assert read.height == 1
    assert "rope_table" not in read.columns
    file.write_text(f"rope_tables,{header}\nperhaps,{row}\n", encoding="utf-8")
    with pytest.raises(catalogs.CatalogError, match=r"engines\.csv line 1: column rope_tables is unknown"):
        catalogs.engines(folder)


def test_a_price_for_an_unknown_device(what_if: WhatIf) -> None:
    folder = what_if("prices", ("aws-inferentia1", {}), ("aws-inferentia1", {"gpu": "nvidia-h100"}))
    message = r"prices\.csv line 3: gpu must be found in gpus\.csv as gpu_id \(got nvidia-h100\)"
    with pytest.raises(catalogs.CatalogError, match=message):
        catalogs.validate(folder)


def test_a_price_for_a_device_that_the_same_folder_lacks(what_if: WhatIf) -> None:
    what_if("gpus", ("nvidia-h100-sxm-80gb", {}))
    folder = what_if("prices", ("aws-inferentia1", {}))
    with pytest.raises(catalogs.CatalogError, match=r"prices\.csv line 2: gpu must be found in gpus\.csv"):
        catalogs.prices(folder)


def test_a_price_of_next_year(what_if: WhatIf) -> None:
    """It would be the freshest of all, and no other would be asked."""
    today = datetime.now(UTC).date()
    tomorrow, later = (str(today + timedelta(days=days)) for days in (1, 365))
    folder = what_if("prices", ("aws-inferentia1", {"as_of": tomorrow, "source": "a clock that is ahead"}))
    catalogs.validate(folder)
    folder = what_if("prices", ("aws-inferentia1", {}), ("aws-inferentia1", {"as_of": later, "source": "a slip"}))
    with pytest.raises(
        catalogs.CatalogError, match=rf"prices\.csv line 3: as_of must not lie in the future \(got {later}\)"
    ):
        catalogs.validate(folder)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"engine": "exllama"}, r"engine must be found in engines\.csv as engine \(got exllama\)"),
        ({"kv_precision": "int2"}, r"kv_precision must be found in kv_precisions\.csv as kv_precision \(got int2\)"),
    ],
)
def test_a_workload_that_names_what_is_not_there(what_if: WhatIf, changes: dict[str, str], rule: str) -> None:
    folder = what_if("workloads", ("chat-8k", changes))
    with pytest.raises(catalogs.CatalogError, match=rf"workloads\.csv line 2: {rule}"):
        catalogs.validate(folder)


def test_constants_of_an_engine_without_a_reserve(what_if: WhatIf) -> None:
    """Whichever of the two files is the site's: usable memory would be unknown without a word."""
    folder = what_if("engines", ("none", {}), ("sglang", {"version_range": "0.6"}))
    rule = r"version_range must be found in reserves\.csv as version_range for its engine \(got 0\.6\)"
    with pytest.raises(catalogs.CatalogError, match=rf"engines\.csv line 3: {rule}"):
        catalogs.engines(folder)
    what_if("reserves", ("sglang", {"version_range": "0.6", "below_gib": ""}))
    assert set(catalogs.engines(folder)["version_range"]) == {"any", "0.6"}


def test_the_digest_depends_on_content_alone(tmp_path: Path) -> None:
    ours = catalogs.digest()
    assert len(ours) == 64
    assert ours == catalogs.digest()
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        shutil.copy(OURS / "gpus.csv", folder)
    assert catalogs.digest(first) == catalogs.digest(second) == ours
    put(second, "notes.txt", b"no catalog")
    assert catalogs.digest(second) == ours


def test_the_digest_changes_with_what_is_to_be_served(tmp_path: Path) -> None:
    """An unfinished night with another demand is not resumed."""
    found = set()
    for demand in (None, "model_id\na\n", "model_id\nb\n"):
        if demand:
            (tmp_path / "demand.csv").write_text(demand, encoding="utf-8")
        found.add(catalogs.digest(tmp_path if demand else None))
    (tmp_path / "inventory.csv").write_text("gpu,count\n", encoding="utf-8")
    found.add(catalogs.digest(tmp_path))
    assert len(found) == 4


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_digest_changes_with_every_file(tmp_path: Path, table: Table) -> None:
    file = table.file
    put(tmp_path, file, (OURS / file).read_bytes() + b"# looked at again\n")
    assert catalogs.digest(tmp_path) != catalogs.digest()


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    put(tmp_path, "kv_precisions.csv", kv(GOOD))
    assert catalogs.kv_precisions(tmp_path)["bytes_per_element"].to_list() == [2]
    put(tmp_path, "kv_precisions.csv", kv(GOOD.replace(",2,", ",1,")))
    assert catalogs.kv_precisions(tmp_path)["bytes_per_element"].to_list() == [1]


SCORES = b"model_id,score\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"model_id\na/b\n", "scores.csv line 1: column score is missing"),
        (b"model_id,scores\na/b,1\n", "scores.csv line 1: column scores is unknown (did you mean score?)"),
        (
            b"model_id,score,elo\na/b,1,2\n",
            "scores.csv line 1: column elo is unknown (known are model_id, score, benchmark, source, as_of)",
        ),
        (SCORES + b"a/b,1\nb/c,\n", "scores.csv line 3: score must not be empty"),
        (SCORES + b"a/b,1\n,2\n", "scores.csv line 3: model_id must not be empty"),
        (SCORES + b"a/b,1\n\na/b,2\n", "scores.csv line 4: model_id must be unique (a/b is on line 2 too)"),
        (SCORES + b"a/b,NaN\n", "scores.csv line 2: score must be a finite number (got NaN)"),
        (SCORES + b"a/b,1e999\n", "scores.csv line 2: score must be a finite number (got 1e999)"),
    ],
)
def test_scores_that_are_none(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(catalogs.CatalogError) as caught:
        catalogs.validate(put(tmp_path, "scores.csv", content))
    assert str(caught.value) == f"{tmp_path}/{message}"


def test_scores_are_a_catalog_of_two_columns_or_of_none(tmp_path: Path) -> None:
    assert catalogs.scores().height == 0, "we have none that would be fair to all"
    assert catalogs.scores(put(tmp_path, "scores.csv", SCORES)).height == 0
    scores = catalogs.scores(put(tmp_path, "scores.csv", SCORES + b"a/b,-1.5\nc/d,2e3\n"))
    assert scores.select("model_id", "score").rows() == [("a/b", -1.5), ("c/d", 2000)]
    assert scores.schema == catalogs.scores().schema


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda t: kv(GOOD, t))))
def test_any_file_is_a_catalog_or_a_catalog_error(tmp_path: Path, content: bytes) -> None:
    put(tmp_path, "kv_precisions.csv", content)
    with contextlib.suppress(catalogs.CatalogError):
        assert catalogs.kv_precisions(tmp_path).height >= 1
