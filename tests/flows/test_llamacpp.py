"""What a night says of llama.cpp against the dry runs of its own allocator, to the MiB."""

from __future__ import annotations

import pytest
from snapshot_answers import Answer, requirements, workload

MIB = 2**20

# model, tokens of one sequence, sequences, MiB of cache and state (`llama-fit-params`, 16-bit cache)
DRY_RUNS = [
    ("google/gemma-3-27b-it", 8_192, 1, 1_264),
    ("google/gemma-3-27b-it", 32_768, 1, 3_184),
    ("google/gemma-3-27b-it", 131_072, 1, 10_864),
    ("openai/gpt-oss-20b", 8_192, 1, 210),
    ("openai/gpt-oss-20b", 2_048, 4, 264),
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], Answer]:
    sizes = [(tokens, sequences, "bf16") for _, tokens, sequences, _ in DRY_RUNS]
    models = {*(run[0] for run in DRY_RUNS), "meta-llama/Llama-3.1-8B"}
    return requirements(tmp_path_factory.mktemp("dry"), models, sizes, engine="llamacpp")


@pytest.mark.parametrize("run", DRY_RUNS, ids=lambda run: f"{run[0]}-{run[1]}x{run[2]}")
def test_cache_and_state(run: tuple[str, int, int, int], answers: dict[tuple[str, str, str], Answer]) -> None:
    model, tokens, sequences, mib = run
    _, cache, state, _, _ = answers[model, "bf16", workload(tokens, sequences, "bf16")]
    assert round((cache + state) / MIB) == mib


def test_compute_buffer(answers: dict[tuple[str, str, str], Answer]) -> None:
    """Llama-3.1-8B's 258.5 MiB: 512 rows of 128,256 logits and 4,096 hidden in fp32."""
    activation = answers["meta-llama/Llama-3.1-8B", "bf16", workload(8_192, 1, "bf16")][3]
    assert activation == 512 * 4 * (128_256 + 4_096) == 258.5 * MIB
    long = answers["meta-llama/Llama-3.1-8B", "bf16", workload(131_072, 1, "bf16")][3]
    assert long == max(activation, 2 * 512 * 131_072 + 512 * 4 * (3 * 14_336 + 4 * 4_096))
