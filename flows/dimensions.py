"""The catalogs as the estimator and the database see them: the same rows with small integer keys.

The widest table of a night has hundreds of millions of rows, so its keys are positions in these frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import polars as pl

import catalogs
import estimator
from estimator import speed
from estimator.plan_schema import MEMORY_TIERS


@dataclass(frozen=True)
class Dimensions:
    """Catalog frames of one run, each with its `*_ix` key."""

    gpus: pl.DataFrame
    precisions: pl.DataFrame
    workloads: pl.DataFrame
    policy: pl.DataFrame
    kv_precisions: pl.DataFrame
    engines: pl.DataFrame
    profiles: pl.DataFrame  # the engines' rows that a night counts with: one version range of each
    reserves: pl.DataFrame
    residencies: pl.DataFrame
    memory_tiers: pl.DataFrame
    capacities: pl.DataFrame
    supports: pl.DataFrame
    outcomes: pl.DataFrame
    splits: pl.DataFrame
    speeds: pl.DataFrame
    links: pl.DataFrame
    device_speeds: pl.DataFrame
    device_links: pl.DataFrame
    qualities: pl.DataFrame
    scores: pl.DataFrame


@lru_cache(maxsize=2)
def load(folder: Path | None) -> Dimensions:
    """Read and number the catalogs; `folder` is the what-if directory. Errors: catalogs.CatalogError."""
    tiers = _numbered(pl.DataFrame({"memory_tier": MEMORY_TIERS}), "memory_tier_ix", pl.UInt8)
    # Devices of one memory tier are neighbours: the estimator decides tier by tier and keeps this order.
    devices = catalogs.gpus(folder).join(tiers, on="memory_tier", how="left", maintain_order="left")
    policy = catalogs.policy(folder)
    power_share = policy.filter(parameter="power_share")["value"].item()
    drawn_watts = speed.drawn_watts(
        board_watts=pl.col("tdp_watts"), devices_per_board=pl.col("devices_per_board"), power_share=power_share
    )
    devices = devices.with_columns(drawn_watts=drawn_watts).sort("memory_tier_ix", "gpu_id")
    gpus = _numbered(devices, "gpu_ix", pl.UInt16)
    precisions = _numbered(catalogs.precisions(folder), "precision_ix", pl.UInt16)
    workloads = _numbered(catalogs.workloads(folder), "workload_ix", pl.UInt8)
    engines = catalogs.engines(folder)
    profiles = engines.filter("is_default")
    kv_precisions = catalogs.kv_precisions(folder)
    reserves = catalogs.reserves(folder)
    speeds, links = catalogs.speeds(folder), catalogs.links(folder)
    residencies = estimator.residencies(workloads).collect()
    return Dimensions(
        gpus=gpus,
        precisions=precisions,
        workloads=workloads.join(residencies.select("workload_ix", "residency_ix"), on="workload_ix"),
        policy=policy,
        kv_precisions=kv_precisions,
        engines=engines,
        profiles=profiles,
        reserves=reserves,
        residencies=residencies,
        memory_tiers=tiers,
        capacities=estimator.capacities(gpus, workloads, profiles, reserves).collect(),
        supports=estimator.supports(precisions, gpus, workloads, profiles, kv_precisions).collect(),
        outcomes=estimator.outcomes(),
        splits=estimator.splits(),
        speeds=speeds,
        links=links,
        device_speeds=estimator.speeds(precisions, gpus, workloads, speeds).collect(),
        device_links=estimator.links(gpus, links).collect(),
        qualities=estimator.qualities(precisions).collect(),
        scores=catalogs.scores(folder),
    )


def _numbered(frame: pl.DataFrame, key: str, dtype: type[pl.DataType]) -> pl.DataFrame:
    return frame.with_row_index(key).with_columns(pl.col(key).cast(dtype))
