"""The judge of every plan: walks its moves and recounts everything from the network alone.

A move may count on a departure (for its bed, its room's company or its unit's staff) only when
that departure is among its ``after``, directly for the bed itself, directly or through others
for room and unit. So the plan stays sound whichever moves are approved first, and when one is
rejected with all that hang on it. What is already wrong in the network is not the plan's fault;
whoever the plan puts into it is.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from solver.check.rooms import (
    Violation,
    claimants,
    fit_for_claim,
    occupant,
    reserve_violation,
    room_relations,
    room_violation,
    unit_violation,
)
from solver.codes import CONSENSUAL_BASES, Isolation, MoveReason, Relation
from solver.cost import LEVELS, level_totals, move_terms, price, profile
from solver.domain import Move, Network, Plan, Stay, Unit
from solver.eligibility import misplaced, place, refusals, transition_allowed

_ROUTES = frozenset({Isolation.CONTACT, Isolation.DROPLET, Isolation.AIRBORNE})


@dataclass
class _Walk:
    """What is known on the way through a plan's moves. Sets of moves are bits by their number in
    the plan, so that a long chain is not copied over and over.

    ``before``: the moves walked past, in order. ``behind``: for each the moves that must have
    happened before it, directly or through others. ``given``: how often each bed was given out.
    ``into_room``: who came into each room. ``out_of_room`` and ``out_of_unit``: the moves out of
    each; only the latter leaves out moves within. ``arrived``: how many came into each unit from
    outside it. ``urgent``: how many emergencies are still to come into it.
    """

    network: Network
    moves: tuple[Move, ...]
    before: dict[str, Move] = field(default_factory=dict)
    behind: dict[str, int] = field(default_factory=dict)
    given: Counter[str] = field(default_factory=Counter)
    into_room: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    out_of_room: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    out_of_unit: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    arrived: Counter[str] = field(default_factory=Counter)
    urgent: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.by_person = {move.person: move for move in self.moves}
        self.bit = {move.id: 1 << i for i, move in enumerate(self.moves)}
        for move in self.moves:
            here, there = self.unit(move.from_bed), self.unit(move.to_bed)
            if move.from_bed is not None:
                self.out_of_room[self.network.beds[move.from_bed].room] |= self.bit[move.id]
            if here != there:
                self.out_of_unit[here] |= self.bit[move.id]
                self.urgent[there] += _emergency(self.network, move)

    def unit(self, bed: str | None) -> str:
        """The unit of a bed; no unit's id for no bed."""
        return "" if bed is None else self.network.rooms[self.network.beds[bed].room].unit

    def left(self, move: Move, room: str) -> set[str | None]:
        """The beds of a room that somebody has left before this move."""
        found: set[str | None] = set()
        there = self.behind[move.id] & self.out_of_room[room]
        while there:
            found.add(self.moves[there.bit_length() - 1].from_bed)
            there &= ~(1 << there.bit_length() - 1)
        return found

    def add(self, move: Move) -> None:
        """Walk past a move."""
        behind = 0
        for it in move.after:
            if it in self.before:
                behind |= self.bit[it] | self.behind[it]
        self.behind[move.id] = behind
        self.before[move.id] = move
        self.given[move.to_bed] += 1
        self.into_room[self.network.beds[move.to_bed].room].append(move.person)
        unit = self.unit(move.to_bed)
        if self.unit(move.from_bed) != unit:
            self.arrived[unit] += 1
            self.urgent[unit] -= _emergency(self.network, move)


def violations(network: Network, plan: Plan) -> tuple[Violation, ...]:
    """Every violation of a plan; empty for a plan that may be shown. See the module's words for
    what a move may count on. Unknown ids are violations too, and end the judgement early."""
    broken = tuple(_unknown(network, plan))
    if broken:
        return broken
    walk = _Walk(network, plan.moves)
    found: list[Violation] = []
    for move in plan.moves:
        found += _order(walk, move)
        walk.add(move)
        found += _right(network, move)
        found += _destination(walk, move)
        found += _company(walk, move)
        found += _staff(walk, move)
    found += _reasons(walk)
    found += _budget(walk)
    found += _every_request(network, plan)
    found += _price(network, plan)
    return tuple(found)


