"""What formats lose: literals by hand, and that the order of the catalog's formats follows its figures."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalogs
from estimator import qualities, quality

RATIO = "perplexity ratio to 16 bit, a model"
COLUMNS = pl.Schema(
    {
        "precision_ix": pl.UInt16,
        "precision": pl.String,
        "family": pl.String,
        "policy": pl.String,
        "bits_per_weight": pl.Float64,
        "whole_model_bits": pl.Float64,
        "quality_metric": pl.String,
        "quality_value": pl.Float64,
        "quality_reference": pl.String,
    }
)
Format = dict[str, Any]


def format_(name: str, family: str, bits: float | None, ratio: float | None = None, **more: Any) -> Format:
    return {
        "precision": name,
        "family": family,
        "policy": "linears",
        "bits_per_weight": bits,
        "whole_model_bits": None,
        "quality_metric": None if ratio is None else RATIO,
        "quality_value": ratio,
        "quality_reference": None,
        **more,
    }


def found(*formats: Format) -> dict[str, tuple[float | None, str]]:
    frame = pl.DataFrame([{"precision_ix": at, **row} for at, row in enumerate(formats)], schema=COLUMNS)
    rows = qualities(frame).join(frame.lazy().select("precision_ix", "precision"), on="precision_ix").collect()
    return {row["precision"]: (row["quality_loss"], row["quality_basis"]) for row in rows.to_dicts()}


def value(expression: pl.Expr) -> Any:
    return pl.select(expression).item()


def lit(number: float | None) -> pl.Expr:
    return pl.lit(number, dtype=pl.Float64)


@pytest.mark.parametrize(
    ("policy", "weights", "whole", "bits"),
    [("all", 4.5, 4.8944, 4.8944), ("all", 16, None, 16), ("linears", 2.3, 4.08, 2.3), ("stored", None, None, None)],
)
def test_bits_that_compare(policy: str, weights: float | None, whole: float | None, bits: float | None) -> None:
    numbers = {"bits_per_weight": lit(weights), "whole_model_bits": lit(whole)}
    assert value(quality.compared_bits(policy=pl.lit(policy), **numbers)) == bits


@pytest.mark.parametrize(
    ("ratio", "reference", "lost"),
    # 6.256 instead of 6.2 is 1.009; four per cent more than something that loses ten is 14.4
    [(1.009, 0, 0.009), (1.04, 0.1, 0.144), (0.999, 0, -0.001), (None, 0, None), (1.04, None, None)],
)
def test_a_ratio_is_a_loss(ratio: float | None, reference: float | None, lost: float | None) -> None:
    assert value(quality.loss(ratio=lit(ratio), reference_loss=lit(reference))) == (
        None if lost is None else pytest.approx(lost)
    )


@pytest.mark.parametrize(
    ("at", "lost"), [(4.0, 0.05), (6.0, 0.01), (4.5, 0.04), (5.0, 0.03), (5.5, 0.02), (None, None)]
)
def test_between_two_figures(at: float | None, lost: float | None) -> None:
    ends = {"below": lit(4), "above": lit(6), "loss_below": lit(0.05), "loss_above": lit(0.01)}
    assert value(quality.loss_between(bits=lit(at), **ends)) == (None if lost is None else pytest.approx(lost))


def test_two_figures_at_the_same_bits_give_the_lower() -> None:
    ends = {"below": lit(4), "above": lit(4), "loss_below": lit(0.02), "loss_above": lit(0.05)}
    assert value(quality.loss_between(bits=lit(4), **ends)) == 0.02


def test_each_basis_by_hand() -> None:
    wide = format_("bf16", "float", 16, policy="all")
    lost = found(
        wide, format_("fp16", "float", 16, 1.0004, quality_metric="perplexity ratio to bf16, a model", policy="all"),
        format_("eight", "fp8", 8, 1.01), format_("twin", "fp8", 8),
        format_("five", "int", 5), format_("four", "int", 4, 1.04), format_("three", "int", 3, 1.2),
        format_("half", "int", 3.5), format_("two", "int", 2),
        format_("none", "hqq", 4), format_("rung", "exl", 6, 1.0, quality_reference="rung"),
        format_("step", "exl", 5, 1.05, quality_reference="rung"),
        format_("recall", "mx", 8.5, 0.99, quality_metric="share of a benchmark"),
        format_("stored", "stored", None, policy="stored"),
    )  # fmt: skip
    assert lost == {
        "bf16": (0, "sixteen_bits"), "fp16": (0.0004, "published"),
        "eight": (0.01, "published"), "twin": (0.01, "interpolated"),
        # four bits lose 4 %, and of all with five or more the worst is eight's 1 %
        "five": (0.01, "bounded"), "four": (0.04, "published"), "three": (0.2, "published"),
        "half": (0.12, "interpolated"), "two": (0.2, "nearest"),
        # no figure of its family: four loses most of those with four bits or more
        "none": (0.04, "bounded"),
        "rung": (0.01, "bounded"), "step": (pytest.approx(1.01 * 1.05 - 1), "published_to_another"),
        "recall": (0.0004, "bounded"), "stored": (None, "stored"),
    }  # fmt: skip


def test_more_bits_than_a_figure_of_its_family_lose_no_more_than_that() -> None:
    """Where the worst of other families is worse."""
    assert found(format_("a", "x", 4, 1.02), format_("b", "x", 5), format_("c", "y", 6, 1.3))["b"] == (0.02, "bounded")


def test_half_the_bits_of_a_figure_are_not_near_it() -> None:
    """Eight bits lose 1 %; of four nobody of that family says anything, and of all with four or more five lose most."""
    rows = (format_("eight", "mx", 8, 1.01), format_("four", "mx", 4), format_("five", "int", 5, 1.05))
    assert found(*rows)["four"] == (0.05, "bounded")
    assert found(*rows, format_("seven", "mx", 6.5))["seven"] == (0.01, "nearest")


def test_of_two_figures_at_the_same_bits_the_better_is_below_and_the_worse_above() -> None:
    """5 bits are between 1 % (the better of 4 bits' 1 and 3) and 0.9 % (the worse of 6 bits' 0.9 and 0.1)."""
    lost = found(
        format_("four", "x", 4, 1.01), format_("odd", "x", 4, 1.03), format_("six", "x", 6, 1.009),
        format_("fine", "x", 6, 1.001), format_("five", "x", 5),
    )  # fmt: skip
    assert lost["five"] == (pytest.approx(0.0095), "interpolated")


def test_nothing_published_at_all() -> None:
    assert found(format_("a", "x", 4), format_("b", "y", 5)) == {"a": (None, "unknown"), "b": (None, "unknown")}


def test_a_reference_that_is_not_there_is_no_figure() -> None:
    """A site's shorter list of formats."""
    assert found(format_("a", "x", 4, 1.02, quality_reference="gone")) == {"a": (None, "unknown")}
    assert found(format_("a", "x", 4, 1.02, quality_reference="gone"), format_("b", "y", 5, 1.1))["a"] == (
        0.1,
        "bounded",
    )


