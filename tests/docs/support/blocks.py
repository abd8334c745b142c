"""What documents tell people to type: fenced blocks by their language, and commands wherever they stand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOCUMENTS = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]
# Lines of a block that a shell is meant to run.
PROGRAMS = ("hubfit", "python", "duckdb", "pip", "prefect", "make")


@dataclass(frozen=True)
class Recipe:
    """A question of the cookbook with its query, the columns of the answer and whether the snapshot has none."""

    question: str
    query: str
    columns: list[str]
    is_empty: bool


def text(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def fenced(language: str) -> list[tuple[str, str]]:
    """(document, text) of every block of a language."""
    return [
        (document, block)
        for document in DOCUMENTS
        for block in re.findall(rf"^```{language}\n(.*?)^```$", text(document), flags=re.MULTILINE | re.DOTALL)
    ]


def answered() -> list[tuple[str, str]]:
    """(query, answer) of the blocks of the README that are followed by what `hubfit sql` prints for them."""
    pairs = re.findall(r"^```sql\n(.*?)^```\n\n```text\n(.*?)^```$", text("README.md"), flags=re.MULTILINE | re.DOTALL)
    return [(query, answer) for query, answer in pairs]


def languages() -> set[str]:
    """Languages of all fenced blocks; a fence that opens none is the empty one."""
    return {
        language
        for document in DOCUMENTS
        for language in re.findall(r"^```(.*)$", text(document), flags=re.MULTILINE)[::2]
    }


def commands() -> list[str]:
    """Lines of indented blocks that run a program, without their remarks."""
    found: dict[str, None] = {}
    for document in DOCUMENTS:
        for line in re.findall(r"^(?: {4}|\t) *(\S.*)$", text(document), flags=re.MULTILINE):
            words = shlex.split(line, comments=True) if line.startswith(PROGRAMS) else []
            if words and words[0] in PROGRAMS:
                found[_without_remark(line)] = None
    return list(found)


def mentioned() -> list[str]:
    """Commands within a sentence that have an option or a value: `hubfit serve --every 3600`."""
    found = {one for document in DOCUMENTS for one in re.findall(r"`(hubfit [^`]+)`", text(document))}
    return sorted(found)


def recipes() -> Iterator[Recipe]:
    """The cookbook, question by question."""
    for section in re.split(r"^### ", text("docs/sql-cookbook.md"), flags=re.MULTILINE)[1:]:
        question = section.split("\n", 1)[0]
        (query,) = re.findall(r"^```sql\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
        (columns,) = re.findall(r"^Columns: (.+)$", section, flags=re.MULTILINE)
        is_empty = re.search(r"^Empty of the embedded snapshot", section, flags=re.MULTILINE) is not None
        yield Recipe(question, query, columns.split(", "), is_empty)


def _without_remark(line: str) -> str:
    """What comes before ` # …` outside of quotes."""
    for mark in re.finditer(r"\s+#\s", line):
        if shlex.split(line[: mark.start()], comments=True) == shlex.split(line, comments=True):
            return line[: mark.start()]
    return line.strip()
