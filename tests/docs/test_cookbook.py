"""Every question of the cookbook has an answer, with our programs and with nothing of ours installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from blocks import Recipe, recipes

from flows import nights, publication

RECIPES = list(recipes())


def test_the_cookbook_has_the_questions_that_people_ask() -> None:
    assert len({recipe.question for recipe in RECIPES}) == len(RECIPES) >= 25
    assert [recipe.question for recipe in RECIPES if recipe.is_empty] == [
        "What is in the files? Tensor types of each set of weights"
    ]


@pytest.mark.parametrize("recipe", RECIPES, ids=[recipe.question for recipe in RECIPES])
def test_every_question_has_its_answer(whole_night: Path, recipe: Recipe) -> None:
    with nights.latest(whole_night) as night:
        answer = night.sql(recipe.query)
    assert answer.columns == recipe.columns
    assert answer.is_empty() == recipe.is_empty


def test_rows_come_in_an_order_that_is_said() -> None:
    """Whoever compares two nights, or pages through an answer, needs it."""
    assert [recipe.question for recipe in RECIPES if "ORDER BY" not in recipe.query] == []


def test_nothing_of_ours_is_needed(whole_night: Path, tmp_path: Path) -> None:
    """Only duckdb can be imported, and HOME is empty: no extension, no setting, no function of ours."""
    packages = tmp_path / "packages"
    packages.mkdir()
    installed = Path(duckdb.__file__).parents[1]
    for found in (installed / "duckdb", *installed.glob("_duckdb*.so"), *installed.glob("duckdb-*.dist-info")):
        (packages / found.name).symlink_to(found)
    program = (
        "import json, sys\n"
        "sys.path.append(sys.argv[1])\n"
        "import duckdb\n"
        "connection = duckdb.connect(sys.argv[2], read_only=True)\n"
        "answers = []\n"
        "for query in json.load(sys.stdin):\n"
        "    result = connection.execute(query)\n"
        "    answers.append([[column[0] for column in result.description], len(result.fetchall())])\n"
        "ours = [name for name in ('flows', 'polars', 'numpy', 'rich') if name in sys.modules]\n"
        "print(json.dumps([answers, ours]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(packages), str(publication.latest_database(whole_night))],
        input=json.dumps([recipe.query for recipe in RECIPES]),
        capture_output=True, text=True, check=False, cwd=tmp_path, env={"HOME": str(tmp_path / "nobody")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers, ours = json.loads(done.stdout.splitlines()[-1])
    assert [columns for columns, _ in answers] == [recipe.columns for recipe in RECIPES]
    assert [rows == 0 for _, rows in answers] == [recipe.is_empty for recipe in RECIPES]
    assert ours == []
