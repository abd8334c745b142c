"""The failures of one model, as values and as rows: the only list of kinds there is."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

STAGES = ("list", "fetch", "extract")

# kind -> transient: a transient failure may go away by itself, so a later run asks again.
KINDS: dict[str, bool] = {
    "invalid_id": False,
    "gated": False,
    "not_found": False,  # or private: the Hub does not tell them apart for strangers
    "disabled": False,
    "unauthorized": False,
    "rate_limited": True,
    "server_error": True,
    "timeout": True,
    "connection": True,
    "malformed_answer": True,
    "too_large": False,
    "not_in_snapshot": False,
    "malformed_info": False,
    "malformed_config": False,
    "unreadable": False,  # a folder or a file of this machine that the disk refuses
    "no_weights": False,  # neither a configuration nor a weight set that we can size
}

MODEL_ERRORS = pl.Schema(
    {
        "model_id": pl.String(),
        "stage": pl.String(),
        "kind": pl.String(),
        "message": pl.String(),
        "http_status": pl.Int64(),
        "is_transient": pl.Boolean(),
        "occurred_at": pl.Datetime("us", "UTC"),
    }
)


@dataclass(frozen=True)
class Failure:
    """Why one model could not be read. `message` is one line without secrets, at most 300 characters."""

    kind: str
    message: str
    http_status: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown failure kind {self.kind!r}")
        line = " ".join(self.message.split())
        object.__setattr__(self, "message", line[:299] + "…" if len(line) > 300 else line)

    @property
    def is_transient(self) -> bool:
        return KINDS[self.kind]


class Stop(Exception):
    """An expected end of a command: one message for people and the exit status of the contract."""

    exit_status = 2


class HubUnavailable(Stop):
    """The Hub as a whole does not answer; the night stops, the last publication stays."""

    exit_status = 3
