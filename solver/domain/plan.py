"""A plan over a network: moves in an order that works, who stays unplaced, what it is worth."""

from dataclasses import dataclass
from datetime import datetime

from solver.codes import MoveReason, PlanStatus


@dataclass(frozen=True, slots=True)
class Move:
    """One proposed move: a waiting person to a bed, or a resident to another bed.

    ``after``: ids of the moves that must have happened before this one. ``ready_at``: the first
    instant the bed can be fit, turnaround included. ``displaced_for``: the request this resident
    makes room for.
    """

    id: str
    person: str
    from_bed: str | None
    to_bed: str
    request: str | None
    reason: MoveReason
    after: tuple[str, ...] = ()
    ready_at: datetime | None = None
    displaced_for: str | None = None
    terms: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A waiting request the plan gives no bed, with how many beds each rule or relation removed."""

    request: str
    by_rule: tuple[tuple[str, int], ...]
    expected_free: datetime | None = None


@dataclass(frozen=True, slots=True)
class LevelResult:
    """The named plan's price at one cost level against the proven lower bound of that level."""

    level: int
    value: int
    bound: float

    @property
    def gap(self) -> float:
        """Relative gap, 0.0 when proven; against 1 when the value is 0."""
        return max(0.0, (self.value - self.bound) / max(1.0, abs(float(self.value))))


@dataclass(frozen=True, slots=True)
class Plan:
    """Moves in an order that works, who stays unplaced, and what each level is worth.

    ``impossible``: chains of moves that only a free bed would allow, named by person.
    """

    moves: tuple[Move, ...]
    unplaced: tuple[Unplaced, ...]
    levels: tuple[LevelResult, ...]
    status: PlanStatus
    seed: int
    impossible: tuple[tuple[str, ...], ...] = ()
