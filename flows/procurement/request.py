"""Everything that a plan is asked of, and the problem that it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from flows.procurement import offers
from flows.procurement.choice import Choice, asked, choose
from flows.procurement.offers import Terms
from flows.procurement.options import Answers
from flows.procurement.problem import Limits, Offer, Problem


@dataclass(frozen=True)
class Request:
    """`demand`: rows of a demand file with their line. `chosen`: without it, what the answers say of the demand."""

    demand: pl.DataFrame
    answers: Answers
    inventory: pl.DataFrame
    policy: Mapping[str, float]
    terms: Terms
    limits: Limits
    share: bool = False
    chosen: Choice | None = field(default=None, compare=False)

    @cached_property
    def choice(self) -> Choice:
        return choose(self.demand, self.answers) if self.chosen is None else self.chosen

    @property
    def near(self) -> pl.DataFrame:
        """What holds each demand for certain, whatever its speed."""
        return asked(self.demand, self.answers).filter(~pl.col("is_tight"))

    @cached_property
    def every_offer(self) -> list[Offer]:
        answers = self.answers
        return offers.every(answers.prices, answers.gpus, self.inventory, self.policy, self.terms)

    @cached_property
    def offers(self) -> list[Offer]:
        return offers.cheapest(self.every_offer)

    @cached_property
    def problem(self) -> Problem:
        shared = self.choice.shared if self.share else {}
        return Problem(self.offers, self.choice.placements, self.demand["replicas"].to_list(), self.limits, shared)
