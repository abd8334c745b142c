"""Every command and every block of code in the documents runs, or is on a short list with the reason why not."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from blocks import answered, commands, fenced, languages, mentioned
from command import hubfit
from whole_night import DEMAND

import catalogs
from flows import publication

LIVE = "asks the live Hub; tests/flows/test_hub.py and test_nightly.py do so with a local one"
NOT_RUN = {
    "hubfit nightly --list my-models.txt": LIVE,
    "hubfit nightly --list hub:author=Qwen --list hub:top=500": LIVE,
    "hubfit nightly --list my-models.txt --catalogs ours/": LIVE,
    "hubfit nightly --catalogs ours/": LIVE,
    "hubfit prices": "asks live price lists; tests/flows/test_prices_flow.py does so with local ones",
    'hubfit serve --cron "0 3 * * *"': "never ends; tests/flows/test_serve.py ends it",
    "hubfit check openai/gpt-oss-20b --source snapshot --gpu auto": "depends on the machine; tests/flows/local_devices",
    "hubfit plan demand.csv --source snapshot --inventory auto": "the same; tests/flows/procurement/test_owned.py",
    "duckdb -readonly data/published/latest/hubfit.duckdb": "a program of others, and one that waits for people",
    "make audit": "makes an environment of its own",
    "make test": "is who runs this",
}
# What a run here has besides, so that it takes a second.
BESIDES = {"hubfit run --source snapshot --catalogs what-if/ --data what-if/data": ["--model", "openai-community/gpt2"]}
RUN = [command for command in commands() if command not in NOT_RUN]
# Documents whose queries have tests of their own.
ASKED_ELSEWHERE = ("README.md", "docs/sql-cookbook.md")
# Languages of blocks that are read by people, or by programs that are not here.
FOR_OTHERS = {"mermaid", "r", "text"}
CATALOGS = Path(__file__).parents[2] / "catalogs"


@pytest.fixture
def desk(whole_night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as people have it who follow the documents."""
    (tmp_path / "data").symlink_to(whole_night)
    (tmp_path / "demand.csv").write_text(DEMAND, encoding="utf-8")
    (tmp_path / "query.sql").write_text("SELECT count(*) AS models FROM models;\n", encoding="utf-8")
    (tmp_path / "my-finetune").mkdir()
    [config] = [row["config"] for row in catalogs.hub_snapshot() if row["model_id"] == "Qwen/Qwen3-8B"]
    (tmp_path / "my-finetune" / "config.json").write_text(config, encoding="utf-8")
    (tmp_path / "what-if").mkdir()
    shutil.copy(CATALOGS / "gpus.csv", tmp_path / "what-if")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HUBFIT_DATA", raising=False)
    return tmp_path


def test_the_documents_have_commands_and_what_is_not_run_is_in_them() -> None:
    assert len(RUN) + len(answered()) >= 17
    assert set(NOT_RUN) | set(BESIDES) <= set(commands())
    assert len([command for command in RUN if command.startswith("hubfit sql")]) + len(answered()) >= 10


@pytest.mark.parametrize("command", RUN)
def test_every_command_runs(desk: Path, command: str) -> None:
    words = [*shlex.split(command), *BESIDES.get(command, [])]
    redirected = words.index("<") if "<" in words else None
    if redirected is not None or words[0] != "hubfit":
        program = {"hubfit": [sys.executable, "-m", "flows"], "python": [sys.executable]}[words[0]]
        stdin = (desk / words[redirected + 1]).open("rb") if redirected else None
        done = subprocess.run(
            [*program, *words[1:redirected]], stdin=stdin, capture_output=True, text=True, timeout=200, check=False
        )
        if stdin:
            stdin.close()
    else:
        done = hubfit(*words[1:])
    assert done.returncode == 0, done.stderr
    if "-o" in words:
        assert (desk / words[words.index("-o") + 1]).stat().st_size > 0
    else:
        # of a question, a row below the names
        assert len(done.stdout.splitlines()) >= (2 if words[1] == "sql" else 1)


@pytest.mark.parametrize("command", [*(name for name in NOT_RUN if name.startswith("hubfit")), *mentioned()])
def test_commands_that_are_not_run_have_the_options_that_they_name(command: str) -> None:
    """Options are looked at before --help answers."""
    words = [word for word in shlex.split(command) if not word.startswith("…")]
    done = hubfit(*words[1:], "--help")
    assert done.returncode == 0, done.stderr


def test_commands_in_services_and_schedules_have_the_options_that_they_name() -> None:
    text = (CATALOGS.parent / "docs" / "operations.md").read_text(encoding="utf-8")
    found = re.findall(r"/bin/hubfit ([^`\n]+)", text)
    assert len(found) == 2
    for options in found:
        done = hubfit(*shlex.split(options.rstrip(".`")), "--help")
        assert done.returncode == 0, done.stderr


def test_every_block_has_a_language_that_is_run_or_is_for_others() -> None:
    assert languages() == {"sql", "python"} | FOR_OTHERS


@pytest.mark.parametrize(("document", "block"), fenced("python"))
def test_every_block_of_python_runs(desk: Path, document: str, block: str) -> None:
    done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_readme_answers_five_questions() -> None:
    assert len(answered()) == 5


@pytest.mark.parametrize(("query", "answer"), answered())
def test_every_answer_of_the_readme_is_the_one_that_is_printed(desk: Path, query: str, answer: str) -> None:
    done = hubfit("sql", query)
    assert done.returncode == 0, done.stderr
    assert [line.rstrip() for line in done.stdout.splitlines()] == answer.splitlines()


@pytest.mark.parametrize(
    ("document", "block"), [one for one in fenced("sql") if one[0] not in ("README.md", "docs/sql-cookbook.md")]
)
def test_every_block_of_sql_runs_in_a_shell_of_duckdb(desk: Path, document: str, block: str) -> None:
    """The night before is the same one here: nothing differs."""
    database = publication.latest_database(desk / "data")
    shutil.copy(database, desk / "before.duckdb")
    asked = re.sub(r"data/published/[^/]+/hubfit\.duckdb", "before.duckdb", block)
    with duckdb.connect(str(database), read_only=True) as connection:
        result = connection.execute(asked)
        assert [column[0] for column in result.description or []]
        assert result.fetchall() == []
