"""One page at a time: a caller can stream thousands of them without holding them all."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports import charts, format
from reports.model import DevicePage, IndexPage, MethodPage, ModelPage, Night, Overview, QualityPage, Table

# Characters that could end a script element or a line of JavaScript.
_IN_SCRIPT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def index(page: Overview) -> str:
    """index.html."""
    sentence = format.overview_sentence(
        page.night.models_listed, page.night.models_read, page.night.models_failed, page.unknown_models
    )
    return _page("index.html", page.night, "", page=page, sentence=sentence)


def device(page: DevicePage) -> str:
    """devices/<gpu>.html."""
    sentence = format.device_sentence(
        page.name, page.models, page.fitting, page.sharded, page.unknown, page.largest_model,
        page.largest_precision, page.workload.title,
    )  # fmt: skip
    return _page("device.html", page.night, "../", page=page, sentence=sentence, steps=charts.waterfall(page.waterfall))


def model(page: ModelPage) -> str:
    """models/<owner--name>.html."""
    sentence = format.model_sentence(
        page.model_id, page.parameters, page.fits_on, page.devices, page.smallest_device, page.smallest_precision,
        page.workload.title,
    )  # fmt: skip
    heats = [
        {"id": heat.workload.id, "title": heat.workload.title, "rows": [list(row) for row in heat.rows]}
        for heat in page.heats
    ]
    return _page(
        "model.html", page.night, "../", page=page, sentence=sentence, bars=charts.stacked(page.bars), heats=heats
    )


def listing(page: IndexPage) -> str:
    """devices/index.html and models/index.html."""
    return _page("listing.html", page.night, "../", page=page)


def quality(page: QualityPage) -> str:
    """quality.html."""
    return _page("quality.html", page.night, "", page=page)


def method(page: MethodPage) -> str:
    """method.html."""
    return _page("method.html", page.night, "", page=page)


def assets() -> dict[str, bytes]:
    """Shared files by path below the report."""
    folder = resources.files("reports") / "assets"
    return {f"assets/{file.name}": file.read_bytes() for file in folder.iterdir() if file.is_file()}


def device_list(devices: list[dict[str, Any]]) -> str:
    """assets/devices.js: what the heat maps of all model pages share, in their order."""
    return f"window.HUBFIT_DEVICES = {_script_json(devices)};\n"


def _script_json(value: Any) -> Markup:
    """JSON that is inert inside a script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    for character, escaped in _IN_SCRIPT.items():
        text = text.replace(character, escaped)
    return Markup(text)  # every character that could end the element is escaped above


def _table_json(table: Table) -> Markup:
    """What table.js draws from."""
    columns = [vars(column) for column in table.columns]
    return _script_json({"columns": columns, "rows": table.rows})


def _page(template: str, night: Night, root: str, **values: Any) -> str:
    return _environment().get_template(template).render(night=night, root=root, **values)


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
        format.gib, format.count, format.billions, format.tokens, format.usd, format.day, format.moment,
        format.plural, format.percent, format.text,
    )  # fmt: skip
    environment.filters |= {function.__name__: function for function in filters}
    environment.filters |= {"script_json": _script_json, "table_json": _table_json}
    environment.globals |= {"GLYPHS": format.GLYPHS, "VERDICT_WORDS": format.VERDICT_WORDS, "PARTS": charts.PARTS}
    return environment
