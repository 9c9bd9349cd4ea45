"""The places of a synthetic city: which wards, rooms and beds each kind of facility has."""

from collections.abc import Iterator
from dataclasses import dataclass

from solver.codes import (
    COMPULSORY_CENTRES,
    BedKind,
    Grade,
    Isolation,
    LegalBasis,
    Licence,
    Observation,
    Owner,
    Security,
    Sex,
    UnitKind,
    Zone,
)
from solver.domain import Bed, Facility, Room, Unit

CITY_KM = 100.0
"""How far apart cities are, from middle to middle."""
_HOSPITAL_BEDS = (200, 160, 160, 140, 140, 120, 100, 100, 80)
_G, _N, _P = BedKind.GEN, BedKind.NUR, BedKind.PSY
_AIR, _CONTACT, _OPEN = Isolation.AIRBORNE, Isolation.CONTACT, Isolation.NONE

Rooms = tuple[tuple[int, int, BedKind, Isolation], ...]
"""Rooms of a ward as (how many, beds in each, bed kind, isolation route)."""


@dataclass(frozen=True)
class Inventory:
    """The places of one or more cities, in the order they were made."""

    facilities: dict[str, Facility]
    units: dict[str, Unit]
    rooms: dict[str, Room]
    beds: dict[str, Bed]


@dataclass(frozen=True)
class _Ward:
    zone: Zone
    rooms: Rooms
    sex: Sex | None = Sex.MALE
    ages: tuple[int, int] = (18, 150)
    level: Grade = Grade.G1
    watch: Observation = Observation.NONE
    reserve: int = 0
    times: int = 1
    kind: UnitKind | None = None


def _sick(rooms: Rooms, sex: Sex, times: int = 1, zone: Zone = Zone.SICK_DISABLED) -> _Ward:
    return _Ward(zone, rooms, sex, level=Grade.G2, watch=Observation.FREQUENT, times=times)


def _centre(kind: UnitKind) -> tuple[_Ward, ...]:
    brigade: Rooms = ((14, 8, _G, _OPEN),)
    if kind is UnitKind.PSC:
        return (
            _Ward(Zone.NEW_ARRIVALS, ((12, 8, _G, _OPEN),)),
            _Ward(Zone.GENERAL, brigade, times=5),
            _Ward(Zone.DETOX, ((8, 4, BedKind.DTX, _OPEN),), watch=Observation.FREQUENT),
            _sick(((12, 6, _N, _OPEN),), Sex.MALE),
            _sick(
                ((8, 1, BedKind.ISO_A, _AIR), (6, 2, BedKind.ISO_C, _CONTACT)),
                Sex.MALE,
                zone=Zone.ISOLATION,
            ),
            _Ward(Zone.WOMEN, ((12, 8, _G, _OPEN),), Sex.FEMALE),
            _sick(((3, 4, _N, _OPEN), (4, 1, BedKind.ISO_A, _AIR)), Sex.FEMALE),
            _Ward(Zone.MINORS, ((2, 4, _G, _OPEN),), ages=(16, 17)),
        )
    return (
        _Ward(Zone.NEW_ARRIVALS, ((16, 8, _G, _OPEN),)),
        _Ward(Zone.ADAPTATION, brigade, times=4),
        _Ward(Zone.CONSOLIDATION, brigade, times=2),
        _Ward(Zone.RETURN_GUIDANCE, brigade, times=2),
        _sick(((16, 6, _N, _OPEN),), Sex.MALE, times=2),
        _sick(
            ((12, 1, BedKind.ISO_A, _AIR), (10, 2, BedKind.ISO_C, _CONTACT)),
            Sex.MALE,
            zone=Zone.ISOLATION,
        ),
        _Ward(Zone.WOMEN, ((16, 8, _G, _OPEN),), Sex.FEMALE),
        _Ward(Zone.WOMEN, ((10, 8, _G, _OPEN),), Sex.FEMALE),
        _sick(((5, 4, _N, _OPEN), (4, 1, BedKind.ISO_A, _AIR)), Sex.FEMALE),
        _Ward(Zone.MINORS, ((3, 4, _G, _OPEN),), ages=(16, 17)),
        _Ward(Zone.MINORS, ((2, 4, _G, _OPEN),), Sex.FEMALE, ages=(16, 17)),
    )


def _ward_site() -> tuple[_Ward, ...]:
    constant = Observation.CONSTANT
    return (
        _Ward(
            Zone.MEDICAL,
            ((10, 4, _N, _OPEN), (12, 3, _N, _OPEN), (2, 2, _N, _OPEN)),
            None,
            level=Grade.G3,
            watch=constant,
            reserve=2,
            times=4,
        ),
        _Ward(Zone.PSYCHIATRIC, ((10, 4, _P, _OPEN),), None, level=Grade.G3, watch=constant),
        _Ward(
            Zone.ISOLATION,
            ((20, 1, BedKind.ISO_A, _AIR), (10, 2, BedKind.ISO_C, _CONTACT)),
            None,
            level=Grade.G3,
            watch=constant,
        ),
    )


