"""A decoder that listens to an encoder, each a model of its own in a section: TrOCR, Donut, two BERTs.

The cache is the decoder's: its own tokens, and once what the encoder gives. A matrix joins them where their widths
differ and the decoder does not say that it takes the encoder's. Source: transformers 5.24
models/encoder_decoder, vision_encoder_decoder, speech_encoder_decoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from catalogs import architectures
from flows.extract.architecture import Architecture
from flows.extract.encoders.read import read_encoder
from flows.extract.keys import Keys
from flows.extract.opaque import opaque
from flows.extract.read_decoder import read_decoder

BASE = "Model"  # the ending that any base class has
TEXT = "text"  # what a row says whose encoder reads words like its decoder
SUMS = ("quant_rows", "fp8_block_scales", "lora_io", "parameters_resident", "active_read_parameters")


def read_pair(config: Mapping[str, Any], row: Mapping[str, Any], model_type: str, name: str | None) -> Architecture:
    """Both halves as their own rows read them; unknown when one has none. Raises ValueError when one is not usable."""
    halves = {part: _section(config, part, model_type) for part in ("encoder", "decoder")}
    dialects = {part: architectures.dialects().get(section["model_type"], {}) for part, section in halves.items()}
    for part, can_be_read in (
        ("encoder", "family" in dialects["encoder"]),
        ("decoder", halves["decoder"]["model_type"] in row["decoders"]),
    ):
        if not can_be_read:
            kind = halves[part]["model_type"]
            return opaque(
                Keys(halves[part], dialects[part]), model_type, name, f"its {part} {kind!r:.60} is unread here"
            )
    heard = read_encoder(halves["encoder"], dialects["encoder"], halves["encoder"]["model_type"], BASE)
    told = _listener(halves["decoder"], dialects["decoder"], row)
    if not told.columns["kv_cross_elements_per_token"]:
        return opaque(Keys(halves["decoder"], dialects["decoder"]), model_type, name, "its decoder does not listen")
    if config.get("tie_encoder_decoder"):
        told = replace(told, parameters=None, notes=(*told.notes, "what its halves share is not known"))
    named = replace(told, model_type=model_type, name=name, kind="encoder_decoder")
    return _together(named, heard, row["pair"], halves)


def _listener(section: Mapping[str, Any], dialect: Mapping[str, Any], row: Mapping[str, Any]) -> Architecture:
    """The decoder as the class that predicts tokens, with the attention that listens where it is switched on."""
    model_type, listens = section["model_type"], section.get("add_cross_attention") is True
    ending = row["decoders"][model_type]
    if "family" in dialect:
        let = {**dialect["let"], "crossed": int(listens)} if dialect["family"] == "stack" else dialect["let"]
        known = [rule for rule in dialect.get("unknown", ()) if rule["when"] != "add_cross_attention"]
        return read_encoder(section, {**dialect, "let": let, "unknown": known}, model_type, ending)
    extra = [*dialect.get("extra", ()), *(row["listening"] if listens else ())]
    told = read_decoder(
        section, {**dialect, "extra": extra}, model_type, ending, is_verified=bool(dialect.get("verified")), notes=()
    )
    if not listens:
        return told
    crossed = tuple(replace(group, kind="cross") for group in told.groups)
    kept = told.columns["kv_full_elements_per_token"]
    return replace(told, groups=(*told.groups, *crossed), columns={**told.columns, "kv_cross_elements_per_token": kept})


def _section(config: Mapping[str, Any], part: str, model_type: str) -> dict[str, Any]:
    """A half with the name of its type; where nothing is written, the class's usual one."""
    written = config.get(part)
    section = dict(written) if isinstance(written, dict) else {}
    if not isinstance(section.get("model_type"), str):
        section["model_type"] = architectures.classes()[model_type]["sections"][part]
    return section


def _together(
    told: Architecture, heard: Architecture, column: str, halves: Mapping[str, Mapping[str, Any]]
) -> Architecture:
    """The decoder with the encoder beside it: a tower in `column`, or, of text, more of the same parts."""
    # a picture has the same tokens each time; text and sound are as long as they are
    columns = {**told.columns, "cross_tokens": heard.columns["max_context_tokens"] if column == "p_vision" else -1}
    notes = (*told.notes, *heard.notes)
    if told.parameters is None or heard.parameters is None or told.active_parameters is None:
        columns |= {name: None for name in columns if name.startswith("p_") or name in SUMS}
        return replace(told, parameters=None, active_parameters=None, mtp_parameters=None, columns=columns,
                       notes=notes, is_verified=False)  # fmt: skip
    joint = _joint(told, heard, halves)
    active = told.active_parameters
    if column == TEXT:
        columns |= {name: _sum(told, heard, name) for name in columns if name.startswith("p_") or name in SUMS}
        active += heard.active_parameters or 0
    else:
        columns[column] = heard.parameters
    columns |= {"p_projector": joint, "parameters_resident": told.parameters + heard.parameters + joint}
    return replace(
        told,
        parameters=told.parameters + heard.parameters + joint,
        active_parameters=active,
        columns=columns,
        notes=notes,
        is_verified=told.is_verified and heard.is_verified,
    )


def _sum(told: Architecture, heard: Architecture, name: str) -> int | float | None:
    mine, its = told.columns.get(name), heard.columns.get(name)
    return None if mine is None or its is None else mine + its


def _joint(told: Architecture, heard: Architecture, halves: Mapping[str, Mapping[str, Any]]) -> int:
    """Parameters of what leads from one width to another. Encoders of sound may say another one than they work in."""
    wide, narrow = int(heard.columns["hidden_size"] or 0), int(told.columns["hidden_size"] or 0)
    said = halves["encoder"].get("output_hidden_size")
    is_alike = (said if type(said) is int else wide) == narrow
    return 0 if is_alike or halves["decoder"].get("cross_attention_hidden_size") is not None else narrow * (wide + 1)
