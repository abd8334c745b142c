"""What several processes of an engine may fill of one device together."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

import catalogs
import estimator


@pytest.mark.parametrize(
    ("engine", "processes", "assured"),
    [
        # 0.92 of 85,018,877,624 bytes leaves room for three contexts of 0.8 GiB with a warm-up of 1,024 x 262,400 x 4
        ("vllm", 1, 78_217_367_414),
        ("vllm", 3, 78_217_367_414),
        ("vllm", 4, 85_018_877_624 - 4 * (536_870_912 + 322_122_547 + 1_074_790_400)),
        ("llamacpp", 2, 85_018_877_624 - 2 * (429_496_729 + 107_374_182)),
        # (85,018,877,624 - 2 x 1,040,200,499) / 1.1
        ("transformers", 2, 75_398_615_114),
        # SGLang leaves 512 MiB, 8,192 tokens of 1.5 MiB, 256 sequences of 2 and 128 for the device, in each process:
        # 1 - 2 x 13,440 MiB / 79.18 GiB = 0.668 of what two contexts leave
        ("sglang", 2, int(0.668 * (85_018_877_624 - 2 * (536_870_912 + 322_122_547)))),
        ("none", 4, 85_018_877_624),
    ],
)
def test_each_process_has_a_context_a_warm_up_and_what_it_leaves(
    engine: str, processes: int, assured: int, workloads_of: Callable[..., pl.DataFrame]
) -> None:
    device = catalogs.gpus().filter(gpu_id="nvidia-h100-sxm-80gb").with_row_index("gpu_ix").cast({"gpu_ix": pl.UInt16})
    profiles = catalogs.engines().filter("is_default")
    found = estimator.capacities(
        device, workloads_of({"engine": engine}), profiles, catalogs.reserves(), processes=processes
    )
    assert found.collect()["assured_bytes"].to_list() == [assured]
