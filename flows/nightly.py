"""The nightly Prefect flow: the stages as tasks with a retry policy, and nothing else.

One task per shard: Prefect costs 10-20 ms a task, so never one per model. The files are the cache, so a task
that is tried again, or a run that is resumed, repeats nothing that is whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, runtime, task, unmapped
from prefect.artifacts import create_link_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFutureList
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows import finish, inputs, night, night_plan, notifications, pipeline, scheduled, stages, terminal
from flows.failures import HubUnavailable
from flows.night import Night
from flows.settings import Settings

# Waits before a shard is asked for again after the Hub was away.
RETRY_DELAYS_SECONDS = [60.0, 300.0, 900.0]


@task(
    name="fetch",
    retry_delay_seconds=RETRY_DELAYS_SECONDS,
    retry_condition_fn=lambda task, run, state: _is_hub_unavailable(state),
    cache_policy=NO_CACHE,
    task_run_name="fetch-{shard}",
)
def fetch(this: Night, shard: int) -> int:
    """Crawl one shard; only an unavailable Hub is worth another try, a model's failure is a row."""
    stages.fetch(this, shard, inputs.open_source(this.source, Settings.from_environment()))
    return shard


@task(name="extract", cache_policy=NO_CACHE, task_run_name="extract-{shard}")
def extract(this: Night, shard: int) -> int:
    stages.extract(this, shard)
    return shard


@task(name="shapes", cache_policy=NO_CACHE)
def shapes(this: Night) -> int:
    return stages.shapes(this)


@task(name="estimate", cache_policy=NO_CACHE, task_run_name="estimate-{shard}")
def estimate(this: Night, shard: int) -> int:
    stages.estimate(this, shard)
    return shard


@task(name="plan", cache_policy=NO_CACHE)
def plan(this: Night) -> None:
    """What the demand of a site's folder costs; without one, that there is none."""
    night_plan.write(this, inputs.open_source(this.source, Settings.from_environment()))


@task(name="publish", cache_policy=NO_CACHE)
def publish(this: Night) -> Path:
    return finish.finish(this)


# Two threads: one shard crawls while another is read; the estimator uses all cores by itself.
RUNNER: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=2)


@flow(name="nightly", task_runner=RUNNER, validate_parameters=True)
def nightly(
    source: str = "hub",
    lists: list[str] | None = None,
    models: list[str] | None = None,
    catalogs: str | None = None,
    data: str | None = None,
    fresh: bool = False,
    retries: int = 0,
    notify: list[str] | None = None,
) -> str | State[Any]:
    """One night: crawl, extract, estimate, build, check, report, publish. Returns the published folder.

    `retries`: how often a shard is asked for again while the Hub is away;
    a scheduled night is patient, a person is not. `notify`: blocks of Prefect that are told what changed.
    """
    logger = get_run_logger()
    settings = Settings.from_environment(data=Path(data) if data else None)

    def work() -> Path:
        told = notifications.blocks(notify or [])
        with night.exclusive(settings.data):
            folder = Path(catalogs) if catalogs else None
            this = pipeline.begin(settings, source, lists or [], models or [], folder, fresh=fresh)
            logger.info("run %s: %d listed models from %s", this.run_id, len(this.entries), source)
            published = _stages(this, retries)
        notifications.send(told, published)
        return published

    return str(work()) if runtime.deployment.id is None else scheduled.night(work)


def _stages(this: Night, retries: int) -> Path:
    crawled = fetch.with_options(retries=retries).map(unmapped(this), list(range(this.shards)))
    _follow("crawl", crawled)
    _follow("extract", extract.map(unmapped(this), crawled))
    shards = shapes(this)
    _follow("estimate", estimate.map(unmapped(this), list(range(shards))))
    plan(this)
    with terminal.stage("publish", 1) as step:
        published = publish(this)
        step()
    create_link_artifact(
        key="report",
        link=(published / "report" / "index.html").as_uri(),
        description=f"Report of {this.run_id}",
    )
    return published


def _follow(stage: str, futures: PrefectFutureList[int]) -> None:
    """Wait for every task of a stage, showing progress; the first failure is raised."""
    with terminal.stage(stage, len(futures)) as step:
        for future in futures:
            future.result()
            step()


def _is_hub_unavailable(state: object) -> bool:
    result = getattr(state, "data", None)
    return isinstance(getattr(result, "exception", result), HubUnavailable) or "HubUnavailable" in str(
        getattr(state, "message", "")
    )
