"""What a plan does, case by case, on networks small enough to see the answer."""

from datetime import timedelta
from typing import Any

import pytest

from solver.codes import (
    BedState,
    Grade,
    Isolation,
    LegalBasis,
    MoveReason,
    PlanStatus,
    Sex,
)
from solver.domain import Bed, Network, Person, Policy, Request, Room
from solver.planning import Limits
from tests.solver.planned import CENTRE, CONSTRAINED, WARD, beds_given, planned
from tests.solver.tiny_networks import NOW, network, person, request, stay, unit


def one_room(size: int, people: list[Person], cohort: bool = False, **of_unit: object) -> Network:
    """One ward with one room, everybody waiting."""
    route = Isolation.AIRBORNE if cohort else Isolation.NONE
    return network(
        [unit("omw.w1", WARD, **of_unit)],
        [(Room("omw.w1.r1", "omw.w1", None, route, cohort), size)],
        people,
        (),
        [request(it.id) for it in people],
    )


def test_an_empty_network_has_nothing_to_do():
    plan = planned(network([], [], []))
    assert plan.status is PlanStatus.NOTHING_TO_DO
    assert plan.moves == ()
    assert plan.unplaced == ()
    assert [it.value for it in plan.levels] == [0] * 5


def test_where_nobody_waits_and_all_are_well_placed_there_is_nothing_to_do():
    given = network(
        [unit("psc.w1")],
        [(Room("psc.w1.r1", "psc.w1"), 2)],
        [person("p0")],
        [stay("p0", "psc.w1.r1.b1", CENTRE, WARD)],
    )
    plan = planned(given)
    assert plan.status is PlanStatus.NOTHING_TO_DO
    assert plan.moves == ()


def test_a_waiting_person_gets_a_lawful_free_bed_at_once():
    plan = planned(one_room(1, [person("p0")]))
    (move,) = plan.moves
    assert (move.to_bed, move.request, move.from_bed) == ("omw.w1.r1.b1", "rq_p0", None)
    assert (move.reason, move.after, move.ready_at) == (MoveReason.PLACE_WAITING, (), NOW)
    assert plan.status is PlanStatus.OPTIMAL


def test_somebody_without_any_lawful_place_is_unplaced_with_what_each_rule_took_away():
    given = one_room(3, [person("p0", grade=Grade.G4), person("p1")])
    plan = planned(given)
    (left,) = plan.unplaced
    assert left.request == "rq_p0"
    assert left.by_rule == (("S11", 3),)
    assert left.expected_free is None


def test_somebody_for_whom_beds_are_only_taken_hears_so_and_when_one_is_expected():
    soon = NOW + timedelta(hours=5)
    given = network(
        [unit("omw.w1", WARD)],
        [(Room("omw.w1.r1", "omw.w1"), 3)],
        [person("p0"), person("p1")],
        [stay("p1", "omw.w1.r1.b1")],
        [request("p0")],
        changed=[
            Bed("omw.w1.r1.b2", "omw.w1.r1", state=BedState.HOUSEKEEPING, expected_free=soon),
            Bed("omw.w1.r1.b3", "omw.w1.r1", promised=True),
        ],
    )
    (left,) = planned(given).unplaced
    assert left.by_rule == (("availability", 3),)
    assert left.expected_free == soon


def test_the_graver_grade_gets_the_last_bed_and_then_who_waited_longer():
    people = [person("p0", grade=Grade.G0), person("p1", grade=Grade.G2), person("p2")]
    assert beds_given(planned(one_room(1, people))).keys() == {"p1"}
    given = network(
        [unit("psc.w1")],
        [(Room("psc.w1.r1", "psc.w1"), 1)],
        [person("p0"), person("p1")],
        (),
        [request("p0", days=1), request("p1", days=9)],
    )
    assert beds_given(planned(given)).keys() == {"p1"}


def test_an_emergency_comes_before_any_number_of_others():
    policy = Policy(grade_weights=(900, 900, 900, 900, 900, 1))
    given = network(
        [unit("omw.w1", WARD)],
        [(Room("omw.w1.r1", "omw.w1"), 1)],
        [person("p0", grade=Grade.G3), person("p1", grade=Grade.G3)],
        (),
        [request("p0"), request("p1", emergency=True)],
        policy,
    )
    assert beds_given(planned(given)).keys() == {"p1"}


# Relations: for each one a case where it binds and the like case where it does not.

MAN, WOMAN = person("p0"), person("p1", Sex.FEMALE)


