"""A leave has an end: extended, returned from, or lapsed, and then somebody asks the way back."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid, PreconditionFailed, Refused
from service.lifecycle import StayState
from service.store import engine as store_engine
from service.store import stays
from service.store.engine import make_engine
from service.store.tables import core
from service.store.tables.claims import StayEnd
from service.workflow.emergencies.emergency import Emergency, admit_emergency
from service.workflow.placing import answers, decisions
from service.workflow.placing.admission import admit
from service.workflow.stays import corrections, leave, leave_lapse, undoing
from service.workflow.stays.leave import begin_leave, end_leave, extend_leave
from service.workflow.stays.leave_lapse import lapse_leaves
from solver.codes import Isolation, LegalBasis, Sex, UnitKind
from tests.service.workflow.test_no_double_booking import assert_nobody_shares, race
from tests.service.workflow.world import CHOICE, World

HOSPITAL = Emergency(unit="hosp-1.er", officer="Dr Chen", reason="swallowed a blade")


def clock_of(world, stay, kind="leave_end"):
    rows = world.sql(
        "SELECT due_at, outcome FROM due_item WHERE subject_type = 'stay' AND subject_id = :s"
        " AND kind = :k ORDER BY opened_at DESC, id DESC LIMIT 1",
        s=stay,
        k=kind,
    )
    return tuple(rows[0]) if rows else None


def over(world, stay, hours=24):
    """Let the leave of this stay have ended so long ago."""
    with world.engine.begin() as conn:
        conn.exec_driver_sql(
            "UPDATE bed_claim SET expected_end = now() - make_interval(hours => %s)"
            " WHERE stay_id = %s AND kind = 'leave' AND voided_at IS NULL",
            (hours, stay),
        )


def on_leave(world, soon, bed=None, **kw):
    chosen = bed or world.unit()[0]
    stay = world.admitted(chosen, world.person(**kw))
    return world.do(begin_leave, stay.id, ends_at=soon)


def hospital(world, rooms=(2,)):
    return world.unit("hosp-1.er", rooms=rooms, kind=UnitKind.CTH, bases=(LegalBasis.CONSTRAINED,))


def rescued(world):
    """Somebody of a centre whom an emergency took to a hospital, and whose leave is over."""
    bed, _ = world.unit()
    if not world.sql("SELECT 1 FROM unit WHERE id = 'hosp-1.er'"):
        hospital(world)
    stay = world.admitted(bed)
    there = world.do(admit_emergency, stay.person, HOSPITAL).stay
    over(world, stay.id)
    return bed, stay, there


# the end ---------------------------------------------------------------------------------------
def test_a_leave_runs_on_a_clock_that_the_return_stops(world, soon):
    away = on_leave(world, soon)
    assert clock_of(world, away.id) == (soon, None)
    world.do(end_leave, away.id)
    assert clock_of(world, away.id)[1] == "done"


def test_an_emergency_keeps_the_bed_as_long_as_the_policy_says(world):
    bed, _ = world.unit()
    hospital(world)
    stay = world.admitted(bed)
    world.do(admit_emergency, stay.person, HOSPITAL)
    due, _ = clock_of(world, stay.id)
    kept = due - datetime.now(UTC)
    assert abs(kept - world.ctx.policy.emergency_leave) < timedelta(minutes=1)
    end = world.one("SELECT expected_end FROM bed_claim WHERE kind = 'leave'")
    assert end == due


def test_a_leave_is_extended_for_a_reason_that_is_kept(world, soon):
    away = on_leave(world, soon)
    later = soon + timedelta(days=3)
    with world.refuses(Invalid, "reason-missing"):
        world.do(extend_leave, away.id, ends_at=later, reason=" ")
    with world.refuses(Invalid, "out-of-range"):
        world.do(extend_leave, away.id, ends_at=soon + timedelta(days=200), reason="x")
    with world.refuses(PreconditionFailed, "version-stale"):
        world.do(extend_leave, away.id, ends_at=later, reason="x", version=99)
    with world.refuses(Forbidden, "other-facility"):
        other = world.as_(Role.FACILITY_ADMIN, "hosp-9")
        other.do(extend_leave, away.id, ends_at=later, reason="x")
    longer = world.do(
        extend_leave, away.id, ends_at=later, reason="second operation", version=away.version
    )
    assert longer.segments[-1].expected_end == later
    assert longer.version > away.version
    assert clock_of(world, away.id) == (later, None)
    kept = world.sql("SELECT void_reason, expected_end FROM bed_claim WHERE voided_at IS NOT NULL"
                     " AND kind = 'leave'")  # fmt: skip
    assert [tuple(it) for it in kept] == [("second operation", soon)]
    world.do(end_leave, away.id)
    with world.refuses(Conflict, "not-on-leave"):
        world.do(extend_leave, away.id, ends_at=later, reason="x")


def test_a_leave_whose_grace_is_not_over_stands(world, soon):
    away = on_leave(world, soon)
    over(world, away.id, hours=0)
    assert world.do(lapse_leaves).leaves == 0
    assert world.do(end_leave, away.id).state is StayState.ACTIVE


def test_a_lapsed_leave_frees_the_bed_for_somebody_else_and_no_return_takes_it_back(world, soon):
    bed, _ = world.unit()
    away = on_leave(world, soon, bed)
    over(world, away.id)
    assert world.do(lapse_leaves).leaves == 1
    ended = world.sql("SELECT state, end_code FROM stay WHERE id = :s", s=away.id)
    assert [tuple(it) for it in ended] == [("ended", "leave_lapsed")]
    assert clock_of(world, away.id)[1] == "lapsed"
    assert world.held(bed).hold.bed == bed
    with world.refuses(Conflict, "illegal-step"):
        world.do(end_leave, away.id)
    assert world.do(lapse_leaves).leaves == 0


def test_a_room_that_an_isolated_person_left_is_contaminated_when_their_leave_lapses(world, soon):
    bed, _ = world.unit(rooms=(2,), room_isolation=Isolation.AIRBORNE)
    away = on_leave(world, soon, bed, isolation=Isolation.AIRBORNE)
    over(world, away.id)
    world.do(lapse_leaves)
    assert {it[0] for it in world.sql("SELECT state FROM bed")} == {"contaminated"}


def test_a_bed_that_was_promised_is_held_in_the_moment_its_leave_lapses(world, soon):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    asked = world.submit()
    world.set("stay", stay.id, state="discharge_due")
    world.do(decisions.promise_bed, asked.id, bed, CHOICE)
    world.do(begin_leave, stay.id, ends_at=soon)
    over(world, stay.id)
    world.do(lapse_leaves)
    held = world.sql(
        "SELECT request_id FROM bed_claim WHERE kind = 'hold' AND voided_at IS NULL"
        " AND used_at IS NULL"
    )
    assert [it[0] for it in held] == [asked.id]


# the way back ----------------------------------------------------------------------------------
def test_somebody_under_a_term_gets_a_request_for_the_way_back_and_keeps_their_term(world):
    _, stay, there = rescued(world)
    world.do(lapse_leaves)
    asked = world.sql(
        "SELECT kind, state, responsible_facility_id FROM placement_request WHERE person_id = :p"
        " ORDER BY id DESC LIMIT 1",
        p=stay.person,
    )
    assert [tuple(it) for it in asked] == [("return", "waiting", "psc-1")]
    assert world.one("SELECT count(*) FROM term WHERE closed_at IS NULL") == 1
    assert world.one("SELECT state FROM stay WHERE id = :s", s=there.id) == "active"


def test_a_patient_by_consent_gets_no_way_back_into_anything(world, soon):
    bed, _ = hospital(world)
    person = world.person(basis=LegalBasis.CONSTRAINED)
    world.consents(person, UnitKind.CTH)
    away = world.do(begin_leave, world.admitted(bed, person).id, ends_at=soon)
    over(world, away.id)
    world.do(lapse_leaves)
    assert not world.sql("SELECT 1 FROM placement_request WHERE kind = 'return'")


def returning(world, stay):
    return world.one(
        "SELECT id FROM placement_request WHERE person_id = :p AND kind = 'return'", p=stay.person
    )


def test_the_way_back_waits_for_a_doctor_and_ends_the_hospital_stay(world):
    bed, stay, there = rescued(world)
    world.do(lapse_leaves)
    back = returning(world, stay)
    with world.refuses(Refused, "not-fit-to-return"):
        world.decide(back, bed)
    world.fit_to_move(stay.person, UnitKind.OMW)
    with world.refuses(Refused, "not-fit-to-return"):
        world.decide(back, bed)
    world.fit_to_move(stay.person, UnitKind.PSC)
    world.decide(back, bed)
    world.do(answers.accept, back)
    again = world.do(admit, back)
    assert again.facility == "psc-1"
    ended = world.sql("SELECT state, end_code FROM stay WHERE id = :s", s=there.id)
    assert [tuple(it) for it in ended] == [("ended", "transferred")]
    assert world.one("SELECT state FROM bed WHERE id = :b", b=there.segments[0].bed) == (
        "housekeeping"
    )
    assert_nobody_shares(world)
    owed = world.one("SELECT count(*) FROM due_item WHERE kind = 'emergency_papers' AND"
                     " settled_at IS NULL")  # fmt: skip
    assert owed == 0


def test_another_emergency_leaves_the_way_back_open(world):
    _, stay, _ = rescued(world)
    world.do(lapse_leaves)
    back = returning(world, stay)
    world.unit("hosp-2.a", kind=UnitKind.CTH, bases=(LegalBasis.CONSTRAINED,))
    second = Emergency(unit="hosp-2.a", officer="Dr Chen", reason="worse")
    world.do(admit_emergency, stay.person, second)
    assert world.one("SELECT state FROM placement_request WHERE id = :r", r=back) == "waiting"


def test_a_lapse_recorded_in_error_is_taken_back_with_its_request(world):
    _, stay, there = rescued(world)
    world.do(lapse_leaves)
    back = returning(world, stay)
    again = world.do(corrections.cancel_discharge, stay.id, reason="they were on their way")
    assert again.state is StayState.ON_LEAVE
    assert world.one("SELECT state FROM placement_request WHERE id = :r", r=back) == "withdrawn"
    assert clock_of(world, stay.id)[1] is None
    assert world.do(lapse_leaves).leaves == 0
    world.discharged(there.id, code=StayEnd.DISCHARGED)
    assert world.do(end_leave, stay.id).state is StayState.ACTIVE


# the race --------------------------------------------------------------------------------------
def test_without_the_guards_a_return_and_a_lapse_both_win(database_url, monkeypatch):
    world = World(make_engine(database_url, pool_size=6))
    until = datetime.now(UTC) + timedelta(days=2)
    stays_away = [on_leave(world, until, bed) for bed in world.unit(rooms=(1,) * 8)]
    together = threading.Barrier(2)

    def no_lock(conn, **_):
        now = store_engine.now(conn)
        together.wait(timeout=30)
        return now

    def no_version(conn, table, id_, version, values, *, what):
        return conn.execute(
            core.stay.update().where(core.stay.c.id == id_).values(**values).returning(core.stay)
        ).one()

    for module in (leave, leave_lapse):
        monkeypatch.setattr(module, "lock", no_lock)
    monkeypatch.setattr("service.store.stays.change", no_version)
    seen = threading.Barrier(2)
    monkeypatch.setattr(leave, "may_stay", lambda *_: seen.wait(timeout=30))
    real = leave_lapse.lapse_leave

    def late(conn, *args):
        row = stays.stay(conn, args[1])
        assert row.state is StayState.ON_LEAVE
        seen.wait(timeout=30)
        return real(conn, *args)

    monkeypatch.setattr(leave_lapse, "lapse_leave", late)
    # Either may still be quicker than the other sees: some of a few tries show the race.
    both = False
    for away in stays_away:
        over(world, away.id)
        race(partial(world.do, end_leave, away.id), partial(world.do, lapse_leaves))
        told = world.sql(
            "SELECT operation FROM event WHERE subject_id = :s AND operation IN ('leave.ended',"
            " 'leave.lapsed') ORDER BY operation",
            s=away.id,
        )
        both = [row[0] for row in told] == ["leave.ended", "leave.lapsed"]
        if both:
            break
    world.engine.dispose()
    assert both, "the race is not shown"


def test_of_a_return_and_a_lapse_at_once_one_wins(world, soon):
    beds = world.unit(rooms=(2,) * 6)
    for bed in beds:
        away = on_leave(world, soon, bed)
        over(world, away.id)
        race(
            partial(world.do, end_leave, away.id),
            partial(world.do, lapse_leaves),
        )
        state = world.one("SELECT state FROM stay WHERE id = :s", s=away.id)
        done = world.sql(
            "SELECT operation FROM event WHERE subject_id = :s AND operation IN ('leave.ended',"
            " 'leave.lapsed')",
            s=away.id,
        )
        expected = {"active": "leave.ended", "ended": "leave.lapsed"}[state]
        assert [it[0] for it in done] == [expected]
        assert_nobody_shares(world)


# corrections -----------------------------------------------------------------------------------
def test_a_cancelled_admission_calls_off_everything_that_ran_for_it(world):
    hospital(world)
    done = world.do(admit_emergency, world.person(), HOSPITAL)
    assert done.due
    world.do(undoing.cancel_admission, done.stay.id, reason="the wrong person")
    running = world.one(
        "SELECT count(*) FROM due_item WHERE settled_at IS NULL AND (subject_id = :s OR"
        " subject_id LIKE :s || ':%')",
        s=done.stay.id,
    )
    assert running == 0


@pytest.mark.parametrize("sex", list(Sex))
def test_a_death_ends_the_leave_and_its_clock(world, soon, sex):
    away = on_leave(world, soon, sex=sex)
    world.discharged(away.id, code=StayEnd.DIED)
    assert clock_of(world, away.id)[1] == "called_off"
