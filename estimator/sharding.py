"""How a split divides a model: elements on the fullest device, whether it has parts of all layers or some of them.

Sources: Megatron-LM (arXiv 1909.08053) column- and row-parallel linears; vLLM `model_executor/layers/linear.py`
(QKVParallelLinear replicates key and value heads once the degree exceeds them) and `vocab_parallel_embedding.py`
(vocabulary padded to a multiple of 64, then split). Explained in docs/method.md, section "Several devices".
"""

from __future__ import annotations

import polars as pl

from estimator.bounds import larger, product_or_absent, smaller

# vLLM `DEFAULT_VOCAB_PADDING_SIZE` in vocab_parallel_embedding.py
VOCABULARY_PADDING = 64


def is_valid_degree(*, mask: pl.Expr, degree: pl.Expr) -> pl.Expr:
    """Whether a model divides over `degree` devices: bit degree - 1 of a mask. One always does; null without mask."""
    bit = pl.lit(2, dtype=pl.Int64).pow((degree - 1).cast(pl.Int64)).cast(pl.Int64)
    return (degree == 1) | ((mask & bit) != 0)


def may_stage(*, layers: pl.Expr, degree: pl.Expr) -> pl.Expr:
    """Whether `degree` devices can each have a layer. One device always can; null when the layers are not known."""
    is_alone = degree == 1
    # as long as the column of layers, whatever the degree is: a literal condition would answer with one row
    return pl.when(layers.is_null()).then(pl.when(is_alone).then(True)).otherwise(degree <= layers.clip(1))


def stage_share(*, layers: pl.Expr, degree: pl.Expr) -> pl.Expr:
    """Share of the layers on the device that has most of them: ceil(layers / degree) / layers. Null without layers."""
    most = (layers / degree).ceil()
    return pl.when(degree == 1).then(1.0).when(layers > 0).then(most / layers)


def staged_elements(*, elements: pl.Expr, layers: pl.Expr, stages: pl.Expr) -> pl.Expr:
    """Of elements that lie evenly in `layers` layers of a kind, those on the device that has most of them (Float64).

    elements * ceil(layers / stages) / layers. No elements lie in no layers; null when a needed number is null.
    """
    most = (layers / stages).ceil()
    return (
        pl.when((stages == 1) | (elements == 0))
        .then(elements.cast(pl.Float64))
        .when(layers > 0)
        .then(elements * most / layers)
    )


def staged_bytes(*, whole: pl.Expr, ends_share: pl.Expr, layers: pl.Expr, degree: pl.Expr) -> pl.Expr:
    """Of bytes of weights, those on the fullest device: its share of the layers, and all that is no layer.

    `ends_share` is the embeddings' and the head's share of the whole. Null when an input is null.
    """
    share = stage_share(layers=layers, degree=degree)
    return pl.when(degree == 1).then(whole).otherwise(whole * (ends_share + (1 - ends_share) * share))


# Groups of layers that can be the fullest: the first, those between, the last.
STAGES = ("front", "between", "back")


def stage_shares(*, layers: pl.Expr, some: pl.Expr, stages: pl.Expr) -> dict[str, pl.Expr]:
    """For each of STAGES, its share of what lies evenly in `some` of the `layers` (all of them, or those with experts).

    vLLM gives every stage L // p layers, and what is left to those before the last, from the back: one more for the
    front when p - 1 are left, for one between when any are (0 of none between). A stage may have all its layers from
    the `some`. Null where there are none of them or the layers are not known.
    """
    count = stages.cast(pl.Int64)
    each, left = layers // count, layers % count
    held = {
        "front": each + (left == count - 1).cast(pl.Int64),
        "between": pl.when(count > 2).then(each + (left > 0).cast(pl.Int64)).otherwise(0),
        "back": each,
    }
    return {name: pl.when(some > 0).then(smaller(of_stage, some) / some) for name, of_stage in held.items()}


