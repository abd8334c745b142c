"""Tables that give up columns where a terminal is narrow, instead of cutting every word in half."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

_BESIDE = 2  # characters around a cell


MINOR = 5  # a column of this rank or higher goes before any word is folded


@dataclass(frozen=True)
class Column:
    """`rank` 0 stays, the highest goes first where there is no room. Words are folded to no less than `least`."""

    name: str
    rank: int = 0
    is_number: bool = True
    least: int | None = None

    @property
    def width(self) -> int:
        """Characters of the longest line of the name."""
        return max(map(len, self.name.split("\n")))


def fitted(
    title: str, columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int, nothing: str = ""
) -> RenderableType:
    """The rows with as many columns as `width` characters hold, and a line that names those left out.

    Cells are rich markup. `nothing` is said in place of no rows.
    """
    if not rows:
        return Group(Text(title, style="bold"), Text(f" {nothing}", style="dim"))
    wanted = [
        max(column.width, *(Text.from_markup(row[place]).cell_len for row in rows))
        for place, column in enumerate(columns)
    ]
    least = [min(most, max(column.least or most, column.width)) for most, column in zip(wanted, columns, strict=True)]
    kept = list(range(len(columns)))
    for sizes, lowest in ((wanted, MINOR), (least, 1)):
        leaving = sorted(
            (place for place in kept if columns[place].rank >= lowest), key=lambda place: columns[place].rank
        )
        while leaving and _taken(sizes, kept) > width:
            kept.remove(leaving.pop())
    widths = list(wanted)
    while _taken(widths, kept) > width and (foldable := [place for place in kept if widths[place] > least[place]]):
        widths[max(foldable, key=lambda place: widths[place] - least[place])] -= 1
    table = Table(box=None, header_style="bold", title=Text(title, style="bold"), title_justify="left")
    for place in kept:
        justify: JustifyMethod = "right" if columns[place].is_number else "left"
        table.add_column(columns[place].name, justify=justify, width=widths[place], vertical="top")
    for row in rows:
        table.add_row(*(row[place] for place in kept))
    left_out = [column.name for place, column in enumerate(columns) if place not in kept]
    if not left_out:
        return table
    names = ", ".join(left_out).replace("/\n", "/").replace("\n", " ")
    return Group(table, Text(f" no room for {names}", style="dim"))


def _taken(sizes: Sequence[int], kept: Sequence[int]) -> int:
    return sum(sizes[place] + _BESIDE for place in kept)
