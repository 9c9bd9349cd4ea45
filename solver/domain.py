"""The things the network is made of: places, people, stays, requests, and a plan over them.

Frozen values without names of people, addresses, offences or risk grades. Instants are aware
UTC, legal dates are days in Asia/Shanghai, intervals are half-open ``[from, to)`` unless a legal
date says otherwise: a term or consent that *ends on* a day holds to that day's end (24:00).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property

from solver.codes import (
    BedKind,
    BedState,
    ConsentBy,
    Grade,
    Ground,
    Isolation,
    LegalBasis,
    Licence,
    MoveReason,
    Observation,
    Organ,
    Owner,
    PlanStatus,
    Security,
    Sex,
    Tri,
    UnitKind,
    Zone,
)


@dataclass(frozen=True, slots=True)
class Facility:
    """A centre, ward site or hospital. ``position`` is (east, north) in km on the city's plane."""

    id: str
    position: tuple[float, float] = (0.0, 0.0)
    external: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """A ward, brigade or zone: kind, licences, both owners and accepted bases live here.

    ``min_age`` to ``max_age`` are full years, both inclusive. ``level_of_care`` is the highest
    placement grade the unit may care for. ``staffed_beds`` is how many people today's staff can
    look after (None: all beds). ``reserve`` beds are kept for emergencies.
    """

    id: str
    facility: str
    kind: UnitKind
    sex: Sex | None = None
    min_age: int = 18
    max_age: int = 150
    zone: Zone = Zone.GENERAL
    level_of_care: Grade = Grade.G1
    security: Security = Security.OPEN
    observation: Observation = Observation.NONE
    licences: frozenset[Licence] = frozenset()
    bases: frozenset[LegalBasis] = frozenset()
    security_owner: Owner = Owner.NONE
    medical_owner: Owner = Owner.HEALTH
    staffed_beds: int | None = None
    reserve: int = 0

    @property
    def custodial(self) -> bool:
        """Whether people are held here: some police or justice organ owns its security."""
        return self.security_owner in (Owner.PUBLIC_SECURITY, Owner.JUSTICE)


@dataclass(frozen=True, slots=True)
class Room:
    """A room; ``isolation`` is the strongest route it can isolate, ``cohort`` lets people of one
    route share it. ``sex`` narrows the unit's."""

    id: str
    unit: str
    sex: Sex | None = None
    isolation: Isolation = Isolation.NONE
    cohort: bool = False


@dataclass(frozen=True, slots=True)
class Bed:
    """One bed. ``promised``: a live ``next`` stands on it. ``held_for``: the person of a live
    hold. ``stale``: its status is older than the facility's time to live. ``expected_free`` is a
    forecast (out-of-service end, housekeeping, expected departure), None when nobody said."""

    id: str
    room: str
    kind: BedKind = BedKind.GEN
    features: frozenset[BedKind] = frozenset()
    state: BedState = BedState.IN_SERVICE
    promised: bool = False
    held_for: str | None = None
    stale: bool = False
    expected_free: datetime | None = None

    @property
    def provides(self) -> frozenset[BedKind]:
        """Everything the bed is equipped for: its kind and its features."""
        return self.features | {self.kind}


@dataclass(frozen=True, slots=True)
class Decision:
    """A compulsory isolation decision 强制隔离戒毒决定书; ``ends_on`` is the term's last day."""

    body: Organ | None
    ground: Ground | None
    starts_on: date
    ends_on: date
    served_at: datetime | None = None
    revoked: bool = False
    under_16_reasons: bool = False


