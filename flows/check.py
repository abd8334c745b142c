"""`hubfit check`: one model through the same stages and the same views as a night, in a folder that is thrown away."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

import catalogs
from flows import asked_night, check_calculators, check_cheapest, check_question, inputs, stages, terminal
from flows.check_question import Question, Unreadable, known
from flows.extract.info import printable
from flows.local_bases import bases_of
from flows.local_devices import node
from flows.local_model import LocalModel
from flows.local_source import local_source
from flows.night import Night
from flows.settings import Settings

GIB = 2**30
MOST_MODELS = 20

# What a person asks about first; --precision asks for any other.
PRECISIONS = ("stored", "bf16", "fp8_e4m3_block128", "int4_awq_g128", "nf4_dq", "gguf_q8_0", "gguf_q4_k_m")
# Instead of these where an engine has formats of its own.
PRECISIONS_OF = {"mlx": ("stored", "bf16", "mlx_8bit_g64", "mlx_6bit_g64", "mlx_4bit_g64")}
VERDICT_STYLES = {
    "fits": "green",
    "tight": "yellow",
    "sharded": "cyan",
    "unknown": "dim",
    "unsupported": "dim",
}


def check(asked: Sequence[str | LocalModel], settings: Settings, question: Question, *, as_json: bool) -> None:
    """Print what each model needs at each precision and what it fits on: one object as JSON, a list for several.

    A model is an id, for the source of the question, or one of this machine.

    Raises Unreadable when a model cannot be read, of several after the others; HubUnavailable, catalogs.CatalogError.
    """
    if not 0 < len(asked) <= MOST_MODELS:
        raise Unreadable(f"name one to {MOST_MODELS} models; `hubfit run` audits whole lists")
    for option, value in (("--loss", question.loss), ("--lora-targets", question.lora_targets)):
        if value and not question.train:
            raise Unreadable(f"{option} is of training: say --train as well")
    catalogs.validate(question.catalogs_folder)  # under the name that its owner knows
    question = check_question.on_this_machine(question)
    answers, failures = [], []
    for model in asked:
        try:
            answers.append(_ask(model, settings, question))
        except Unreadable as failure:
            failures.append(str(failure))
            continue
        if not as_json:
            if len(answers) > 1:
                print()
            _print(answers[-1])
    if as_json and answers:
        found = answers if len(asked) > 1 else answers[0]
        print(json.dumps(found, default=str, ensure_ascii=False, indent=1))
    if failures:
        raise Unreadable("; ".join(failures))


def _ask(model: str | LocalModel, settings: Settings, question: Question) -> dict[str, Any]:
    rows, bounded = check_question.workloads(question)
    with _workplace(question, rows) as (place, folder):
        known("gpu", question.gpus, catalogs.gpus(folder)["gpu_id"].to_list())
        known("precision", question.precisions, catalogs.precisions(folder)["precision"].to_list())
        this, database = _estimate(model, settings, question.source, place, folder)
        with duckdb.connect(str(database), read_only=True) as connection:
            answer = _answer(connection, str(rows[0]["workload"]), question, bounded)
        answer["path"] = printable(str(model.path.absolute())) if isinstance(model, LocalModel) else None
        if question.has_calculators:
            answer["calculators"] = check_calculators.answer(
                stages.read(this, "shapes"),
                catalogs.gpus(folder),
                question.gpus,
                tokens=question.context_tokens,
                sequences=question.concurrent_sequences,
                fsdp=question.fsdp,
                lora_percent=question.lora_percent,
            )
        return answer


@contextmanager
def _workplace(question: Question, workloads: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Path, Path]]:
    """A throw-away data folder and a what-if catalog folder whose only workloads are those asked for."""
    with tempfile.TemporaryDirectory(prefix="hubfit-check-") as place:
        folder = asked_night.what_if(Path(place), question.catalogs_folder, workloads)
        node.hold(question.counts, folder)
        try:
            catalogs.workloads(folder)
        except catalogs.CatalogError as error:
            # of the file that was just made of the question, which nobody has ever seen
            raise Unreadable(f"no such question: {error.rule}") from None
        yield Path(place), folder


def _estimate(
    model: str | LocalModel, settings: Settings, source: str, place: Path, folder: Path
) -> tuple[Night, Path]:
    """The night of one model and its database. Raises Unreadable where the model cannot be read."""
    reader = None
    name = model.name if isinstance(model, LocalModel) else model
    entries: list[tuple[str, str | None]]
    if isinstance(model, LocalModel):
        entries = [(model.name, None)]
        reader = local_source(model, bases_of(model.folder, source, settings))
        source = "local"
    else:
        try:
            entries = inputs.listed([], [model])
        except catalogs.CatalogError:
            said = f"{terminal.inert(model)!r} is no model id; write owner/name, or the path of a model on this machine"
            raise Unreadable(said) from None
    this, database = asked_night.answer(entries, settings, source, place, folder, reader)
    failed = stages.read(this, "model_errors")
    if failed.height:
        row = failed.row(0, named=True)
        raise Unreadable(f"{name}: {row['kind']}: {row['message']}")
    return this, database


def _answer(
    connection: duckdb.DuckDBPyConnection, workload: str, question: Question, bounded: Mapping[str, str]
) -> dict[str, Any]:
    """Of `workload`, and of devices in `bounded` of the workload there."""

    def rows(query: str, *parameters: object) -> list[dict[str, Any]]:
        result = connection.execute(query, parameters)
        names = [column[0] for column in result.description or []]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    asked = rows("FROM workloads WHERE workload = ?", workload)[0]
    gpus = list(question.gpus)
    shown = list(question.precisions) or list(PRECISIONS_OF.get(asked["engine"], PRECISIONS))
    fit = rows(
        """
        SELECT f.* EXCLUDE (model_id, workload), t.gpus_at_middle, t.parallelism AS parallelism_at_middle,
            g.name, g.memory_gib_nominal
        FROM fit f JOIN gpus g ON g.gpu_id = f.gpu
        LEFT JOIN tight_splits t USING (model_id, precision, workload, gpu)
        WHERE list_contains(?, f.precision)
            AND f.workload = coalesce(list_extract(?, list_position(?, f.gpu)), ?)
            AND CASE WHEN len(?) > 0 THEN list_contains(?, f.gpu)
                     ELSE f.verdict IN ('fits', 'tight', 'sharded') AND g.segment <> 'laptop' END
        ORDER BY list_position(?, f.precision), f.gpus_needed, g.memory_gib_nominal,
            f.usd_per_hour NULLS LAST, f.gpu
        """,
        shown,
        list(bounded.values()),
        list(bounded),
        workload,
        gpus,
        gpus,
        shown,
    )
    return {
        "model": rows("FROM models")[0],
        "workload": asked,
        "attention_groups": rows("FROM attention_groups ORDER BY position"),
        "artifacts": rows("FROM artifacts ORDER BY artifact"),
        "requirements": rows(
            "FROM requirements WHERE workload = ? AND list_contains(?, precision) ORDER BY list_position(?, precision)",
            workload,
            shown,
            shown,
        ),
        "fit": fit,
        "cheapest": check_cheapest.cheapest(fit, rows(check_cheapest.PRICES)),
        "gpus_without_price": check_cheapest.without_price(fit),
        "asked_gpus": gpus,
        "local_gpus": dict(question.counts),
    }


def _print(answer: dict[str, Any]) -> None:
    out = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    model, workload = answer["model"], answer["workload"]
    out.print(f"[bold]{terminal.plain(model['model_id'])}[/]  {_facts(model)}")
    out.print(f"for {terminal.plain(workload['title'])} (engine {workload['engine']})")
    clipped = {row["context_tokens"] for row in answer["requirements"]} - {workload["context_tokens"], None}
    if clipped:
        out.print(f"the model's own limit of {max(clipped):,} tokens is counted instead")
    if model["notes"]:
        out.print(f"[dim]{terminal.plain(model['notes'])}[/]")
    out.print()
    out.print(_requirements_table(answer))
    out.print()
    out.print(_fit_table(answer))
    out.print()
    out.print(check_cheapest.table(answer["cheapest"]))
    if (unpriced := check_cheapest.remark(answer["gpus_without_price"])) is not None:
        out.print(f"[dim]{unpriced}[/]")
    if "calculators" in answer:
        out.print()
        if answer["calculators"]["rows"]:
            out.print(check_calculators.table(answer["calculators"]))
        out.print(f"[dim]{check_calculators.remark(answer['calculators'])}[/]")


def _facts(model: dict[str, Any]) -> str:
    parameters = model["parameters"]
    parts = [f"{parameters / 1e9:,.2f} B parameters" if parameters else "parameters unknown"]
    if model["active_parameters"] and model["active_parameters"] != parameters:
        parts.append(f"{model['active_parameters'] / 1e9:,.2f} B active")
    parts += [str(model[key]) for key in ("kind", "model_type") if model[key]]
    if model["max_context_tokens"]:
        parts.append(f"up to {model['max_context_tokens']:,} tokens")
    if model["confidence"]:
        parts.append(f"confidence: {model['confidence']}")
    return terminal.plain(", ".join(parts))


def _requirements_table(answer: dict[str, Any]) -> Table:
    table = Table(box=None, header_style="bold", title="What it needs, GiB", title_justify="left")
    table.add_column("precision")
    columns = ("weights", "kv_cache", "state", "activation", "gradient", "optimizer", "overhead", "total")
    for name in columns:
        table.add_column(name.replace("_", " "), justify="right")
    for row in answer["requirements"]:
        table.add_row(row["precision"], *(_gib(row[f"{name}_bytes"]) for name in columns))
    return table


def _fit_table(answer: dict[str, Any]) -> Table:
    """With --gpu every answer for those devices; otherwise the smallest device for each precision and degree."""
    table = Table(box=None, header_style="bold", title="Where it runs", title_justify="left")
    for name in ("precision", "device", "verdict"):
        table.add_column(name)
    for name in ("devices", "needs GiB", "usable GiB", "max context", "max sequences", "tokens/s", "USD/h", "USD/Mtok"):
        table.add_column(name, justify="right")
    seen: set[tuple[str, int]] = set()
    for row in answer["fit"]:
        key = (row["precision"], row["gpus_needed"] or 0)
        verdict = row["verdict"]
        said = f"{verdict}, {_gib(row['host_bytes'])} on the host" if row["host_bytes"] is not None else verdict
        if not answer["asked_gpus"] and key in seen:
            continue
        seen.add(key)
        style = VERDICT_STYLES.get(verdict, "")
        table.add_row(
            row["precision"],
            terminal.plain(row["name"]),
            f"[{style}]{said}[/]" if style else said,
            _devices(row),
            _gib(row["required_bytes"]),
            _gib(row["usable_bytes"]),
            _count(row["max_context_tokens"]),
            _count(row["max_sequences"]),
            _speed(row["decode_tokens_per_second"]),
            f"{row['usd_per_hour']:.2f}" if row["usd_per_hour"] is not None else "-",
            f"{row['usd_per_million_tokens']:.2f}" if row["usd_per_million_tokens"] is not None else "-",
        )
    if not answer["fit"]:
        table.caption = "no device of the catalog holds it"
    return table


def _devices(row: dict[str, Any]) -> str:
    """How several devices share the model, which says how many they are, and fewer that may do, too."""
    told = "-" if row["gpus_needed"] is None else "1" if row["gpus_needed"] == 1 else str(row["parallelism"])
    return told if row["gpus_at_middle"] is None else f"{told} ({row['parallelism_at_middle']} tight)"


def _speed(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}" if value < 10 else f"{value:,.0f}"


def _gib(value: int | None) -> str:
    return "unknown" if value is None else f"{value / GIB:,.2f}"


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
