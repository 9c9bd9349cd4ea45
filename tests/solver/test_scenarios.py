"""What-ifs on tiny networks: what each step changes, to the figure."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from solver.codes import (
    CONSENSUAL_BASES,
    BedState,
    ConsentBy,
    Grade,
    Isolation,
    LegalBasis,
    Sex,
    UnitKind,
)
from solver.cost import profile
from solver.domain import Network, Policy, Room
from solver.eligibility import place, refusals
from solver.instance import InstanceError
from solver.planning import make_plan
from solver.scenarios import (
    Arrivals,
    CloseUnit,
    Discharges,
    LongerStays,
    NewHospital,
    Outbreak,
    PolicyChange,
    Removed,
    apply,
    scenarios_from,
)
from tests.solver.tiny_networks import (
    NOW,
    TERM,
    network,
    person,
    request,
    stay,
    unit,
)
from tests.solver.what_ifs import CENTRE, OMW, OTHER, WARD, asked, done, grades, two_centres

# Close a unit


def test_a_closed_unit_is_left_by_whom_a_doctor_lets_move_and_the_others_count_as_left():
    found = asked(two_centres(), CloseUnit(CENTRE))
    assert (found.outcome.misplaced_left, found.outcome.resident_moves) == (1, 1)
    assert (found.against_today.misplaced_left, found.against_today.moves) == (1, 1)
    assert found.against_today.levels[0] == Policy().grade_weights[Grade.G1]


def test_a_closed_unit_supposed_movable_shows_whether_there_is_room_at_all():
    found = asked(two_centres(), CloseUnit(CENTRE, movable=True))
    # One bed of a like kind; the ward, open to anybody a doctor sends, has the other.
    assert (found.outcome.misplaced_left, found.outcome.resident_moves) == (0, 2)


def test_a_closed_unit_takes_nobody_though_it_was_empty():
    waiting = two_centres(stays=(), requests=(request("p-a"), request("p-b")))
    closed = done(waiting, CloseUnit(CENTRE), CloseUnit(WARD))
    plan, _ = make_plan(closed)
    assert [move.to_bed for move in plan.moves] == [f"{OTHER}.r1.b1"]
    assert {bed.state for bed in closed.beds.values() if bed.id.startswith(CENTRE)} == {
        BedState.CLOSED
    }


def test_a_pin_stays_a_pin_in_a_closed_unit_supposed_movable():
    pinned = two_centres()
    pinned = replace(pinned, stays=tuple(replace(it, pinned=True) for it in pinned.stays))
    assert asked(pinned, CloseUnit(CENTRE, movable=True)).outcome.misplaced_left == 2


def test_a_consenting_patient_is_supposed_to_agree_only_where_movable_is_said():
    patient = person("p-c", basis=LegalBasis.CONSTRAINED)
    names = ("h0.w1", "h1.w1")
    hospitals = network(
        [unit(it, UnitKind.CTH) for it in names],
        [(Room(f"{it}.r1", it), 1) for it in names],
        [patient],
        [stay("p-c", "h0.w1.r1.b1", UnitKind.CTH)],
    )
    assert asked(hospitals, CloseUnit("h0.w1")).outcome.misplaced_left == 1
    assert asked(hospitals, CloseUnit("h0.w1", movable=True)).outcome.misplaced_left == 0


def test_whom_a_bed_of_a_closed_unit_was_held_for_waits_again():
    held = two_centres(stays=())
    bed = held.beds[f"{CENTRE}.r1.b1"]
    held = replace(held, beds={**held.beds, bed.id: replace(bed, held_for="p-a", promised=True)})
    closed = done(held, CloseUnit(CENTRE))
    assert [it.person for it in closed.requests] == ["p-a"]
    assert closed.beds[bed.id].held_for is None
    assert not closed.beds[bed.id].promised


def test_a_bed_kept_during_leave_is_nobodys_place_to_be_moved_from():
    away = two_centres()
    away = replace(away, stays=tuple(replace(it, on_leave=True) for it in away.stays))
    assert asked(away, CloseUnit(CENTRE)).outcome.misplaced_left == 0


def test_what_takes_beds_from_people_without_one_is_the_closing_and_not_the_rule_that_empties():
    waiting = two_centres(stays=(), requests=(request("p-a"),))
    found = asked(waiting, CloseUnit(CENTRE), CloseUnit(OTHER), CloseUnit(WARD))
    assert found.outcome.unplaced == grades(G1=1)
    assert found.outcome.removed == (Removed("availability", 5, 1),)
    assert found.breaks.relation == Removed("availability", 5, 1)
    assert found.breaks.rule is None


# An outbreak


def test_an_outbreak_isolates_so_many_room_mates_first():
    ill = done(two_centres(), Outbreak(CENTRE, Isolation.CONTACT, 1))
    assert ill.persons["p-a"].need.isolation is Isolation.CONTACT
    assert ill.persons["p-b"].need.isolation is Isolation.NONE
    found = asked(two_centres(), Outbreak(CENTRE, Isolation.AIRBORNE, 2))
    # No room isolates an airborne route, and nobody may go to the ward.
    assert (found.outcome.misplaced_left, found.against_today.moves) == (2, 0)


def test_an_outbreak_supposed_movable_fills_the_isolation_rooms_there_are():
    made = two_centres()
    room = Room(f"{OTHER}.r1", OTHER, isolation=Isolation.AIRBORNE)
    made = replace(made, rooms={**made.rooms, room.id: room})
    found = asked(made, Outbreak(CENTRE, Isolation.AIRBORNE, 2, movable=True))
    assert (found.outcome.misplaced_left, found.outcome.resident_moves) == (1, 1)
    assert found.breaks.unit == OTHER


def test_whoever_is_isolated_by_the_route_already_is_no_new_case():
    made = two_centres()
    first = made.persons["p-a"]
    ill = replace(first, need=replace(first.need, isolation=Isolation.DROPLET))
    made = replace(made, persons={**made.persons, "p-a": ill})
    after = done(made, Outbreak(CENTRE, Isolation.DROPLET, 1))
    assert after.persons["p-b"].need.isolation is Isolation.DROPLET
    with pytest.raises(InstanceError) as caught:
        done(made, Outbreak(CENTRE, Isolation.DROPLET, 2))
    assert caught.value.field == "scenario.steps[0].people"
    assert caught.value.value == 2
    assert "at most 1" in caught.value.way_out


# Arrivals


def test_arrivals_wait_and_are_placed_as_far_as_there_are_beds():
    five = Arrivals(LegalBasis.COMPULSORY, Grade.G1, Sex.MALE, 5)
    found = asked(two_centres(), five)
    # One bed in the other centre and two in the ward.
    assert (found.outcome.placed, found.outcome.waiting) == (3, 2)
    assert found.against_today.unplaced == grades(G1=2)
    assert found.against_today.waiting_weight == 2 * Policy().grade_weights[Grade.G1]
    assert found.breaks.relation is not None
    assert found.breaks.relation.people == 2
    assert found.breaks.unit in (OTHER, WARD)
    assert found.against_today.full_units == 2


def test_emergencies_among_arrivals_are_counted_as_such():
    made = two_centres()
    shut = {id_: replace(bed, state=BedState.CLOSED) for id_, bed in made.beds.items()}
    lane = Arrivals(LegalBasis.COMPULSORY, Grade.G4, Sex.FEMALE, 2, emergency=True)
    found = asked(replace(made, beds=shut), lane)
    assert found.outcome.emergencies_unplaced == 2
    assert found.against_today.levels[0] == 2 * Policy().grade_weights[Grade.G5]
    assert found.outcome.waiting_weight == 0


def test_a_bed_forecast_within_a_week_is_seen_by_the_arrival_who_waits_for_it():
    made = two_centres()
    ends = tuple(replace(it, expected_end=NOW + timedelta(days=3)) for it in made.stays)
    arrivals = Arrivals(LegalBasis.COMPULSORY, Grade.G1, Sex.MALE, 4)
    found = asked(replace(made, stays=ends), arrivals)
    assert (found.outcome.waiting, found.outcome.forecast_7d) == (1, 1)
    assert (found.outcome.freed_7d, found.against_today.freed_7d) == (2, 0)


@pytest.mark.parametrize("basis", list(LegalBasis))
@pytest.mark.parametrize("age", [17, 40])
def test_the_papers_of_arrivals_refuse_no_bed_that_their_kind_may_have(basis: LegalBasis, age: int):
    centre = unit(CENTRE, bases=frozenset({LegalBasis.COMPULSORY, LegalBasis.VOLUNTARY_IN_CENTRE}))
    open_to = CONSENSUAL_BASES - {LegalBasis.VOLUNTARY_IN_CENTRE}
    hospital = unit(
        "h0.w1",
        UnitKind.CTH,
        bases=open_to | {LegalBasis.OUT_MEDICAL, LegalBasis.INVOLUNTARY_PSYCHIATRIC},
        licences=done(two_centres(), NewHospital(1)).units["if:what if:1.w1"].licences,
    )
    made = network(
        [replace(it, min_age=16) for it in (centre, hospital)],
        [(Room(f"{it.id}.r1", it.id), 1) for it in (centre, hospital)],
        [],
    )
    made = done(made, Arrivals(basis, Grade.G1, Sex.MALE, 1, age=age))
    who = profile(made, made.requests[0].person).facts
    rules = [{it.rule for it in refusals(who, place(made, bed))} for bed in made.beds]
    apart = {"P08"} if age < 18 and basis in (LegalBasis.COMPULSORY, *CONSENSUAL_BASES) else set()
    assert any(it <= apart for it in rules), rules
    signers = {it.by for it in made.persons[made.requests[0].person].consents}
    assert not (age < 18 and ConsentBy.PERSON in signers)


# A new hospital


def test_a_new_hospital_takes_whom_no_other_place_has_a_bed_for():
    patients = [person(f"p-{n}", basis=LegalBasis.CONSTRAINED) for n in range(3)]
    waiting = two_centres(
        persons={it.id: it for it in patients},
        stays=(),
        requests=tuple(request(it.id, days=2) for it in patients),
    )
    found = asked(waiting, NewHospital(beds=2))
    assert (found.outcome.waiting, found.against_today.waiting) == (1, -2)
    assert found.against_today.waiting_days == -4
    assert found.breaks.rule is None
    assert found.breaks.unit == "if:what if:1.w1"


def test_a_new_hospital_has_its_beds_in_rooms_and_no_more_people_than_its_staff():
    step = NewHospital(5, beds_per_room=2, isolation=Isolation.CONTACT, staffed_beds=3, reserve=1)
    made = done(two_centres(), step)
    new = "if:what if:1.w1"
    rooms = [made.rooms[it] for it in made.rooms_of_unit[new]]
    assert [len(made.beds_of_room[it.id]) for it in rooms] == [2, 2, 1]
    assert all(it.isolation is Isolation.CONTACT and it.cohort for it in rooms)
    assert made.staffed_beds[new] == 3
    arrivals = Arrivals(LegalBasis.VOLUNTARY, Grade.G2, Sex.MALE, 4)
    assert asked(made, arrivals, name="more").outcome.placed == 2


def test_a_new_secure_ward_is_for_people_under_a_term():
    made = done(two_centres(), NewHospital(1, kind=UnitKind.SEC))
    assert made.units["if:what if:1.w1"].custodial
    assert made.units["if:what if:1.w1"].bases == {LegalBasis.COMPULSORY}


# Longer stays, discharges


def forecast(days: int, **changes: Any) -> Network:
    """Everybody in the first centre leaves in so many days; one waits for a bed there."""
    made = two_centres(**changes)
    ends = NOW + timedelta(days=days)
    made = replace(made, stays=tuple(replace(it, expected_end=ends) for it in made.stays))
    none = {
        it: replace(made.beds[it], state=BedState.CLOSED) for it in made.beds if CENTRE not in it
    }
    waiting = person("p-c")
    return replace(
        made,
        beds={**made.beds, **none},
        persons={**made.persons, "p-c": waiting},
        requests=(request("p-c"),),
    )


def test_longer_stays_move_no_placement_of_today_but_what_is_forecast():
    found = asked(forecast(5), LongerStays(UnitKind.PSC, 4))
    assert found.against_today.levels == (0, 0, 0, 0, 0)
    assert (found.outcome.freed_7d, found.against_today.freed_7d) == (0, -2)
    assert (found.against_today.forecast_7d, found.against_today.freed_30d) == (-1, 0)
    other = asked(forecast(5), LongerStays(UnitKind.JSC, 4))
    assert other.against_today.freed_7d == 0


def test_discharges_free_the_beds_that_longer_stays_keep():
    today = forecast(5)
    assert asked(today, Discharges(5)).against_today.waiting == -1
    assert asked(today, Discharges(4)).against_today.waiting == 0
    assert asked(today, LongerStays(UnitKind.PSC, 1), Discharges(5)).against_today.waiting == 0
    assert asked(today, Discharges(5, UnitKind.OMW)).against_today.waiting == 0


def test_nobody_is_supposed_to_be_held_past_a_term():
    made = forecast(5)
    last = made.on + timedelta(days=6)
    ending = {
        it: replace(made.persons[it], decision=replace(TERM, ends_on=last)) for it in ("p-a", "p-b")
    }
    longer = done(replace(made, persons={**made.persons, **ending}), LongerStays(UnitKind.PSC, 30))
    # 24:00 of that day in Shanghai is 16:00 UTC.
    assert {it.expected_end for it in longer.stays} == {NOW.replace(hour=16) + timedelta(days=6)}


def test_whoever_waits_for_another_bed_or_is_on_leave_is_not_counted_as_gone():
    made = forecast(5)
    first, second = made.stays
    made = replace(
        made,
        stays=(first, replace(second, on_leave=True)),
        requests=(request("p-a"), request("p-c")),
    )
    assert done(made, Discharges(30)).stays == made.stays


# A policy changed


def test_a_policy_changed_is_planned_by():
    made = two_centres()
    made = replace(
        made,
        persons={**made.persons, "p-a": person("p-a", grade=Grade.G3)},
        stays=(stay("p-a", f"{CENTRE}.r1.b1", OMW), stay("p-b", f"{CENTRE}.r1.b2")),
    )
    found = asked(made, PolicyChange((("move_budget", 0),)))
    assert (found.outcome.resident_moves, found.against_today.resident_moves) == (0, -1)
    assert found.against_today.misplaced_left == 1


def test_a_grade_that_counts_otherwise_counts_otherwise_in_the_answer():
    unknown = two_centres(
        persons={"p-c": person("p-c", grade=None)}, stays=(), requests=(request("p-c"),), beds={}
    )
    found = asked(unknown, PolicyChange((("unknown_grade", Grade.G4),)))
    assert found.against_today.unplaced == grades(G3=-1, G4=1)


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"psc_min_months": 12, "psc_max_months": 3}, "psc_m"),
        ({"grade_weights": [400, 80, 40, 20, 12, 10]}, "grade_weights"),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused_with_its_field(
    policy: dict[str, object], field: str
):
    raw = [{"name": "x", "steps": [{"step": "change_policy", "policy": policy}]}]
    with pytest.raises(InstanceError) as caught:
        apply(two_centres(), scenarios_from(raw, "scenarios")[0], "scenarios[0]")
    assert caught.value.field.startswith(f"scenarios[0].steps[0].policy.{field}")
