"""Planned arrivals and departures of a unit: what the next shift prepares for."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final, Literal

from sqlalchemy import Connection, func, select

from service.access.scope import require_facility
from service.lifecycle import StayState, TransferState
from service.store.engine import now as clock
from service.store.tables import core
from service.store.tables.claims import ClaimKind, NextState
from service.workflow.context import Context
from service.workflow.inventory.places import get_row

_claim, _next, _stay = core.bed_claim.c, core.bed_next.c, core.stay.c
_transfer, _bed, _term = core.transfer.c, core.bed.c, core.term.c
_LEAVING: Final = [
    TransferState.APPROVED.value,
    TransferState.ACCEPTED.value,
    TransferState.IN_TRANSIT.value,
]


@dataclass(frozen=True, slots=True)
class Expected:
    """Somebody who comes or goes. ``at`` is a forecast, None when nobody has said; ``firm`` once
    it is accepted, begun, or the law's own day."""

    direction: Literal["arrival", "departure"]
    how: Literal["placement", "transfer", "promise", "return", "discharge", "forecast", "term"]
    person: str
    bed: str
    at: datetime | None
    firm: bool


def expected_in(conn: Connection, ctx: Context, unit: str, *, hours: int) -> list[Expected]:
    """Arrivals at and departures from the unit within ``hours``, and those without an hour yet,
    the earliest first.

    Raises NotFound, Forbidden.
    """
    require_facility(ctx.actor, get_row(conn, core.unit, unit)["facility_id"])
    now = clock(conn)
    until = now + timedelta(hours=hours)
    found = [
        *_holds(conn, ctx, unit, now),
        *_promises(conn, unit),
        *_transfers_out(conn, unit),
        *_returns(conn, unit),
        *_stays(conn, unit),
        *_terms(conn, ctx, unit),
    ]
    near = [it for it in found if it.at is None or it.at <= until]
    return sorted(near, key=lambda it: (it.at is None, it.at or now, it.bed, it.direction))


def _holds(conn: Connection, ctx: Context, unit: str, now: datetime) -> list[Expected]:
    rows = conn.execute(
        select(
            _claim.person_id,
            _claim.bed_id,
            _claim.accepted_at,
            _claim.transfer_id,
            func.upper(_claim.during).label("until"),
            _transfer.expected_arrival,
        )
        .outerjoin(core.transfer, _transfer.id == _claim.transfer_id)
        .where(
            _claim.unit_id == unit,
            _claim.kind == ClaimKind.HOLD.value,
            _claim.voided_at.is_(None),
            _claim.used_at.is_(None),
            _claim.during.op("@>")(now),
        )
    )
    grace = ctx.policy.arrival_grace
    return [
        Expected(
            "arrival",
            "transfer" if row.transfer_id is not None else "placement",
            row.person_id,
            row.bed_id,
            row.expected_arrival or (row.until - grace if row.accepted_at and row.until else None),
            firm=row.accepted_at is not None,
        )
        for row in rows
    ]


def _promises(conn: Connection, unit: str) -> list[Expected]:
    rows = conn.execute(
        select(_next.person_id, _next.bed_id)
        .join(core.bed, _bed.id == _next.bed_id)
        .where(_bed.unit_id == unit, _next.state == NextState.LIVE.value)
    )
    return [
        Expected("arrival", "promise", row.person_id, row.bed_id, None, firm=False) for row in rows
    ]


def _transfers_out(conn: Connection, unit: str) -> list[Expected]:
    rows = conn.execute(
        select(_transfer.person_id, _transfer.from_bed_id, _transfer.state, _transfer.departed_at)
        .join(core.bed, _bed.id == _transfer.from_bed_id)
        .where(_bed.unit_id == unit, _transfer.state.in_(_LEAVING))
    )
    return [
        Expected(
            "departure",
            "transfer",
            row.person_id,
            row.from_bed_id,
            row.departed_at,
            firm=row.state != TransferState.APPROVED.value,
        )
        for row in rows
    ]


def _returns(conn: Connection, unit: str) -> list[Expected]:
    rows = conn.execute(
        select(_claim.person_id, _claim.bed_id, _claim.expected_end).where(
            _claim.unit_id == unit,
            _claim.kind == ClaimKind.LEAVE.value,
            _claim.voided_at.is_(None),
            func.upper_inf(_claim.during),
        )
    )
    return [
        Expected("arrival", "return", row.person_id, row.bed_id, row.expected_end, firm=False)
        for row in rows
    ]


def _stays(conn: Connection, unit: str) -> list[Expected]:
    rows = conn.execute(
        select(_stay.person_id, _stay.state, _stay.expected_end, _claim.bed_id)
        .join(core.bed_claim, _claim.stay_id == _stay.id)
        .where(
            _claim.unit_id == unit,
            _claim.kind == ClaimKind.STAY.value,
            _claim.voided_at.is_(None),
            func.upper_inf(_claim.during),
            _stay.ended_at.is_(None),
            (_stay.state == StayState.DISCHARGE_DUE.value) | _stay.expected_end.is_not(None),
        )
    )
    return [
        Expected(
            "departure",
            "discharge" if row.state == StayState.DISCHARGE_DUE.value else "forecast",
            row.person_id,
            row.bed_id,
            row.expected_end,
            firm=row.state == StayState.DISCHARGE_DUE.value,
        )
        for row in rows
    ]


def _terms(conn: Connection, ctx: Context, unit: str) -> list[Expected]:
    """People whose term ends: at 24:00 of its last day they are free, whatever else is planned."""
    rows = conn.execute(
        select(_term.person_id, _term.ends_on, _claim.bed_id)
        .join(core.bed_claim, _claim.person_id == _term.person_id)
        .where(
            _claim.unit_id == unit,
            _claim.kind == ClaimKind.STAY.value,
            _claim.voided_at.is_(None),
            func.upper_inf(_claim.during),
            _term.closed_at.is_(None),
        )
    )
    return [
        Expected(
            "departure",
            "term",
            row.person_id,
            row.bed_id,
            datetime.combine(row.ends_on + timedelta(days=1), time.min, tzinfo=ctx.policy.zone),
            firm=True,
        )
        for row in rows
    ]