@dataclass(frozen=True, slots=True)
class Consent:
    """Somebody's word that this treatment, in these kinds of unit, may go on until ``ends_on``
    (that day included). ``agreement``: the written agreement of Regulations art. 10 is signed."""

    by: ConsentBy
    kinds: frozenset[UnitKind]
    starts_on: date
    ends_on: date
    agreement: bool = False
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Need:
    """What the newest assessment says; ``None`` grade and ``unknown`` are honest answers."""

    grade: Grade | None = None
    needs: frozenset[BedKind] = frozenset()
    isolation: Isolation = Isolation.UNKNOWN
    observation: Observation = Observation.UNKNOWN
    pregnant: Tri = Tri.UNKNOWN
    nursing: Tri = Tri.UNKNOWN  # nursing an own baby under one year


@dataclass(frozen=True, slots=True)
class Person:
    """A pseudonymous person. ``age`` in full years on the snapshot's day. ``home`` in km as
    ``Facility.position``. ``origin_unit``: the unit to return to after a ward or hospital."""

    id: str
    sex: Sex
    age: int
    basis: LegalBasis | None = None
    decision: Decision | None = None
    consents: tuple[Consent, ...] = ()
    need: Need = Need()
    home: tuple[float, float] | None = None
    origin_unit: str | None = None


@dataclass(frozen=True, slots=True)
class Stay:
    """A person's present claim on a bed. ``on_leave``: the bed is kept while they are elsewhere.

    ``may_move_to``: unit kinds an unexpired doctor's statement supports (empty: not movable).
    ``agreed_units``: for a consensual stay, the units the patient agreed to move to; None when
    agreement is not what binds. ``pinned``: a started transfer, accepted hold or movement stop.
    """

    id: str
    person: str
    bed: str
    since: datetime
    on_leave: bool = False
    may_move_to: frozenset[UnitKind] = frozenset()
    agreed_units: frozenset[str] | None = None
    pinned: bool = False
    expected_end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A waiting placement request. ``declined_units`` have declined this request with a code."""

    id: str
    person: str
    since: datetime
    emergency: bool = False
    declined_units: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Policy:
    """Local practice that rules, costs and the planner read; versioned, validated where loaded.

    ``grade_weights``: weight of one unplaced person by grade G0 to G5 (level 1). A grade not
    known counts as ``unknown_grade``, the cautious one.
    """

    version: str = "built-in"
    unknown_grade: Grade = Grade.G3
    grade_weights: tuple[int, int, int, int, int, int] = (10, 12, 20, 40, 80, 400)
    wait_weight_per_day: int = 1
    wait_days_cap: int = 30
    turnaround: timedelta = timedelta(hours=2)
    max_moves_per_placement: int = 2
    move_budget: int = 200
    distance_weight_per_km: int = 1
    distance_cap_km: int = 60
    stale_weight: int = 1
    restrictiveness_weight: int = 3
    ward_weight: int = 2
    origin_weight: int = 20
    reserve_weight: int = 30
    scarce_weight: int = 15
    care_weight: int = 5
    load_weight: int = 1


@dataclass(frozen=True)
class Network:
    """A snapshot of every place and person at ``now``; ``on`` is that instant's legal day.

    ``position`` is the event log's ``pos`` it was read at. Persons held by a live hold appear in
    ``persons`` too. At most one stay a bed.
    """

    now: datetime
    on: date
    facilities: Mapping[str, Facility]
    units: Mapping[str, Unit]
    rooms: Mapping[str, Room]
    beds: Mapping[str, Bed]
    persons: Mapping[str, Person]
    stays: tuple[Stay, ...] = ()
    requests: tuple[Request, ...] = ()
    policy: Policy = field(default_factory=Policy)
    position: int = 0

    @cached_property
    def stay_in_bed(self) -> Mapping[str, Stay]:
        """The stay or leave that claims each claimed bed."""
        return {stay.bed: stay for stay in self.stays}

    @cached_property
    def stay_of(self) -> Mapping[str, Stay]:
        """Where each resident is now; a bed kept during leave is not where they are."""
        return {stay.person: stay for stay in self.stays if not stay.on_leave}

    @cached_property
    def request_by_id(self) -> Mapping[str, Request]:
        """The waiting requests."""
        return {request.id: request for request in self.requests}

    @cached_property
    def request_of(self) -> Mapping[str, Request]:
        """Each waiting person's request; of several the one asked first."""
        asked = sorted(self.requests, key=lambda it: (it.since, it.id), reverse=True)
        return {request.person: request for request in asked}

    @cached_property
    def people_in_unit(self) -> Mapping[str, int]:
        """How many people each unit's staff look after or are about to: stays and holds, leave
        left out."""
        count = dict.fromkeys(self.units, 0)
        for bed in self.beds.values():
            stay = self.stay_in_bed.get(bed.id)
            if bed.held_for is not None or (stay is not None and not stay.on_leave):
                count[self.rooms[bed.room].unit] += 1
        return count

    @cached_property
    def staffed_beds(self) -> Mapping[str, int]:
        """How many people each unit can look after today: its beds that are not closed, and no
        more than its staff."""
        count = dict.fromkeys(self.units, 0)
        for bed in self.beds.values():
            count[self.rooms[bed.room].unit] += bed.state is not BedState.CLOSED
        return {
            unit.id: count[unit.id]
            if unit.staffed_beds is None
            else min(count[unit.id], unit.staffed_beds)
            for unit in self.units.values()
        }

    @cached_property
    def beds_of_room(self) -> Mapping[str, tuple[str, ...]]:
        """Bed ids of each room, in id order."""
        rooms: dict[str, list[str]] = {room: [] for room in self.rooms}
        for bed in sorted(self.beds):
            rooms[self.beds[bed].room].append(bed)
        return {room: tuple(beds) for room, beds in rooms.items()}

    @cached_property
    def rooms_of_unit(self) -> Mapping[str, tuple[str, ...]]:
        """Room ids of each unit, in id order."""
        units: dict[str, list[str]] = {unit: [] for unit in self.units}
        for room in sorted(self.rooms):
            units[self.rooms[room].unit].append(room)
        return {unit: tuple(rooms) for unit, rooms in units.items()}

    def unit_of(self, bed: str) -> Unit:
        """The unit a bed belongs to."""
        return self.units[self.rooms[self.beds[bed].room].unit]

    def is_free(self, bed: str) -> bool:
        """Whether a new claim may be put on the bed now, looking at the bed alone."""
        it = self.beds[bed]
        return (
            it.state is BedState.IN_SERVICE
            and not it.promised
            and it.held_for is None
            and bed not in self.stay_in_bed
        )


