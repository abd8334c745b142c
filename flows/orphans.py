"""Flow runs that a dead `hubfit serve` has left behind: closed before the next one serves.

Nothing is blocked by them, because no limit of Prefect's is in use; but Prefect would show them at work for ever.
"""

from __future__ import annotations

from datetime import UTC, datetime

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Cancelled, Crashed

AT_WORK = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]


def close(flow: str, deployment: str, *, at_work: bool) -> int:
    """Close what nobody will finish and return how many.

    `at_work`: runs that seem to be at work as well, which only the owner of the Prefect server can judge. Of the runs
    that were due while nobody served, the newest is left to be made up for and the older ones are not.
    """
    closed = 0
    with get_client(sync_client=True) as client:
        if at_work:
            for run in _runs(client, flow, deployment, FlowRunFilter(state=_of(AT_WORK))):
                client.set_flow_run_state(run.id, Crashed(message="its process is gone"), force=True)
                closed += 1
        due = FlowRunFilter(
            state=_of([StateType.SCHEDULED]),
            expected_start_time=FlowRunFilterExpectedStartTime.model_validate({"before_": datetime.now(UTC)}),
        )
        missed = sorted(_runs(client, flow, deployment, due), key=lambda run: str(run.expected_start_time))
        for run in missed[:-1]:
            client.set_flow_run_state(run.id, Cancelled(message="missed while nobody served"), force=True)
            closed += 1
    return closed


def _runs(client: SyncPrefectClient, flow: str, deployment: str, which: FlowRunFilter) -> list[FlowRun]:
    return client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])),
        deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[deployment])),
        flow_run_filter=which,
    )


def _of(types: list[StateType]) -> FlowRunFilterState:
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=types))
