"""Bytes of weights, gradients and optimizer states of a training run, without activations (Float64).

What is trained, `recipe`:

* `mixed`: 16-bit weights and gradients, and a master copy and moments in fp32 (ZeRO, arXiv 1910.02054, section 3.1: 16
  bytes a parameter with Adam);
* `autocast`: weights, gradients and moments in fp32, matrices cast to 16 bits as they are used (PyTorch's autocast);
* `deepspeed`: the same with gradients that are accumulated in fp32 beside those in 16 bits, 20 bytes (18 in stage 3,
  whose accumulated shares are the only ones; DeepSpeed `runtime/zero`, `estimate_zero2` and `estimate_zero3`);
* `megatron`: the same with gradients in fp32 alone, 18 bytes (Megatron-LM's distributed optimizer);
* `pure`: everything in 16 bits, 8 bytes a parameter with Adam;
* `fp32`: everything in fp32, arithmetic too; 16 bytes a parameter with Adam.

Adapters (LoRA, arXiv 2106.09685; DoRA, arXiv 2402.09353; QLoRA, arXiv 2305.14314) are kept in fp32 by PEFT whatever the
recipe, over a frozen base. Explained in docs/method.md, section "Training".
"""

from __future__ import annotations

import polars as pl

from estimator.bounds import larger, product_or_absent

RECIPES = ("mixed", "autocast", "pure", "fp32", "deepspeed", "megatron")
# With weights in 16 bits and a master copy in fp32.
MASTERED = ("mixed", "deepspeed", "megatron")
# Whose buffers of gradients are never freed; PyTorch frees them between steps unless they are accumulated.
KEEPING = ("deepspeed", "megatron")

# Numbers that an optimizer keeps for each trained parameter. Muon keeps one for matrices of the layers and AdamW's two
# for everything else; the moments of 8-bit AdamW are two bytes and one fp32 scale for each block of 256 in both
# (bitsandbytes `optim/optimizer.py`, functional block size 256); Adafactor keeps rows and columns instead of matrices.
MOMENTS = {"adamw": 2, "adamw_foreach": 2, "lion": 1, "sgd_momentum": 1, "sgd": 0}
EIGHT_BIT_BYTES = 2 + 2 * 4 / 256
# Whose moments move to the host's memory page by page when the device is full (bitsandbytes, QLoRA section 3).
PAGED = ("adamw_paged",)
OPTIMIZERS = (*MOMENTS, "adamw_8bit", *PAGED, "muon", "adafactor")

HALF = ("bf16", "fp16")
FULL = ("fp32",)
FOUR_BIT = ("nf4", "nf4_dq", "fp4_bnb")
ADAPTED = ("lora", "dora", "qlora")
# Modules that get adapters: all linear ones, as QLoRA has it, or the projections of queries and values, which PEFT
# picks in most decoders unless told (PEFT `utils/constants.py`).
TARGETS = ("all_linear", "attention_qv")

# Engines whose memory of a training step is known; `none` counts the step alone.
ENGINES = ("none", "transformers")

# ZeRO stages that divide states; `none` divides nothing.
# FSDP divides what stage 3 divides.
ZERO_STAGES = {
    "zero1": 1, "zero2": 2, "zero3": 3, "fsdp": 3, "zero2_offload": 2, "zero3_offload": 3, "zero3_param_offload": 3
}  # fmt: skip
# Shardings whose gradients and optimizer states live in the memory of the host, and the one whose weights do as well.
OFFLOADED = ("zero2_offload", "zero3_offload", "zero3_param_offload")
WITHOUT_WEIGHTS = ("zero3_param_offload",)
# Bytes of the host for each trained parameter: fp32 weights, gradients and moments, at stage 2 four for each process
# where that is more; weights that leave too as they are, and half as much again of all for buffers (DeepSpeed
# `runtime/zero`, estimate_zero2 and estimate_zero3: 16 and 18 bytes with weights in 16 bits).
HOST_BYTES, HOST_BYTES_OF_A_PROCESS, HOST_BUFFERS = 16, 4, 1.5

# Copies of the model beside the one that is fine-tuned: preference tuning keeps a frozen reference (DPO, arXiv
# 2305.18290; GRPO, arXiv 2402.03300), PPO a frozen reference and reward model and trains a critic (arXiv 2203.02155).
FROZEN_COPIES = {"sft": 0, "dpo": 1, "grpo": 1, "ppo": 2}
TRAINED_COPIES = {"sft": 1, "dpo": 1, "grpo": 1, "ppo": 2}
# DPO runs the chosen and the rejected answer of each example.
SEQUENCES_OF_AN_EXAMPLE = {"sft": 1, "dpo": 2, "grpo": 1, "ppo": 1}


