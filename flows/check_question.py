"""What `hubfit check` is asked of every model, and the workload that it comes to: the catalog's nearest, changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import catalogs
from catalogs.nearby import did_you_mean
from estimator.calculators import ADAPTER_PERCENT
from flows.failures import Stop
from flows.local_devices.machine import AUTO, here

DEFAULT_WORKLOAD = "chat-8k"


class Unreadable(Stop):
    """The model could not be read, or an option names something that no catalog knows."""


@dataclass(frozen=True)
class Question:
    """What is asked of every model; null leaves it to the nearest workload of the catalog."""

    source: str
    catalogs_folder: Path | None
    gpus: Sequence[str]
    precisions: Sequence[str]
    context_tokens: int | None
    concurrent_sequences: int | None
    train: str | None
    engine: str | None
    loss: str | None = None  # of training
    lora_targets: str | None = None  # of its adapters
    host_memory_gib: float | None = None  # for weights of one device; without it several devices may share the model
    host_gb_per_s: float | None = None  # at which the host reads them; null leaves speed unknown
    host_link_gb_per_s: float | None = None  # of the link to the device; null leaves the time of a prompt unknown
    speculative_tokens: int | None = None  # that blocks of the model's own predict in a step
    acceptance: float | None = None  # how often they are right
    max_nodes: int | None = None  # that may share the model
    has_calculators: bool = False
    fsdp: int | None = None  # devices among which vram_estimator shards
    lora_percent: float = ADAPTER_PERCENT  # of the parameters that can_it_run trains
    counts: Mapping[str, int] = field(default_factory=dict)  # how many there are of some of `gpus`


def on_this_machine(question: Question) -> Question:
    """With the devices of this machine and how many there are, where it asks for them. Raises NoDevice, Unreadable."""
    if AUTO not in question.gpus:
        return question
    if question.max_nodes is not None:
        raise Unreadable("--gpu auto sees one machine: name devices by --gpu to ask for several --nodes")
    counts = here(catalogs.gpus(question.catalogs_folder), question.catalogs_folder).counts
    named = [gpu for gpu in question.gpus if gpu != AUTO]
    return replace(
        question,
        gpus=list(dict.fromkeys([*named, *counts])),
        counts={gpu: count for gpu, count in counts.items() if gpu not in named},
    )


def workloads(question: Question) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The workload of every model, and of each device that there are a few of the one that stays within them.

    The first is that of the answer: of devices that are not counted, else of those that there are most of.
    """
    asked = workload(question)
    bounded = {}
    for count in sorted(set(question.counts.values()), reverse=True):
        most = min(count, asked["max_gpus"] or count)
        name = f"{asked['workload']}-{count}"
        bounded[count] = {**asked, "workload": name, "title": f"{asked['title']}, {_devices(most)}", "max_gpus": most}
    is_open = any(gpu not in question.counts for gpu in question.gpus) or not question.gpus
    rows = [*([asked] if is_open else []), *bounded.values()]
    return rows, {gpu: bounded[count]["workload"] for gpu, count in question.counts.items()}


def workload(question: Question) -> dict[str, Any]:
    """The catalog's own row that is nearest to the question, with the numbers of the question."""
    rows = catalogs.workloads(question.catalogs_folder).to_dicts()
    changes: dict[str, Any]
    train, context_tokens = question.train, question.context_tokens
    concurrent_sequences, engine = question.concurrent_sequences, question.engine
    if train:
        trainings = [row for row in rows if row["mode"] == "training"]
        alike = [row for row in trainings if (row["lora_rank"] is None) == (train == "full")]
        near = next((row for row in trainings if row["method"] == train), (alike or trainings)[0])
        changes = {
            "method": train,
            "lora_rank": None if train == "full" else near["lora_rank"] or 16,
            "loss": question.loss or near["loss"],
            "lora_targets": question.lora_targets or (None if train == "full" else near["lora_targets"]),
        }
    else:
        inference = [row for row in rows if row["mode"] == "inference"]
        served = [row for row in inference if engine in (None, row["engine"])]
        if not served:
            known("engine", [engine or ""], catalogs.engines(question.catalogs_folder)["engine"].unique().to_list())
        alike = served or inference
        near = next((row for row in alike if row["workload"] == DEFAULT_WORKLOAD), alike[0])
        changes = {} if served else {"engine": engine}
        # whoever asks says whether there is a host and no other device, not the workload that is near
        host = question.host_memory_gib
        if host != near["host_memory_gib"]:
            changes |= {"host_memory_gib": host, "max_gpus": None if host is None else 1}
        for rate, asked in (
            ("host_gb_per_s", question.host_gb_per_s),
            ("host_link_gb_per_s", question.host_link_gb_per_s),
        ):
            told = asked or (near[rate] if host is not None else None)
            if told != near[rate]:
                changes[rate] = told
        if question.speculative_tokens is not None:
            changes |= {"speculative_tokens": question.speculative_tokens, "acceptance": question.acceptance}
    if question.max_nodes != near["max_nodes"]:
        changes |= {"max_nodes": question.max_nodes}
    if context_tokens or concurrent_sequences or train or changes:
        changes["context_tokens"] = context_tokens or near["context_tokens"]
        changes["concurrent_sequences"] = concurrent_sequences or near["concurrent_sequences"]
        changes["workload"] = "asked"
        changes["title"] = (
            f"{'training, ' + train + ', ' if train else ''}{changes['context_tokens']:,} tokens"
            f" x {changes['concurrent_sequences']}"
            f"{f', {question.host_memory_gib:g} GiB of host memory' if question.host_memory_gib else ''}"
            f"{f', {question.speculative_tokens} predicted' if question.speculative_tokens else ''}"
            f"{f', {question.max_nodes} nodes' if question.max_nodes else ''}"
        )
    row = {**near, **changes}
    return {
        key: {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
        for key, value in row.items()
    }


def _devices(count: int) -> str:
    return "one device" if count == 1 else f"up to {count} devices"


def speculation(text: str) -> tuple[int, float]:
    """Tokens that are predicted in a step and how often they are right, of `2:0.8`. Raises Unreadable."""
    tokens, _, share = text.partition(":")
    try:
        return int(tokens), float(share)
    except ValueError:
        raise Unreadable(f"--speculate {text!r} is not TOKENS:ACCEPTANCE, like 2:0.8") from None


def known(what: str, asked: Sequence[str], among: Sequence[str]) -> None:
    """Raises Unreadable for the first of `asked` that is not there."""
    for name in asked:
        if name not in among:
            hint = did_you_mean(name, among) or f'; `hubfit sql "FROM {what}s"` lists them'
            raise Unreadable(f"unknown {what} {name!r}{hint}")
