"""Write `hub_snapshot.jsonl` and `lists/default.txt` from a folder of gathered facts.

    python -m catalogs.build_snapshot FACTS_DIR

FACTS_DIR holds `models/index.csv`, `models/params.csv`, the configurations that the index names and
`hub_models.csv`. What no table there holds (gates, licences, tensor types, models re-typed from their published
configuration) is in `snapshot_facts.json` beside this module, as are the keys of config.json that say nothing about
shape, type or quantisation (prose, tokens, generation defaults). The same input gives the same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
HAND = HERE / "snapshot_facts.json"
SNAPSHOT = HERE / "hub_snapshot.jsonl"
DEFAULT_LIST = HERE / "lists" / "default.txt"

# What the Hub lets through of a quantization_config.
PROJECTED_QUANTIZATION = ("bits", "load_in_4bit", "load_in_8bit", "quant_method", "modules_to_not_convert")
DTYPES = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}
# The index's word for how it got a configuration: ours, and what it means. `trimmed` is what we leave out ourselves.
KINDS = {
    "literal": "literal",
    "trimmed": "partial",
    "edited": "partial",
    "retyped": "retyped",
    "reconstructed": "reconstructed",
}
FIDELITY = {
    "literal": ["Taken from a program that lists this configuration."],
    "reconstructed": ["Dimensions from a library's table of models, put under the Hub's names."],
    "trimmed": ["The source has only part of the file."],
    "retyped": ["Typed over from the file by the source."],
    "edited": ["Changed by the source, see below."],
}


@dataclass
class Line:
    """One model while it is put together. `verbatim` and `reconstructed` name config, revision and keys of info."""

    model_id: str
    resolved_id: str
    config: dict[str, Any] | None
    source: str
    as_of: str
    kind: str
    commit: str | None = None
    info: dict[str, Any] = field(default_factory=dict)
    verbatim: set[str] = field(default_factory=lambda: {"info.id"})
    dropped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The line of the snapshot. Without a known commit the revision is a digest of what the line says."""
        info = {"id": self.resolved_id, **self.info}
        said = json.dumps([self.model_id, info, self.config], sort_keys=True, ensure_ascii=False)
        revision = self.commit or hashlib.sha256(said.encode()).hexdigest()[:40]
        info["sha"] = revision
        facts = {"revision", *(f"info.{key}" for key in info), *({"config"} if self.config is not None else ())}
        provenance: dict[str, Any] = {
            "source": self.source,
            "as_of": self.as_of,
            "kind": self.kind,
            "verbatim": sorted(facts & self.verbatim),
            "reconstructed": sorted(facts - self.verbatim),
        }
        if self.dropped:
            provenance["dropped"] = self.dropped
        provenance["note"] = " ".join(self.notes)
        return {
            "model_id": self.model_id,
            "revision": revision,
            "info": info,
            "config": self.config,
            "provenance": provenance,
        }


