"""One page at a time: a caller can stream thousands of them without holding them all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports import changes as overnight
from reports import charts, comparisons, findings, format, paths, plans, scatter, trend_charts, trend_words
from reports import procurement as buying
from reports.changes import ChangesPage
from reports.compare import LETTERS, MOST, ComparePage
from reports.model import (
    Column,
    DevicePage,
    IndexPage,
    MethodPage,
    ModelPage,
    Night,
    Overview,
    QualityPage,
    Table,
    ValidationPage,
)
from reports.pareto import pareto
from reports.procurement import ProcurementPage
from reports.trends import NONE, TrendsPage

# Characters that could end a script element or a line of JavaScript.
_IN_SCRIPT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
# Rows of a big table that a page carries as HTML, for readers without scripts.
STATIC_ROWS = 25
_NUMERIC = frozenset({"bytes", "count", "usd", "cost", "parameters", "share"})


def index(page: Overview) -> str:
    """index.html."""
    sentence = format.overview_sentence(
        page.night.models_listed, page.night.models_read, page.night.models_failed, page.unknown_models
    )
    return _page(
        "index.html", page.night, "", "", page=page, sentence=sentence, headlines=findings.headlines(page),
        strip=list(zip(page.strip, charts.reach(page.strip), strict=True)),
        shares=list(zip(page.precision_share, charts.shares(page.precision_share), strict=True)),
    )  # fmt: skip


def device(page: DevicePage) -> str:
    """devices/<gpu>.html. The ranking starts with the page's workload, so that no model is listed twice."""
    sentence = format.device_sentence(
        page.name, page.models, page.fitting, page.sharded, page.unknown, page.largest_model,
        page.largest_precision, page.workload.title,
    )  # fmt: skip
    ranking = page.ranking
    if any(column.name == "workload" and column.is_filter for column in ranking.columns):
        ranking = replace(ranking, picked={"workload": page.workload.id, **ranking.picked})
    return _page(
        "device.html", page.night, "../", "devices", page=page, sentence=sentence, ranking=ranking,
        steps=charts.waterfall(page.waterfall), ranked=format.ranking_sentence(page.is_scored, page.benchmarks),
    )  # fmt: skip


def model(page: ModelPage) -> str:
    """models/<owner--name>.html."""
    sentence = format.model_sentence(
        page.model_id, page.parameters, page.fits_on, page.devices, page.smallest_device, page.smallest_precision,
        page.workload.title, page.active_parameters,
    )  # fmt: skip
    heats = [
        {"id": heat.workload.id, "title": heat.workload.title, "rows": [list(row) for row in heat.rows]}
        for heat in page.heats
    ]
    return _page(
        "model.html", page.night, "../", "models", page=page, sentence=sentence, stack=charts.stacked(page.bars),
        heats=heats, tallies=charts.tallies(page.heats[0]) if page.heats else (),
        compared=comparisons.sentence(page.comparisons),
    )  # fmt: skip


def listing(page: IndexPage) -> str:
    """devices/index.html and models/index.html."""
    return _page("listing.html", page.night, "../", page.kind, page=page)


def quality(page: QualityPage) -> str:
    """quality.html."""
    return _page("quality.html", page.night, "", "quality", page=page)


def validation(page: ValidationPage) -> str:
    """validation.html."""
    return _page("validation.html", page.night, "", "validation", page=page, plot=scatter.scatter(page.points))


def procurement(page: ProcurementPage) -> str:
    """procurement.html; its table is drawn from `rows_beside`."""
    best = {offer.gpu for offer in buying.frontier(page.offers)}
    return _page(
        "procurement.html", page.night, "", "procurement", page=page, sentences=buying.verdicts(page),
        finding=buying.finding(page.offers), plot=pareto(page.offers), best=best,
        planned=None if page.plan is None else plans.sentence(page.plan), asked=buying.asked(page.workload),
    )  # fmt: skip


def changes(page: ChangesPage) -> str:
    """changes.html."""
    return _page("changes.html", page.night, "", "changes", page=page, sentences=overnight.sentences(page.tally))


def trends(page: TrendsPage) -> str:
    """trends.html; lists of one night, charts of more."""
    return _page(
        "trends.html", page.night, "", "trends", page=page, sentences=trend_words.sentences(page),
        charts=trend_charts.charts(page), marks=trend_words.marks(page), figures=trend_words.figures(page),
        classes=trend_words.classes(page), none=NONE,
    )  # fmt: skip


def compare(page: ComparePage) -> str:
    """compare.html; what stands side by side is drawn from `compared`."""
    told = {
        "most": MOST, "scripts": page.scripts, "models": page.night.models_read, "devices": page.night.devices,
        "letters": LETTERS, "parts": charts.PARTS, "known": page.known, "stale": format.STALE,
        "confidences": format.CONFIDENCES, "served": [page.served.id, format.lowered(page.served.title)],
        "first": [page.first.id, format.lowered(page.first.title)],
    }  # fmt: skip
    return _page("compare.html", page.night, "", "compare", page=page, told=told)


