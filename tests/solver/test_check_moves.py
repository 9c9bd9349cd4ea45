"""The judge of plans, move by move: who may be moved, in which order, at what price."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from solver.check import immovable, violations
from solver.codes import (
    Grade,
    MoveReason,
    Owner,
    Relation,
    UnitKind,
)
from solver.cost import move_terms
from solver.domain import Policy
from tests.solver.builders import NOW, a_network, a_person, a_stay, a_ward
from tests.solver.plans import (
    LICENSED,
    NEXT_FIT,
    OMW,
    PSC,
    a_move,
    a_plan,
    back_and_in,
    broken,
    relations,
    the_ward,
)


def moved(**stay: Any) -> set[Relation]:
    """What moving a misplaced resident breaks, their stay changed."""
    network = a_network(
        a_ward(rooms=(1, 1), level_of_care=Grade.G2),
        a_ward("f-2.w1", level_of_care=Grade.G3, kind=UnitKind.OMW, licences=LICENSED),
        persons=(a_person("p-a", grade=Grade.G3),),
        stays=(a_stay("p-a", "f-1.w1.r1.b1", **{"may_move_to": OMW, **stay}),),
    )
    move = a_move(network, "p-a", "f-2.w1.r1.b1", reason=MoveReason.RIGHT_A_MISPLACED)
    return broken(network, move)


def test_a_misplaced_resident_with_a_doctor_s_statement_may_be_moved():
    assert moved() == set()


@pytest.mark.parametrize(
    "stay",
    [
        {"pinned": True},
        {"may_move_to": frozenset()},
        {"may_move_to": PSC},
        {"agreed_units": frozenset({"f-9.w1"})},
        {"agreed_units": frozenset()},
    ],
    ids=["pinned", "no statement", "statement for another kind", "agreed elsewhere", "agreed none"],
)
def test_a_resident_is_not_moved_without_right(stay: dict[str, Any]):
    assert moved(**stay) == {Relation.MOVABILITY}


def test_a_place_the_patient_agreed_to_is_allowed():
    assert moved(agreed_units=frozenset({"f-2.w1"})) == set()


def test_a_bed_kept_during_leave_is_not_where_a_move_starts():
    assert moved(on_leave=True) == {Relation.MOVABILITY}


def test_a_consenting_patient_without_a_word_about_another_unit_stays():
    stay = a_stay("p-a", "f-1.w1.r1.b1", may_move_to=frozenset({UnitKind.CTH}))
    wards = (a_ward(like="constrained"), a_ward("f-2.w1", like="constrained"))
    network = a_network(*wards, persons=(a_person("p-a", like="constrained"),), stays=(stay,))
    assert immovable(network, stay, network.units["f-2.w1"])
    agreed = replace(stay, agreed_units=frozenset({"f-2.w1"}))
    assert immovable(network, agreed, network.units["f-2.w1"]) == ()


def test_a_move_that_is_no_transfer_is_not_made():
    stay = a_stay("p-a", "f-1.w1.r1.b1", may_move_to=PSC)
    network = a_network(
        a_ward(kind=UnitKind.JSC, security_owner=Owner.JUSTICE),
        a_ward("f-2.w1"),
        persons=(a_person("p-a"),),
        stays=(stay,),
    )
    assert len(immovable(network, stay, network.units["f-2.w1"])) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"from_bed": "f-1.w1.r1.b2"},
        {"from_bed": None},
        {"request": "rq-none"},
        {"displaced_for": "rq-none"},
        {"displaced_for": None},
        {"reason": MoveReason.PLACE_WAITING},
        {"reason": MoveReason.RIGHT_A_MISPLACED},
        {"reason": MoveReason.STEP_DOWN, "displaced_for": "rq-p-ill"},
    ],
    ids=str,
)
def test_a_move_whose_origin_request_or_reason_is_untrue_is_caught(change: dict[str, Any]):
    network = the_ward()
    first, second = back_and_in(network)
    first = replace(first, **change)
    first = replace(first, terms=move_terms(network, first.person, first.from_bed, first.to_bed))
    assert Relation.MOVABILITY in broken(network, first, second)


def test_a_step_down_is_one_only_when_it_is_less_restrictive():
    network = the_ward(requests=())
    move = a_move(network, "p-fit", "f-1.w1.r1.b1", reason=MoveReason.STEP_DOWN)
    assert broken(network, move) == set()
    person = a_person("p-fit", grade=Grade.G3)
    worse = replace(network, persons={**network.persons, "p-fit": person})
    move = a_move(worse, "p-fit", "f-1.w1.r1.b1", reason=MoveReason.STEP_DOWN)
    assert Relation.MOVABILITY in broken(worse, move)


def test_nobody_is_moved_twice():
    network = the_ward()
    first, second = back_and_in(network)
    again = replace(first, id="m-again", to_bed="f-1.w1.r1.b2")
    assert broken(network, first, second, again) == {Relation.MOVABILITY}


def test_somebody_who_neither_waits_nor_lives_here_is_not_placed():
    network = the_ward(requests=())
    move = a_move(network, "p-ill", "f-1.w1.r1.b1")
    assert Relation.MOVABILITY in broken(network, move)


def test_an_unknown_person_is_a_violation_and_no_exception():
    network = the_ward()
    move = replace(a_move(network, "p-ill", "f-1.w1.r1.b1"), person="p-nobody")
    plan = replace(a_plan(network), moves=(move,))
    assert relations(violations(network, plan)) == {Relation.MOVABILITY}


def test_the_budget_of_moves_is_kept():
    network = the_ward(policy=Policy(move_budget=0))
    assert broken(network, *back_and_in(network)) == {Relation.MOVABILITY}
    network = the_ward(policy=Policy(move_budget=1))
    assert broken(network, *back_and_in(network)) == set()


@pytest.mark.parametrize(("allowed", "clean"), [(0, False), (1, True)])
def test_no_more_moves_for_one_placement_than_the_policy_allows(allowed: int, clean: bool):
    network = the_ward(policy=Policy(max_moves_per_placement=allowed))
    assert broken(network, *back_and_in(network)) == (set() if clean else {Relation.MOVABILITY})


@pytest.mark.parametrize(
    "second",
    [
        {"after": ()},
        {"ready_at": None},
        {"ready_at": NEXT_FIT - timedelta(seconds=1)},
        {"after": ("m-p-fit", "m-nobody")},
    ],
    ids=["does not wait", "no instant", "no turnaround", "waits for an unknown move"],
)
def test_a_freed_bed_is_waited_for(second: dict[str, Any]):
    network = the_ward()
    assert Relation.ORDER_OF_MOVES in broken(network, *back_and_in(network, **second))


def test_moves_in_the_wrong_order_are_caught():
    network = the_ward()
    first, second = back_and_in(network)
    assert Relation.ORDER_OF_MOVES in broken(network, second, first)


def test_turnaround_counts_from_when_the_leaving_person_s_own_bed_is_fit():
    network = the_ward()
    first, second = back_and_in(network)
    first = replace(first, ready_at=NOW + timedelta(hours=5))
    assert broken(network, first, second) == {Relation.ORDER_OF_MOVES}
    later = replace(second, ready_at=NOW + timedelta(hours=7))
    assert broken(network, first, later) == set()


def test_two_moves_with_one_id_are_caught():
    network = the_ward()
    first, second = back_and_in(network)
    second = replace(second, id=first.id)
    assert broken(network, first, second) == {Relation.ORDER_OF_MOVES}


def test_a_cycle_without_a_free_bed_is_caught():
    may = {"may_move_to": PSC}
    network = a_network(
        a_ward(rooms=(1, 1), max_age=40),
        persons=(a_person("p-a"), a_person("p-b")),
        stays=(a_stay("p-a", "f-1.w1.r1.b1", **may), a_stay("p-b", "f-1.w1.r2.b1", **may)),
    )
    one = a_move(network, "p-a", "f-1.w1.r2.b1", after=("m-p-b",), ready_at=NEXT_FIT)
    two = a_move(network, "p-b", "f-1.w1.r1.b1", after=("m-p-a",), ready_at=NEXT_FIT)
    assert Relation.ORDER_OF_MOVES in broken(network, one, two)


@pytest.mark.parametrize(
    "unplaced", [[], ["rq-p-ill", "rq-p-ill"], ["rq-p-ill", "rq-none"]], ids=str
)
def test_each_request_is_answered_once(unplaced: list[str]):
    network = the_ward()
    plan = a_plan(network, unplaced=unplaced)
    assert relations(violations(network, plan)) == {Relation.EVERY_REQUEST}


def test_a_placed_request_is_not_named_as_unplaced():
    network = the_ward()
    plan = a_plan(network, *back_and_in(network), unplaced=["rq-p-ill"])
    assert relations(violations(network, plan)) == {Relation.EVERY_REQUEST}


@pytest.mark.parametrize("level", range(5))
@pytest.mark.parametrize("change", [{"value": 7919}, {"bound": 7919.0}, {"bound": float("nan")}])
def test_a_figure_that_is_not_the_recounted_one_is_caught(level: int, change: dict[str, Any]):
    network = the_ward()
    plan = a_plan(network, *back_and_in(network))
    levels = list(plan.levels)
    levels[level] = replace(levels[level], **change)
    found = violations(network, replace(plan, levels=tuple(levels)))
    assert relations(found) == {Relation.PRICE}


def test_a_missing_level_is_caught():
    network = the_ward()
    plan = a_plan(network, *back_and_in(network))
    found = violations(network, replace(plan, levels=plan.levels[:-1]))
    assert relations(found) == {Relation.PRICE}


def test_a_move_s_terms_are_recounted():
    network = the_ward()
    first, second = back_and_in(network)
    assert broken(network, replace(first, terms=()), second) == {Relation.PRICE}


def helped(policy: Policy, *helpers: str) -> set[Relation]:
    """What breaks when residents step aside so that a misplaced one gets a bed."""
    ward = a_ward("f-2.w1", rooms=(1, 1), kind=UnitKind.OMW, level_of_care=Grade.G3)
    ward = replace(ward, unit=replace(ward.unit, licences=LICENSED))
    network = a_network(
        a_ward(rooms=(1, 1, 1)),
        ward,
        persons=(a_person("p-ill", grade=Grade.G3), a_person("p-fit"), a_person("p-far")),
        stays=(
            a_stay("p-ill", "f-1.w1.r1.b1", may_move_to=OMW),
            a_stay("p-fit", "f-2.w1.r1.b1", may_move_to=PSC),
            a_stay("p-far", "f-2.w1.r2.b1", may_move_to=PSC),
        ),
        policy=policy,
    )
    out = [a_move(network, who, f"f-1.w1.r{n}.b1") for n, who in enumerate(helpers, 2)]
    righted = a_move(
        network,
        "p-ill",
        "f-2.w1.r1.b1",
        reason=MoveReason.RIGHT_A_MISPLACED,
        after=tuple(move.id for move in out),
        ready_at=NEXT_FIT,
    )
    return broken(network, *out, righted)


def test_a_resident_may_step_aside_for_a_misplaced_one_within_the_policy_s_limit():
    assert helped(Policy(), "p-fit") == set()
    assert helped(Policy(max_moves_per_placement=0), "p-fit") == {Relation.MOVABILITY}
    assert helped(Policy(max_moves_per_placement=1), "p-fit", "p-far") == {Relation.MOVABILITY}


def test_a_resident_stepping_aside_for_nobody_is_caught():
    network = the_ward(requests=())
    move = a_move(network, "p-fit", "f-1.w1.r1.b1")
    assert broken(network, move) == {Relation.MOVABILITY}


def test_righting_somebody_who_lies_lawfully_is_caught():
    network = the_ward(requests=())
    move = a_move(network, "p-fit", "f-1.w1.r1.b1", reason=MoveReason.RIGHT_A_MISPLACED)
    assert broken(network, move) == {Relation.MOVABILITY}


def test_another_person_s_request_is_caught():
    network = the_ward()
    stranger = a_person("p-stranger")
    network = replace(network, persons={**network.persons, "p-stranger": stranger})
    move = a_move(network, "p-stranger", "f-1.w1.r1.b1", request="rq-p-ill")
    move = replace(move, reason=MoveReason.PLACE_WAITING)
    assert broken(network, move) == {Relation.MOVABILITY}


def test_somebody_on_leave_is_not_movable():
    network = the_ward()
    stay = replace(network.stays[0], on_leave=True)
    assert len(immovable(network, stay, network.units["f-1.w1"])) == 1
    assert immovable(network, network.stays[0], network.units["f-1.w1"]) == ()


def test_where_somebody_is_and_the_bed_kept_for_them_are_two_things():
    stays = (
        a_stay("p-a", "f-2.w1.r1.b1"),
        a_stay("p-a", "f-1.w1.r1.b1", id="st-leave", on_leave=True),
    )
    network = a_network(
        a_ward(rooms=(1,)), a_ward("f-2.w1"), persons=(a_person("p-a"),), stays=stays
    )
    assert network.stay_of["p-a"].bed == "f-2.w1.r1.b1"
