"""What the rules read: a person reduced to codes for one day, a bed reduced to its attributes.

Two people with equal ``Facts`` are refused by the same rules everywhere, two beds with equal
``Place`` refuse the same people; so every rule is evaluated once per distinct pair.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

from solver.codes import (
    COMPULSORY_CENTRES,
    CONSENSUAL_BASES,
    BedKind,
    ConsentBy,
    ConsentStatus,
    DecisionStatus,
    Grade,
    Isolation,
    LegalBasis,
    Licence,
    Observation,
    Organ,
    OutMedicalPart,
    Owner,
    PscTime,
    Screening,
    Sex,
    Tri,
    UnitKind,
    Zone,
)
from solver.domain import (
    Bed,
    Consent,
    Decision,
    Need,
    Network,
    Person,
    Policy,
    Psychiatric,
    Room,
    Unit,
)

ADULT_AGE = 18  # full years; Juvenile Protection Law
UNDER_TERM = frozenset({LegalBasis.COMPULSORY, LegalBasis.OUT_MEDICAL})
"""Bases that live on a compulsory decision: the term runs in the centre and outside it."""

_DECIDING_ORGANS = frozenset({Organ.COUNTY_POLICE, Organ.CITY_POLICE})


@dataclass(frozen=True, slots=True)
class Word:
    """What one signer's consents are worth today: the unit kinds they cover, and those of them
    with a signed written agreement. For a lapsed word the kinds are those it used to cover."""

    status: ConsentStatus = ConsentStatus.MISSING
    kinds: frozenset[UnitKind] = frozenset()
    signed: frozenset[UnitKind] = frozenset()


@dataclass(frozen=True, slots=True)
class Facts:
    """A person as the rules see them on one day.

    Attributes that no rule reads on this legal basis are left at their default, so that like
    people stay equal. ``mother`` says whether she is pregnant or nurses an own baby under one
    year; men are not asked. ``grade`` is the assessed one or, when ``assessed`` is false, the one
    the policy counts instead. ``emergency``: the placement is asked for in the emergency lane.
    ``capable`` is asked of consenting adults. ``unfiled``: the parts of out-of-centre treatment
    not on record. ``endangered``: a jointly appointed hospital says that life is in danger
    without treatment outside.
    """

    sex: Sex | None
    age: int
    identified: bool = True
    basis: LegalBasis | None = None
    decision: DecisionStatus = DecisionStatus.MISSING
    served: bool = False
    under_16_reasons: bool = False
    mother: Tri = Tri.NO
    own: Word = Word()
    family: Word = Word()
    guardian: Word = Word()
    capable: Tri = Tri.YES
    police_consent: bool = False
    unfiled: frozenset[OutMedicalPart] = frozenset()
    psychiatric: Psychiatric | None = None
    psc_time: PscTime = PscTime.NEVER
    endangered: bool = False
    grade: Grade = Grade.G0
    assessed: bool = True
    needs: frozenset[BedKind] = frozenset()
    isolation: Isolation = Isolation.NONE
    observation: Observation = Observation.NONE
    examined: bool = True
    emergency: bool = False

    @property
    def minor(self) -> bool:
        """Under 18 full years."""
        return self.age < ADULT_AGE

    @property
    def represented(self) -> bool:
        """Whether a guardian's word stands for the person's own: a minor, or an adult whom a
        doctor found not able to decide on treatment."""
        return self.minor or self.capable is Tri.NO


@dataclass(frozen=True, slots=True)
class Place:
    """A bed as the rules see it: its unit's and room's attributes and its own equipment.

    ``minors_only``: nobody of 18 or more is taken. ``isolation``: the strongest route the room
    can isolate. ``single``: the room has this one bed. ``provides`` is the bed's kind and features.
    ``zone``: the part of a centre, general anywhere else. ``cared_for``: an organ answers for the
    unit's care.
    """

    kind: UnitKind
    zone: Zone = Zone.GENERAL
    custodial: bool = False
    cared_for: bool = True
    bases: frozenset[LegalBasis] = frozenset()
    licences: frozenset[Licence] = frozenset()
    sexes: frozenset[Sex] = frozenset(Sex)
    min_age: int = 18
    max_age: int = 150
    minors_only: bool = False
    level_of_care: Grade = Grade.G1
    observation: Observation = Observation.NONE
    isolation: Isolation = Isolation.NONE
    single: bool = False
    bed_kind: BedKind = BedKind.GEN
    provides: frozenset[BedKind] = frozenset({BedKind.GEN})


_NO_WORD = Word()
_OUT_MEDICAL_PARTS = frozenset(OutMedicalPart)
_NOTHING_UNFILED: frozenset[OutMedicalPart] = frozenset()
_EVERY_BED = frozenset({BedKind.GEN})

_like = lru_cache(maxsize=1 << 15)(Facts)
"""Like people share one ``Facts``: a nation has far fewer of them than people."""

_like_place = lru_cache(maxsize=1 << 12)(Place)
_PLACES = "_eligibility_places"


def facts(
    person: Person, on: date, now: datetime, policy: Policy, *, emergency: bool = False
) -> Facts:
    """The person reduced to what rules read on legal day ``on`` at instant ``now`` (aware UTC)."""
    need = person.need
    consensual = person.basis in CONSENSUAL_BASES
    held = person.basis is LegalBasis.COMPULSORY
    involuntary = person.basis is LegalBasis.INVOLUNTARY_PSYCHIATRIC
    decision = person.decision if person.basis in UNDER_TERM else None
    served_at = decision.served_at if decision else None
    consents = person.consents if consensual else ()
    guardians = person.consents if involuntary else consents
    return _like(
        sex=person.sex,
        age=person.age,
        identified=person.identified,
        basis=person.basis,
        decision=_decision_status(decision, on),
        served=served_at is not None and served_at <= now,
        under_16_reasons=decision is not None and decision.under_16_reasons,
        mother=_mother(person) if held else Tri.NO,
        own=_word(consents, ConsentBy.PERSON, on, now) if consents else _NO_WORD,
        family=_word(consents, ConsentBy.FAMILY, on, now) if consents else _NO_WORD,
        guardian=_word(guardians, ConsentBy.GUARDIAN, on, now) if guardians else _NO_WORD,
        capable=person.capable if consensual and person.age >= ADULT_AGE else Tri.YES,
        police_consent=person.police_consent and person.basis is LegalBasis.VOLUNTARY_IN_CENTRE,
        unfiled=(
            _OUT_MEDICAL_PARTS - person.out_medical
            if person.basis is LegalBasis.OUT_MEDICAL
            else _NOTHING_UNFILED
        ),
        psychiatric=person.psychiatric if involuntary else None,
        psc_time=(
            _psc_time(person.psc_since, on, policy.psc_min_months, policy.psc_max_months)
            if held
            else PscTime.NEVER
        ),
        endangered=held and person.joint_opinion is Tri.YES,
        grade=counted_grade(need, policy),
        assessed=need.grade is not None,
        needs=need.needs - _EVERY_BED if BedKind.GEN in need.needs else need.needs,
        isolation=need.route,
        observation=need.watch,
        examined=need.examined,
        emergency=emergency,
    )


def counted_grade(need: Need, policy: Policy) -> Grade:
    """The grade that counts: the assessed one; without one the emergency grade after a red flag,
    the policy's for a cleared screening, else the policy's cautious one."""
    if need.grade is not None:
        return need.grade
    if need.screening is Screening.RED_FLAG:
        return Grade.G5
    return policy.cleared_grade if need.cleared else policy.unknown_grade


def place(network: Network, bed_id: str) -> Place:
    """The bed reduced to what rules read; beds alike share one, kept beside the network's cached
    properties. Raises KeyError for a bed the network does not have."""
    bed = network.beds[bed_id]
    room = network.rooms[bed.room]
    single = len(network.beds_of_room[bed.room]) == 1
    known: dict[object, Place] = vars(network).setdefault(_PLACES, {})
    alike = (room.unit, room.sex, room.isolation, single, bed.kind, bed.features)
    found = known.get(alike)
    if found is None:
        found = known[alike] = _place(network.units[room.unit], room, bed, single)
    return found


def _place(unit: Unit, room: Room, bed: Bed, single: bool) -> Place:
    return _like_place(
        kind=unit.kind,
        zone=unit.zone if unit.kind in COMPULSORY_CENTRES else Zone.GENERAL,
        custodial=unit.custodial,
        cared_for=unit.medical_owner is not Owner.NONE,
        bases=unit.bases,
        licences=unit.licences,
        sexes=frozenset(it for it in Sex if unit.sex in (None, it) and room.sex in (None, it)),
        min_age=unit.min_age,
        max_age=unit.max_age,
        minors_only=unit.zone is Zone.MINORS or unit.max_age < ADULT_AGE,
        level_of_care=unit.level_of_care,
        observation=unit.observation,
        isolation=room.isolation,
        single=single,
        bed_kind=bed.kind,
        provides=bed.provides,
    )


@lru_cache(maxsize=1 << 14)
def _decision_status(decision: Decision | None, on: date) -> DecisionStatus:
    """What the decision is worth on that day; its last day counts whole."""
    if decision is None:
        return DecisionStatus.MISSING
    if decision.revoked:
        return DecisionStatus.REVOKED
    if decision.body not in _DECIDING_ORGANS:
        return DecisionStatus.WRONG_BODY
    if decision.ground is None:
        return DecisionStatus.NO_GROUND
    if on < decision.starts_on:
        return DecisionStatus.NOT_YET
    return DecisionStatus.EXPIRED if on > decision.ends_on else DecisionStatus.VALID


def _mother(person: Person) -> Tri:
    """Pregnant or nursing, taken together; a man's unasked question counts as no."""
    findings = (person.need.pregnant, person.need.nursing)
    if Tri.YES in findings:
        return Tri.YES
    if person.sex is not Sex.MALE and Tri.UNKNOWN in findings:
        return Tri.UNKNOWN
    return Tri.NO


