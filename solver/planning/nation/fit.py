"""Level 4's bound: each region's own fit, with prices on what it takes from and gives to others.

The levels above and the beds that cross between regions tie the regions together. Both are
given prices instead: so much for a unit of a level above the plan's value, so much for a bed of a
kind elsewhere, paid by whoever goes there and earned by whoever gives it. For any prices the sum
of the regions' optima, less the price of the plan's values, is a lower bound (Lagrangian
relaxation, Geoffrion 1974); good prices make it a near one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import hypot

from solver.cost import LEVELS, Profile, Seat, left_terms, level_totals
from solver.domain import Network, Policy
from solver.eligibility import Facts
from solver.eligibility.facts import ADULT_AGE
from solver.planning.engine import TOLERANCE
from solver.planning.nation.census import Census, PersonKind, Slot
from solver.planning.nation.fits import Arcs, Fits
from solver.planning.nation.pooled import Pooled
from solver.planning.nation.program import LeveledProgram, Levels

UPPER = LEVELS - 1
SLACK = 0.002
"""How far above the plan's values the levels above are let go to see what a unit of them is
worth to level 4: at their optimum every price is right."""

Like = tuple[Slot, bool]
"""Like beds of all regions, for emergencies or for others."""


@dataclass(frozen=True)
class Prices:
    """``levels``: of a unit of levels 0 to 3; ``beds``: of a bed elsewhere, by kind."""

    levels: tuple[float, ...]
    beds: Mapping[Like, float]


class Region(Pooled):
    """One region with homes, that takes beds elsewhere (``taken``) and gives its own (``given``);
    both as (column, like)."""

    def __init__(
        self, census: Census, unit_kind: Mapping[str, str], policy: Policy, away: "Away"
    ) -> None:
        self.kind_of_unit, self.away = unit_kind, away
        self.taken: list[tuple[int, Like]] = []
        self.given: list[tuple[int, Like]] = []
        self._known: set[tuple[int, int, Levels]] = set()
        super().__init__([census], {it.unit: it.unit for it in census.staff}, policy)

    def _pools(self) -> None:
        super()._pools()
        for slot, number in self.slots.items():
            unit = slot[0].unit
            total, others = self.staff_row[unit]
            like = like_of(slot, self.kind_of_unit)
            for urgent in (False, True):
                more = above_empty(self.fits, slot[0], urgent)
                column = self.column(float("inf"), (0, 0, 0, 0, more))
                self.given.append((column, (like, urgent)))
                for row in (self.slot_row[number], total, *(() if urgent else (others,))):
                    self.put(row, column, 1.0)
                if not urgent and unit in self.shut_row:
                    self.put(self.shut_row[unit], column, 1.0)

    def _take(self, row: int, many: float, kind: PersonKind, here: Levels) -> list[int]:
        found = []
        for number, cost in self.away.beds(kind, here):
            if (row, number, cost) not in self._known:
                self._known.add((row, number, cost))
                found.append(self.column(many, cost))
                like = self.away.likes[number], kind.profile.facts.emergency
                self.taken.append((found[-1], like))
                self.put(row, found[-1], 1.0)
        return found

    def _waiting(self, kind: PersonKind, many: int) -> None:
        super()._waiting(kind, many)
        row = self.bundles[self._open(kind), kind.profile.facts.emergency]
        self._take(row, float("inf"), kind, (0,) * LEVELS)

    def _resident(self, region: int, kind: PersonKind, many: int) -> None:
        row, home = len(self.limit), kind.home
        super()._resident(region, kind, many)
        assert home is not None
        here = level_totals(left_terms(kind.profile, home.seat, self.fits.policy))
        for column in self._take(row, many, kind, here):
            self.put(self.budget_row, column, 1.0)
            for at in self.staff_row[home.seat.unit]:
                self.put(at, column, -1.0)


def above_empty(fits: Fits, seat: Seat, urgent: bool) -> int:
    """What a bed costs at level 4 above one of its kind whose unit is empty: its reserve and how
    full the unit is."""
    anybody = Profile(Facts(None, ADULT_AGE, emergency=urgent))
    empty = replace(seat, load=0, in_reserve=False)
    return fits.price(anybody, seat)[4] - fits.price(anybody, empty)[4]


def like_of(slot: Slot, unit_kind: Mapping[str, str]) -> Slot:
    """The slot among like ones of all regions."""
    seat = slot[0]
    kind = Seat(seat.place, unit_kind[seat.unit], "", security=seat.security, stale=seat.stale)
    return kind, slot[1], slot[2]


@dataclass
class Away:
    """Beds of all kinds at the nearest they can be to somebody of this region."""

    likes: Sequence[Slot]
    own_units: frozenset[str]
    elsewhere: Sequence[tuple[float, float]]
    fits: Fits
    unit_kind: Mapping[str, str]
    known: dict[PersonKind, Arcs] = field(default_factory=dict)

    def beds(self, kind: PersonKind, here: Levels) -> list[tuple[int, Levels]]:
        """The kinds of beds elsewhere open to somebody, by number, with their cost by level."""
        agreed = kind.agreed
        if agreed is not None:
            agreed = frozenset(self.unit_kind[it] for it in agreed if it in self.unit_kind)
        plain = replace(
            kind,
            profile=Profile(kind.profile.facts),
            home=None,
            agreed=agreed,
            barred=frozenset(),
            remain=(0, 0),
            waiting=True,
        )
        if plain not in self.known:
            self.known[plain] = self.fits.arcs(plain, enumerate(self.likes))
        far, found = self._far(kind.profile, self.fits.policy), []
        for number, cost in self.known[plain]:
            levels = [a - b for a, b in zip(cost, here, strict=True)]
            levels[3] += kind.home is not None
            levels[4] += far
            found.append((number, tuple(levels)))
        return found

    def _far(self, profile: Profile, policy: Policy) -> int:
        """What home and origin cost at least elsewhere."""
        cost = 0
        if profile.home is not None:
            east, north = profile.home
            km = min((hypot(east - x, north - y) for x, y in self.elsewhere), default=0.0)
            cost += policy.distance_weight_per_km * min(round(km), policy.distance_cap_km)
        if profile.origin_unit in self.own_units:
            cost += policy.origin_weight
        return cost


def marginal(parts: Sequence[Region], values: Sequence[int]) -> Prices:
    """What a unit of the levels above and a bed elsewhere of each kind are worth to level 4 in
    these regions, whose plans together have these values; no price where there is no answer."""
    whole = LeveledProgram()
    rows: dict[Like, int] = {}
    constants = [0] * UPPER
    for part in parts:
        first = whole.append(part)
        constants = [a + part.constant(i) for i, a in enumerate(constants)]
        for sign, crossing in ((1.0, part.taken), (-1.0, part.given)):
            for column, like in crossing:
                if like not in rows:
                    rows[like] = whole.row(0.0)
                whole.put(rows[like], first + column, sign)
    limits = [
        (whole.level_cost(i), values[i] - constants[i] + max(1.0, SLACK * abs(values[i])))
        for i in range(UPPER)
    ]
    point = whole.solve(whole.level_cost(UPPER), limits)
    prices = point.prices
    if prices is None:
        return Prices((0.0,) * UPPER, {})
    levels = tuple(max(0.0, -float(it)) for it in prices[len(whole.limit) :])
    return Prices(levels, {like: max(0.0, -float(prices[row])) for like, row in rows.items()})


def priced(program: Region, prices: Prices) -> float:
    """The least a region can cost at these prices."""
    cost = program.level_cost(UPPER)
    for level, price in enumerate(prices.levels):
        cost = cost + price * program.level_cost(level)
    for sign, crossing in ((1.0, program.taken), (-1.0, program.given)):
        for column, like in crossing:
            cost[column] += sign * prices.beds.get(like, 0.0)
    constant = sum(price * program.constant(i) for i, price in enumerate(prices.levels))
    return program.solve(cost).bound + constant - TOLERANCE


def elsewhere(network: Network, own: Sequence[str]) -> list[tuple[float, float]]:
    """Where the places of all other regions are."""
    mine = frozenset(own)
    return [
        it.position
        for it in sorted(network.facilities.values(), key=lambda it: it.id)
        if it.id not in mine and not it.external
    ]
