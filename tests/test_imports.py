"""The rule of the house: leaves import no sibling, and each outside library has its modules."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"catalogs", "estimator", "flows", "reports"}
MAY_IMPORT_OURS = {"catalogs": set(), "estimator": set(), "reports": set(), "flows": OURS}
LIBRARIES = {
    "catalogs": {"polars"},
    "estimator": {"polars"},
    "reports": {"jinja2", "markupsafe", "xlsxwriter"},
    "flows": {"polars", "typer", "click", "rich", "huggingface_hub", "httpx2", "duckdb", "prefect", "highspy"},
}
# Heavy or sharp libraries stay behind one door each.
DOORS = {
    "huggingface_hub": {"hub.py", "hub_http.py", "hub_bases.py", "hub_list.py"},
    "httpx2": {"hub.py", "hub_http.py", "hub_bases.py", "web.py"},
    "duckdb": {"compare.py", "warehouse.py", "nights.py", "report_rows.py", "sql_shell.py", "check.py", "options.py"},
    "highspy": {"program.py"},
    "xlsxwriter": {"downloads.py"},
    "prefect": {
        "nightly.py",
        "notifications.py",
        "serve.py",
        "schedule.py",
        "scheduled.py",
        "orphans.py",
        "prefect_server.py",
        "prices_flow.py",
    },
}
# What can run code that a file holds. Checkpoints come from strangers: they are read, never unpickled.
UNPICKLERS = {
    "pickle", "_pickle", "pickletools", "shelve", "marshal", "dill", "cloudpickle", "joblib", "torch", "numpy",
}  # fmt: skip
RUNNERS = {"eval", "exec", "compile", "__import__"}
MODULES = sorted(path for package in OURS for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Top-level names of everything a module imports, wherever in the module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_rule(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    names = set(imported(path)) - set(sys.stdlib_module_names)
    assert names & OURS <= MAY_IMPORT_OURS[package] | {package}
    assert names - OURS <= LIBRARIES[package]
    for library, doors in DOORS.items():
        assert library not in names or path.name in doors, f"{path.name} must not import {library}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_ever_unpickled_or_evaluated(path: Path) -> None:
    assert not set(imported(path)) & UNPICKLERS
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name):  # called, or handed on to be called; re.compile is an attribute
            assert node.id not in RUNNERS, f"line {node.lineno}: {node.id}"


def test_the_command_starts_without_prefect() -> None:
    eager = set(imported(ROOT / "flows" / "cli.py"))
    assert "prefect" not in eager


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_stay_small_and_say_what_they_are(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source)), "every module says what it owns"
    assert len(source.splitlines()) <= 350
