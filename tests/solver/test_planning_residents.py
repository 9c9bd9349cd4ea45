"""When residents are moved, for whom, in which order, and when they are left alone."""

from datetime import timedelta
from typing import Any

import pytest

from solver.codes import (
    Grade,
    Isolation,
    MoveReason,
    Sex,
)
from solver.domain import Network, Plan, Policy, Room
from tests.solver.planned import CENTRE, CONSTRAINED, HOSPITAL, WARD, beds_given, full_ward, planned
from tests.solver.tiny_networks import NOW, network, person, request, stay, unit


def test_a_full_ward_is_solved_by_moving_two_residents_back_to_the_centre():
    plan = planned(full_ward(CENTRE))
    moves = {move.person: move for move in plan.moves}
    assert moves.keys() == {"p0", "p1", "p2", "p3"}
    for who in ("p0", "p1"):
        assert moves[who].to_bed.startswith("psc.w1.")
        assert moves[who].reason is MoveReason.STEP_DOWN
        assert moves[who].ready_at == NOW
    back = {moves[who].from_bed: moves[who].id for who in ("p0", "p1")}
    for who in ("p2", "p3"):
        assert back[moves[who].to_bed] in moves[who].after
        assert set(moves[who].after) <= set(back.values())
        assert moves[who].ready_at == NOW + Policy().turnaround
    assert plan.unplaced == ()


def test_nobody_is_moved_without_a_doctors_statement():
    plan = planned(full_ward())
    assert plan.moves == ()
    assert len(plan.unplaced) == 2


@pytest.mark.parametrize("bound", [{"pinned": True}, {"on_leave": True}])
def test_a_pinned_person_or_one_on_leave_is_not_moved(bound: dict[str, Any]):
    given = network(
        [unit("psc.w1"), unit("omw.w1", WARD)],
        [(Room("psc.w1.r1", "psc.w1"), 1), (Room("omw.w1.r1", "omw.w1"), 1)],
        [person("p0"), person("p1", grade=Grade.G3)],
        [stay("p0", "omw.w1.r1.b1", CENTRE, **bound)],
        [request("p1")],
    )
    assert planned(given).moves == ()


def test_a_consenting_patient_moves_only_where_they_agreed_to():
    def of(*agreed: str) -> Network:
        hospitals = [unit(f"cth{i}.w1", HOSPITAL, level_of_care=Grade(2 + i)) for i in (1, 2)]
        return network(
            hospitals,
            [(Room(f"{it.id}.r1", it.id), 1) for it in hospitals],
            [person("p0", basis=CONSTRAINED), person("p1", grade=Grade.G4, basis=CONSTRAINED)],
            [stay("p0", "cth2.w1.r1.b1", HOSPITAL, agreed=frozenset(agreed))],
            [request("p1")],
        )

    plan = planned(of("cth1.w1"))
    moves = {move.person: move for move in plan.moves}
    assert moves["p0"].to_bed == "cth1.w1.r1.b1"
    assert moves["p0"].reason is MoveReason.MAKE_ROOM
    assert moves["p0"].displaced_for == "rq_p1"
    assert planned(of("elsewhere.w1")).moves == ()
    assert planned(of()).moves == ()


def test_whoever_is_too_ill_for_the_centre_is_moved_to_the_ward():
    given = network(
        [unit("psc.w1"), unit("omw.w1", WARD)],
        [(Room("psc.w1.r1", "psc.w1"), 1), (Room("omw.w1.r1", "omw.w1"), 1)],
        [person("p0", grade=Grade.G3)],
        [stay("p0", "psc.w1.r1.b1", WARD)],
    )
    (move,) = planned(given).moves
    assert move.reason is MoveReason.RIGHT_A_MISPLACED
    assert move.to_bed == "omw.w1.r1.b1"


def test_two_who_would_have_to_change_places_are_said_to_be_impossible():
    given = network(
        [unit("psc.w1"), unit("omw.w1", WARD)],
        [(Room("psc.w1.r1", "psc.w1"), 1), (Room("omw.w1.r1", "omw.w1"), 1)],
        [person("p0", grade=Grade.G3), person("p1")],
        [stay("p0", "psc.w1.r1.b1", WARD), stay("p1", "omw.w1.r1.b1", CENTRE)],
    )
    plan = planned(given)
    assert plan.moves == ()
    assert plan.impossible == (("p0", "p1"),)
    assert plan.levels[0].value == 40


