"""Asking for a bed, and no longer asking."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.access.caller import Role
from service.errors import Conflict, Invalid, NotFound
from service.lifecycle import RequestState
from service.store.network import load_network
from service.workflow.placing import placement
from service.workflow.placing.admission import admit
from service.workflow.stays.leave import begin_leave
from solver.codes import Isolation


def test_a_person_has_one_live_request_and_the_second_answer_names_it(world):
    person = world.person()
    first = world.submit(person)
    with world.refuses(Conflict, "request-live") as caught:
        world.submit(person)
    assert caught.value.members == {"request": first.id, "state": "waiting"}
    assert first.id in caught.value.detail


def test_a_note_is_sealed_in_the_table_and_readable_again(world):
    made = world.submit(note="prefers the ground floor")
    stored = bytes(world.one("SELECT note FROM placement_request"))
    assert b"ground floor" not in stored
    assert world.do(placement.get, made.id).note == "prefers the ground floor"
    assert [it.note for it in world.do(placement.listed, after=None, limit=5)] == [None]


def test_nobody_and_a_merged_record_cannot_ask(world):
    with world.refuses(NotFound, "person-not-found"):
        world.submit("p-0000000000")
    person, other = world.person(), world.person()
    world.set("person", person, merged_into=other)
    with world.refuses(Conflict, "person-merged") as caught:
        world.submit(person)
    assert caught.value.members["merged_into"] == other


def test_somebody_in_a_bed_asks_for_a_transfer_instead_unless_they_are_on_leave(world, soon):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    with world.refuses(Conflict, "person-in-a-bed") as caught:
        world.submit(stay.person)
    assert caught.value.members["stay"] == stay.id
    world.do(begin_leave, stay.id, ends_at=soon)
    assert world.submit(stay.person).state is RequestState.WAITING


@pytest.mark.parametrize(
    ("verb", "state"),
    [
        (placement.withdraw, RequestState.WITHDRAWN),
        (placement.refuse, RequestState.REFUSED),
        (placement.no_lawful_bed, RequestState.NO_LAWFUL_BED),
    ],
)
def test_a_request_ends_with_a_reason_and_the_person_may_ask_again(world, verb, state):
    made = world.submit()
    with world.refuses(Invalid, "reason-missing"):
        world.do(verb, made.id, reason="  ")
    ended = world.do(verb, made.id, reason="went home")
    assert (ended.state, ended.end_reason) == (state, "went home")
    assert ended.ended_at is not None
    with world.refuses(Conflict, "illegal-step") as caught:
        world.do(verb, made.id, reason="again")
    assert caught.value.members["present"] == state.value
    assert world.submit(made.person).id != made.id


@pytest.mark.parametrize("accepted", [False, True])
def test_withdrawal_frees_the_bed_and_leaves_the_decision_as_it_was_taken(world, accepted):
    bed, _ = world.unit()
    made = world.accepted(bed) if accepted else world.held(bed)
    decision = world.sql("SELECT d::text FROM placement_decision d")
    world.do(placement.withdraw, made.id, reason="charges dropped")
    assert world.sql("SELECT d::text FROM placement_decision d") == decision
    assert world.held(bed).hold is not None


def test_no_lawful_bed_is_said_of_a_waiting_request_only(world):
    bed, _ = world.unit()
    made = world.held(bed)
    with world.refuses(Conflict, "illegal-step"):
        world.do(placement.no_lawful_bed, made.id, reason="none fits")


def test_a_refusal_by_the_person_triggers_nothing_else(world):
    made = world.submit()
    world.do(placement.refuse, made.id, reason="does not want to")
    assert world.events() == ["request.submitted", "request.refused"]


def test_a_facility_sees_a_request_only_while_it_holds_a_bed_for_it(world):
    bed, _ = world.unit()
    made = world.submit()
    admin = world.as_(Role.FACILITY_ADMIN, "psc-1")
    with world.refuses(NotFound, "request-not-found"):
        admin.do(placement.get, made.id)
    assert admin.do(placement.listed, after=None, limit=5) == []
    world.decide(made.id, bed)
    assert admin.do(placement.get, made.id).hold.bed == bed
    assert [it.id for it in admin.do(placement.listed, after=None, limit=5)] == [made.id]
    with world.refuses(NotFound, "request-not-found"):
        world.as_(Role.FACILITY_ADMIN, "psc-2").do(placement.get, made.id)


def test_requests_are_listed_in_the_order_they_were_made_a_part_at_a_time(world):
    made = [world.submit().id for _ in range(3)]
    first = world.do(placement.listed, after=None, limit=2)
    rest = world.do(placement.listed, after=first[-1].id, limit=2)
    assert [it.id for it in (*first, *rest)] == made


def test_candidates_are_ranked_on_a_snapshot_with_refusals_for_the_rest(world):
    free, taken = world.unit()
    world.held(taken)
    made = world.submit()
    with world.engine.connect() as conn:
        network = load_network(conn, world.ctx.policy)
    found = placement.candidates(network, made)
    assert [it.bed for it in found.candidates] == [free]
    isolated = world.submit(world.person(isolation=Isolation.AIRBORNE))
    with world.engine.connect() as conn:
        network = load_network(conn, world.ctx.policy)
    found = placement.candidates(network, isolated)
    assert found.candidates == ()
    assert found.by_rule


def test_a_held_request_is_ranked_too_and_an_ended_or_unknown_one_is_a_conflict(world):
    free, taken = world.unit()
    held = world.held(taken)
    with world.engine.connect() as conn:
        network = load_network(conn, world.ctx.policy)
    assert [it.bed for it in placement.candidates(network, held).candidates] == [free]
    with pytest.raises(Conflict, match="not-ranked-yet"):
        placement.candidates(network, replace(held, id="rq_x", person="p-unknown000"))
    ended = world.do(placement.withdraw, held.id, reason="no longer needed")
    with pytest.raises(Conflict, match="request-ended"):
        placement.candidates(network, ended)


def test_an_admitted_request_cannot_be_withdrawn(world):
    bed, _ = world.unit()
    made = world.accepted(bed)
    world.do(admit, made.id)
    with world.refuses(Conflict, "illegal-step"):
        world.do(placement.withdraw, made.id, reason="too late")