@lru_cache(maxsize=1 << 12)
def _psc_time(since: date | None, on: date, least: int, most: int) -> PscTime:
    """Where the stay in a police-run centre stands on that day; ``since`` is its first day."""
    if since is None:
        return PscTime.NEVER
    if on >= months_after(since, most):
        return PscTime.OVER
    return PscTime.DUE if on >= months_after(since, least) else PscTime.EARLY


def months_after(first: date, months: int) -> date:
    """The day on which so many whole months are over; the month's last day where it is shorter."""
    years, month = divmod(first.month - 1 + months, 12)
    year, month = first.year + years, month + 1
    return date(year, month, min(first.day, monthrange(year, month)[1]))


@lru_cache(maxsize=1 << 12)
def _word(consents: tuple[Consent, ...], by: ConsentBy, on: date, now: datetime) -> Word:
    """One signer's word on that day. A withdrawal ends every consent that began before the
    withdrawn one, for the same kinds of unit; one signed afresh later stands. A provisional
    word is over at the instant it lapses."""
    mine = [consent for consent in consents if consent.by is by and consent.starts_on <= on]
    if not mine:
        return Word()
    kinds: set[UnitKind] = set()
    signed: set[UnitKind] = set()
    for consent in mine:
        lapsed = consent.lapses_at is not None and consent.lapses_at <= now
        if consent.withdrawn or lapsed or on > consent.ends_on:
            continue
        stands = consent.kinds.difference(
            *(it.kinds for it in mine if it.withdrawn and it.starts_on > consent.starts_on)
        )
        kinds |= stands
        if consent.agreement:
            signed |= stands
    if kinds:
        return Word(ConsentStatus.VALID, frozenset(kinds), frozenset(signed))
    latest = max(mine, key=lambda it: (it.starts_on, it.withdrawn, it.ends_on))
    return Word(
        ConsentStatus.WITHDRAWN if latest.withdrawn else ConsentStatus.EXPIRED,
        frozenset().union(*(it.kinds for it in mine)),
        frozenset().union(*(it.kinds for it in mine if it.agreement)),
    )
