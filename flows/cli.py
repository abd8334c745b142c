"""The `hubfit` command: parse, call one function, print one result. Results on stdout, everything else on stderr.

Exit status: 0 published; 1 publication blocked by a check; 2 usage, catalog, input-file or data-folder error;
3 the Hub, or every price list, could not be reached at all; 130 interrupted. In every case but 0 the previous night
stays.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from flows import interrupts, terminal
from flows.cli_options import (
    CatalogsOption,
    DataOption,
    Format,
    FreshOption,
    ListsOption,
    LoraTargets,
    Loss,
    ModelsOption,
    SourceName,
    SourceOption,
    Train,
)
from flows.cli_plan import plan

USAGE = 2

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Which models of the Hugging Face Hub run on which hardware, at which precision, context and price.",
)


@app.command()
def run(
    source: SourceOption = SourceName.hub,
    lists: ListsOption = None,
    model: ModelsOption = None,
    catalogs: CatalogsOption = None,
    data: DataOption = None,
    fresh: FreshOption = False,
) -> None:
    """One night in this process, without a Prefect API.

    hubfit run --source snapshot

    hubfit run --model Qwen/Qwen3-0.6B --model openai/gpt-oss-20b
    """
    from flows import inputs, night, pipeline
    from flows.settings import Settings

    interrupts.resumable()
    settings = Settings.from_environment(data=data)
    with night.exclusive(settings.data):
        this = pipeline.begin(settings, source, lists or [], model or [], catalogs, fresh=fresh)
        terminal.note(f"run {this.run_id}: {len(this.entries)} listed models from {source.value}")
        published = pipeline.run(this, inputs.open_source(source, settings))
    print(published / "report" / "index.html")


@app.command()
def nightly(
    source: SourceOption = SourceName.hub,
    lists: ListsOption = None,
    model: ModelsOption = None,
    catalogs: CatalogsOption = None,
    data: DataOption = None,
    fresh: FreshOption = False,
) -> None:
    """One night through Prefect: crawl, extract, estimate, build, check, report, publish.

    hubfit nightly --list default

    HF_TOKEN=… hubfit nightly --list my-models.txt --catalogs our-inventory/
    """
    from flows import disk, inputs, night, prefect_server
    from flows.settings import Settings

    interrupts.resumable()
    settings = Settings.from_environment(data=data)
    with night.exclusive(settings.data):
        # Inputs are checked before Prefect is started: a typo must not cost its start.
        inputs.check_inputs(lists or [], model or [], catalogs)
    disk.require_room(settings.data)
    terminal.note("starting Prefect …")
    with prefect_server.api(settings.data, services=False, log_level="CRITICAL"):
        from flows.nightly import nightly as flow

        with interrupts.raised():
            published = flow(
                source=source.value,
                lists=lists or [],
                models=model or [],
                catalogs=str(catalogs) if catalogs else None,
                data=str(settings.data),
                fresh=fresh,
            )
    print(Path(str(published)) / "report" / "index.html")


@app.command()
def serve(
    cron: Annotated[str | None, typer.Option(help='When, in UTC; default "0 3 * * *".')] = None,
    every: Annotated[int | None, typer.Option(help="Instead of --cron: every so many seconds.", min=1)] = None,
    source: SourceOption = SourceName.hub,
    lists: ListsOption = None,
    model: ModelsOption = None,
    catalogs: CatalogsOption = None,
    data: DataOption = None,
) -> None:
    """Keep the nightly flow scheduled; starts a Prefect server on loopback unless PREFECT_API_URL is set.

    hubfit serve --cron "0 3 * * *"
    """
    from flows import disk, inputs, prefect_home, schedule
    from flows.serve import serve as serve_forever
    from flows.settings import Settings

    if cron is not None and every:
        raise typer.BadParameter("give either --cron or --every")
    settings = Settings.from_environment(data=data)
    inputs.check_inputs(lists or [], model or [], catalogs)
    disk.require_room(settings.data)
    prefect_home.embed(settings.data)  # before Prefect is imported, also to read the cron line
    line = None if every else schedule.cron_line(schedule.DEFAULT_CRON if cron is None else cron)

    serve_forever(
        settings.data,
        cron=line,
        every_seconds=every,
        parameters={
            "source": source.value,
            "lists": lists or [],
            "models": model or [],
            "catalogs": str(catalogs.resolve()) if catalogs else None,
            "data": str(settings.data),
            "retries": 3,
        },
    )


@app.command()
def prices(catalogs: CatalogsOption = None, data: DataOption = None) -> None:
    """Refresh the prices that nights use, through Prefect; a provider that fails keeps its last good ones.

    hubfit prices

    hubfit prices --catalogs ours/  # with a price_sources.csv that names our mirror
    """
    from flows import disk, prefect_server
    from flows.prices.refresh import sources_of
    from flows.settings import Settings

    interrupts.resumable()
    settings = Settings.from_environment(data=data)
    asked = sources_of(catalogs)  # a typo must not cost Prefect's start
    disk.require_room(settings.data)
    terminal.note(f"asking {len(asked)} price lists through Prefect …")
    with prefect_server.api(settings.data, services=False, log_level="CRITICAL"):
        from flows.prices_flow import prices as flow

        with interrupts.raised():
            lines = flow(catalogs=str(catalogs) if catalogs else None, data=str(settings.data))
    print("\n".join(lines))


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="One SELECT (or DESCRIBE, SHOW, SUMMARIZE, EXPLAIN).")],
    format: Annotated[Format, typer.Option("--format", help="How to print the rows.")] = Format.table,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write there instead of stdout; parquet needs it.")
    ] = None,
    data: DataOption = None,
) -> None:
    """Read-only SQL on the latest published night.

    hubfit sql "FROM fit WHERE gpu = 'nvidia-rtx-4090-24gb' AND verdict = 'fits' LIMIT 5"

    hubfit sql --format csv "SELECT model_id, parameters FROM models ORDER BY parameters DESC"
    """
    from flows import publication, sql_shell
    from flows.settings import Settings

    settings = Settings.from_environment(data=data)
    sql_shell.answer(publication.latest_database(settings.data), query, format.value, output)


@app.command()
def check(
    models: Annotated[list[str] | None, typer.Argument(help="owner/name, up to twenty.")] = None,
    model: ModelsOption = None,
    lists: ListsOption = None,
    gpu: Annotated[list[str] | None, typer.Option("--gpu", help="Only this gpu_id. Repeatable.")] = None,
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
    """One model, at once: its size at each precision, what it fits on, with how much context.

    hubfit check Qwen/Qwen3-0.6B --source snapshot

    hubfit check openai/gpt-oss-20b --gpu nvidia-rtx-4090-24gb --context 32768 --concurrency 4

    hubfit check meta-llama/Llama-3.1-70B --gpu nvidia-rtx-4090-24gb --engine llamacpp --precision gguf_q4_k_m
    --host-memory 64

    hubfit check meta-llama/Llama-3.1-8B --source snapshot --calculators --fsdp 4
    """
    from estimator.calculators import ADAPTER_PERCENT
    from flows import check as checking
    from flows import inputs
    from flows.check_question import Question, speculation
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
    asked = list(dict.fromkeys([*(models or []), *(model or []), *listed]))
    checking.check(asked, Settings.from_environment(data=data), question, as_json=json)


app.command()(plan)


def main() -> None:
    """Run the command and turn every expected failure into one message and the exit status of the contract."""
    interrupts.install()  # for callers that come here without `flows.__main__`
    terminal.log_to_stderr()
    os.environ.setdefault("POLARS_MAX_THREADS", str(os.cpu_count() or 2))
    sys.exit(_guarded(lambda: app(standalone_mode=True)))


def _guarded(command: Callable[[], object]) -> int:
    from catalogs import CatalogError
    from flows.failures import Stop

    try:
        command()
    except Stop as stop:
        terminal.error(str(stop))
        return stop.exit_status
    except CatalogError as error:
        terminal.error(str(error))
        return USAGE
    except OSError as error:
        terminal.error(f"data folder: {error}; the previous night stays")
        return USAGE
    except KeyboardInterrupt:
        interrupts.leave()
    except SystemExit as stop:
        if stop.code == interrupts.INTERRUPTED:
            interrupts.leave()
        return stop.code if isinstance(stop.code, int) else 0
    return 0
