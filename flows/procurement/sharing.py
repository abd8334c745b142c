"""Which replicas fit on one device together: each a process of its own, all of them taking turns.

Memory: the upper ends of their needs are at most what that many processes may fill for certain. Speed: a token of a
sequence waits for one step of every process, so that its step takes the sum of all. Who asks for a speed shares no
device with a step that nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from flows.procurement.problem import Member, Pattern, Shared

# Processes on one device, at most: what nobody has measured beyond a few is not promised.
MOST_PROCESSES = 4
# Sums of seconds are compared with seconds.
ROUNDING = 1e-9


def fits(members: Sequence[Member], rooms: Sequence[int]) -> bool:
    """Whether one device holds them, and none is too slow there."""
    if not 1 <= len(members) <= len(rooms) or sum(member.need_bytes for member in members) > rooms[len(members) - 1]:
        return False
    asked = [member.most_seconds for member in members if member.most_seconds is not None]
    if not asked:
        return True
    step = shared_step(members)
    return step is not None and step <= min(asked) * (1 + ROUNDING)


def shared_step(members: Sequence[Member]) -> float | None:
    """Seconds between two tokens of a sequence where all of them take turns; None where a step is unknown."""
    steps = [member.step_seconds for member in members]
    return None if None in steps else sum(step for step in steps if step is not None)


@dataclass
class Search:
    """Patterns of one device by their worth: what their replicas are worth to a plan, less than `above` left out.

    `looked` counts the sets that were tried, for one who has to stop somewhere.
    """

    gpu: str
    shared: Shared
    needs: Sequence[int]
    worths: Sequence[float]  # of a replica of each demand
    looked: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        members = self.shared.members
        worthy = [at for at, member in enumerate(members) if self.needs[member.demand] > 0]
        self._order = sorted(worthy, key=lambda at: (-self.worths[members[at].demand], members[at].need_bytes, at))

    def best(self, above: float) -> Pattern | None:
        """The pattern worth most, if that is more than `above`; extended until nothing more has room."""
        found: tuple[int, ...] | None = None
        most = above
        stack: list[tuple[tuple[int, ...], int, float]] = [((), 0, 0.0)]
        while stack:
            chosen, start, worth = stack.pop()
            if chosen and worth > most:
                found, most = chosen, worth
            following = []
            slots = len(self.shared.rooms) - len(chosen)
            for place in range(start, len(self._order)):
                each = self._worth(place)
                if slots == 0 or each <= 0 or worth + slots * each <= most:
                    break
                if self._may_join(chosen, place):
                    following.append(((*chosen, self._order[place]), place, worth + each))
            stack += reversed(following)
        return None if found is None else Pattern(self.gpu, tuple(sorted(self._extended(found))))

    def all(self, at_least: float) -> Iterator[Pattern]:
        """Every pattern worth that much to which nothing can be added."""
        stack: list[tuple[tuple[int, ...], int, float]] = [((), 0, 0.0)]
        while stack:
            chosen, start, worth = stack.pop()
            if chosen and worth >= at_least and not any(self._may_join(chosen, at) for at in range(len(self._order))):
                yield Pattern(self.gpu, tuple(sorted(chosen)))
            slots = len(self.shared.rooms) - len(chosen)
            for place in range(start, len(self._order)):
                each = self._worth(place)
                if slots == 0 or worth + slots * each < at_least:
                    break
                if self._may_join(chosen, place):
                    stack.append(((*chosen, self._order[place]), place, worth + each))

    def _worth(self, place: int) -> float:
        return self.worths[self.shared.members[self._order[place]].demand]

    def _may_join(self, chosen: Sequence[int], place: int) -> bool:
        """Whether one more replica has room; a set that does not fit is part of none that does."""
        self.looked += 1
        members = self.shared.members
        joining = members[self._order[place]]
        there = [members[at] for at in chosen]
        if sum(member.demand == joining.demand for member in there) >= self.needs[joining.demand]:
            return False
        return fits([*there, joining], self.shared.rooms)

    def _extended(self, chosen: tuple[int, ...]) -> tuple[int, ...]:
        grown = True
        while grown:
            grown = False
            for place in range(len(self._order)):
                if len(chosen) < len(self.shared.rooms) and self._may_join(chosen, place):
                    chosen, grown = (*chosen, self._order[place]), True
                    break
        return chosen


def widened(members: Sequence[Member], choices: Mapping[int, Sequence[Member]], rooms: Sequence[int]) -> list[Member]:
    """The same replicas, each demand in turn in the first of its `choices` that still fits for all of its own."""
    chosen = list(members)
    for demand, preferred in sorted(choices.items()):
        for candidate in preferred:
            tried = [candidate if member.demand == demand else member for member in chosen]
            if fits(tried, rooms):
                chosen = tried
                break
    return chosen
