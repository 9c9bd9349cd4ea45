"""What each region has for newcomers once the nation's use of rooms and reserves is settled."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from solver.eligibility import Facts
from solver.planning.engine import TOLERANCE, Floats, Ints
from solver.planning.nation.census import PersonKind, Slot
from solver.planning.nation.pooled import Pooled, StayKey


@dataclass(frozen=True, slots=True)
class Waiting:
    """People of a region who wait and are alike: ``remain`` is what one of them costs at levels
    0 and 1 without a bed, ``barred`` the units that declined them."""

    people: tuple[str, ...]
    facts: Facts
    companies: tuple[str, str]
    remain: tuple[int, int]
    barred: frozenset[str]


@dataclass(frozen=True, slots=True)
class Residents:
    """Like residents of a unit who may move: how many; how many may stay in beds of which slot
    (None: nobody else may have those); what one costs left as they are; and the slots of the
    region open to them with what one gains or loses there at levels 2 and 4."""

    unit: str
    many: int
    stays: tuple[tuple[Slot | None, int], ...]
    remain: tuple[int, int]
    moves: tuple[tuple[Slot, int, int], ...]


@dataclass(frozen=True, slots=True)
class Places:
    """How many people a unit can take, the residents who may move included; ``urgent``: of
    newcomers, emergencies alone."""

    many: int
    urgent: bool


@dataclass(frozen=True)
class Sketch:
    """One region: who waits, who may move, beds by slot and places by unit for them."""

    waiting: tuple[Waiting, ...]
    residents: tuple[Residents, ...]
    beds: dict[Slot, int]
    places: dict[str, Places]


def sketches(program: Pooled, x: Floats) -> list[Sketch]:
    """Every region under the use of rooms and reserves of a point."""
    use = _whole(program, x)
    beds: dict[Slot, int] = defaultdict(int)
    for rooms in program.rooms:
        for way, column in zip(rooms.ways, rooms.columns, strict=True):
            for bed in way.beds:
                beds[rooms.slot(bed, way)] += int(use[column])
    slots = list(program.slots)
    may_stay = {
        key: {slot: program.allowed(row, use) for slot, row in heads.items()}
        for key, heads in program.stay_rows.items()
    }
    found = []
    for region, census in enumerate(program.censuses):
        here: dict[str, int] = defaultdict(int)
        for kind, people in census.people.items():
            if kind.home is not None:
                here[kind.home.seat.unit] += len(people)
        places = {}
        for it in census.staff:
            mode = program.mode.get(it.unit)
            urgent = mode is not None and bool(use[mode])
            many = (it.emergencies if urgent else it.others) + here[it.unit]
            places[it.unit] = Places(many, urgent)
        mine = {slot for slot in beds if slot[0].unit in places} | set(census.free)
        own = {slot: beds.get(slot, 0) + census.free.get(slot, 0) for slot in mine}
        ordered = sorted((it for it in own if own[it] > 0), key=lambda it: program.slots[it])
        residents = []
        for kind, people in _sorted(census.people, True):
            stays = _stays(region, kind, len(people), may_stay, slots)
            residents.append(_residents(program, kind, len(people), stays, ordered))
        found.append(
            Sketch(
                tuple(_waiting(kind, people) for kind, people in _sorted(census.people, False)),
                tuple(residents),
                {slot: own[slot] for slot in ordered},
                places,
            )
        )
    return found


def _stays(
    region: int,
    kind: PersonKind,
    many: int,
    may_stay: dict[StayKey, dict[int, int]],
    slots: Sequence[Slot],
) -> tuple[tuple[Slot | None, int], ...]:
    """How many of a kind may stay in beds of which slot; in open rooms as their use allows, the
    first kinds first."""
    home = kind.home
    assert home is not None
    if home.room is None:
        own = None if home.slot is None else (home.seat, home.cohort, home.slot)
        return ((own, many),)
    key = region, home.room, home.seat, home.usable, kind.companies[home.cohort]
    found, left = [], many
    for slot, allowed in sorted(may_stay.get(key, {}).items()):
        staying = min(left, allowed)
        may_stay[key][slot] -= staying
        left -= staying
        found.append((slots[slot] if slot >= 0 else None, staying))
    return tuple(found)


def _whole(program: Pooled, x: Floats) -> Ints:
    """The point with whole uses: of like rooms each use gets its whole part, the rest goes to the
    uses with most left over."""
    use = np.rint(x).astype(np.int64)
    for rooms in program.rooms:
        columns = np.array(rooms.columns, np.int64)
        use[columns] = np.floor(x[columns] + TOLERANCE).astype(np.int64)
        missing = rooms.count - int(use[columns].sum())
        left = sorted(columns.tolist(), key=lambda it: (use[it] - x[it], it))
        use[left[: max(0, missing)]] += 1
    return use


def _sorted(
    people: dict[PersonKind, list[str]], residents: bool
) -> list[tuple[PersonKind, list[str]]]:
    wanted = [(kind, who) for kind, who in people.items() if (kind.home is not None) is residents]
    return sorted(wanted, key=lambda it: min(it[1]))


def _waiting(kind: PersonKind, people: Sequence[str]) -> Waiting:
    who = tuple(sorted(people))
    return Waiting(who, kind.profile.facts, kind.companies, kind.remain, kind.barred)


def _residents(
    program: Pooled,
    kind: PersonKind,
    many: int,
    stays: tuple[tuple[Slot | None, int], ...],
    slots: Sequence[Slot],
) -> Residents:
    assert kind.home is not None
    arcs = program.fits.arcs(kind, enumerate(slots))
    moves = tuple((slots[number], cost[2], cost[4]) for number, cost in arcs)
    return Residents(kind.home.seat.unit, many, stays, kind.remain, moves)
