"""A bed's own state: in service, to be cleaned, contaminated, closing or closed.

Who is in the bed is another fact and never changed here. A person in the bed only limits what can
be true of it: it cannot be cleaned or closed under them, it can be *closing*. A bed out of service
comes back only by the end of its period. Recording it fit keeps the promise that waits for it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, RowMapping, any_, bindparam, case, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY, TEXT

from service.access.scope import require_facility
from service.errors import Conflict, Invalid, NotFound
from service.lifecycle import advance
from service.store import events
from service.store.locks import lock
from service.store.seats import locks_of, seats
from service.store.tables.claims import ClaimKind, NextState
from service.store.tables.core import bed, bed_claim, bed_next, out_of_service_period
from service.store.tables.inventory import OutOfServiceReason
from service.workflow.context import Context
from service.workflow.inventory.beds import record_of
from service.workflow.inventory.place_fields import BedRecord, BedStateFields
from service.workflow.inventory.places import LIVE_CLAIM, check_editable
from service.workflow.stays.departures import keep_promise
from solver.codes import BedState

WITH_REASON: Final = frozenset({BedState.CLOSING, BedState.CLOSED})
NEVER_UNDER_SOMEBODY: Final = frozenset(
    {BedState.HOUSEKEEPING, BedState.CONTAMINATED, BedState.CLOSED}
)


class ChangedMeanwhile(Conflict):
    """The bed is no longer as it was looked at before its lock; nothing was written."""


@dataclass(frozen=True, slots=True)
class StateRecorded:
    """The bed after its state was recorded.

    ``promoted_hold``: the hold that a promise on this bed became. ``holds``: live holds on a bed
    that is not fit; each of them wants another bed.
    """

    bed: BedRecord
    promoted_hold: str | None = None
    holds: tuple[str, ...] = ()


_occupied: Final = (
    select(bed_claim.c.id)
    .where(
        bed_claim.c.bed_id == bed.c.id,
        bed_claim.c.kind == ClaimKind.STAY.value,
        bed_claim.c.voided_at.is_(None),
        bed_claim.c.during.contains(func.clock_timestamp()),
    )
    .exists()
)
_out_of_service: Final = (
    select(out_of_service_period.c.id)
    .where(out_of_service_period.c.bed_id == bed.c.id, out_of_service_period.c.ended_at.is_(None))
    .exists()
)
_promised_to: Final = (
    select(bed_next.c.person_id)
    .where(bed_next.c.bed_id == bed.c.id, bed_next.c.state == NextState.LIVE.value)
    .scalar_subquery()
)
_holds: Final = (
    select(func.array_agg(bed_claim.c.id, type_=ARRAY(TEXT)))
    .where(
        bed_claim.c.bed_id == bed.c.id,
        bed_claim.c.kind == ClaimKind.HOLD.value,
        bed_claim.c.used_at.is_(None),
        LIVE_CLAIM,
    )
    .scalar_subquery()
)
LOOK_AT_BEDS: Final = select(
    bed.c.id,
    bed.c.unit_id,
    bed.c.facility_id,
    bed.c.state,
    bed.c.state_reason,
    bed.c.expected_end,
    bed.c.retired_at,
    bed.c.version,
    _occupied.label("occupied"),
    _out_of_service.label("out_of_service"),
    _promised_to.label("promised_to"),
).where(bed.c.id == any_(bindparam("ids", type_=ARRAY(TEXT))))
_WRITE: Final = (
    update(bed)
    .where(
        bed.c.id == bindparam("bed"),
        bed.c.version == bindparam("seen_version"),
        bed.c.retired_at.is_(None),
        _occupied == bindparam("seen_occupied", type_=_occupied.type),
        _out_of_service == bindparam("seen_out_of_service", type_=_out_of_service.type),
        _promised_to.is_not_distinct_from(bindparam("seen_promised_to", type_=TEXT)),
    )
    .values(
        state=bindparam("to_state"),
        state_reason=bindparam("to_reason", type_=TEXT),
        expected_end=bindparam("to_end", type_=bed.c.expected_end.type),
        state_since=case(
            (bed.c.state == bindparam("to_state"), bed.c.state_since), else_=bindparam("at")
        ),
        confirmed_at=bindparam("at"),
        confirmed_by=bindparam("by"),
        version=bindparam("to_version"),
    )
    .returning(bed, _holds.label("holds"))
)


def look(conn: Connection, beds: Collection[str]) -> dict[str, RowMapping]:
    """The beds with what limits their state: who is in them, a period, a promise.

    Raises NotFound for an id that does not exist.
    """
    rows = conn.execute(LOOK_AT_BEDS, {"ids": sorted(set(beds))}).mappings()
    found = {row["id"]: row for row in rows}
    for missing in sorted(set(beds) - found.keys()):
        raise NotFound("bed-not-found", f"there is no bed {missing}", bed=[missing])
    return found


def lock_for_state(
    conn: Connection, seen: Mapping[str, RowMapping], fit: Collection[str]
) -> datetime:
    """Lock beds whose state is to be written; with those that become fit and are promised, also
    the people they are promised to and all that a hold needs."""
    promised = [bed_id for bed_id in fit if seen[bed_id]["promised_to"] is not None]
    if not promised:
        return lock(conn, beds=seen)
    places = locks_of(seats(conn, promised).values())
    places["beds"] = list(seen)
    return lock(conn, persons={seen[bed_id]["promised_to"] for bed_id in promised}, **places)


def record_bed_state(
    conn: Connection,
    ctx: Context,
    bed_id: str,
    reported: BedStateFields,
    *,
    version: int | None = None,
) -> StateRecorded:
    """Record the state somebody saw the bed in; the same state again confirms it.

    Raises:
        NotFound: there is no such bed.
        Forbidden: the caller speaks for another facility.
        PreconditionFailed: ``version`` is not the present one.
        Invalid: a reason or a forecast that does not go with the state.
        Conflict: ``retired``, ``out-of-service`` (end the period), ``somebody-in-bed``,
            ``nobody-in-bed``, ``illegal-step``.
    """
    seen = look(conn, [bed_id])
    require_facility(ctx.actor, seen[bed_id]["facility_id"])
    fit = [bed_id] if reported.state is BedState.IN_SERVICE else []
    at = lock_for_state(conn, seen, fit)
    try:
        return record_seen(conn, ctx, seen[bed_id], reported, version, at)
    except ChangedMeanwhile:
        # It changed between the look and the lock; under the lock it cannot change again.
        fresh = look(conn, [bed_id])[bed_id]
        if fresh["promised_to"] != seen[bed_id]["promised_to"]:
            raise
        return record_seen(conn, ctx, fresh, reported, version, at)


def record_seen(
    conn: Connection,
    ctx: Context,
    seen: RowMapping,
    reported: BedStateFields,
    version: int | None,
    at: datetime,
) -> StateRecorded:
    """Record a reported state under the bed's lock, as ``record_bed_state`` does."""
    check_editable("bed", seen, version)
    _check_members(reported, at)
    _check_possible(seen, reported.state)
    return write_state(conn, ctx, seen, reported.state, reported.reason, reported.expected_end, at)


