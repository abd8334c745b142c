"""What changed between two nights, against a comparison of everything that both files say."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from eventful import FORMATS, GPUS, LARGE, SMALL
from two_nights import Night, answer_of, compared, night_file, rows_of

from flows.changes.compare import compare

# every verdict of both files by names, where a model, format, workload and device of one name is in both
ALL = """
SELECT n.model_id, precision, workload, gpu, b.verdict::VARCHAR, b.gpus_needed, n.verdict::VARCHAR, n.gpus_needed
FROM fit n JOIN before.fit b USING (precision, workload, gpu)
JOIN renamed r ON r.after = n.model_id AND r.before = b.model_id
WHERE (n.verdict::VARCHAR, n.gpus_needed) IS DISTINCT FROM (b.verdict::VARCHAR, b.gpus_needed)
ORDER BY ALL
"""
SAID = """
SELECT model_id, precision, workload, gpu, verdict_before::VARCHAR, gpus_before, verdict_after::VARCHAR, gpus_after
FROM verdict_changes ORDER BY ALL
"""


def asked(file: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(query).fetchall()


def differing(files: tuple[Path, Path], names: dict[str, str]) -> list[tuple[Any, ...]]:
    """Every verdict that the two files say differently; `names` are models of both, then and now."""
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"ATTACH '{files[0]}' AS before (READ_ONLY); ATTACH '{files[1]}' AS after (READ_ONLY)")
        connection.execute("CREATE TABLE memory.main.renamed (before VARCHAR, after VARCHAR)")
        connection.executemany("INSERT INTO memory.main.renamed VALUES (?, ?)", list(names.items()))
        connection.execute("USE after")
        return connection.execute(ALL.replace("JOIN renamed", "JOIN memory.main.renamed")).fetchall()


NAMES = {SMALL: SMALL, LARGE: LARGE, "old/name": "new/name"}


def test_every_verdict_that_differs_is_told_and_no_other(files: tuple[Path, Path]) -> None:
    told = asked(files[1], SAID)
    assert told == differing(files, NAMES)
    assert len({model for model, *_ in told}) == 3
    assert {gpu for _, _, _, gpu, *_ in told} == {"nvidia-l4-24gb", "nvidia-h100-sxm-80gb"}


def test_each_verdict_names_its_cause(files: tuple[Path, Path]) -> None:
    """Nothing but the L4 is another device, and nothing but the large model has other weights."""
    causes = "SELECT DISTINCT model_id, gpu, cause FROM verdict_changes WHERE precision {} 'stored' ORDER BY ALL"
    found = asked(files[1], causes.format("<>"))
    assert found == [
        (SMALL, "nvidia-l4-24gb", "catalog"),
        (LARGE, "nvidia-h100-sxm-80gb", "model"),
        (LARGE, "nvidia-l4-24gb", "model or catalog"),
        ("new/name", "nvidia-l4-24gb", "catalog"),
    ]
    # bf16 is no format of the second night, and the small models are stored in it
    found = asked(files[1], causes.format("="))
    assert (SMALL, "nvidia-h100-sxm-80gb", "catalog") in found


def test_what_became_of_the_models(files: tuple[Path, Path]) -> None:
    found = asked(
        files[1],
        "SELECT model_id, change, detail, before, after, cause FROM model_changes"
        " WHERE change NOT IN ('metadata', 'parameters') ORDER BY ALL",
    )
    assert found == [
        (LARGE, "revision", None, answer_of(LARGE).revision, "f" * 40, "model"),
        ("fails/now", "failed", "no such repository", None, "not_found", "model"),
        ("gone/model", "removed", None, None, None, "model"),
        ("new/name", "renamed", "on the list", "old/name", "new/name", "model"),
        ("quite/new", "added", None, None, None, "model"),
        ("was/away", "recovered", None, "not_found", None, "model"),
    ]


def test_what_is_said_of_the_models(files: tuple[Path, Path]) -> None:
    found = asked(
        files[1],
        "SELECT model_id, change, detail, before, after FROM model_changes WHERE change IN ('metadata', 'parameters')"
        " AND detail IN ('license', 'parameters', 'layers') ORDER BY ALL",
    )
    assert found == [
        (SMALL, "metadata", "license", "apache-2.0", "mit"),
        (LARGE, "metadata", "layers", "36", "80"),
        (LARGE, "metadata", "license", "apache-2.0", "llama3.1"),
        (LARGE, "parameters", "parameters", "8190735360", "70553706496"),
    ]


def test_rows_and_cells_of_catalogs(files: tuple[Path, Path]) -> None:
    found = asked(
        files[1],
        "SELECT catalog, entry, field, before, after FROM catalog_changes"
        " WHERE field IS NULL OR field IN ('notes', 'memory_gib_nominal') ORDER BY ALL",
    )
    assert found == [
        ("gpus", "nvidia-h100-sxm-80gb", "notes", rows_of("gpus", GPUS[2])[0]["notes"] or None, "seen again"),
        ("gpus", "nvidia-h200-sxm-141gb", None, None, "listed"),
        ("gpus", "nvidia-l4-24gb", "memory_gib_nominal", "24.0", "1.0"),
        ("gpus", "nvidia-rtx-4090-24gb", None, "listed", None),
        ("precisions", "bf16", None, "listed", None),
        ("precisions", "fp8_e4m3_block128", None, None, "listed"),
    ]


def test_prices_that_moved(files: tuple[Path, Path]) -> None:
    """The L4 is not sold any more; of the H100 the cheapest of one kind is left."""
    of_l4 = "gpu = 'nvidia-l4-24gb' AND kind = 'on_demand'"
    [(before,)] = asked(files[0], f"SELECT min(usd_per_gpu_hour) FROM prices WHERE gpu_count >= 1 AND {of_l4}")
    found = asked(
        files[1],
        f"SELECT usd_before, usd_after FROM price_changes WHERE {of_l4}",
    )
    assert found == [(before, None)]


def test_all_of_it_in_one_view(files: tuple[Path, Path]) -> None:
    counts = dict(asked(files[1], "SELECT change, count(*) FROM changes GROUP BY ALL"))
    assert counts["verdict"] == len(asked(files[1], SAID))
    assert counts["catalog"] == asked(files[1], "SELECT count(*) FROM catalog_changes")[0][0]
    assert counts["price"] == asked(files[1], "SELECT count(*) FROM price_changes")[0][0]
    assert {"added", "removed", "failed", "recovered", "renamed", "revision", "metadata", "parameters"} < counts.keys()
    [words] = asked(
        files[1],
        "SELECT before, after, cause FROM changes WHERE change = 'verdict' AND model_id = 'Qwen/Qwen3-0.6B'"
        " AND gpu = 'nvidia-l4-24gb' AND precision = 'stored' AND workload = 'min-8k'",
    )
    assert words[0] == "fits"
    assert words[2] == "catalog"


def test_what_a_device_runs_otherwise(files: tuple[Path, Path]) -> None:
    """The best way of each night by its own file, where both nights have the format."""
    best = """
        SELECT r.model_id, workload, gpu, arg_min(precision, (o.outcome_ix, k.rank)) AS precision, min(o.outcome_ix)
        FROM fit r
        JOIN internal.outcomes o ON o.verdict = r.verdict AND o.gpus_needed IS NOT DISTINCT FROM r.gpus_needed
        JOIN precision_ranks k USING (precision)
        WHERE o.gpus_needed IS NOT NULL AND k.rank IS NOT NULL
            AND precision IN ('int4_awq_g128', 'gguf_q4_k_m', 'stored') AND gpu <> 'nvidia-rtx-4090-24gb'
        GROUP BY ALL
    """
    then, now = ({row[:3]: row[3:] for row in asked(file, best)} for file in files)
    told = {
        row[:3]: row[3:]
        for row in asked(
            files[1], "SELECT model_id, workload, gpu, change, precision_before, precision_after FROM device_changes"
        )
    }
    assert told
    for (model, workload, gpu), (change, before, after) in told.items():
        was = {after: before for before, after in NAMES.items()}[model]
        assert then.get((was, workload, gpu), (None,))[0] == before
        assert (now.get((model, workload, gpu), (None,))[0] == after) or after == "fp8_e4m3_block128"
        assert (change == "runs no longer") == (after is None)
        assert (change == "runs now") == (before is None)
    gone = [(SMALL, w, g) for (m, w, g) in then if m == SMALL and (SMALL, w, g) not in now]
    assert gone
    assert {told[key][0] for key in gone} == {"runs no longer"}


def test_the_first_night_says_so(tmp_path: Path) -> None:
    file = night_file(tmp_path, "first", Night({SMALL: answer_of(SMALL)}, {"gpus": rows_of("gpus", *GPUS)}))
    compare(file, None)
    assert asked(file, "SELECT previous_run_id, is_compared, reason FROM comparison") == [
        (None, False, "no night was published before")
    ]
    assert asked(file, "SELECT count(*) FROM changes") == [(0,)]


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two nights in which nothing happened."""
    night = Night(
        {SMALL: answer_of(SMALL), LARGE: answer_of(LARGE)},
        {"gpus": rows_of("gpus", *GPUS), "precisions": rows_of("precisions", *FORMATS)},
    )
    return compared(tmp_path_factory.mktemp("quiet"), night, night)


