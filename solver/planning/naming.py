"""From flows to named people and the beds they may get, and when each bed can be had."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from solver.domain import Move, Network, Plan
from solver.planning.levels import Solution
from solver.planning.model import SLOT_ARC, Model, Slot
from solver.planning.rooms import RoomState, Use, company


@dataclass(frozen=True, slots=True)
class Mover:
    """One person the solution gives a new seat. ``gain``: they may move for their own sake
    (waiting, misplaced, or a step down); otherwise only to make room. ``wish``: the bed the last
    plan gave them, ``place``: when they moved in it."""

    person: str
    slot: int
    arc: int
    from_bed: str | None
    waiting: bool
    urgent: bool
    weight: tuple[int, int]
    gain: bool
    wish: str | None = None
    place: int = 0


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


def name_people(
    network: Network, model: Model, solution: Solution, previous: Plan | None = None
) -> Naming:
    """Name the people behind the flows and the beds behind the slots; like people in the order
    they are served, like rooms as the last plan used them, else rooms and beds by id."""
    last = {} if previous is None else {it.person: (i, it) for i, it in enumerate(previous.moves)}
    movers = tuple(_movers(network, model, solution, last))
    leaving = {it.person for it in movers if it.from_bed is not None}
    index = {slot: i for i, slot in enumerate(model.slots)}
    chances: list[BedChance] = []
    for state, use in _used(model, solution, _last_use(network, last)):
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


def _movers(
    network: Network, model: Model, solution: Solution, last: Mapping[str, tuple[int, Move]]
) -> Iterator[Mover]:
    left = {i: list(it.people) for i, it in enumerate(model.classes)}
    for arc in np.flatnonzero((model.meaning == SLOT_ARC) & (solution.flow > 0)):
        owner = int(model.owner[arc])
        alike = model.classes[owner]
        for _ in range(int(solution.flow[arc])):
            person = left[owner].pop(0)
            stay = network.stay_of.get(person)
            request = network.request_of.get(person)
            place, before = last.get(person, (len(last), None))
            yield Mover(
                person,
                int(model.target[arc]),
                int(arc),
                None if stay is None else stay.bed,
                alike.waiting,
                request is not None and request.emergency,
                alike.remain,
                not alike.helper or int(model.cost[2, arc]) < 0,
                None if before is None else before.to_bed,
                place,
            )


def _last_use(network: Network, last: Mapping[str, tuple[int, Move]]) -> dict[str, str]:
    """Whose company each room was given newcomers of in the last plan."""
    found = {}
    for person, (_, move) in last.items():
        if move.to_bed in network.beds and person in network.persons:
            room = network.rooms[network.beds[move.to_bed].room]
            found[room.id] = company(network.persons[person], room.cohort)
    return found


def _used(
    model: Model, solution: Solution, last_use: Mapping[str, str]
) -> Iterator[tuple[RoomState, Use]]:
    """Each room with the use the solution gives it."""
    yield from model.closed
    wanted: dict[int, list[int]] = defaultdict(list)
    for column, count in enumerate(solution.use):
        wanted[int(model.use_type[column])] += [int(model.use_number[column])] * int(count)
    for number, kind in enumerate(model.types):
        left = sorted(wanted[number], reverse=True)
        rest = []
        for i, state in enumerate(kind.states):
            again = [it for it in left if kind.uses[i][it].company == last_use.get(state.room)]
            if again:
                left.remove(again[0])
                yield state, kind.uses[i][again[0]]
            else:
                rest.append(i)
        for i, use in zip(rest, left, strict=False):
            yield kind.states[i], kind.uses[i][use]
