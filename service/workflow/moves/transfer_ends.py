"""How a transfer ends without arrival: what it held and promised is freed, never silently."""

from datetime import datetime

from sqlalchemy import Connection

from service.errors import Conflict
from service.lifecycle import TransferState
from service.store import events, transfers
from service.store.claims import holds, promises, rows
from service.store.seats import seat
from service.store.transfers import TransferRow
from service.workflow.context import Context
from service.workflow.stays.departures import call_off
from service.workflow.watch.due import settle


def end_transfer(
    conn: Connection,
    ctx: Context,
    row: TransferRow,
    to: TransferState,
    reason: str,
    now: datetime,
    *,
    left: bool = False,
) -> TransferRow:
    """End a transfer with a code; the caller holds its person and, unless the person left the
    origin bed another way (``left``), ``people_behind`` its stay.

    Raises Conflict ``illegal-step``.
    """
    ended = transfers.step(conn, row, to, now=now, reason=reason)
    hold = holds.hold_for(conn, transfer=row.id)
    if hold is not None and not hold.over(now):
        rows.void(conn, ctx.actor, hold.id, to.value, now=now)
    elif hold is not None:
        holds.lapse(conn, hold.id, now=now)
    promise = promises.promised_to(conn, row.person)
    if promise is not None and promise.transfer == row.id:
        promises.cancel(conn, promise, to.value, now=now)
    settle(conn, ctx, "transfer_late", subject=("transfer", row.id), now=now, outcome="called_off")
    if not left:
        call_off(conn, ctx, row.stay, f"departure_{to.value}", now)
    told(conn, ctx, ended, f"transfer.{to.value}", now)
    return ended


def require_no_transfer(conn: Connection, person: str) -> None:
    """Raise Conflict ``transfer-live`` while a transfer of the person is neither over nor
    refused."""
    live = transfers.live_transfer(conn, person)
    if live is not None:
        raise Conflict(
            "transfer-live",
            f"transfer {live.id} of this person is {live.state}; go on with it or cancel it",
            transfer=live.id,
            state=live.state.value,
        )


def told(
    conn: Connection,
    ctx: Context,
    row: TransferRow,
    operation: str,
    now: datetime,
    **data: str | bool | None,
) -> None:
    """Write a transfer's event; it concerns the bed it goes to and names the one it leaves."""
    place = seat(conn, row.to_bed)
    events.append(
        conn,
        ctx.actor,
        operation,
        "transfer",
        row.id,
        person=row.person,
        bed=row.to_bed,
        unit=place.unit,
        facility=place.facility,
        data={"from_bed": row.from_bed, "stay": row.stay, "reason": row.reason.value, **data},
        occurred_at=now,
    )