def _check_members(reported: BedStateFields, at: datetime) -> None:
    """The reason and the forecast must go with the state."""
    state, reason = reported.state, reported.reason
    if state in WITH_REASON and reason is None:
        raise Invalid.field(
            "/reason",
            "missing",
            f"say why the bed is {state}: one of {', '.join(OutOfServiceReason)}",
        )
    if state not in WITH_REASON and reason is not None:
        raise Invalid.field(
            "/reason",
            "not-for-this-state",
            f"a bed that is {state} has no reason; leave it out, or record closing or closed",
            reason.value,
        )
    if state is BedState.IN_SERVICE and reported.expected_end is not None:
        raise Invalid.field(
            "/expected_end",
            "not-for-this-state",
            "a bed in service waits for no end; leave it out",
            reported.expected_end.isoformat(),
        )
    require_future(reported.expected_end, at)


def require_future(forecast: datetime | None, at: datetime) -> None:
    """Raise Invalid unless a forecast end lies after ``at``."""
    if forecast is not None and forecast <= at:
        raise Invalid.field(
            "/expected_end",
            "not-in-the-future",
            f"a forecast lies in the future and it is {at.isoformat(timespec='seconds')}; "
            "give a later instant, or none",
            forecast.isoformat(),
        )


def _check_possible(seen: RowMapping, state: BedState) -> None:
    """Refuse what cannot be true of the bed with what is known of it."""
    if state != seen["state"]:
        advance("bed", seen["state"], state)
    if state is BedState.IN_SERVICE and seen["out_of_service"]:
        raise Conflict(
            "out-of-service",
            f"bed {seen['id']} is in an open out-of-service period; end the period, which records "
            "the state it comes back in",
        )
    if state in NEVER_UNDER_SOMEBODY and seen["occupied"]:
        raise Conflict(
            "somebody-in-bed",
            f"somebody is in bed {seen['id']}, so it cannot be {state}: record the departure "
            "first, or record it as closing",
        )
    if state is BedState.CLOSING and not seen["occupied"]:
        raise Conflict(
            "nobody-in-bed",
            f"nobody is in bed {seen['id']}: closing is for a bed still in use; record it as "
            "closed",
        )


def write_state(
    conn: Connection,
    ctx: Context,
    seen: RowMapping,
    state: BedState,
    reason: OutOfServiceReason | None,
    expected_end: datetime | None,
    at: datetime,
    *,
    promote: bool = True,
) -> StateRecorded:
    """Write a state that is possible, under the bed's lock, and its event; a promise on a bed
    that became fit turns into a hold. The same state again only confirms the bed.

    Raises ChangedMeanwhile when what was seen before the lock is no longer so.
    """
    forecast = seen["expected_end"]
    same = (seen["state"], seen["state_reason"], forecast) == (state, reason, expected_end)
    row = (
        conn.execute(
            _WRITE,
            {
                "bed": seen["id"],
                "seen_version": seen["version"],
                "seen_occupied": seen["occupied"],
                "seen_out_of_service": seen["out_of_service"],
                "seen_promised_to": seen["promised_to"],
                "to_state": state.value,
                "to_reason": reason.value if reason is not None else None,
                "to_end": expected_end,
                "to_version": seen["version"] if same else seen["version"] + 1,
                "at": at,
                "by": ctx.actor.id,
            },
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise ChangedMeanwhile(
            "changed-meanwhile",
            f"bed {seen['id']} changed while this was recorded; read it again, then send it again",
        )
    members = dict(row)
    holds = members.pop("holds") or ()
    fit = state is BedState.IN_SERVICE
    promoted = None
    if fit and promote and seen["promised_to"] is not None:
        promoted = keep_promise(conn, ctx, seen["id"], at)
    events.append(
        conn,
        ctx.actor,
        "bed.confirmed" if same else "bed.state_changed",
        "bed",
        seen["id"],
        bed=seen["id"],
        unit=seen["unit_id"],
        facility=seen["facility_id"],
        data={"from": seen["state"], "to": state.value},
        occurred_at=at,
    )
    return StateRecorded(
        record_of({**members, "stale": False}),
        promoted.id if promoted is not None else None,
        () if fit else tuple(sorted(holds)),
    )