figures = st.lists(
    st.tuples(st.sampled_from("xyz"), st.integers(8, 64), st.none() | st.integers(1000, 1500)), min_size=1, max_size=12
)


@settings(max_examples=60, deadline=None)
@given(rows=figures)
def test_figures_stay_and_rules_stay_between_them(rows: list[tuple[str, int, int | None]]) -> None:
    formats = [
        format_(str(at), family, bits / 4, None if ratio is None else ratio / 1000)
        for at, (family, bits, ratio) in enumerate(rows)
    ]
    lost = found(*formats)
    published = [row["quality_value"] - 1 for row in formats if row["quality_value"] is not None]
    for row in formats:
        loss, basis = lost[row["precision"]]
        if row["quality_value"] is not None:
            assert (loss, basis) == (pytest.approx(row["quality_value"] - 1), "published")
        elif basis != "unknown":
            assert loss is not None
            assert min(published) - 1e-9 <= loss <= max(published) + 1e-9
        else:
            assert all(other["quality_value"] is None or other["bits_per_weight"] < row["bits_per_weight"]
                       for other in formats)  # fmt: skip


def test_every_format_of_ours_has_a_loss_and_says_from_where() -> None:
    ours = catalogs.precisions().with_row_index("precision_ix")
    lost = qualities(ours).join(ours.lazy(), on="precision_ix").collect()
    assert lost.filter(pl.col("quality_loss").is_null())["precision"].to_list() == ["stored"]
    assert "unknown" not in lost["quality_basis"]
    # the table of docs/method.md, section 14
    assert dict(lost.group_by("quality_basis").len().iter_rows()) == {
        "sixteen_bits": 2, "published": 39, "published_to_another": 9, "interpolated": 10, "bounded": 20, "nearest": 5,
        "stored": 1,
    }  # fmt: skip
    published = lost.filter(quality_basis="published")
    assert (published["quality_loss"] - published["quality_value"] + 1).abs().max() < 1e-6  # type: ignore[operator]
    by_name = dict(lost.select("precision", "quality_loss").iter_rows())
    # 16 bits, then published losses: Q4_K_M has fewer bits than Q4_1 and Q4_0 of the old kind, and loses less
    order = ["bf16", "gguf_q8_0", "gguf_q6_k", "gguf_q5_k_m", "gguf_q4_k_m", "gguf_iq4_xs", "gguf_q4_1", "gguf_q4_0"]
    assert sorted(order, key=lambda name: by_name[name]) == order
    assert by_name["exl2_4.0bpw"] == pytest.approx((1 + by_name["exl2_5.0bpw"]) * 1.0448 - 1, abs=1e-6)
