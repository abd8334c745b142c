"""Rebuild hub_snapshot.jsonl and lists/default.txt from a folder of gathered facts.

    python -m catalogs.build_snapshot FACTS_DIR

FACTS_DIR holds models/index.csv (which configuration belongs to which model, and where it was found),
models/configs/*.json, models/params.csv and hub_models.csv (counts as scraped, with their date). What those do not
know and a public source does is written by hand in snapshot_facts.json. Same facts, same bytes.

Only fields that are facts are kept: dimensions, types, counts, dates, quantisation settings. The answers are given
the shape of the Hub's own, and `provenance` says of every field of `info` whether it is verbatim or reconstructed.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FACTS = HERE / "snapshot_facts.json"
SNAPSHOT = HERE / "hub_snapshot.jsonl"
DEFAULT_LIST = HERE / "lists" / "default.txt"
LIST_HEADER = "# Every model of the embedded snapshot. One id per line; # starts a comment.\n"

# Not needed to size a model, or somebody's prose.
DROPPED_KEYS = {
    "_name_or_path", "transformers_version", "id2label", "label2id", "task_specific_params", "chat_template",
    "chat_template_jinja", "auto_map", "tokenizer_class", "torchscript", "_commit_hash", "prefix", "bad_words_ids",
    "system_prompt", "license", "processor_class", "attn_implementation", "_attn_implementation", "problem_type",
    "begin_suppress_tokens", "suppress_tokens", "forced_decoder_ids", "produced_by", "_attn_implementation_autoset",
}  # fmt: skip
LONGEST_TEXT = 120
FLOAT_DTYPES = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}


def build(facts: Path, by_hand: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Snapshot lines sorted by model_id. Raises KeyError or ValueError when a facts file lacks what it must have."""
    scraped = {row["model_id"]: row for row in _rows(facts / "hub_models.csv")}
    counted = {row["model_id"]: row for row in _rows(facts / "models" / "params.csv")}
    lines = {}
    for row in _rows(facts / "models" / "index.csv"):
        config = json.loads((facts / "models" / row["file"]).read_text(encoding="utf-8"))
        lines[row["model_id"]] = _from_config(row, config, scraped.get(row["model_id"]), counted.get(row["model_id"]))
    for model_id, entry in by_hand.items():
        lines[model_id] = _merge(lines.get(model_id), model_id, entry, scraped.get(model_id))
    return [lines[model_id] for model_id in sorted(lines)]


def _from_config(
    row: Mapping[str, str], config: dict[str, Any], hub: Mapping[str, str] | None, count: Mapping[str, str] | None
) -> dict[str, Any]:
    kept = _facts_only(config)
    source = f"{row['source_repo']}@{row['source_commit'][:12]}" if row["source_repo"] else row["note"]
    total = _exact_total(hub, count)
    dtype = FLOAT_DTYPES.get(str((count or {}).get("config_dtype")))
    safetensors = None
    if total is not None:
        is_plain = "quantization_config" not in config and dtype is not None
        safetensors = {"parameters": {dtype: total} if is_plain else {}, "total": total}
    return _line(
        row["model_id"],
        kept,
        hub,
        safetensors=safetensors,
        source=source,
        as_of=(hub or {}).get("snapshot") or "2026-11-22",
        kind=row["kind"] or "verbatim",
        extra={},
    )


def _merge(
    line: dict[str, Any] | None, model_id: str, entry: Mapping[str, Any], hub: Mapping[str, str] | None
) -> dict[str, Any]:
    """A line from hand-written facts, on top of what the configuration files gave."""
    config = entry.get("config", line["config"] if line else None)
    return _line(
        model_id,
        config,
        hub,
        safetensors=entry.get("safetensors", (line or {"info": {}})["info"].get("safetensors")),
        source=entry["source"],
        as_of=entry["as_of"],
        kind=entry.get("kind", "reconstructed"),
        extra=entry.get("info", {}),
    )


def _line(
    model_id: str,
    config: dict[str, Any] | None,
    hub: Mapping[str, str] | None,
    *,
    safetensors: dict[str, Any] | None,
    source: str,
    as_of: str,
    kind: str,
    extra: Mapping[str, Any],
) -> dict[str, Any]:
    verbatim: dict[str, Any] = {"id": model_id}
    reconstructed: dict[str, Any] = {"private": False, "disabled": False, "gated": False}
    if hub:
        verbatim |= {key: int(hub[key]) for key in ("downloads", "likes") if hub[key]}
        if hub["pipeline_tag"]:
            verbatim["pipeline_tag"] = hub["pipeline_tag"]
        if hub["release_date"]:
            reconstructed["createdAt"] = f"{hub['release_date']}T00:00:00.000Z"
    if config is not None:
        summary = {key: config[key] for key in ("architectures", "model_type") if key in config}
        if isinstance(config.get("quantization_config"), dict):
            allowed = ("bits", "load_in_4bit", "load_in_8bit", "quant_method")
            quantization = config["quantization_config"]
            summary["quantization_config"] = {key: quantization[key] for key in allowed if key in quantization}
        reconstructed["config"] = summary
        reconstructed["library_name"] = "transformers"
        reconstructed["siblings"] = [{"rfilename": "config.json"}]
    if safetensors is not None:
        # The total is a scraped fact; the split by dtype follows from it only for unquantised repositories.
        (reconstructed if len(safetensors["parameters"]) == 1 else verbatim)["safetensors"] = safetensors
    for key, value in extra.items():
        verbatim.pop(key, None)
        reconstructed[key] = value
    body = {**verbatim, **reconstructed}
    revision = hashlib.sha256(json.dumps([body, config], sort_keys=True).encode()).hexdigest()[:40]
    reconstructed["sha"] = revision
    return {
        "model_id": model_id,
        "revision": revision,
        "info": dict(sorted({**verbatim, **reconstructed}.items())),
        "config": config,
        "provenance": {
            "source": source,
            "as_of": as_of,
            "kind": kind,
            "verbatim": sorted(verbatim),
            "reconstructed": sorted(reconstructed),
        },
    }


def _facts_only(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without prose, at every depth; a kept value is never altered."""
    kept = {}
    for key, value in config.items():
        if key in DROPPED_KEYS or (isinstance(value, str) and len(value) > LONGEST_TEXT):
            continue
        kept[key] = _facts_only(value) if isinstance(value, dict) else value
    return kept


def _exact_total(hub: Mapping[str, str] | None, count: Mapping[str, str] | None) -> int | None:
    """The Hub's own total where it was scraped; a figure typed in by a scraper's author is no fact."""
    for row, value, kind in ((hub, "parameters_raw", "value_kind"), (count, "hub_parameters_raw", "hub_value_kind")):
        if row and row[kind] == "safetensors.total" and row[value]:
            return int(row[value])
    return None


def _rows(path: Path) -> Iterable[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def write(lines: Iterable[Mapping[str, Any]], snapshot: Path, default_list: Path) -> None:
    """Write both files, one JSON object a line."""
    lines = list(lines)
    text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
    snapshot.write_text(text, encoding="utf-8")
    default_list.write_text(LIST_HEADER + "".join(f"{line['model_id']}\n" for line in lines), encoding="utf-8")


def main() -> None:
    """Rebuild both files from the folder named on the command line."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m catalogs.build_snapshot FACTS_DIR")
    by_hand = json.loads(FACTS.read_text(encoding="utf-8"))
    write(build(Path(sys.argv[1]), by_hand), SNAPSHOT, DEFAULT_LIST)


if __name__ == "__main__":
    main()
