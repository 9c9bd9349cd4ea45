"""Moves of people who have a bed: asked, approved, accepted, on the way, arrived, or not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from service.lifecycle import StayState, TransferState
from service.store.tables.claims import StayEnd
from service.workflow.moves import handover, transfers
from service.workflow.placing import decisions, placement
from service.workflow.stays import discharge
from solver.codes import Isolation, LegalBasis, MoveReason, Sex, UnitKind
from tests.service.workflow.world import CHOICE

WARD = {"kind": UnitKind.OMW, "bases": (LegalBasis.COMPULSORY,)}


@pytest.fixture
def two_places(world):
    """A centre with two rooms and a ward with one; a resident in the centre fit for both."""
    beds = world.unit(rooms=(2, 2)) + world.unit("ward-1.a", **WARD)
    stay = world.admitted(beds[0])
    world.fit_to_move(stay.person, UnitKind.PSC, UnitKind.OMW)
    return stay, beds


def state(world, transfer):
    return world.do(transfers.get, transfer).state


def test_a_transfer_goes_from_bed_to_bed_and_the_origin_is_kept_until_arrival(world, two_places):
    stay, (one, _, _, _, ward, _) = two_places
    move = world.approved(stay.id, ward)
    assert move.hold.bed == ward
    move = world.do(handover.accept_transfer, move.id)
    move = world.depart(move.id)
    assert move.hold.until is None
    waiting = world.submit()
    with world.refuses(Conflict, "bed-taken"):
        world.decide(waiting.id, one)
    arrived = world.do(handover.arrive, move.id)
    assert arrived.state is TransferState.COMPLETED
    old, new = world.sql("SELECT id, facility_id, state, end_code FROM stay ORDER BY id")
    assert tuple(old) == (stay.id, "psc-1", "ended", "transferred")
    assert (new.facility_id, new.state) == ("ward-1", "active")
    ended, begun = world.sql(
        "SELECT (SELECT upper(during) FROM bed_claim WHERE stay_id = :old),"
        " (SELECT lower(during) FROM bed_claim WHERE stay_id = :new AND kind = 'stay')",
        old=old.id, new=new.id,
    )[0]  # fmt: skip
    assert ended == begun
    assert world.one("SELECT state FROM bed WHERE id = :b", b=one) == "housekeeping"
    assert world.one("SELECT origin_unit_id FROM person WHERE id = :p", p=stay.person) == "psc-1.w1"


def test_within_a_facility_the_stay_goes_on_as_a_new_segment(world, two_places):
    stay, (one, _, three, *_) = two_places
    move = world.on_the_way(stay.id, three)
    world.do(handover.arrive, move.id)
    assert world.one("SELECT count(*) FROM stay") == 1
    kinds = world.sql(
        "SELECT bed_id, upper(during) IS NULL FROM bed_claim WHERE stay_id = :s"
        " ORDER BY lower(during)", s=stay.id,
    )  # fmt: skip
    assert [tuple(it) for it in kinds] == [(one, False), (three, True)]
    assert world.one("SELECT origin_unit_id FROM person WHERE id = :p", p=stay.person) is None


def test_what_may_not_be_asked_for_is_said_at_once(world, two_places, soon):
    stay, (one, _, three, *_) = two_places
    women = world.unit("psc-3.w1", sex="female")[0]
    hospital = world.unit("hosp-1.a", kind=UnitKind.CTH, bases=(LegalBasis.CONSTRAINED,))[0]
    with world.refuses(Conflict, "same-bed"):
        world.proposed(stay.id, one)
    with world.refuses(Refused, "refused-by-rules"):
        world.proposed(stay.id, women)
    with world.refuses(Refused, "no-transfer"):
        world.proposed(stay.id, hospital)
    with world.refuses(NotFound, "stay-not-found"):
        world.proposed("st_nothing", three)
    with world.refuses(Forbidden, "other-facility"):
        world.as_(Role.FACILITY_ADMIN, "ward-1").proposed(stay.id, three)
    first = world.proposed(stay.id, three)
    with world.refuses(Conflict, "transfer-live") as caught:
        world.proposed(stay.id, three)
    assert caught.value.members["transfer"] == first.id
    world.discharged(stay.id)
    with world.refuses(Conflict, "not-in-bed"):
        world.proposed(stay.id, three)


def test_a_resident_is_moved_only_with_a_doctors_statement(world):
    one, _, three, _ = world.unit(rooms=(2, 2))
    made = world.proposed(world.admitted(one).id, three)
    with world.refuses(Refused, "not-movable") as caught:
        world.do(transfers.approve, made.id, reason="bed needed")
    assert "no doctor's statement" in caught.value.members["reasons"][0]


def test_a_movement_stop_stands_against_approval_and_departure(world, two_places):
    stay, (_, _, three, _, ward, _) = two_places
    made = world.do(handover.accept_transfer, world.approved(stay.id, ward).id)
    with world.engine.begin() as conn:
        conn.exec_driver_sql(
            "INSERT INTO movement_stop (id, person_id, reason, set_by, set_at)"
            " VALUES ('ms_1', %s, 'observation', 'doctor', now())",
            (stay.person,),
        )
    with world.refuses(Refused, "not-movable"):
        world.do(handover.depart, made.id)
    world.do(transfers.cancel, made.id, reason="stopped")
    again = world.proposed(stay.id, three)
    with world.refuses(Refused, "not-movable"):
        world.do(transfers.approve, again.id, reason="bed needed")


def test_a_consensual_patient_moves_only_where_they_agreed_to_go(world):
    kind = {"kind": UnitKind.CTH, "bases": (LegalBasis.CONSTRAINED,)}
    one, _ = world.unit("hosp-1.a", **kind)
    other = world.unit("hosp-2.a", **kind)[0]
    patient = world.person(basis=LegalBasis.CONSTRAINED)
    world.consents(patient, UnitKind.CTH)
    stay = world.admitted(one, patient)
    world.fit_to_move(stay.person, UnitKind.CTH, units=["hosp-9.z"])
    made = world.proposed(stay.id, other)
    with world.refuses(Refused, "not-movable") as caught:
        world.do(transfers.approve, made.id, reason="nearer to family")
    assert caught.value.members["reasons"] == ["the patient has not agreed to unit hosp-2.a"]


def test_approval_looks_at_today_and_not_at_yesterday(world, two_places):
    stay, (_, _, three, _, ward, _) = two_places
    made = world.proposed(stay.id, three)
    world.held(three)
    with world.refuses(Conflict, "bed-taken"):
        world.do(transfers.approve, made.id, reason="planned")
    with world.refuses(Invalid, "reason-missing"):
        world.do(transfers.approve, made.id, reason=" ")
    world.assess(stay.person, Isolation.AIRBORNE)
    world.do(transfers.reject, made.id, reason="taken")
    with world.refuses(Refused, "refused-by-rules"):
        world.proposed(stay.id, ward)


def test_an_occupied_destination_is_promised_only_behind_an_approved_departure(world, two_places):
    stay, (one, _, three, _, ward, _) = two_places
    other = world.admitted(three)
    made = world.proposed(stay.id, three)
    with world.refuses(Conflict, "no-departure"):
        world.do(transfers.approve, made.id, reason="swap over")
    world.fit_to_move(other.person, UnitKind.OMW)
    first = world.approved(other.id, ward)
    second = world.do(transfers.approve, made.id, reason="swap over")
    assert (second.hold, second.promise.waits_for_stay) == (None, other.id)
    second = world.do(handover.accept_transfer, second.id)
    assert second.state is TransferState.ACCEPTED
    with world.refuses(Conflict, "no-hold"):
        world.do(handover.depart, second.id)
    world.do(handover.accept_transfer, first.id)
    world.depart(first.id)
    world.do(handover.arrive, first.id)
    world.fit(three)
    promoted = world.do(transfers.get, second.id)
    assert promoted.hold.bed == three
    assert promoted.hold.accepted
    assert promoted.promise is None
    world.depart(second.id)
    assert world.do(handover.arrive, second.id).state is TransferState.COMPLETED
    assert world.one("SELECT state FROM bed WHERE id = :b", b=one) == "housekeeping"


@pytest.mark.parametrize("how", ["cancel", "decline", "turn_back"])
def test_a_departure_that_does_not_happen_calls_off_what_waits_behind_it(world, two_places, how):
    stay, (_, _, three, _, ward, _) = two_places
    other = world.admitted(three)
    world.fit_to_move(other.person, UnitKind.OMW)
    first = world.approved(other.id, ward)
    second = world.approved(stay.id, three)
    waiting = world.submit()
    world.do(decisions.promise_bed, waiting.id, "psc-1.w1.r1.b1", CHOICE)
    if how == "cancel":
        world.do(transfers.cancel, first.id, reason="better here")
    elif how == "decline":
        world.do(handover.decline_transfer, first.id, code="equipment")
    else:
        world.do(handover.accept_transfer, first.id)
        world.depart(first.id)
        world.do(handover.turn_back, first.id, reason="road closed")
    assert state(world, second.id) is TransferState.SUPERSEDED
    assert world.do(placement.get, waiting.id).promise is None
    assert {tuple(it) for it in world.sql("SELECT state FROM bed_next")} == {("cancelled",)}
    assert world.held(ward).hold.bed == ward


@pytest.mark.parametrize(
    ("verb", "possible"),
    [
        ("approve", {"proposed"}),
        ("reject", {"proposed"}),
        ("accept", {"approved"}),
        ("decline", {"approved", "accepted"}),
        ("depart", {"accepted"}),
        ("arrive", {"in_transit"}),
        ("turn_back", {"in_transit"}),
        ("cancel", {"proposed", "approved", "accepted"}),
    ],
)
def test_each_verb_works_in_its_states_and_is_a_conflict_in_the_others(world, verb, possible):
    verbs = {
        "approve": lambda id_: world.do(transfers.approve, id_, reason="yes"),
        "reject": lambda id_: world.do(transfers.reject, id_, reason="no"),
        "accept": lambda id_: world.do(handover.accept_transfer, id_),
        "decline": lambda id_: world.do(handover.decline_transfer, id_, code="no_bed"),
        "depart": lambda id_: world.do(handover.depart, id_),
        "arrive": lambda id_: world.do(handover.arrive, id_),
        "turn_back": lambda id_: world.do(handover.turn_back, id_, reason="road closed"),
        "cancel": lambda id_: world.do(transfers.cancel, id_, reason="not needed"),
    }
    way = ["approve", "accept", "depart", "arrive"]
    states = ["proposed", "approved", "accepted", "in_transit", "completed"]
    beds = world.unit(rooms=(1,) * 10)
    for index, at in enumerate(states):
        stay = world.admitted(beds[2 * index])
        world.fit_to_move(stay.person, UnitKind.PSC)
        move = world.proposed(stay.id, beds[2 * index + 1]).id
        for step in way[:index]:
            verbs[step](move)
        assert state(world, move) == at
        if at in possible:
            verbs[verb](move)
            continue
        with world.refuses(Conflict, "illegal-step") as caught:
            verbs[verb](move)
        assert caught.value.members["present"] == at


def test_each_side_does_its_own_part(world, two_places):
    stay, (_, _, _, _, ward, _) = two_places
    centre, hospital = (world.as_(Role.FACILITY_ADMIN, it) for it in ("psc-1", "ward-1"))
    stranger = world.as_(Role.FACILITY_ADMIN, "hosp-9")
    move = world.approved(stay.id, ward).id
    for wrong in (centre, stranger):
        with world.refuses(Forbidden, "other-facility"):
            wrong.do(handover.accept_transfer, move)
        with world.refuses(Forbidden, "other-facility"):
            wrong.do(handover.decline_transfer, move, code="equipment")
    with world.refuses(NotFound, "transfer-not-found"):
        stranger.do(transfers.get, move)
    with world.refuses(Forbidden, "other-facility"):
        stranger.do(transfers.cancel, move, reason="not ours")
    hospital.do(handover.accept_transfer, move)
    with world.refuses(Forbidden, "other-facility"):
        hospital.do(handover.depart, move)
    centre.depart(move)
    with world.refuses(Forbidden, "other-facility"):
        centre.do(handover.arrive, move)
    with world.refuses(Forbidden, "other-facility"):
        stranger.do(handover.turn_back, move, reason="not ours")
    hospital.do(handover.arrive, move)
    assert [it.id for it in centre.do(transfers.listed, after=None, limit=9, states=())] == [move]
    assert stranger.do(transfers.listed, after=None, limit=9, states=()) == []


def test_a_turned_back_person_is_in_the_bed_they_left(world, two_places):
    stay, (one, _, _, _, ward, _) = two_places
    move = world.on_the_way(stay.id, ward)
    world.do(handover.turn_back, move.id, reason="road closed")
    assert (
        world.one(
            "SELECT bed_id FROM bed_claim WHERE stay_id = :s AND upper_inf(during)", s=stay.id
        )
        == one
    )
    assert world.one("SELECT state FROM stay") == "active"
    assert world.held(ward).hold.bed == ward


def test_an_arrival_is_not_before_the_departure_nor_in_the_future(world, two_places, ago, soon):
    stay, (_, _, _, _, ward, _) = two_places
    move = world.on_the_way(stay.id, ward)
    with world.refuses(Conflict, "before-departure"):
        world.do(handover.arrive, move.id, occurred_at=ago(10))
    with world.refuses(Invalid, "in-the-future"):
        world.do(handover.arrive, move.id, occurred_at=soon)


def test_somebody_who_no_longer_fits_is_refused_at_the_door_and_may_turn_back(world, two_places):
    stay, (_, _, _, _, ward, _) = two_places
    move = world.on_the_way(stay.id, ward)
    world.assess(stay.person, Isolation.AIRBORNE)
    with world.refuses(Refused, "refused-by-rules"):
        world.do(handover.arrive, move.id)
    assert world.do(handover.turn_back, move.id, reason="fever").state is TransferState.TURNED_BACK


@pytest.mark.parametrize(
    ("code", "departed", "after"),
    [
        (StayEnd.RELEASED, False, TransferState.CANCELLED),
        (StayEnd.DIED, True, TransferState.DIED),
        (StayEnd.ESCAPED, True, TransferState.ESCAPED),
        (StayEnd.RELEASED, True, None),
    ],
)
def test_another_end_of_the_stay_ends_the_transfer_with_a_code(
    world, two_places, code, departed, after
):
    stay, (_, _, _, _, ward, _) = two_places
    move = world.on_the_way(stay.id, ward) if departed else world.approved(stay.id, ward)
    if after is None:
        with world.refuses(Conflict, "illegal-step"):
            world.discharged(stay.id, code)
        return
    world.discharged(stay.id, code)
    ended = world.do(transfers.get, move.id)
    assert (ended.state, ended.end_reason) == (after, f"stay_{code.value}")
    assert f"transfer.{after.value}" in world.events()
    assert world.held(ward).hold.bed == ward


def test_an_admission_and_a_transfer_of_the_same_person_exclude_each_other(world, two_places):
    stay, (_, _, three, *_) = two_places
    with world.refuses(Conflict, "person-in-a-bed"):
        world.submit(stay.person)
    world.do(discharge.due, stay.id)
    assert world.proposed(stay.id, three).state is TransferState.PROPOSED


def test_a_room_is_judged_without_whoever_leaves_it(world):
    one, two, three = world.unit(rooms=(1, 2))
    woman = world.admitted(two, world.person(sex=Sex.FEMALE))
    man = world.admitted(one)
    ward = world.unit("ward-1.a", **WARD)[0]
    world.fit_to_move(woman.person, UnitKind.OMW)
    world.fit_to_move(man.person, UnitKind.PSC)
    made = world.proposed(man.id, two)
    world.approved(woman.id, ward)
    assert world.do(transfers.approve, made.id, reason="room by room").promise.bed == two
    beside = world.submit()
    with world.refuses(Refused, "refused-by-rules"):
        world.decide(beside.id, three)


def test_a_promise_that_no_longer_fits_the_room_is_given_up_when_the_bed_is_fit(world):
    one, two, three = world.unit(rooms=(1, 2))
    stay = world.admitted(one)
    leaver = world.admitted(two)
    world.fit_to_move(stay.person, UnitKind.PSC)
    world.do(discharge.due, leaver.id)
    move = world.approved(stay.id, two)
    world.discharged(leaver.id)
    world.held(three, world.person(sex=Sex.FEMALE))
    world.fit(two)
    assert state(world, move.id) is TransferState.SUPERSEDED
    assert world.one("SELECT state FROM bed WHERE id = :b", b=two) == "in_service"
    assert "promise.cancelled" in world.events()


def test_the_reason_of_a_transfer_is_one_of_the_codes(world, two_places):
    stay, (_, _, three, *_) = two_places
    made = world.do(
        transfers.request_transfer, stay.id, three, reason=MoveReason.STEP_DOWN, text=" calmer "
    )
    assert (made.reason, made.reason_text) == (MoveReason.STEP_DOWN, "calmer")
    assert made.requested_at - stay.admitted_at < timedelta(minutes=5)
    assert world.one("SELECT state FROM stay") == StayState.ACTIVE
