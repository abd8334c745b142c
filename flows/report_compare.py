"""The page that puts models or devices side by side, and the scripts with their rows.

Models' rows are kept while their pages are streamed: they are what the pages show, shorter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from functools import cached_property

from flows.report_rows import Row, Rows
from reports import charts, compare, render
from reports.compare import ComparedDevice, ComparedModel, ComparePage, Way
from reports.model import ModelPage, Night, Workload
from reports.paths import slug

# What most people rent or own; those that a site's catalog has get a row each with the speed of every model.
KNOWN = (
    "nvidia-rtx-4090-24gb", "nvidia-l4-24gb", "nvidia-l40s-48gb", "nvidia-a100-sxm-80gb", "nvidia-h100-sxm-80gb",
    "nvidia-h200-sxm-141gb", "amd-mi300x-192gb",
)  # fmt: skip
# Cases as bits, so that the best of all precisions on all devices is one number: as in internal.best, one device comes
# before several and comfortable before tight; what nobody knows comes before what is known not to run.
BITS = {"f": 1, "t": 2, "2": 4, "3": 4, "4": 4, "5": 4, "6": 4, "7": 4, "8": 4, "g": 4, "o": 8, "?": 16, "x": 32}
NAMED = bytes(BITS.get(chr(code), 0) for code in range(256))
# What a repository stores in a format without a name tells nothing of the formats that have one.
STORED = bytes(0 if chr(code) == "?" else NAMED[code] for code in range(256))
# Of several the one with the lowest bit.
BEST = bytes(ord(next((letter for at, letter in enumerate("ftso?x") if bits >> at & 1), "-")) for bits in range(256))


class Compared:
    """Rows of models as their pages come by. Filled by flows.report_models.model_pages; needs `rows.assured()`."""

    def __init__(self, rows: Rows, night: Night) -> None:
        self._rows = rows
        self._night = night
        self._scripts = compare.scripts(night.models_read)
        self._verdicts: dict[int, dict[int, str]] = {}  # shape_ix -> workload_ix -> a letter a device
        self._models: list[tuple[int, int, ComparedModel]] = []  # downloads, shape_ix

    def shape(self, shape_ix: int, heats: dict[int, list[tuple[int, str]]]) -> None:
        """Keep the best verdicts of a shape; `heats` by workload_ix as Rows.heats has them."""
        self._verdicts[shape_ix] = {
            workload_ix: best((codes, number in self._stored) for number, codes in pairs if number in self._chosen)
            for workload_ix, pairs in heats.items()
        }

    def model(self, model: Row, page: ModelPage, reach: Row | None) -> None:
        """Keep the row of a model whose page is at hand, after its shape."""
        model_id, shape_ix = page.model_id, model["shape_ix"]
        cache = self._caches.get(shape_ix, {})
        row = ComparedModel(
            model_id=model_id, slug=slug(model_id), kind=model["kind"], parameters=page.parameters,
            active_parameters=page.active_parameters, max_context_tokens=page.max_context_tokens,
            confidence=page.confidence, license=model["license"], token_bytes=cache.get("token"),
            window_token_bytes=cache.get("window_token"), window_tokens=cache.get("window_tokens"),
            needs=[(bar.label, bar.total, [bar.parts.get(part) for part in charts.PARTS]) for bar in page.bars],
            fits_on=page.fits_on, smallest=Way(reach["gpu"], reach["precision"], 1) if reach else None,
            cheapest=self._cheapest.get(model_id), known=self._speeds.get(model_id) or [None] * len(self._known),
            verdicts=self._verdicts[shape_ix][self._rows.served["workload_ix"]],
        )  # fmt: skip
        self._models.append((model["downloads"] or 0, shape_ix, row))

    def files(self) -> Iterator[tuple[str, str]]:
        """Paths below the report with their contents, after the last model."""
        self._models.sort(key=lambda found: (-found[0], found[2].model_id))
        devices = self._devices()
        yield "compare.html", render.compare(self._page(devices))
        index = [[row.model_id, row.slug, row.parameters] for _, _, row in self._models]
        yield "compare/models.js", render.compared("models", ["model_id", "slug", "parameters"], index)
        scripts: list[list[list[object]]] = [[] for _ in range(self._scripts)]
        for _, _, row in self._models:
            scripts[compare.script_of(row.model_id, self._scripts)].append(compare.cells(row))
        names = [field.name for field in fields(ComparedModel)]
        for number, cells in enumerate(scripts):
            yield f"compare/models-{number}.js", render.compared(f"models-{number}", names, cells)
        names = [field.name for field in fields(ComparedDevice)]
        yield "compare/devices.js", render.compared("devices", names, [compare.cells(row) for row in devices])
        told = "".join(self._of_first(shape_ix) for _, shape_ix, _ in self._models)
        for at, device in enumerate(devices):
            column = told[at :: len(devices)]
            yield f"compare/on-{device.slug}.js", render.compared(f"on-{device.slug}", ["verdicts"], [[column]])

    def _of_first(self, shape_ix: int) -> str:
        return self._verdicts[shape_ix][self._rows.workloads[0]["workload_ix"]]

    def _page(self, devices: Sequence[ComparedDevice]) -> ComparePage:
        """To begin with: the most downloaded models that write text and are of known size, and two devices."""
        names = {device.gpu: device.name for device in devices}
        writers = [row for _, _, row in self._models if row.kind == "decoder" and row.parameters is not None]
        first: Row = {"workload": "none", "title": "No inference workload"}
        first, served = (self._rows.workloads[0], self._rows.served) if self._rows.workloads else (first, first)
        return ComparePage(
            night=self._night, served=Workload(served["workload"], served["title"]),
            first=Workload(first["workload"], first["title"]), scripts=self._scripts,
            known=[(gpu, names[gpu]) for gpu in self._known], models=[row.model_id for row in writers[:2]],
            devices=[(gpu, names[gpu]) for gpu in ("nvidia-rtx-4090-24gb", "nvidia-h100-sxm-80gb") if gpu in names],
        )  # fmt: skip

    @cached_property
    def _chosen(self) -> set[int]:
        """Precisions that best_fit chooses from."""
        query = "SELECT precision_ix FROM precision_ranks JOIN precisions USING (precision) WHERE rank IS NOT NULL"
        return {row["precision_ix"] for row in self._rows.all(query)}

    @cached_property
    def _stored(self) -> set[int]:
        query = "SELECT precision_ix FROM precisions WHERE policy = 'stored'"
        return {row["precision_ix"] for row in self._rows.all(query)}

    @cached_property
    def _known(self) -> list[str]:
        found = {row["gpu_id"] for row in self._rows.all("SELECT gpu_id FROM gpus")}
        return [gpu for gpu in KNOWN if gpu in found]

    @cached_property
    def _caches(self) -> dict[int, Row]:
        """shape_ix -> bytes that a token adds to the cache of one sequence, on one device."""
        query = """
            SELECT c.shape_ix, c.kv_bytes_per_token / w.concurrent_sequences AS token,
                c.kv_window_bytes_per_token / w.concurrent_sequences AS window_token, c.window_tokens
            FROM internal.cache_plans c JOIN internal.splits n USING (split_ix) JOIN workloads w USING (workload_ix)
            WHERE w.workload_ix = ? AND n.degree = 1
        """
        return {row["shape_ix"]: row for row in self._rows.all(query, self._rows.served["workload_ix"])}

    @cached_property
    def _cheapest(self) -> dict[str, Way]:
        query = "FROM memory.main.cheapest_assured WHERE workload = ?"
        return {
            row["model_id"]: Way(
                row["gpu"], row["precision"], row["gpus_needed"], None, row["usd_per_hour"], row["as_of"],
                row["age_days"], row["is_stale"],
            )
            for row in self._rows.all(query, self._rows.served["workload"])
        }  # fmt: skip

    @cached_property
    def _speeds(self) -> dict[str, list[Way | None]]:
        """model_id -> how it runs best on each known device, null where it does not."""
        places = {gpu: at for at, gpu in enumerate(self._known)}
        found: dict[str, list[Way | None]] = {}
        for row in self._rows.ways_on(self._known):
            ways = found.setdefault(row["model_id"], [None] * len(places))
            speed = row["decode_tokens_per_second"]
            ways[places[row["gpu"]]] = Way(
                None, row["precision"], row["gpus_needed"], None if speed is None else round(speed, 1)
            )
        return found

    def _devices(self) -> list[ComparedDevice]:
        has_workload = bool(self._rows.workloads)
        found = self._rows.all(
            """
            SELECT g.*, u.usable_bytes, c.usd_per_gpu_hour, c.provider, c.as_of AS price_as_of,
                c.age_days, c.is_stale, p.usd_purchase, p.as_of AS purchase_as_of, p.age_days AS purchase_age_days,
                p.is_stale AS purchase_is_stale, m.models_on_one, m.models_sharded,
                l.model_id, l.parameters, l.precision
            FROM gpus g
            LEFT JOIN internal.capacities u ON u.gpu_ix = g.gpu_ix AND u.workload_ix = ?
            LEFT JOIN current_prices c ON c.gpu = g.gpu_id
            LEFT JOIN current_purchases p ON p.gpu = g.gpu_id
            LEFT JOIN internal.models_per_gpu_of('memory.main.best') m ON m.gpu = g.gpu_id AND m.workload = ?
            LEFT JOIN internal.largest_per_gpu_of('memory.main.best') l ON l.gpu = g.gpu_id AND l.workload = ?
            ORDER BY g.gpu_ix
            """,
            self._rows.served["workload_ix"] if has_workload else None,
            *([self._rows.workloads[0]["workload"] if has_workload else None] * 2),
        )
        return [_device(row, has_workload) for row in found]


def best(precisions: Iterable[tuple[str, bool]]) -> str:
    """A letter a device: the best verdict of several precisions, each a code a device and whether it is `stored`."""
    bits, devices = 0, 0
    for codes, is_stored in precisions:
        devices = len(codes)
        bits |= int.from_bytes(codes.encode("ascii").translate(STORED if is_stored else NAMED), "big")
    return bits.to_bytes(devices, "big").translate(BEST).decode("ascii")


def _device(row: Row, has_workload: bool) -> ComparedDevice:
    nominal = row["memory_gib_nominal"]
    is_told = has_workload and row["visible_bytes"] is not None  # else nobody can say what it runs
    return ComparedDevice(
        gpu=row["gpu_id"], slug=slug(row["gpu_id"]), name=row["name"], segment=row["segment"],
        memory_bytes=None if nominal is None else int(nominal * 2**30), visible_bytes=row["visible_bytes"],
        usable_bytes=row["usable_bytes"], bandwidth_gb_per_s=row["bandwidth_gb_per_s"],
        bf16_tflops=_rate(row, "bf16", "bf16_tflops"), fp8_tflops=_rate(row, "fp8", "fp8_tflops"),
        int8_tops=_rate(row, "int8", "int8_tops"), fp4_tflops=_rate(row, "fp4", "fp4_tflops"),
        max_gpus_per_node=row["max_gpus_per_node"], tdp_watts=row["tdp_watts"],
        usd_per_gpu_hour=row["usd_per_gpu_hour"], provider=row["provider"], as_of=row["price_as_of"],
        age_days=row["age_days"], is_stale=row["is_stale"], usd_purchase=row["usd_purchase"],
        purchase_as_of=row["purchase_as_of"], purchase_age_days=row["purchase_age_days"],
        purchase_is_stale=row["purchase_is_stale"],
        models_on_one=(row["models_on_one"] or 0) if is_told else None,
        models_sharded=(row["models_sharded"] or 0) if is_told else None,
        largest_model=row["model_id"], largest_slug=slug(row["model_id"]) if row["model_id"] else None,
        largest_parameters=row["parameters"], largest_precision=row["precision"],
    )  # fmt: skip


def _rate(row: Row, number_format: str, column: str) -> float | bool | None:
    """False where the device is known not to compute in a format."""
    if row[column] is None and row["native_formats"] is not None and number_format not in row["native_formats"]:
        return False
    rate: float | None = row[column]
    return rate
