"""Models to compare: a dense one, one with windows, and one of which nothing is known; two devices and an odd one."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date

from made_up_night import CHAT, NIGHT

from reports import model as m
from reports import render
from reports.compare import ComparedDevice, ComparedModel, ComparePage, Way, cells, script_of
from reports.paths import slug

GIB = 2**30
SCRIPTS = 3
DENSE = ComparedModel(
    model_id="owner/dense", slug="owner--dense", kind="decoder", parameters=8_030_261_248,
    active_parameters=8_030_261_248, max_context_tokens=131_072, confidence="exact", license="mit",
    token_bytes=131_072.0, window_token_bytes=0.0, window_tokens=0,
    needs=[("bf16", 20 * GIB, [15 * GIB, GIB, 0, 3 * GIB, 0, 0, GIB]),
           ("nf4_dq", 10 * GIB, [5 * GIB, GIB, 0, 3 * GIB, 0, 0, GIB])],
    fits_on=2, smallest=Way("device-a", "nf4_dq", 1),
    cheapest=Way("device-a", "bf16", 2, None, 0.5, date(2026, 1, 1), 1, False),
    known=[Way(None, "bf16", 1, 86.6), Way(None, "bf16", 2)], verdicts="fsf",
)  # fmt: skip
WINDOWED = replace(
    DENSE, model_id="owner/windowed", slug="owner--windowed", parameters=20_914_757_184,
    active_parameters=4_190_000_000, confidence="derived", token_bytes=24_576.0, window_token_bytes=24_576.0,
    window_tokens=144, needs=[("bf16", 40 * GIB, [35 * GIB, GIB, 0, 3 * GIB, 0, 0, GIB])], fits_on=1,
    smallest=Way("device-c", "bf16", 1), cheapest=Way("device-c", "bf16", 1, None, 2.0, date(2025, 1, 1), 366, True),
    known=[None, Way(None, "bf16", 1, 20.0)], verdicts="xtf",
)  # fmt: skip
UNKNOWN = replace(
    DENSE, model_id="owner/unknown", slug="owner--unknown", kind=None, parameters=None, active_parameters=None,
    max_context_tokens=None, confidence=None, license=None, token_bytes=None, window_token_bytes=None,
    window_tokens=None, needs=[("bf16", None, [None, GIB, None, None, 0, 0, GIB])], fits_on=0, smallest=None,
    cheapest=None, known=[None, None], verdicts="???",
)  # fmt: skip
DEVICE = ComparedDevice(
    gpu="device-a", slug="device-a", name="Device A", segment="consumer", memory_bytes=24 * GIB,
    visible_bytes=23 * GIB, usable_bytes=21 * GIB, bandwidth_gb_per_s=1008.0, bf16_tflops=165.2, fp8_tflops=330.3,
    int8_tops=660.6, fp4_tflops=False, max_gpus_per_node=4, tdp_watts=450.0, usd_per_gpu_hour=0.35, provider="acme",
    as_of=date(2026, 1, 1), age_days=1, is_stale=False, usd_purchase=1400.0, purchase_as_of=date(2025, 6, 1),
    purchase_age_days=214, purchase_is_stale=True, models_on_one=1, models_sharded=0, largest_model="owner/dense",
    largest_slug="owner--dense", largest_parameters=8_030_261_248, largest_precision="nf4_dq",
)  # fmt: skip
OTHER = replace(
    DEVICE, gpu="device-b", slug="device-b", name="Device B", usd_per_gpu_hour=2.5, is_stale=True, models_on_one=2,
    largest_model="owner/windowed", largest_slug="owner--windowed",
)  # fmt: skip
ODD = replace(
    DEVICE, gpu="device-c", slug="device-c", name="Device C", memory_bytes=None, visible_bytes=None, usable_bytes=None,
    bandwidth_gb_per_s=None, bf16_tflops=None, tdp_watts=None, usd_per_gpu_hour=None, provider=None, as_of=None,
    age_days=None, is_stale=None, usd_purchase=None, purchase_as_of=None, purchase_age_days=None,
    purchase_is_stale=None, models_on_one=None, models_sharded=None, largest_model=None, largest_slug=None,
    largest_parameters=None, largest_precision=None,
)  # fmt: skip
# Letters of owner/dense, owner/windowed, owner/unknown and the named one.
ON = {"device-a": "fx?f", "device-b": "tf?f", "device-c": "????"}


def named(name: str) -> ComparedModel:
    """A model that is called so, and all else of it that a stranger writes."""
    ways = [replace(way, precision=name) if way else None for way in DENSE.known]
    return replace(
        DENSE, model_id=name, slug=slug(name), kind=name, license=name, known=ways,
        needs=[(name, *need[1:]) for need in DENSE.needs],
    )  # fmt: skip


def compare_page(name: str = "owner/name") -> ComparePage:
    known = [("device-a", "Device A"), ("device-b", name)]
    first = m.Workload("min-8k", "Weights alone")
    return ComparePage(NIGHT, CHAT, first, SCRIPTS, known, ["owner/dense", name], [("device-a", name), *known[1:]])


def scripts(name: str = "owner/name") -> dict[str, str]:
    """What lies beside the page, by path. The second device is called by the name, too."""
    models = [DENSE, WINDOWED, UNKNOWN, named(name)]
    is_odd = name != "owner/name"
    second = replace(OTHER, name=name, segment=name, provider=name, largest_precision=name) if is_odd else OTHER
    columns = [field.name for field in fields(ComparedModel)]
    files = {
        "models": render.compared(
            "models", ["model_id", "slug", "parameters"], [[row.model_id, row.slug, row.parameters] for row in models]
        ),
        "devices": render.compared(
            "devices", [field.name for field in fields(ComparedDevice)], [cells(row) for row in (DEVICE, second, ODD)]
        ),
    }
    for number in range(SCRIPTS):
        found = [cells(row) for row in models if script_of(row.model_id, SCRIPTS) == number]
        files[f"models-{number}"] = render.compared(f"models-{number}", columns, found)
    files |= {f"on-{gpu}": render.compared(f"on-{gpu}", ["verdicts"], [[letters]]) for gpu, letters in ON.items()}
    return {f"compare/{path}.js": script for path, script in files.items()}
