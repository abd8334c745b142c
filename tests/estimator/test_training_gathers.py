"""What training that divides weights puts together again, by hand and against DeepSpeed's own figures."""

from __future__ import annotations

import polars as pl
import pytest
from literals import real, text, value, whole

from estimator import training, training_gathers

GIB = 1 << 30
# DeepSpeed docs, "Memory Requirements": t5-3b has 2,851 M parameters; its largest module, 32,128 words of 1,024, 32 M
T5_3B = 2_851_598_336
T5_WORDS = 32_128 * 1024


def states(sharding: str, devices: int, recipe: str = "deepspeed") -> dict[str, float]:
    """Bytes a parameter on one device: weights, gradients, master copy and moments."""
    which = {"precision": text("bf16"), "recipe": text(recipe)}

    def share(stage: int) -> pl.Expr:
        return training.zero_share(sharding=text(sharding), divided_from=stage, degree=whole(devices))

    gradients = training.gradient_bytes_each(**which, sharding=text(sharding))
    optimizer = training.master_bytes_each(**which) + 2 * training.moment_number_bytes(**which)
    found = {
        "weights": training.weight_bytes_each(precision=text("bf16")) * share(3),
        "gradients": gradients * share(2),
        "optimizer": optimizer * share(1),
    }
    return {name: float(value(bytes_) or 0) for name, bytes_ in found.items()}


def gathered(sharding: str | None, degree: int | None, unit: float | None = 1000.0) -> float | None:
    return value(
        training_gathers.gathered_bytes(
            sharding=text(sharding), degree=whole(degree), unit=real(unit), each=pl.lit(2.0)
        )
    )


# Llama-3.1-8B, all states on one device: 20, 18, 16 and 8 bytes for each of 8,030,261,248 parameters
@pytest.mark.parametrize(
    ("recipe", "bytes_"),
    [
        ("deepspeed", 160_605_224_960), ("megatron", 144_544_702_464), ("mixed", 128_484_179_968),
        ("pure", 64_242_089_984),
    ],
)  # fmt: skip
def test_states_by_recipe(recipe: str, bytes_: int) -> None:
    assert sum(states("none", 1, recipe).values()) * 8_030_261_248 == bytes_


def test_deepspeed_figures_of_t5_3b_on_8_devices() -> None:
    """Stage 3: 6.10 GiB; with the optimizer in host memory 0.79, with the weights there too 0.12."""
    layer = gathered("zero3", 8, float(T5_WORDS)) or 0
    assert (sum(states("zero3", 8).values()) * T5_3B + layer) / GIB == pytest.approx(6.10, abs=0.005)
    assert (states("zero3", 8)["weights"] * T5_3B + layer) / GIB == pytest.approx(0.79, abs=0.005)
    assert layer / GIB == pytest.approx(0.12, abs=0.005)


def test_deepspeed_stage_2_is_its_code_not_its_page() -> None:
    """`estimate_zero2` has 2·P + 18·P/N, 11.28 GiB; the page prints 15.93, of an older 4·P + 16·P/N."""
    found = sum(states("zero2", 8).values())
    assert found == 2 + 18 / 8
    assert found * 2_851_000_000 / GIB == pytest.approx(11.28, abs=0.005)
    older = 4 + 16 / 8
    assert older * T5_3B / GIB == pytest.approx(15.93, abs=0.005)


def test_units_that_are_gathered() -> None:
    assert gathered("zero3", 8) == 4 * 1000  # weights and gradients of the largest module
    assert gathered("fsdp", 8) == 2 * 1000 * 2  # this unit and the next
    assert gathered("zero2", 8) == gathered("none", 8) == gathered("fsdp", 1) == 0
    assert gathered("fsdp", 8, None) is None
    assert gathered("zero1", 8, None) == 0  # what is not gathered need not be known
    assert gathered(None, 8) is None


def test_one_device_gathers_what_its_host_has() -> None:
    assert gathered("zero3_param_offload", 8) == gathered("zero3_param_offload", 1) == 4 * 1000
    assert gathered("zero3_offload", 1) == 0


@pytest.mark.parametrize(
    ("sharding", "degree", "recipe", "each", "bytes_"),
    [
        ("zero1", 8, "mixed", 2.0, 1_000_000_000),  # 5·10⁸ elements in 16 bits
        ("zero2", 2, "autocast", 4.0, 2_000_000_000),
        ("zero2_offload", 8, "deepspeed", 2.0, 1_000_000_000),
        ("zero2", 1, "mixed", 2.0, 0),
        ("zero1", 8, "megatron", 2.0, 0),
        ("zero3", 8, "mixed", 2.0, 0),
        ("fsdp", 8, "mixed", 2.0, 0),
        ("zero2", 8, "mixed", None, None),
        (None, 8, "mixed", 2.0, None),
    ],
)
def test_buckets_of_gradients(
    sharding: str | None, degree: int, recipe: str, each: float | None, bytes_: int | None
) -> None:
    found = training_gathers.bucket_bytes(
        sharding=text(sharding), degree=whole(degree), recipe=text(recipe), each=real(each)
    )
    assert value(found) == bytes_


def test_what_is_quantised_is_computed_with_in_16_bits() -> None:
    """Llama-3.1-8B: 14,336 times 4,096 in two bytes each, 0.11 GiB; 70B: 28,672 times 8,192, 0.44."""

    def copied(method: str, ffn: int | None, hidden: int, expert_ffn: int = 0) -> float | None:
        widths = {"ffn": whole(ffn), "expert_ffn": whole(expert_ffn), "hidden": whole(hidden)}
        return value(training_gathers.dequantised_bytes(method=text(method), **widths))

    assert copied("qlora", 14_336, 4096) == 117_440_512
    assert copied("qlora", 28_672, 8192) == 469_762_048
    assert copied("qlora", 0, 2048, 768) == 3_145_728
    assert copied("qlora", None, 4096) is None
    assert copied("lora", None, 4096) == copied("full", 14_336, 4096) == 0


def test_gradients_of_a_unit_wait_to_be_scattered() -> None:
    def scattered(sharding: str, degree: int, each: float = 2.0) -> float | None:
        return value(
            training_gathers.scattered_bytes(
                sharding=text(sharding), degree=whole(degree), unit=real(1000.0), each=real(each)
            )
        )

    assert scattered("fsdp", 8) == 2000
    assert scattered("fsdp", 8, 0.0) == 0  # of a frozen unit
    assert scattered("fsdp", 1) == scattered("zero3", 8) == 0


def test_the_largest_unit() -> None:
    """A layer of Llama-3.1-8B has 218,112,000 parameters, its words 525,336,576."""

    def unit(layer: int | None, vocabulary: int | None) -> float | None:
        return value(
            training_gathers.unit_parameters(layer=whole(layer), vocabulary=whole(vocabulary), hidden=whole(4096))
        )

    assert unit(218_112_000, 128_256) == 525_336_576
    assert unit(218_112_000, 32_000) == 218_112_000
    assert unit(None, 32_000) is None
    assert unit(218_112_000, None) is None