def test_nothing_happened(quiet: tuple[Path, Path]) -> None:
    assert asked(quiet[1], "SELECT is_compared, method_changed, catalogs_changed FROM comparison") == [
        (True, False, False)
    ]
    assert asked(quiet[1], "SELECT count(*) FROM changes") == [(0,)]


def again(quiet: tuple[Path, Path], place: Path, *statements: str) -> tuple[Path, Path]:
    """The quiet nights once more, after statements to the file of the first one."""
    before, after = Path(shutil.copy(quiet[0], place / "b.duckdb")), Path(shutil.copy(quiet[1], place / "a.duckdb"))
    with duckdb.connect(str(before)) as connection:
        for statement in statements:
            connection.execute(statement)
    with duckdb.connect(str(after)) as connection:
        connection.execute("UPDATE comparison SET is_compared = false; DELETE FROM internal.model_pairs")
    compare(after, before)
    return before, after


OLDER = "UPDATE runs SET code_version = 'older'"
# devices and formats of the older night are numbered the other way round
TURNED = (
    "UPDATE gpus SET gpu_ix = 2 - gpu_ix; UPDATE internal.fit SET gpu_ix = 2 - gpu_ix;"
    " UPDATE internal.capacities SET gpu_ix = 2 - gpu_ix; UPDATE internal.supports SET gpu_ix = 2 - gpu_ix"
)
FLIP = (
    "UPDATE internal.fit SET outcome_ix = (SELECT outcome_ix FROM internal.outcomes WHERE verdict = 'too_big')"
    " WHERE shape_ix = 1 AND precision_ix = 2 AND workload_ix IN (0, 3) AND gpu_ix = 1"
)


