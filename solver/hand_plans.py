"""Plans written or edited by hand: who goes to which bed is enough, the rest is worked out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from solver.check import occupant, room_relations
from solver.codes import MoveReason, PlanStatus
from solver.cost import level_totals, misplaced_weight, move_terms
from solver.domain import LevelResult, Move, Network, Plan, Unplaced
from solver.instance import PLAN_FORMAT, InstanceError, decoded, document_of


@dataclass(frozen=True, slots=True)
class HandMove:
    """A move as somebody writes it: who goes where; everything else may be left out or null."""

    person: str
    to_bed: str
    request: str | None = None
    id: str | None = None
    from_bed: str | None = None
    reason: MoveReason | None = None
    after: tuple[str, ...] | None = None
    ready_at: datetime | None = None
    displaced_for: str | None = None
    terms: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class HandUnplaced:
    """A request left without a bed, on purpose."""

    request: str
    by_rule: tuple[tuple[str, int], ...] = ()
    expected_free: datetime | None = None


@dataclass(frozen=True, slots=True)
class HandPlan:
    """A plan as somebody writes or edits it; the moves in the order they are to be made.
    ``unplaced`` left out: whoever has no move. The last three are read and mean nothing here."""

    moves: tuple[HandMove, ...]
    unplaced: tuple[HandUnplaced, ...] | None = None
    levels: tuple[LevelResult, ...] = ()
    status: PlanStatus | None = None
    seed: int = 0
    impossible: tuple[tuple[str, ...], ...] = ()


def hand_plan_from_json(text: str, network: Network) -> Plan:
    """The plan in a file that may leave out what ``hand_made`` works out. Raises: InstanceError
    with the path of a field that is no plan's; ids the network does not have are no such fault."""
    raw = document_of(text, PLAN_FORMAT)
    if set(raw) != {"plan"}:
        raise InstanceError("plan", sorted(raw), "give exactly one field, plan")
    return hand_made(network, decoded(HandPlan, raw["plan"], "plan"))


def hand_made(network: Network, given: HandPlan) -> Plan:
    """A whole plan from one written by hand.

    Where left out: a person starts from their present bed and comes with their waiting request; a
    move waits for the earlier departures it needs (its bed's, its room's company's, its unit's
    staff's) and is ready when they leave it fit; its reason is the first that holds; requests
    without a move are named as unplaced. Nothing is checked: that is ``pricing.price_plan``.
    """
    desk = _Desk(network, {it.id for it in given.moves if it.id is not None})
    moves = [desk.whole(it) for it in given.moves]
    unstated = [it.reason is None for it in given.moves]
    moves = [
        replace(move, displaced_for=desk.served(move, moves))
        if guessed and move.reason is MoveReason.MAKE_ROOM and move.displaced_for is None
        else move
        for move, guessed in zip(moves, unstated, strict=True)
    ]
    placed = {move.request for move in moves}
    waiting = sorted(network.requests, key=lambda it: (it.since, it.id))
    left = (
        tuple(Unplaced(it.id, ()) for it in waiting if it.id not in placed)
        if given.unplaced is None
        else tuple(Unplaced(it.request, it.by_rule, it.expected_free) for it in given.unplaced)
    )
    status = given.status or PlanStatus.WITHIN_GAP
    return Plan(tuple(moves), left, given.levels, status, given.seed, given.impossible)


