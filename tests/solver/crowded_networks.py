"""Tiny networks drawn with everything a plan has to heed, all of it often.

Rooms whose use is open with residents in them, cohort rooms, minors, people nobody has identified,
beds promised or held, people who are pinned, on leave or have agreed to some units only, units that
declined, short staff with a reserve and an emergency for it, a budget, and turnaround.
"""

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st

from solver.codes import (
    BedKind,
    BedState,
    Grade,
    Isolation,
    LegalBasis,
    MoveReason,
    PlanStatus,
    Sex,
    UnitKind,
)
from solver.domain import (
    Bed,
    Facility,
    Move,
    Network,
    Person,
    Plan,
    Policy,
    Request,
    Room,
    Stay,
    Unit,
    Unplaced,
)
from tests.solver.tiny_networks import NOW, beds, network, person, stay, unit

KINDS = (UnitKind.PSC, UnitKind.OMW, UnitKind.CTH)
_ROUTES = (Isolation.CONTACT, Isolation.AIRBORNE, Isolation.UNKNOWN)
_NOBODY = "p-outside"


def _one_in(draw: st.DrawFn, times: int) -> bool:
    return draw(st.integers(1, times)) == times


@st.composite
def crowded_networks(draw: st.DrawFn, most_people: int = 4, most_beds: int = 5) -> Network:
    """A centre, a ward and sometimes a hospital of a few beds, most of their people movable."""
    units, rooms, left = [], [], most_beds
    for i, kind in enumerate(KINDS[: draw(st.sampled_from([2, 2, 3]))]):
        name = f"f{i}.w1"
        sizes = draw(st.lists(st.sampled_from([1, 2, 2, 3]), min_size=1, max_size=2))
        for number, wanted in enumerate(sizes):
            size = min(wanted, left)
            left -= size
            if size:
                cohort = _one_in(draw, 4)
                airborne = cohort or _one_in(draw, 3)
                route = Isolation.AIRBORNE if airborne else Isolation.NONE
                sex = draw(st.sampled_from([None] * 5 + [Sex.FEMALE]))
                rooms.append((Room(f"{name}.r{number}", name, sex, route, cohort), size))
        units.append(
            unit(
                name,
                kind,
                min_age=14,
                max_age=draw(st.sampled_from([150, 150, 150, 17])),
                staffed_beds=draw(st.sampled_from([None, 1, 2, 2, 3])),
                reserve=draw(st.sampled_from([0, 0, 1, 1, 2])),
            )
        )
    changed = []
    for bed in [bed for room, count in rooms for bed in beds(room.id, count)]:
        claim = draw(st.sampled_from(["", "", "", "", "", "", "promised", "held"]))
        changed.append(
            replace(
                bed,
                kind=draw(st.sampled_from([BedKind.GEN] * 4 + [BedKind.RSV])),
                state=draw(st.sampled_from([BedState.IN_SERVICE] * 9 + [BedState.CLOSING])),
                stale=_one_in(draw, 5),
                promised=claim == "promised",
                held_for=_NOBODY if claim == "held" else None,
            )
        )
    people, stays, requests = _people(draw, units, changed, most_people)
    made = network(
        units, rooms, people, stays, requests, _policy(draw), _claimed_once(changed, stays)
    )
    far = {it: Facility(it, (float(draw(st.sampled_from([0, 7]))), 0.0)) for it in made.facilities}
    return replace(made, facilities=far)


def _policy(draw: st.DrawFn) -> Policy:
    return Policy(
        max_moves_per_placement=draw(st.sampled_from([0, 1, 2, 2])),
        move_budget=draw(st.sampled_from([0, 1, 2, 3, 200, 200])),
        turnaround=draw(st.sampled_from([timedelta(0), timedelta(hours=2), timedelta(days=2)])),
    )


def _claimed_once(changed: list[Bed], stays: list[Stay]) -> list[Bed]:
    """A bed somebody lives in is not held; one hold for the one person outside."""
    taken, held, found = {it.bed for it in stays}, False, []
    for bed in changed:
        mine = bed.held_for is not None and bed.id not in taken and not held
        held = held or mine
        found.append(bed if mine else replace(bed, held_for=None))
    return found