@pytest.mark.parametrize("statements", [(OLDER, FLIP), (OLDER, FLIP, TURNED)], ids=["numbered alike", "numbered anew"])
def test_another_method(quiet: tuple[Path, Path], tmp_path: Path, statements: tuple[str, ...]) -> None:
    found = asked(again(quiet, tmp_path, *statements)[1], "SELECT verdict_before::VARCHAR, cause FROM verdict_changes")
    assert found == [("too_big", "method")] * 2


def test_without_another_method_nobody_looks(quiet: tuple[Path, Path], tmp_path: Path) -> None:
    """Equal shapes, catalogs and code have equal verdicts: asking would cost as much as the night."""
    assert asked(again(quiet, tmp_path, FLIP)[1], "SELECT count(*) FROM verdict_changes") == [(0,)]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DROP VIEW IF EXISTS requirements; ALTER TABLE internal.outcomes RENAME TO results", "results"),
        ("UPDATE internal.outcomes SET verdict = 'unknown' WHERE verdict = 'too_big'; " + OLDER, None),
    ],
)
def test_a_night_in_another_form(quiet: tuple[Path, Path], tmp_path: Path, statement: str, reason: str | None) -> None:
    _, after = again(quiet, tmp_path, statement)
    [(is_compared, said)] = asked(after, "SELECT is_compared, reason FROM comparison")
    if reason is None:
        assert is_compared
    else:
        assert said.startswith("the previous night cannot be compared with: ")
        assert asked(after, "SELECT count(*) FROM changes") == [(0,)]


def test_a_damaged_file_is_said_to_be_so(quiet: tuple[Path, Path], tmp_path: Path) -> None:
    after = Path(shutil.copy(quiet[1], tmp_path / "a.duckdb"))
    with duckdb.connect(str(after)) as connection:
        connection.execute("UPDATE comparison SET is_compared = false")
    (tmp_path / "b.duckdb").write_bytes(quiet[0].read_bytes()[:20_000])
    compare(after, tmp_path / "b.duckdb")
    [(is_compared, reason)] = asked(after, "SELECT is_compared, reason FROM comparison")
    assert not is_compared
    assert reason.startswith("the previous night cannot be compared with: ")