def compared(name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A script of rows that compare.js loads by its name."""
    data = {"columns": columns, "rows": rows}
    return f"(window.HUBFIT_COMPARED = window.HUBFIT_COMPARED || {{}})[{_script_json(name)}] = {_script_json(data)};\n"


def rows_beside(table: Table) -> str:
    """The script beside a page that has a table's rows. A word that many rows share stands there once.

    In a column that `words` has, by its position, a cell is the position of its word.
    """
    words: dict[str, list[Any]] = {}
    told = [list(row) for row in table.rows]
    for at, column in enumerate(table.columns):
        if column.kind in _NUMERIC:
            continue
        positions: dict[str, int] = {}
        words[str(at)] = []
        for row in told:
            key = json.dumps(row[at], default=str)
            if key not in positions:
                positions[key] = len(words[str(at)])
                words[str(at)].append(row[at])
            row[at] = positions[key]
    data = {"columns": [vars(column) for column in table.columns], "rows": told, "picked": dict(table.picked)}
    return (
        f"(window.HUBFIT_TABLES = window.HUBFIT_TABLES || {{}})[{_script_json(table.id)}]"
        f" = {_script_json({**data, 'words': words})};\n"
    )


def method(page: MethodPage) -> str:
    """method.html."""
    return _page("method.html", page.night, "", "method", page=page)


def assets() -> dict[str, bytes]:
    """Shared files by path below the report."""
    folder = resources.files("reports") / "assets"
    return {f"assets/{file.name}": file.read_bytes() for file in folder.iterdir() if file.is_file()}


def device_list(devices: Sequence[Mapping[str, Any]]) -> str:
    """assets/devices.js: what the heat maps of all model pages share, in the order of their codes.

    Keys of a device: name, group (vendor and segment), memory ("24 GiB"), and where known href, from models/.
    """
    return f"window.HUBFIT_DEVICES = {_script_json(devices)};\n"


@dataclass(frozen=True)
class StaticCell:
    """A cell as HTML without scripts needs it."""

    text: str
    href: str | None
    is_number: bool
    is_unknown: bool


def static_rows(table: Table) -> list[list[StaticCell]]:
    """The rows that the script would show first: picked, sorted, and no more than a screen of them."""
    columns = {column.name: (number, column) for number, column in enumerate(table.columns)}
    rows = list(table.rows)
    for name, value in table.picked.items():
        if name in columns:
            number, column = columns[name]
            rows = [row for row in rows if format.cell(row[number], column.kind) == value]
    name = table.sort.removeprefix("-")
    if name in columns:
        number, column = columns[name]
        known = [row for row in rows if row[number] is not None]
        known.sort(key=lambda row: _order(row[number], column), reverse=table.sort.startswith("-"))
        rows = known + [row for row in rows if row[number] is None]
    return [
        [
            StaticCell(
                format.cell(value, column.kind),
                value[1] if column.kind == "link" and value is not None else None,
                column.kind in _NUMERIC,
                value is None,
            )
            for value, column in zip(row, table.columns, strict=True)
        ]
        for row in rows[:STATIC_ROWS]
    ]


def _order(value: Any, column: Column) -> Any:
    if column.kind == "verdict":
        return list(format.VERDICT_WORDS).index(value)
    return format.cell(value, column.kind).lower() if column.kind not in _NUMERIC else value


def _script_json(value: Any) -> Markup:
    """JSON that is inert inside a script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    for character, escaped in _IN_SCRIPT.items():
        text = text.replace(character, escaped)
    return Markup(text)  # every character that could end the element is escaped above


def _table_json(table: Table) -> Markup:
    """What table.js draws from."""
    columns = [vars(column) for column in table.columns]
    return _script_json({"columns": columns, "rows": table.rows, "picked": dict(table.picked)})


def _page(template: str, night: Night, root: str, here: str, **values: Any) -> str:
    return _environment().get_template(template).render(night=night, root=root, here=here, **values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (
        format.gib, format.count, format.billions, format.tokens, format.usd, format.usd_or_unknown,
        format.day, format.moment,
        format.plural, format.percent, format.share, format.decimal, format.text, format.lowered, format.short,
    )  # fmt: skip
    environment.filters |= {function.__name__: function for function in filters}
    environment.filters |= {"script_json": _script_json, "table_json": _table_json, "static_rows": static_rows}
    environment.globals |= {
        "GLYPHS": format.GLYPHS, "VERDICT_WORDS": format.VERDICT_WORDS, "NUMERIC": _NUMERIC, "STALE": format.STALE,
        "price_sentence": format.price_sentence, "difference": format.difference, "CONFIDENCES": format.CONFIDENCES,
        "compare_href": paths.compare_href,
    }  # fmt: skip
    return environment
