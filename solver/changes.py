"""What a new plan changes against the last one, and why: one line a person.

Both plans are looked at on today's network, on which the last one may no longer be possible. A
line speaks of its own person, of places and of the plan as a whole, never of anybody else: a bed
that goes to another request is "given to another request" and no more.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Final

from solver.check import (
    claimants,
    fit_for_claim,
    immovable,
    occupant,
    room_relations,
    staff_exceeded,
)
from solver.codes import MoveReason
from solver.cost import (
    level_totals,
    misplaced_weight,
    move_terms,
    price,
    profile,
    unplaced_term,
    waiting_weight,
)
from solver.domain import Move, Network, Plan
from solver.eligibility import place, refusals
from solver.eligibility.registry import Language


class ChangeKind(StrEnum):
    """What became of a person's move between two plans."""

    KEPT = "kept"
    NEW = "new"
    CHANGED = "changed"  # another bed
    DROPPED = "dropped"


class ChangeReason(StrEnum):
    """Why a person's line in the new plan is what it is."""

    SAME_BED = "same_bed"
    NEWLY_WAITING = "newly_waiting"
    BED_CAME_FREE = "bed_came_free"
    MAKES_ROOM = "makes_room"
    PLACE_NOT_RIGHT = "place_not_right"
    LESS_RESTRICTIVE = "less_restrictive"
    CARRIED_OUT = "carried_out"
    REQUEST_GONE = "request_gone"
    PERSON_GONE = "person_gone"
    PERSON_MOVED = "person_moved"
    NOT_MOVABLE = "not_movable"
    BED_LOST = "bed_lost"
    UNIT_DECLINED = "unit_declined"
    NOT_ALLOWED = "not_allowed"
    EARLIER_MOVE_GONE = "earlier_move_gone"
    NOT_NEEDED = "not_needed"
    BETTER_FOR_PERSON = "better_for_person"
    GIVEN_TO_ANOTHER = "given_to_another"
    PLAN_BETTER = "plan_better"
    AS_GOOD = "as_good"


@dataclass(frozen=True, slots=True)
class Change:
    """One person's line. ``before`` and ``now`` are the beds of the last and the new plan.

    ``level`` and ``by``: the first cost level that got better and by how much; of the person's own
    price for a new or better place, of the whole plan's where another placement or the plan as a
    whole decided. None where no price decided.
    """

    person: str
    request: str | None
    kind: ChangeKind
    reason: ChangeReason
    before: str | None
    now: str | None
    level: int | None = None
    by: int | None = None


