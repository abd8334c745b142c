"""A made-up report with everything that can be odd in it."""

from __future__ import annotations

from dataclasses import replace

from bought import procurement_page
from history import trends_page
from made_up_night import CHAT, NIGHT
from side_by_side import compare_page

from reports import model as m
from reports import render
from reports.changes import ChangesPage, Tally

COLUMNS = (
    m.Column("model_id", "Model", "link"), m.Column("verdict", "Verdict", "verdict", is_filter=True),
    m.Column("bytes", "Needs", "bytes"), m.Column("count", "Count", "count"), m.Column("usd", "Per hour", "usd"),
)  # fmt: skip


def table(rows: int = 3, text: str = "owner/name") -> m.Table:
    verdicts = ("fits", "sharded", "unknown")
    return m.Table(
        "ranking", "What runs here", "best_fit", COLUMNS,
        [
            [[f"{text}-{n:05d}", "index.html"], verdicts[n % 3], None if n % 7 == 6 else n * 2**28, n, n / 4]
            for n in range(rows)
        ],
        sort="-count",
    )  # fmt: skip


def model_page(model_id: str = "owner/name") -> m.ModelPage:
    return m.ModelPage(
        night=NIGHT, model_id=model_id, facts=[("License", model_id), ("Layers", None)], confidence="exact",
        parameters=8_030_261_248, active_parameters=None, max_context_tokens=None, notes=["assumed " + model_id],
        workload=CHAT,
        bars=[
            m.Bar("bf16", {"weights": 16 * 2**30, "cache": 2**30, "state": 0}, 17 * 2**30),
            m.Bar("stored", {"weights": None, "cache": 2**30}, None),
        ],
        smallest_device="Device A", smallest_precision="bf16", fits_on=1, devices=2,
        heats=[m.Heat(CHAT, [("bf16", "f2"), ("nvfp4", "-x")]), m.Heat(m.Workload("w", "Other"), [("bf16", "?t")])],
        groups=[
            m.Group("full", 32, 8, 128, 128, None, 65_536.0, 0),
            m.Group("unknown", None, None, None, None, None, None, None)
        ],
        options=[m.Option("Device A", "../devices/a.html", "bf16", "fits", 1, 2**30, None, 86.6, None, None)],
        artifacts=[m.Artifact(model_id, "model", "safetensors", None, None, 4, ["I32", "F16"])],
        comparisons=[
            m.Comparison("Serving", CHAT.title, "fp16", 17 * 2**30, None, [
                m.Answer("1.2 rule", 18 * 2**30, ["no cache", "of " + model_id]),
                m.Answer("another", 17 * 2**30, ["both count the same"]),
            ]),
            m.Comparison("Adapters", None, "nf4", None, "no workload asks this", [m.Answer("another", 2**30, ["x"])]),
        ],
        silences=[m.Silence(["accelerate", "a third (serving)"], "its class is not known")],
    )  # fmt: skip


def device_page(name: str = "Device A", rows: int = 3) -> m.DevicePage:
    return m.DevicePage(
        night=NIGHT, gpu="device-a", name=name, facts=[("Vendor", None)],
        waterfall=[m.Step("as advertised", 24 * 2**30), m.Step("driver", None), m.Step("usable", 22 * 2**30)],
        workload=CHAT, models=2, fitting=1, sharded=1, unknown=0, largest_model="owner/name", largest_precision="bf16",
        ranking=table(rows), misses=replace(table(0), id="misses"), source="a page", as_of=None,
    )  # fmt: skip


def changes_page(name: str, rows: int) -> ChangesPage:
    return ChangesPage(
        NIGHT, Tally(NIGHT.started_at, models={"added": 2}, devices={"runs now": 1}, prices=1),
        [("model", 12, 1, 3), ("catalog or method", 1, 1, 1)], replace(table(rows, name), id="devices"), rows + 5,
        replace(table(rows, name), id="models"), replace(table(0), id="prices", empty="No price moved."),
        replace(table(0), id="catalogs"),
    )  # fmt: skip


def pages(name: str = "owner/name", rows: int = 3, scored: bool = False) -> dict[str, str]:
    """Every kind of page by path, with `name` wherever a stranger's text can come in."""
    best = m.Finding("Device C", "devices/c.html", 24.0, name, "models/owner--name.html", 10**9, "bf16", 1071.5)
    overview = m.Overview(
        NIGHT, CHAT, 1, 1,
        [m.Finding("Device A", "devices/device-a.html", 24.0, name, "models/owner--name.html", 8_030_261_248, "bf16"),
         m.Finding("Device B", "devices/b.html", None, None, None, None, None), *([best] if scored else [])],
        [("bf16", 1, 2)], [(name, "models/owner--name.html", "model"), ("Device A", "devices/device-a.html", "device")],
        is_scored=scored, benchmarks=["arena"] if scored else (), changes=["No price moved.", f"Of {name}."],
    )  # fmt: skip
    quality = m.QualityPage(
        NIGHT, [("fetch", "gated", 1)], replace(table(rows, name), id="errors"),
        replace(table(rows, name), id="unknowns"),
        replace(table(0), id="conflicts", empty="None."), [("exact", 1), ("unknown", 1)],
    )  # fmt: skip
    validation = m.ValidationPage(
        NIGHT, 3, 2, 1, 1,
        [m.Accuracy("weights", "vllm", "judged", 2, 1, 0.0038, 0.0592, name),
         m.Accuracy("activation", "vllm", "fitted", 1, 0, None, None, None)],
        [m.Point(8 * 2**30, 7 * 2**30, "judged", name), m.Point(2**57, 2**10, "fitted", name)],
        replace(table(rows, name), id="measurements", view="validation"),
    )  # fmt: skip
    return {
        "index.html": render.index(overview),
        "models/index.html": render.listing(m.IndexPage(NIGHT, "models", CHAT, table(rows, name))),
        "devices/index.html": render.listing(m.IndexPage(NIGHT, "devices", CHAT, table(rows, name))),
        "models/owner--name.html": render.model(model_page(name)),
        "devices/device-a.html": render.device(device_page(name, rows)),
        "procurement.html": render.procurement(procurement_page(name, rows)),
        "compare.html": render.compare(compare_page(name)),
        "changes.html": render.changes(changes_page(name, rows)),
        "trends.html": render.trends(trends_page(4, name if name != "owner/name" else "float")),
        "quality.html": render.quality(quality),
        "validation.html": render.validation(validation),
        "method.html": render.method(
            m.MethodPage(
                NIGHT,
                [("chat-8k", name, "vllm", "8,192 x 1")],
                [("fit", name)],
                replace(table(rows, name), id="precisions", view="precision_ranks"),
            )
        ),
    }
