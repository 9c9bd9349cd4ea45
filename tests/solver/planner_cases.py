"""Tiny networks with the plan each must get: every constraint once where it binds, once where not.

``given``: who gets which bed, nobody else is moved. ``hours``: after how many hours each bed can be
fit, where the case is about time. ``after``: whom each waits for, where it is about order.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from solver.codes import BedState, Grade, Isolation, Sex, UnitKind
from solver.domain import Network, Policy, Request, Room
from tests.solver.case_networks import (
    BOTH,
    ILL,
    R,
    a_bed,
    beside,
    change_places,
    emergency_behind_a_departure,
    emergency_elsewhere,
    full_ward,
    isolated_leaves,
    man_in_the_way,
    one_room,
    short_of_staff,
    three_hospitals,
    to_another_centre,
    two_hospitals,
    two_too_ill,
    with_a_hold,
)
from tests.solver.planned import CENTRE, CONSTRAINED, WARD
from tests.solver.tiny_networks import NOW, network, person, request, stay, unit


@dataclass(frozen=True)
class Case:
    """A network and what its plan does; ``about`` is the constraint that decides it."""

    about: str
    name: str
    network: Network
    given: Mapping[str, str]
    hours: Mapping[str, int] = field(default_factory=dict)
    after: Mapping[str, Iterable[str]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """How a failing test names it."""
        return f"{self.about}: {self.name}"


MAN, MAN2 = person("p0", grade=ILL), person("p1", grade=ILL)
WOMAN = person("p1", Sex.FEMALE, ILL)
YOUTH = person("p1", grade=ILL, age=17)
AIR, CONTACT = Isolation.AIRBORNE, Isolation.CONTACT
ON_ONE = {"p0": f"{R}.b1"}
ON_BOTH = {"p0": f"{R}.b1", "p1": f"{R}.b2"}
CASES = [
    Case("eligibility", "a ward for this grade", one_room(1, MAN), ON_ONE),
    Case("eligibility", "too ill for the ward", one_room(1, person("p0", grade=Grade.G4)), {}),
    Case("capacity", "two beds for two", one_room(2, MAN, MAN2), ON_BOTH),
    Case("capacity", "one bed for two", one_room(1, MAN, MAN2), ON_ONE),
    Case("staffing", "staff for two", one_room(2, MAN, MAN2, staffed_beds=2), ON_BOTH),
    Case("staffing", "staff for one", one_room(2, MAN, MAN2, staffed_beds=1), ON_ONE),
    Case(
        "staffing",
        "who leaves for the centre makes place for one more",
        short_of_staff(1),
        {"p0": "psc.w1.r1.b1", "p1": "omw.w1.r2.b1"},
        after={"p1": ["p0"]},
    ),
    Case("staffing", "who may not leave does not", short_of_staff(1, to=()), {}),
    Case(
        "staffing", "with staff for both nobody leaves", short_of_staff(2), {"p1": "omw.w1.r2.b1"}
    ),
    Case("availability", "a bed in service", one_room(1, MAN), ON_ONE),
    *(
        Case(
            "availability",
            f"a bed {state.value}",
            one_room(1, MAN, changed=[a_bed(f"{R}.b1", state=state)]),
            {},
        )
        for state in BedState
        if state is not BedState.IN_SERVICE
    ),
    Case(
        "promised",
        "a single bed promised",
        one_room(1, MAN, changed=[a_bed(f"{R}.b1", promised=True)]),
        {},
    ),
    Case(
        "promised",
        "the other bed promised to nobody knows whom",
        one_room(2, MAN, changed=[a_bed(f"{R}.b2", promised=True)]),
        {},
    ),
    Case(
        "promised",
        "another bed, where it is known who shares",
        beside(person("p9"), 3, changed=[a_bed(f"{R}.b3", promised=True)]),
        ON_ONE,
    ),
    Case("held", "beside a man's hold", with_a_hold(person("p9")), ON_ONE),
    Case("held", "beside a woman's hold", with_a_hold(person("p9", Sex.FEMALE)), {}),
    Case("held", "one bed free, one held", with_a_hold(person("p9"), MAN, MAN2), ON_ONE),
    Case("declined", "nobody declined", one_room(1, MAN), ON_ONE),
    Case(
        "declined",
        "the unit declined",
        replace(
            one_room(1, MAN),
            requests=(Request("rq_p0", "p0", NOW, declined_units=frozenset({"omw.w1"})),),
        ),
        {},
    ),
    Case("one sex", "a man and a woman", one_room(2, MAN, WOMAN), ON_ONE),
    Case("one sex", "two women", one_room(2, replace(WOMAN, id="p0"), WOMAN), ON_BOTH),
    Case(
        "one sex",
        "the man leaves first",
        man_in_the_way(CENTRE),
        {"p0": "psc.w1.r1.b1", "p1": f"{R}.b1", "p2": f"{R}.b2"},
        after={"p1": ["p0"], "p2": ["p0"]},
    ),
    Case("one sex", "the man may not leave", man_in_the_way(), {}),
    Case(
        "isolation",
        "an isolated man and another",
        one_room(2, MAN, person("p1", grade=ILL, isolation=AIR), isolation=AIR),
        ON_ONE,
    ),
    Case(
        "isolation",
        "two of one route outside a cohort",
        one_room(2, *(person(f"p{i}", grade=ILL, isolation=AIR) for i in (0, 1)), isolation=AIR),
        ON_ONE,
    ),
    Case(
        "isolation",
        "two of one route in a cohort",
        one_room(
            2,
            *(person(f"p{i}", grade=ILL, isolation=AIR) for i in (0, 1)),
            isolation=AIR,
            cohort=True,
        ),
        ON_BOTH,
    ),
    Case(
        "isolation",
        "two routes in a cohort",
        one_room(
            2,
            *(person(f"p{i}", grade=ILL, isolation=it) for i, it in enumerate((AIR, CONTACT))),
            isolation=AIR,
            cohort=True,
        ),
        ON_ONE,
    ),
    Case(
        "isolation",
        "a route not known in a cohort",
        one_room(
            2,
            *(person(f"p{i}", grade=ILL, isolation=Isolation.UNKNOWN) for i in (0, 1)),
            isolation=AIR,
            cohort=True,
        ),
        ON_ONE,
    ),
    Case(
        "minors",
        "two minors",
        one_room(2, replace(YOUTH, id="p0"), YOUTH, min_age=14, max_age=17),
        ON_BOTH,
    ),
    Case("minors", "beside a minor who is still there", beside(person("p9", age=17)), {}),
    Case("minors", "beside another adult", beside(person("p9")), ON_ONE),
    Case("custody", "beside a man by consent", beside(person("p9", basis=CONSTRAINED)), {}),
    Case("custody", "two under a term", one_room(2, MAN, MAN2, bases=BOTH), ON_BOTH),
    Case(
        "custody",
        "one under a term, one by consent",
        one_room(2, MAN, person("p1", grade=ILL, basis=CONSTRAINED), bases=BOTH),
        ON_ONE,
    ),
    Case("reserve", "one of two beds is kept", one_room(2, MAN, MAN2, reserve=1), ON_ONE),
    Case(
        "reserve",
        "an emergency gets the kept bed",
        one_room(2, MAN, MAN2, urgent=("p1",), reserve=1),
        {"p1": f"{R}.b1"},
    ),
    Case(
        "reserve",
        "with three there is one for each",
        one_room(3, MAN, MAN2, urgent=("p1",), reserve=1),
        {"p1": f"{R}.b1", "p0": f"{R}.b2"},
    ),
    Case(
        "reserve",
        "who is no emergency waits for the one who leaves the emergency its place",
        emergency_behind_a_departure(),
        {"p0": "psc.w1.r1.b1", "p1": f"{R}.b1", "p2": "omw.w1.r2.b1"},
        after={"p1": ["p0"], "p2": ["p0"]},
    ),
    Case(
        "reserve",
        "a kept bed the emergency does without",
        emergency_elsewhere(),
        {"p1": "omw.w2.r1.b1"},
    ),
    Case(
        "reserve",
        "a whole ward kept",
        one_room(2, MAN, MAN2, urgent=("p1",), reserve=2),
        {"p1": f"{R}.b1"},
    ),
    Case(
        "movability",
        "a doctor's statement",
        full_ward(),
        {"p0": "psc.w1.r1.b1", "p1": f"{R}.b1"},
        after={"p1": ["p0"]},
    ),
    Case("movability", "no statement", full_ward(to=()), {}),
    Case("movability", "a statement for another kind", full_ward(to=(WARD,)), {}),
    Case(
        "movability", "a transition the law knows", to_another_centre(WARD), {"p0": "psc.w1.r1.b1"}
    ),
    Case("movability", "one it does not know", to_another_centre(UnitKind.JSC), {}),
    Case("movability", "pinned", full_ward(pinned=True), {}),
    Case("movability", "on leave", full_ward(on_leave=True), {}),
    Case(
        "agreed",
        "to the other hospital",
        two_hospitals(frozenset({"cth1.w1"})),
        {"p0": "cth1.w1.r1.b1", "p1": "cth2.w1.r1.b1"},
    ),
    Case("agreed", "to another than that", two_hospitals(frozenset({"cth9.w1"})), {}),
    Case("agreed", "to none", two_hospitals(frozenset()), {}),
    Case(
        "moves per placement",
        "two where two may be moved",
        three_hospitals(2),
        {"p2": "cth1.w1.r1.b1", "p1": "cth2.w1.r1.b1", "p0": "cth3.w1.r1.b1"},
        hours={"p2": 0, "p1": 2, "p0": 4},
    ),
    Case("moves per placement", "two where one may be", three_hospitals(1), {}),
    Case("budget", "two moves for two", two_too_ill(2), {"p0": f"{R}.b2", "p1": f"{R}.b1"}),
    Case("budget", "one move for two", two_too_ill(1), {"p1": f"{R}.b1"}),
    Case("order", "who would have to change places", change_places(0), {}),
    Case(
        "order",
        "one free bed lets them",
        change_places(1),
        {"p1": "psc.w1.r1.b2", "p0": f"{R}.b1"},
        after={"p0": ["p1"]},
    ),
    Case(
        "turnaround",
        "of two hours",
        full_ward(),
        {"p0": "psc.w1.r1.b1", "p1": f"{R}.b1"},
        hours={"p0": 0, "p1": 2},
    ),
    Case(
        "turnaround",
        "of none",
        full_ward(Policy(turnaround=timedelta(0))),
        {"p0": "psc.w1.r1.b1", "p1": f"{R}.b1"},
        hours={"p0": 0, "p1": 0},
    ),
    Case(
        "disinfection",
        "a room left by somebody isolated",
        isolated_leaves(AIR),
        {"p0": "omw.w2.r1.b1"},
    ),
    Case(
        "disinfection",
        "a room left by anybody else",
        isolated_leaves(Isolation.NONE),
        {"p0": "omw.w2.r1.b1", "p1": f"{R}.b1"},
    ),
    Case(
        "true reasons",
        "nobody moves for a shorter way home",
        network(
            [unit("psc.w1"), unit("psc.w2")],
            [(Room(f"psc.w{i}.r1", f"psc.w{i}"), 1) for i in (1, 2)],
            [person("p0", origin_unit="psc.w2")],
            [stay("p0", "psc.w1.r1.b1", CENTRE)],
        ),
        {},
    ),
    Case(
        "true reasons",
        "a step down is one",
        network(
            [unit("psc.w1"), unit("omw.w1", WARD)],
            [(Room("psc.w1.r1", "psc.w1"), 1), (Room(R, "omw.w1"), 1)],
            [person("p0")],
            [stay("p0", f"{R}.b1", CENTRE)],
        ),
        {"p0": "psc.w1.r1.b1"},
    ),
    Case(
        "levels",
        "an emergency before any number of others",
        replace(
            one_room(1, MAN, MAN2, urgent=("p1",)),
            policy=Policy(grade_weights=(900, 900, 900, 900, 900, 1)),
        ),
        {"p1": f"{R}.b1"},
    ),
    Case(
        "levels",
        "who waits before how few are moved",
        full_ward(),
        {"p0": "psc.w1.r1.b1", "p1": f"{R}.b1"},
    ),
    *(
        Case(
            "levels",
            f"a fresh bed before a stale one, {stale}",
            one_room(2, MAN, changed=[a_bed(f"{R}.{stale}", stale=True)]),
            {"p0": f"{R}.{fresh}"},
        )
        for stale, fresh in (("b1", "b2"), ("b2", "b1"))
    ),
    Case(
        "levels",
        "few moves before a near bed",
        network(
            [unit("psc.w1"), unit("omw.w1", WARD), unit("far.w1", WARD)],
            [
                (Room("psc.w1.r1", "psc.w1"), 1),
                (Room(R, "omw.w1"), 1),
                (Room("far.w1.r1", "far.w1"), 1),
            ],
            [person("p0"), person("p1", grade=ILL, origin_unit="omw.w1")],
            [stay("p0", f"{R}.b1", CENTRE)],
            [request("p1")],
            Policy(ward_weight=0),
        ),
        {"p1": "far.w1.r1.b1"},
    ),
    *(
        Case(
            "levels",
            f"the unit of origin, {origin}",
            network(
                [unit("omw.w1", WARD), unit("omw.w2", WARD)],
                [(Room(R, "omw.w1"), 1), (Room("omw.w2.r1", "omw.w2"), 1)],
                [person("p0", grade=ILL, origin_unit=origin)],
                (),
                [request("p0")],
            ),
            {"p0": f"{origin}.r1.b1"},
        )
        for origin in ("omw.w1", "omw.w2")
    ),
]