def _people(
    draw: st.DrawFn, units: list[Unit], changed: list[Bed], most: int
) -> tuple[list[Person], list[Stay], list[Request]]:
    free = [it.id for it in changed]
    kind_of = {it.id: it.kind for it in units}
    names = [it.id for it in units]
    found: list[Person] = [_person(draw, _NOBODY, consensual=_one_in(draw, 4))]
    stays: list[Stay] = []
    requests: list[Request] = []
    for i in range(draw(st.integers(1, most))):
        name = f"p{i}"
        bed = None
        if free and draw(st.sampled_from([True, True, False])):
            bed = free.pop(draw(st.integers(0, len(free) - 1)))
        consensual = _one_in(draw, 4)
        if bed is not None:
            consensual = kind_of[bed.split(".r")[0]] is UnitKind.CTH
        found.append(_person(draw, name, consensual=consensual))
        if bed is not None:
            to = draw(st.sets(st.sampled_from(KINDS), min_size=1))
            bound = draw(st.sampled_from(["", "", "", "", "", "pinned", "leave"]))
            agreed = None
            if consensual or _one_in(draw, 3):
                agreed = frozenset(draw(st.sets(st.sampled_from(names))))
            flags = {"pinned": bound == "pinned", "on_leave": bound == "leave"}
            stays.append(stay(name, bed, *to, agreed=agreed, **flags))
        if bed is None or _one_in(draw, 6):
            declined = (
                draw(st.sets(st.sampled_from(names), max_size=1)) if _one_in(draw, 4) else set()
            )
            if bed is not None:  # whoever lives here asks for a place elsewhere
                declined = declined | {bed.split(".r")[0]}
            since = NOW - timedelta(days=draw(st.integers(0, 3)))
            urgent = _one_in(draw, 3)
            requests.append(Request(f"rq_{name}", name, since, urgent, frozenset(declined)))
    return found, stays, requests


def _person(draw: st.DrawFn, name: str, *, consensual: bool) -> Person:
    made = person(
        name,
        draw(st.sampled_from([Sex.MALE, Sex.MALE, Sex.FEMALE])),
        draw(st.sampled_from([None, Grade.G0, Grade.G1, Grade.G1, Grade.G3])),
        draw(st.sampled_from([Isolation.NONE] * 8 + list(_ROUTES))),
        LegalBasis.CONSTRAINED if consensual else LegalBasis.COMPULSORY,
        draw(st.sampled_from([30, 30, 30, 17])),
        draw(st.sampled_from([None, (0.0, 0.0), (3.0, 0.0)])),
        draw(st.sampled_from([None, None, "f0.w1"])),
    )
    return replace(made, sex=None, identified=False) if _one_in(draw, 12) else made


@st.composite
def last_plans(draw: st.DrawFn, given: Network) -> Plan:
    """A last plan that may be anything: people and beds that are gone, moves carried out since,
    two people in one bed, requests nobody has."""
    people = [*sorted(given.persons), "p-gone"]
    places = [*sorted(given.beds), "gone.w1.r1.b1"]
    moves: list[Move] = []
    for who in draw(st.lists(st.sampled_from(people), unique=True, max_size=5)):
        here = given.stay_of.get(who)
        moves.append(
            Move(
                id=f"m{len(moves):04d}",
                person=who,
                from_bed=draw(st.sampled_from([None if here is None else here.bed, *places])),
                to_bed=draw(st.sampled_from(places)),
                request=draw(st.sampled_from([None, f"rq_{who}", "rq_gone"])),
                reason=draw(st.sampled_from(MoveReason)),
            )
        )
    left = draw(st.lists(st.sampled_from([*sorted(given.request_by_id), "rq_gone"]), max_size=2))
    return Plan(tuple(moves), tuple(Unplaced(it, ()) for it in left), (), PlanStatus.STOPPED, 7)
