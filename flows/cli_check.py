"""`hubfit check`, as people write it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli_options import (
    CatalogsOption,
    ListsOption,
    LoraTargets,
    Loss,
    ModelsOption,
    SourceName,
    SourceOption,
    Train,
)


def check(
    models: Annotated[list[str] | None, typer.Argument(help="owner/name, ./folder or file.gguf; up to 20.")] = None,
    model: ModelsOption = None,
    lists: ListsOption = None,
    gpu: Annotated[
        list[str] | None, typer.Option("--gpu", help="Only this gpu_id, or auto: those of this machine. Repeatable.")
    ] = None,
    precision: Annotated[list[str] | None, typer.Option("--precision", help="Only this one. Repeatable.")] = None,
    context: Annotated[int | None, typer.Option(help="Context in tokens.", min=1)] = None,
    concurrency: Annotated[int | None, typer.Option(help="Concurrent sequences.", min=1)] = None,
    train: Annotated[Train | None, typer.Option(help="Training instead of inference.")] = None,
    loss: Annotated[Loss | None, typer.Option(help="--train, with all logits at once or in chunks.")] = None,
    lora_targets: Annotated[
        LoraTargets | None, typer.Option(help="--train lora, dora or qlora: modules that get adapters.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="none (bare minimum), vllm, sglang, trtllm, llamacpp, mlx, transformers.")
    ] = None,
    host_memory: Annotated[
        float | None, typer.Option(help="GiB of host memory for weights that one device cannot hold.", min=0)
    ] = None,
    host_bandwidth: Annotated[
        float | None, typer.Option(help="GB/s at which the host reads them, for the speed.", min=0)
    ] = None,
    host_link: Annotated[
        float | None, typer.Option(help="GB/s of the link to the device, for the time of a prompt.", min=0)
    ] = None,
    nodes: Annotated[int | None, typer.Option(help="Nodes that may share the model; one unless said.", min=2)] = None,
    speculate: Annotated[
        str | None,
        typer.Option(
            metavar="TOKENS:ACCEPTANCE", help="Tokens that blocks of the model predict in a step, like 2:0.8."
        ),
    ] = None,
    calculators: Annotated[bool, typer.Option("--calculators", help="Also what other calculators print.")] = False,
    fsdp: Annotated[int | None, typer.Option(help="--calculators, over so many devices with FSDP.", min=1)] = None,
    lora_percent: Annotated[
        float | None, typer.Option(help="--calculators, with LoRA of so many per cent.", min=0)
    ] = None,
    source: SourceOption = SourceName.hub,
    catalogs: CatalogsOption = None,
    data: Annotated[Path | None, typer.Option("--data", help="Whose refreshed prices count; nothing is kept.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """One model, at once: its size at each precision, what it fits on, with how much context, and for what price.

    hubfit check Qwen/Qwen3-0.6B --source snapshot

    hubfit check openai/gpt-oss-20b --gpu nvidia-rtx-4090-24gb --context 32768 --concurrency 4

    hubfit check ./my-finetune --gpu auto

    hubfit check meta-llama/Llama-3.1-70B --gpu nvidia-rtx-4090-24gb --engine llamacpp --precision gguf_q4_k_m
    --host-memory 64

    hubfit check meta-llama/Llama-3.1-8B --source snapshot --calculators --fsdp 4
    """
    from estimator.calculators import ADAPTER_PERCENT
    from flows import check as checking
    from flows import inputs
    from flows.check_question import Question, speculation
    from flows.local_model import recognised
    from flows.settings import Settings

    listed = [model_id for model_id, _ in inputs.listed(lists, [])] if lists else []
    predicted, acceptance = speculation(speculate) if speculate else (None, None)
    question = Question(
        source=source.value,
        catalogs_folder=catalogs,
        gpus=gpu or [],
        precisions=precision or [],
        context_tokens=context,
        concurrent_sequences=concurrency,
        train=train.value if train else None,
        loss=loss.value if loss else None,
        lora_targets=lora_targets.value if lora_targets else None,
        engine=engine,
        host_memory_gib=host_memory or None,
        host_gb_per_s=host_bandwidth or None,
        host_link_gb_per_s=host_link or None,
        max_nodes=nodes,
        speculative_tokens=predicted,
        acceptance=acceptance,
        has_calculators=calculators or fsdp is not None or lora_percent is not None,
        fsdp=fsdp,
        lora_percent=ADAPTER_PERCENT if lora_percent is None else lora_percent,
    )
    asked = list(dict.fromkeys([*map(recognised, models or []), *(model or []), *listed]))
    checking.check(asked, Settings.from_environment(data=data), question, as_json=json)
