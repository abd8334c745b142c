"""What is asked of a plan and what a plan is: offers, placements, models that may share a device, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# Of plans with as much cost the one with fewer devices: a device counts a cent besides.
USD_OF_A_DEVICE = 0.01


@dataclass(frozen=True)
class Offer:
    """A way to get devices: `devices` come together as one unit for `usd` over the horizon.

    `node` devices can work together, of one unit where it is rented, of several where units are boards. There are at
    most `limit` units, None without end. `watts` is a unit's rated power, None where nobody knows it: such an offer has
    no place under a limit of power. `price_usd` is what of `usd` the price in the list makes, 0 of what is owned;
    `listed` is the row of the list.
    """

    name: str
    gpu: str
    devices: int
    node: int
    usd: float
    watts: float | None
    limit: int | None = None
    kind: str = "rent"  # rent | buy | own
    price_usd: float = 0.0
    outlay_usd: float = 0.0  # what a unit that is bought is paid with, whole
    listed: Mapping[str, object] = field(default_factory=dict, compare=False)

    @property
    def is_machine(self) -> bool:
        """Whether its devices work with each other and with no others, as those of an instance do."""
        return self.kind == "rent" and self.devices > 1

    @property
    def reach(self) -> int:
        """Devices that a group can have."""
        return self.devices if self.is_machine else self.node

    def share(self, degree: int) -> int:
        """Devices that a group of `degree` takes up: of a machine the next number that divides it.

        A machine of 8 has room for two groups of 3, each of which takes up 4: shares that divide it fill it without a
        rest. Single devices and those of boards are taken one by one.
        """
        if not self.is_machine:
            return degree
        return min(n for n in range(degree, self.devices + 1) if self.devices % n == 0)


@dataclass(frozen=True)
class Placement:
    """One replica of the demand at position `demand`: `groups` groups of `degree` devices of a kind."""

    name: str
    gpu: str
    demand: int
    degree: int
    groups: int = 1


@dataclass(frozen=True)
class Member:
    """One replica of a demand in one precision, as a device sees it that others share.

    `need_bytes` is the upper end of its need on one device, `step_seconds` between two tokens of a sequence while it
    has the device to itself, `most_seconds` what the demand allows; None where unknown and where nothing is asked.
    """

    demand: int
    precision: str
    need_bytes: int
    step_seconds: float | None = None
    most_seconds: float | None = None


@dataclass(frozen=True)
class Shared:
    """What may share a device of one kind. `rooms[k - 1]`: bytes that k processes may fill for certain."""

    members: Sequence[Member]
    rooms: Sequence[int]


@dataclass(frozen=True, order=True)
class Pattern:
    """Replicas on one device of `gpu`: positions in its members, in ascending order."""

    gpu: str
    members: tuple[int, ...]


@dataclass(frozen=True)
class Limits:
    """What a plan may cost and draw, None without end."""

    budget_usd: float | None = None
    watts: float | None = None


@dataclass(frozen=True)
class Problem:
    """`needs`: how many replicas of each demand there must be. `shared`: by device, empty where each has its own."""

    offers: Sequence[Offer]
    placements: Sequence[Placement]
    needs: Sequence[int]
    limits: Limits = Limits()
    shared: Mapping[str, Shared] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """`units` by offer, `placed` by placement and offer, `shared` by pattern and offer: positions in the problem.

    What it costs, holds and draws; `watts` is None where an offer's are. `at_least_usd`: no plan is cheaper than this,
    0 where it was not dollars that had to be least; `is_proven` says that nothing costs less than the plan, but for a
    cent a device.
    """

    usd: float
    watts: float | None
    devices: int
    units: dict[int, int] = field(default_factory=dict)
    placed: dict[tuple[int, int], int] = field(default_factory=dict)
    shared: dict[tuple[Pattern, int], int] = field(default_factory=dict)
    at_least_usd: float = 0.0
    is_proven: bool = True


class NotSolved(Exception):
    """Time ran out before there was a plan, or a proof that there is none."""
