"""What the rules read: a person reduced to codes for one day, a bed reduced to its attributes.

Two people with equal ``Facts`` are refused by the same rules everywhere, two beds with equal
``Place`` refuse the same people; so every rule is evaluated once per distinct pair.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from solver.codes import (
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
    Sex,
    Tri,
    UnitKind,
    Zone,
)
from solver.domain import Consent, Decision, Network, Person, Policy

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
    """

    sex: Sex
    age: int
    basis: LegalBasis | None = None
    decision: DecisionStatus = DecisionStatus.MISSING
    served: bool = False
    under_16_reasons: bool = False
    mother: Tri = Tri.NO
    own: Word = Word()
    family: Word = Word()
    guardian: Word = Word()
    grade: Grade = Grade.G0
    assessed: bool = True
    needs: frozenset[BedKind] = frozenset()
    isolation: Isolation = Isolation.NONE
    observation: Observation = Observation.NONE
    emergency: bool = False

    @property
    def minor(self) -> bool:
        """Under 18 full years."""
        return self.age < ADULT_AGE


@dataclass(frozen=True, slots=True)
class Place:
    """A bed as the rules see it: its unit's and room's attributes and its own equipment.

    ``minors_only``: nobody of 18 or more is taken. ``isolation``: the strongest route the room
    can isolate. ``single``: the room has this one bed. ``provides`` is the bed's kind and features.
    """

    kind: UnitKind
    custodial: bool = False
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


def facts(
    person: Person, on: date, now: datetime, policy: Policy, *, emergency: bool = False
) -> Facts:
    """The person reduced to what rules read on legal day ``on`` at instant ``now`` (aware UTC)."""
    need = person.need
    under_term = person.basis in UNDER_TERM
    consensual = person.basis in CONSENSUAL_BASES
    decision = person.decision if under_term else None
    served_at = decision.served_at if decision else None
    consents = person.consents if consensual else ()
    return Facts(
        sex=person.sex,
        age=person.age,
        basis=person.basis,
        decision=_decision_status(decision, on),
        served=served_at is not None and served_at <= now,
        under_16_reasons=decision is not None and decision.under_16_reasons,
        mother=_mother(person) if person.basis is LegalBasis.COMPULSORY else Tri.NO,
        own=_word(consents, ConsentBy.PERSON, on),
        family=_word(consents, ConsentBy.FAMILY, on),
        guardian=_word(consents, ConsentBy.GUARDIAN, on),
        grade=policy.unknown_grade if need.grade is None else need.grade,
        assessed=need.grade is not None,
        needs=need.needs - {BedKind.GEN},
        isolation=need.isolation,
        observation=need.observation,
        emergency=emergency,
    )


def place(network: Network, bed_id: str) -> Place:
    """The bed reduced to what rules read. Raises KeyError for a bed the network does not have."""
    bed = network.beds[bed_id]
    room = network.rooms[bed.room]
    unit = network.units[room.unit]
    sexes = {sex for sex in Sex if unit.sex in (None, sex) and room.sex in (None, sex)}
    return Place(
        kind=unit.kind,
        custodial=unit.custodial,
        bases=unit.bases,
        licences=unit.licences,
        sexes=frozenset(sexes),
        min_age=unit.min_age,
        max_age=unit.max_age,
        minors_only=unit.zone is Zone.MINORS or unit.max_age < ADULT_AGE,
        level_of_care=unit.level_of_care,
        observation=unit.observation,
        isolation=room.isolation,
        single=len(network.beds_of_room[room.id]) == 1,
        bed_kind=bed.kind,
        provides=bed.provides,
    )


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
    if person.sex is Sex.FEMALE and Tri.UNKNOWN in findings:
        return Tri.UNKNOWN
    return Tri.NO


def _word(consents: Iterable[Consent], by: ConsentBy, on: date) -> Word:
    """One signer's word on that day. A withdrawal ends every consent that began before the
    withdrawn one, for the same kinds of unit; one signed afresh later stands."""
    mine = [consent for consent in consents if consent.by is by and consent.starts_on <= on]
    if not mine:
        return Word()
    kinds: set[UnitKind] = set()
    signed: set[UnitKind] = set()
    for consent in mine:
        if consent.withdrawn or on > consent.ends_on:
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
