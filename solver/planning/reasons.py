"""Why each move is proposed, and which residents were moved without a true reason.

A resident moves because their place is no longer fit, because a less restrictive one meets the
need, or to make room for a placement that counts on it; never just because it would be neater.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from solver.codes import MoveReason
from solver.cost import level_totals, misplaced_weight, move_terms
from solver.domain import Move, Network
from solver.planning.order import Schedule, Step


@dataclass
class Reasoned:
    """The moves in order, with reasons; ``groundless``: helpers nobody needs, or too many for
    one placement."""

    moves: list[Move] = field(default_factory=list)
    groundless: list[str] = field(default_factory=list)


def reasoned_moves(network: Network, schedule: Schedule) -> Reasoned:
    """Turn steps into moves; ids follow the order."""
    found = Reasoned()
    ids = {step.mover.person: f"m{i:04d}" for i, step in enumerate(schedule.steps, 1)}
    reason = {step.mover.person: _own_reason(network, step) for step in schedule.steps}
    for_request, groundless = _helped(network, schedule, reason)
    found.groundless = groundless
    for step in schedule.steps:
        person = step.mover.person
        request = network.request_of.get(person)
        found.moves.append(
            Move(
                id=ids[person],
                person=person,
                from_bed=step.mover.from_bed,
                to_bed=step.bed,
                request=None if request is None else request.id,
                reason=reason[person] or MoveReason.MAKE_ROOM,
                after=tuple(sorted(ids[it] for it in step.after)),
                ready_at=step.ready_at,
                displaced_for=for_request.get(person),
                terms=move_terms(network, person, step.mover.from_bed, step.bed),
            )
        )
    return found


def _own_reason(network: Network, step: Step) -> MoveReason | None:
    """A reason of the person's own; None for somebody who moves to make room."""
    person = step.mover.person
    if person in network.request_of:
        return MoveReason.PLACE_WAITING
    if misplaced_weight(network, network.stay_of[person]):
        return MoveReason.RIGHT_A_MISPLACED
    terms = move_terms(network, person, step.mover.from_bed, step.bed)
    return MoveReason.STEP_DOWN if level_totals(terms)[2] < 0 else None


def _helped(
    network: Network, schedule: Schedule, reason: dict[str, MoveReason | None]
) -> tuple[dict[str, str], list[str]]:
    """For each helper the request they make room for; and the helpers without a true reason.

    Counted as the checker counts: so many helpers for one request, so many behind one righted
    misplacement. The nearest placement that counts on the helper comes first.
    """
    most = network.policy.max_moves_per_placement
    for_request: dict[str, str] = {}
    groundless: list[str] = []
    count: Counter[str] = Counter()
    served_by: dict[str, list[Step]] = defaultdict(list)
    for step in schedule.steps:
        for person in schedule.behind[step.mover.person]:
            if reason.get(person) is None:
                served_by[person].append(step)
    for step in schedule.steps:
        person = step.mover.person
        if reason[person] is not None:
            continue
        served = served_by[person]
        waiting = _first(served, reason, MoveReason.PLACE_WAITING, count, most)
        if waiting is not None:
            for_request[person] = network.request_of[waiting].id
            count[waiting] += 1
            continue
        righted = [
            it.mover.person
            for it in served
            if reason[it.mover.person] is MoveReason.RIGHT_A_MISPLACED
        ]
        if righted and all(count[it] < most for it in righted):
            count.update(righted)
        else:
            groundless.append(person)
    return for_request, groundless


def _first(
    served: Sequence[Step],
    reason: dict[str, MoveReason | None],
    wanted: MoveReason,
    count: Counter[str],
    most: int,
) -> str | None:
    for step in served:
        person = step.mover.person
        if reason[person] is wanted and count[person] < most:
            return person
    return None
