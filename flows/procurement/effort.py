"""How long a plan may take: programs one after the other, until there is no more time; what was left out is told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from flows.procurement.choice import Choice
from flows.procurement.problem import NotSolved, Plan, Problem
from flows.procurement.solver import SECONDS, Known, solve

# For everything beside the plan itself, and for one question of it.
SECONDS_BESIDE = 20.0
SECONDS_EACH = 5.0


@dataclass(frozen=True)
class Answered:
    """The best plan of a program that was solved in time, None where none is possible."""

    plan: Plan | None


@dataclass
class Effort:
    """`left_out`: the questions that there was no time for, in words."""

    seconds: float = SECONDS_BESIDE
    left_out: list[str] = field(default_factory=list)
    _known: dict[int, tuple[Choice, Known]] = field(default_factory=dict)
    _until: float | None = None

    def plan(self, choice: Choice, problem: Problem) -> Plan | None:
        """The plan itself, within a minute. Raises NotSolved."""
        known = self._of(choice)
        known.seconds, known.until = SECONDS, None
        return solve(problem, known=known)

    def ask(self, what: str, choice: Choice, problem: Problem, costs: Sequence[float] | None = None) -> Answered | None:
        """A plan for a question beside it; None, and one of `left_out`, where time ran out."""
        if self._until is None:
            self._until = time.monotonic() + self.seconds
        known = self._of(choice)
        known.seconds, known.until = SECONDS_EACH, self._until
        try:
            return Answered(solve(problem, costs, known))
        except NotSolved:
            self.left_out.append(what)
            return None

    def _of(self, choice: Choice) -> Known:
        """Patterns are known by the members of a choice."""
        return self._known.setdefault(id(choice), (choice, Known()))[1]
