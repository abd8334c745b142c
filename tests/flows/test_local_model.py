"""Paths told from ids, and what a model on this machine is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.check_question import Unreadable
from flows.local_model import LocalModel, recognised

REVISION = "b" * 40


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that people are in, with a model that is called like an id and one that is not."""
    home = tmp_path / "home"
    (home / "owner" / "name").mkdir(parents=True)
    (home / "gpt2").mkdir()
    (home / "x.gguf").touch()
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.mark.parametrize("text", ["owner/name", "owner/other", "bert-base", "not an id", "a/b/c", "hub:top=3", ""])
def test_an_id_stays_an_id(text: str) -> None:
    assert recognised(text) == text


def test_an_id_that_is_also_a_folder_says_how_to_mean_the_folder(capfd: pytest.CaptureFixture[str]) -> None:
    recognised("owner/other")
    assert capfd.readouterr().err == ""
    recognised("owner/name")
    assert "say ./owner/name for the one in this folder" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("./owner/name", "name"),
        ("owner/name/", "name"),
        ("owner", "owner"),
        ("gpt2", "gpt2"),
        ("~/gpt2", "gpt2"),
        ("../home/gpt2", "gpt2"),
        (".", "home"),
        ("owner/..", "home"),
        ("x.gguf", "x.gguf"),
        ("./x.gguf", "x.gguf"),
        ("/", "model"),
    ],
)
def test_a_path_is_a_model_of_this_machine_by_the_name_of_its_folder(text: str, name: str) -> None:
    found = recognised(text)
    assert isinstance(found, LocalModel)
    assert (found.name, found.revision) == (name, None)


def test_a_word_that_is_a_folder_here_says_how_to_mean_the_hub(capfd: pytest.CaptureFixture[str]) -> None:
    recognised("gpt2")
    assert "say --model gpt2 for the one of the Hub" in capfd.readouterr().err
    recognised("./gpt2")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("./gone", "./gone: no such file or folder"),
        ("gone.safetensors", "no such file or folder"),
        ("owner/gone.gguf", "for a repository of the Hub say --model owner/gone.gguf"),
        ("/no\x1b[31m/where", r"/no\\x1b\[31m/where: no such file or folder"),
        ("./" + "x" * 5000, "no such file or folder"),
        ("./nul\x00", "no such file or folder"),
        ("~nobody-of-that-name/x", "no such file or folder"),
    ],
)
def test_a_path_that_leads_nowhere_says_so(text: str, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        recognised(text)


def test_the_cache_tells_owner_name_and_revision(place: Path) -> None:
    cached = place / "models--Qwen--Qwen3-8B"
    for name in (REVISION, "c" * 40):
        (cached / "snapshots" / name).mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(REVISION)
    snapshot = LocalModel(cached / "snapshots" / REVISION, "Qwen/Qwen3-8B", REVISION)
    assert recognised("./models--Qwen--Qwen3-8B") == snapshot
    assert recognised(str(cached / "snapshots" / REVISION)) == snapshot
    assert recognised(f"models--Qwen--Qwen3-8B/snapshots/{'c' * 40}/") == LocalModel(
        cached / "snapshots" / ("c" * 40), "Qwen/Qwen3-8B", "c" * 40
    )
    (place / "linked").symlink_to(snapshot.path)
    assert recognised("./linked") == snapshot


@pytest.mark.parametrize("main", ["../../..", "d" * 40, "", "\xff"])
def test_a_branch_that_leads_nowhere_leaves_the_snapshots(place: Path, main: str) -> None:
    cached = place / "models--gpt2"
    (cached / "snapshots" / REVISION).mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(main, encoding="latin-1")
    assert recognised("./models--gpt2") == LocalModel(cached / "snapshots" / REVISION, "gpt2", REVISION)


def test_a_cache_without_snapshots_is_a_folder_like_any_other(place: Path) -> None:
    (place / "models--a--b").mkdir()
    assert recognised("./models--a--b") == LocalModel(place / "models--a--b", "a/b")


def test_links_in_a_circle_are_nothing(place: Path) -> None:
    (place / "a").symlink_to("b")
    (place / "b").symlink_to("a")
    with pytest.raises(Unreadable, match="no such file or folder"):
        recognised("./a")


def test_a_name_is_safe_to_print(place: Path) -> None:
    (place / "red\x1b[31m[bold]").mkdir()
    found = recognised("./red\x1b[31m[bold]")
    assert isinstance(found, LocalModel)
    assert found.name == "red\ufffd[31m[bold]"
