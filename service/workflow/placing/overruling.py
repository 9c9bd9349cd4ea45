"""Overruling: a coordinator sets a unit's decline aside, with a reason that stands beside it.

A decline that is a doctor's finding is never overruled (Mandela Rule 27.2: clinical decisions are
clinicians'): a new assessment answers it.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from service.errors import Conflict, Invalid, Refused
from service.lifecycle import RequestState, advance
from service.store import events, requests
from service.store.requests import DeclineRow, RequestRow
from service.store.seats import seat, unit_seat
from service.workflow.context import Context
from service.workflow.judgement import reasoned
from service.workflow.placing.decisions import Choice, decide
from service.workflow.placing.placement import lock_request, settled
from service.workflow.views import RequestView, request_view

_NOT_TO_BE_HAD: Final = frozenset({"bed-taken", "bed-not-in-service", "bed-retired"})


@dataclass(frozen=True, slots=True)
class Overruled:
    """The request afterwards. ``held``: whether the bed asked for with it is held now;
    ``why_not`` is the code of what kept it away."""

    request: RequestView
    unit: str
    declines: tuple[str, ...]
    held: bool
    why_not: str | None
    on_call_phone: str


def overrule(
    conn: Connection,
    ctx: Context,
    request: str,
    *,
    unit: str,
    reason: str,
    officer: str,
    bed: str | None = None,
) -> Overruled:
    """Set aside that this unit declined: it is a candidate again, and ``bed`` is held if free.

    Raises:
        NotFound: no such request, unit or bed. Invalid: no reason, or a bed of another unit.
        Conflict: ``no-decline``, ``illegal-step`` (a bed is named and the request does not wait).
        Refused: ``clinical-decline``; a rule refuses the bed.
    """
    why, by = reasoned(reason), reasoned(officer, "/officer")
    unit_seat(conn, unit)
    place = seat(conn, bed) if bed is not None else None
    if place is not None and place.unit != unit:
        raise Invalid.field("/bed", "not-of-this-unit", f"name a bed of unit {unit}, or none", bed)
    now, row = lock_request(conn, request, **(place.locks() if place is not None else {}))
    row = settled(conn, ctx, row, now)
    standing = _standing(conn, ctx, row, unit)
    if bed is not None:
        advance("request", row.state, RequestState.HELD)
    requests.overrule(conn, ctx.actor, [it.id for it in standing], reason=why, now=now)
    for it in standing:
        events.append(
            conn,
            ctx.actor,
            "decline.overruled",
            "decline",
            it.id,
            person=row.person,
            unit=unit,
            data={"request": row.id},
            occurred_at=now,
        )
    ids = tuple(it.id for it in standing)
    phone = ctx.policy.offers.on_call_phone
    if bed is None:
        return Overruled(request_view(conn, row), unit, ids, False, None, phone)
    try:
        made = decide(conn, ctx, request, bed, Choice(officer=by, reason=why))
    except Conflict as lost:
        if lost.code not in _NOT_TO_BE_HAD:
            raise
        return Overruled(request_view(conn, row), unit, ids, False, lost.code, phone)
    return Overruled(made.request, unit, ids, True, None, phone)


def _standing(conn: Connection, ctx: Context, row: RequestRow, unit: str) -> list[DeclineRow]:
    """The unit's declines that stand, none of them a doctor's finding."""
    said = requests.declines(conn, row.id)
    standing = [it for it in said if it.unit == unit and not it.overruled]
    if not standing:
        raise Conflict(
            "no-decline",
            f"no decline of unit {unit} stands against request {row.id}; decide for one of its "
            "candidates",
            request=row.id,
            unit=unit,
        )
    codes = ctx.policy.declines
    clinical = sorted({it.code for it in standing if it.code in codes and codes[it.code].clinical})
    if clinical:
        raise Refused(
            "clinical-decline",
            f"unit {unit} declined by a doctor's finding ({', '.join(clinical)}), which nobody "
            "overrules; ask a doctor to assess the person anew, and decide for another candidate "
            "meanwhile",
            request=row.id,
            unit=unit,
            codes=clinical,
        )
    return standing
