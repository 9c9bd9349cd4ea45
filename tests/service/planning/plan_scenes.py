"""Small networks in which a plan has something to do that must go in one order only."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from solver.codes import Grade, Sex, UnitKind
from solver.domain import Bed, Network, Person, Request, Room, Stay
from solver.synthetic import city
from tests.service.planning.full_ward import CENTRE, RESIDENTS, WAITING, WARD, full_ward

POLICE_CENTRE = "psc-1.w1"


def rebuilt(
    rooms: Mapping[str, int],
    people: Mapping[str, tuple[Sex, Grade]],
    living: Mapping[str, tuple[str, UnitKind | None]],
    waiting: Mapping[str, bool],
    ward: Mapping[str, object] | None = None,
) -> Network:
    """The full ward's two units and a police-run centre, with other rooms and people in them.

    ``rooms``: beds by room. ``living``: bed, and where a doctor lets them move. ``waiting``:
    whether by the emergency lane; who is named first has waited longest. ``ward``: what is
    different about the ward.
    """
    base = full_ward()
    at = base.now
    units = {it.id: replace(it, sex=None) for it in base.units.values()}
    units[POLICE_CENTRE] = replace(
        units[CENTRE], id=POLICE_CENTRE, facility="psc-1", kind=UnitKind.PSC
    )
    units[WARD] = replace(units[WARD], **(ward or {}))  # type: ignore[arg-type]
    pattern = base.persons[RESIDENTS[0]]

    def somebody(name: str) -> Person:
        sex, grade = people[name]
        need = replace(pattern.need, grade=grade)
        return replace(pattern, id=name, sex=sex, need=need)

    facility = next(iter(base.facilities.values()))
    return replace(
        base,
        facilities={it: replace(facility, id=it) for it in ("jsc-1", "omw-1", "psc-1")},
        units=units,
        rooms={it: Room(it, it.rpartition(".")[0]) for it in rooms},
        beds={
            f"{room}.b{n}": Bed(f"{room}.b{n}", room)
            for room, size in rooms.items()
            for n in range(1, size + 1)
        },
        persons={it: somebody(it) for it in people},
        stays=tuple(
            Stay(
                f"st_{who}",
                who,
                bed,
                at - timedelta(days=20),
                may_move_to=frozenset() if to is None else frozenset({to}),
            )
            for who, (bed, to) in living.items()
        ),
        requests=tuple(
            Request(f"rq_{who}", who, at - timedelta(hours=9 - i), emergency)
            for i, (who, emergency) in enumerate(waiting.items())
        ),
    )


MAN, WOMAN = Sex.MALE, Sex.FEMALE
ILL, WELL = Grade.G3, Grade.G1


def a_room_for_women() -> Network:
    """Two men live in a room of three; two women wait for beds in it, one of which is free."""
    return rebuilt(
        {f"{CENTRE}.r1": 2, f"{WARD}.r1": 3},
        {"p-man00001": (MAN, WELL), "p-man00002": (MAN, WELL)}
        | dict.fromkeys(WAITING, (WOMAN, ILL)),
        {
            "p-man00001": (f"{WARD}.r1.b1", UnitKind.JSC),
            "p-man00002": (f"{WARD}.r1.b3", UnitKind.JSC),
        },
        dict.fromkeys(WAITING, False),
    )


def a_ward_short_of_staff() -> Network:
    """Two of the ward's three rooms are taken, and its staff can look after two."""
    return rebuilt(
        {f"{CENTRE}.r1": 2, **{f"{WARD}.r{n}": 1 for n in (1, 2, 3)}},
        dict.fromkeys(RESIDENTS, (MAN, WELL)) | dict.fromkeys(WAITING, (MAN, ILL)),
        {it: (f"{WARD}.r{n}.b1", UnitKind.JSC) for n, it in enumerate(RESIDENTS, 1)},
        dict.fromkeys(WAITING, False),
        {"staffed_beds": 2},
    )


def a_chain() -> Network:
    """The ward's resident goes back to a centre; somebody too ill for theirs follows; a third
    person takes the bed that is free then."""
    return rebuilt(
        {f"{CENTRE}.r1": 1, f"{WARD}.r1": 1, f"{POLICE_CENTRE}.r1": 1},
        {"p-back0001": (MAN, WELL), "p-worse001": (MAN, ILL), "p-newcomer": (MAN, WELL)},
        {
            "p-back0001": (f"{WARD}.r1.b1", UnitKind.JSC),
            "p-worse001": (f"{POLICE_CENTRE}.r1.b1", UnitKind.OMW),
        },
        {"p-newcomer": False},
    )


def an_emergency_and_a_reserve() -> Network:
    """One of the ward's three beds is kept for emergencies. Two wait, one by that lane; the other
    comes only when the one who lives there has gone back."""
    return rebuilt(
        {f"{CENTRE}.r1": 1, **{f"{WARD}.r{n}": 1 for n in (1, 2, 3)}},
        {RESIDENTS[0]: (MAN, WELL)} | dict.fromkeys(WAITING, (MAN, ILL)),
        {RESIDENTS[0]: (f"{WARD}.r1.b1", UnitKind.JSC)},
        {WAITING[0]: False, WAITING[1]: True},
        {"reserve": 1},
    )


def part_of_a_city(seed: int, nth: int = 12) -> Network:
    """Every so-manieth room of a crowded city of this moment, with whoever lives in it."""
    whole = city(seed, 0.97, now=datetime.now(UTC))
    rooms = {room for unit in whole.units for room in whole.rooms_of_unit[unit][::nth]}
    beds = {bed: it for bed, it in whole.beds.items() if it.room in rooms}
    stays = tuple(it for it in whole.stays if it.bed in beds)
    requests = whole.requests[::nth]
    people = {it.person for it in stays} | {it.person for it in requests}
    return replace(
        whole,
        rooms={room: it for room, it in whole.rooms.items() if room in rooms},
        beds=beds,
        persons={it: person for it, person in whole.persons.items() if it in people},
        stays=stays,
        requests=requests,
    )


SCENES: Final[Mapping[str, Callable[[], Network]]] = {
    "a full ward": full_ward,
    "a room for women": a_room_for_women,
    "a ward short of staff": a_ward_short_of_staff,
    "a chain": a_chain,
    "an emergency and a reserve": an_emergency_and_a_reserve,
}
