"""The `hubfit` command: parse, call one function, print one result. Results on stdout, everything else on stderr.

Exit status: 0 published; 1 publication blocked by a check, or no plan; 2 usage, catalog, input-file or data-folder
error; 3 the Hub, or every price list, could not be reached at all; 130 interrupted. In every case but 0 the previous
night stays.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from flows import interrupts, terminal
from flows.cli_check import check
from flows.cli_options import (
    CatalogsOption,
    DataOption,
    FreshOption,
    ListsOption,
    ModelsOption,
    NotifyOption,
    SourceName,
    SourceOption,
)
from flows.cli_plan import plan
from flows.cli_sql import sql

USAGE = 2

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="""Which models of the Hugging Face Hub run on which hardware, at which precision, context and price.

    hubfit check Qwen/Qwen3-8B --gpu auto  # one model on this machine, now

    hubfit nightly --list my-models.txt  # all of a list, as a report and a database

    hubfit sql "FROM best_fit WHERE gpu = 'nvidia-rtx-4090-24gb' LIMIT 5"  # ask the last night

    hubfit plan demand.csv  # what to rent or buy for a demand
    """,
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
    notify: NotifyOption = None,
) -> None:
    """One night through Prefect: crawl, extract, estimate, build, check, report, publish.

    hubfit nightly --list default

    HF_TOKEN=… hubfit nightly --list my-models.txt --catalogs our-inventory/

    hubfit nightly --list my-models.txt --notify slack-webhook/team  # a block that you saved in Prefect
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
                notify=notify or [],
            )
    print(Path(str(published)) / "report" / "index.html")


@app.command()
def serve(
    cron: Annotated[str | None, typer.Option(help='When, in UTC; default "0 3 * * *".')] = None,
    every: Annotated[int | None, typer.Option(help="Instead of --cron: every so many seconds.", min=1)] = None,
    prices_cron: Annotated[
        str | None, typer.Option(help="When prices are refreshed, in UTC; never unless said.")
    ] = None,
    source: SourceOption = SourceName.hub,
    lists: ListsOption = None,
    model: ModelsOption = None,
    catalogs: CatalogsOption = None,
    data: DataOption = None,
    notify: NotifyOption = None,
) -> None:
    """Keep the nightly flow scheduled; starts a Prefect server on loopback unless PREFECT_API_URL is set.

    hubfit serve --cron "0 3 * * *"

    hubfit serve --cron "0 3 * * *" --prices-cron "0 2 * * *"  # prices an hour before the night
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
    prices_line = None if prices_cron is None else schedule.cron_line(prices_cron, "--prices-cron")

    serve_forever(
        settings.data,
        cron=line,
        every_seconds=every,
        prices_cron=prices_line,
        parameters={
            "source": source.value,
            "lists": lists or [],
            "models": model or [],
            "catalogs": str(catalogs.resolve()) if catalogs else None,
            "data": str(settings.data),
            "retries": 3,
            "notify": notify or [],
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
    assert isinstance(lines, list)  # a state is for a schedule
    print("\n".join(lines))


app.command()(check)
app.command()(plan)
app.command()(sql)


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
