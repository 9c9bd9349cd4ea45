"""Which kinds of people may have which seats, and at what cost; each pair judged once."""

from collections.abc import Iterable

from solver.cost import Profile, Seat, fit_terms, left_terms, level_totals
from solver.domain import Policy
from solver.eligibility import Facts, Place, eligible
from solver.planning.nation.census import PersonKind, Slot
from solver.planning.nation.program import FREE, Levels
from solver.planning.rooms import OWN_ROOM

Arcs = tuple[tuple[int, Levels], ...]
"""Slots by number, each with what it costs on every level."""


class Fits:
    """Judges pairs of kinds once each."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.lawful: dict[tuple[Facts, Place], bool] = {}
        self.priced: dict[tuple[Profile, Seat], Levels] = {}

    def allows(self, kind: PersonKind, seat: Seat) -> bool:
        """Whether the rules and the person's own papers allow the seat."""
        if seat.unit in kind.barred or (kind.agreed is not None and seat.unit not in kind.agreed):
            return False
        if kind.kinds is not None and seat.place.kind not in kind.kinds:
            return False
        pair = kind.profile.facts, seat.place
        if pair not in self.lawful:
            self.lawful[pair] = eligible(*pair)
        return self.lawful[pair]

    def companies(
        self, kinds: Iterable[PersonKind], seats: Iterable[Seat], cohort: bool
    ) -> set[str]:
        """The companies of all who may have one of these seats."""
        seats = list(seats)
        return {
            kind.companies[cohort]
            for kind in kinds
            if any(self.allows(kind, seat) for seat in seats)
        }

    def arcs(self, kind: PersonKind, slots: Iterable[tuple[int, Slot]]) -> Arcs:
        """Of these numbered slots those open to a kind; not the one of a resident's own bed."""
        home, found = kind.home, []
        here, own = FREE, None
        if home is not None:
            here = level_totals(left_terms(kind.profile, home.seat, self.policy))
            own = None if home.slot is None else (home.seat, home.cohort, home.slot)
        for number, slot in slots:
            seat, cohort, company = slot
            if company not in (OWN_ROOM, kind.companies[cohort]) or slot == own:
                continue
            if self.allows(kind, seat):
                there = self.price(kind.profile, seat)
                cost = [a - b for a, b in zip(there, here, strict=True)]
                cost[3] += home is not None
                found.append((number, tuple(cost)))
        return tuple(found)

    def price(self, profile: Profile, seat: Seat) -> Levels:
        """What a seat costs somebody, by level."""
        pair = profile, seat
        if pair not in self.priced:
            self.priced[pair] = level_totals(fit_terms(profile, seat, self.policy))
        return self.priced[pair]