def _hospital(beds: int, first: bool, general: bool) -> tuple[_Ward, ...]:
    level = Grade.G4 if general else Grade.G3
    constant = Observation.CONSTANT
    secure = _Ward(
        Zone.MEDICAL,
        ((4, 2, _N, _OPEN), (4, 1, BedKind.ISO_A, _AIR)),
        None,
        level=Grade.G4,
        watch=constant,
        kind=UnitKind.SEC,
    )
    left = beds - beds // 5 - 4 - (12 if first else 0)
    cycles, rest = divmod(left, 12)
    rooms: list[tuple[int, int, BedKind, Isolation]] = [
        (cycles, size, BedKind.DTX if size == 3 else _N, _OPEN) for size in (4, 3, 2)
    ]
    rooms += [(cycles * 3, 1, _N, _OPEN)]
    if rest:
        fours, last = divmod(rest, 4)
        extra = ((fours, 4), (1, last))
        rooms += [(count, size, _N, _OPEN) for count, size in extra if count * size]
    return (
        _Ward(Zone.DETOX, tuple(rooms), None, level=level, watch=constant, reserve=2),
        _Ward(Zone.PSYCHIATRIC, ((beds // 20, 4, _P, _OPEN),), None, level=level, watch=constant),
        _Ward(Zone.ISOLATION, ((4, 1, BedKind.ISO_A, _AIR),), None, level=level, watch=constant),
        *((secure,) if first else ()),
    )


def inventory(cities: int = 1) -> Inventory:
    """The places of ``cities`` cities, 4,000 beds each, 100 km apart; no chance is involved.

    The first city's ids are bare (``psc-1.w2.r05.b1``), the others' start with ``c2-``, ``c3-``.
    Raises ``ValueError`` when ``cities`` is below 1.
    """
    if cities < 1:
        raise ValueError(f"cities: {cities} - give at least 1")
    found = Inventory({}, {}, {}, {})
    for number in range(1, cities + 1):
        prefix = "" if number == 1 else f"c{number}-"
        east = CITY_KM * (number - 1)
        for name, kind, wards, at in _sites():
            facility = Facility(prefix + name, (east + at[0], at[1]))
            found.facilities[facility.id] = facility
            copies = [ward for ward in wards for _ in range(ward.times)]
            for index, ward in enumerate(copies, 1):
                _add_unit(found, facility.id, f"{facility.id}.w{index}", ward.kind or kind, ward)
    return found


def _sites() -> Iterator[tuple[str, UnitKind, tuple[_Ward, ...], tuple[float, float]]]:
    yield "psc-1", UnitKind.PSC, _centre(UnitKind.PSC), (6.0, 14.0)
    yield "jsc-1", UnitKind.JSC, _centre(UnitKind.JSC), (-18.0, 9.0)
    yield "omw-1", UnitKind.OMW, _ward_site(), (2.0, -4.0)
    for i, beds in enumerate(_HOSPITAL_BEDS):
        at = (float((i * 7) % 23 - 11), float((i * 11) % 19 - 9))
        yield f"cth-{i + 1}", UnitKind.CTH, _hospital(beds, i == 0, i < 4), at


def _add_unit(found: Inventory, facility: str, unit: str, kind: UnitKind, ward: _Ward) -> None:
    custodial = kind is not UnitKind.CTH
    owner = {UnitKind.CTH: Owner.NONE, UnitKind.JSC: Owner.JUSTICE}.get(kind, Owner.PUBLIC_SECURITY)
    closed = Security.CLOSED if kind in COMPULSORY_CENTRES else Security.GUARDED
    licences = {Licence.DRUG_TREATMENT}
    if ward.level >= Grade.G3:
        licences |= {Licence.PSYCHIATRIC, Licence.INFECTIOUS}
    found.units[unit] = Unit(
        id=unit,
        facility=facility,
        kind=kind,
        sex=ward.sex,
        min_age=ward.ages[0],
        max_age=ward.ages[1],
        zone=ward.zone,
        level_of_care=ward.level,
        security=closed if custodial else Security.OPEN,
        observation=ward.watch,
        licences=frozenset(licences),
        bases=_bases(custodial, ward.zone),
        security_owner=owner,
        medical_owner=Owner.HEALTH if ward.level >= Grade.G3 else owner,
        reserve=ward.reserve,
    )
    number = 0
    for count, size, bed_kind, route in ward.rooms:
        for _ in range(count):
            number += 1
            room = f"{unit}.r{number:02d}"
            shares = route is _CONTACT
            found.rooms[room] = Room(room, unit, isolation=route, cohort=shares)
            for place in range(1, size + 1):
                features = _features(bed_kind, ward.level, place, number)
                bed = f"{room}.b{place}"
                found.beds[bed] = Bed(bed, room, bed_kind, features)


def _bases(custodial: bool, zone: Zone) -> frozenset[LegalBasis]:
    if custodial:
        return frozenset({LegalBasis.COMPULSORY})
    agreed = frozenset({LegalBasis.CONSTRAINED, LegalBasis.VOLUNTARY})
    psychiatric = zone is Zone.PSYCHIATRIC
    return agreed | {LegalBasis.INVOLUNTARY_PSYCHIATRIC} if psychiatric else agreed


def _features(kind: BedKind, level: Grade, place: int, number: int) -> frozenset[BedKind]:
    features = set()
    if kind is _P or (kind is _N and level >= Grade.G3 and place == 2 and number % 3 == 0):
        features.add(BedKind.OBS)
    if kind is _N and place == 1 and number % 4 == 0:
        features.add(BedKind.ACC)
    if kind in (BedKind.ISO_A, BedKind.ISO_C):
        features.add(_N)
    return frozenset(features)
