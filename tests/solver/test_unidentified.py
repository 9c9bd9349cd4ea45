"""Somebody not identified, and somebody only screened: whom they share with, and what counts."""

from dataclasses import replace

import pytest

from solver.check import conflicts, mix_key, occupant, room_relations, violations
from solver.codes import Grade, Isolation, Observation, Relation, Screening, Sex
from solver.cost import waiting_weight
from solver.domain import Need, Network, Person, Policy
from solver.eligibility import counted_grade
from solver.planning import make_plan
from tests.solver.builders import a_network, a_person, a_request, a_stay, a_ward
from tests.solver.plans import a_move, broken, relations

UNSEEN = Need(nursing=a_person().need.nursing, pregnant=a_person().need.pregnant)


def beside(newcomer: Person, *there: Person) -> Network:
    beds = [f"f-1.w1.r1.b{i}" for i in range(2, 2 + len(there))]
    return a_network(
        a_ward(like="constrained", rooms=(4, 1)),
        persons=[newcomer, *there],
        stays=[a_stay(it.id, bed) for it, bed in zip(there, beds, strict=True)],
        requests=[a_request(newcomer.id, emergency=not newcomer.identified)],
    )


@pytest.mark.parametrize("other", [Sex.MALE, Sex.FEMALE, None])
@pytest.mark.parametrize("seen", [Sex.MALE, None])
def test_nobody_shares_a_room_with_somebody_not_identified(seen: Sex | None, other: Sex | None):
    nobody = a_person("p-new", "constrained", sex=seen, identified=False)
    mate = a_person("p-1", "constrained", sex=other, identified=other is not None)
    network = beside(nobody, mate)
    assert relations(conflicts(network, "p-new", "f-1.w1.r1.b1")) == {Relation.ONE_SEX_PER_ROOM}
    assert Relation.ONE_SEX_PER_ROOM in broken(network, a_move(network, "p-new", "f-1.w1.r1.b1"))
    assert room_relations(occupant(mate), [occupant(nobody)], cohort=True) == (
        Relation.ONE_SEX_PER_ROOM,
    )
    plan, _ = make_plan(network)
    assert [move.to_bed for move in plan.moves] == ["f-1.w1.r2.b1"]
    assert violations(network, plan) == ()


def test_a_key_of_ones_own_keeps_the_room_of_somebody_whose_sex_is_not_known():
    for isolation in Isolation:
        for cohort in (False, True):
            assert mix_key(None, isolation, "p-1", cohort) == "alone:p-1"
            assert mix_key(None, isolation, "p-1", cohort) != mix_key(
                None, isolation, "p-2", cohort
            )


def test_whoever_was_screened_clear_shares_and_whoever_was_not_does_not():
    unknown = {"grade": None, "isolation": Isolation.UNKNOWN}
    clear = a_person("p-new", "constrained", screening=Screening.CLEAR, **unknown)
    doubtful = replace(clear, need=replace(clear.need, screening=Screening.CAUTION))
    mate = a_person("p-1", "constrained")
    assert relations(conflicts(beside(clear, mate), "p-new", "f-1.w1.r1.b1")) == set()
    assert relations(conflicts(beside(doubtful, mate), "p-new", "f-1.w1.r1.b1")) == {
        Relation.ISOLATION_EXCLUSIVITY
    }


@pytest.mark.parametrize(
    ("screening", "grade", "route", "watch"),
    [
        (Screening.NONE, Grade.G3, Isolation.UNKNOWN, Observation.UNKNOWN),
        (Screening.CAUTION, Grade.G3, Isolation.UNKNOWN, Observation.UNKNOWN),
        (Screening.CLEAR, Grade.G1, Isolation.NONE, Observation.NONE),
        (Screening.RED_FLAG, Grade.G5, Isolation.UNKNOWN, Observation.UNKNOWN),
    ],
)
def test_a_screening_counts_only_until_somebody_grades(
    screening: Screening, grade: Grade, route: Isolation, watch: Observation
):
    need = replace(UNSEEN, screening=screening)
    assert (counted_grade(need, Policy()), need.route, need.watch) == (grade, route, watch)
    graded = replace(need, grade=Grade.G2)
    assert counted_grade(graded, Policy()) is Grade.G2
    assert (graded.route, graded.watch) == (Isolation.UNKNOWN, Observation.UNKNOWN)


def test_a_red_flag_waits_with_the_weight_of_an_emergency_grade():
    def weight(screening: Screening) -> int:
        who = a_person("p-new", grade=None, screening=screening)
        network = a_network(a_ward(), persons=[who], requests=[a_request("p-new")])
        return waiting_weight(network, network.requests[0])

    assert weight(Screening.CLEAR) < weight(Screening.NONE) == weight(Screening.CAUTION)
    assert weight(Screening.CAUTION) < weight(Screening.RED_FLAG)
