"""The diff of two plans: every person once, each line with the reason that is true."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solver.changes import (
    Change,
    ChangeKind,
    ChangeReason,
    change_words,
    changes,
    standing,
)
from solver.check import violations
from solver.codes import BedState, Grade, MoveReason
from solver.domain import Network, Plan
from solver.planning import make_plan
from tests.solver.builders import a_network, a_person, a_request, a_stay, a_ward
from tests.solver.plans import a_move, a_plan, back_and_in, the_ward
from tests.solver.tiny_networks import tiny_networks

K, R = ChangeKind, ChangeReason
ROOMY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
BED = "f-1.w1.r1.b{}".format


def two_waiting(**changes: object) -> Network:
    """Two who wait for the same room of two beds."""
    network = a_network(
        a_ward(rooms=(2,)),
        persons=(a_person("p-1"), a_person("p-2")),
        requests=(a_request("p-1"), a_request("p-2")),
    )
    return replace(network, **changes)  # type: ignore[arg-type]


def placed(network: Network, **beds: str) -> Plan:
    """Person p_1 to a bed, p_2 to another; the rest unplaced."""
    return a_plan(
        network, *(a_move(network, who.replace("_", "-"), bed) for who, bed in beds.items())
    )


def only(found: tuple[Change, ...], person: str) -> Change:
    (line,) = [it for it in found if it.person == person]
    return line


def told(line: Change) -> tuple[ChangeKind, ChangeReason]:
    return line.kind, line.reason


@settings(ROOMY, max_examples=30)
@given(tiny_networks())
def test_a_plan_against_itself_is_kept_line_by_line(tiny: Network):
    plan, _ = make_plan(tiny)
    found = changes(tiny, plan, plan)
    assert {it.kind for it in found} <= {K.KEPT}
    assert [it.person for it in found] == [it.person for it in plan.moves]
    assert standing(tiny, plan) == plan.moves


@st.composite
def two_plans(draw: st.DrawFn) -> tuple[Network, Plan, Plan]:
    """A network, a plan for it, and a plan made when some beds were closed and some had not asked
    yet."""
    network = draw(tiny_networks(most_people=5, most_beds=7))
    shut = draw(st.sets(st.sampled_from(sorted(network.beds)), max_size=3))
    beds = {
        id_: replace(bed, state=BedState.CLOSED) if id_ in shut else bed
        for id_, bed in network.beds.items()
    }
    asked = tuple(it for it in network.requests if draw(st.booleans()))
    earlier, _ = make_plan(replace(network, beds=beds, requests=asked))
    later, _ = make_plan(network)
    if draw(st.booleans()):
        earlier, later = later, earlier
        network = replace(network, beds=beds, requests=asked)
    return network, earlier, later


@settings(ROOMY, max_examples=40)
@given(two_plans())
def test_every_person_of_either_plan_appears_once_and_speaks_of_nobody_else(
    drawn: tuple[Network, Plan, Plan],
):
    network, earlier, later = drawn
    found = changes(network, earlier, later)
    people = [it.person for it in found]
    assert len(people) == len(set(people))
    assert set(people) == {it.person for plan in (earlier, later) for it in plan.moves}
    new = {it.person: it.to_bed for it in later.moves}
    for line in found:
        assert line.now == new.get(line.person)
        assert (line.kind is K.DROPPED) == (line.now is None)
        assert (line.kind is K.NEW) == (line.before is None)
        assert (line.level is None) == (line.by is None)
        assert line.by is None or line.by > 0
        for language in ("zh", "en"):
            assert not any(who in change_words(line, language) for who in network.persons)


@settings(ROOMY, max_examples=40)
@given(two_plans())
def test_what_stands_of_an_old_plan_breaks_no_rule_about_one_bed_today(
    drawn: tuple[Network, Plan, Plan],
):
    network, earlier, _ = drawn
    left = standing(network, earlier)
    ids = {it.id for it in left}
    assert all(set(it.after) <= ids for it in left)
    by_person = {"eligibility", "availability", "order_of_moves"}
    broken = violations(network, a_plan(network, *left))
    assert not {it.relation.value for it in broken} & by_person


def test_somebody_who_asked_since_is_newly_waiting_and_says_what_it_is_worth():
    network = two_waiting()
    before = two_waiting(requests=network.requests[:1])
    found = changes(network, placed(before, p_1=BED(1)), placed(network, p_1=BED(1), p_2=BED(2)))
    assert told(only(found, "p-1")) == (K.KEPT, R.SAME_BED)
    line = only(found, "p-2")
    assert told(line) == (K.NEW, R.NEWLY_WAITING)
    assert line.level == 1
    assert line.by is not None
    assert line.by > 0


def test_somebody_the_last_plan_left_without_a_bed_gets_one_that_came_free():
    network = two_waiting()
    found = changes(network, placed(network, p_1=BED(1)), placed(network, p_1=BED(1), p_2=BED(2)))
    assert told(only(found, "p-2")) == (K.NEW, R.BED_CAME_FREE)


def test_a_resident_newly_moved_says_whether_the_place_or_somebodys_need_asks_for_it():
    network = the_ward()
    nothing = a_plan(network)
    found = changes(network, nothing, a_plan(network, *back_and_in(network)))
    assert told(only(found, "p-fit")) == (K.NEW, R.MAKES_ROOM)
    first, then = back_and_in(network)
    wrong = replace(first, reason=MoveReason.RIGHT_A_MISPLACED, displaced_for=None)
    found = changes(network, nothing, a_plan(network, wrong, then))
    assert told(only(found, "p-fit")) == (K.NEW, R.PLACE_NOT_RIGHT)
    back = replace(first, reason=MoveReason.STEP_DOWN, displaced_for=None)
    found = changes(network, nothing, a_plan(network, back))
    assert told(only(found, "p-fit")) == (K.NEW, R.LESS_RESTRICTIVE)


def bed_held(network: Network) -> Network:
    held = replace(network.beds[BED(1)], held_for="p-1")
    return replace(network, beds={**network.beds, BED(1): held}, requests=network.requests[1:])


def bed_shut(network: Network) -> Network:
    shut = replace(network.beds[BED(1)], state=BedState.CLOSED)
    return replace(network, beds={**network.beds, BED(1): shut})


def bed_removed(network: Network) -> Network:
    return replace(network, beds={BED(2): network.beds[BED(2)]})


def withdrawn(network: Network) -> Network:
    return replace(network, requests=network.requests[1:])


def seen_elsewhere(network: Network) -> Network:
    return replace(network, stays=(a_stay("p-1", BED(2)),))


def declined(network: Network) -> Network:
    refused = replace(network.requests[0], declined_units=frozenset({"f-1.w1"}))
    return replace(network, requests=(refused, network.requests[1]))


def graver(network: Network) -> Network:
    ill = a_person("p-1", grade=Grade.G3)
    return replace(network, persons={**network.persons, "p-1": ill})


def somebody_came(network: Network) -> Network:
    there = a_person("p-3")
    return replace(
        network,
        persons={**network.persons, "p-3": there},
        stays=(a_stay("p-3", BED(1)),),
    )


def staff_went(network: Network) -> Network:
    unit = replace(network.units["f-1.w1"], staffed_beds=0)
    return replace(network, units={unit.id: unit})


@pytest.mark.parametrize(
    ("happened", "reason"),
    [
        (bed_held, R.CARRIED_OUT),
        (withdrawn, R.REQUEST_GONE),
        (seen_elsewhere, R.PERSON_MOVED),
        (bed_shut, R.BED_LOST),
        (bed_removed, R.BED_LOST),
        (somebody_came, R.BED_LOST),
        (staff_went, R.BED_LOST),
        (declined, R.UNIT_DECLINED),
        (graver, R.NOT_ALLOWED),
    ],
)
def test_a_dropped_placement_says_what_happened(
    happened: Callable[[Network], Network], reason: ChangeReason
):
    before = two_waiting()
    old = placed(before, p_1=BED(1))
    today = happened(before)
    line = only(changes(today, old, a_plan(today)), "p-1")
    assert told(line) == (K.DROPPED, reason)
    assert (line.before, line.now) == (BED(1), None)
    assert standing(today, old) == ()


def discharged(network: Network) -> Network:
    return replace(network, stays=())


def stopped(network: Network) -> Network:
    return replace(network, stays=(replace(network.stays[0], pinned=True),))


def back_in_the_centre(network: Network) -> Network:
    return replace(network, stays=(replace(network.stays[0], bed=BED(1)),))


@pytest.mark.parametrize(
    ("happened", "reason", "then"),
    [
        (discharged, R.PERSON_GONE, R.EARLIER_MOVE_GONE),
        (stopped, R.NOT_MOVABLE, R.BED_LOST),
        (withdrawn, R.NOT_NEEDED, R.REQUEST_GONE),
    ],
)
def test_a_chain_is_dropped_move_by_move_with_a_reason_each(
    happened: Callable[[Network], Network], reason: ChangeReason, then: ChangeReason
):
    before = the_ward()
    old = a_plan(before, *back_and_in(before))
    today = happened(before)
    found = changes(today, old, a_plan(today))
    assert told(only(found, "p-fit")) == (K.DROPPED, reason)
    assert told(only(found, "p-ill")) == (K.DROPPED, then)


def test_a_move_whose_forerunner_was_carried_out_stands_alone():
    before = the_ward()
    old = a_plan(before, *back_and_in(before))
    (left,) = standing(back_in_the_centre(before), old)
    assert (left.person, left.after) == ("p-ill", ())


def test_a_bed_given_to_a_graver_request_says_so_with_the_plans_gain_and_names_nobody():
    ill = replace(two_waiting().persons["p-2"], need=a_person(grade=Grade.G2).need)
    people = {"p-1": a_person("p-1"), "p-2": ill}
    network = two_waiting(persons=people)
    found = changes(network, placed(network, p_1=BED(1)), placed(network, p_2=BED(1)))
    line = only(found, "p-1")
    assert told(line) == (K.DROPPED, R.GIVEN_TO_ANOTHER)
    weights = network.policy.grade_weights
    assert (line.level, line.by) == (1, weights[2] - weights[0])
    assert "another request" in change_words(line, "en")
    assert "另一申请" in change_words(line, "zh")


def wards(*, stale: int) -> Network:
    """One waiting person, two wards alike but that one of them has not reported lately."""
    beds = {f"f-{stale}.w1.r1.b1": {"stale": True}}
    return a_network(
        a_ward(rooms=(1,)),
        a_ward("f-2.w1", rooms=(1,)),
        persons=(a_person(),),
        requests=(a_request("p-1"),),
        beds=beds,
    )


def test_another_bed_says_by_which_level_it_is_better():
    network = wards(stale=1)
    found = changes(network, placed(network, p_1=BED(1)), placed(network, p_1="f-2.w1.r1.b1"))
    (line,) = found
    assert told(line) == (K.CHANGED, R.BETTER_FOR_PERSON)
    assert (line.before, line.now) == (BED(1), "f-2.w1.r1.b1")
    assert (line.level, line.by) == (2, network.policy.stale_weight)
    assert "better by 1" in change_words(line, "en")
    assert "改善1" in change_words(line, "zh")


def test_another_bed_because_the_first_was_lost_says_that():
    network = bed_shut(two_waiting())
    (line,) = changes(network, placed(two_waiting(), p_1=BED(1)), placed(network, p_1=BED(2)))
    assert told(line) == (K.CHANGED, R.BED_LOST)
    assert (line.level, line.by) == (None, None)


def test_beds_that_are_alike_are_said_to_be_as_good():
    network = two_waiting(requests=two_waiting().requests[:1])
    (line,) = changes(network, placed(network, p_1=BED(1)), placed(network, p_1=BED(2)))
    assert told(line) == (K.CHANGED, R.AS_GOOD)
    swapped = two_waiting()
    found = changes(
        swapped,
        placed(swapped, p_1=BED(1), p_2=BED(2)),
        placed(swapped, p_1=BED(2), p_2=BED(1)),
    )
    assert {told(it) for it in found} == {(K.CHANGED, R.GIVEN_TO_ANOTHER)}


def test_a_worse_bed_for_the_sake_of_the_whole_says_what_the_whole_gains():
    """Only one of two beds fits the graver person; the other moves over to one less well known."""
    network = a_network(
        a_ward(rooms=(1,)),
        a_ward("f-2.w1", rooms=(1,), level_of_care=Grade.G1),
        persons=(a_person("p-1"), a_person("p-2", grade=Grade.G2)),
        requests=(a_request("p-1"), a_request("p-2")),
        beds={"f-2.w1.r1.b1": {"stale": True}},
    )
    found = changes(
        network,
        placed(network, p_1=BED(1)),
        placed(network, p_1="f-2.w1.r1.b1", p_2=BED(1)),
    )
    line = only(found, "p-1")
    assert told(line) == (K.CHANGED, R.GIVEN_TO_ANOTHER)
    waited_a_day = network.policy.wait_weight_per_day
    assert (line.level, line.by) == (1, network.policy.grade_weights[2] + waited_a_day)


def test_every_reason_and_kind_has_words_in_both_languages():
    for reason in ChangeReason:
        for kind in ChangeKind:
            line = Change("p-1", None, kind, reason, BED(1), BED(2), 0, 3)
            zh, en = change_words(line, "zh"), change_words(line, "en")
            assert any("\u4e00" <= it <= "\u9fff" for it in zh)
            assert en.isascii()
