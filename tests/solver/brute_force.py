"""The planner's judge on tiny networks: every assignment, every order, priced and checked.

Slow and plain on purpose, and built on the checker and the price alone: nothing of the planner is
used. A plan found here counts only on departures it needs, so its reasons are honest ones.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import permutations, product

from solver.check import (
    claimants,
    fit_for_claim,
    immovable,
    occupant,
    room_relations,
    violations,
)
from solver.codes import MoveReason, PlanStatus
from solver.cost import LEVELS, level_totals, misplaced_weight, move_terms, price, profile
from solver.domain import LevelResult, Move, Network, Plan, Unplaced
from solver.eligibility import eligible, place


def best_levels(network: Network) -> tuple[int, ...]:
    """The lexicographically least levels any clean plan of the network reaches."""
    return min_plan(network)[0]


def min_plan(network: Network) -> tuple[tuple[int, ...], Plan]:
    """The cheapest clean plan and its levels."""
    priced = _priced(network)
    priced.sort(key=lambda it: (it[0], sorted(it[1].items())))
    return _first_clean(network, priced)


def least_given(network: Network, values: Sequence[int]) -> tuple[int, ...]:
    """By level, the least any clean plan costs there that costs no more than ``values`` at each
    level above: what an honest bound of a plan worth ``values`` never exceeds."""
    priced = _priced(network)
    found = []
    for level in range(LEVELS):
        able = [it for it in priced if all(it[0][i] <= values[i] for i in range(level))]
        able.sort(key=lambda it: (it[0][level], sorted(it[1].items())))
        found.append(_first_clean(network, able)[0][level])
    return tuple(found)


def fewest_changes(network: Network, last: Plan) -> int:
    """Of all clean plans of the best value, how little one can differ from the last plan: people
    who get another bed than in it, or none, or one only now."""
    priced = _priced(network)
    best = best_levels(network)
    wished = {it.person: it.to_bed for it in last.moves}

    def differs(targets: dict[str, str]) -> int:
        people = {*network.request_of, *network.stay_of}
        return sum(targets.get(it) != wished.get(it) for it in people)

    equal = [it for it in priced if it[0] == best]
    equal.sort(key=lambda it: (differs(it[1]), sorted(it[1].items())))
    _, plan = _first_clean(network, equal)
    return differs({it.person: it.to_bed for it in plan.moves})


def _priced(network: Network) -> list[tuple[tuple[int, ...], dict[str, str]]]:
    """Everybody in every bed that may take them, each bed given once, and what that is worth."""
    people = sorted({*network.request_of, *network.stay_of})
    choices = []
    for person in people:
        stay = network.stay_of.get(person)
        here = None if stay is None else stay.bed
        who = profile(network, person).facts
        lawful = [
            bed
            for bed in sorted(network.beds)
            if bed != here and _open_to(network, person, bed) and eligible(who, place(network, bed))
        ]
        choices.append([None, *lawful])
    priced = []
    for targets in product(*choices):
        taken = [bed for bed in targets if bed is not None]
        if len(taken) == len(set(taken)):
            moves = dict(zip(people, targets, strict=True))
            targets_of = {who: bed for who, bed in moves.items() if bed is not None}
            priced.append((price(network, _bare(network, targets_of)).levels, targets_of))
    return priced


def _open_to(network: Network, person: str, bed: str) -> bool:
    """Whether a plan may make the move, looking at the person and the place as they are now. Who
    is promised a bed is not named, so their room takes only such as everybody in it."""
    stay = network.stay_of.get(person)
    if stay is not None and immovable(network, stay, network.unit_of(bed)):
        return False
    room = network.rooms[network.beds[bed].room]
    around = network.beds_of_room[room.id]
    if any(network.beds[it].promised for it in around) and len(around) > 1:
        there = claimants(network, room.id).values()
        mates = [occupant(network.persons[it]) for it in there if it != person]
        if not there or room_relations(occupant(network.persons[person]), mates, room.cohort):
            return False
    return fit_for_claim(network, bed, person) is None


def _first_clean(
    network: Network, priced: Iterable[tuple[tuple[int, ...], dict[str, str]]]
) -> tuple[tuple[int, ...], Plan]:
    for levels, targets_of in priced:
        for plan in _plans(network, targets_of):
            if not violations(network, plan):
                return levels, plan
    raise AssertionError("doing nothing is always a clean plan")


def _bare(network: Network, targets: dict[str, str]) -> Plan:
    moves = tuple(_move(network, i, person, bed) for i, (person, bed) in enumerate(targets.items()))
    return Plan(moves, (), (), PlanStatus.OPTIMAL, 0)


def _move(network: Network, number: int, person: str, bed: str) -> Move:
    stay = network.stay_of.get(person)
    request = network.request_of.get(person)
    here = None if stay is None else stay.bed
    return Move(
        id=f"m{number}",
        person=person,
        from_bed=here,
        to_bed=bed,
        request=None if request is None else request.id,
        reason=MoveReason.PLACE_WAITING,
        terms=move_terms(network, person, here, bed),
    )


def _plans(network: Network, targets: dict[str, str]) -> Iterator[Plan]:
    for order in permutations(sorted(targets)):
        moves = _timed(network, order, targets)
        if moves is None:
            continue
        for reasons in product(*(_reasons(network, move, moves) for move in moves)):
            reasoned = tuple(
                replace(move, reason=reason, displaced_for=request)
                for move, (reason, request) in zip(moves, reasons, strict=True)
            )
            placed = {move.request for move in moves}
            unplaced = tuple(Unplaced(it.id, ()) for it in network.requests if it.id not in placed)
            plan = Plan(reasoned, unplaced, (), PlanStatus.OPTIMAL, 0)
            values = price(network, plan).levels
            results = tuple(LevelResult(i, values[i], float(values[i])) for i in range(LEVELS))
            yield replace(plan, levels=results)


def _timed(network: Network, order: tuple[str, ...], targets: dict[str, str]) -> list[Move] | None:
    """The moves in this order with the departures each one needs; None when one cannot go."""
    moves: dict[str, Move] = {}
    for number, person in enumerate(order):
        move = _move(network, number, person, targets[person])
        room = network.beds[move.to_bed].room
        needed: list[str] = []
        ready: datetime = network.now
        me = occupant(network.persons[person])
        for bed, other in claimants(network, room).items():
            mate = occupant(network.persons[other])
            apart = room_relations(me, [mate], network.rooms[room].cohort)
            if other == person or not (bed == move.to_bed or apart):
                continue
            if other not in moves or moves[other].from_bed != bed:
                return None
            needed.append(other)
        short = _staff_short(network, move, moves, targets)
        leaving = [it for it in _leavers(network, move, moves) if it not in needed]
        already = len(_leavers(network, move, moves)) - len(leaving)
        if short - already > len(leaving):
            return None
        needed += leaving[: max(0, short - already)]
        for other in needed:
            left = moves[other].ready_at
            assert left is not None
            ready = max(ready, left + network.policy.turnaround)
        after = tuple(sorted(moves[it].id for it in needed))
        moves[person] = replace(move, after=after, ready_at=ready)
    return list(moves.values())


def _unit(network: Network, bed: str | None) -> str | None:
    return None if bed is None else network.unit_of(bed).id


def _staff_short(
    network: Network, move: Move, moves: dict[str, Move], targets: dict[str, str]
) -> int:
    unit = _unit(network, move.to_bed)
    assert unit is not None
    if _unit(network, move.from_bed) == unit:
        return 0
    arrived = sum(
        _unit(network, it.to_bed) == unit != _unit(network, it.from_bed) for it in moves.values()
    )
    people = network.people_in_unit[unit] + arrived + 1
    reserve = network.units[unit].reserve
    if not reserve or _emergency(network, move.person):
        return max(0, people - network.staffed_beds[unit])
    people += sum(
        _unit(network, bed) == unit and _emergency(network, person)
        for person, bed in targets.items()
        if person not in moves
    )
    return max(0, people + reserve - network.staffed_beds[unit])


def _emergency(network: Network, person: str) -> bool:
    return person in network.request_of and network.request_of[person].emergency


def _leavers(network: Network, move: Move, moves: dict[str, Move]) -> list[str]:
    unit = _unit(network, move.to_bed)
    return [
        person
        for person, it in moves.items()
        if _unit(network, it.from_bed) == unit != _unit(network, it.to_bed)
    ]


def _reasons(
    network: Network, move: Move, moves: list[Move]
) -> list[tuple[MoveReason, str | None]]:
    """The reasons this move may honestly have; for a helper, one for each who may count on it."""
    if move.request is not None:
        return [(MoveReason.PLACE_WAITING, None)]
    if misplaced_weight(network, network.stay_of[move.person]):
        return [(MoveReason.RIGHT_A_MISPLACED, None)]
    if level_totals(move.terms)[2] < 0:
        return [(MoveReason.STEP_DOWN, None)]
    requests = [it.request for it in moves if it.request is not None]
    return [(MoveReason.MAKE_ROOM, request) for request in (*requests, None)]
