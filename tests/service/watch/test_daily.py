"""The daily round, reviews of restrictive stays, and the list of who is misplaced."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from service import worker
from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid
from service.workflow.placing import decisions
from service.workflow.watch import clocks, watching_list, watching_reviews
from service.workflow.watch.daily import judge_everybody, next_round
from service.workflow.watch.watching_list import WayOut
from service.workflow.watch.watching_reviews import ReviewOutcome
from solver.codes import Sex, UnitKind
from solver.eligibility import months_after
from tests.service.watch.looking import basis, change, days, judge, open_rules, running, state
from tests.service.workflow.world import CHOICE, World

SHANGHAI = ZoneInfo("Asia/Shanghai")


def daily(world: World) -> tuple[str, ...]:
    return judge_everybody(world.engine, world.ctx)


def reviewed(world: World, stay: str, **more):
    given = {"outcome": ReviewOutcome.GOES_ON, "reviewer": "Dr Wen", **more}
    return world.do(watching_reviews.record_review, stay, **given)


def test_a_round_begins_a_minute_into_each_legal_day() -> None:
    before = datetime(2026, 3, 1, 0, 0, 30, tzinfo=SHANGHAI)
    assert next_round(before, SHANGHAI) == datetime(2026, 3, 1, 0, 1, tzinfo=SHANGHAI)
    after = datetime(2026, 3, 1, 0, 1, tzinfo=SHANGHAI)
    assert next_round(after, SHANGHAI) == datetime(2026, 3, 2, 0, 1, tzinfo=SHANGHAI)


def test_a_term_that_ended_overnight_is_found_without_anybody_changing_anything(
    world: World,
) -> None:
    beds = world.unit()
    stay = world.admitted(beds[0])
    basis(world, stay.person, ends_on=days(-1))
    assert daily(world) == ()
    assert state(world, stay.id) == ("discharge_due", "term_end")
    assert "L01" in open_rules(world)[stay.person]


def test_a_unit_that_cannot_be_judged_leaves_the_others_watched(world: World) -> None:
    first, second = world.unit("psc-1.w1"), world.unit("psc-1.w2")
    one, other = world.admitted(first[0]), world.admitted(second[0])
    change(world, "UPDATE unit SET max_age = 20")
    change(
        world,
        f"ALTER TABLE misplacement ADD CONSTRAINT stuck CHECK (stay_id <> '{one.id}') NOT VALID",
    )
    try:
        with capture_logs() as logged:
            assert daily(world) == ("psc-1.w1",)
    finally:
        change(world, "ALTER TABLE misplacement DROP CONSTRAINT stuck")
    assert set(open_rules(world)) == {other.person}
    assert [it["unit"] for it in logged if it["event"] == "unit_not_judged"] == ["psc-1.w1"]


def test_somebody_who_waits_for_the_bed_is_told_before_a_discharge_is_called_off(
    world: World,
) -> None:
    beds = world.unit(rooms=(1,))
    stay = world.admitted(beds[0])
    basis(world, stay.person, ends_on=days(-1))
    judge(world, stay.person)
    request = world.submit()
    world.do(decisions.promise_bed, request.id, beds[0], CHOICE)
    basis(world, stay.person, ends_on=days(30))
    judge(world, stay.person)
    assert state(world, stay.id) == ("discharge_due", "term_end")
    daily(world)
    assert state(world, stay.id) == ("active", None)
    assert "promise.cancelled" in world.events()


def test_a_custodial_stay_has_its_review_day_from_admission(world: World) -> None:
    beds = world.unit()
    stay = world.admitted(beds[0])
    set_on = world.one("SELECT review_on FROM stay WHERE id = :id", id=stay.id)
    assert set_on == days(90)


def test_a_review_comes_onto_the_list_before_its_day_and_blocks_renewal_after_it(
    world: World,
) -> None:
    beds = world.unit()
    stay = world.admitted(beds[0])
    daily(world)
    assert "review" not in running(world, stay.id)
    world.set("stay", stay.id, review_on=days(3))
    daily(world)
    assert "review" in running(world, stay.id)

    def renew(conn, ctx):
        watching_reviews.require_reviewed(conn, ctx, stay.person, datetime.now(UTC))

    world.do(renew)
    world.set("stay", stay.id, review_on=days(-1))
    with pytest.raises(Conflict) as refused:
        world.do(renew)
    assert refused.value.code == "review-overdue"
    done = reviewed(world, stay.id)
    assert done.next_on == days(90)
    world.do(renew)
    assert "review" not in running(world, stay.id)


def test_a_review_is_made_from_outside_the_unit_on_time_and_by_name(world: World) -> None:
    beds = world.unit()
    stay = world.admitted(beds[0])
    inside = world.as_(Role.CLINICIAN, "psc-1")
    with pytest.raises(Forbidden):
        reviewed(inside, stay.id)
    with pytest.raises(Invalid):
        reviewed(world, stay.id, reviewer="  ")
    for day in (days(0), days(91)):
        with pytest.raises(Invalid):
            reviewed(world, stay.id, next_on=day)
    assert reviewed(world, stay.id, next_on=days(30)).next_on == days(30)
    outcome = world.one("SELECT detail FROM due_item WHERE kind = 'review'")
    assert outcome == "goes_on"


def test_months_end_on_the_last_day_where_a_month_is_shorter() -> None:
    first = date(2026, 8, 31)
    assert months_after(first, 6) == date(2027, 2, 28)
    assert months_after(first, 12) == date(2027, 8, 31)


def test_the_end_of_the_months_in_a_police_centre_comes_with_the_joint_opinion(
    world: World,
) -> None:
    beds = world.unit()
    stay = world.admitted(beds[0])
    change(world, "UPDATE term SET psc_since = :d", d=days(-350))
    daily(world)
    found = world.sql(
        "SELECT kind FROM due_item WHERE subject_type = 'term' AND person_id = :p", p=stay.person
    )
    assert {"psc_months", "joint_opinion"} <= {row[0] for row in found}


def misplaced(world: World, **asked):
    return world.do(watching_list.listed, after=None, limit=50, **asked)


def test_the_list_names_rules_in_both_languages_the_clock_and_the_ways_out(world: World) -> None:
    beds = world.unit(level_of_care=2)
    stay = world.admitted(beds[0])
    change(world, "UPDATE assessment SET grade = 4")
    judge(world, stay.person)
    (view,) = misplaced(world)
    assert (view.stay, view.discharge_due) == (stay.id, None)
    assert all(it.zh and it.en and it.citation for it in view.rules)
    assert view.due_at is not None
    ways = {(it.way, it.to) for it in view.ways}
    assert {(WayOut.RELEASE, None), (WayOut.EMERGENCY, None)} <= ways
    assert (WayOut.TRANSFER, UnitKind.OMW) in ways
    assert (WayOut.TRANSFER, UnitKind.CTH) not in ways


def test_without_a_basis_the_list_shows_release_and_emergency_alone(world: World) -> None:
    beds = world.unit()
    stay = world.admitted(beds[0], world.person(sex=Sex.FEMALE))
    change(world, "UPDATE assessment SET pregnant = 'yes'")
    judge(world, stay.person)
    (view,) = misplaced(world)
    assert view.discharge_due == "not_applicable"
    assert view.discharge_due_en
    assert [it.way for it in view.ways] == [WayOut.RELEASE, WayOut.EMERGENCY]


def test_a_facility_sees_its_own_misplaced_people(world: World) -> None:
    one, other = world.unit("psc-1.w1"), world.unit("psc-2.w1")
    stays = [world.admitted(beds[0]) for beds in (one, other)]
    change(world, "UPDATE unit SET max_age = 20")
    daily(world)
    assert len(misplaced(world)) == 2
    mine = misplaced(world.as_(Role.FACILITY_ADMIN, "psc-2"))
    assert [it.stay for it in mine] == [stays[1].id]
    with pytest.raises(Forbidden):
        misplaced(world.as_(Role.FACILITY_ADMIN, "psc-2"), facility="psc-1")


def test_whoever_waits_behind_a_batch_of_faulty_holds_is_reached(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clocks, "BATCH", 1)
    monkeypatch.setattr(clocks.lapse_holds, "__kwdefaults__", {"limit": 1, "skip": ()})
    beds = world.unit(rooms=(1, 1))
    stuck, fine = (world.held(bed) for bed in beds)
    world.age_hold(beds[0], 700)
    world.age_hold(beds[1], 600)
    change(
        world,
        "ALTER TABLE placement_request ADD CONSTRAINT stuck CHECK"
        f" (id <> '{stuck.id}' OR state <> 'waiting') NOT VALID",
    )
    try:
        worker.run_clocks(world.engine, world.ctx)
    finally:
        change(world, "ALTER TABLE placement_request DROP CONSTRAINT stuck")
    states = dict(tuple(row) for row in world.sql("SELECT id, state FROM placement_request"))
    assert states == {stuck.id: "held", fine.id: "waiting"}


class Heard:
    """A log that keeps what it is told, whatever an earlier test made of the real one."""

    def __init__(self, told: list[tuple[str, str]]) -> None:
        self.told = told

    def error(self, event: str, **more: object) -> None:
        self.told.append((event, str(more["job"])))


def test_a_clocks_job_that_fails_leaves_the_others_running(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(conn, ctx, skip):
        raise RuntimeError("a fault of ours")

    jobs = (("broken", broken), *worker.CLOCKS)
    monkeypatch.setattr(worker, "CLOCKS", jobs)
    beds = world.unit()
    world.held(beds[0])
    world.age_hold(beds[0], 600)
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(worker, "_log", Heard(told))
    worker.run_clocks(world.engine, world.ctx)
    assert "hold.lapsed" in world.events()
    assert told == [("worker_round_failed", "broken")]


def test_an_overdue_review_is_told_from_the_log(world: World) -> None:
    beds = world.unit()
    stay = world.admitted(beds[0])
    world.set("stay", stay.id, review_on=days(-2))
    daily(world)
    worker.run_clocks(world.engine, world.ctx)
    late = world.sql("SELECT data FROM event WHERE operation = 'due.overdue'")
    assert {"kind": "review"} in [row[0] for row in late]
    assert running(world, stay.id)["review"] < datetime.now(UTC) - timedelta(hours=1)
