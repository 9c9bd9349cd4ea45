"""Legal bases and consents: days, organs, service, withdrawal."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Connection, select

from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid, NotFound, PreconditionFailed
from service.store.engine import now
from service.store.tables import core
from service.workflow.consent.consents import record_consent
from service.workflow.consent.withdrawals import Withdrawal, withdraw_consent
from service.workflow.context import Context
from service.workflow.law.approvals import NewApproval, record_approval
from service.workflow.law.legal_bases import (
    Service,
    add_legal_basis,
    revoke_legal_basis,
    serve_legal_basis,
)
from tests.service.inventory.places import refused, run
from tests.service.people.roles import (
    COORDINATOR,
    DOCTOR,
    OFFICER,
    agreement,
    as_,
    consent,
    decision,
    registered,
    today,
)


def police_agree(conn: Connection, person: str) -> None:
    """Police consent to a voluntary entry into a centre."""
    yes = {
        "kind": "voluntary_in_centre",
        "organ": "city_police",
        "granted": True,
        "approver": "示例",
        "document": "SYN 7",
    }
    run(conn, record_approval, OFFICER, person, NewApproval.model_validate(yes))


@pytest.fixture
def person(conn: Connection) -> str:
    return registered(conn)


def test_a_decision_is_recorded_served_and_revoked_each_once(conn: Connection, person: str):
    made = run(
        conn, add_legal_basis, OFFICER, person, decision(conn, document="武公强戒〔2026〕1号")
    )
    service = Service(served_at=now(conn) - timedelta(minutes=5))
    served = run(conn, serve_legal_basis, OFFICER, made.id, service, version=made.version)
    assert served.served_at == service.served_at
    again = refused(conn, Conflict, serve_legal_basis, OFFICER, made.id, service)
    revoked = run(conn, revoke_legal_basis, COORDINATOR, made.id, version=2)
    assert revoked.revoked_at is not None
    second = refused(conn, Conflict, revoke_legal_basis, COORDINATOR, made.id)
    assert (again.code, second.code) == ("already-served", "basis-revoked")
    row = conn.execute(select(core.legal_basis)).one()
    assert "示例".encode() not in row.document
    events = conn.execute(
        select(core.event.c.operation, core.event.c.data)
        .where(core.event.c.person_id == person, core.event.c.subject_type == "legal_basis")
        .order_by(core.event.c.seq)
    ).all()
    assert [it.operation for it in events] == [
        "legal_basis.recorded",
        "legal_basis.served",
        "legal_basis.revoked",
    ]
    assert all(it.data == {} for it in events)


@pytest.mark.parametrize(
    ("days", "more", "pointer", "code"),
    [
        (-1, {}, "/ends_on", "reversed-period"),
        (3 * 366 + 1, {}, "/ends_on", "longer-than-the-law"),
        (700, {"body": None}, "/body", "missing"),
        (700, {"ground": None}, "/ground", "missing"),
    ],
)
def test_a_decision_that_cannot_stand_is_refused(
    conn: Connection, person: str, days: int, more: dict[str, Any], pointer: str, code: str
):
    wrong = decision(conn, ends_on=today(conn) + timedelta(days=days), **more)
    error = refused(conn, Invalid, add_legal_basis, OFFICER, person, wrong)
    assert (error.errors[0].pointer, error.errors[0].code) == (pointer, code)


def test_the_last_day_of_a_term_is_the_day_before_the_second_anniversary(
    conn: Connection, person: str
):
    day = today(conn).replace(month=3, day=1)
    anniversary = day.replace(year=day.year + 2)
    over = decision(conn, starts_on=day, ends_on=anniversary)
    error = refused(conn, Invalid, add_legal_basis, OFFICER, person, over)
    assert error.errors[0].code == "longer-than-the-law"
    whole = decision(conn, starts_on=day, ends_on=None)
    made = run(conn, add_legal_basis, OFFICER, person, whole)
    assert made.ends_on == anniversary - timedelta(days=1)


def test_a_decision_may_be_for_a_single_day(conn: Connection, person: str):
    day = today(conn)
    assert run(conn, add_legal_basis, OFFICER, person, decision(conn, ends_on=day)).ends_on == day


@pytest.mark.parametrize(
    ("first", "last", "overlaps"),
    [(-10, -1, False), (-10, 0, True), (100, 200, True), (729, 800, True), (730, 800, False)],
)
def test_two_agreements_in_force_share_no_day(
    conn: Connection, person: str, first: int, last: int, overlaps: bool
):
    day = today(conn)
    run(conn, add_legal_basis, DOCTOR, person, agreement(conn, ends_on=day + timedelta(days=729)))
    second = agreement(
        conn, starts_on=day + timedelta(days=first), ends_on=day + timedelta(days=last)
    )
    if overlaps:
        error = refused(conn, Conflict, add_legal_basis, DOCTOR, person, second)
        assert error.code == "overlapping-basis"
    else:
        run(conn, add_legal_basis, DOCTOR, person, second)


def test_a_revoked_decision_and_one_of_another_kind_do_not_stand_in_the_way(
    conn: Connection, person: str
):
    run(conn, add_legal_basis, DOCTOR, person, agreement(conn))
    first = run(conn, add_legal_basis, OFFICER, person, decision(conn))
    run(conn, revoke_legal_basis, OFFICER, first.id)
    run(conn, add_legal_basis, OFFICER, person, decision(conn))


def test_service_lies_in_the_past(conn: Connection, person: str):
    soon = now(conn) + timedelta(hours=1)
    early = decision(conn, served_at=soon)
    error = refused(conn, Invalid, add_legal_basis, OFFICER, person, early)
    assert error.errors[0].pointer == "/served_at"
    made = run(conn, add_legal_basis, OFFICER, person, decision(conn))
    refused(conn, Invalid, serve_legal_basis, OFFICER, made.id, Service(served_at=soon))
    served = Service(served_at=soon - timedelta(hours=2))
    refused(conn, PreconditionFailed, serve_legal_basis, OFFICER, made.id, served, version=5)


@pytest.mark.parametrize(
    "wrong",
    [{"served_at": "2026-11-01T08:00:00"}, {"starts_on": "yesterday"}, {"ground": "bad_manners"}],
)
def test_naive_instants_and_unknown_codes_are_refused_by_name(
    conn: Connection, wrong: dict[str, str]
):
    with pytest.raises(ValidationError) as caught:
        decision(conn, **wrong)
    assert caught.value.errors()[0]["loc"] == tuple(wrong)


@pytest.mark.parametrize(
    ("who", "kind", "may"),
    [
        (OFFICER, "compulsory", True),
        (OFFICER, "voluntary_in_centre", True),
        (OFFICER, "constrained", False),
        (OFFICER, "voluntary", False),
        (DOCTOR, "compulsory", False),
        (DOCTOR, "constrained", True),
        (DOCTOR, "voluntary", True),
        (COORDINATOR, "compulsory", True),
        (COORDINATOR, "voluntary", True),
    ],
)
def test_each_side_records_its_own_papers(
    conn: Connection, person: str, who: Context, kind: str, may: bool
):
    paper = decision(conn, kind=kind)
    police_agree(conn, person)
    if may:
        made = run(conn, add_legal_basis, who, person, paper)
        assert run(conn, revoke_legal_basis, who, made.id).revoked_at is not None
    else:
        error = refused(conn, Forbidden, add_legal_basis, who, person, paper)
        assert error.code == "not-for-this-role"
        made = run(conn, add_legal_basis, COORDINATOR, person, paper)
        refused(conn, Forbidden, revoke_legal_basis, who, made.id)


def test_papers_of_nobody_are_refused(conn: Connection):
    refused(conn, NotFound, add_legal_basis, OFFICER, "p-nobody", decision(conn))
    refused(conn, NotFound, record_consent, DOCTOR, "p-nobody", consent(conn))


def test_consent_keeps_whose_word_it_is_its_scope_and_its_last_day(conn: Connection, person: str):
    own = run(conn, record_consent, DOCTOR, person, consent(conn, kinds=["CTH", "DTI"]))
    family = run(conn, record_consent, DOCTOR, person, consent(conn, by="family", agreement=False))
    assert {kind.value for kind in own.kinds} == {"CTH", "DTI"}
    assert (own.agreement, family.agreement) == (True, False)
    assert own.ends_on == today(conn) + timedelta(days=30)


@pytest.mark.parametrize(("first", "last"), [(0, -1), (-40, -1)])
def test_a_consent_that_is_reversed_or_over_is_refused(
    conn: Connection, person: str, first: int, last: int
):
    day = today(conn)
    wrong = consent(conn, starts_on=day + timedelta(first), ends_on=day + timedelta(last))
    error = refused(conn, Invalid, record_consent, DOCTOR, person, wrong)
    assert error.errors[0].pointer == "/ends_on"


def test_a_consent_of_no_scope_is_none(conn: Connection):
    with pytest.raises(ValidationError) as caught:
        consent(conn, kinds=[])
    assert caught.value.errors()[0]["loc"] == ("kinds",)


@pytest.mark.parametrize(
    "role", [Role.INTAKE_OFFICER, Role.CLINICIAN, Role.FACILITY_ADMIN, Role.COORDINATOR]
)
def test_consent_is_withdrawn_by_anybodys_hand_and_tells_them_nothing(
    conn: Connection, person: str, role: Role
):
    none = run(conn, withdraw_consent, as_(role, "psc-1"), person, Withdrawal())
    run(conn, record_consent, DOCTOR, person, consent(conn))
    run(conn, record_consent, DOCTOR, person, consent(conn, by="family"))
    some = run(conn, withdraw_consent, as_(role, "psc-1"), person, Withdrawal())
    assert {*vars_of(none)} == {*vars_of(some)} == {"person", "since"}
    rows = conn.execute(select(core.consent.c.withdrawn_at)).scalars().all()
    assert rows == [some.since, some.since]
    run(conn, withdraw_consent, DOCTOR, person, Withdrawal())
    assert conn.execute(select(core.consent.c.withdrawn_at)).scalars().all() == rows


def vars_of(answer: Any) -> list[str]:
    return list(answer.__dataclass_fields__)


def test_a_withdrawal_of_tomorrow_is_refused(conn: Connection, person: str):
    tomorrow = Withdrawal(said_at=now(conn) + timedelta(days=1))
    refused(conn, Invalid, withdraw_consent, DOCTOR, person, tomorrow)
