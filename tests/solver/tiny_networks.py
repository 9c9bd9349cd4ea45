"""Tiny networks for the planner: built by hand in a line, or drawn by hypothesis."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from solver.codes import (
    BedState,
    ConsentBy,
    Grade,
    Ground,
    Isolation,
    LegalBasis,
    Licence,
    Observation,
    Organ,
    Owner,
    Security,
    Sex,
    Tri,
    UnitKind,
    Zone,
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
    Request,
    Room,
    Stay,
    Unit,
)

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
ON = date(2026, 11, 23)
TERM = Decision(
    Organ.COUNTY_POLICE,
    Ground.RELAPSE_AFTER,
    date(2026, 1, 1),
    date(2027, 12, 31),
    datetime(2026, 1, 1, tzinfo=UTC),
)


def unit(id: str, kind: UnitKind = UnitKind.PSC, **changes: object) -> Unit:
    """A unit that takes adults and minors of its legal basis up to G3, unless changed."""
    custodial = kind is not UnitKind.CTH
    given: dict[str, object] = {
        "id": id,
        "facility": id.split(".")[0],
        "kind": kind,
        "zone": Zone.GENERAL,
        "level_of_care": Grade.G1 if kind is UnitKind.PSC else Grade.G3,
        "security": Security.CLOSED if custodial else Security.OPEN,
        "observation": Observation.CONSTANT,
        "licences": frozenset({Licence.DRUG_TREATMENT}),
        "bases": frozenset({LegalBasis.COMPULSORY} if custodial else {LegalBasis.CONSTRAINED}),
        "security_owner": Owner.PUBLIC_SECURITY if custodial else Owner.NONE,
    }
    return Unit(**{**given, **changes})  # type: ignore[arg-type]


def person(
    id: str,
    sex: Sex = Sex.MALE,
    grade: Grade | None = Grade.G1,
    isolation: Isolation = Isolation.NONE,
    basis: LegalBasis = LegalBasis.COMPULSORY,
    age: int = 30,
    home: tuple[float, float] | None = None,
    origin_unit: str | None = None,
) -> Person:
    """Somebody whose papers are in order."""
    need = Need(grade, frozenset(), isolation, Observation.NONE, Tri.NO, Tri.NO)
    consents = tuple(
        Consent(by, frozenset({UnitKind.CTH}), date(2026, 11, 1), date(2026, 12, 31), True)
        for by in (ConsentBy.PERSON, ConsentBy.FAMILY)
    )
    held = basis is LegalBasis.COMPULSORY
    return Person(
        id,
        sex,
        age,
        basis,
        TERM if held else None,
        () if held else consents,
        need,
        home,
        origin_unit,
    )


def beds(room: str, count: int) -> list[Bed]:
    """Beds ``room.b1`` and on."""
    return [Bed(f"{room}.b{i}", room) for i in range(1, count + 1)]


def network(
    units: Iterable[Unit],
    rooms: Iterable[tuple[Room, int]],
    persons: Iterable[Person],
    stays: Iterable[Stay] = (),
    requests: Iterable[Request] = (),
    policy: Policy | None = None,
    changed: Iterable[Bed] = (),
) -> Network:
    """A network of these; ``rooms`` with their number of beds, ``changed`` beds replace those of
    the same id."""
    units, rooms = list(units), list(rooms)
    all_beds = {bed.id: bed for room, count in rooms for bed in beds(room.id, count)}
    all_beds.update((bed.id, bed) for bed in changed)
    return Network(
        now=NOW,
        on=ON,
        facilities={it.facility: Facility(it.facility) for it in units},
        units={it.id: it for it in units},
        rooms={room.id: room for room, _ in rooms},
        beds=all_beds,
        persons={it.id: it for it in persons},
        stays=tuple(stays),
        requests=tuple(requests),
        policy=policy or Policy(),
    )


def stay(
    person: str, bed: str, *to: UnitKind, agreed: frozenset[str] | None = None, **changes: Any
) -> Stay:
    """A resident whom a doctor's statement lets move ``to`` these kinds of unit."""
    since = NOW - timedelta(days=9)
    return Stay(
        f"st_{person}",
        person,
        bed,
        since,
        may_move_to=frozenset(to),
        agreed_units=agreed,
        **changes,
    )