_KINDS: Final[Mapping[ChangeKind, tuple[str, str]]] = {
    ChangeKind.KEPT: ("保留", "kept"),
    ChangeKind.NEW: ("新增", "new"),
    ChangeKind.CHANGED: ("换床", "another bed"),
    ChangeKind.DROPPED: ("取消", "dropped"),
}
_REASONS: Final[Mapping[ChangeReason, tuple[str, str]]] = {
    ChangeReason.SAME_BED: ("床位与上次规划相同", "the same bed as in the last plan"),
    ChangeReason.NEWLY_WAITING: (
        "上次规划后新提出或者恢复候床",
        "waits newly, or again, since the last plan",
    ),
    ChangeReason.BED_CAME_FREE: (
        "现有上次规划时不能安排的床位",
        "a bed that the last plan could not give is to be had now",
    ),
    ChangeReason.MAKES_ROOM: (
        "为候床人员腾出床位",
        "makes room so that a waiting person can be placed",
    ),
    ChangeReason.PLACE_NOT_RIGHT: (
        "现住处不再合法或者安全",
        "the present place is no longer lawful or safe",
    ),
    ChangeReason.LESS_RESTRICTIVE: (
        "约束较少的处所即可满足需要",
        "a less restrictive place meets the need",
    ),
    ChangeReason.CARRIED_OUT: (
        "该项安排已经决定或者完成",
        "the move has been decided on or carried out",
    ),
    ChangeReason.REQUEST_GONE: (
        "申请不再候床：已决定、撤回或者结束",
        "the request no longer waits: it was decided on, withdrawn or ended",
    ),
    ChangeReason.PERSON_GONE: ("该人已不在网络床位内", "the person is in no bed of the network"),
    ChangeReason.PERSON_MOVED: (
        "该人已不在上次规划时的床位",
        "the person is no longer where the last plan saw them",
    ),
    ChangeReason.NOT_MOVABLE: ("目前不具备调整条件", "not the plan's to move today"),
    ChangeReason.BED_LOST: ("原床位已不可用", "the bed is no longer to be had"),
    ChangeReason.UNIT_DECLINED: ("该单元已不予接收", "the unit has declined the request"),
    ChangeReason.NOT_ALLOWED: (
        "现按规则不能安排该床位",
        "a rule about the person and the place refuses the bed today",
    ),
    ChangeReason.EARLIER_MOVE_GONE: (
        "须先进行的调整已不可行",
        "a move that had to come first is no longer possible",
    ),
    ChangeReason.NOT_NEEDED: ("不再需要腾出床位", "no room has to be made any more"),
    ChangeReason.BETTER_FOR_PERSON: (
        "现床位对该人更合适",
        "the bed is better for the person than the last plan's",
    ),
    ChangeReason.GIVEN_TO_ANOTHER: ("床位安排给另一申请", "the bed is given to another request"),
    ChangeReason.PLAN_BETTER: ("整体规划更优", "the plan as a whole is better so"),
    ChangeReason.AS_GOOD: ("整体规划同样好", "the plan as a whole is as good so"),
}
_LEVELS: Final[tuple[tuple[str, str], ...]] = (
    ("急救与安置不当", "emergencies and places that are not right"),
    ("候床人员（按等级和等候时间）", "waiting people by grade and time waited"),
    ("约束程度与信息时效", "restrictiveness and stale status"),
    ("调整次数", "number of moves"),
    ("适配", "fit"),
)
_OF_A_RESIDENT: Final = {
    MoveReason.MAKE_ROOM: ChangeReason.MAKES_ROOM,
    MoveReason.RIGHT_A_MISPLACED: ChangeReason.PLACE_NOT_RIGHT,
    MoveReason.STEP_DOWN: ChangeReason.LESS_RESTRICTIVE,
}


def changes(network: Network, previous: Plan, plan: Plan) -> tuple[Change, ...]:
    """The lines of everybody whom either plan moves, each once: those of the new plan in its
    order, then those dropped in the last plan's.

    ``network`` is the snapshot ``plan`` was made on; ``plan`` must be free of violations there,
    ``previous`` need not be.
    """
    both = _Both(network, previous, plan)
    lines = [both.line(move) for move in plan.moves]
    lines += [both.dropped(move) for move in previous.moves if move.person not in both.after]
    return tuple(lines)


def standing(network: Network, previous: Plan) -> tuple[Move, ...]:
    """The moves of an earlier plan that are still to be done and still possible today, in their
    order. A move goes with those it had to wait for, but for those already done."""
    lost = _lost(network, previous.moves)
    done = {move.id for move in previous.moves if lost.get(move.id) is ChangeReason.CARRIED_OUT}
    return tuple(
        replace(move, after=tuple(it for it in move.after if it not in done))
        for move in previous.moves
        if move.id not in lost
    )


def change_words(change: Change, language: Language) -> str:
    """The line in words: kind, reason, and the level that got better."""
    kind, reason = (_pick(it, language) for it in (_KINDS[change.kind], _REASONS[change.reason]))
    text = f"{kind}：{reason}" if language == "zh" else f"{kind}: {reason}"
    if change.level is None:
        return text
    level = _pick(_LEVELS[change.level], language)
    if language == "zh":
        return f"{text}（第{change.level}层{level}，改善{change.by}）"
    return f"{text} (level {change.level}, {level}, better by {change.by})"


