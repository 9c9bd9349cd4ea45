"""The due list: every running clock, the overdue first, to the organ that must act."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid, NotFound
from service.store.engine import now as clock
from service.store.tables.claims import StayEnd
from service.workflow.context import Context
from service.workflow.watch import due, due_list
from service.workflow.watch.due_list import DueView
from solver.codes import LegalBasis, UnitKind
from tests.service.watch.looking import change
from tests.service.workflow.world import World


def owe(world: World, kind: str, minutes: int = 60, **more: Any) -> str:
    """A clock that is due so many minutes from now."""

    def use_case(conn: Connection, ctx: Context) -> str | None:
        now = clock(conn)
        values = {
            "subject": ("test", f"{kind}-{minutes}"),
            "due_at": now + timedelta(minutes=minutes),
        }
        return due.owe(conn, ctx, kind, now=now, **{**values, **more})

    opened = world.do(use_case)
    assert opened is not None
    return opened


def read(world: World, **asked: Any) -> list[DueView]:
    return world.do(due_list.listed, after=None, limit=50, **asked)


def kinds(world: World, **asked: Any) -> set[str]:
    return {it.kind for it in read(world, **asked)}


def pages(world: World, size: int) -> Iterator[DueView]:
    after = None
    while True:
        rows = world.do(due_list.listed, after=after, limit=size)
        yield from rows
        if len(rows) < size:
            return
        after = rows[-1].due_at, rows[-1].id


def test_the_longest_overdue_stands_first_and_pages_miss_and_repeat_nothing(world: World) -> None:
    wanted = [owe(world, "notify_family", minutes) for minutes in (-300, -5, 10, 10_000)]
    assert [it.id for it in read(world)] == wanted
    assert [it.overdue for it in read(world)] == [True, True, False, False]
    assert [it.id for it in pages(world, 1)] == wanted
    assert [it.id for it in read(world, overdue=True)] == wanted[:2]
    assert [it.id for it in read(world, overdue=False)] == wanted[2:]


def test_two_clocks_due_at_the_same_instant_are_both_shown_across_pages(world: World) -> None:
    at = datetime.now(UTC) + timedelta(hours=1)
    for subject in "ab":
        owe(world, "first_talk", subject=("test", subject), due_at=at)
    assert len({it.id for it in pages(world, 1)}) == 2


def test_a_facility_reads_its_own_list_and_no_other(world: World) -> None:
    world.unit("psc-1.w1")
    world.unit("psc-2.w1")
    mine = owe(world, "first_talk", facility="psc-1")
    owe(world, "first_talk", 61, facility="psc-2")
    admin = world.as_(Role.FACILITY_ADMIN, "psc-1")
    assert [it.id for it in read(admin)] == [mine]
    with pytest.raises(Forbidden):
        read(admin, facility="psc-2")
    assert len(read(world, facility="psc-2")) == 1


def test_clinicians_read_clinical_clocks_and_officers_those_of_custody(world: World) -> None:
    for kind in ("first_talk", "intake_exam", "misplaced", "discrepancy", "consent_end"):
        owe(world, kind)
    assert kinds(world.as_(Role.CLINICIAN)) == {"intake_exam", "misplaced", "consent_end"}
    assert kinds(world.as_(Role.INTAKE_OFFICER)) == {"first_talk", "misplaced"}
    assert len(kinds(world.as_(Role.AUDITOR))) == 5


def test_an_officer_finds_nothing_about_treatment_by_consent(world: World) -> None:
    world.unit("hosp-1.w1", kind=UnitKind.CTH, bases=(LegalBasis.CONSTRAINED,))
    patient = world.person(basis=LegalBasis.CONSTRAINED)
    resident = world.person()
    hidden = owe(world, "misplaced", 1, person=patient, facility="hosp-1")
    shown = owe(world, "misplaced", 2, person=resident)
    officer = world.as_(Role.INTAKE_OFFICER)
    assert [it.id for it in read(officer)] == [shown]
    assert read(officer, person=patient) == []
    with pytest.raises(NotFound):
        officer.do(due_list.settle_by_hand, hidden)


def test_a_kind_that_does_not_exist_is_named(world: World) -> None:
    with pytest.raises(Invalid):
        read(world, kind="no_such")


def test_a_notice_that_was_sent_is_settled_once_by_the_organ_it_is_due_from(world: World) -> None:
    world.unit("psc-1.w1")
    id_ = owe(world, "first_talk", facility="psc-1")
    with pytest.raises(NotFound):
        world.as_(Role.CLINICIAN).do(due_list.settle_by_hand, id_)
    admin = world.as_(Role.FACILITY_ADMIN, "psc-1")
    done = datetime.now(UTC) - timedelta(minutes=5)
    view = admin.do(due_list.settle_by_hand, id_, done_at=done, document="No. 12", note="read out")
    assert (view.outcome, view.done_at, view.overdue) == ("done", done, False)
    assert read(admin) == []
    row = world.sql("SELECT document, note FROM due_item WHERE id = :id", id=id_)[0]
    assert b"No. 12" not in bytes(row[0])
    assert b"read" not in bytes(row[1])
    with pytest.raises(Conflict) as again:
        admin.do(due_list.settle_by_hand, id_)
    assert again.value.code == "already-settled"


def test_a_clock_due_from_another_organ_is_not_settled(world: World) -> None:
    id_ = owe(world, "intake_exam")
    with pytest.raises(Forbidden) as refused:
        world.do(due_list.settle_by_hand, id_)
    assert refused.value.code == "due-from-others"


def test_a_thing_done_in_the_future_is_refused(world: World) -> None:
    id_ = owe(world, "notify_family")
    with pytest.raises(Invalid):
        world.do(due_list.settle_by_hand, id_, done_at=datetime.now(UTC) + timedelta(hours=1))


@pytest.mark.parametrize("kind", ["misplaced", "discharge_due", "review", "term_end"])
def test_a_clock_about_liberty_is_not_ticked_off(world: World, kind: str) -> None:
    id_ = owe(world, kind)
    settler = sorted(world.ctx.policy.due_lists.settlers[world.ctx.policy.due[kind].owner])[0]
    facility = None
    if settler is Role.FACILITY_ADMIN:
        world.unit("psc-1.w1")
        change(world, "UPDATE due_item SET facility_id = 'psc-1'")
        facility = "psc-1"
    with pytest.raises(Conflict) as refused:
        world.as_(settler, facility).do(due_list.settle_by_hand, id_)
    assert refused.value.code == "settled-by-fact"


def test_an_overdue_clock_is_told_once(world: World) -> None:
    late = owe(world, "first_talk", -5)
    owe(world, "first_talk", 5)
    assert world.do(due_list.ring_overdue).clocks == 1
    assert world.do(due_list.ring_overdue).clocks == 0
    told = world.sql("SELECT subject_id FROM event WHERE operation = 'due.overdue'")
    assert [row[0] for row in told] == [late]


def test_every_kind_says_what_it_is_in_both_languages_with_its_source_and_its_people(
    world: World,
) -> None:
    policy = world.ctx.policy
    for name, kind in policy.due.items():
        assert all((kind.zh, kind.en, kind.source)), name
        assert policy.due_lists.settlers[kind.owner], name
    assert policy.due_lists.clinical | policy.due_lists.police <= policy.due.keys()


def test_an_intake_into_a_police_centre_starts_its_clocks(world: World) -> None:
    beds = world.unit()
    stay = world.admitted(beds[0])
    rows = world.sql("SELECT kind FROM due_item WHERE subject_id = :id", id=stay.id)
    assert {row[0] for row in rows} == {"intake_exam", "first_talk", "diagnosis_file"}


def test_a_death_is_told_once_and_ends_what_could_only_be_done_in_life(world: World) -> None:
    beds = world.unit()
    stay = world.admitted(beds[0])
    world.discharged(stay.id, StayEnd.DIED)
    running = {row[0] for row in world.sql("SELECT kind FROM due_item WHERE settled_at IS NULL")}
    assert "death_notices" in running
    assert running.isdisjoint({"first_talk", "intake_exam", "diagnosis_file", "review"})
    assert world.one("SELECT count(*) FROM due_item WHERE kind = 'death_notices'") == 1


@pytest.mark.parametrize(("facility", "outcome"), [("psc-1", "called_off"), ("hosp-9", None)])
def test_a_re_diagnosis_is_called_off_when_the_stay_it_is_about_ends(
    world: World, facility: str, outcome: str | None
) -> None:
    beds = world.unit()
    world.unit("hosp-9.w1")
    stay = world.admitted(beds[0])
    about = ("opinion", "op-1")
    id_ = owe(world, "rediagnosis", subject=about, person=stay.person, facility=facility)
    world.discharged(stay.id)
    assert world.one("SELECT outcome FROM due_item WHERE id = :id", id=id_) == outcome


def test_the_notice_that_a_hospital_may_not_hold_somebody_is_settled_by_who_gave_it(
    world: World,
) -> None:
    id_ = owe(world, "involuntary_over")
    assert world.do(due_list.settle_by_hand, id_, note="told both").outcome == "done"