def test_one_free_bed_lets_them_change_places():
    given = network(
        [unit("psc.w1"), unit("omw.w1", WARD)],
        [(Room("psc.w1.r1", "psc.w1"), 2), (Room("omw.w1.r1", "omw.w1"), 1)],
        [person("p0", grade=Grade.G3), person("p1")],
        [stay("p0", "psc.w1.r1.b1", WARD), stay("p1", "omw.w1.r1.b1", CENTRE)],
    )
    plan = planned(given)
    assert beds_given(plan) == {"p1": "psc.w1.r1.b2", "p0": "omw.w1.r1.b1"}
    assert [move.person for move in plan.moves] == ["p1", "p0"]


def test_no_more_residents_are_moved_for_one_placement_than_the_policy_allows():
    def of(most: int) -> Plan:
        return planned(
            network(
                [unit(f"cth{i}.w1", HOSPITAL, level_of_care=Grade(i)) for i in (1, 2, 3)],
                [(Room(f"cth{i}.w1.r1", f"cth{i}.w1"), 1) for i in (1, 2, 3)],
                [
                    person("p0", grade=Grade.G3, basis=CONSTRAINED),
                    person("p1", grade=Grade.G2, basis=CONSTRAINED),
                    person("p2", grade=Grade.G1, basis=CONSTRAINED),
                ],
                [
                    stay("p1", "cth3.w1.r1.b1", HOSPITAL, agreed=frozenset({"cth2.w1"})),
                    stay("p2", "cth2.w1.r1.b1", HOSPITAL, agreed=frozenset({"cth1.w1"})),
                ],
                [request("p0")],
                Policy(max_moves_per_placement=most),
            )
        )

    chain = of(2)
    assert [move.person for move in chain.moves] == ["p2", "p1", "p0"]
    assert [move.ready_at for move in chain.moves] == [
        NOW,
        NOW + timedelta(hours=2),
        NOW + timedelta(hours=4),
    ]
    assert of(1).moves == ()


def test_the_budget_of_moves_is_kept_for_the_gravest():
    people = [person("p0", grade=Grade.G3), person("p1", grade=Grade.G4)]
    given = network(
        [unit("psc.w1"), unit("omw.w1", WARD, level_of_care=Grade.G4)],
        [(Room("psc.w1.r1", "psc.w1"), 2), (Room("omw.w1.r1", "omw.w1"), 2)],
        people,
        [stay("p0", "psc.w1.r1.b1", WARD), stay("p1", "psc.w1.r1.b2", WARD)],
        policy=Policy(move_budget=1),
    )
    assert beds_given(planned(given)).keys() == {"p1"}


def test_a_room_is_emptied_of_men_for_two_women_when_the_men_may_move():
    given = network(
        [unit("omw.w1", WARD), unit("psc.w1", sex=Sex.MALE)],
        [(Room("omw.w1.r1", "omw.w1"), 2), (Room("psc.w1.r1", "psc.w1"), 1)],
        [person("p0"), *(person(f"p{i}", Sex.FEMALE, Grade.G3) for i in (1, 2))],
        [stay("p0", "omw.w1.r1.b2", CENTRE)],
        [request("p1"), request("p2")],
    )
    plan = planned(given)
    first, *women = plan.moves
    assert first.person == "p0"
    assert {move.person for move in women} == {"p1", "p2"}
    assert all(first.id in move.after for move in women)


def test_a_bed_left_by_somebody_isolated_is_not_given_on_before_disinfection():
    given = network(
        [unit("omw.w1", WARD), unit("omw.w2", WARD)],
        [
            (Room("omw.w1.r1", "omw.w1"), 1),
            (Room("omw.w2.r1", "omw.w2", None, Isolation.AIRBORNE), 1),
        ],
        [person("p0", grade=Grade.G3, isolation=Isolation.AIRBORNE), person("p1", grade=Grade.G3)],
        [stay("p0", "omw.w1.r1.b1", WARD)],
        [request("p1")],
    )
    assert beds_given(planned(given)) == {"p0": "omw.w2.r1.b1"}


def test_a_person_who_lives_here_and_waits_for_another_place_is_moved_with_the_request():
    given = network(
        [unit("psc.w1"), unit("omw.w1", WARD)],
        [(Room("psc.w1.r1", "psc.w1"), 1), (Room("omw.w1.r1", "omw.w1"), 1)],
        [person("p0", grade=Grade.G3)],
        [stay("p0", "psc.w1.r1.b1", WARD)],
        [request("p0")],
    )
    (move,) = planned(given).moves
    assert (move.from_bed, move.request) == ("psc.w1.r1.b1", "rq_p0")
    assert move.reason is MoveReason.PLACE_WAITING