def is_trainable(*, method: pl.Expr, precision: pl.Expr, recipe: pl.Expr) -> pl.Expr:
    """Whether a method trains on weights of a precision; null when an input is null or is not ours."""
    half, full = precision.is_in(list(HALF)), precision.is_in(list(FULL))
    return (
        pl.when((method == "full") & recipe.is_in(["autocast", "fp32"]))
        .then(full)
        .when((method == "full") & recipe.is_in([*MASTERED, "pure"]))
        .then(half)
        .when(method.is_in(["lora", "dora"]))
        .then(half | full)
        .when(method == "qlora")
        .then(precision.is_in(list(FOUR_BIT)))
    )


def weight_bytes_each(*, precision: pl.Expr) -> pl.Expr:
    """Bytes of one trained weight; null for a precision that is not trained."""
    return pl.when(precision.is_in(list(HALF))).then(2.0).when(precision.is_in(list(FULL))).then(4.0)


def gradient_bytes_each(*, precision: pl.Expr, recipe: pl.Expr, sharding: pl.Expr) -> pl.Expr:
    """Bytes of the gradients of one trained weight, accumulated ones included: in PyTorch those of the weight.

    Null for a precision that is not trained and, in 16 bits, for a recipe that is not ours.
    """
    return (
        pl.when(precision.is_in(list(FULL)))
        .then(4.0)
        .when(precision.is_in(list(HALF)) & recipe.is_in(["mixed", "pure"]))
        .then(2.0)
        .when(precision.is_in(list(HALF)) & (recipe == "megatron"))
        .then(4.0)
        .when(precision.is_in(list(HALF)) & (recipe == "deepspeed") & sharding.str.starts_with("zero3"))
        .then(4.0)
        .when(precision.is_in(list(HALF)) & (recipe == "deepspeed") & sharding.is_not_null())
        .then(6.0)
    )


def keeps_gradients(*, recipe: pl.Expr, is_accumulated: pl.Expr) -> pl.Expr:
    """Whether gradients are there in the forward pass too: accumulated over several, or in buffers of the recipe.

    No word about accumulation (null) means none.
    """
    return is_accumulated.fill_null(False) | recipe.is_in(list(KEEPING)).fill_null(False)


def master_bytes_each(*, precision: pl.Expr, recipe: pl.Expr) -> pl.Expr:
    """Bytes of the fp32 master copy of a trained parameter: 4 beside 16-bit weights unless they are `pure`, else 0."""
    return (
        pl.when(precision.is_in(list(FULL)))
        .then(0.0)
        .when(precision.is_in(list(HALF)) & recipe.is_in(list(MASTERED)))
        .then(4.0)
        .when(precision.is_in(list(HALF)) & (recipe == "pure"))
        .then(0.0)
    )


def moment_number_bytes(*, precision: pl.Expr, recipe: pl.Expr) -> pl.Expr:
    """Bytes of one number of the optimizer: that of the weights in `pure`, else fp32."""
    return pl.when((recipe == "pure") & precision.is_in(list(HALF))).then(2.0).when(recipe.is_in(RECIPES)).then(4.0)


def moment_bytes(
    *, optimizer: pl.Expr, trained: pl.Expr, matrices: pl.Expr, factors: pl.Expr, number_bytes: pl.Expr
) -> pl.Expr:
    """Bytes of all moments of `trained` parameters, of which `matrices` are matrices inside layers.

    `factors`: rows and columns of all matrices and the numbers of everything else. `adamw_paged` has those of AdamW,
    wherever they are (`paged_share`). Null for an optimizer without a rule and when a needed count is null.
    """
    count = optimizer.replace_strict(MOMENTS, default=None, return_dtype=pl.Float64)
    return (
        pl.when(count.is_not_null())
        .then(trained * count * number_bytes)
        .when(optimizer == "adamw_8bit")
        .then(trained * EIGHT_BIT_BYTES)
        .when(optimizer == "adamw_paged")
        .then(trained * 2 * number_bytes)
        .when(optimizer == "muon")
        .then((2 * trained - matrices) * number_bytes)
        .when(optimizer == "adafactor")
        .then(factors * 4.0)
    )


def paged_share(*, optimizer: pl.Expr) -> pl.Expr:
    """Share of the moments that need not be on a device: 1.0 of an optimizer with pages, else 0.0; null with its input.

    A step works with none of them there, and takes all where there is room: nothing in the middle, all of it at the
    upper end of a need.
    """
    return pl.when(optimizer.is_in(list(PAGED))).then(1.0).when(optimizer.is_not_null()).then(0.0)


def update_bytes(*, optimizer: pl.Expr, trained: pl.Expr, number_bytes: pl.Expr) -> pl.Expr:
    """Bytes that the optimizer's step itself needs: PyTorch's `foreach` loop makes the roots of all moments at once.

    0 for the others, whose kernels are fused or go parameter by parameter. Measured: docs/method.md.
    """
    return (
        pl.when(optimizer == "adamw_foreach").then(trained * number_bytes).when(optimizer.is_in(OPTIMIZERS)).then(0.0)
    )


