"""The seed calculators against the rows that they are published with, against nulls, and against each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from literals import value, whole

import estimator
from estimator import calculators, vram_estimator
from estimator.calculator_rows import PRECISIONS
from estimator.plan_schema import CALCULATOR_ROWS

MIB, GIB = 1 << 20, 1 << 30
Build = Callable[..., pl.DataFrame]
LLAMA = 8_030_261_248
LLAMA_WITHOUT_HEAD = 7_504_924_672

# bert-base-cased as accelerate's documentation prints it: 108,310,272 parameters, two tables of 512 positions
BERT = whole(108_310_272 * 4 + 8_192)


def test_rule_of_llama() -> None:
    assert value(calculators.rule_1_2_bytes(parameters=whole(LLAMA), nominal_bits=16)) / GIB == pytest.approx(
        17.95, abs=0.005
    )
    assert value(calculators.rule_1_2_bytes(parameters=whole(LLAMA), nominal_bits=4)) / GIB == pytest.approx(
        4.49, abs=0.005
    )
    assert value(calculators.rule_1_2_bytes(parameters=whole(None), nominal_bits=16)) is None


def test_accelerate_total_of_bert() -> None:
    total = calculators.automodel_bytes(parameters=whole(108_310_272), buffer_bytes=whole(8_192))
    assert value(total) == 433_249_280
    printed = [value(calculators.accelerate_bytes(fp32_bytes=total, nominal_bits=bits)) / MIB for bits in PRECISIONS]
    assert [round(size, 2) for size in printed] == [413.18, 206.59, 103.29, 51.65]


def test_accelerate_largest_layer_of_bert() -> None:
    layer = whole(28_996 * 768 * 4)
    assert round(value(calculators.accelerate_bytes(fp32_bytes=layer, nominal_bits=32)) / MIB, 2) == 84.95


def test_accelerate_training_of_bert() -> None:
    full = calculators.accelerate_training_bytes(fp32_bytes=BERT, nominal_bits=32)
    half = calculators.accelerate_training_bytes(fp32_bytes=BERT, nominal_bits=16)
    assert round(value(full) / GIB, 2) == 1.61
    assert round(value(half) / MIB, 2) == 826.36
    for bits in (8, 4):
        assert value(calculators.accelerate_training_bytes(fp32_bytes=BERT, nominal_bits=bits)) is None


def test_can_it_run_of_llama() -> None:
    size: dict[str, Any] = {"fp32_bytes": whole(LLAMA_WITHOUT_HEAD * 4), "nominal_bits": 16}
    inference = calculators.can_it_run_inference_bytes(**size)
    assert round(value(inference) / GIB, 2) == 16.77
    assert round(value(calculators.can_it_run_training_bytes(**size)) / GIB, 2) == 55.92
    adapter = calculators.can_it_run_adapter_bytes(**size, parameters=whole(LLAMA_WITHOUT_HEAD))
    assert round(value(adapter) / GIB, 2) == 18.22
    more = calculators.can_it_run_adapter_bytes(**size, parameters=whole(LLAMA_WITHOUT_HEAD), percent=10.0)
    # ten per cent of 7.504924672 billion at 8 bytes, as GiB, and 20 per cent on top
    assert value(more) - value(inference) == pytest.approx(7.504924672 * 0.1 * 8 * 1.2 * GIB, abs=2)


@pytest.mark.parametrize(("need", "memory", "devices"), [(24.0, 24, 1), (24.1, 24, 2), (16.77, 8, 3), (0.5, 80, 1)])
def test_devices_of_can_it_run(need: float, memory: int, devices: int) -> None:
    need_bytes = whole(int(need * GIB))
    assert value(calculators.devices_needed(need_bytes=need_bytes, memory_gib=whole(memory))) == devices
    assert value(calculators.devices_needed(need_bytes=need_bytes, memory_gib=whole(None))) is None
    assert value(calculators.devices_needed(need_bytes=whole(None), memory_gib=whole(memory))) is None


@pytest.mark.parametrize("bits", PRECISIONS)
def test_nothing_known_is_nothing_printed(bits: int) -> None:
    none = whole(None)
    assert value(calculators.automodel_bytes(parameters=none, buffer_bytes=whole(0))) is None
    assert value(calculators.automodel_bytes(parameters=whole(5), buffer_bytes=none)) is None
    assert value(calculators.accelerate_bytes(fp32_bytes=none, nominal_bits=bits)) is None
    assert value(calculators.accelerate_training_bytes(fp32_bytes=none, nominal_bits=bits)) is None
    assert value(calculators.can_it_run_inference_bytes(fp32_bytes=none, nominal_bits=bits)) is None
    assert value(calculators.can_it_run_training_bytes(fp32_bytes=none, nominal_bits=bits)) is None
    assert value(calculators.can_it_run_adapter_bytes(fp32_bytes=whole(8), parameters=none, nominal_bits=bits)) is None


def test_terms_of_the_vram_estimator() -> None:
    # Llama-3.1-8B, one sequence of 512 tokens: 2 * 8.030261248e9 = 15316.5 MiB, 4 * 512 * 128256 = 250.5 MiB
    assert value(vram_estimator.context_bytes()) == 1000 * MIB
    assert value(vram_estimator.parameters_bytes(parameters=whole(LLAMA), bytes_each=2.0)) == 15_317 * MIB
    assert value(vram_estimator.parameters_bytes(parameters=whole(LLAMA), bytes_each=6.0)) == 45_950 * MIB
    assert value(vram_estimator.states_bytes(parameters=whole(LLAMA))) == 30_633 * MIB
    logits: dict[str, Any] = {"vocabulary": whole(128_256), "tokens": 512, "sequences": 1}
    assert value(vram_estimator.outputs_bytes(**logits, is_training=False)) == 250 * MIB
    assert value(vram_estimator.outputs_bytes(**logits, is_training=True)) == 501 * MIB


def test_only_fsdp_divides() -> None:
    size: dict[str, Any] = {"parameters": whole(LLAMA), "devices": 4}
    assert value(vram_estimator.states_bytes(**size)) == 30_633 * MIB
    assert value(vram_estimator.states_bytes(**size, is_sharded=True)) == 7_658 * MIB
    assert value(vram_estimator.parameters_bytes(**size, bytes_each=2.0, is_sharded=True)) == 3_829 * MIB


def layer(tokens: int = 512, sequences: int = 1, bytes_each: float = 2.0, **changes: int | None) -> pl.Expr:
    widths = {"hidden": 4096, "heads": 32, "kv_heads": 8, "ffn": 14_336} | changes
    return vram_estimator.layer_activations_bytes(
        **{name: whole(width) for name, width in widths.items()},
        tokens=tokens,
        sequences=sequences,
        bytes_each=bytes_each,
    )


def test_activations_of_a_layer() -> None:
    # in MiB at 512 tokens: a stream of 4, queries twice 4, keys and values 2, scores 5 * 32 * 512^2 = 40, a mask of 2;
    # feed-forward 4 + 28 + 2; norms 8
    assert value(layer()) / MIB == 4 + 8 + 2 + 40 + 2 + 34 + 8
    one, all_layers = (
        vram_estimator.activations_bytes(layer_bytes=layer(), layers=whole(32), is_training=is_training)
        for is_training in (False, True)
    )
    assert value(one) == 98 * MIB
    assert value(all_layers) == 3136 * MIB
    for name in ("hidden", "heads", "kv_heads", "ffn"):
        assert value(layer(**{name: None})) is None
    assert value(layer(heads=0)) is None


@pytest.mark.parametrize(("mib", "rounded"), [(0.4, 0), (0.5, 0), (0.6, 1), (1.5, 2), (250.5, 250), (None, None)])
def test_terms_are_whole_mib(mib: float | None, rounded: int | None) -> None:
    found = value(vram_estimator.whole_mib_bytes(pl.lit(None if mib is None else mib * MIB, dtype=pl.Float64)))
    assert found == (None if rounded is None else rounded * MIB)


def answers(frame: pl.LazyFrame) -> dict[tuple[str, str, str], int]:
    rows = frame.collect()
    assert rows.schema == CALCULATOR_ROWS
    return {(row["calculator"], row["precision"], row["quantity"]): row["bytes"] for row in rows.to_dicts()}


def test_rows_of_llama(shapes_of: Build) -> None:
    found = answers(estimator.calculator_rows(shapes_of({})))
    assert found["rule_1_2", "fp16", "inference"] / GIB == pytest.approx(17.949, abs=0.001)
    assert found["accelerate", "fp32", "total"] == LLAMA_WITHOUT_HEAD * 4 + 512
    assert found["accelerate", "fp16", "largest_layer"] == 1002 * MIB
    assert found["can_it_run", "fp16", "lora"] / GIB == pytest.approx(18.22, abs=0.005)
    assert found["vram_estimator", "fp16", "inference"] == 16_665 * MIB
    assert found["vram_estimator", "fp16", "training_adam"] == 142_486 * MIB
    assert ("accelerate", "nf4", "training_adam") not in found
    assert ("vram_estimator", "nf4", "inference") not in found


def test_terms_add_up(shapes_of: Build) -> None:
    found = answers(estimator.calculator_rows(shapes_of({}), tokens=4096, sequences=3))
    for precision in ("fp32", "fp16"):
        terms = {name: size for (tool, at, name), size in found.items() if (tool, at) == ("vram_estimator", precision)}
        parts = ("context", "weights", "activations", "outputs")
        assert terms["inference"] == sum(terms[f"inference_{part}"] for part in parts)
        plain = sum(terms[f"training_{part}"] for part in (*parts, "gradients"))
        assert terms["training_sgd"] == plain
        assert terms["training_sgd_momentum"] == plain + terms["training_first_moments"]
        assert terms["training_adam"] == terms["training_sgd_momentum"] + terms["training_second_moments"]


UNDESCRIBED: list[dict[str, Any]] = [
    {"experts": 8}, {"heads": 0}, {"heads": None}, {"p_ssm": 5}, {"kv_latent_elements_per_token": 576.0},
    {"vocab_size": None}, {"kind": "encoder_decoder"}, {"parameters_resident": None}, {"layers": None},
]  # fmt: skip


@pytest.mark.parametrize("change", UNDESCRIBED)
def test_what_the_vram_estimator_cannot_describe_has_no_row(change: dict[str, Any], shapes_of: Build) -> None:
    found = answers(estimator.calculator_rows(shapes_of(change)))
    told = {name for tool, _, name in found if tool == "vram_estimator"}
    # without the layers a single one can still be told
    assert all(name.startswith("inference") for name in told) if change == {"layers": None} else not told


@pytest.mark.parametrize("column", ["automodel_parameters", "automodel_buffer_bytes"])
def test_without_automodel_two_tools_are_silent(column: str, shapes_of: Build) -> None:
    found = answers(estimator.calculator_rows(shapes_of({column: None})))
    assert {quantity for tool, _, quantity in found if tool == "accelerate"} == {"largest_layer"}
    assert not {quantity for tool, _, quantity in found if tool == "can_it_run"}


few = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


@few
@given(
    parameters=st.lists(st.integers(0, 10**13), min_size=2, max_size=6),
    tokens=st.integers(1, 10**5),
    sequences=st.integers(1, 64),
    devices=st.integers(2, 16),
)
def test_more_never_takes_less(
    parameters: list[int], tokens: int, sequences: int, devices: int, shapes_of: Build
) -> None:
    grown = shapes_of(
        *({"parameters_resident": one, "automodel_parameters": one, "stored_bytes": None} for one in sorted(parameters))
    )
    keys = ["calculator", "precision", "quantity"]

    def rows(**changes: Any) -> pl.DataFrame:
        asked: dict[str, Any] = {"tokens": tokens, "sequences": sequences} | changes
        return estimator.calculator_rows(grown, **asked).collect()

    found = rows()
    steps = found.sort(*keys, "shape_ix").select(pl.col("bytes").diff().over(keys).min()).item()
    assert steps >= 0
    on = ["shape_ix", *keys]
    for more in ({"tokens": tokens + 512}, {"sequences": sequences + 1}):
        assert found.join(rows(**more), on=on).filter(pl.col("bytes_right") < pl.col("bytes")).is_empty()
    shared = rows(devices=devices, is_sharded=True)
    assert found.join(shared, on=on).filter(pl.col("bytes_right") > pl.col("bytes")).is_empty()
    assert rows(devices=devices).equals(found)
    assert found["bytes"].null_count() == 0
