"""The networks of the planner's cases: each a ward or two, and one thing that may be otherwise."""

from dataclasses import replace
from typing import Any

from solver.codes import BedState, Grade, Isolation, LegalBasis, Sex, UnitKind
from solver.domain import Bed, Network, Person, Policy, Request, Room
from tests.solver.planned import CENTRE, CONSTRAINED, HOSPITAL, WARD
from tests.solver.tiny_networks import NOW, network, person, request, stay, unit

ILL = Grade.G3
BOTH = frozenset({LegalBasis.COMPULSORY, CONSTRAINED})
R = "omw.w1.r1"
"""The ward's room, which most cases are about."""


def one_room(size: int, *people: Person, urgent: tuple[str, ...] = (), **more: Any) -> Network:
    """One ward with one room of so many beds; everybody waits, the first the longest."""
    of_room = {it: more.pop(it) for it in ("sex", "isolation", "cohort") if it in more}
    changed = more.pop("changed", ())
    waiting = [request(it.id, 9 - i, emergency=it.id in urgent) for i, it in enumerate(people)]
    room = Room(R, "omw.w1", **of_room)
    return network(
        [unit("omw.w1", WARD, **more)], [(room, size)], people, (), waiting, changed=changed
    )


def a_bed(bed: str, **change: Any) -> Bed:
    return replace(Bed(bed, R), **change)


def with_a_hold(like: Person, *waiting: Person) -> Network:
    """The second bed of a room is held for somebody else, the third not clean yet."""
    held = a_bed(f"{R}.b2", held_for="p9")
    unclean = a_bed(f"{R}.b3", state=BedState.HOUSEKEEPING)
    made = one_room(3, *(waiting or (person("p0", grade=ILL),)), changed=[held, unclean])
    return replace(made, persons={**made.persons, "p9": like})


def beside(resident: Person, size: int = 2, **more: Any) -> Network:
    """One waits; somebody who may not be moved lives in the second bed of the room."""
    made = one_room(size, person("p0", grade=ILL), **more)
    there = (stay(resident.id, f"{R}.b2"),)
    return replace(made, persons={**made.persons, resident.id: resident}, stays=there)


def emergency_behind_a_departure() -> Network:
    """The emergency needs the room that somebody leaves; one more waits; one place is kept."""
    return network(
        [unit("psc.w1"), unit("omw.w1", WARD, reserve=1)],
        [
            (Room("psc.w1.r1", "psc.w1"), 1),
            (Room(R, "omw.w1", None, Isolation.AIRBORNE), 1),
            (Room("omw.w1.r2", "omw.w1"), 2),
        ],
        [
            person("p0"),
            person("p1", grade=ILL, isolation=Isolation.AIRBORNE),
            person("p2", grade=ILL),
        ],
        [stay("p0", f"{R}.b1", CENTRE)],
        [request("p1", emergency=True), request("p2")],
    )


def emergency_elsewhere() -> Network:
    """Two wards of one bed, one of them kept; the other declined whoever is no emergency."""
    return network(
        [unit("omw.w1", WARD, reserve=1), unit("omw.w2", WARD)],
        [(Room(R, "omw.w1"), 1), (Room("omw.w2.r1", "omw.w2"), 1)],
        [person("p0", grade=ILL), person("p1", grade=ILL, origin_unit="omw.w2")],
        (),
        [
            Request("rq_p0", "p0", NOW, declined_units=frozenset({"omw.w2"})),
            request("p1", emergency=True),
        ],
    )


def to_another_centre(kind: UnitKind) -> Network:
    """Somebody whose unit cannot care for them; the police's centre could."""
    return network(
        [unit("one.w1", kind, level_of_care=Grade.G2), unit("psc.w1", level_of_care=ILL)],
        [(Room("one.w1.r1", "one.w1"), 1), (Room("psc.w1.r1", "psc.w1"), 1)],
        [person("p0", grade=ILL)],
        [stay("p0", "one.w1.r1.b1", CENTRE)],
    )


def full_ward(policy: Policy | None = None, **of_stay: Any) -> Network:
    """The ward's one bed is taken by somebody fit for the centre, somebody ill waits for it."""
    return network(
        [unit("psc.w1"), unit("omw.w1", WARD)],
        [(Room("psc.w1.r1", "psc.w1"), 1), (Room(R, "omw.w1"), 1)],
        [person("p0"), person("p1", grade=ILL)],
        [stay("p0", f"{R}.b1", *of_stay.pop("to", (CENTRE,)), **of_stay)],
        [request("p1")],
        policy,
    )