def _pick(pair: tuple[str, str], language: Language) -> str:
    return pair[0] if language == "zh" else pair[1]


@dataclass(frozen=True)
class _Both:
    """Two plans beside each other on one network."""

    network: Network
    previous: Plan
    plan: Plan

    @cached_property
    def before(self) -> Mapping[str, Move]:
        """The last plan's moves by person."""
        return {move.person: move for move in self.previous.moves}

    @cached_property
    def after(self) -> Mapping[str, Move]:
        """The new plan's moves by person."""
        return {move.person: move for move in self.plan.moves}

    @cached_property
    def lost(self) -> Mapping[str, ChangeReason]:
        """The last plan's moves that are not possible today, by move id."""
        return _lost(self.network, self.previous.moves)

    @cached_property
    def known(self) -> frozenset[str]:
        """The requests that the last plan answered."""
        placed = (move.request for move in self.previous.moves if move.request is not None)
        return frozenset(placed) | {it.request for it in self.previous.unplaced}

    @cached_property
    def given(self) -> frozenset[str]:
        """The beds that the new plan gives out."""
        return frozenset(move.to_bed for move in self.plan.moves)

    @cached_property
    def gain(self) -> tuple[int, int] | None:
        """The first level at which the new plan is better than what is left of the last one, and
        by how much; None where it is not."""
        left = replace(self.previous, moves=standing(self.network, self.previous))
        return _gain(price(self.network, left).levels, price(self.network, self.plan).levels)

    def line(self, move: Move) -> Change:
        """The line of somebody whom the new plan moves."""
        old = self.before.get(move.person)
        if old is None:
            return self._new(move)
        if old.to_bed == move.to_bed:
            return _change(move, ChangeKind.KEPT, ChangeReason.SAME_BED, old.to_bed, move.to_bed)
        return self._changed(old, move)

    def _new(self, move: Move) -> Change:
        if move.request is None:
            reason = _OF_A_RESIDENT.get(move.reason, ChangeReason.PLAN_BETTER)
        elif move.request not in self.known:
            reason = ChangeReason.NEWLY_WAITING
        else:
            reason = ChangeReason.BED_CAME_FREE
        gain = _gain(
            _own_price(self.network, move.person, None),
            _own_price(self.network, move.person, move.to_bed),
        )
        return _change(move, ChangeKind.NEW, reason, None, move.to_bed, gain)

    def _changed(self, old: Move, move: Move) -> Change:
        lost = self.lost.get(old.id)
        beds = old.to_bed, move.to_bed
        if lost is not None:
            return _change(move, ChangeKind.CHANGED, lost, *beds)
        own = _gain(*(_own_price(self.network, move.person, bed) for bed in beds))
        if own is not None:
            reason = ChangeReason.BETTER_FOR_PERSON
            return _change(move, ChangeKind.CHANGED, reason, *beds, own)
        return _change(move, ChangeKind.CHANGED, self._weighed(old), *beds, self.gain)

    def dropped(self, old: Move) -> Change:
        """The line of somebody whom only the last plan moved."""
        lost = self.lost.get(old.id)
        if lost is not None:
            return _change(old, ChangeKind.DROPPED, lost, old.to_bed, None)
        if old.reason is MoveReason.MAKE_ROOM:
            reason = ChangeReason.NOT_NEEDED
            return _change(old, ChangeKind.DROPPED, reason, old.to_bed, None)
        return _change(old, ChangeKind.DROPPED, self._weighed(old), old.to_bed, None, self.gain)

    def _weighed(self, old: Move) -> ChangeReason:
        """Why a move that could still be done is not in the new plan as it was."""
        if old.to_bed in self.given:
            return ChangeReason.GIVEN_TO_ANOTHER
        return ChangeReason.PLAN_BETTER if self.gain is not None else ChangeReason.AS_GOOD


