"""Protective restraint: against danger only, watched, short, approved in a centre, and logged."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine

from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid
from service.store.engine import make_engine
from service.store.tables.law import ApprovalKind
from service.workflow.law.approvals import NewApproval, record_approval
from service.workflow.persons.restraints import (
    Check,
    NewRestraint,
    begin_restraint,
    check_restraint,
    end_restraint,
    list_restraints,
)
from solver.codes import LegalBasis, Organ, UnitKind
from tests.service.workflow.conftest import empty
from tests.service.workflow.world import World


@pytest.fixture(scope="module")
def own_engine(module_database_url: str) -> Iterator[Engine]:
    engine = make_engine(module_database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def world(own_engine: Engine) -> Iterator[World]:
    yield World(own_engine)
    empty(own_engine)


def ordered(**more: Any) -> NewRestraint:
    given = {
        "kind": "restraint", "danger": "self", "reason": "反复以头撞墙，言语劝阻无效",
        "tried": "专人陪护、谈话，均不能制止", "not_a_punishment": True, "ordered_by": "医生甲",
    }  # fmt: skip
    return NewRestraint.model_validate(given | more)


@pytest.fixture
def stay(world: World) -> str:
    """Somebody in a bed of a compulsory centre."""
    bed, _ = world.unit()
    return world.admitted(bed).id


def clocks(world: World) -> dict[str, str | None]:
    rows = world.sql(
        "SELECT kind, outcome FROM due_item WHERE kind LIKE 'restraint%' OR kind = 'guardian_told'"
    )
    return dict(tuple(row) for row in rows)


@pytest.mark.parametrize(
    "wrong",
    [
        {"not_a_punishment": False}, {"reason": "  "}, {"reason": "闹"}, {"tried": ""},
        {"danger": "disobedience"},
    ],
)  # fmt: skip
def test_there_is_no_restraint_without_danger_a_reason_and_nothing_else_left(
    wrong: dict[str, Any],
):
    with pytest.raises(ValidationError):
        ordered(**wrong)


def test_a_restraint_starts_its_clocks_and_each_look_starts_one_anew(world: World, stay: str):
    doctor = world.as_(Role.CLINICIAN)
    begun = doctor.do(begin_restraint, stay, ordered())
    assert clocks(world) == {
        "restraint_check": None, "restraint_approval": None, "guardian_told": None,
    }  # fmt: skip
    assert begun.check_by is not None
    looked = doctor.do(check_restraint, begun.id, Check(still_needed=True))
    assert looked.checks == 1
    assert looked.check_by is not None
    assert looked.check_by > begun.check_by
    lifted = doctor.do(check_restraint, begun.id, Check(still_needed=False))
    assert lifted.ended_at is not None
    assert clocks(world)["restraint_check"] == "done"
    with doctor.refuses(Conflict, "restraint-ended"):
        doctor.do(end_restraint, begun.id)
    assert {"restraint.begun", "restraint.checked", "restraint.ended"} <= set(world.events())


def test_one_restraint_at_a_time_and_it_ends_within_the_policys_hours(world: World, stay: str):
    doctor = world.as_(Role.CLINICIAN)
    begun = doctor.do(begin_restraint, stay, ordered())
    with doctor.refuses(Conflict, "restraint-open"):
        doctor.do(begin_restraint, stay, ordered())
    with world.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE restraint SET began_at = began_at - interval '4 hours'")
    with doctor.refuses(Conflict, "restraint-too-long"):
        doctor.do(check_restraint, begun.id, Check(still_needed=True))
    doctor.do(end_restraint, begun.id)
    doctor.do(begin_restraint, stay, ordered())


@pytest.mark.parametrize("granted", [True, False])
def test_in_a_centre_its_head_answers_and_a_no_brings_the_next_look_to_now(
    world: World, stay: str, granted: bool
):
    doctor = world.as_(Role.CLINICIAN)
    begun = doctor.do(begin_restraint, stay, ordered())
    answer = NewApproval(
        kind=ApprovalKind.PROTECTIVE_RESTRAINT,
        organ=Organ.CENTRE,
        granted=granted,
        approver="所长 虚构",
        document="SYN-1",
    )
    given = world.do(record_approval, begun.person, answer)
    [shown] = doctor.do(list_restraints, stay)
    assert clocks(world)["restraint_approval"] == "done"
    assert shown.approved is granted
    assert begun.check_by is not None
    assert shown.check_by is not None
    assert (shown.check_by < begun.check_by) is not granted
    doctor.do(end_restraint, begun.id)
    if granted:
        again = doctor.do(begin_restraint, stay, ordered(approval=given.id))
        assert again.approved
    else:
        with doctor.refuses(Invalid, "not-approved"):
            doctor.do(begin_restraint, stay, ordered(approval=given.id))


def test_in_a_hospital_a_doctor_of_the_hospital_orders_it(world: World):
    [bed] = world.unit("cth-1.w1", rooms=(1,), kind=UnitKind.CTH, bases=(LegalBasis.CONSTRAINED,))
    person = world.person(basis=LegalBasis.CONSTRAINED)
    world.consents(person, UnitKind.CTH)
    stay = world.admitted(bed, person).id
    for other in (world.as_(Role.FACILITY_ADMIN, "cth-1"), world.as_(Role.CLINICIAN, "cth-2")):
        with other.refuses(Forbidden, "other-facility" if other.ctx.actor.facility == "cth-2"
                           else "not-for-this-role"):  # fmt: skip
            other.do(begin_restraint, stay, ordered())
    doctor = world.as_(Role.CLINICIAN, "cth-1")
    doctor.do(begin_restraint, stay, ordered())
    assert "restraint_approval" not in clocks(world)


def test_why_is_for_clinicians_and_auditors_and_sealed_at_rest(world: World, stay: str):
    world.as_(Role.CLINICIAN).do(begin_restraint, stay, ordered())
    assert "撞墙".encode() not in world.one("SELECT reason FROM restraint")
    for role, facility, reads in (
        (Role.CLINICIAN, None, True),
        (Role.AUDITOR, None, True),
        (Role.COORDINATOR, None, False),
        (Role.FACILITY_ADMIN, "psc-1", False),
    ):
        [shown] = world.as_(role, facility).do(list_restraints, stay)
        assert (shown.reason is not None) is reads
        assert (shown.danger is not None) is reads
    with world.as_(Role.FACILITY_ADMIN, "psc-2").refuses(Forbidden, "other-facility"):
        world.as_(Role.FACILITY_ADMIN, "psc-2").do(list_restraints, stay)


def test_whoever_leaves_is_under_no_restraint(world: World, stay: str):
    world.as_(Role.CLINICIAN).do(begin_restraint, stay, ordered())
    world.discharged(stay)
    assert world.one("SELECT count(*) FROM restraint WHERE ended_at IS NULL") == 0
