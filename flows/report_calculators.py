"""The section "What the calculators say" of a model's page: their numbers beside ours for the same question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flows.calculator_reasons import reasons, why_silent, why_unknown
from flows.report_rows import Row, Rows
from reports.format import lowered
from reports.model import Answer, Comparison, Silence

# What is asked: role of the workload that answers it here, precision -> (calculator, quantity) of the tools that do.
QUESTIONS: Mapping[tuple[str, str], Sequence[tuple[str, str]]] = {
    ("serving", "fp16"): [("rule_1_2", "inference"), ("can_it_run", "inference"), ("vram_estimator", "inference")],
    ("serving", "nf4"): [("rule_1_2", "inference"), ("can_it_run", "inference")],
    ("weights", "fp16"): [("accelerate", "total")],
    ("weights", "nf4"): [("accelerate", "total")],
    ("training", "fp16"): [
        ("accelerate", "training_adam"), ("can_it_run", "training_adam"), ("vram_estimator", "training_adam"),
    ],
    ("adapters", "nf4"): [("can_it_run", "lora")],
}  # fmt: skip
# Our workloads that answer: the first of the catalog. The one that is served is the page's own.
ROLES = {
    "weights": "mode = 'inference' AND engine = 'none'",
    "training": "mode = 'training' AND method = 'full' AND optimizer = 'adamw'",
    "adapters": "mode = 'training' AND method = 'qlora'",
}
NAMES = {"serving": "Serving", "weights": "Weights alone", "training": "Training with Adam", "adapters": "Adapters"}
TOOLS = {
    "rule_1_2": "1.2 rule", "accelerate": "accelerate estimate-memory", "can_it_run": "can-it-run-llm",
    "vram_estimator": "VRAM Estimator",
}  # fmt: skip

# The facts that reasons are made of, once for a shape.
FACTS = """
    SELECT m.model_id, s.shape_ix, s.kind, s.parameters_resident, s.p_lm_head, s.p_ssm, s.experts, s.heads, s.lora_io,
        s.kv_latent_elements_per_token, s.automodel_parameters, m.model_type, m.inherited_from, m.parameters_source
    FROM models m JOIN internal.shapes s USING (shape_id)
    ORDER BY m.model_id
"""
# Ours, at the same precision: null parts where something is not known.
NEEDS = """
    SELECT model_id, precision, workload, total_bytes, weights_bytes, kv_cache_bytes, state_bytes, activation_bytes,
        gradient_bytes, optimizer_bytes, overhead_bytes, context_tokens
    FROM requirements
    WHERE (list_contains(?, workload) AND precision = 'fp16') OR (list_contains(?, workload) AND precision = 'nf4')
    ORDER BY model_id
"""
PRINTED = """
    SELECT shape_ix, precision, calculator, quantity, bytes FROM internal.calculators
    WHERE quantity IN ('inference', 'total', 'training_adam', 'lora') AND precision IN ('fp16', 'nf4')
"""


class Known(dict[str, Any]):
    """A row in which every other column is null: what was not read is not known."""

    def __missing__(self, column: str) -> None:
        return None


class Calculators:
    """Everything at hand that the section is made of; a section is made when its page is."""

    def __init__(self, rows: Rows) -> None:
        self._workloads = _workloads(rows)
        self._facts = {row["model_id"]: row for row in rows.stream(FACTS)}
        asked = ([self._workloads[role]["workload"] for role, at in QUESTIONS if at == precision
                  and role in self._workloads] for precision in ("fp16", "nf4"))  # fmt: skip
        self._needs = dict(rows.by_model(NEEDS, *asked))
        self._printed: dict[int, dict[tuple[str, str, str], int]] = {}
        for row in rows.stream(PRINTED):
            key = row["precision"], row["calculator"], row["quantity"]
            self._printed.setdefault(row["shape_ix"], {})[key] = row["bytes"]

    def of(self, model_id: str) -> tuple[list[Comparison], list[Silence]]:
        """The questions that a tool has a number for, and why there is none for the others."""
        facts = self._facts[model_id]
        printed = self._printed.get(facts["shape_ix"], {})
        needs = {(need["workload"], need["precision"]): need for need in self._needs.get(model_id, ())}
        compared, silent = [], _Silent()
        for (role, precision), asked in QUESTIONS.items():
            workload = self._workloads.get(role, {})
            need = needs.get((workload.get("workload"), precision), {})
            known = {**facts, **workload, **need, "precision": precision, "model_id_of_need": need.get("model_id")}
            answers = []
            for calculator, quantity in asked:
                size = printed.get((precision, calculator, quantity))
                row = Known(known | {"calculator": calculator, "quantity": quantity, "bytes": size})
                if size is None:
                    silent.add(TOOLS[calculator], NAMES[role], why_silent(row))
                else:
                    silent.speaks(TOOLS[calculator])
                    answers.append(Answer(TOOLS[calculator], size, reasons(row)))
            if answers:
                is_whole = role != "weights"
                ours = need.get("total_bytes" if is_whole else "weights_bytes")
                title = workload.get("title") if is_whole else "The weights, nothing beside them"
                why = why_unknown(Known(known)) if ours is None else None
                compared.append(Comparison(NAMES[role], title, precision, ours, why, answers))
        return compared, silent.sentences()


class _Silent:
    """What tools have no number for, told once for all of them that have the same reason."""

    def __init__(self) -> None:
        self._reasons: dict[str, dict[str, list[str]]] = {}  # reason -> tool -> questions
        self._speaking: set[str] = set()

    def speaks(self, tool: str) -> None:
        self._speaking.add(tool)

    def add(self, tool: str, question: str, reason: str) -> None:
        questions = self._reasons.setdefault(reason, {}).setdefault(tool, [])
        if question not in questions:
            questions.append(question)

    def sentences(self) -> list[Silence]:
        return [
            Silence([self._named(tool, questions) for tool, questions in tools.items()], reason)
            for reason, tools in self._reasons.items()
        ]

    def _named(self, tool: str, questions: Sequence[str]) -> str:
        """A tool that has some numbers is named with the questions that it has none for."""
        return f"{tool} ({', '.join(map(lowered, questions))})" if tool in self._speaking else tool


def _workloads(rows: Rows) -> dict[str, Row]:
    """The workload of the catalog that answers each kind of question; a kind without one is missing."""
    found = {}
    conditions = dict(ROLES)
    if rows.workloads:
        conditions["serving"] = f"workload_ix = {int(rows.served['workload_ix'])}"
    for role, condition in conditions.items():
        first = rows.all(
            f"""
            SELECT workload, title, concurrent_sequences, gradient_checkpointing, lora_rank FROM workloads
            WHERE {condition} ORDER BY workload_ix LIMIT 1
            """
        )
        if first:
            found[role] = first[0]
    return found
