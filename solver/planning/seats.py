"""Beds as the model sees them, who may be seated where, and what it costs, as whole matrices."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

from solver.cost import LEVELS, TERMS, Profile, Seat, Term, seat
from solver.domain import Network, Policy
from solver.eligibility.matrix import Projection, lawful, spread
from solver.planning.engine import Flags, Ints


class Seats:
    """The distinct seats of a network's beds, numbered as they are met."""

    def __init__(self, network: Network, beds: Iterable[str]) -> None:
        self.network = network
        self.all: list[Seat] = []
        self.of_bed: dict[str, int] = {}
        self._known: dict[Seat, int] = {}
        self._alike: dict[tuple[object, ...], int] = {}
        for bed in beds:
            self.add(bed)

    def add(self, bed_id: str) -> None:
        """Number one more bed's seat."""
        if bed_id in self.of_bed:
            return
        bed = self.network.beds[bed_id]
        room = self.network.rooms[bed.room]
        single = len(self.network.beds_of_room[room.id]) == 1
        alike = (room.unit, room.sex, room.isolation, single, bed.kind, bed.features, bed.stale)
        number = self._alike.get(alike)
        if number is None:
            it = seat(self.network, bed_id)
            number = self._known.setdefault(it, len(self.all))
            self._alike[alike] = number
            if number == len(self.all):
                self.all.append(it)
        self.of_bed[bed_id] = number

    def fit(self, profiles: Sequence[Profile]) -> Flags:
        """Which profile no rule about one person and one place refuses at which seat."""
        people, who = _distinct([it.facts for it in profiles])
        places, where = _distinct([it.place for it in self.all])
        return lawful(people, places)[np.ix_(who, where)]

    def costs(self, profiles: Sequence[Profile]) -> Ints:
        """What each profile costs in each seat, by level: shape (levels, profiles, seats)."""
        found = np.zeros((LEVELS, len(profiles), len(self.all)), dtype=np.int64)
        left, right = Projection(profiles), Projection(self.all)
        for term in TERMS:
            if term.count is not None:
                found[term.level] += _term(
                    term, left, right, profiles, self.all, self.network.policy
                )
        return found


T = TypeVar("T")


def _term(
    term: Term,
    left: Projection,
    right: Projection,
    profiles: Sequence[Profile],
    seats: Sequence[Seat],
    policy: Policy,
) -> Ints:
    count = term.count
    assert count is not None
    who = [it.replace("person.", "facts.") for it in term.reads if it.startswith("person.")]
    who += [it.removeprefix("profile.") for it in term.reads if it.startswith("profile.")]
    where = [it for it in term.reads if it.startswith("place.")]
    where += [it.removeprefix("seat.") for it in term.reads if it.startswith("seat.")]
    return spread(left, right, (who, where), lambda i, j: count(profiles[i], seats[j], policy))


def _distinct(values: Sequence[T]) -> tuple[list[T], Ints]:
    number: dict[T, int] = {}
    of = np.array([number.setdefault(it, len(number)) for it in values], dtype=np.int64)
    return list(number), of