def of_targets(*, targets: pl.Expr, all_linear: pl.Expr, qv: pl.Expr) -> pl.Expr:
    """A sum over the modules that get adapters; null for targets that are not ours."""
    return pl.when(targets == "all_linear").then(all_linear).when(targets == "attention_qv").then(qv)


def adapter_parameters(*, method: pl.Expr, rank: pl.Expr, io: pl.Expr, rows: pl.Expr) -> pl.Expr:
    """Parameters of adapters on layers whose inputs and outputs add up to `io` and whose outputs to `rows`.

    DoRA adds a magnitude for each output. Null when a needed count is null.
    """
    return rank * io + pl.when(method == "dora").then(rows).otherwise(0)


def step_peak_bytes(*, forward: pl.Expr, gradients: pl.Expr, backward: pl.Expr, update: pl.Expr) -> pl.Expr:
    """Bytes that come and go within a step: the forward pass, or gradients with a backward pass or an update.

    `backward` is what is needed beside all gradients, the forward pass too where they are kept. Null when one is null.
    """
    return larger(forward, gradients + larger(backward, update))


def kept_in_fp32_bytes(*, method: pl.Expr, rest: pl.Expr) -> pl.Expr:
    """Bytes that QLoRA's preparation adds: everything outside the quantised layers is cast from 16 bits to fp32.

    PEFT `prepare_model_for_kbit_training`. `rest` in elements; 0 for other methods.
    """
    return pl.when(method == "qlora").then(2.0 * rest).otherwise(0.0)


def copies(*, objective: pl.Expr, counts: dict[str, int]) -> pl.Expr:
    """How many of something an objective has; null for one that is not ours."""
    return objective.replace_strict(counts, default=None, return_dtype=pl.Int64)


def frozen_copies_bytes(*, objective: pl.Expr, method: pl.Expr, one: pl.Expr) -> pl.Expr:
    """Bytes of frozen copies of the model in its stored precision, `one` each.

    The reference of an adapter is its base with the adapter off; a reward model is a model of its own.
    """
    others = copies(objective=objective, counts=FROZEN_COPIES)
    shared = pl.when(method.is_in(list(ADAPTED)) & (others > 0)).then(1).otherwise(0)
    return product_or_absent(others - shared, one)


def offloaded_host_bytes(*, sharding: pl.Expr, trained: pl.Expr, degree: pl.Expr, weights: pl.Expr) -> pl.Expr:
    """Bytes of the host's memory (Float64) for what leaves `degree` devices of one node: states of `trained` parameters
    and, where weights leave too, `weights` bytes of all that a device would keep undivided.

    0 for shardings that leave nothing there. Null when a needed input is null.
    """
    processes = larger(HOST_BYTES_OF_A_PROCESS * degree.cast(pl.Int64), pl.lit(HOST_BYTES, dtype=pl.Int64))
    each = pl.when(sharding == "zero2_offload").then(processes).when(sharding.is_not_null()).then(HOST_BYTES)
    too = pl.when(sharding.is_in(list(WITHOUT_WEIGHTS))).then(weights).otherwise(0.0)
    return pl.when(sharding.is_in(list(OFFLOADED))).then((trained * each + too) * HOST_BUFFERS).otherwise(0.0)


def device_states(*, sharding: pl.Expr, host_need: pl.Expr, host_bytes: pl.Expr) -> pl.Expr:
    """Share of gradients and optimizer states that stays on devices: 0.0 where the host holds them, else 1.0.

    A host without the room (or of which nobody says how much it has) takes none. Null when its need is unknown.
    """
    is_away = sharding.is_in(list(OFFLOADED)) & (host_need <= host_bytes.fill_null(0))
    return pl.when(is_away).then(0.0).when(~is_away).then(1.0)


def device_weights(*, sharding: pl.Expr, states: pl.Expr) -> pl.Expr:
    """Share of weights that stays on devices: as much as of the states where they leave with these, else 1.0.

    Null when `states`, the answer of `device_states`, is null.
    """
    return pl.when(sharding.is_in(list(WITHOUT_WEIGHTS))).then(states).when(states.is_not_null()).then(1.0)


def zero_share(*, sharding: pl.Expr, divided_from: int, degree: pl.Expr) -> pl.Expr:
    """Share of a state that one device keeps under ZeRO of some stage: 1 / degree from stage `divided_from` on.

    Optimizer states divide from stage 1, gradients from 2, weights from 3 (arXiv 1910.02054, figure 1).
    No sharding keeps all of it; null for a sharding that is not ours.
    """
    stage = sharding.replace_strict({"none": 0, **ZERO_STAGES}, default=None, return_dtype=pl.Int64)
    return pl.when(stage >= divided_from).then(1.0 / degree).when(stage < divided_from).then(1.0)
