"""What a catalog file is, and the words that several of them share."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from catalogs.rules import Rule

ENGINES = ("vllm", "sglang", "transformers", "llamacpp", "mlx", "exllama", "trtllm")
PROFILES = ("none", *ENGINES)  # `none` is the architectural minimum: weights and cache
VENDORS = ("nvidia", "amd", "intel", "apple", "google", "aws", "huawei", "qualcomm", "tenstorrent")
FORMATS = ("fp32", "bf16", "fp16", "fp8", "int8", "fp4")
CONFIDENCES = ("exact", "high", "medium", "low")


@dataclass(frozen=True)
class Table:
    """One catalog file. `derive` adds the columns of `derived` behind the written ones."""

    name: str
    columns: pl.Schema  # as written on disk
    key: tuple[str, ...]
    optional: tuple[str, ...]  # every other column must be filled in every row
    rules: tuple[Rule, ...]
    derived: pl.Schema = field(default_factory=pl.Schema)
    derive: tuple[pl.Expr, ...] = ()
    retired: tuple[str, ...] = ()  # columns that older files have and nobody reads any more
    may_be_empty: bool = False  # a header alone says that there is nothing to say
    # what to do about a file that breaks a rule: (how the rule's words begin, the remedy), the first that begins so
    remedies: tuple[tuple[str, str], ...] = ()

    @property
    def file(self) -> str:
        return f"{self.name}.csv"

    @property
    def loaded(self) -> pl.Schema:
        """Schema of the frame that the loader returns."""
        return pl.Schema({**self.columns, **self.derived})
