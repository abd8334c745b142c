"""`hubfit check`: one model through the same stages and the same views as a night, in a folder that is thrown away."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

import catalogs
from flows import (
    asked_night,
    check_calculators,
    check_cheapest,
    check_print,
    check_question,
    inputs,
    night_source,
    stages,
    terminal,
)
from flows.check_question import Question, Unreadable, known
from flows.extract.info import printable
from flows.local_devices import node
from flows.local_model import LocalModel
from flows.night import Night
from flows.raw import Source
from flows.settings import Settings

MOST_MODELS = 20

# What a person asks about first; --precision asks for any other.
PRECISIONS = ("stored", "bf16", "fp8_e4m3_block128", "int4_awq_g128", "nf4_dq", "gguf_q8_0", "gguf_q4_k_m")
# Instead of these where an engine has formats of its own.
PRECISIONS_OF = {"mlx": ("stored", "bf16", "mlx_8bit_g64", "mlx_6bit_g64", "mlx_4bit_g64")}

# Of every device, from the decisions alone: the view `fit` adds what they need.
_VERDICTS = """
    SELECT p.precision, t.verdict, count(*) AS devices
    FROM internal.fit f JOIN precisions p USING (precision_ix) JOIN workloads w USING (workload_ix)
    JOIN internal.outcomes t USING (outcome_ix)
    WHERE w.workload = ? AND list_contains(?, p.precision)
    GROUP BY ALL ORDER BY ALL
"""


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
            check_print.show(answers[-1])
    if as_json and answers:
        found = answers if len(asked) > 1 else answers[0]
        print(json.dumps(found, default=str, ensure_ascii=False, indent=1))
    if failures:
        raise Unreadable("; ".join(failures))


def _ask(
    model: str | LocalModel, settings: Settings, question: Question, reader: Source | None = None
) -> dict[str, Any]:
    """`reader` answers for the model, where that is not the question's source or the model's own files."""
    rows, bounded = check_question.workloads(question)
    with _workplace(question, rows) as (place, folder):
        known("gpu", question.gpus, catalogs.gpus(folder)["gpu_id"].to_list())
        known("precision", question.precisions, catalogs.precisions(folder)["precision"].to_list())
        reader = reader or _reader(model, settings, question.source)
        this, database = _estimate(model, settings, question.source, reader, place, folder)
        with duckdb.connect(str(database), read_only=True) as connection:
            answer = _answer(connection, str(rows[0]["workload"]), question, bounded)
        if (engine := _engine_instead(answer, question)) is not None:
            # what was read is read no second time
            return _ask(model, settings, replace(question, engine=engine), night_source.of_night(this, reader))
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


def _engine_instead(answer: Mapping[str, Any], question: Question) -> str | None:
    """The engine to ask instead of the default one that runs this model nowhere; null where one was asked for.

    llama.cpp for files of its own, else the bare minimum that any engine needs. That the default engine does not run a
    language model on the devices that are asked for is the answer.
    """
    is_open = question.engine is None and not question.train and question.speculative_tokens is None
    if not is_open or any(set(found) != {"unsupported"} for found in answer["verdicts"].values()):
        return None
    models = [row for row in answer["artifacts"] if row["role"] == "model"]
    engine = "llamacpp" if models and all(row["format"] == "gguf" for row in models) else "none"
    is_served = answer["model"]["kind"] in ("decoder", "encoder", "encoder_decoder")
    if answer["workload"]["engine"] == engine or (question.gpus and engine == "none" and is_served):
        return None
    terminal.note(f"{answer['workload']['engine']} does not run it; --engine {engine} is answered for")
    return engine


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


def _reader(model: str | LocalModel, settings: Settings, source: str) -> Source:
    if isinstance(model, LocalModel):
        # whoever names an id does not wait for the readers of headers
        from flows.local_bases import bases_of
        from flows.local_source import local_source

        return local_source(model, bases_of(model.folder, source, settings))
    return inputs.open_source(source, settings)


def _estimate(
    model: str | LocalModel, settings: Settings, source: str, reader: Source, place: Path, folder: Path
) -> tuple[Night, Path]:
    """The night of one model and its database. Raises Unreadable where the model cannot be read."""
    name = model.name if isinstance(model, LocalModel) else model
    entries = [(name, None)] if isinstance(model, LocalModel) else _entries(model)
    this, database = asked_night.answer(entries, settings, source, place, folder, reader)
    failed = stages.read(this, "model_errors")
    if failed.height:
        row = failed.row(0, named=True)
        raise Unreadable(f"{name}: {row['kind']}: {row['message']}")
    return this, database


def _entries(model_id: str) -> list[tuple[str, str | None]]:
    try:
        return inputs.listed([], [model_id])
    except catalogs.CatalogError:
        said = "is no model id; write owner/name, or the path of a model on this machine"
        raise Unreadable(f"{terminal.inert(model_id)!r} {said}") from None


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
    artifacts = rows("FROM artifacts ORDER BY artifact")
    shown = list(question.precisions) or _precisions(asked["engine"], artifacts)
    fit = rows(
        """
        SELECT f.* EXCLUDE (model_id, workload), t.gpus_at_middle, t.parallelism AS parallelism_at_middle,
            g.name, g.memory_gib_nominal, g.segment
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
        "artifacts": artifacts,
        "requirements": rows(
            "FROM requirements WHERE workload = ? AND list_contains(?, precision) ORDER BY list_position(?, precision)",
            workload,
            shown,
            shown,
        ),
        "fit": fit,
        "verdicts": _verdicts(fit if gpus else rows(_VERDICTS, workload, shown)),
        "cheapest": check_cheapest.cheapest(fit, rows(check_cheapest.PRICES)),
        "gpus_without_price": check_cheapest.without_price(fit),
        "asked_gpus": gpus,
        "local_gpus": dict(question.counts),
    }


def _precisions(engine: str, artifacts: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a person asks about first, with the formats of the repository's own GGUF files; those alone where it has
    nothing else."""
    wanted = list(PRECISIONS_OF.get(engine, PRECISIONS))
    models = [row for row in artifacts if row["role"] in ("model", "component", "adapter")]
    files = [row for row in models if row["format"] == "gguf" and row["precision"]]
    files.sort(key=lambda row: -(row["bytes"] or 0))
    own = list(dict.fromkeys(str(row["precision"]) for row in files))
    return own if own and len(files) == len(models) else list(dict.fromkeys([*wanted, *own]))


def _verdicts(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Precision -> verdict -> devices that have it."""
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        found = counts.setdefault(row["precision"], {})
        found[row["verdict"]] = found.get(row["verdict"], 0) + row.get("devices", 1)
    return counts
