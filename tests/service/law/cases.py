"""Somebody under a compulsory term, and what organs and doctors put on record about them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from service.access.caller import Role
from service.store import terms as rows
from service.store.ids import new_id
from service.store.tables import core
from service.store.tables.law import ApprovalKind, OpinionKind
from service.store.terms import TermRow
from service.workflow.law.legal_bases import NewLegalBasis, add_legal_basis
from service.workflow.law.term_changes import Part, Result
from solver.codes import LegalBasis, UnitKind
from tests.service.workflow.world import World, context

PASSED = {
    Part.DETOX: Result.PASSED,
    Part.RECOVERY: Result.PASSED,
    Part.CONDUCT: Result.PASSED,
    Part.ENVIRONMENT: Result.GOOD,
}
OFFICER = context(Role.INTAKE_OFFICER)


def today() -> date:
    return datetime.now(context().policy.zone).date()


def centre(world: World, unit: str = "psc-1.w1", kind: UnitKind = UnitKind.PSC) -> list[str]:
    """A centre with two single rooms; its operator is police, or justice."""
    beds = world.unit(
        unit, rooms=(1, 1), kind=kind, bases=(LegalBasis.COMPULSORY, LegalBasis.OUT_MEDICAL)
    )
    side = "justice" if kind is UnitKind.JSC else "public_security"
    world.set("facility", unit.split(".")[0], operator=side)
    return beds


def hospital(world: World, unit: str = "ext-1.w1") -> list[str]:
    return world.unit(unit, kind=UnitKind.EXT, bases=(), external=True)


def decision(ago: int = 30, **more: Any) -> NewLegalBasis:
    """A decision taken so many days ago, served then."""
    given: dict[str, Any] = {
        "kind": "compulsory",
        "body": "city_police",
        "ground": "severe_addiction",
        "starts_on": today() - timedelta(days=ago),
        "served_at": datetime.now(UTC) - timedelta(days=ago, minutes=1)
        if ago
        else datetime.now(UTC) - timedelta(seconds=30),
    }
    return NewLegalBasis.model_validate(given | more)


def decided(world: World, ago: int = 30, **more: Any) -> TermRow:
    """Somebody newly under a term by a decision of so many days ago."""
    person = world.person(basis=None)
    world.do(add_legal_basis, person, decision(ago, **more))
    return term_of(world, person)


def term_of(world: World, person: str) -> TermRow:
    """The person's open term."""
    with world.engine.connect() as conn:
        found = rows.term_of(conn, person)
    assert found is not None
    return found


def held(world: World, bed: str, ago: int = 30, **more: Any) -> tuple[TermRow, str]:
    """Somebody under a term, admitted to this bed; and the stay."""
    row = decided(world, ago, **more)
    stay = world.admitted(bed, row.person)
    return term_of(world, row.person), stay.id


def approve(
    world: World,
    row: TermRow,
    kind: ApprovalKind,
    organ: str = "city_police",
    *,
    granted: bool = True,
    ago: int = 0,
) -> None:
    """An organ's answer on record."""
    with world.engine.begin() as conn:
        conn.execute(
            insert(core.approval).values(
                id=new_id("ap"),
                person_id=row.person,
                kind=kind.value,
                subject_type="term",
                subject_id=row.id,
                organ=organ,
                granted=granted,
                decided_on=today() - timedelta(days=ago),
                recorded_by="test",
                recorded_at=datetime.now(UTC) - timedelta(days=ago),
            )
        )


def opine(world: World, person: str, kind: OpinionKind, **found: Any) -> None:
    """What doctors found, on record."""
    now = datetime.now(UTC)
    with world.engine.begin() as conn:
        conn.execute(
            insert(core.opinion).values(
                id=new_id("op"),
                person_id=person,
                kind=kind.value,
                hospital="hospital",
                doctors=["doctor A"],
                stated_at=now,
                recorded_by="test",
                recorded_at=now,
                **found,
            )
        )


def clocks(world: World, row: TermRow) -> dict[str, datetime]:
    """What runs about a term, and when it is due."""
    found = world.sql(
        "SELECT kind, due_at FROM due_item WHERE subject_id = :id AND settled_at IS NULL",
        id=row.id,
    )
    return {it.kind: it.due_at for it in found}
