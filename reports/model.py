"""What the pages show: plain values, already chosen, sorted and counted. Null is unknown and is shown as such."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

Cell = str | int | float | bool | None


@dataclass(frozen=True)
class Night:
    """The run behind every page."""

    run_id: str
    started_at: datetime
    source: str
    code_version: str
    catalog_digest: str
    models_listed: int
    models_read: int
    models_failed: int
    fit_rows: int
    devices: int
    precisions: int
    oldest_price: date | None
    newest_price: date | None
    price_origins: Sequence[str] = ()  # site | snapshot | seed
    stale_prices: int = 0  # devices whose price is older than prices hold


@dataclass(frozen=True)
class Column:
    """A column of a big table.

    kind: text | code | count | parameters | bytes | usd | cost | share | verdict | link.
    """

    name: str  # as in SQL
    title: str
    kind: str = "text"
    is_filter: bool = False  # offer its values as a selection


@dataclass(frozen=True)
class Table:
    """Rows for table.js. `view` is the SQL view they were read from; a link cell is [text, href].

    `picked` chooses a value of filter columns at first, by column name; a reader can choose another or any. `beside`
    names the script next to the page that has the rows, where they are too many for it; empty for rows in the page.
    """

    id: str
    title: str
    view: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    sort: str = ""  # column to sort by at first; "-name" for descending
    empty: str = "Nothing to show."
    picked: Mapping[str, str] = field(default_factory=dict)
    beside: str = ""


@dataclass(frozen=True)
class Workload:
    """A named use; `id` is the SQL value."""

    id: str
    title: str


@dataclass(frozen=True)
class Finding:
    """One line of the overview's strip: the largest model of a device, or the best by the site's scores."""

    device: str
    device_href: str
    memory_gib: float | None
    model: str | None
    model_href: str | None
    parameters: int | None
    precision: str | None
    score: float | None = None  # null: it is there for its parameters


@dataclass(frozen=True)
class Overview:
    """index.html."""

    night: Night
    workload: Workload
    unknown_models: int
    exact_models: int
    strip: Sequence[Finding]
    precision_share: Sequence[tuple[str, int, int]]  # precision, models that fit somewhere on one device, models
    search: Sequence[tuple[str, str, str]]  # text, href, kind
    is_scored: bool = False  # the strip is of the best models by score, not of the largest
    benchmarks: Sequence[str] = ()  # that the scores are of, as far as the site says
    changes: Sequence[str] = ()  # since the night before, in sentences


@dataclass(frozen=True)
class Step:
    """One step of the memory waterfall, in bytes; null where nothing is published."""

    name: str
    bytes: int | None


@dataclass(frozen=True)
class DevicePage:
    """devices/<gpu>.html: what can this device run."""

    night: Night
    gpu: str
    name: str
    facts: Sequence[tuple[str, str | None]]
    waterfall: Sequence[Step]
    workload: Workload
    models: int
    fitting: int
    sharded: int
    unknown: int
    largest_model: str | None
    largest_precision: str | None
    ranking: Table
    misses: Table
    source: str | None
    as_of: date | None
    is_scored: bool = False  # the ranking follows the site's scores where there are any
    benchmarks: Sequence[str] = ()


@dataclass(frozen=True)
class Bar:
    """One stacked bar: what a model needs at a precision, in bytes. A null part makes the total unknown."""

    label: str
    parts: Mapping[str, int | None]
    total: int | None


@dataclass(frozen=True)
class Heat:
    """Verdicts of one workload: for each precision one character a device, in the order of assets/devices.js.

    f fits, t tight, 2 to 8 and g sharded over so many or 16 devices, o offload, x too big, - unsupported, ? unknown.
    """

    workload: Workload
    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Group:
    """Layers with the same cache."""

    kind: str
    layers: int | None
    kv_heads: int | None
    key_dim: int | None
    value_dim: int | None
    window_tokens: int | None
    elements_per_token: float | None
    state_bytes: int | None


@dataclass(frozen=True)
class Option:
    """A way to run the model, cheapest first."""

    device: str
    device_href: str
    precision: str
    verdict: str
    gpus: int
    headroom_bytes: int | None
    max_context_tokens: int | None
    decode_tokens_per_second: float | None  # of one sequence
    usd_per_hour: float | None
    usd_per_million_tokens: float | None


@dataclass(frozen=True)
class Artifact:
    """A weight set in the repository."""

    name: str
    role: str
    format: str
    precision: str | None
    bytes: int | None
    files: int
    types: Sequence[str]  # of its tensors, most bytes first; empty where no headers were read


@dataclass(frozen=True)
class Answer:
    """A number of another tool in bytes, and why it is not ours."""

    tool: str
    bytes: int
    reasons: Sequence[str]


@dataclass(frozen=True)
class Comparison:
    """What other tools answer to a question that one of our workloads asks as well. `ours` is null for a reason."""

    question: str
    workload: str | None  # what our answer is about; null where no workload asks
    precision: str
    ours: int | None
    why_unknown: str | None
    answers: Sequence[Answer]


@dataclass(frozen=True)
class Silence:
    """Tools without a number, and why."""

    tools: Sequence[str]
    reason: str


@dataclass(frozen=True)
class ModelPage:
    """models/<owner--name>.html: what do I need for this model."""

    night: Night
    model_id: str
    facts: Sequence[tuple[str, str | None]]
    confidence: str | None
    parameters: int | None
    active_parameters: int | None
    max_context_tokens: int | None
    notes: Sequence[str]
    workload: Workload
    bars: Sequence[Bar]
    smallest_device: str | None
    smallest_precision: str | None
    fits_on: int
    devices: int
    heats: Sequence[Heat]
    groups: Sequence[Group]
    options: Sequence[Option]
    artifacts: Sequence[Artifact]
    comparisons: Sequence[Comparison] = field(default=())
    silences: Sequence[Silence] = field(default=())
    provenance: Sequence[tuple[str, str | None]] = field(default=())


@dataclass(frozen=True)
class QualityPage:
    """quality.html: what is missing, and why."""

    night: Night
    errors_by_kind: Sequence[tuple[str, str, int]]  # stage, kind, models
    errors: Table
    unknowns: Table
    conflicts: Table
    confidence: Sequence[tuple[str, int]]
    scores: Table | None = None  # that rank nothing; null where there are none


@dataclass(frozen=True)
class Accuracy:
    """Errors of one component on one side of the split: relative, absolute values; null where nothing is predicted."""

    component: str
    engine: str
    split: str  # fitted | judged
    measurements: int
    predicted: int
    median: float | None
    worst: float | None
    where: str | None


@dataclass(frozen=True)
class Point:
    """A measurement with its prediction, in bytes."""

    measured: int
    predicted: int
    split: str
    label: str


@dataclass(frozen=True)
class ValidationPage:
    """validation.html: predicted against measured. `close` of the `judged` predictions are within one per cent."""

    night: Night
    measurements: int
    predicted: int
    judged: int
    close: int
    accuracies: Sequence[Accuracy]
    points: Sequence[Point]
    rows: Table


@dataclass(frozen=True)
class IndexPage:
    """devices/index.html and models/index.html."""

    night: Night
    kind: str  # devices | models
    workload: Workload
    table: Table


@dataclass(frozen=True)
class MethodPage:
    """method.html."""

    night: Night
    workloads: Sequence[tuple[str, str, str, str]]  # id, title, engine, context x sequences
    views: Sequence[tuple[str, str]]  # name, meaning
    precisions: Table