def immovable(network: Network, stay: Stay, unit: Unit) -> tuple[str, ...]:
    """Why this resident may not be moved to a bed of this unit; empty when they may be.

    Movable is only whom nothing pins, whom a doctor's unexpired statement supports for that kind
    of unit, along an allowed transition, and a consenting patient only to a place agreed to.
    """
    reasons = []
    here = network.unit_of(stay.bed)
    if stay.pinned:
        reasons.append("a started transfer, an accepted hold or a movement stop stands")
    if stay.on_leave:
        reasons.append("the person is on leave")
    if unit.kind not in stay.may_move_to:
        reasons.append(f"no doctor's statement supports a move to {unit.kind.value}")
    if not transition_allowed(here.kind, unit.kind):
        reasons.append(f"a move from {here.kind.value} to {unit.kind.value} is no transfer")
    agreed = stay.agreed_units
    if agreed is None:
        if network.persons[stay.person].basis in CONSENSUAL_BASES:
            reasons.append("the patient has agreed to no other unit")
    elif unit.id not in agreed:
        reasons.append(f"the patient has not agreed to unit {unit.id}")
    return tuple(reasons)


def _unknown(network: Network, plan: Plan) -> Iterator[Violation]:
    """Ids the network does not have, and moves that cannot be told apart."""
    for move in plan.moves:
        subject = (move.id,)
        for bed in (move.from_bed, move.to_bed):
            if bed is not None and bed not in network.beds:
                yield Violation(Relation.AVAILABILITY, subject, f"bed {bed} is not in the network")
        if move.person not in network.persons:
            text = f"person {move.person} is not in the network"
            yield Violation(Relation.MOVABILITY, subject, text)
    for move_id, times in Counter(move.id for move in plan.moves).items():
        if times > 1:
            text = f"move id {move_id} is used {times} times"
            yield Violation(Relation.ORDER_OF_MOVES, (move_id,), text)
    for person, times in Counter(move.person for move in plan.moves).items():
        if times > 1:
            text = f"{person} is moved {times} times"
            yield Violation(Relation.MOVABILITY, (person,), text)


def _order(walk: _Walk, move: Move) -> Iterator[Violation]:
    """A move waits only for moves listed before it."""
    for other in move.after:
        if other not in walk.before:
            text = f"move {move.id} waits for {other}, which does not come before it"
            yield Violation(Relation.ORDER_OF_MOVES, (move.id,), text)


def _right(network: Network, move: Move) -> Iterator[Violation]:
    """Whether this person is the plan's to move: waiting with this request, or movable."""
    subject = (move.id, move.person)
    stay = network.stay_of.get(move.person)
    request = None if move.request is None else network.request_by_id.get(move.request)
    if move.from_bed != (stay.bed if stay else None):
        text = f"{move.person} is not where the move starts"
        yield Violation(Relation.MOVABILITY, subject, text)
    if move.request is not None and (request is None or request.person != move.person):
        text = f"request {move.request} is not a waiting request of {move.person}"
        yield Violation(Relation.MOVABILITY, subject, text)
    if move.request is None and stay is None:
        text = f"{move.person} neither waits nor lives in the network"
        yield Violation(Relation.MOVABILITY, subject, text)
    unit = network.unit_of(move.to_bed)
    if stay is not None:
        for text in immovable(network, stay, unit):
            yield Violation(Relation.MOVABILITY, subject, text)
    if request is not None and unit.id in request.declined_units:
        text = f"unit {unit.id} has declined request {request.id}"
        yield Violation(Relation.AVAILABILITY, (move.id, unit.id), text)