@pytest.mark.parametrize(
    ("given", "placed"),
    [
        pytest.param(one_room(2, [MAN, person("p1")]), 2, id="two men share a room"),
        pytest.param(one_room(2, [MAN, WOMAN]), 1, id="a man and a woman do not"),
        pytest.param(one_room(1, [MAN, person("p1")]), 1, id="one bed takes one person"),
        pytest.param(
            one_room(2, [MAN, person("p1")], staffed_beds=1), 1, id="staff for one takes one"
        ),
        pytest.param(
            one_room(2, [MAN, person("p1")], staffed_beds=2), 2, id="staff for two takes two"
        ),
        pytest.param(
            one_room(2, [person(f"p{i}", isolation=Isolation.CONTACT) for i in (0, 1)], True),
            2,
            id="one route shares a cohort room",
        ),
        pytest.param(
            one_room(2, [MAN, person("p1", isolation=Isolation.CONTACT)], True),
            1,
            id="an isolated person and another do not",
        ),
        pytest.param(
            one_room(2, [person(f"p{i}", isolation=Isolation.UNKNOWN) for i in (0, 1)], True),
            1,
            id="a route not yet known shares with nobody",
        ),
        pytest.param(
            one_room(
                2,
                [MAN, person("p1", basis=CONSTRAINED)],
                bases=frozenset({LegalBasis.COMPULSORY, CONSTRAINED}),
            ),
            1,
            id="custodial and consensual do not share",
        ),
    ],
)
def test_relations_bind_where_they_should_and_only_there(given: Network, placed: int):
    assert len(planned(given).moves) == placed


def test_a_minor_and_an_adult_never_share_a_room():
    youth: dict[str, Any] = {"min_age": 16, "max_age": 17}

    def of(second_age: int) -> Network:
        people = [person("p0", age=16), person("p1", age=second_age)]
        return network(
            [unit("psc.w1", **youth), unit("psc.w2")],
            [(Room("psc.w1.r1", "psc.w1"), 2), (Room("psc.w2.r1", "psc.w2"), 1)],
            people,
            (),
            [request(it.id) for it in people],
        )

    together = beds_given(planned(of(17)))
    assert {bed.rpartition(".")[0] for bed in together.values()} == {"psc.w1.r1"}
    apart = beds_given(planned(of(40)))
    assert apart["p0"].startswith("psc.w1.")
    assert apart["p1"] == "psc.w2.r1.b1"


def test_two_empty_rooms_are_shared_out_between_men_and_women():
    people = [person("p0"), person("p1"), *(person(f"p{i}", Sex.FEMALE) for i in (2, 3))]
    rooms = [(Room(f"omw.w1.r{i}", "omw.w1"), 2) for i in (1, 2)]
    given = network([unit("omw.w1", WARD)], rooms, people, (), [request(it.id) for it in people])
    given_beds = beds_given(planned(given))
    assert len(given_beds) == 4
    room = {who: bed.rpartition(".")[0] for who, bed in given_beds.items()}
    assert room["p0"] == room["p1"] != room["p2"] == room["p3"]


def test_a_unit_that_declined_is_not_asked_again():
    given = network(
        [unit("psc.w1"), unit("psc.w2")],
        [(Room("psc.w1.r1", "psc.w1"), 1), (Room("psc.w2.r1", "psc.w2"), 1)],
        [person("p0")],
        (),
        [Request("rq_p0", "p0", NOW, declined_units=frozenset({"psc.w1"}))],
    )
    assert beds_given(planned(given)) == {"p0": "psc.w2.r1.b1"}


def test_the_nearer_of_two_like_units_is_chosen():
    given = network(
        [unit("psc.w1"), unit("far.w1")],
        [(Room("far.w1.r1", "far.w1"), 1), (Room("psc.w1.r1", "psc.w1"), 1)],
        [person("p0", home=(1.0, 0.0))],
        (),
        [request("p0")],
    )
    far = given.facilities["far"]
    moved = {**given.facilities, "far": type(far)("far", (30.0, 0.0))}
    nearer = Network(
        **{
            **{name: getattr(given, name) for name in Network.__dataclass_fields__},
            "facilities": moved,
        }
    )
    assert beds_given(planned(nearer)) == {"p0": "psc.w1.r1.b1"}


def test_senseless_limits_are_named():
    with pytest.raises(ValueError, match=r"^nodes: 0 - give more than 0"):
        Limits(nodes=0)
