"""The Prefect flow `prices`: one task a provider, tried again while its list is away, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows import locks, scheduled, terminal
from flows.failures import Stop
from flows.prices import refresh as refreshing
from flows.prices.refresh import Outcome
from flows.prices.sources import Source
from flows.prices.web import ListAway, Patience
from flows.settings import Settings

# Waits before a list is asked for again. Few and short: yesterday's prices are as good as today's.
RETRY_DELAYS_SECONDS = [1.0, 5.0]


class NoPrices(Stop):
    """No price list could be reached at all: there is no network, or none that leads there."""

    exit_status = 3


@task(
    name="refresh",
    retries=len(RETRY_DELAYS_SECONDS),
    retry_delay_seconds=RETRY_DELAYS_SECONDS,
    retry_condition_fn=lambda task, run, state: _is_away(state),
    cache_policy=NO_CACHE,
    task_run_name="refresh-{source.provider}",
)
def refresh(data: Path, source: Source, folder: Path | None, on: date, patience: Patience) -> Outcome:
    """One provider; only a list that is away is worth another try."""
    return refreshing.refresh(data, source, folder, on, patience)


# Mostly waiting for somebody else's server.
RUNNER: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=4)


@flow(name="prices", task_runner=RUNNER, validate_parameters=True)
def prices(catalogs: str | None = None, data: str | None = None) -> list[str] | State[Any]:
    """Refresh every provider's prices. Returns a line on each; raises NoPrices when none could be reached.

    A refresh that a schedule started says so instead, see `flows.scheduled`.
    """
    logger = get_run_logger()
    settings = Settings.from_environment(data=Path(data) if data else None)
    folder = Path(catalogs) if catalogs else None

    def work() -> list[str]:
        with exclusive(settings.data):
            outcomes = _all(settings.data, refreshing.sources_of(folder), folder, datetime.now(UTC).date())
        for outcome in outcomes:
            logger.info("%s", outcome)
        require_reached(outcomes)
        return [str(outcome) for outcome in outcomes]

    return work() if runtime.deployment.id is None else scheduled.prices(work)


def exclusive(data: Path) -> Any:
    """One refresh at a time in a data folder; a night may go on beside it. Entering it raises locks.Refused."""
    return locks.held(data / ".prices", f"another refresh of prices is writing to {data}", "wait for it to end")


def require_reached(outcomes: Sequence[Outcome]) -> None:
    """Raise NoPrices when nobody answered."""
    if outcomes and all(outcome.is_out_of_reach for outcome in outcomes):
        first = outcomes[0]
        raise NoPrices(f"no price list could be reached ({first.provider}: {first.message}); the last prices stay")


def _all(data: Path, asked: Sequence[Source], folder: Path | None, on: date) -> list[Outcome]:
    """Outcomes in the order of the sources. What is no fault of a list is raised after all have ended."""
    futures = [refresh.submit(data, source, folder, on, Patience()) for source in asked]
    outcomes, faults = list[Outcome](), list[BaseException]()
    with terminal.stage("prices", len(futures)) as step:
        for source, future in zip(asked, futures, strict=True):
            try:
                outcomes.append(future.result())
            except ListAway as error:
                outcomes.append(refreshing.away(source, error))
            except Exception as error:
                faults.append(error)
            step()
    if faults:
        raise faults[0]
    return outcomes


def _is_away(state: object) -> bool:
    result = getattr(state, "data", None)
    return isinstance(getattr(result, "exception", result), ListAway) or "ListAway" in str(
        getattr(state, "message", "")
    )
