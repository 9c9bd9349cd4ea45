"""Rows of transfers: moves of people who have a bed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, or_, select

from service.access.caller import Actor
from service.errors import NotFound
from service.lifecycle import LIVE_TRANSFER_STATES, TransferState, advance
from service.store.ids import new_id
from service.store.tables import core
from service.store.versioned import change
from solver.codes import MoveReason

_TABLE: Final = core.transfer
_c = _TABLE.c
_LIVE: Final = [state.value for state in LIVE_TRANSFER_STATES]


@dataclass(frozen=True, slots=True)
class TransferRow:
    """One transfer of a stay from one bed to another. ``handover``: sealed, for clinicians."""

    id: str
    person: str
    stay: str
    from_bed: str
    to_bed: str
    state: TransferState
    reason: MoveReason
    reason_text: str
    proposal: str | None
    requested_by: str
    requested_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    approval_reason: str | None
    expected_arrival: datetime | None
    departed_at: datetime | None
    arrived_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    acceptances: tuple[dict[str, Any], ...]
    escorts: tuple[dict[str, Any], ...]
    vehicle: str | None
    care_flags: tuple[str, ...]
    handover: bytes | None
    handover_by: str | None
    arrival_check: dict[str, Any] | None
    version: int


def _row(row: Any) -> TransferRow:
    return TransferRow(
        id=row.id,
        person=row.person_id,
        stay=row.stay_id,
        from_bed=row.from_bed_id,
        to_bed=row.to_bed_id,
        state=TransferState(row.state),
        reason=MoveReason(row.reason),
        reason_text=row.reason_text,
        proposal=row.proposal_id,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        approved_by=row.approved_by,
        approved_at=row.approved_at,
        approval_reason=row.approval_reason,
        expected_arrival=row.expected_arrival,
        departed_at=row.departed_at,
        arrived_at=row.arrived_at,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
        acceptances=tuple(row.acceptances),
        escorts=tuple(row.escorts),
        vehicle=row.vehicle,
        care_flags=tuple(row.care_flags),
        handover=row.handover,
        handover_by=row.handover_by,
        arrival_check=row.arrival_check,
        version=row.version,
    )


def transfer(conn: Connection, id_: str) -> TransferRow:
    """One transfer. Raises NotFound."""
    row = conn.execute(select(_TABLE).where(_c.id == id_)).one_or_none()
    if row is None:
        raise NotFound("transfer-not-found", f"there is no transfer {id_}", transfer=id_)
    return _row(row)


def live_transfer(conn: Connection, person: str) -> TransferRow | None:
    """The person's transfer that has neither ended nor been refused."""
    row = conn.execute(
        select(_TABLE).where(_c.person_id == person, _c.state.in_(_LIVE))
    ).one_or_none()
    return _row(row) if row is not None else None


def page(
    conn: Connection,
    *,
    after: str | None,
    limit: int,
    states: Sequence[TransferState] = (),
    facility: str | None = None,
    person: str | None = None,
) -> list[TransferRow]:
    """Transfers in the order they were asked for; ``facility``: from or to it."""
    query = select(_TABLE).order_by(_c.id).limit(limit)
    if after is not None:
        query = query.where(_c.id > after)
    if states:
        query = query.where(_c.state.in_([state.value for state in states]))
    if person is not None:
        query = query.where(_c.person_id == person)
    if facility is not None:
        theirs = select(core.bed.c.id).where(core.bed.c.facility_id == facility)
        query = query.where(or_(_c.from_bed_id.in_(theirs), _c.to_bed_id.in_(theirs)))
    return [_row(row) for row in conn.execute(query)]


def unanswered(
    conn: Connection, before: datetime, limit: int, *, skip: Collection[str] = ()
) -> list[TransferRow]:
    """Transfers proposed before an instant and neither approved nor rejected since, those named
    in ``skip`` left out."""
    rows = conn.execute(
        select(_TABLE)
        .where(
            _c.state == TransferState.PROPOSED.value,
            _c.requested_at <= before,
            _c.id.not_in(sorted(skip)),
        )
        .order_by(_c.id)
        .limit(limit)
    )
    return [_row(row) for row in rows]


def add(
    conn: Connection,
    actor: Actor,
    *,
    person: str,
    stay: str,
    from_bed: str,
    to_bed: str,
    reason: MoveReason,
    text: str,
    proposal: str | None,
    now: datetime,
) -> TransferRow:
    """A new proposed transfer; the caller holds the person and has seen that none is live."""
    return _row(
        conn.execute(
            insert(_TABLE)
            .values(
                id=new_id("tr"),
                person_id=person,
                stay_id=stay,
                from_bed_id=from_bed,
                to_bed_id=to_bed,
                state=TransferState.PROPOSED.value,
                reason=reason.value,
                reason_text=text,
                proposal_id=proposal,
                requested_by=actor.id,
                requested_at=now,
                recorded_at=now,
                acceptances=[],
                escorts=[],
                care_flags=[],
                version=1,
            )
            .returning(_TABLE)
        ).one()
    )


def edit(conn: Connection, row: TransferRow, **values: Any) -> TransferRow:
    """Change what is said of a transfer without moving it on. Raises Conflict ``world-moved``."""
    what = ("transfer", "transfer")
    return _row(change(conn, _TABLE, row.id, row.version, values, what=what))


def step(
    conn: Connection,
    row: TransferRow,
    to: TransferState,
    *,
    now: datetime,
    reason: str | None = None,
    correcting: bool = False,
    **changes: Any,
) -> TransferRow:
    """Move a transfer on. ``reason`` is the code of an end.

    Raises:
        Conflict: ``illegal-step``, or ``world-moved`` if it is no longer as it was read.
    """
    advance("transfer", row.state, to, correcting=correcting)
    live = to in LIVE_TRANSFER_STATES
    values = {
        "state": to.value,
        "ended_at": None if live else now,
        "end_reason": None if live else reason,
        **changes,
    }
    what = ("transfer", "transfer")
    return _row(change(conn, _TABLE, row.id, row.version, values, what=what))
