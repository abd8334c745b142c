"""Lists of model ids: what is an id, what is a bad entry, what is a bad file."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import catalogs
from catalogs import model_list


def listed(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def parquet(frame: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.write_parquet(file)
    return file.getvalue()


def test_a_text_list(tmp_path: Path) -> None:
    text = "\ufeff# models\r\n\r\n  meta-llama/Llama-3.1-8B \r\ngpt2 # canonical\rQwen/Qwen3-8B\ngpt2\n"
    found = catalogs.model_ids(listed(tmp_path, "a.txt", text))
    assert found.ids == ("meta-llama/Llama-3.1-8B", "gpt2", "Qwen/Qwen3-8B")
    assert found.rejected == ()


@pytest.mark.parametrize(
    "model_id",
    [
        "gpt2",
        "google/gemma-3-270m",
        "01-ai/Yi-1.5-34B",
        "_a/b_",
        "a/" + "b" * 96,
        "0",
        "TheBloke/Llama-2-7B.Q4_K_M",
    ],
)
def test_ids_as_the_hub_takes_them(tmp_path: Path, model_id: str) -> None:
    assert catalogs.model_ids(listed(tmp_path, "a.txt", model_id)).ids == (model_id,)


@pytest.mark.parametrize(
    ("entry", "text", "reason"),
    [
        ("a/b/c", "a/b/c", "has more than one '/'"),
        ("/b", "/b", "is not owner/name"),
        ("a/", "a/", "is not owner/name"),
        ("https://example.org/a/b", "https://example.org/a/b", "is an address, not owner/name"),
        ("a/b--c", "a/b--c", "contains '--' or '..'"),
        ("../etc", "../etc", "contains '--' or '..'"),
        ("a/b.git", "a/b.git", "ends with .git"),
        ("-a/b", "-a/b", "has a part that starts or ends with '-' or '.'"),
        ("a/b.", "a/b.", "has a part that starts or ends with '-' or '.'"),
        ("a/" + "b" * 97, "a/" + "b" * 97, "has a part longer than 96 characters"),
        ("a/b c", "a/b c", "has characters beyond letters, digits, '_', '.' and '-'"),
        ("a/b?", "a/b?", "has characters beyond letters, digits, '_', '.' and '-'"),
        ("a/b\x1b[31m", "a/b\\x1b[31m", "has characters beyond letters, digits, '_', '.' and '-'"),
        ("a/é", "a/é", "has characters beyond ASCII letters, digits, '_', '.' and '-'"),
        (
            "a/b\u202ec",
            "a/b\\u202ec",
            "has characters beyond ASCII letters, digits, '_', '.' and '-'",
        ),
        ("x" * 500, "x" * 120 + "…", "has a part longer than 96 characters"),
    ],
)
def test_bad_entries_are_recorded(tmp_path: Path, entry: str, text: str, reason: str) -> None:
    path = listed(tmp_path, "a.txt", f"gpt2\n\n{entry}\n")
    found = catalogs.model_ids(path)
    assert found.ids == ("gpt2",)
    assert found.rejected == (catalogs.BadEntry(text, reason, str(path), 3),)


def test_lists_are_merged_in_order(tmp_path: Path) -> None:
    one = listed(tmp_path, "one.txt", "b/b\na/a\n")
    two = listed(tmp_path, "two.csv", "rank,model_id\n1,c/c\n2,a/a\n3,\n4,no good\n")
    found = catalogs.model_ids(one, str(two), extra=["d/d", " b/b ", "x/y/z", ""])
    assert found.ids == ("b/b", "a/a", "c/c", "d/d")
    assert [(bad.text, bad.line) for bad in found.rejected] == [("no good", 5), ("x/y/z", 3), ("", 4)]


def test_ids_alone(tmp_path: Path) -> None:
    assert catalogs.model_ids(extra=["gpt2"]).ids == ("gpt2",)
    with pytest.raises(catalogs.CatalogError, match="names no model"):
        catalogs.model_ids(extra=["x/y/z"])
    path = listed(tmp_path, "a.txt", "gpt2")
    assert len(catalogs.model_ids(path, extra=["x/y/z"]).rejected) == 1


def test_csv_with_quotes_and_line_breaks(tmp_path: Path) -> None:
    text = '\ufeffnote,"model_id"\n"two\nlines",a/a\n"x","b/b"\n\nshort\n'
    assert catalogs.model_ids(listed(tmp_path, "a.CSV", text)).ids == ("a/a", "b/b")


def test_parquet(tmp_path: Path) -> None:
    frame = pl.DataFrame({"likes": [3, 2, 1, 0], "model_id": ["a/a", None, "a/a", "b/b/b"]})
    path = listed(tmp_path, "odd[1]*.parquet", parquet(frame))
    found = catalogs.model_ids(path)
    assert found.ids == ("a/a",)
    assert [(bad.text, bad.line) for bad in found.rejected] == [("b/b/b", 4)]
    categories = frame.cast({"model_id": pl.Categorical})
    assert catalogs.model_ids(listed(tmp_path, "c.parquet", parquet(categories))).ids == ("a/a",)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "names no model"),
        ("a.txt", b"# nothing\n\n", "names no model"),
        ("a.txt", b"\nx/y/z\n", r"line 2: names no model \(x/y/z has more than one '/'\)"),
        ("a.txt", b"gpt2\n\x00\n", "line 2: is binary"),
        ("a.txt", b"gpt2\nna\xefve\n", "line 2: is not UTF-8"),
        ("a.txt", "gpt2".encode("utf-16"), "is UTF-16 or UTF-32, not UTF-8; save it as UTF-8 text"),
        ("a.csv", b"", r"line 1: must have one column model_id \(got \)"),
        ("a.csv", b"model_id;likes\n", "line 1: has cells between semicolons instead of commas; save it as CSV"),
        ("a.csv", b"model,likes\n", r"must have one column model_id \(got model, likes\)"),
        ("a.csv", b"PK\x03\x04 a sheet", "is a spreadsheet or an archive, not text; save it as CSV UTF-8 with commas"),
        ("a.csv", b"model_id,model_id\n", "must have one column model_id"),
        ("a.csv", b'model_id\n"gpt2\n', "is not CSV"),
        ("a.csv", b"model_id\n" + b"a" * 200_000, "line 2: is not CSV"),
        ("a.parquet", b"", "is not Parquet"),
        ("a.parquet", b"PAR1" + b"\xff" * 64 + b"PAR1", "is not Parquet"),
        ("a.json", b"[]", r"must be the name of a list, or a \.txt, \.csv or \.parquet file"),
        ("a", b"gpt2", "must be the name of a list"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(catalogs.CatalogError, match=message) as caught:
        catalogs.model_ids(listed(tmp_path, name, content))
    assert caught.value.file == str(tmp_path / name)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pl.DataFrame({"id": ["gpt2"]}), "must have a column model_id"),
        (pl.DataFrame({"model_id": [1]}), r"column model_id must be text \(got Int64\)"),
        (pl.DataFrame({"model_id": [None]}, schema={"model_id": pl.String}), "names no model"),
    ],
)
def test_bad_parquet(tmp_path: Path, frame: pl.DataFrame, message: str) -> None:
    with pytest.raises(catalogs.CatalogError, match=message):
        catalogs.model_ids(listed(tmp_path, "a.parquet", parquet(frame)))


@pytest.mark.parametrize("name", ["gone.txt", "a\0b.txt"])
def test_files_that_are_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(catalogs.CatalogError, match="cannot be read"):
        catalogs.model_ids(f"{tmp_path}/{name}")


def test_a_folder_is_no_list(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(catalogs.CatalogError, match="cannot be read"):
        catalogs.model_ids(tmp_path / "a.txt")


def test_a_pipe_is_no_list(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(catalogs.CatalogError, match="is not a file"):
        catalogs.model_ids(tmp_path / "a.txt")


def test_an_unknown_name() -> None:
    with pytest.raises(catalogs.CatalogError, match=r"lists/no_such_list\.txt: does not exist \(lists: "):
        catalogs.model_ids("no_such_list")


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = listed(tmp_path, "a.txt", "gpt2\n" * 10)
    monkeypatch.setattr(model_list, "LARGEST_FILE_ENTRIES", 9)
    with pytest.raises(catalogs.CatalogError, match="line 10: has more than 9 entries"):
        catalogs.model_ids(path)
    monkeypatch.setattr(model_list, "LARGEST_FILE_BYTES", 49)
    with pytest.raises(catalogs.CatalogError, match="is larger than"):
        catalogs.model_ids(path)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(
        st.binary(max_size=300),
        st.text(max_size=300).map(lambda t: t.encode("utf-8", "surrogatepass")),
        st.text(max_size=300).map(lambda t: b"model_id,x\n" + t.encode("utf-8", "surrogatepass")),
    ),
    suffix=st.sampled_from([".txt", ".csv", ".parquet"]),
)
def test_any_file_is_a_list_or_a_catalog_error(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = listed(tmp_path, f"a{suffix}", content)
    with contextlib.suppress(catalogs.CatalogError):
        found = catalogs.model_ids(path)
        assert found.ids
        assert len(set(found.ids)) == len(found.ids)
        assert all(model_list.id_problem(model_id) is None for model_id in found.ids)
        assert all(bad.text.isprintable() and bad.line >= 1 for bad in found.rejected)
