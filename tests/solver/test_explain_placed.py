"""Why this bed: against every other bed, found one by one."""

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings

from solver.codes import BedKind, Grade, Isolation, MoveReason, UnitKind
from solver.cost import level_totals
from solver.domain import Network, Plan
from solver.explain import Decided, Difference, answer_lines, explain_plan
from solver.planning import make_plan
from solver.synthetic import city
from tests.solver.builders import a_network, a_person, a_request, a_stay, a_ward
from tests.solver.plans import PSC, a_move, a_plan, back_and_in, the_ward
from tests.solver.tiny_networks import tiny_networks
from tests.solver.whys import other_beds


def assert_next_best(network: Network, plan: Plan, numbers: range | None = None) -> int:
    """Each answer names the best other bed of all; how many had one."""
    found = explain_plan(network, plan).placed
    named = 0
    for i in numbers or range(len(plan.moves)):
        answer, others = found[i], sorted(other_beds(network, plan, plan.moves[i]))
        assert answer.levels == level_totals(plan.moves[i].terms)
        if not others:
            assert answer.decided is Decided.ONLY
            assert answer.next_best is None
            continue
        named += 1
        levels, bed = others[0]
        assert answer.next_best is not None
        assert (answer.next_best.levels, answer.next_best.bed) == (levels, bed)
        if levels == answer.levels:
            assert (answer.decided, answer.decided_at) == (Decided.EQUAL, None)
        else:
            dearer = levels > answer.levels
            assert answer.decided is (Decided.TERMS if dearer else Decided.DEARER)
            at = answer.decided_at
            assert at is not None
            assert levels[:at] == answer.levels[:at]
            assert levels[at] != answer.levels[at]
            apart = sum(it.other - it.chosen for it in answer.next_best.differs)
            assert apart == levels[at] - answer.levels[at]
            assert all(it.level == at for it in answer.next_best.differs)
        if answer.given is not None:
            assert answer.given.levels < answer.levels
    return named


@given(tiny_networks())
@settings(max_examples=80)
def test_the_next_best_is_the_best_other_bed_that_stays_free(network: Network):
    plan, _ = make_plan(network)
    assert_next_best(network, plan)


@given(tiny_networks(most_people=6, most_beds=12, reserves=(0, 1, 1), hurry=2))
@settings(max_examples=80)
def test_the_next_best_is_so_where_emergencies_and_reserves_meet(network: Network):
    plan, _ = make_plan(network)
    assert_next_best(network, plan)


@cache
def planned_city() -> tuple[Network, Plan]:
    network = city(1, 0.9, waiting=60)
    return network, make_plan(network)[0]


def test_the_next_best_is_so_in_a_city():
    network, plan = planned_city()
    assert assert_next_best(network, plan, range(0, len(plan.moves), 12)) > 2


def test_a_proven_plan_leaves_nobody_a_cheaper_bed_in_a_city():
    network, plan = planned_city()
    found = explain_plan(network, plan)
    assert {it.decided for it in found.placed} == {Decided.TERMS, Decided.EQUAL, Decided.ONLY}
    assert [it.move for it in found.placed] == [move.id for move in plan.moves]


def two_wards(position: tuple[float, float] = (10.0, 0.0)) -> Network:
    """Two centre wards of one bed; somebody from 3 km east of the first waits."""
    network = a_network(
        a_ward(rooms=(1,)),
        a_ward("f-2.w1", rooms=(1,)),
        persons=(a_person(home=(3.0, 0.0)),),
        requests=(a_request("p-1"),),
    )
    further = replace(network.facilities["f-2"], position=position)
    return replace(network, facilities={**network.facilities, "f-2": further})


def test_the_terms_that_decided_are_those_of_the_first_level_that_differs():
    network = two_wards()
    (answer,) = explain_plan(
        network, a_plan(network, a_move(network, "p-1", "f-1.w1.r1.b1"))
    ).placed
    assert (answer.decided, answer.decided_at) == (Decided.TERMS, 4)
    assert answer.next_best is not None
    assert answer.next_best.differs == (Difference("distance", 4, 3, 7),)
    assert answer_lines(answer, "en")[-1] == (
        "next best: bed f-2.w1.r1.b1 in unit f-2.w1; decided on level 4: "
        "distance from home 3 against 7"
    )
    assert "由第4层决定：离家距离 3 对 7" in answer_lines(answer, "zh")[-1]


def test_a_cheaper_bed_that_stays_free_is_not_passed_over_in_silence():
    network = two_wards()
    (answer,) = explain_plan(
        network, a_plan(network, a_move(network, "p-1", "f-2.w1.r1.b1"))
    ).placed
    assert answer.decided is Decided.DEARER
    assert "stays free and costs this person less on level 4" in answer_lines(answer, "en")[-1]
    assert "代价更小" in answer_lines(answer, "zh")[-1]


@pytest.mark.parametrize("chosen", ["f-1.w1.r1.b1", "f-2.w1.r1.b1"])
def test_a_tie_is_said_to_be_one(chosen: str):
    network = two_wards(position=(6.0, 0.0))
    (answer,) = explain_plan(network, a_plan(network, a_move(network, "p-1", chosen))).placed
    assert answer.decided is Decided.EQUAL
    assert answer_lines(answer, "en")[-1].endswith("is equal on every level; the ids decided")
    assert answer_lines(answer, "zh")[-1].endswith("在各层上相同；按编号次序取舍")


