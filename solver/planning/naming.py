"""From flows to named people and the beds they may get, and when each bed can be had."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from solver.domain import Network
from solver.planning.levels import Solution
from solver.planning.model import SLOT_ARC, Model, Slot
from solver.planning.rooms import RoomState, Use


@dataclass(frozen=True, slots=True)
class Mover:
    """One person the solution gives a new seat. ``gain``: they may move for their own sake
    (waiting, misplaced, or a step down); otherwise only to make room."""

    person: str
    slot: int
    arc: int
    from_bed: str | None
    waiting: bool
    urgent: bool
    weight: tuple[int, int]
    gain: bool


@dataclass(frozen=True, slots=True)
class BedChance:
    """A bed of a slot somebody will get. ``vacated_by``: the resident who leaves it. ``waits``:
    every resident who must have left before anybody new may come."""

    bed: str
    slot: int
    vacated_by: str | None
    waits: frozenset[str]


@dataclass(frozen=True, slots=True)
class Naming:
    """Who moves, and the beds there are for them."""

    movers: tuple[Mover, ...]
    chances: tuple[BedChance, ...]


def name_people(network: Network, model: Model, solution: Solution) -> Naming:
    """Name the people behind the flows and the beds behind the slots; like people in the order
    they are served, like rooms and beds by id."""
    movers = tuple(_movers(network, model, solution))
    leaving = {it.person for it in movers if it.from_bed is not None}
    index = {slot: i for i, slot in enumerate(model.slots)}
    chances: list[BedChance] = []
    for state, use in _used(model, solution):
        must_leave = frozenset(state.loose) - use.stay
        for bed in use.beds:
            stay = network.stay_in_bed.get(bed)
            if stay is not None and stay.person not in leaving:
                continue
            vacated_by = None if stay is None else stay.person
            slot = index[Slot(model.seat_of_bed[bed], state.cohort, use.company)]
            own = frozenset() if vacated_by is None else frozenset({vacated_by})
            chances.append(BedChance(bed, slot, vacated_by, must_leave | own))
    return Naming(movers, tuple(sorted(chances, key=lambda it: it.bed)))


def _movers(network: Network, model: Model, solution: Solution) -> Iterator[Mover]:
    left = {i: list(it.people) for i, it in enumerate(model.classes)}
    for arc in np.flatnonzero((model.meaning == SLOT_ARC) & (solution.flow > 0)):
        owner = int(model.owner[arc])
        alike = model.classes[owner]
        for _ in range(int(solution.flow[arc])):
            person = left[owner].pop(0)
            stay = network.stay_of.get(person)
            request = network.request_of.get(person)
            yield Mover(
                person,
                int(model.target[arc]),
                int(arc),
                None if stay is None else stay.bed,
                alike.waiting,
                request is not None and request.emergency,
                alike.remain,
                not alike.helper or int(model.cost[2, arc]) < 0,
            )


def _used(model: Model, solution: Solution) -> Iterator[tuple[RoomState, Use]]:
    """Each room with the use the solution gives it."""
    yield from model.closed
    wanted: dict[int, list[int]] = defaultdict(list)
    for column, count in enumerate(solution.use):
        wanted[int(model.use_type[column])] += [int(model.use_number[column])] * int(count)
    for number, kind in enumerate(model.types):
        for i, use in enumerate(sorted(wanted[number], reverse=True)):
            if kind.states:
                yield kind.states[i], kind.uses[i][use]
