"""Local practice as figures, and what must hold between them before anything is planned by it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from solver.codes import BedKind, Grade, Security

MOST_MOVES = 10**6
"""More than anybody could approve, one by one."""
COST_LIMIT = 10**11
"""The most that all people together may cost on one level: the flow code counts in 64 bits and,
with its own scaling, overflows near ten times that."""

_NOT_NEGATIVE = (
    "wait_weight_per_day",
    "wait_days_cap",
    "max_moves_per_placement",
    "move_budget",
    "distance_weight_per_km",
    "distance_cap_km",
    "stale_weight",
    "restrictiveness_weight",
    "ward_weight",
    "origin_weight",
    "reserve_weight",
    "scarce_weight",
    "care_weight",
    "load_weight",
)
_LONGEST_TURNAROUND = timedelta(days=366)
_MOST_PSC_MONTHS = 12  # Regulations art. 27
_FULL = 10  # tenths of a unit's staffed beds


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A figure of a policy that cannot be: its field (``grade_weights[3]`` for one of several),
    its value, and the way out."""

    field: str
    value: object
    way_out: str


@dataclass(frozen=True, slots=True)
class Policy:
    """Local practice that rules, costs and the planner read; versioned, validated where loaded.

    ``grade_weights``: weight of one unplaced person by grade G0 to G5 (level 1). A grade not
    known counts as ``unknown_grade``, the cautious one; after a cleared screening as
    ``cleared_grade``. ``psc_min_months`` and ``psc_max_months``: whole months in a police-run
    centre before a justice-run one may take over, and at the longest (Regulations art. 27; the
    province's plan may set the first, the law the second). ``turnaround``: from a departure to a
    fit bed. ``contradictions`` says what in it makes no sense.
    """

    version: str = "built-in"
    unknown_grade: Grade = Grade.G3
    cleared_grade: Grade = Grade.G1
    psc_min_months: int = 3
    psc_max_months: int = 12
    grade_weights: tuple[int, int, int, int, int, int] = (10, 12, 20, 40, 80, 400)
    wait_weight_per_day: int = 1
    wait_days_cap: int = 30
    turnaround: timedelta = timedelta(hours=2)
    max_moves_per_placement: int = 2
    move_budget: int = 200
    distance_weight_per_km: int = 1
    distance_cap_km: int = 60
    stale_weight: int = 1
    restrictiveness_weight: int = 3
    ward_weight: int = 2
    origin_weight: int = 20
    reserve_weight: int = 30
    scarce_weight: int = 15
    care_weight: int = 5
    load_weight: int = 1

    def contradictions(self, people: int = 0) -> Iterator[Contradiction]:
        """Every figure that makes no sense, alone or beside the others; none for a sound policy.

        ``people``: of the network it is to plan; their costs together must stay below what the
        planner can count.
        """
        wrong = False
        for found in self._alone():
            wrong = True
            yield found
        if wrong:
            return
        yield from self._beside_each_other()
        field, cost = self._dearest()
        if people * cost > COST_LIMIT:
            value = getattr(self, field)
            yield Contradiction(
                field,
                list(value) if isinstance(value, tuple) else value,
                f"lower it: {people} people at up to {cost} each are more than the planner's "
                f"{COST_LIMIT}",
            )

    def _alone(self) -> Iterator[Contradiction]:
        for grade, weight in enumerate(self.grade_weights):
            if weight < 0:
                yield Contradiction(f"grade_weights[{grade}]", weight, "give 0 or more")
        for name in _NOT_NEGATIVE:
            if getattr(self, name) < 0:
                yield Contradiction(name, getattr(self, name), "give 0 or more")
        for name in ("psc_min_months", "psc_max_months"):
            if not 0 <= getattr(self, name) <= _MOST_PSC_MONTHS:
                way_out = f"give whole months from 0 to {_MOST_PSC_MONTHS}"
                yield Contradiction(name, getattr(self, name), way_out)
        for name in ("move_budget", "max_moves_per_placement"):
            if getattr(self, name) > MOST_MOVES:
                yield Contradiction(name, getattr(self, name), f"give {MOST_MOVES} or less")
        if not timedelta() <= self.turnaround <= _LONGEST_TURNAROUND:
            seconds = self.turnaround.total_seconds()
            yield Contradiction("turnaround", seconds, "give seconds between 0 and one year")

    def _beside_each_other(self) -> Iterator[Contradiction]:
        if self.psc_min_months > self.psc_max_months:
            way_out = f"give no more than psc_max_months, {self.psc_max_months}"
            yield Contradiction("psc_min_months", self.psc_min_months, way_out)
        if self.cleared_grade > self.unknown_grade:
            way_out = (
                f"give no more than unknown_grade, {self.unknown_grade.name}: unknown is graver"
            )
            yield Contradiction("cleared_grade", self.cleared_grade.name, way_out)
        weights = self.grade_weights
        for grade in range(1, len(weights)):
            if weights[grade] < weights[grade - 1]:
                way_out = f"give at least the weight of G{grade - 1}, {weights[grade - 1]}"
                yield Contradiction(f"grade_weights[{grade}]", weights[grade], way_out)
        waited = weights[Grade.G4] + self.wait_weight_per_day * self.wait_days_cap
        if weights[Grade.G5] <= waited:
            way_out = (
                f"give more than {waited}, the weight of G4 after the longest wait that counts: "
                "nobody waits their way past an emergency"
            )
            yield Contradiction(f"grade_weights[{Grade.G5}]", weights[Grade.G5], way_out)

    def _dearest(self) -> tuple[str, int]:
        """The most one person can cost on any level, and the field with the largest part in it."""
        levels = (
            {
                "grade_weights": max(self.grade_weights),
                "wait_weight_per_day": self.wait_weight_per_day * self.wait_days_cap,
            },
            {
                "restrictiveness_weight": self.restrictiveness_weight * max(Security),
                "ward_weight": self.ward_weight,
                "stale_weight": self.stale_weight,
            },
            {
                "origin_weight": self.origin_weight,
                "distance_weight_per_km": self.distance_weight_per_km * self.distance_cap_km,
                "reserve_weight": self.reserve_weight,
                "scarce_weight": self.scarce_weight * (len(BedKind) + 1),
                "care_weight": self.care_weight * max(Grade),
                "load_weight": self.load_weight * _FULL,
            },
        )
        parts = max(levels, key=lambda it: sum(it.values()))
        return max(parts, key=lambda it: parts[it]), sum(parts.values())
