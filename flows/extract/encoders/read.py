"""The configuration of an encoder or encoder-decoder -> Architecture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flows.extract import activations
from flows.extract.architecture import Architecture, Group
from flows.extract.encoders import heads, parts, seq2seq, stack
from flows.extract.encoders.sheet import Sheet
from flows.extract.encoders.values import Values
from flows.extract.extras import COMPONENTS
from flows.extract.heads import labels
from flows.extract.keys import Keys
from flows.extract.linears import Linear
from flows.extract.read_decoder import COLUMNS_OF_TOWERS, dimensions

LARGEST_COUNT = 2**62
# family -> what names mean where a row says nothing, and the closed form
FORMS: Mapping[str, tuple[Mapping[str, Any], Callable[[Values, Mapping[str, Any]], Sheet]]] = {
    "stack": (stack.LET, stack.read),
    "seq2seq": (seq2seq.LET, seq2seq.read),
    "parts": (parts.LET, parts.read),
}


def read_encoder(config: Mapping[str, Any], row: Mapping[str, Any], model_type: str, name: str | None) -> Architecture:
    """An encoder as the class that `architectures` names builds it. Raises ValueError when it is not usable.

    A class without a rule of its own, and what a form does not cover, leave the parameters unknown.
    """
    keys = Keys(config, row)
    key = heads.ending(row, name)
    sheet, values = build(keys, row, key)
    reason = _unknown(row, key, name, values)
    if key is not None and reason is None:
        sheet.add("p_head_other", heads.elements(row, key, values))
    notes = () if name else (f"the configuration names no class: counted as {model_type} {key}",)
    columns: dict[str, Any] = sheet.all_columns() | dict.fromkeys(COLUMNS_OF_TOWERS, 0)
    parameters: int | None = sheet.parameters
    assert parameters is not None
    looked_up = columns["p_pos_embed"] + (columns["p_embed"] if columns["p_lm_head"] else 0)
    columns["parameters_resident"] = parameters
    columns["active_read_parameters"] = parameters - looked_up
    idle = int(columns["p_expert"] - columns["p_expert"] * columns["experts_per_token"] // max(columns["experts"], 1))
    if any(value is not None and abs(value) > LARGEST_COUNT for value in columns.values()):
        raise ValueError("the configuration's dimensions are beyond any model")
    if reason:
        parameters = None
        columns |= {"parameters_resident": None, "active_read_parameters": None}
        notes = (*notes, reason)
    elif sheet.kind == "encoder" and not keys.truth("is_decoder"):
        columns |= activations.of_encoder(row, keys, values, key)
    if sheet.kind == "encoder" and keys.truth("is_decoder"):
        # generates with a cache that is not derived here, through layers that see what came before alone
        columns["kv_full_elements_per_token"] = None
        sheet.groups = (Group(kind="unknown", layers=columns["layers"]),)
    return Architecture(
        model_type=model_type,
        name=name,
        kind=sheet.kind,
        is_verified=bool(row.get("verified")) and not notes,
        parameters=parameters,
        active_parameters=None if parameters is None else parameters - (idle if columns["experts"] else 0),
        mtp_parameters=None if parameters is None else 0,
        columns=columns,
        dimensions={**dimensions(keys, columns), **_base(keys, row)},
        groups=sheet.groups,
        notes=notes,
    )


def _base(keys: Keys, row: Mapping[str, Any]) -> dict[str, int | None]:
    """Parameters of the plain model of the type, whatever class the configuration names; null without a checked rule.

    `embedding_parameters`: all that its embedding module holds, of one stack; null for others.
    """
    if not row.get("verified") or "Model" not in row.get("heads", {}):
        return {"base_parameters": None, "embedding_parameters": None}
    sheet, values = build(keys, row, "Model")
    if _unknown(row, "Model", "Model", values) is not None:
        return {"base_parameters": None, "embedding_parameters": None}
    embeddings = None
    if row["family"] == "stack":
        norms = values("embed_norms") * values("embed_norm")
        embeddings = sheet.components["p_embed"] + sheet.components["p_pos_embed"] + norms
    return {
        "base_parameters": sheet.parameters + heads.elements(row, "Model", values),
        "embedding_parameters": embeddings,
    }


def build(keys: Keys, row: Mapping[str, Any], key: str | None) -> tuple[Sheet, Values]:
    """The model below its head, and the names that expressions may use. `key` is the ending of the class."""
    meanings, form = FORMS[row["family"]]
    values = Values(keys, {**meanings, **row.get("let", {})}, {"labels": labels(keys)})
    values.add({"of_" + ending: int(ending == key) for ending in row.get("heads", {})})
    sheet = form(values, row)
    for extra in row.get("extra", ()):
        for there in _places(values, extra):
            if there.of(extra.get("when", 1)):
                _add(sheet, there, extra)
    return sheet, values


def _places(values: Values, extra: Mapping[str, Any]) -> Iterator[Values]:
    """The names as they are in each place of the list that a part is counted for; once without one."""
    if "each" not in extra:
        yield values
        return
    start = values.of(extra.get("start", 0))
    for place in range(len(values.numbers(extra["each"]))):
        yield values.at(place, start)


def _add(sheet: Sheet, values: Values, extra: Mapping[str, Any]) -> None:
    """A matrix or small tensors that a row adds; `count` says how often, `each` for which list's every place."""
    count, part = values.of(extra.get("count", 1)), extra["part"]
    if part in COMPONENTS:
        sheet.linears.append(
            Linear(part, values.of(extra["rows"]), values.of(extra["columns"]), count, extra.get("role", ""))
        )
    else:
        sheet.add(part, count * values.of(extra["size"]))


def _unknown(row: Mapping[str, Any], key: str | None, name: str | None, values: Values) -> str | None:
    """Why the parameters cannot be told."""
    if key is None:
        return f"what {name or 'the unnamed class'} adds to the model is not known"
    for rule in row.get("unknown", ()):
        if values.of(rule["when"]):
            return str(rule["why"])
    return None
