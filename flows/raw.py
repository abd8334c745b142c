"""A raw answer about one model: what every source, live or embedded, hands on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from flows.failures import Failure

# Lake table `hub`, not published. Grain: listed model. On failure the texts are null and failure_* say why.
HUB = pl.Schema(
    {
        "model_id": pl.String(),
        "revision": pl.String(),
        "info": pl.String(),  # JSON text of the detail answer
        "config": pl.String(),  # JSON text of config.json, null when the repository has none
        "tensors": pl.String(),  # JSON text of tensor_set.dump, null where no headers were read
        "base_id": pl.String(),  # the base model that the card names, of a repository without a configuration
        "base_config": pl.String(),  # JSON text of its config.json
        "fetched_at": pl.Datetime("us", "UTC"),
        "failure_kind": pl.String(),
        "failure_message": pl.String(),
        "http_status": pl.Int64(),
    }
)


@dataclass(frozen=True)
class RawModel:
    """One model as a source answered, unread."""

    model_id: str
    revision: str | None
    info: str
    config: str | None
    fetched_at: datetime
    base_id: str | None = None
    base_config: str | None = None
    tensors: str | None = None


# A source turns model ids into answers, one per id and in any order. It raises HubUnavailable when no
# single model is to blame, and nothing else.
Source = Callable[[Iterable[str]], Iterator[tuple[str, RawModel | Failure]]]
