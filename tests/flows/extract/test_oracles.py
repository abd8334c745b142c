"""Every gathered configuration against oracles: counts of its class, and caches at every context, batch and dtype.

The facts are not part of the project: a folder `shared/data` beside it, or the one that HUBFIT_FACTS names. The same
facts for the models of the snapshot are goldens, see test_architectures.py.
"""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest
from cache_bytes import kept

from flows.extract.read_config import read_architecture

FACTS = Path(os.environ.get("HUBFIT_FACTS") or Path(__file__).parents[4] / "shared" / "data") / "models"
pytestmark = pytest.mark.skipif(
    not (FACTS / "params.csv").exists(), reason="no gathered facts: HUBFIT_FACTS names no folder with models/params.csv"
)

# Active parameters that the oracle counts otherwise: it takes the merger behind the tower for a part of the text.
OTHER_ACTIVE = {"openbmb/MiniCPM-V-4.6": 752_161_600}


def test_all_gathered_configurations_match_the_oracles() -> None:
    with (FACTS / "params.csv").open(encoding="utf-8", newline="") as file:
        oracles = {row["model_id"]: row for row in csv.DictReader(file)}
    with (FACTS / "index.csv").open(encoding="utf-8", newline="") as file:
        index = [row for row in csv.DictReader(file) if oracles[row["model_id"]]["status"] == "ok"]
    missed = []
    for row in index:
        found = read_architecture(json.loads((FACTS / row["file"]).read_text(encoding="utf-8")))
        oracle = oracles[row["model_id"]]
        counted = None if found.parameters is None else found.parameters - (found.mtp_parameters or 0)
        active = OTHER_ACTIVE.get(row["model_id"], int(oracle["params_active_per_token"]))
        if (counted, found.active_parameters) != (int(oracle["params_total"]), active):
            missed.append((row["model_id"], counted, oracle["params_total"]))
    assert missed == []


def test_all_gathered_caches_match_the_oracles() -> None:
    with (FACTS / "index.csv").open(encoding="utf-8", newline="") as file:
        files = {row["model_id"]: row["file"] for row in csv.DictReader(file)}
    # T5: the oracle pairs short contexts with an encoder of 512.
    exceptions = ("t5",)
    missed, unknown = [], set()
    with (FACTS / "kv.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["model_id"] not in files or row["model_type"] in exceptions or not row["serving_kv_bytes"]:
                continue
            columns = read_architecture(json.loads((FACTS / files[row["model_id"]]).read_text())).columns
            if columns.get("kv_full_elements_per_token") is None:
                unknown.add(row["model_id"])
                continue
            if row["serving_rule"].startswith("not derived"):
                # compressed caches: the oracle has no serving rule, but what one more token adds
                more = row["hf_bytes_per_token_marginal"]
                assert not more or float(more) == 2 * (columns["kv_latent_elements_per_token"] or 0)
                continue
            at = (int(row["context"]), int(row["batch"]), row["dtype"])
            if kept(columns, *at) != (float(row["serving_kv_bytes"]), float(row["serving_state_bytes"] or 0)):
                missed.append((row["model_id"], at, kept(columns, *at)))
    assert missed == []
    assert unknown == set()
