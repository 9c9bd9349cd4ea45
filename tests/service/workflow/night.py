"""Short ways through a night at intake: screenings, offers with next beds, clocks that ring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, text

from service.access.caller import Actor, Role
from service.store.ids import new_id
from service.store.network import load_network
from service.store.tables import core
from service.store.tables.care import Consciousness, LastUse
from service.workflow.placing import screening
from service.workflow.placing.decisions import Choice, Decided
from service.workflow.placing.queue import Line, PassedOver
from service.workflow.placing.screening import Answers, Screened
from solver.codes import Isolation, LegalBasis, Tri, UnitKind
from tests.service.workflow.world import CHOICE, World

CLEAR = Answers(Consciousness.ALERT, Tri.NO, Tri.NO, Tri.NO, LastUse.NEVER)
RED = replace(CLEAR, consciousness=Consciousness.UNRESPONSIVE)
CAREFUL = replace(CLEAR, bleeding=Tri.UNKNOWN)


def screened(world: World, person: str, answers: Answers = CLEAR, **more: Any) -> Screened:
    return world.do(screening.screen, person, answers, **more)


def by(world: World, role: Role, facility: str | None = None) -> World:
    """The same world under a key of that role, a doctor's with a facility too."""
    actor = Actor(f"key-{role}-{facility}", role.value, role, facility)
    return World(world.engine, replace(world.ctx, actor=actor))


def graded(world: World, person: str, grade: int, isolation: Isolation = Isolation.NONE) -> str:
    """A clinician's newer finding of this grade."""
    now = datetime.now(UTC)
    with world.engine.begin() as conn:
        conn.execute(
            insert(core.assessment).values(
                id=new_id("as"),
                person_id=person,
                dimensions={},
                grade=grade,
                needs=[],
                isolation=isolation.value,
                observation="none",
                pregnant="no",
                nursing="no",
                assessed_at=now,
                assessed_by="doctor",
                recorded_at=now,
            )
        )
    return person


def waiting(world: World, grade: int = 1, hours: float = 0, **more: Any) -> str:
    """Somebody of this grade who has waited so long for a bed; the request's id."""
    made = world.submit(graded(world, world.person(), grade), **more)
    with world.engine.begin() as conn:
        conn.execute(
            text("UPDATE placement_request SET waiting_since = waiting_since - :h WHERE id = :id"),
            {"h": timedelta(hours=hours), "id": made.id},
        )
    return made.id


def offered(world: World, request: str, bed: str, *then: str) -> Decided:
    return world.decide(request, bed, replace(CHOICE, then=then))


def volunteer(world: World, *kinds: UnitKind) -> str:
    """Somebody who came to a hospital of their own will, papers signed."""
    person = world.person(basis=LegalBasis.VOLUNTARY)
    world.consents(person, *(kinds or (UnitKind.CTH,)))
    return person


def hospital(world: World, unit: str = "cth-1.a", rooms: Sequence[int] = (1, 1)) -> list[str]:
    return world.unit(unit, rooms=rooms, kind=UnitKind.CTH, bases=(LegalBasis.VOLUNTARY,))


def line(world: World) -> Line:
    with world.engine.connect() as conn:
        return Line(load_network(conn, world.ctx.policy))


def passing(world: World, request: str, *beds: str) -> PassedOver:
    """Whom a hold of these beds for this request would pass over, as the rows stand now."""
    row = world.sql(
        "SELECT person_id, waiting_since FROM placement_request WHERE id = :r", r=request
    )
    person, since = row[0]
    margin = timedelta(minutes=world.ctx.policy.queue.margin_minutes)
    return line(world).passed_over(person, since, beds, margin)


def choice(**more: Any) -> Choice:
    return replace(CHOICE, **more)


def clocks(world: World, kind: str) -> list[Any]:
    """The running clocks of a kind: subject, facility and minutes from opening to the hour."""
    return [
        (row.subject_id, row.facility_id, round(row.minutes))
        for row in world.sql(
            "SELECT subject_id, facility_id, extract(epoch FROM due_at - opened_at) / 60 AS minutes"
            " FROM due_item WHERE kind = :k AND settled_at IS NULL ORDER BY id",
            k=kind,
        )
    ]
