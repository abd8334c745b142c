"""How long a plan may take: programs one after the other, until there is no more time; what was left out is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from flows.procurement.choice import Choice
from flows.procurement.problem import NotSolved, Plan, Problem
from flows.procurement.solver import SECONDS, Known, solve

# For everything beside the plan itself, and for one question of it.
SECONDS_BESIDE = 20.0
SECONDS_EACH = 5.0
# Kinds of questions beside the plan; time that one leaves is for those after it.
PARTS = 4


@dataclass(frozen=True)
class Answered:
    """The best plan of a program that was solved in time, None where none is possible."""

    plan: Plan | None


@dataclass
class Effort:
    """`left_out`: the questions that there was no time for, in words."""

    seconds: float = SECONDS_BESIDE
    left_out: list[str] = field(default_factory=list)
    clock: Callable[[], float] = time.monotonic
    _known: dict[int, tuple[Choice, Known]] = field(default_factory=dict)
    _parts: int = PARTS
    _began: float = 0.0
    _until: float | None = None

    def plan(self, choice: Choice, problem: Problem) -> Plan | None:
        """The plan itself, within a minute. Raises NotSolved."""
        known = self._of(choice)
        known.seconds, known.until = SECONDS, None
        return solve(problem, known=known)

    def begin(self) -> None:
        """Another kind of questions, with its part of the time that is left."""
        now = self.clock()
        if self._until is not None:
            self.seconds -= now - self._began
        self._began = now
        self._until = now + max(0.0, self.seconds) / max(1, self._parts)
        self._parts -= 1

    def begin_all(self) -> None:
        """One kind of questions, with all the time that there is."""
        self._parts = 1
        self.begin()

    def ask(self, what: str, choice: Choice, problem: Problem, costs: Sequence[float] | None = None) -> Answered | None:
        """A plan for a question beside it; None, and one of `left_out`, where time ran out."""
        if self._until is None:
            self.begin()
        known = self._of(choice)
        known.seconds, known.until = SECONDS_EACH, self._until
        try:
            return Answered(solve(problem, costs, known))
        except NotSolved:
            self.leave_out(what)
            return None

    def is_over(self, what: str) -> bool:
        """Whether there is no time for a question, which is then one of `left_out`: before it takes any to ask it."""
        if self._until is None or self.clock() < self._until:
            return False
        self.leave_out(what)
        return True

    def leave_out(self, what: str) -> None:
        if what not in self.left_out:
            self.left_out.append(what)

    def _of(self, choice: Choice) -> Known:
        """Patterns are known by the members of a choice. That of the plan is kept, and the last of the others."""
        if id(choice) not in self._known:
            for other in list(self._known)[1:]:
                del self._known[other]
            self._known[id(choice)] = (choice, Known())
        return self._known[id(choice)][1]