def two_hospitals(agreed: frozenset[str], policy: Policy | None = None) -> Network:
    """Two hospitals, the better one full; whom it has is fit for the other."""
    return network(
        [unit(f"cth{i}.w1", HOSPITAL, level_of_care=Grade(2 + i)) for i in (1, 2)],
        [(Room(f"cth{i}.w1.r1", f"cth{i}.w1"), 1) for i in (1, 2)],
        [person("p0", basis=CONSTRAINED), person("p1", grade=Grade.G4, basis=CONSTRAINED)],
        [stay("p0", "cth2.w1.r1.b1", HOSPITAL, agreed=agreed)],
        [request("p1")],
        policy,
    )


def three_hospitals(most: int) -> Network:
    """Three hospitals, each grade fits one; the one who waits needs both residents to move up."""
    return network(
        [unit(f"cth{i}.w1", HOSPITAL, level_of_care=Grade(i)) for i in (1, 2, 3)],
        [(Room(f"cth{i}.w1.r1", f"cth{i}.w1"), 1) for i in (1, 2, 3)],
        [person(f"p{i}", grade=Grade(3 - i), basis=CONSTRAINED) for i in (0, 1, 2)],
        [
            stay("p1", "cth3.w1.r1.b1", HOSPITAL, agreed=frozenset({"cth2.w1"})),
            stay("p2", "cth2.w1.r1.b1", HOSPITAL, agreed=frozenset({"cth1.w1"})),
        ],
        [request("p0")],
        Policy(max_moves_per_placement=most),
    )


def two_too_ill(budget: int) -> Network:
    """Two in the centre are too ill for it."""
    return network(
        [unit("psc.w1"), unit("omw.w1", WARD, level_of_care=Grade.G4)],
        [(Room("psc.w1.r1", "psc.w1"), 2), (Room(R, "omw.w1"), 2)],
        [person("p0", grade=ILL), person("p1", grade=Grade.G4)],
        [stay(f"p{i}", f"psc.w1.r1.b{i + 1}", WARD) for i in (0, 1)],
        policy=Policy(move_budget=budget),
    )


def change_places(free: int) -> Network:
    """Two who would have to change places, and so many free beds in the centre."""
    return network(
        [unit("psc.w1"), unit("omw.w1", WARD)],
        [(Room("psc.w1.r1", "psc.w1"), 1 + free), (Room(R, "omw.w1"), 1)],
        [person("p0", grade=ILL), person("p1")],
        [stay("p0", "psc.w1.r1.b1", WARD), stay("p1", f"{R}.b1", CENTRE)],
    )


def short_of_staff(staffed: int, **of_stay: Any) -> Network:
    """The ward has two beds, the resident in one of them may leave; somebody ill waits."""
    return network(
        [unit("psc.w1"), unit("omw.w1", WARD, staffed_beds=staffed)],
        [
            (Room("psc.w1.r1", "psc.w1"), 1),
            (Room(R, "omw.w1"), 1),
            (Room("omw.w1.r2", "omw.w1"), 1),
        ],
        [person("p0"), person("p1", grade=ILL)],
        [stay("p0", f"{R}.b1", *of_stay.pop("to", (CENTRE,)), **of_stay)],
        [request("p1")],
        Policy(ward_weight=0),
    )


def man_in_the_way(*to: Any) -> Network:
    """A man lives in the ward's room of two; two women wait for it."""
    return network(
        [unit("psc.w1", sex=Sex.MALE), unit("omw.w1", WARD)],
        [(Room("psc.w1.r1", "psc.w1"), 1), (Room(R, "omw.w1"), 2)],
        [person("p0"), *(person(f"p{i}", Sex.FEMALE, ILL) for i in (1, 2))],
        [stay("p0", f"{R}.b2", *to)],
        [request("p1", 2), request("p2", 1)],
    )


def isolated_leaves(isolation: Isolation) -> Network:
    """Somebody who may go to another ward leaves a bed that somebody ill waits for."""
    return network(
        [unit("omw.w1", WARD), unit("omw.w2", WARD, level_of_care=Grade.G2)],
        [(Room(R, "omw.w1"), 1), (Room("omw.w2.r1", "omw.w2", None, Isolation.AIRBORNE), 1)],
        [person("p0", isolation=isolation), person("p1", grade=ILL)],
        [stay("p0", f"{R}.b1", WARD)],
        [request("p1")],
        Policy(ward_weight=0),
    )