class _Desk:
    """Completes moves one after the other, each knowing those before it."""

    def __init__(self, network: Network, ids: set[str]) -> None:
        self.network, self.ids = network, ids
        self.made: dict[str, Move] = {}
        self.behind: dict[str, frozenset[str]] = {}

    def whole(self, given: HandMove) -> Move:
        """The move with everything that was left out."""
        network = self.network
        stay = network.stay_of.get(given.person)
        request = network.request_of.get(given.person)
        from_bed = given.from_bed
        if from_bed is None and stay is not None:
            from_bed = stay.bed
        move = Move(
            id=given.id or self._new_id(),
            person=given.person,
            from_bed=from_bed,
            to_bed=given.to_bed,
            request=given.request or (request.id if request is not None else None),
            reason=given.reason or MoveReason.PLACE_WAITING,
            displaced_for=given.displaced_for,
            terms=given.terms,
        )
        known = self._known(move)
        if given.reason is None and move.request is None:
            move = replace(move, reason=self._own_reason(move) if known else MoveReason.MAKE_ROOM)
        if given.after is not None:
            move = replace(move, after=given.after)
        elif known:
            move = replace(move, after=tuple(sorted(self._needed(move))))
        ready = given.ready_at
        if ready is None and known:
            ready = self._ready(move)
        move = replace(move, ready_at=ready)
        if known:
            self.made[move.id] = move
            after = [it for it in move.after if it in self.behind]
            self.behind[move.id] = frozenset(after).union(*(self.behind[it] for it in after))
        return move

    def served(self, move: Move, moves: Sequence[Move]) -> str | None:
        """The first request whose placement counts on this move."""
        return next(
            (
                it.request
                for it in moves
                if it.request is not None and move.id in self.behind.get(it.id, ())
            ),
            None,
        )

    def _new_id(self) -> str:
        number = len(self.made) + 1
        while f"m{number:04d}" in self.ids:
            number += 1
        self.ids.add(f"m{number:04d}")
        return f"m{number:04d}"

    def _known(self, move: Move) -> bool:
        beds = {move.to_bed} if move.from_bed is None else {move.to_bed, move.from_bed}
        return beds <= self.network.beds.keys() and move.person in self.network.persons

    def _own_reason(self, move: Move) -> MoveReason:
        network = self.network
        stay = network.stay_of.get(move.person)
        if stay is not None and misplaced_weight(network, stay):
            return MoveReason.RIGHT_A_MISPLACED
        levels = level_totals(move_terms(network, move.person, move.from_bed, move.to_bed))
        return MoveReason.STEP_DOWN if levels[2] < 0 else MoveReason.MAKE_ROOM

    def _needed(self, move: Move) -> set[str]:
        """The earlier departures this move counts on: of whoever lies in the bed, of room-mates
        it may not have, and of as many from the unit as its staff and reserve ask for."""
        network = self.network
        room = network.rooms[network.beds[move.to_bed].room]
        me = occupant(network.persons[move.person])
        left = [it for it in self.made.values() if it.from_bed is not None]
        needed = set()
        for it in left:
            mate = occupant(network.persons[it.person])
            in_room = network.beds[it.from_bed or ""].room == room.id
            if it.from_bed == move.to_bed or (in_room and room_relations(me, [mate], room.cohort)):
                needed.add(it.id)
        if self._unit(move.from_bed) == room.unit:
            return needed
        leavers = [
            it.id for it in left if self._unit(it.from_bed) == room.unit != self._unit(it.to_bed)
        ]
        people = network.people_in_unit[room.unit] + 1 + self._arrived(room.unit)
        request = network.request_of.get(move.person)
        emergency = request is not None and request.emergency
        kept = 0 if emergency else network.units[room.unit].reserve
        short = people - network.staffed_beds[room.unit] + kept
        counted = needed.union(*(self.behind[it] for it in needed))
        short -= sum(it in counted for it in leavers)
        others = [it for it in leavers if it not in counted]
        return needed.union(others[: max(0, short)])

    def _arrived(self, unit: str) -> int:
        return sum(
            self._unit(it.to_bed) == unit != self._unit(it.from_bed) for it in self.made.values()
        )

    def _ready(self, move: Move) -> datetime:
        """When the bed can be fit: turnaround after whoever leaves it, and after the others."""
        ready = self.network.now
        for other in move.after:
            it = self.made.get(other)
            if it is None or it.ready_at is None:
                continue
            fit = it.ready_at
            if it.from_bed == move.to_bed:
                fit = max(fit, self.network.now) + self.network.policy.turnaround
            ready = max(ready, fit)
        return ready

    def _unit(self, bed: str | None) -> str | None:
        return None if bed is None else self.network.unit_of(bed).id
