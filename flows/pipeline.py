"""A whole night in one process, without a Prefect API: the same stages in a plain loop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import catalogs
from flows import finish, inputs, night, night_plan, stages, terminal
from flows.night import Night
from flows.raw import Source
from flows.settings import Settings


def begin(
    settings: Settings,
    source: str,
    lists: Sequence[str],
    models: Sequence[str],
    catalogs_folder: Path | None,
    *,
    fresh: bool,
) -> Night:
    """Check every input before anything is fetched, then start or resume the run."""
    catalogs.validate(catalogs_folder)
    entries = inputs.listed(lists, models)
    if asked := [name for name in lists if inputs.is_of_the_hub(name)]:
        from flows import hub_list

        named = [model_id for name in asked for model_id in hub_list.ids(hub_list.parse(name), settings)]
        if not named:
            raise catalogs.CatalogError(", ".join(asked), "names no model of the Hub")
        files = [name for name in lists if not inputs.is_of_the_hub(name)]
        entries = inputs.listed(files, [*models, *named])
    return night.start(settings.data, source, entries, catalogs_folder, fresh=fresh)


def run(this: Night, source: Source) -> Path:
    """Every stage in order; returns the published folder. What is already done is not done again."""
    with terminal.stage("crawl", len(this.entries)) as step:
        for shard in range(this.shards):
            stages.fetch(this, shard, source, step)
    with terminal.stage("extract", this.shards) as step:
        for shard in range(this.shards):
            stages.extract(this, shard)
            step()
    shards = stages.shapes(this)
    with terminal.stage("estimate", shards) as step:
        for shard in range(shards):
            stages.estimate(this, shard)
            step()
    night_plan.write(this, source)
    with terminal.stage("publish", 1) as step:
        published = finish.finish(this)
        step()
    return published
