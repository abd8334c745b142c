"""What the documents say is what the code does."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from flows import inputs, pipeline, publication
from flows.cli import app
from flows.settings import Settings

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("data")
    settings = Settings(data=data)
    this = pipeline.begin(settings, "snapshot", [], ["openai-community/gpt2"], None, fresh=True)
    return pipeline.run(this, inputs.open_source("snapshot", settings)) / publication.DATABASE


def generator(name: str = "generate") -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_dictionary_is_the_one_in_the_file(database: Path) -> None:
    """Regenerate with `make docs`."""
    assert generator().dictionary(database) == (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")


def test_the_coverage_page_is_what_dialects_and_goldens_say() -> None:
    """Regenerate with `make docs`."""
    assert generator("coverage").document() == (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")


def test_every_command_of_the_readme_and_operations_exists() -> None:
    known = {command.callback.__name__ for command in app.registered_commands if command.callback}
    for name in ("README.md", "docs/operations.md"):
        used = set(
            re.findall(r"(?:^    |`)hubfit (\w+)", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE)
        )
        assert used
        assert used <= known, name


def test_columns_named_by_the_method_exist(database: Path) -> None:
    tables = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    columns = set(re.findall(r"^\| `(\w+)` \|", tables, flags=re.MULTILINE))
    for name in (
        "parameters_conflict",
        "active_parameters",
        "mtp_parameters",
        "visible_basis",
        "max_sequences",
        "shape_id",
    ):
        assert name in columns
        assert f"`{name}`" in (ROOT / "docs" / "method.md").read_text(encoding="utf-8")


def readme_queries() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return [query.replace("\\\n", " ") for query in re.findall(r'hubfit sql "([^"]+)"', text)]


def test_the_readme_asks_at_least_five_questions() -> None:
    assert len(readme_queries()) >= 5


@pytest.mark.parametrize("query", readme_queries())
def test_queries_of_the_readme_run(database: Path, query: str) -> None:
    from flows import sql_shell

    columns, _ = sql_shell.ask(database, query)
    assert columns
