"""What a plan breaks, in words: the rule or relation by name, never a finding or a consent."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.check import immovable
from solver.codes import MoveReason, Relation
from solver.domain import Network, Policy
from solver.eligibility import RULES_BY_ID
from solver.eligibility.registry import Language
from solver.explain import violation_words
from solver.hand_plans import HandMove, HandPlan, hand_made
from solver.pricing import price_plan
from tests.solver.plans import the_ward
from tests.solver.tiny_networks import tiny_networks

CENTRE_BED, WARD_BED = "f-1.w1.r1.b1", "f-2.w1.r1.b1"
BOTH: tuple[Language, Language] = ("zh", "en")


def said(network: Network, *moves: HandMove, language: Language = "en") -> list[str]:
    plan = hand_made(network, HandPlan(moves))
    found = price_plan(network, plan).violations
    return [violation_words(network, plan, it, language) for it in found]


BACK = HandMove("p-fit", CENTRE_BED, id="m1")
IN = HandMove("p-ill", WARD_BED, id="m2")


@pytest.mark.parametrize(
    ("moves", "zh", "en"),
    [
        (
            [replace(IN, to_bed=CENTRE_BED)],
            "S11 收治等级",
            "S11 level of care",
        ),
        ([IN], "床位或者人手已满", "taken, or no staffed bed left"),
        (
            [BACK, replace(IN, after=())],
            "调整次序不可行：m2须在m1腾出床位之后",
            "the order of moves does not work: m2 has to wait until m1 has vacated the bed",
        ),
        (
            [replace(BACK, after=("m9",))],
            "调整次序不可行：m1所等待的调整不在其前",
            "the order of moves does not work: what m1 waits for does not come before it",
        ),
        (
            [BACK, replace(IN, id="m1")],
            "调整次序不可行：编号m1重复使用",
            "the order of moves does not work: the id m1 is used more than once",
        ),
        (
            [BACK, replace(BACK, id="m3", to_bed="f-1.w1.r1.b2")],
            "不具备调整条件：p-fit被调整不止一次",
            "not the plan's to move: p-fit is moved more than once",
        ),
        (
            [replace(BACK, person="p-x")],
            "不具备调整条件：网络中没有p-x",
            "not the plan's to move: p-x is not in the network",
        ),
        (
            [replace(BACK, to_bed="bed-x")],
            "停用、预留或者已约定：网络中没有该床位",
            "out of service, held or promised: no such bed in the network",
        ),
        (
            [replace(BACK, reason=MoveReason.MAKE_ROOM)],
            "不具备调整条件：m1的理由不成立",
            "not the plan's to move: the reason of m1 does not hold",
        ),
        (
            [BACK, replace(IN, request="rq-x")],
            "不具备调整条件：m2的申请或者现住床位不是p-ill的",
            "not the plan's to move: the request or present bed of m2 is not that of p-ill",
        ),
    ],
)
def test_what_a_plan_breaks_is_said_in_both_languages(moves: list[HandMove], zh: str, en: str):
    assert zh in said(the_ward(), *moves, language="zh")
    assert en in said(the_ward(), *moves, language="en")


def test_a_bed_given_on_before_it_is_turned_around_is_said_so():
    network = the_ward()
    plan = hand_made(network, HandPlan((BACK, IN)))
    early = replace(plan, moves=(plan.moves[0], replace(plan.moves[1], ready_at=network.now)))
    (found,) = price_plan(network, early).violations
    assert violation_words(network, early, found, "zh") == (
        f"调整次序不可行：床位{WARD_BED}届时尚未周转完毕"
    )


def test_a_unit_without_staff_or_that_declined_is_named_by_that():
    network = the_ward()
    units = {**network.units, "f-1.w1": replace(network.units["f-1.w1"], staffed_beds=0)}
    assert "人手已满（f-1.w1）" in said(replace(network, units=units), BACK, language="zh")
    (request,) = network.requests
    declined = replace(network, requests=(replace(request, declined_units=frozenset({"f-2.w1"})),))
    assert "in a unit that declined (f-2.w1)" in said(declined, BACK, IN)


def test_too_many_moves_are_said_without_a_name():
    found = said(the_ward(policy=Policy(move_budget=0)), BACK, language="zh")
    assert found == ["不具备调整条件：调整人数超过上限"]


@pytest.mark.parametrize(
    "stay",
    [
        {"agreed_units": frozenset()},
        {"may_move_to": frozenset()},
        {"pinned": True},
        {"on_leave": True},
    ],
)
def test_why_a_resident_is_not_to_be_moved_is_not_said(stay: dict[str, Any]):
    network = the_ward()
    (there,) = network.stays
    network = replace(network, stays=(replace(there, **stay),))
    assert immovable(network, network.stays[0], network.unit_of(CENTRE_BED))
    assert "不具备调整条件：p-fit不得由方案调整到f-1.w1" in said(network, BACK, language="zh")
    words = " ".join(said(network, BACK))
    assert "p-fit is not to be moved to f-1.w1 by a plan" in words
    assert not any(it in words for it in ("agreed", "doctor", "leave", "stop"))


@given(tiny_networks(), st.data())
@settings(max_examples=100)
def test_a_rule_about_one_person_is_said_by_id_and_title_alone(
    network: Network, data: st.DataObject
):
    people = st.sampled_from(["p-nobody", *network.persons])
    beds = st.sampled_from(["bed-nowhere", *network.beds])
    moves = data.draw(st.lists(st.builds(HandMove, people, beds), min_size=1, max_size=3))
    plan = hand_made(network, HandPlan(tuple(moves)))
    for it in price_plan(network, plan).violations:
        for language in BOTH:
            words = violation_words(network, plan, it, language)
            assert words
            if it.relation is Relation.ELIGIBILITY:
                rule = RULES_BY_ID[it.subjects[-1]]
                assert words == f"{rule.id} {rule.title(language)}"