def _change(
    move: Move,
    kind: ChangeKind,
    reason: ChangeReason,
    before: str | None,
    now: str | None,
    gain: tuple[int, int] | None = None,
) -> Change:
    level, by = gain if gain is not None else (None, None)
    return Change(move.person, move.request, kind, reason, before, now, level, by)


def _gain(old: tuple[int, ...], new: tuple[int, ...]) -> tuple[int, int] | None:
    """The first level that differs and by how much the new is lower; None if it is not."""
    for level, (before, now) in enumerate(zip(old, new, strict=True)):
        if before != now:
            return (level, before - now) if now < before else None
    return None


def _own_price(network: Network, person: str, bed: str | None) -> tuple[int, ...]:
    """What one person in this bed costs by level; with None, left without or where they are."""
    stay, request = network.stay_of.get(person), network.request_of.get(person)
    if bed is not None:
        return level_totals(
            move_terms(network, person, stay.bed if stay is not None else None, bed)
        )
    terms: list[tuple[str, int]] = []
    if request is not None:
        terms.append((unplaced_term(request), waiting_weight(network, request)))
    if stay is not None:
        terms.append(("misplaced_left", misplaced_weight(network, stay)))
    return level_totals(terms)


def _lost(network: Network, moves: Collection[Move]) -> dict[str, ChangeReason]:
    """The moves that are done or no longer possible today, with the reason, by move id."""
    lost: dict[str, ChangeReason] = {}
    leaving: set[str] = set()
    ordered = list(moves)
    for move in ordered:
        reason = _why_lost(network, move, leaving)
        if reason is None and any(
            lost.get(it, ChangeReason.CARRIED_OUT) is not ChangeReason.CARRIED_OUT
            for it in move.after
        ):
            reason = ChangeReason.EARLIER_MOVE_GONE
        if reason is not None:
            lost[move.id] = reason
        elif move.from_bed is not None:
            leaving.add(move.from_bed)
    return lost


def _why_lost(network: Network, move: Move, leaving: Collection[str]) -> ChangeReason | None:
    """Why one move cannot be done today, those before it leaving ``leaving``; None if it can."""
    stay, bed = network.stay_of.get(move.person), network.beds.get(move.to_bed)
    if bed is not None and (
        bed.held_for == move.person or (stay is not None and stay.bed == move.to_bed)
    ):
        return ChangeReason.CARRIED_OUT
    request = network.request_by_id.get(move.request) if move.request is not None else None
    if move.request is not None and request is None:
        return ChangeReason.REQUEST_GONE
    if move.person not in network.persons or (move.from_bed is not None and stay is None):
        return ChangeReason.PERSON_GONE
    if move.from_bed != (stay.bed if stay is not None else None):
        return ChangeReason.PERSON_MOVED
    if bed is None or not _to_be_had(network, move, leaving):
        return ChangeReason.BED_LOST
    unit = network.unit_of(move.to_bed)
    if stay is not None and immovable(network, stay, unit):
        return ChangeReason.NOT_MOVABLE
    if request is not None and unit.id in request.declined_units:
        return ChangeReason.UNIT_DECLINED
    if refusals(profile(network, move.person).facts, place(network, move.to_bed)):
        return ChangeReason.NOT_ALLOWED
    return None


def _to_be_had(network: Network, move: Move, leaving: Collection[str]) -> bool:
    """Whether bed, room and unit can still take the person, those before them gone."""
    there = network.stay_in_bed.get(move.to_bed)
    if fit_for_claim(network, move.to_bed, move.person) is not None:
        return False
    if there is not None and there.person != move.person and move.to_bed not in leaving:
        return False
    room = network.rooms[network.beds[move.to_bed].room]
    mates = [
        occupant(network.persons[who])
        for bed, who in claimants(network, room.id).items()
        if bed not in leaving and who != move.person and who in network.persons
    ]
    if room_relations(occupant(network.persons[move.person]), mates, room.cohort):
        return False
    freed = any(network.unit_of(bed).id == room.unit for bed in leaving)
    return freed or not staff_exceeded(network, room.unit, move.person)
