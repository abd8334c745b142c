"""What the documents say is what the code does."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from flows import publication

ROOT = Path(__file__).parents[2]


def generator(name: str = "generate") -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_dictionary_is_the_one_in_the_file(whole_night: Path) -> None:
    """Regenerate with `make docs`."""
    assert generator().dictionary(publication.latest_database(whole_night)) == (ROOT / "docs" / "tables.md").read_text(
        encoding="utf-8"
    )


def test_the_coverage_page_is_what_dialects_and_goldens_say() -> None:
    """Regenerate with `make docs`."""
    assert generator("coverage").document() == (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")


def test_columns_named_by_the_method_exist() -> None:
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