def request(person: str, days: int = 1, emergency: bool = False) -> Request:
    """A request that has waited for so many days."""
    return Request(f"rq_{person}", person, NOW - timedelta(days=days), emergency)


_RARELY = {
    Isolation.NONE: 8,
    Isolation.CONTACT: 2,
    Isolation.AIRBORNE: 1,
    Isolation.UNKNOWN: 1,
}
_ISOLATION = st.sampled_from([route for route, times in _RARELY.items() for _ in range(times)])


@st.composite
def tiny_networks(
    draw: st.DrawFn,
    most_people: int = 4,
    most_beds: int = 5,
    reserves: tuple[int, ...] = (0, 0, 1),
    hurry: int = 6,
) -> Network:
    """A centre and a ward (sometimes a hospital) of a few beds, some taken, some people waiting;
    one request in ``hurry`` is an emergency."""
    kinds = [UnitKind.PSC, UnitKind.OMW] + ([UnitKind.CTH] if draw(st.booleans()) else [])
    units, rooms, left = [], [], most_beds
    for i, kind in enumerate(kinds):
        if not left:
            break
        name = f"f{i}.w1"
        numbers = draw(st.lists(st.integers(1, 3), min_size=1, max_size=2))
        for number, wanted in enumerate(numbers):
            size = min(wanted, left)
            if not size:
                break
            left -= size
            cohort = draw(st.integers(0, 4)) == 0
            route = Isolation.AIRBORNE if cohort or draw(st.integers(0, 2)) == 0 else Isolation.NONE
            rooms.append((Room(f"{name}.r{number}", name, None, route, cohort), size))
        staffed = draw(st.sampled_from([None, None, None, 1, 2]))
        reserve = draw(st.sampled_from(reserves))
        units.append(unit(name, kind, staffed_beds=staffed, reserve=reserve))
    room_units = {room.id: room.unit for room, _ in rooms}
    kind_of = {it.id: it.kind for it in units}
    all_beds = [bed for room, count in rooms for bed in beds(room.id, count)]
    changed = []
    for bed in all_beds:
        state = draw(st.sampled_from([BedState.IN_SERVICE] * 8 + [BedState.CLOSED]))
        changed.append(Bed(bed.id, bed.room, state=state, stale=draw(st.integers(0, 5)) == 0))
    free = [bed.id for bed in all_beds]
    people, stays, requests = [], [], []
    for i in range(draw(st.integers(0, most_people))):
        resident = bool(free) and draw(st.booleans())
        bed_id = free.pop(draw(st.integers(0, len(free) - 1))) if resident else None
        consensual = draw(st.integers(0, 4)) == 0
        if bed_id is not None:
            consensual = kind_of[room_units[bed_id.rpartition(".")[0]]] is UnitKind.CTH
        people.append(
            person(
                f"p{i}",
                draw(st.sampled_from(Sex)),
                draw(st.sampled_from([None, Grade.G0, Grade.G1, Grade.G1, Grade.G3])),
                draw(_ISOLATION),
                LegalBasis.CONSTRAINED if consensual else LegalBasis.COMPULSORY,
                home=(float(draw(st.integers(0, 2))), 0.0),
            )
        )
        if bed_id is not None:
            to = draw(st.sets(st.sampled_from([UnitKind.PSC, UnitKind.OMW, UnitKind.CTH])))
            agreed = frozenset(it.id for it in units) if consensual else None
            stays.append(stay(f"p{i}", bed_id, *to, agreed=agreed))
        if bed_id is None:
            requests.append(
                request(f"p{i}", draw(st.integers(0, 3)), draw(st.integers(1, hurry)) == 1)
            )
    policy = Policy(
        max_moves_per_placement=draw(st.sampled_from([0, 1, 2, 2])),
        move_budget=draw(st.sampled_from([0, 1, 2, 200])),
    )
    return network(units, rooms, people, stays, requests, policy, changed)
