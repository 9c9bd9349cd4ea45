"""The answers to "why": one value for each person the plan places, moves or leaves.

They are codes and figures of the person asked about, of places and of the plan; nothing in them
is drawn from another resident, and nothing names what of the person would have to be otherwise.
``solver.explain.sentences`` has the words.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from solver.codes import BedKind, MoveReason, Relation
from solver.eligibility import Approver, PolicyOwner


class Decided(StrEnum):
    """How the chosen bed stands against the next best one that stays free."""

    TERMS = "terms"  # the next best costs more
    EQUAL = "equal"  # the same on every level: the ids decided
    ONLY = "only"  # no other lawful bed stays free
    DEARER = "dearer"  # a bed that costs less for this person stays free


class Nature(StrEnum):
    """What kind of rule removed a bed."""

    STATUTORY = "statutory"  # the law's own: nobody lifts it, no policy sets it
    POLICY = "policy"  # lifted with a reason, or set by an owner of local practice
    RELATION = "relation"  # about several people, or about the bed's being free


class Cause(StrEnum):
    """Why a lawful bed is not to be had, where the relation's name alone would not tell."""

    TAKEN = "taken"
    GIVEN = "given"  # the plan gives it to another request or transfer
    UNSTAFFED = "unstaffed"
    OUT_OF_USE = "out_of_use"  # out of service, held or promised
    TO_DISINFECT = "to_disinfect"
    DECLINED = "declined"
    NOT_MOVABLE = "not_movable"


RELATION_OF_CAUSE: Mapping[str, Relation] = {
    Cause.TAKEN: Relation.CAPACITY,
    Cause.GIVEN: Relation.CAPACITY,
    Cause.UNSTAFFED: Relation.CAPACITY,
    Cause.OUT_OF_USE: Relation.AVAILABILITY,
    Cause.TO_DISINFECT: Relation.AVAILABILITY,
    Cause.DECLINED: Relation.AVAILABILITY,
    Cause.NOT_MOVABLE: Relation.MOVABILITY,
}
"""What each cause is called where only relations have names."""


@dataclass(frozen=True, slots=True)
class Amount:
    """One named cost; lower is better, ``level`` 0 to 4 is settled from the lowest up."""

    term: str
    level: int
    amount: int


@dataclass(frozen=True, slots=True)
class Difference:
    """One named cost of the chosen bed against the other's."""

    term: str
    level: int
    chosen: int
    other: int


@dataclass(frozen=True, slots=True)
class OtherBed:
    """A bed that was not chosen. ``differs``: the terms of the deciding level that are not
    equal. ``bed`` is None for one the plan gives away: who gets it is nobody's to learn here."""

    bed: str | None
    unit: str
    facility: str
    levels: tuple[int, ...]
    differs: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """Why this bed. ``terms`` and ``levels``: what the move costs, for a resident against staying.

    ``next_best``: by the same levels the best other bed that is lawful for the person and free
    once the plan is carried out; ``decided_at``: the level that decided between the two.
    ``given``: a better bed for this person alone, which the plan gives to another request or
    transfer. ``makes_room_for``: the request a resident makes room for, None also where room is
    made for somebody whose place is no longer fit.
    """

    person: str
    request: str | None
    move: str
    reason: MoveReason
    bed: str
    unit: str
    facility: str
    terms: tuple[Amount, ...]
    levels: tuple[int, ...]
    decided: Decided
    decided_at: int | None = None
    next_best: OtherBed | None = None
    given: OtherBed | None = None
    makes_room_for: str | None = None


@dataclass(frozen=True, slots=True)
class Removed:
    """Beds that one rule, relation or cause removed. ``code``: a rule's id, a ``Cause``, or the
    ``Relation`` itself.

    A bed that rules refuse counts under each of them; a lawful one counts once. ``alone``: for a
    rule of policy, how many beds nothing but it refuses; never told of a statutory rule.
    """

    code: str
    beds: int
    nature: Nature
    relation: Relation | None = None
    lifted_by: Approver | None = None
    owner: PolicyOwner | None = None
    source: str | None = None
    alone: int | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """When a bed of a lawful kind is next forecast to be free. Not in which unit: the day may be
    somebody's last there."""

    bed_kind: BedKind
    at: datetime


@dataclass(frozen=True, slots=True)
class NotPlaced:
    """Why none. ``removed``: the most beds first. ``lawful``: beds no rule refuses.

    ``fitting``: lawful beds that stay free and would take the person, 0 in a proven plan but for
    orders of moves that do not work. ``expected``: the earliest first. ``request`` is None for a
    resident left where the rules ``wrong`` refuse the present place.
    """

    person: str
    request: str | None
    beds: int
    lawful: int
    fitting: int
    removed: tuple[Removed, ...]
    expected: tuple[Expected, ...]
    wrong: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explanations:
    """Every answer about one plan: ``placed`` in the order of its moves, ``unplaced`` by how long
    they wait, ``left`` by person: residents whose place is not fit and who stay there."""

    placed: tuple[Placed, ...]
    unplaced: tuple[NotPlaced, ...]
    left: tuple[NotPlaced, ...]

    def __iter__(self) -> Iterator[Placed | NotPlaced]:
        yield from self.placed
        yield from self.unplaced
        yield from self.left

    @cached_property
    def _by_person(self) -> dict[str, Placed | NotPlaced]:
        return {it.person: it for it in self}

    @cached_property
    def _by_request(self) -> dict[str, Placed | NotPlaced]:
        return {it.request: it for it in self if it.request is not None}

    def of_person(self, person: str) -> Placed | NotPlaced | None:
        """The answer about one person; None where the plan says nothing of them."""
        return self._by_person.get(person)

    def of_request(self, request: str) -> Placed | NotPlaced | None:
        """The answer to one request; None for one that does not wait."""
        return self._by_request.get(request)