def stage_bytes(
    *,
    first: pl.Expr,
    last: pl.Expr,
    plain: pl.Expr,
    experts: pl.Expr,
    plain_shares: dict[str, pl.Expr],
    expert_shares: dict[str, pl.Expr],
) -> dict[str, pl.Expr]:
    """For each of STAGES, its bytes (Float64): `first` beside the layers in front, `last` beside those at the back.

    The shares are those of `stage_shares`. Null when an input is null. The largest of them is what the fullest device
    has; logged by vLLM: Llama-3.1-8B 7.51 GiB at two stages, 4.26 at four.
    """
    ends = {"front": first, "between": pl.lit(0.0), "back": last}
    return {
        name: ends[name] + plain * plain_shares[name] + product_or_absent(experts, expert_shares[name])
        for name in STAGES
    }


def expert_part(*, experts: pl.Expr, devices: pl.Expr, are_whole: pl.Expr) -> pl.Expr:
    """Share of the routed experts on one of `devices`: a part of each, or as many whole ones as the fullest has.

    ceil(experts / devices) / experts where they are whole (vLLM `determine_expert_map`). Null without a count there.
    """
    most = (experts / devices).ceil()
    return pl.when(are_whole).then(pl.when(experts > 0).then(most / experts)).otherwise(1 / devices)


def alignment_mask(
    *, alignment: pl.Expr, any_width: pl.Expr, width_32: pl.Expr, width_64: pl.Expr, width_128: pl.Expr
) -> pl.Expr:
    """The mask of degrees for a format whose blocks of `alignment` input columns must not be cut.

    Null when the alignment is null or its mask is; an alignment that nobody asked extraction about is null too.
    """
    return (
        pl.when(alignment == 1)
        .then(any_width)
        .when(alignment == 32)
        .then(width_32)
        .when(alignment == 64)
        .then(width_64)
        .when(alignment == 128)
        .then(width_128)
    )


def part_of(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """Share of a whole; 0 of nothing, null when either is null."""
    return pl.when(whole > 0).then(part / whole).when(whole == 0).then(0.0)


def kv_part(*, elements: pl.Expr, kv_heads: pl.Expr, degree: pl.Expr) -> pl.Expr:
    """Of elements that belong to key and value heads, those on one device (Float64).

    elements * max(1, kv_heads // degree) / kv_heads: past the number of heads each device still keeps one.
    Degree 1 keeps all and needs no head count. Null when the elements are null, or the heads are where they matter.
    """
    heads = larger(kv_heads // degree.cast(pl.Int64), pl.lit(1, dtype=pl.Int64))
    return (
        pl.when((degree == 1) | (elements == 0)).then(elements.cast(pl.Float64)).otherwise(elements * heads / kv_heads)
    )


def context_parts(*, asked: pl.Expr, copies: pl.Expr) -> pl.Expr:
    """Parts into which devices that would keep copies of a cache divide its tokens instead (1 at least).

    Decode-context parallelism of vLLM (`--decode-context-parallel-size`) shares what tensor parallelism copies: at most
    `copies` devices, all of a group for a latent cache, those of one head for others. Null `asked` is 1; null `copies`
    is null where more than 1 is asked.
    """
    return pl.when(asked.is_null() | (asked == 1)).then(1).otherwise(larger(smaller(asked, copies), pl.lit(1)))


def sharded_linears(
    *, linears: pl.Expr, kv_projections: pl.Expr, replicated: pl.Expr, kv_heads: pl.Expr, degree: pl.Expr
) -> pl.Expr:
    """Elements of the dense linear layers on one device (Float64).

    `linears` counts all of them, `kv_projections` and `replicated` (latent down-projections) are parts of it.
    Null when any count is null.
    """
    kv = kv_part(elements=kv_projections, kv_heads=kv_heads, degree=degree)
    return (linears - kv_projections - replicated) / degree + kv + replicated


def sharded_rest(*, rest: pl.Expr, split: pl.Expr, degree: pl.Expr) -> pl.Expr:
    """Elements outside the linear layers on one device (Float64): `split` of them divide, the others are copied.

    Embedding, output head and biases divide; norms, router, positions, towers and small tensors are on every device.
    Towers may divide too in an engine; copying them is the upper end. Null when a count is null.
    """
    return (rest - split) + split / degree


def padded_vocabulary_elements(*, vocabulary: pl.Expr, hidden: pl.Expr, matrices: pl.Expr) -> pl.Expr:
    """Elements that vLLM adds by padding `matrices` embeddings of `vocabulary` rows (before they are split).

    Null when an input is null.
    """
    return (-vocabulary % VOCABULARY_PADDING) * hidden * matrices