def _destination(walk: _Walk, move: Move) -> Iterator[Violation]:
    """Whether the bed itself may take this person when the move's turn comes."""
    network, bed = walk.network, move.to_bed
    for refusal in refusals(profile(network, move.person).facts, place(network, bed)):
        text = f"{refusal.rule}: {refusal.message('en')}"
        yield Violation(Relation.ELIGIBILITY, (move.id, bed, refusal.rule), text)
    unfit = fit_for_claim(network, bed, move.person)
    if unfit is not None:
        yield Violation(Relation.AVAILABILITY, (move.id, bed), unfit)
    if walk.given[bed] > 1:
        yield Violation(Relation.CAPACITY, (move.id, bed), f"bed {bed} is given out twice")
    stay = network.stay_in_bed.get(bed)
    if stay is None:
        return
    leaving = walk.by_person.get(stay.person)
    if leaving is None or leaving.from_bed != bed or leaving.id == move.id:
        yield Violation(Relation.CAPACITY, (move.id, bed), f"bed {bed} is taken")
    elif leaving.id not in move.after:
        text = f"move {move.id} needs bed {bed} vacated by {leaving.id}, which it does not wait for"
        yield Violation(Relation.ORDER_OF_MOVES, (move.id, leaving.id), text)
    else:
        left = leaving.ready_at if leaving.ready_at is not None else network.now
        fit = max(left, network.now) + network.policy.turnaround
        if move.ready_at is None or move.ready_at < fit:
            text = f"bed {bed} cannot be fit before {fit.isoformat()}"
            yield Violation(Relation.ORDER_OF_MOVES, (move.id, bed), text)


def _company(walk: _Walk, move: Move) -> Iterator[Violation]:
    """Whether the people who will have a claim on the room may share it with the newcomer."""
    network = walk.network
    room = network.rooms[network.beds[move.to_bed].room]
    left = walk.left(move, room.id)
    there = claimants(network, room.id)
    others = {who for bed, who in there.items() if bed not in left}
    others.update(walk.into_room[room.id])
    others.discard(move.person)
    mates = [occupant(network.persons[who]) for who in sorted(others)]
    for relation in room_relations(occupant(network.persons[move.person]), mates, room.cohort):
        yield room_violation(relation, move.person, room.id)
    gone = [network.persons[who] for bed, who in there.items() if bed in left]
    if any(person.need.route in _ROUTES for person in gone):
        text = f"room {room.id} needs terminal disinfection before anybody new"
        yield Violation(Relation.AVAILABILITY, (move.id, room.id), text)


def _staff(walk: _Walk, move: Move) -> Iterator[Violation]:
    """Whether the unit's staff can look after one more, and its reserve stays free behind whoever
    is no emergency, in whatever order the plan's emergencies come."""
    network = walk.network
    unit = walk.unit(move.to_bed)
    if walk.unit(move.from_bed) == unit:
        return
    people = network.people_in_unit[unit] + walk.arrived[unit]
    people -= (walk.behind[move.id] & walk.out_of_unit[unit]).bit_count()
    staffed, reserve = network.staffed_beds[unit], network.units[unit].reserve
    if people > staffed:
        yield unit_violation(unit)
        return
    # Whoever is no emergency leaves room for the emergencies still to come.
    kept = 0 if _emergency(network, move) else reserve
    if kept and people + walk.urgent[unit] > staffed - kept:
        yield reserve_violation(unit)


def _emergency(network: Network, move: Move) -> bool:
    request = network.request_of.get(move.person)
    return request is not None and request.emergency


