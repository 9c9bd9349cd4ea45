"""Small networks for tests: the defaults fit each other, a test changes one thing.

``like`` picks the fitting pair: ``custody`` (a compulsory term, a police-run centre),
``constrained`` and ``voluntary`` (consensual treatment, a designated hospital), ``out_medical``
(out-of-centre treatment, the same hospital), ``involuntary_psychiatric`` (its psychiatric ward).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from typing import Any

from solver.codes import (
    ConsentBy,
    DangerCase,
    Grade,
    Ground,
    Isolation,
    LegalBasis,
    Licence,
    Observation,
    Organ,
    OutMedicalPart,
    Owner,
    Security,
    Sex,
    Tri,
    UnitKind,
)
from solver.domain import (
    Bed,
    Consent,
    Decision,
    Facility,
    Need,
    Network,
    Person,
    Policy,
    Psychiatric,
    Request,
    Room,
    Stay,
    Unit,
)

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
ON = date(2026, 11, 23)
TARGET = "f-1.w1.r1.b1"

_DECISION = Decision(
    Organ.COUNTY_POLICE,
    Ground.SEVERE_ADDICTION,
    date(2026, 11, 1),
    date(2028, 10, 31),
    datetime(2026, 11, 2, 1, 0, tzinfo=UTC),
)
_WELL = Need(Grade.G0, frozenset(), Isolation.NONE, Observation.NONE, Tri.NO, Tri.NO)
_CENTRE = Unit(
    "f-1.w1",
    "f-1",
    UnitKind.PSC,
    level_of_care=Grade.G2,
    security=Security.CLOSED,
    bases=frozenset({LegalBasis.COMPULSORY}),
    security_owner=Owner.PUBLIC_SECURITY,
)
_FOUND = Psychiatric(severe=True, case=DangerCase.OTHERS)
_HOSPITAL = Unit(
    "f-1.w1",
    "f-1",
    UnitKind.CTH,
    level_of_care=Grade.G3,
    observation=Observation.FREQUENT,
    licences=frozenset({Licence.DRUG_TREATMENT}),
    bases=frozenset({LegalBasis.CONSTRAINED, LegalBasis.VOLUNTARY, LegalBasis.OUT_MEDICAL}),
)


def a_consent(by: ConsentBy, **changes: Any) -> Consent:
    """A signed agreement to treatment in a designated hospital, in force today."""
    first, last = date(2026, 11, 1), date(2026, 12, 31)
    consent = Consent(by, frozenset({UnitKind.CTH}), first, last, agreement=True)
    return replace(consent, **changes)


def a_person(id: str = "p-1", like: str = "custody", **changes: Any) -> Person:
    """A well man of 30 whose papers are in order; ``changes`` are fields of ``Person``, of its
    ``Need`` and of its ``Decision``."""
    basis = LegalBasis.COMPULSORY if like == "custody" else LegalBasis(like)
    signers = {
        "constrained": (ConsentBy.PERSON, ConsentBy.FAMILY),
        "voluntary": (ConsentBy.PERSON,),
    }.get(like, ())
    person = Person(
        id,
        Sex.MALE,
        30,
        basis,
        _DECISION if like in ("custody", "out_medical") else None,
        tuple(a_consent(by) for by in signers),
        _WELL,
    )
    if basis is LegalBasis.OUT_MEDICAL:
        person = replace(person, out_medical=frozenset(OutMedicalPart))
    if basis is LegalBasis.INVOLUNTARY_PSYCHIATRIC:
        person = replace(person, psychiatric=_FOUND)
    need = _only(Need, changes)
    decision = _only(Decision, changes)
    if need:
        person = replace(person, need=replace(person.need, **need))
    if decision:
        person = replace(person, decision=replace(person.decision or _DECISION, **decision))
    return replace(person, **_only(Person, changes))


@dataclass(frozen=True)
class Ward:
    """A unit with its rooms and beds."""

    unit: Unit
    rooms: tuple[Room, ...]
    beds: tuple[Bed, ...]


def a_ward(
    id: str = "f-1.w1",
    like: str = "custody",
    rooms: Iterable[int] = (4,),
    room: Mapping[str, Any] | None = None,
    bed: Mapping[str, Any] | None = None,
    **unit: Any,
) -> Ward:
    """A ward with rooms of so many beds, ``<id>.r1.b1`` and on; ``room`` and ``bed`` change all
    of them alike, the rest changes the unit."""
    base = _CENTRE if like == "custody" else _HOSPITAL
    if like == "involuntary_psychiatric":
        base = replace(
            base,
            licences=base.licences | {Licence.PSYCHIATRIC},
            bases=base.bases | {LegalBasis.INVOLUNTARY_PSYCHIATRIC},
        )
    made = replace(base, id=id, facility=id.partition(".")[0], **unit)
    made_rooms, made_beds = [], []
    for number, size in enumerate(rooms, 1):
        room_id = f"{id}.r{number}"
        made_rooms.append(replace(Room(room_id, id), **(room or {})))
        made_beds += [
            replace(Bed(f"{room_id}.b{place}", room_id), **(bed or {}))
            for place in range(1, size + 1)
        ]
    return Ward(made, tuple(made_rooms), tuple(made_beds))


def a_network(
    *wards: Ward,
    persons: Iterable[Person] = (),
    stays: Iterable[Stay] = (),
    requests: Iterable[Request] = (),
    beds: Mapping[str, Mapping[str, Any]] | None = None,
    policy: Policy | None = None,
    **changes: Any,
) -> Network:
    """The wards as one network; ``beds`` changes single beds by id."""
    every = {it.id: it for ward in wards for it in ward.beds}
    for bed, change in (beds or {}).items():
        every[bed] = replace(every[bed], **change)
    network = Network(
        now=NOW,
        on=ON,
        facilities={ward.unit.facility: Facility(ward.unit.facility) for ward in wards},
        units={ward.unit.id: ward.unit for ward in wards},
        rooms={it.id: it for ward in wards for it in ward.rooms},
        beds=every,
        persons={it.id: it for it in persons},
        stays=tuple(stays),
        requests=tuple(requests),
        policy=policy or Policy(),
    )
    return replace(network, **changes)


def a_place_network(like: str = "custody", **changes: Any) -> Network:
    """One room of four beds, ``TARGET`` the first. ``changes`` are fields of the unit;
    ``room_isolation``, ``room_sex``, ``room_cohort``, ``bed_kind``, ``bed_features`` and
    ``beds_in_room`` those of room and bed."""
    size = changes.pop("beds_in_room", 4)
    room = {key[5:]: changes.pop(key) for key in list(changes) if key.startswith("room_")}
    bed = {key[4:]: changes.pop(key) for key in list(changes) if key.startswith("bed_")}
    return a_network(a_ward(like=like, rooms=(size,), room=room, bed=bed, **changes))


def a_stay(person: str, bed: str, **changes: Any) -> Stay:
    """Somebody in a bed; not movable unless the test says so."""
    stay = Stay(f"st-{person}", person, bed, datetime(2026, 11, 10, tzinfo=UTC))
    return replace(stay, **changes)


def a_request(person: str, **changes: Any) -> Request:
    """A request waiting for a day."""
    request = Request(f"rq-{person}", person, datetime(2026, 11, 22, 1, 0, tzinfo=UTC))
    return replace(request, **changes)


def _only(cls: type, changes: Mapping[str, Any]) -> dict[str, Any]:
    names = {it.name for it in fields(cls)}
    return {key: value for key, value in changes.items() if key in names}
