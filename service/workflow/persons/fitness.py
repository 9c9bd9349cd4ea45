"""Fitness statements and movement stops: a clinician's word on whether somebody may be moved."""

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_unless

from service.errors import Conflict, Invalid, NotFound, Refused
from service.store import events
from service.store.ids import new_id
from service.store.tables.core import fitness_statement, movement_stop, unit
from service.workflow.context import Context
from service.workflow.inventory.place_fields import PlaceId, Strict
from service.workflow.inventory.places import get_row
from service.workflow.moves.returns import on_fitness
from service.workflow.persons.people import legal_today, lock_person
from service.workflow.persons.person_parts import FitnessView, MovementStopView
from service.workflow.privacy.audit_flags import flag_if_refused
from solver.codes import UnitKind


class StopReason(StrEnum):
    """Why somebody is not moved for now; no diagnosis."""

    UNSTABLE = "unstable"
    TREATMENT_RUNNING = "treatment_running"
    PROCEDURE_PLANNED = "procedure_planned"
    ISOLATION = "isolation"
    OBSERVATION = "observation"
    OTHER = "other"


class NewFitness(Strict):
    """The person may move to these kinds of unit until the end of ``ends_on``.

    ``agreed_units``: for a consensual stay, the units the patient agreed to; null where agreement
    is not what binds.
    """

    kinds: Annotated[frozenset[UnitKind], Field(min_length=1)]
    agreed_units: frozenset[PlaceId] | None = None
    ends_on: date


class NewMovementStop(Strict):
    """Why the person is not moved for now."""

    reason: StopReason


def state_fitness(conn: Connection, ctx: Context, person_id: str, new: NewFitness) -> FitnessView:
    """Record a doctor's statement; it takes the place of the one before.

    Raises:
        NotFound: there is no such person.
        Invalid: it is over already, or names a unit that does not exist.
        Conflict: ``merged``.
    """
    at = lock_person(conn, person_id)
    today = legal_today(ctx, at)
    if new.ends_on < today:
        raise Invalid.field(
            "/ends_on",
            "over-already",
            f"today is {today}: a statement that is over supports no move",
            new.ends_on.isoformat(),
        )
    _check_units(conn, new.agreed_units)
    conn.execute(
        update(fitness_statement)
        .where(fitness_statement.c.person_id == person_id, fitness_statement.c.revoked_at.is_(None))
        .values(revoked_at=at)
    )
    statement_id = new_id("fs")
    conn.execute(
        insert(fitness_statement).values(
            id=statement_id,
            person_id=person_id,
            kinds=sorted(kind.value for kind in new.kinds),
            agreed_units=sorted(new.agreed_units) if new.agreed_units is not None else None,
            ends_on=new.ends_on,
            stated_by=ctx.actor.id,
            recorded_at=at,
        )
    )
    events.append(
        conn,
        ctx.actor,
        "fitness.stated",
        "fitness_statement",
        statement_id,
        person=person_id,
        occurred_at=at,
    )
    on_fitness(conn, ctx, person_id, at)
    flag_if_refused(conn, ctx, person_id, "fitness", at)
    row = get_row(conn, fitness_statement, statement_id)
    return FitnessView.model_validate(dict(row))


def _check_units(conn: Connection, agreed: frozenset[str] | None) -> None:
    if not agreed:
        return
    known = set(
        conn.execute(
            select(unit.c.id).where(unit.c.id.in_(sorted(agreed)), unit.c.retired_at.is_(None))
        ).scalars()
    )
    for missing in sorted(agreed - known):
        raise Invalid.field(
            "/agreed_units",
            "no-such-unit",
            f"there is no unit {missing} in use; name units the patient was told of",
            missing,
        )


def revoke_fitness(conn: Connection, ctx: Context, person_id: str) -> None:
    """Take the statement in force back: the person may not be moved on it any more.

    Raises NotFound when there is none, and Conflict ``merged``.
    """
    at = lock_person(conn, person_id)
    revoked = conn.execute(
        update(fitness_statement)
        .where(fitness_statement.c.person_id == person_id, fitness_statement.c.revoked_at.is_(None))
        .values(revoked_at=at)
        .returning(fitness_statement.c.id)
    ).scalars()
    done = sorted(revoked)
    if not done:
        raise NotFound("fitness-statement-not-found", f"no statement is in force for {person_id}")
    for statement_id in done:
        events.append(
            conn,
            ctx.actor,
            "fitness.revoked",
            "fitness_statement",
            statement_id,
            person=person_id,
            occurred_at=at,
        )
    on_fitness(conn, ctx, person_id, at)


def set_movement_stop(
    conn: Connection, ctx: Context, person_id: str, new: NewMovementStop
) -> MovementStopView:
    """Say that the person is not moved for now; only a clinician lifts it.

    Raises NotFound, and Conflict (``merged``, ``already-stopped``).
    """
    at = lock_person(conn, person_id)
    stop_id = new_id("ms")
    made = conn.execute(
        insert_unless(movement_stop)
        .values(
            id=stop_id,
            person_id=person_id,
            reason=new.reason.value,
            set_by=ctx.actor.id,
            set_at=at,
        )
        .on_conflict_do_nothing(
            index_elements=[movement_stop.c.person_id],
            index_where=movement_stop.c.lifted_at.is_(None),
        )
        .returning(movement_stop.c.id)
    ).scalar_one_or_none()
    if made is None:
        raise Conflict(
            "already-stopped",
            f"a movement stop stands for {person_id}; lift it first if its reason changed",
        )
    _stop_event(conn, ctx, "movement_stop.set", stop_id, person_id)
    return MovementStopView.model_validate(dict(get_row(conn, movement_stop, stop_id)))


def lift_movement_stop(conn: Connection, ctx: Context, person_id: str) -> None:
    """The person may be moved again. Raises NotFound when no stop stands, Conflict ``merged``."""
    at = lock_person(conn, person_id)
    lifted = conn.execute(
        update(movement_stop)
        .where(movement_stop.c.person_id == person_id, movement_stop.c.lifted_at.is_(None))
        .values(lifted_at=at, lifted_by=ctx.actor.id)
        .returning(movement_stop.c.id)
    ).scalar_one_or_none()
    if lifted is None:
        raise NotFound("movement-stop-not-found", f"no movement stop stands for {person_id}")
    _stop_event(conn, ctx, "movement_stop.lifted", lifted, person_id)


def require_no_stop(conn: Connection, person_id: str) -> None:
    """Raise Refused ``not-movable`` while a clinician has stopped every move of the person."""
    stopped = conn.execute(
        select(movement_stop.c.id).where(
            movement_stop.c.person_id == person_id, movement_stop.c.lifted_at.is_(None)
        )
    ).first()
    if stopped is not None:
        raise Refused(
            "not-movable",
            "a clinician has stopped every move of this person; ask the clinician",
            reasons=["a movement stop stands"],
        )


def _stop_event(
    conn: Connection, ctx: Context, operation: str, stop_id: str, person_id: str
) -> None:
    events.append(conn, ctx.actor, operation, "movement_stop", stop_id, person=person_id)