@dataclass(frozen=True, slots=True)
class Move:
    """One proposed move: a waiting person to a bed, or a resident to another bed.

    ``after``: ids of the moves that must have happened before this one. ``ready_at``: the first
    instant the bed can be fit, turnaround included. ``displaced_for``: the request this resident
    makes room for.
    """

    id: str
    person: str
    from_bed: str | None
    to_bed: str
    request: str | None
    reason: MoveReason
    after: tuple[str, ...] = ()
    ready_at: datetime | None = None
    displaced_for: str | None = None
    terms: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A waiting request the plan gives no bed, with how many beds each rule or relation removed."""

    request: str
    by_rule: tuple[tuple[str, int], ...]
    expected_free: datetime | None = None


@dataclass(frozen=True, slots=True)
class LevelResult:
    """The named plan's price at one cost level against the proven lower bound of that level."""

    level: int
    value: int
    bound: float

    @property
    def gap(self) -> float:
        """Relative gap, 0.0 when proven; against 1 when the value is 0."""
        return max(0.0, (self.value - self.bound) / max(1.0, abs(float(self.value))))


@dataclass(frozen=True, slots=True)
class Plan:
    """Moves in an order that works, who stays unplaced, and what each level is worth.

    ``impossible``: chains of moves that only a free bed would allow, named by person.
    """

    moves: tuple[Move, ...]
    unplaced: tuple[Unplaced, ...]
    levels: tuple[LevelResult, ...]
    status: PlanStatus
    seed: int
    impossible: tuple[tuple[str, ...], ...] = ()
