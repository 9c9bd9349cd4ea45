"""The way back: people treated outside their centre whom a doctor finds fit to return.

A fitness statement alone moves nobody and no pressure for beds makes one: it puts the way back on
the coordinator's list (Shanghai Anti-Drug Ordinance art. 35; the receiving side still checks).
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, exists, func, select

from service.access.scope import facility_scope
from service.store.engine import now as clock
from service.store.network_papers import NEWEST_BASIS_FIRST
from service.store.network_people import legal_day
from service.store.tables import core
from service.store.tables.claims import ClaimKind
from service.store.tables.workflow import LIVE_TRANSFER_STATES
from service.workflow.context import Context
from service.workflow.watch.due import owe, settle
from solver.codes import COMPULSORY_CENTRES, CUSTODIAL_BASES

_claim, _stay, _unit = core.bed_claim.c, core.stay.c, core.unit.c
_fitness, _person, _transfer = core.fitness_statement.c, core.person.c, core.transfer.c
_basis, _stop = core.legal_basis.c, core.movement_stop.c
_CENTRES: Final = sorted(kind.value for kind in COMPULSORY_CENTRES)


@dataclass(frozen=True, slots=True)
class Return:
    """Somebody who may go back: where they are, where they came from, until when the doctor's
    statement holds. ``kept_bed``: the bed kept for them on leave, if one is."""

    stay: str
    person: str
    facility: str
    unit: str
    bed: str
    origin_unit: str | None
    responsible_facility: str | None
    kept_bed: str | None
    fitness: str
    stated_at: datetime
    fit_until: date
    movement_stop: bool


def list_returns(
    conn: Connection, ctx: Context, *, after: str | None = None, limit: int = 100
) -> list[Return]:
    """Everybody fit to go back to a centre whose way back nobody has begun, by stay id.

    A facility's key sees those it treats or answers for.
    """
    query = _fit_to_return(legal_day(clock(conn), ctx.policy.zone)).limit(limit)
    if after is not None:
        query = query.where(_stay.id > after)
    own = facility_scope(ctx.actor)
    if own is not None:
        query = query.where((_stay.facility_id == own) | (_stay.responsible_facility_id == own))
    return [_return(row) for row in conn.execute(query)]


def on_fitness(conn: Connection, ctx: Context, person: str, now: datetime) -> None:
    """A doctor has stated fitness, or taken it back: the coordinator's clock follows."""
    found = conn.execute(
        _fit_to_return(legal_day(now, ctx.policy.zone)).where(_stay.person_id == person).limit(1)
    ).one_or_none()
    subject = ("person", person)
    if found is None:
        settle(conn, ctx, "fitness_return", subject=subject, now=now, outcome="called_off")
        return
    owe(
        conn,
        ctx,
        "fitness_return",
        subject=subject,
        now=now,
        person=person,
        facility=found.responsible_facility_id or found.facility_id,
    )


def _fit_to_return(on: date) -> Select[Any]:
    kept = core.bed_claim.alias("kept")
    held_by_law = (
        select(_basis.kind)
        .where(_basis.person_id == _stay.person_id)
        .order_by(*NEWEST_BASIS_FIRST)
        .limit(1)
        .scalar_subquery()
    )
    return (
        select(
            _stay.id.label("stay_id"),
            _stay.person_id,
            _stay.facility_id,
            _stay.responsible_facility_id,
            _claim.unit_id,
            _claim.bed_id,
            _person.origin_unit_id,
            select(kept.c.bed_id)
            .where(
                kept.c.person_id == _stay.person_id,
                kept.c.kind == ClaimKind.LEAVE.value,
                kept.c.voided_at.is_(None),
                func.upper_inf(kept.c.during),
            )
            .limit(1)
            .scalar_subquery()
            .label("kept_bed"),
            _fitness.id.label("fitness_id"),
            _fitness.recorded_at,
            _fitness.ends_on,
            exists()
            .where(_stop.person_id == _stay.person_id, _stop.lifted_at.is_(None))
            .label("stopped"),
        )
        .join(core.bed_claim, (_claim.stay_id == _stay.id))
        .join(core.unit, _unit.id == _claim.unit_id)
        .join(core.person, _person.id == _stay.person_id)
        .join(core.fitness_statement, _fitness.person_id == _stay.person_id)
        .where(
            _stay.ended_at.is_(None),
            _claim.kind == ClaimKind.STAY.value,
            _claim.voided_at.is_(None),
            func.upper_inf(_claim.during),
            _unit.kind.not_in(_CENTRES),
            _fitness.revoked_at.is_(None),
            _fitness.ends_on >= on,
            _fitness.kinds.op("&&")(_CENTRES),
            held_by_law.in_(sorted(it.value for it in CUSTODIAL_BASES)),
            ~exists().where(
                _transfer.person_id == _stay.person_id,
                _transfer.state.in_([it.value for it in LIVE_TRANSFER_STATES]),
            ),
        )
        .order_by(_stay.id)
    )


def _return(row: Any) -> Return:
    return Return(
        stay=row.stay_id,
        person=row.person_id,
        facility=row.facility_id,
        unit=row.unit_id,
        bed=row.bed_id,
        origin_unit=row.origin_unit_id,
        responsible_facility=row.responsible_facility_id,
        kept_bed=row.kept_bed,
        fitness=row.fitness_id,
        stated_at=row.recorded_at,
        fit_until=row.ends_on,
        movement_stop=row.stopped,
    )