def test_the_only_bed_is_said_to_be_the_only_one():
    network = a_network(a_ward(rooms=(1,)), persons=(a_person(),), requests=(a_request("p-1"),))
    (answer,) = explain_plan(
        network, a_plan(network, a_move(network, "p-1", "f-1.w1.r1.b1"))
    ).placed
    assert answer.decided is Decided.ONLY
    assert answer_lines(answer, "en")[-1].startswith("no other lawful bed stays free")


def test_a_better_bed_given_to_another_request_is_told_without_the_bed_and_without_whom():
    network = two_wards()
    second = a_person("p-2", home=(0.0, 0.0))
    network = replace(
        network,
        persons={**network.persons, "p-2": second},
        requests=(*network.requests, a_request("p-2")),
    )
    plan = a_plan(
        network,
        a_move(network, "p-2", "f-1.w1.r1.b1"),
        a_move(network, "p-1", "f-2.w1.r1.b1"),
    )
    first, answer = explain_plan(network, plan).placed
    assert first.given is None
    assert answer.given is not None
    assert (answer.given.bed, answer.given.unit) == (None, "f-1.w1")
    line = answer_lines(answer, "en")[-1]
    assert line == (
        "a better bed for this person alone, in unit f-1.w1, is given to another request or "
        "transfer: distance from home 7 against 3"
    )
    assert "p-2" not in repr(answer)
    assert "f-1.w1.r1.b1" not in repr(answer)


def test_a_bed_given_to_somebody_in_company_one_may_not_join_is_not_called_better():
    network = two_wards()
    crowded = a_ward(rooms=(2,))
    network = replace(
        network,
        rooms={**network.rooms, "f-1.w1.r1": crowded.rooms[0]},
        beds={**network.beds, **{it.id: it for it in crowded.beds}},
        persons={
            **network.persons,
            "p-2": a_person("p-2"),
            "p-3": a_person("p-3", isolation=Isolation.AIRBORNE),
        },
        stays=(a_stay("p-3", "f-1.w1.r1.b2"),),
        requests=(*network.requests, a_request("p-2")),
    )
    plan = a_plan(
        network,
        a_move(network, "p-2", "f-1.w1.r1.b1"),
        a_move(network, "p-1", "f-2.w1.r1.b1"),
    )
    assert explain_plan(network, plan).placed[1].given is None


def test_a_resident_is_told_why_and_for_which_request_room_is_made():
    network = the_ward()
    plan = a_plan(network, *back_and_in(network))
    moved, _ = explain_plan(network, plan).placed
    assert moved.reason is MoveReason.MAKE_ROOM
    assert moved.makes_room_for == "rq-p-ill"
    english = answer_lines(moved, "en")
    assert english[1] == "makes room for request rq-p-ill"
    assert english[2].startswith("costs, against staying: level 2 in a ward without ward-grade")
    assert answer_lines(moved, "zh")[1] == "为申请rq-p-ill腾出床位"


def test_a_resident_is_offered_only_where_the_doctor_and_the_patient_said():
    network = a_network(
        a_ward(rooms=(1,)),
        a_ward("f-2.w1", rooms=(1, 1)),
        a_ward("f-3.w1", rooms=(1,), kind=UnitKind.OMW),
        persons=(a_person(grade=Grade.G1),),
        stays=(a_stay("p-1", "f-1.w1.r1.b1", may_move_to=PSC),),
    )
    move = a_move(network, "p-1", "f-2.w1.r1.b1")
    (answer,) = explain_plan(network, a_plan(network, move)).placed
    assert answer.next_best is not None
    assert answer.next_best.bed == "f-2.w1.r2.b1"
    agreed = replace(network.stays[0], agreed_units=frozenset({"f-1.w1"}))
    network = replace(network, stays=(agreed,))
    (answer,) = explain_plan(network, a_plan(network, move)).placed
    assert answer.next_best is None


def test_a_unit_that_declined_is_no_alternative():
    network = two_wards()
    declined = replace(network.requests[0], declined_units=frozenset({"f-2.w1"}))
    network = replace(network, requests=(declined,))
    plan = a_plan(network, a_move(network, "p-1", "f-1.w1.r1.b1"))
    assert explain_plan(network, plan).placed[0].decided is Decided.ONLY


def test_the_unit_of_origin_is_found_though_others_are_nearer():
    network = two_wards()
    back = replace(network.persons["p-1"], origin_unit="f-2.w1")
    third = a_ward("f-3.w1", rooms=(1,), bed={"kind": BedKind.GEN})
    network = replace(
        network,
        persons={"p-1": back},
        facilities={**network.facilities, "f-3": replace(network.facilities["f-1"], id="f-3")},
        units={**network.units, "f-3.w1": third.unit},
        rooms={**network.rooms, **{it.id: it for it in third.rooms}},
        beds={**network.beds, **{it.id: it for it in third.beds}},
    )
    plan = a_plan(network, a_move(network, "p-1", "f-1.w1.r1.b1"))
    (answer,) = explain_plan(network, plan).placed
    assert answer.next_best is not None
    assert answer.next_best.bed == "f-2.w1.r1.b1"
    assert {it.term for it in answer.next_best.differs} == {"away_from_origin", "distance"}


def test_an_empty_plan_has_nothing_to_explain():
    network = a_network(a_ward())
    assert list(explain_plan(network, a_plan(network))) == []