def _reasons(walk: _Walk) -> Iterator[Violation]:
    """A move's reason is true: nobody is moved for a placement that does not need it."""
    network = walk.network
    righted = 0
    placed: dict[str, int] = defaultdict(int)
    for move in walk.before.values():
        if move.request is not None:
            placed[move.request] |= walk.behind[move.id]
        if move.reason is MoveReason.RIGHT_A_MISPLACED:
            righted |= walk.behind[move.id]
    for move in walk.before.values():
        if move.reason is MoveReason.PLACE_WAITING:
            true = move.request is not None
        elif move.request is not None or move.from_bed is None:
            true = False
        elif move.reason is MoveReason.RIGHT_A_MISPLACED:
            who = profile(network, move.person).facts
            true = bool(misplaced(who, place(network, move.from_bed)))
        elif move.reason is MoveReason.STEP_DOWN:
            true = level_totals(_terms(network, move))[2] < 0
        elif move.displaced_for is not None:
            true = bool(placed[move.displaced_for] & walk.bit[move.id])
        else:
            true = bool(righted & walk.bit[move.id])
        if not true or (move.displaced_for is not None and move.reason is not MoveReason.MAKE_ROOM):
            text = f"the reason {move.reason.value} of move {move.id} does not hold"
            yield Violation(Relation.MOVABILITY, (move.id,), text)


def _budget(walk: _Walk) -> Iterator[Violation]:
    """At most so many resident moves in all, and so many for one placement."""
    policy = walk.network.policy
    moves = walk.before.values()
    residents = sum(move.from_bed is not None for move in moves)
    if residents > policy.move_budget:
        text = f"{residents} residents are moved, the budget is {policy.move_budget}"
        yield Violation(Relation.MOVABILITY, (), text)
    rooms = [move for move in moves if move.reason is MoveReason.MAKE_ROOM]
    behind = Counter(move.displaced_for for move in rooms if move.displaced_for is not None)
    unnamed = sum(walk.bit[move.id] for move in rooms if move.displaced_for is None)
    for move in moves:
        if move.reason is MoveReason.RIGHT_A_MISPLACED:
            behind[move.id] = (walk.behind[move.id] & unnamed).bit_count()
    for subject, times in sorted(behind.items()):
        if times > policy.max_moves_per_placement:
            text = f"{times} residents are moved for {subject}"
            yield Violation(Relation.MOVABILITY, (subject,), text)


def _every_request(network: Network, plan: Plan) -> Iterator[Violation]:
    """Each waiting request is answered once: with a bed, or named as unplaced."""
    placed = (move.request for move in plan.moves if move.request is not None)
    answered = Counter(chain(placed, (it.request for it in plan.unplaced)))
    for request in network.requests:
        if answered[request.id] != 1:
            text = f"request {request.id} is answered {answered[request.id]} times"
            yield Violation(Relation.EVERY_REQUEST, (request.id,), text)
    for unknown in sorted(answered.keys() - network.request_by_id.keys()):
        text = f"request {unknown} is not waiting"
        yield Violation(Relation.EVERY_REQUEST, (unknown,), text)


def _price(network: Network, plan: Plan) -> Iterator[Violation]:
    """The plan's figures are the recounted ones, level by level and move by move."""
    for move in plan.moves:
        terms = _terms(network, move)
        if move.terms != terms:
            text = f"move {move.id} costs {terms}, not {move.terms}"
            yield Violation(Relation.PRICE, (move.id,), text)
    if [it.level for it in plan.levels] != list(range(LEVELS)):
        text = f"levels 0 to {LEVELS - 1} are not all there, each once, in order"
        yield Violation(Relation.PRICE, (), text)
        return
    recounted = price(network, plan).levels
    for result in plan.levels:
        value = recounted[result.level]
        if result.value != value:
            text = f"level {result.level} costs {value}, not {result.value}"
            yield Violation(Relation.PRICE, (str(result.level),), text)
        if not result.bound <= value + 1e-6 * max(1, abs(value)):
            text = f"level {result.level}: the bound {result.bound} lies above the value {value}"
            yield Violation(Relation.PRICE, (str(result.level),), text)


def _terms(network: Network, move: Move) -> tuple[tuple[str, int], ...]:
    return move_terms(network, move.person, move.from_bed, move.to_bed)
