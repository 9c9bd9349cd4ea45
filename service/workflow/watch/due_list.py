"""The due list 待办: every running clock, the overdue first, to the organ that must act.

Each caller reads the clocks they work by: a facility its own, clinicians the clinical ones,
officers those of custody and never one about treatment by consent.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from service.access.caller import FACILITY_ROLES, Role
from service.access.scope import require_facility
from service.errors import Conflict, Forbidden, Invalid, NotFound
from service.store import due as rows
from service.store import events, stays
from service.store.due import Asked, DueRow
from service.store.engine import now as clock
from service.workflow.context import Context
from service.workflow.judgement import past_instant
from service.workflow.placing.offers import alarm
from service.workflow.privacy.visibility import hidden, hidden_consents, hidden_stays
from service.workflow.watch import due

DOCUMENT: Final = "due.document"
NOTE: Final = "due.note"
"""What a document's number and a note are sealed for."""

_LINKS: Final[Mapping[str, str]] = {
    "stay": "/api/v1/stays/{id}",
    "term": "/api/v1/terms/{id}",
    "placement_request": "/api/v1/placement-requests/{id}",
    "transfer": "/api/v1/transfers/{id}",
    "person": "/api/v1/people/{id}",
    "discrepancy": "/api/v1/discrepancies/{id}",
}


@dataclass(frozen=True, slots=True)
class DueView:
    """A clock: what is due, from whom, to whom, by when, and where it stands written.

    ``zh`` and ``en`` say what; ``link`` leads to what it is about. ``overdue``: its hour had passed
    when this was read. ``by_fact``: it stops by what happens, not by anybody's word.
    """

    id: str
    kind: str
    zh: str
    en: str
    source: str
    owner: str
    recipient: str | None
    subject_type: str
    subject: str
    link: str | None
    person: str | None
    facility: str | None
    due_at: datetime
    opened_at: datetime
    overdue: bool
    by_fact: bool
    settled_at: datetime | None
    outcome: str | None
    done_at: datetime | None
    version: int


def listed(
    conn: Connection,
    ctx: Context,
    *,
    after: tuple[datetime, str] | None,
    limit: int,
    facility: str | None = None,
    kind: str | None = None,
    person: str | None = None,
    overdue: bool | None = None,
) -> list[DueView]:
    """The running clocks this caller works by, the longest overdue first, from the one after
    ``after``.

    Raises:
        Invalid: a kind the policy does not have.
        Forbidden: another facility's list.
    """
    if kind is not None and kind not in ctx.policy.due:
        known = ", ".join(sorted(ctx.policy.due))
        raise Invalid.field("query/kind", "unknown-kind", f"kinds are {known}", kind)
    if facility is not None:
        require_facility(ctx.actor, facility)
    asked = _asked(ctx, facility=facility, kind=kind, person=person, overdue=overdue)
    now = clock(conn)
    found: list[DueView] = []
    while len(found) < limit:
        seen = rows.page(conn, asked, now=now, after=after, limit=limit)
        unseen = _hidden(conn, ctx, seen)
        found += [_view(ctx, row, now) for row in seen if row.id not in unseen]
        if len(seen) < limit:
            break
        after = (seen[-1].due_at, seen[-1].id)
    return found[:limit]


def settle_by_hand(
    conn: Connection,
    ctx: Context,
    id_: str,
    *,
    done_at: datetime | None = None,
    document: str = "",
    note: str = "",
) -> DueView:
    """Record that a notice was sent or a thing was done, and when.

    Raises:
        NotFound: no such clock, or none this caller works by.
        Forbidden: it is due from another organ, or from another facility.
        Conflict: ``already-settled``; ``settled-by-fact``, with what stops it.
        Invalid: an instant in the future.
    """
    row = rows.item(conn, id_, locked=True)
    now = clock(conn)
    if not _works_by(ctx, row) or _hidden(conn, ctx, [row]):
        raise NotFound("due-not-found", f"there is no clock {id_}", due=id_)
    if row.settled_at is not None:
        raise Conflict(
            "already-settled",
            f"this was settled at {row.settled_at.astimezone(ctx.policy.zone).isoformat()}; "
            "nothing is left to do",
            due=id_,
            outcome=row.outcome,
        )
    roles = ctx.policy.due_lists.settlers[row.owner]
    if ctx.actor.role not in roles:
        raise Forbidden(
            "due-from-others",
            f"this is due from the {row.owner}; one of {', '.join(sorted(roles))} records it",
            roles=sorted(roles),
        )
    what = ctx.policy.due[row.kind]
    if what.by_fact:
        raise Conflict(
            "settled-by-fact",
            f"this clock stops when it has happened ({what.en}), not by being ticked off; record "
            "that where it belongs",
            due=id_,
            link=_link(row),
        )
    at = past_instant("done_at", done_at, now)
    due.settle(conn, ctx, row.kind, subject=(row.subject_type, row.subject_id), now=now)
    sealed = ctx.vault.seal_text
    row = rows.record_done(
        conn,
        id_,
        done_at=at,
        document=sealed(document.strip(), DOCUMENT) if document.strip() else None,
        note=sealed(note.strip(), NOTE) if note.strip() else None,
    )
    return _view(ctx, row, now)


