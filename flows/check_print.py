"""The answer of `hubfit check` for people: a sentence, then tables of what it needs and where it runs for how much."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from flows import check_calculators, check_cheapest, terminal
from flows.check_columns import Column, fitted
from flows.check_headline import GIB, headline, is_twin, nowhere

PIPED_WIDTH = 140
MOST_ARTIFACTS = 12
TERMS = ("weights", "kv_cache", "state", "activation", "gradient", "optimizer", "overhead")
VERDICT_STYLES = {
    "fits": "green",
    "tight": "yellow",
    "sharded": "cyan",
    "unknown": "dim",
    "unsupported": "dim",
}

MEANINGS = {
    "tight": "tight: holds the middle of the estimate, not its upper end",
    "tp": "tp2: each layer is split over two devices",
    "pp": "pp2: the layers are in two groups, one after the other",
}

Row = Mapping[str, Any]


def show(answer: Row) -> None:
    """Print one answer to stdout."""
    out = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
    model, workload = answer["model"], answer["workload"]
    out.print(f"[bold]{terminal.plain(model['model_id'])}[/]  {_facts(model)}")
    out.print(terminal.plain(headline(answer)))
    clipped = {row["context_tokens"] for row in answer["requirements"]} - {workload["context_tokens"], None}
    if clipped:
        out.print(f"the model's own limit of {max(clipped):,} tokens is counted instead")
    if model["notes"]:
        out.print(f"[dim]{terminal.plain(model['notes'])}[/]")
    # of two names for the same numbers people read one
    twin = model["stored_precision"] if is_twin(answer) else None
    parts = [_requirements(answer, twin, out.width), _artifacts(answer["artifacts"], out.width)]
    parts.append(_fit(answer, twin, out.width))
    if answer["fit"]:
        named = [way | {"precision": _precision(way["precision"], twin)} for way in answer["cheapest"]]
        ways = {(way["precision"], way["gpu"], way["gpus_needed"]): way for way in reversed(named)}
        parts.append(check_cheapest.table(list(reversed(ways.values())), out.width))
    for part in parts:
        if part is not None:
            out.print()
            out.print(part)
    if (unpriced := check_cheapest.remark(answer["gpus_without_price"])) is not None:
        out.print(f"[dim] {unpriced}[/]")
    if "calculators" in answer:
        out.print()
        if answer["calculators"]["rows"]:
            out.print(check_calculators.table(answer["calculators"]))
        out.print(f"[dim]{check_calculators.remark(answer['calculators'])}[/]")


def _facts(model: Row) -> str:
    parameters = model["parameters"]
    parts = [f"{_billions(parameters)} parameters" if parameters else "parameters unknown"]
    if model["active_parameters"] and model["active_parameters"] != parameters:
        parts.append(f"{_billions(model['active_parameters'])} active")
    parts += [str(model[key]) for key in ("kind", "model_type") if model[key]]
    if model["adapter_rank"]:
        parts.append(f"rank {model['adapter_rank']:,}")
    if model["base_model"]:
        parts.append(f"of {model['base_model']}")
    if model["max_context_tokens"]:
        parts.append(f"up to {model['max_context_tokens']:,} tokens")
    if model["confidence"]:
        parts.append(f"confidence: {model['confidence']}")
    return terminal.plain(", ".join(parts))


def _billions(count: int) -> str:
    """Parameters in the unit that leaves three digits."""
    return f"{count / 1e9:,.2f} B" if count >= 1e9 else f"{count / 1e6:,.2f} M" if count >= 1e6 else f"{count:,}"


def _requirements(answer: Row, twin: str | None, width: int) -> RenderableType:
    """Terms that are nothing at every precision have no column."""
    rows = [row for row in answer["requirements"] if row["precision"] != twin]
    terms = [name for name in TERMS if any(row[f"{name}_bytes"] != 0 for row in rows)]
    columns = [Column("precision", is_number=False)]
    columns += [Column(name.replace("_", " "), rank=2 if name in ("overhead", "state") else 1) for name in terms]
    columns += [Column("total"), Column("from - to", rank=3)]
    cells = [
        (
            _precision(row["precision"], twin),
            *(_gib(row[f"{name}_bytes"]) for name in terms),
            _gib(row["total_bytes"]),
            _range(row["total_bytes_low"], row["total_bytes_high"]),
        )
        for row in rows
    ]
    return fitted("What it needs, GiB", columns, cells, width, "nothing is known of what it needs")


def _artifacts(artifacts: Sequence[Row], width: int) -> RenderableType | None:
    """What there is to be loaded, where it is more than one thing."""
    if len(artifacts) < 2:
        return None
    columns = [Column("name", is_number=False, least=20), Column("role", is_number=False, rank=1)]
    columns += [Column("precision", is_number=False), Column("files", rank=2), Column("GiB")]
    cells = [
        (
            terminal.plain(row["artifact"]),
            row["role"],
            row["precision"] or "unknown",
            f"{row['files']:,}",
            _gib(row["bytes"]),
        )
        for row in artifacts[:MOST_ARTIFACTS]
    ]
    more = len(artifacts) - MOST_ARTIFACTS
    if more > 0:
        cells.append((f"[dim]and {more:,} more[/]", "", "", "", ""))
    return fitted("What there is to load", columns, cells, width)


def _fit(answer: Row, twin: str | None, width: int) -> RenderableType:
    """With --gpu every answer for those devices; otherwise the smallest device for each precision and degree."""
    columns = [Column("precision", is_number=False), Column("device", is_number=False, least=18)]
    columns += [Column("verdict", is_number=False), Column("devices", is_number=False, least=8)]
    columns += [Column("needs\nGiB", rank=3), Column("usable\nGiB", rank=5), Column("max\ncontext", rank=1)]
    columns += [Column("max\nsequences", rank=7), Column("tokens/s", rank=4), Column("USD/h", rank=2)]
    columns += [Column("USD/\nMtok", rank=6)]
    rows = [
        (
            _precision(row["precision"], twin),
            terminal.plain(row["name"]),
            _verdict(row),
            _devices(row),
            _gib(row["required_bytes"]),
            _gib(row["usable_bytes"]),
            _count(row["max_context_tokens"]),
            _count(row["max_sequences"]),
            check_cheapest.speed(row["decode_tokens_per_second"]),
            f"{row['usd_per_hour']:.2f}" if row["usd_per_hour"] is not None else "-",
            f"{row['usd_per_million_tokens']:.2f}" if row["usd_per_million_tokens"] is not None else "-",
        )
        for row in (answer["fit"] if answer["asked_gpus"] else _smallest_of_each(answer["fit"]))
        if row["precision"] != twin
    ]
    table = fitted("Where it runs", columns, rows, width, nowhere(answer))
    running = {row["precision"] for row in answer["fit"]}
    without = [precision for precision in answer["verdicts"] if precision not in (*running, twin)]
    reasons: dict[frozenset[str], list[str]] = {}
    for precision in without if rows else ():
        reasons.setdefault(frozenset(answer["verdicts"][precision]), []).append(precision)
    said = [nowhere(answer, precisions) for precisions in reasons.values()]
    if words := [meaning for word, meaning in MEANINGS.items() if any(word in f"{row[2]} {row[3]}" for row in rows)]:
        said.append("; ".join(words))
    return Group(table, *(Text(f" {line}", style="dim") for line in said))


def _smallest_of_each(fit: Sequence[Row]) -> list[Row]:
    """The first row of each precision and number of devices; of a slice only where no whole device will do."""
    chosen: dict[tuple[str, int], Row] = {}
    for row in fit:
        key = (row["precision"], row["gpus_needed"] or 0)
        if key not in chosen or (chosen[key]["segment"] == "slice" and row["segment"] != "slice"):
            chosen[key] = row
    return list(chosen.values())


def _precision(precision: str, twin: str | None) -> str:
    return f"stored = {twin}" if twin is not None and precision in ("stored", twin) else precision


def _verdict(row: Row) -> str:
    verdict = row["verdict"]
    said = f"{verdict}, {_gib(row['host_bytes'])} on the host" if row["host_bytes"] is not None else verdict
    style = VERDICT_STYLES.get(verdict, "")
    return f"[{style}]{said}[/]" if style else said


def _devices(row: Row) -> str:
    """How several devices share the model, which says how many they are, and fewer that may do, too."""
    told = "-" if row["gpus_needed"] is None else "1" if row["gpus_needed"] == 1 else str(row["parallelism"])
    return told if row["gpus_at_middle"] is None else f"{told} ({row['parallelism_at_middle']} tight)"


def _range(low: int | None, high: int | None) -> str:
    return "unknown" if low is None or high is None else f"{_gib(low)} - {_gib(high)}"


def _gib(value: int | None) -> str:
    return "unknown" if value is None else f"{value / GIB:,.2f}"


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
