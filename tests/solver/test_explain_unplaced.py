"""Why no bed: every bed accounted for, whose rule it is, when one is expected."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from solver.codes import BedKind, BedState, Grade, Isolation, Relation, Sex, Tri, UnitKind
from solver.domain import Network, Plan
from solver.eligibility import RULES_BY_ID, Approver, PolicyOwner
from solver.explain import (
    Expected,
    Nature,
    NotPlaced,
    Removed,
    answer_lines,
    explain_plan,
    removed_words,
)
from solver.planning import make_plan
from solver.synthetic import city
from tests.solver.builders import NOW, Ward, a_network, a_person, a_request, a_stay, a_ward
from tests.solver.plans import LICENSED, OMW, PSC, a_move, a_plan
from tests.solver.tiny_networks import tiny_networks
from tests.solver.whys import removed_beds


def counted(answer: NotPlaced) -> Counter[str]:
    found = Counter({it.code: it.beds for it in answer.removed})
    found["fits"] = answer.fitting
    return +found


def assert_all_accounted_for(network: Network, plan: Plan, step: int = 1) -> None:
    placed = {move.request for move in plan.moves}
    waiting = [it for it in network.requests if it.id not in placed]
    answers = explain_plan(network, plan).unplaced
    assert {it.request for it in answers} == {it.id for it in waiting}
    by_request = {it.request: it for it in answers}
    for request in waiting[::step]:
        answer = by_request[request.id]
        assert counted(answer) == +removed_beds(network, plan, request)
        lawful = sum(it.beds for it in answer.removed if it.nature is Nature.RELATION)
        assert lawful + answer.fitting == answer.lawful
        sizes = [it.beds for it in answer.removed]
        assert sizes == sorted(sizes, reverse=True)


@given(tiny_networks(most_people=6, most_beds=6, reserves=(0, 1), hurry=3))
@settings(max_examples=80)
def test_every_bed_is_counted_as_one_by_one(network: Network):
    assert_all_accounted_for(network, make_plan(network)[0])


@given(tiny_networks(most_people=6, most_beds=9, reserves=(0, 1), hurry=3))
@settings(max_examples=40)
def test_every_bed_is_counted_under_a_plan_that_does_nothing(network: Network):
    assert_all_accounted_for(network, a_plan(network))


def test_every_bed_of_a_city_is_counted_as_one_by_one():
    network = city(0, 0.97, waiting=60)
    assert_all_accounted_for(network, make_plan(network)[0], 8)


def alone(network: Network, *moves: str) -> NotPlaced:
    """The answer to p-1 under a plan that moves each of these to a bed, or nobody."""
    plan = a_plan(network, *(a_move(network, *move.split(">")) for move in moves))
    answer = explain_plan(network, plan).of_person("p-1")
    assert isinstance(answer, NotPlaced)
    return answer


def full(**changes: Any) -> Network:
    """One centre ward of one room with two beds, where p-1 waits for one."""
    return a_network(
        a_ward(rooms=(2,), **changes.pop("ward", {})),
        persons=(a_person(**changes.pop("person", {})), *changes.pop("others", ())),
        requests=(a_request("p-1", **changes.pop("request", {})), *changes.pop("requests", ())),
        **changes,
    )


B1, B2 = "f-1.w1.r1.b1", "f-1.w1.r1.b2"
CASES: dict[str, tuple[Network, tuple[str, ...], dict[str, int]]] = {
    "taken": (
        full(others=[a_person("p-2")], stays=[a_stay("p-2", B1)]),
        (),
        {"taken": 1, "fits": 1},
    ),
    "given": (
        full(others=[a_person("p-2")], requests=[a_request("p-2")]),
        (f"p-2>{B1}",),
        {"given": 1, "fits": 1},
    ),
    "out of use": (
        full(beds={B1: {"state": BedState.HOUSEKEEPING}, B2: {"promised": True}}),
        (),
        {"out_of_use": 2},
    ),
    "held for another": (
        full(others=[a_person("p-2")], beds={B1: {"held_for": "p-2"}}),
        (),
        {"out_of_use": 1, "fits": 1},
    ),
    "declined": (full(request={"declined_units": frozenset({"f-1.w1"})}), (), {"declined": 2}),
    "no staff": (full(ward={"staffed_beds": 0}), (), {"unstaffed": 2}),
    "reserve": (full(ward={"reserve": 2}), (), {"reserve": 2}),
    "company": (
        full(others=[a_person("p-2", sex=Sex.FEMALE)], stays=[a_stay("p-2", B1)]),
        (),
        {"taken": 1, "one_sex_per_room": 1},
    ),
    "own kept bed is no company": (
        full(
            person={"isolation": Isolation.AIRBORNE},
            ward={"room": {"isolation": Isolation.AIRBORNE}},
            stays=[a_stay("p-1", B1, on_leave=True)],
        ),
        (),
        {"taken": 1, "fits": 1},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_lawful_bed_is_counted_by_why_it_is_not_to_be_had(case: str):
    network, moves, expected = CASES[case]
    assert counted(alone(network, *moves)) == Counter(expected)


def test_a_room_left_by_somebody_isolated_is_to_be_disinfected_first():
    network = a_network(
        a_ward(rooms=(2, 1), room={"isolation": Isolation.AIRBORNE}),
        persons=(a_person(), a_person("p-2", isolation=Isolation.AIRBORNE)),
        stays=(a_stay("p-2", B1, may_move_to=PSC),),
        requests=(a_request("p-1"),),
    )
    answer = alone(network, "p-2>f-1.w1.r2.b1")
    assert counted(answer) == Counter({"to_disinfect": 2, "given": 1})


def test_a_cause_names_the_relation_it_belongs_to():
    (removed,) = alone(full(ward={"staffed_beds": 0})).removed
    assert (removed.relation, removed.nature) == (Relation.CAPACITY, Nature.RELATION)


def test_a_statutory_rule_is_marked_and_nobody_is_named_to_lift_it():
    network = full(person={"pregnant": Tri.YES, "sex": Sex.FEMALE})
    answer = alone(network)
    statutory = [it for it in answer.removed if it.nature is Nature.STATUTORY]
    assert "P01" in {it.code for it in statutory}
    for it in statutory:
        assert (it.lifted_by, it.owner, it.alone) == (None, None, None)
        assert it.source == RULES_BY_ID[it.code].source
        assert removed_words(it, "en").endswith("; statutory, lifted by nobody")
        assert removed_words(it, "zh").endswith("；法定，任何人不得放行")


def test_a_rule_of_policy_names_who_may_lift_it_and_how_many_beds_nothing_else_refuses():
    network = full(person={"needs": frozenset({BedKind.NUR})})
    (removed,) = alone(network).removed
    assert removed == Removed(
        "P13-bed",
        2,
        Nature.POLICY,
        lifted_by=Approver.CLINICIAN,
        source=RULES_BY_ID["P13-bed"].source,
        alone=2,
    )
    assert removed_words(removed, "en") == (
        "P13-bed bed equipment: 2 beds; a doctor may lift it, with a reason; "
        "2 beds refused by nothing else"
    )
    assert removed_words(removed, "zh") == (
        "P13-bed 床位设施：2张床；可由医生附理由放行；其中2张仅为此规则所拒绝"
    )


def test_a_local_rule_names_its_owner():
    owned = [it for it in RULES_BY_ID.values() if it.owner is PolicyOwner.NETWORK]
    for rule in owned:
        one = Removed(rule.id, 1, Nature.POLICY, None, rule.lifted_by, rule.owner)
        assert "a local rule, set by the network's owner" in removed_words(one, "en")
        assert "本地规定，由本市戒毒床位管理机构制定" in removed_words(one, "zh")
    assert owned


def test_the_earliest_bed_of_each_lawful_kind_is_told_and_no_other():
    hours = [NOW + timedelta(hours=it) for it in range(9)]
    network = a_network(
        a_ward(rooms=(4, 1)),
        a_ward("f-2.w1", like="constrained", rooms=(1,), bed={"expected_free": hours[1]}),
        a_ward("f-3.w1", rooms=(1,), bed={"state": BedState.CLOSED, "expected_free": hours[1]}),
        persons=(a_person(), *(a_person(f"p-{i}") for i in range(2, 5))),
        stays=(
            a_stay("p-2", B1, expected_end=hours[5]),
            a_stay("p-3", B2, expected_end=hours[2], on_leave=True),
            a_stay("p-4", "f-1.w1.r1.b3", expected_end=NOW - timedelta(hours=1)),
        ),
        requests=(a_request("p-1", declined_units=frozenset({"f-3.w1"})),),
        beds={
            "f-1.w1.r1.b4": {"state": BedState.HOUSEKEEPING, "expected_free": hours[6]},
            "f-1.w1.r2.b1": {
                "kind": BedKind.NUR,
                "state": BedState.HOUSEKEEPING,
                "expected_free": hours[4],
            },
        },
    )
    answer = alone(network)
    assert [(it.bed_kind, it.at) for it in answer.expected] == [
        (BedKind.NUR, hours[4]),
        (BedKind.GEN, hours[5]),
    ]
    assert answer_lines(answer, "en")[-1] == (
        "a nursing bed is forecast for 23 Nov 2026 13:00; "
        "a general bed is forecast for 23 Nov 2026 14:00"
    )
    assert answer_lines(answer, "zh")[-1] == (
        "护理床预计2026年11月23日13:00空出；普通床预计2026年11月23日14:00空出"
    )
    airborne = replace(answer, expected=(Expected(BedKind.ISO_A, hours[4]),))
    assert answer_lines(airborne, "en")[-1] == (
        "an airborne isolation bed is forecast for 23 Nov 2026 13:00"
    )
    assert answer_lines(alone(full()), "zh")[-1] == "没有合法床位的预计空出时间"


def test_lawful_beds_that_stay_free_and_would_fit_are_not_hidden():
    answer = alone(full())
    assert answer.fitting == 2
    assert "2 beds would fit and stay free; no plan found uses them" in answer_lines(answer, "en")
    assert "另有2张床合适且仍空；未找到使用它们的方案" in answer_lines(answer, "zh")


def ward_of(id: str, beds: int) -> Ward:
    """An off-site ward for the gravely ill."""
    return a_ward(id, rooms=(beds,), kind=UnitKind.OMW, level_of_care=Grade.G4, licences=LICENSED)


def too_ill_for_the_centre(**stay: Any) -> Network:
    """Somebody who has become too ill for the centre they are in; two wards, one bed taken."""
    return a_network(
        a_ward(rooms=(2,)),
        ward_of("f-2.w1", 2),
        ward_of("f-3.w1", 1),
        persons=(a_person(grade=Grade.G3), a_person("p-2")),
        stays=(a_stay("p-1", B1, **stay), a_stay("p-2", "f-2.w1.r1.b1")),
    )


def test_a_resident_left_in_an_unfit_place_is_explained_with_the_rules_that_refuse_it():
    network = too_ill_for_the_centre()
    answer = alone(network)
    assert answer.request is None
    assert answer.wrong == ("S11",)
    assert counted(answer) == Counter({"S11": 2, "not_movable": 3})
    assert answer_lines(answer, "en")[0] == (
        "p-1: stays where the place is no longer fit by S11 level of care"
    )
    assert explain_plan(network, a_plan(network)).of_person("p-2") is None


def test_a_resident_whom_a_statement_lets_move_is_told_what_keeps_the_beds():
    answer = alone(too_ill_for_the_centre(may_move_to=OMW))
    assert counted(answer) == Counter({"S11": 2, "taken": 1, "fits": 2})


def test_units_a_resident_did_not_agree_to_are_not_the_plans_to_use():
    agreed = frozenset({"f-3.w1"})
    answer = alone(too_ill_for_the_centre(may_move_to=OMW, agreed_units=agreed))
    assert counted(answer) == Counter({"S11": 2, "not_movable": 2, "fits": 1})