@dataclass(frozen=True, slots=True)
class Rung:
    """How many clocks were told overdue; ``more`` says that another call has work."""

    clocks: int = 0
    more: bool = False


def ring_overdue(conn: Connection, ctx: Context, *, limit: int = 200) -> Rung:
    """Tell of each clock, once, that its hour has passed: boards, streams and the coordinator
    hear it from the log."""
    now = clock(conn)
    late = rows.ring(conn, now, limit)
    for row in late:
        events.append(
            conn,
            ctx.actor,
            "due.overdue",
            "due_item",
            row.id,
            person=row.person,
            facility=row.facility,
            data={"kind": row.kind},
            occurred_at=row.due_at,
        )
        alarm(conn, ctx, row)
    return Rung(len(late), len(late) == limit)


def _asked(ctx: Context, **given: str | bool | None) -> Asked:
    """What was asked for, narrowed to the clocks this caller works by."""
    lists, actor = ctx.policy.due_lists, ctx.actor
    asked = Asked(**given)  # type: ignore[arg-type]
    if actor.role in FACILITY_ROLES:
        return _narrowed(asked, facility=actor.facility)
    if actor.role is Role.CLINICIAN:
        narrowed = _narrowed(
            asked, kinds=lists.clinical, owners=frozenset({"clinician", "hospital"})
        )
        return _narrowed(narrowed, facility=actor.facility) if actor.facility else narrowed
    if actor.role is Role.INTAKE_OFFICER:
        return _narrowed(asked, kinds=lists.police, owners=_ORGANS_OF_CUSTODY)
    return asked


_ORGANS_OF_CUSTODY: Final = frozenset(
    {"deciding_organ", "centre", "street_office", "county_police"}
)


def _narrowed(
    asked: Asked,
    *,
    facility: str | None = None,
    kinds: frozenset[str] | None = None,
    owners: frozenset[str] | None = None,
) -> Asked:
    return Asked(
        facility=facility if facility is not None else asked.facility,
        kind=asked.kind,
        person=asked.person,
        overdue=asked.overdue,
        kinds=kinds if kinds is not None else asked.kinds,
        owners=owners if owners is not None else asked.owners,
    )


def _works_by(ctx: Context, row: DueRow) -> bool:
    """Whether this one clock would stand on the caller's list."""
    asked = _asked(ctx)
    if asked.facility is not None and row.facility != asked.facility:
        return False
    if asked.kinds is None and asked.owners is None:
        return True
    return row.kind in (asked.kinds or ()) or row.owner in (asked.owners or ())


def _hidden(conn: Connection, ctx: Context, found: Collection[DueRow]) -> frozenset[str]:
    """Those of the clocks that are about what this caller may not know of."""
    people = hidden(conn, ctx, {row.person for row in found if row.person is not None})
    about = {row.id: row.subject_id.partition(":")[0] for row in found if _of_stay(row)}
    known = {it.id: it for it in stays.of_ids(conn, set(about.values()))} if about else {}
    unseen = hidden_stays(conn, ctx, list(known.values()))
    words = hidden_consents(conn, ctx, {it.subject_id for it in found if _of_consent(it)})
    return frozenset(
        row.id
        for row in found
        if row.person in people
        or about.get(row.id) in unseen
        or (_of_consent(row) and row.subject_id in words)
    )


def _of_consent(row: DueRow) -> bool:
    return row.subject_type == "consent"


def _of_stay(row: DueRow) -> bool:
    return row.subject_type in ("stay", "paper")


def _link(row: DueRow) -> str | None:
    if row.subject_type == "paper":
        return _LINKS["stay"].format(id=row.subject_id.partition(":")[0])
    if row.subject_type in _LINKS:
        return _LINKS[row.subject_type].format(id=row.subject_id)
    return _LINKS["person"].format(id=row.person) if row.person is not None else None


def _view(ctx: Context, row: DueRow, now: datetime) -> DueView:
    what = ctx.policy.due.get(row.kind)
    return DueView(
        id=row.id,
        kind=row.kind,
        zh=what.zh if what is not None else row.kind,
        en=what.en if what is not None else row.kind,
        source=what.source if what is not None else "",
        owner=row.owner,
        recipient=row.recipient,
        subject_type=row.subject_type,
        subject=row.subject_id,
        link=_link(row),
        person=row.person,
        facility=row.facility,
        due_at=row.due_at,
        opened_at=row.opened_at,
        overdue=row.settled_at is None and row.due_at <= now,
        by_fact=what.by_fact if what is not None else True,
        settled_at=row.settled_at,
        outcome=row.outcome,
        done_at=row.done_at,
        version=row.version,
    )
