"""A hold that is declined or not answered, the next bed, the clock and the alarm."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection

from service.errors import Conflict, Invalid, NotFound, Refused
from service.lifecycle import RequestState
from service.store import engine as store_engine
from service.store.engine import make_engine
from service.store.network import load_network
from service.store.seats import seat
from service.workflow.judgement import Override
from service.workflow.placing import answers, overruling, placement
from service.workflow.placing.decision_records import records_of
from service.workflow.watch import clocks as clock_jobs
from service.workflow.watch import due_list
from solver.codes import BedState, LegalBasis, Sex, UnitKind
from tests.service.workflow.night import clocks, graded, offered
from tests.service.workflow.test_no_double_booking import assert_nobody_shares, race
from tests.service.workflow.world import CHOICE, World


def decline(world: World, request: str, code: str = "no_bed") -> Any:
    return world.do(answers.decline, request, code=code)


# the next bed ---------------------------------------------------------------------------------
def test_a_decline_holds_the_next_bed_its_officer_named(world):
    one, _, three = world.unit(rooms=(1, 1, 1))
    other = world.unit("psc-2.w1", rooms=(1,))[0]
    made = world.submit()
    offered(world, made.id, one, other, three)
    after = decline(world, made.id)
    assert (after.state, after.hold.bed, after.then) == (RequestState.HELD, other, (three,))
    first, second = world.do(records_of, made.id).decisions
    assert (second.officer, second.decided_by, second.reason) == (
        first.officer,
        first.decided_by,
        first.reason,
    )
    assert (first.bed, second.bed) == (one, other)
    assert world.events()[-2:] == ["discrepancy.opened", "hold.placed"]
    # The second unit declines too; the third bed is of the unit that declined first.
    after = decline(world, made.id)
    assert (after.state, after.hold, after.then) == (RequestState.WAITING, None, ())


def test_silence_holds_the_next_bed_and_an_accepted_hold_nobody_came_on_does_not(world):
    one, two, three = world.unit(rooms=(1, 1, 1))
    silent, absent = world.submit(), world.submit()
    offered(world, silent.id, one, three)
    offered(world, absent.id, two, three)
    world.do(answers.accept, absent.id)
    world.age_hold(one)
    world.age_hold(two)
    world.do(clock_jobs.lapse_holds)
    now = world.do(placement.get, silent.id)
    assert (now.state, now.hold.bed) == (RequestState.HELD, three)
    gone = world.do(placement.get, absent.id)
    assert (gone.state, gone.hold, gone.then) == (RequestState.WAITING, None, ())


def test_a_next_bed_that_is_taken_closed_or_unlawful_by_now_is_passed_by(world):
    one, taken, closed = world.unit(rooms=(1,) * 3)
    women = world.unit("psc-2.w1", rooms=(1,), sex=Sex.FEMALE.value)[0]
    world.unit("psc-3.w1", rooms=(1,))
    elsewhere = "psc-3.w1.r1.b1"
    made = world.submit()
    offered(world, made.id, one, taken, closed, women, elsewhere)
    world.held(taken)
    world.out_of_use(closed)
    world.age_hold(one)
    world.do(clock_jobs.lapse_holds)
    assert world.do(placement.get, made.id).hold.bed == elsewhere


def test_a_bed_given_back_by_the_officer_calls_no_next_one(world):
    one, two = world.unit(rooms=(1, 1))
    made = world.submit()
    offered(world, made.id, one, two)
    after = world.do(answers.release_hold, made.id, reason="the doctor asks for another")
    assert (after.hold, after.then) == (None, ())


@pytest.mark.parametrize(
    ("then", "code"),
    [
        (["{one}"], "named-twice"),
        (["{two}", "{two}"], "named-twice"),
        (["{two}"] * 6, "too-many"),
    ],
)
def test_next_beds_are_others_each_once_and_few(world, then, code):
    one, two = world.unit(rooms=(1, 1))
    made = world.submit()
    beds = [it.format(one=one, two=two) for it in then]
    with world.refuses(Invalid, code):
        offered(world, made.id, one, *beds)


def test_a_next_bed_that_does_not_exist_is_refused_at_once(world):
    one, _ = world.unit()
    made = world.submit()
    with world.refuses(NotFound, "bed-not-found"):
        offered(world, made.id, one, "no-such-bed")


# two declines race for one next bed -----------------------------------------------------------
def _declines_race(world: World) -> tuple[list[str], str]:
    """Two people held in two units, both with the same next bed."""
    ones = [world.unit(f"psc-{n}.w1", rooms=(1,))[0] for n in (1, 2)]
    shared = world.unit("psc-3.w1", rooms=(1,))[0]
    asked = [world.submit().id for _ in ones]
    for request, bed in zip(asked, ones, strict=True):
        offered(world, request, bed, shared)
    return asked, shared


def test_without_lock_and_constraint_two_declines_hold_one_bed_for_two(database_url, monkeypatch):
    world = World(make_engine(database_url, pool_size=4))
    asked, shared = _declines_race(world)
    with world.engine.begin() as conn:
        conn.exec_driver_sql("ALTER TABLE bed_claim DROP CONSTRAINT ex_bed_claim_bed")
    together = threading.Barrier(2)

    def no_lock(conn: Connection, **_: Any) -> datetime:
        now = store_engine.now(conn)
        together.wait(timeout=30)
        return now

    monkeypatch.setattr(placement, "lock", no_lock)
    race(*(partial(decline, world, it) for it in asked))
    held = "SELECT count(*) FROM bed_claim WHERE bed_id = :b AND voided_at IS NULL"
    assert world.one(held, b=shared) == 2
    world.engine.dispose()


def test_two_declines_at_once_hold_the_shared_next_bed_for_one_and_both_answers_stand(world):
    for _ in range(5):
        asked, _ = _declines_race(world)
        ends = race(*(partial(decline, world, it) for it in asked))
        assert ends == {"won": 2}
        states = sorted(world.do(placement.get, it).state for it in asked)
        assert states == [RequestState.HELD, RequestState.WAITING]
        assert world.one("SELECT count(*) FROM decline") == 2
        assert_nobody_shares(world)
        with world.engine.begin() as conn:
            conn.exec_driver_sql("TRUNCATE facility, person CASCADE")


def test_lapses_and_decisions_race_for_one_next_bed_without_deadlock(world):
    for _ in range(5):
        asked, shared = _declines_race(world)
        world.age_hold("psc-1.w1.r1.b1")
        late = world.submit()
        race(
            partial(world.do, clock_jobs.lapse_holds),
            partial(decline, world, asked[1]),
            partial(world.decide, late.id, shared),
        )
        live = "SELECT count(*) FROM bed_claim WHERE bed_id = :b AND voided_at IS NULL"
        assert world.one(live, b=shared) == 1
        assert_nobody_shares(world)
        with world.engine.begin() as conn:
            conn.exec_driver_sql("TRUNCATE facility, person CASCADE")


# declines -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "basis", "lawful"),
    [
        (UnitKind.PSC, LegalBasis.COMPULSORY, {"no_bed", "papers_missing", "life_threatening"}),
        (UnitKind.JSC, LegalBasis.COMPULSORY, {"no_bed", "papers_missing", "life_threatening"}),
        (
            UnitKind.CTH,
            LegalBasis.VOLUNTARY,
            {"no_bed", "papers_missing", "staff_shortage", "equipment", "needs_higher_care"},
        ),
        (UnitKind.AKH, LegalBasis.INVOLUNTARY_PSYCHIATRIC, {"no_bed", "papers_missing"}),
        (UnitKind.CTH, None, {"no_bed", "papers_missing"}),
        (UnitKind.PSC, None, {"no_bed", "papers_missing"}),
    ],
)
def test_which_decline_is_lawful_for_which_kind_and_basis(world, kind, basis, lawful):
    bed, _ = world.unit("x-1.u", kind=kind)
    person = world.person(basis=basis)
    codes = {*world.ctx.policy.declines, "hiv", "mental_disorder"}

    def says(conn: Connection, ctx: Any, code: str) -> bool:
        try:
            answers.check_decline(conn, ctx, seat(conn, bed), person, code)
        except Invalid:
            return False
        return True

    assert {code for code in codes if world.do(says, code)} == lawful


@pytest.mark.parametrize(
    ("minutes_old", "state", "opens"),
    [
        (0, BedState.IN_SERVICE, True),
        (719, BedState.IN_SERVICE, True),
        (721, BedState.IN_SERVICE, False),
        (0, BedState.CLOSING, False),
        (0, BedState.HOUSEKEEPING, False),
    ],
)
def test_a_no_to_a_bed_that_is_free_and_fresh_on_record_opens_a_discrepancy(
    world, minutes_old, state, opens
):
    bed, _ = world.unit()
    made = world.held(bed)
    confirmed = datetime.now(UTC) - timedelta(minutes=minutes_old)
    world.set("bed", bed, state=state.value, confirmed_at=confirmed)
    decline(world, made.id)
    found = world.sql("SELECT kind, bed_id, facility_id, subject_type FROM discrepancy")
    assert [tuple(it) for it in found] == (
        [("declined_free_bed", bed, "psc-1", "decline")] if opens else []
    )
    assert len(clocks(world, "discrepancy")) == opens


# overruling -----------------------------------------------------------------------------------
def overrule(world: World, request: str, **more: Any) -> Any:
    given = {"unit": "psc-1.w1", "reason": "seen on the round", "officer": "duty Wang", **more}
    return world.do(overruling.overrule, request, **given)


def test_an_overruled_unit_is_a_candidate_again_and_its_free_bed_is_held(world):
    one, two = world.unit(rooms=(1, 1))
    made = world.held(one)
    decline(world, made.id, "papers_missing")
    done = overrule(world, made.id, bed=two)
    assert (done.held, done.why_not, done.request.hold.bed) == (True, None, two)
    kept = world.sql("SELECT overruled_by, overrule_reason FROM decline")[0]
    assert tuple(kept) == ("key-coordinator", "seen on the round")
    with world.refuses(Conflict, "decline-overruled"):
        decline(world, made.id, "papers_missing")
    world.out_of_use(two)
    decline(world, made.id, "papers_missing")


def test_overruling_without_a_bed_only_makes_the_unit_a_candidate_again(world):
    one, _ = world.unit(rooms=(1, 1))
    made = world.held(one)
    decline(world, made.id, "papers_missing")

    def offered_units(conn: Connection, ctx: Any) -> set[str]:
        network = load_network(conn, ctx.policy)
        found = placement.candidates(network, placement.get(conn, ctx, made.id))
        return {it.unit for it in found.candidates}

    assert world.do(offered_units) == set()
    assert overrule(world, made.id).held is False
    assert world.do(offered_units) == {"psc-1.w1"}


def test_a_bed_that_somebody_else_got_meanwhile_is_said_and_the_overruling_stands(world):
    one, _ = world.unit(rooms=(1, 1))
    made = world.held(one)
    decline(world, made.id, "papers_missing")
    world.held(one)
    done = overrule(world, made.id, bed=one)
    assert (done.held, done.why_not) == (False, "bed-taken")
    assert world.one("SELECT overruled_at IS NOT NULL FROM decline")


@pytest.mark.parametrize(
    ("kind", "code"),
    [(UnitKind.PSC, "life_threatening"), (UnitKind.OMW, "needs_higher_care")],
)
def test_nobody_overrules_a_doctors_finding(world, kind, code):
    one, _ = world.unit("psc-1.w1", kind=kind)
    made = world.held(one)
    decline(world, made.id, code)
    with world.refuses(Refused, "clinical-decline") as caught:
        overrule(world, made.id)
    assert "assess" in caught.value.detail


def test_there_is_nothing_to_overrule_without_a_decline_and_a_bed_must_be_the_units(world):
    one, _ = world.unit()
    other = world.unit("psc-2.w1")[0]
    made = world.held(one)
    with world.refuses(Conflict, "no-decline"):
        overrule(world, made.id)
    with world.refuses(Invalid, "not-of-this-unit"):
        overrule(world, made.id, bed=other)
    with world.refuses(Invalid, "reason-missing"):
        overrule(world, made.id, reason=" ")


# clocks ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("grade", "alarm", "answer"), [(0, 240, 30), (2, 120, 30), (3, 60, 20), (4, 30, 10), (5, 10, 5)]
)
def test_the_clocks_of_an_offer_go_by_the_grade(world, grade, alarm, answer):
    bed = world.unit("omw-1.a", kind=UnitKind.OMW, rooms=(1,), level_of_care=5)[0]
    made = world.submit(graded(world, world.person(), grade))
    assert clocks(world, "offer_alarm") == [(made.id, None, alarm)]
    world.decide(made.id, bed)
    assert clocks(world, "offer_answer") == [(made.id, "omw-1", answer)]
    world.do(answers.accept, made.id)
    assert clocks(world, "offer_answer") == clocks(world, "offer_alarm") == []


def test_nobodys_finding_counts_as_the_cautious_grade(world):
    made = world.submit(world.person(isolation=None))
    assert clocks(world, "offer_alarm") == [(made.id, None, 60)]


ENDS: dict[str, Callable[[World, str], Any]] = {
    "withdraw": lambda world, id_: world.do(placement.withdraw, id_, reason="error"),
    "refuse": lambda world, id_: world.do(placement.refuse, id_, reason="says no"),
    "accept": lambda world, id_: world.do(answers.accept, id_),
}


@pytest.mark.parametrize("end", ENDS)
def test_no_clock_of_an_offer_outlives_its_end(world, end):
    bed, _ = world.unit()
    made = world.held(bed)
    ENDS[end](world, made.id)
    assert clocks(world, "offer_answer") == clocks(world, "offer_alarm") == []


@pytest.mark.parametrize("how", ["decline", "lapse", "release"])
def test_the_alarm_runs_on_while_the_request_waits_again(world, how):
    bed, _ = world.unit()
    made = world.held(bed)
    before = world.one("SELECT due_at FROM due_item WHERE kind = 'offer_alarm'")
    if how == "decline":
        decline(world, made.id)
    elif how == "release":
        world.do(answers.release_hold, made.id, reason="a nearer bed")
    else:
        world.age_hold(bed)
        world.do(clock_jobs.lapse_holds)
    assert clocks(world, "offer_answer") == []
    query = "SELECT due_at FROM due_item WHERE kind = 'offer_alarm' AND settled_at IS NULL"
    assert world.one(query) == before


def test_an_offer_nobody_answers_alarms_the_coordinator_once(world):
    bed, _ = world.unit()
    made = world.held(bed)
    past = datetime.now(UTC) - timedelta(minutes=1)
    with world.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE due_item SET due_at = %s WHERE kind = 'offer_answer'", (past,))
    world.do(due_list.ring_overdue)
    world.do(due_list.ring_overdue)
    rung = world.sql(
        "SELECT subject_id, data->>'kind' FROM event WHERE operation = 'offer.alarmed'"
    )
    assert [tuple(it) for it in rung] == [(made.id, "offer_answer")]


def test_every_offer_shows_whom_to_ring(world):
    bed, _ = world.unit()
    decided = world.decide(world.submit().id, bed)
    assert decided.request.hold.duty_phone == "027-0000"
    assert decided.on_call_phone == world.ctx.policy.offers.on_call_phone


# the reserve ----------------------------------------------------------------------------------
def test_the_last_beds_are_the_emergency_lanes_and_nobody_lifts_that(world):
    one, _ = world.unit("omw-1.a", kind=UnitKind.OMW, rooms=(2,), reserve=1)
    world.held(one)
    plain, emergency = world.submit(), world.submit(emergency=True)
    with world.refuses(Refused, "refused-by-rules") as caught:
        world.decide(plain.id, "omw-1.a.r1.b2")
    [broken] = caught.value.members["relations"]
    assert broken["relation"] == "reserve"
    assert "emergency lane only" in broken["en"]
    with world.refuses(Invalid, "unknown-rule"):
        override = replace(CHOICE, overrides=[Override("reserve", "full")])
        world.decide(plain.id, "omw-1.a.r1.b2", override)
    assert world.decide(emergency.id, "omw-1.a.r1.b2").request.hold.bed == "omw-1.a.r1.b2"