def build(facts: Path, hand: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Lines sorted by model_id. Errors: OSError and KeyError when the folder lacks what its index names,
    ValueError when two lines have one id."""
    hub = {row["model_id"]: row for row in _table(facts / "hub_models.csv")}
    counts = {row["model_id"]: row for row in _table(facts / "models" / "params.csv")}
    lines: dict[str, Line] = {}
    for entry in _table(facts / "models" / "index.csv"):
        if entry["model_id"] not in hand["left_out"]:
            _put(lines, _gathered(facts, hand, entry, hub, counts.get(entry["model_id"], {})))
    for given in hand["models"]:
        _put(lines, _given(hand, given, lines, hub))
    for line in lines.values():
        _describe(line, hand)
    return [lines[model_id].as_json() for model_id in sorted(lines)]


def _put(lines: dict[str, Line], line: Line) -> None:
    if line.model_id in lines:
        raise ValueError(f"{line.model_id} is there twice")
    lines[line.model_id] = line


def _gathered(
    facts: Path,
    hand: Mapping[str, Any],
    entry: dict[str, str],
    hub: Mapping[str, dict[str, str]],
    count: dict[str, str],
) -> Line:
    """A model whose configuration is in the folder."""
    asked = entry["model_id"]
    model_id = hand["current_ids"].get(asked, asked)
    text = (facts / "models" / entry["file"]).read_text(encoding="utf-8")
    config, dropped = _facts_only(json.loads(text), frozenset(hand["not_facts"]))
    line = Line(
        model_id=model_id,
        resolved_id=hand["resolved_ids"].get(model_id, model_id),
        config=config,
        source=f"github.com/{entry['source_repo']} {entry['source_path']}@{entry['source_commit'][:12]}",
        as_of=hub[model_id]["snapshot"] if model_id in hub else hand["as_of"],
        kind=KINDS.get(entry["kind"], "trimmed" if dropped else "verbatim"),
        dropped=dropped,
    )
    if entry["kind"] in ("verbatim", "literal"):
        line.verbatim.add("config")
    line.notes += FIDELITY.get(entry["kind"], [])
    _, _, added = entry["note"].partition("added: ")
    if added:
        line.notes.append(f"Added to it: {added}.")
    if entry["id_certainty"] == "inferred":
        line.notes.append("The source does not name the repository; its dimensions do.")
    if model_id != asked:
        line.notes.append(f"The source uses the former name {asked}.")
    _change_config(line, config, hand)
    line.info["library_name"] = "transformers"
    _published(line, hub)
    _tensors(line, config, hand, hub.get(model_id, {}), count)
    return line


def _given(
    hand: Mapping[str, Any], given: Mapping[str, Any], lines: Mapping[str, Line], hub: Mapping[str, dict[str, str]]
) -> Line:
    """A model of snapshot_facts.json; `config_of` takes over the configuration of another line."""
    config, source = given.get("config"), given["source"]
    if "config_of" in given:
        other = lines[given["config_of"]]
        config = {key: value for key, value in (other.config or {}).items() if key not in given["without"]}
        source = other.source
    line = Line(
        model_id=given["model_id"],
        resolved_id=given["model_id"],
        config=config,
        source=source,
        as_of=given["as_of"],
        kind="reconstructed",
        info=dict(given["info"]),
        notes=[given["note"]] if given["note"] else [],
    )
    _published(line, hub)
    if "safetensors" in line.info:
        line.info["safetensors"] = _safetensors(line.info["safetensors"])
    return line


def _facts_only(config: dict[str, Any], not_facts: frozenset[str]) -> tuple[dict[str, Any], list[str]]:
    """The configuration without `not_facts` at any depth, and the keys that went. Kept values are untouched."""
    dropped: set[str] = set()

    def kept(value: Any) -> Any:
        if isinstance(value, list):
            return [kept(item) for item in value]
        if not isinstance(value, dict):
            return value
        dropped.update(value.keys() & not_facts)
        return {key: kept(item) for key, item in value.items() if key not in not_facts}

    return kept(config), sorted(dropped)


def _change_config(line: Line, config: dict[str, Any], hand: Mapping[str, Any]) -> None:
    """Keys that the source is known to have changed go; keys that the Hub's file is known to have come."""
    wrong = hand["drop_keys"].get(line.model_id)
    if wrong:
        for part in [config, *(value for value in config.values() if isinstance(value, dict))]:
            for key in wrong["keys"]:
                part.pop(key, None)
        line.notes.append(f"Without {', '.join(wrong['keys'])}: {wrong['why']}.")
    added = hand["set_keys"].get(line.model_id)
    if added:
        config.update(added)
        line.verbatim.discard("config")
        line.notes.append(f"By hand: {', '.join(sorted(added))}.")


def _published(line: Line, hub: Mapping[str, dict[str, str]]) -> None:
    """Task and popularity as scraped, when the row was scraped and not typed."""
    row = hub.get(line.model_id)
    if row is None or row["value_kind"] == "typed_in_fallback":
        return
    if row["pipeline_tag"] not in ("", "unknown"):
        line.info["pipeline_tag"] = row["pipeline_tag"]
        line.verbatim.add("info.pipeline_tag")
    for key in ("downloads", "likes"):
        if row[key] not in ("", "0"):  # the scrape writes 0 where it did not ask
            line.info[key] = int(row[key])
            line.verbatim.add(f"info.{key}")
    line.notes.append(f"Popularity of {row['snapshot']}: github.com/{row['source']}.")


def _tensors(
    line: Line, config: dict[str, Any], hand: Mapping[str, Any], row: Mapping[str, str], count: Mapping[str, str]
) -> None:
    """The counts by type where total, class count and declared type leave no choice; otherwise only a note."""
    total = int(row["parameters_raw"]) if row.get("value_kind") == "safetensors.total" else None
    if line.model_id in hand["safetensors"]:
        known: Any = hand["safetensors"][line.model_id]
        if isinstance(known, str):
            known = None if total is None else {known: total}
    else:
        known = _by_type(total, config, count)
    if known is not None:
        line.info["safetensors"] = _safetensors(known)
    if total is not None and (known is None or sum(known.values()) != total):
        why = "its split by type is not known" if known is None else "the Hub counts these tensors differently today"
        line.notes.append(f"The total of {row['snapshot']} was {total}; {why}.")


def _by_type(total: int | None, config: Mapping[str, Any], count: Mapping[str, str]) -> dict[str, int] | None:
    text = config.get("text_config") or {}
    declared = next((d for c in (config, text) for k in ("torch_dtype", "dtype") if (d := c.get(k))), None)
    dtype = DTYPES.get(str(declared))
    if total is None or dtype is None or "quantization_config" in config:
        return None
    return {dtype: total} if count.get("params_total") == str(total) else None


def _safetensors(parameters: Mapping[str, int]) -> dict[str, Any]:
    return {"parameters": dict(parameters), "total": sum(parameters.values())}


def _describe(line: Line, hand: Mapping[str, Any]) -> None:
    """What every answer of the Hub carries: state, tags, card fields and the projection of the configuration."""
    info = line.info
    line.commit = hand["commits"].get(line.model_id)
    if line.commit is not None:
        line.verbatim |= {"revision", "info.sha"}
    if line.model_id in hand["notes"]:
        line.notes.append(hand["notes"][line.model_id])
    if line.model_id in hand["siblings"]:
        info["siblings"] = [
            {"rfilename": name} if size is None else {"rfilename": name, "size": size}
            for name, size in sorted(hand["siblings"][line.model_id].items())
        ]
        line.notes.append("Files: configuration and weights only, sizes as published.")
    info.setdefault("private", False)
    info.setdefault("disabled", False)
    gate = _longest_prefix(hand["gated"], line.model_id)
    if gate is not None:
        info.setdefault("gated", gate)
    if line.config is not None:
        info["config"] = _projection(line.config)
    pipeline = info.pop("diffusers", None)
    if pipeline is not None:
        info["config"] = {"diffusers": {"_class_name": pipeline}}
    card: dict[str, Any] = {}
    tags = [info["library_name"]] if "library_name" in info else []
    if "safetensors" in info:
        tags.append("safetensors")
    if "gguf" in info:
        tags.append("gguf")
    if line.config is not None and "model_type" in line.config:
        tags.append(line.config["model_type"])
    if "pipeline_tag" in info:
        tags.append(info["pipeline_tag"])
    licence = _longest_prefix(hand["licenses"], line.model_id)
    if licence is not None:
        card["license"] = licence
        tags.append(f"license:{licence}")
    if line.model_id in hand["base_models"]:
        relation, base = hand["base_models"][line.model_id]
        card["base_model"] = base
        tags += [f"base_model:{base}", f"base_model:{relation}:{base}"]
        info["baseModels"] = {"relation": relation, "models": [{"id": base}]}
    info["tags"] = tags
    if card:
        info["cardData"] = card


def _projection(config: Mapping[str, Any]) -> dict[str, Any]:
    """`config` as the Hub's answer shows it: a whitelist of config.json."""
    shown = {key: config[key] for key in ("architectures", "auto_map", "model_type") if key in config}
    quantization = config.get("quantization_config")
    if quantization is not None:
        shown["quantization_config"] = {k: quantization[k] for k in PROJECTED_QUANTIZATION if k in quantization}
    return shown


def _longest_prefix(values: Mapping[str, Any], model_id: str) -> Any:
    """The value of the longest key that starts `model_id`, None without one."""
    return values[max(keys, key=len)] if (keys := [key for key in values if model_id.startswith(key)]) else None


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def snapshot_text(lines: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)


def list_text(lines: Iterable[Mapping[str, Any]]) -> str:
    header = "# Every model of the embedded snapshot, sorted.\n"
    return header + "".join(f"{line['model_id']}\n" for line in lines)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m catalogs.build_snapshot FACTS_DIR", file=sys.stderr)
        return 2
    lines = build(Path(arguments[0]), json.loads(HAND.read_text(encoding="utf-8")))
    SNAPSHOT.write_text(snapshot_text(lines), encoding="utf-8", newline="\n")
    DEFAULT_LIST.parent.mkdir(exist_ok=True)
    DEFAULT_LIST.write_text(list_text(lines), encoding="utf-8", newline="\n")
    print(f"{len(lines)} models, {SNAPSHOT.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
