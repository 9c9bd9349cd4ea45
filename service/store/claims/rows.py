"""Claims on beds: all SQL that writes or weighs a row of ``bed_claim``.

The caller holds the locks (``locks.lock``) and passes the instant they returned. The constraints
of the table are the last line; ``blockers`` says beforehand, and in words, what they would refuse.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    cast,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import TSTZRANGE, Range, distinct_on

from service.access.caller import SYSTEM, Actor
from service.store.ids import new_id
from service.store.seats import Seat
from service.store.tables import core
from service.store.tables.claims import ClaimKind

_c = core.bed_claim.c
_TABLE: Final = core.bed_claim
_INSERT: Final = insert(_TABLE).returning(_TABLE)
_DEFERRED: Final = text("SET CONSTRAINTS ALL DEFERRED")
_IMMEDIATE: Final = text("SET CONSTRAINTS ALL IMMEDIATE")


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim: who has which bed in ``[since, until)``; ``until`` is None while it is open."""

    id: str
    bed: str
    room: str
    unit: str
    facility: str
    person: str
    kind: ClaimKind
    since: datetime
    until: datetime | None
    mix_key: str | None
    emergency: bool
    stay: str | None
    request: str | None
    transfer: str | None
    accepted_at: datetime | None
    used_at: datetime | None
    lapsed_at: datetime | None
    expected_end: datetime | None

    def over(self, at: datetime) -> bool:
        """Whether its range has ended by then."""
        return self.until is not None and self.until <= at


def claim_of(row: Any) -> Claim:
    during: Range[datetime] = row.during
    if during.lower is None:
        raise AssertionError("every claim begins")
    return Claim(
        id=row.id,
        bed=row.bed_id,
        room=row.room_id,
        unit=row.unit_id,
        facility=row.facility_id,
        person=row.person_id,
        kind=ClaimKind(row.kind),
        since=during.lower.astimezone(UTC),
        until=during.upper.astimezone(UTC) if during.upper is not None else None,
        mix_key=row.mix_key,
        emergency=row.emergency,
        stay=row.stay_id,
        request=row.request_id,
        transfer=row.transfer_id,
        accepted_at=row.accepted_at,
        used_at=row.used_at,
        lapsed_at=row.lapsed_at,
        expected_end=row.expected_end,
    )


def span(since: datetime, until: datetime | None) -> Range[datetime]:
    """``[since, until)`` as the database's range, open where ``until`` is None."""
    return Range(since, until, bounds="[)")


def add(
    conn: Connection,
    actor: Actor,
    seat: Seat,
    person: str,
    kind: ClaimKind,
    since: datetime,
    until: datetime | None,
    *,
    now: datetime,
    key: str,
    stay: str | None = None,
    request: str | None = None,
    transfer: str | None = None,
    emergency: bool = False,
    accepted: bool = False,
    expected_end: datetime | None = None,
) -> Claim:
    """Claim the bed for ``[since, until)``; ``key`` is what ``keys.key_of`` says of the person."""
    row = conn.execute(
        _INSERT.values(
            id=new_id("cl"),
            bed_id=seat.bed,
            room_id=seat.room,
            unit_id=seat.unit,
            facility_id=seat.facility,
            person_id=person,
            kind=kind.value,
            during=span(since, until),
            mix_key=key,
            emergency=emergency,
            stay_id=stay,
            request_id=request,
            transfer_id=transfer,
            accepted_at=now if accepted else None,
            accepted_by=actor.id if accepted else None,
            expected_end=expected_end,
            occurred_at=since,
            recorded_at=now,
            recorded_by=actor.id,
        )
    ).one()
    return claim_of(row)


def write(conn: Connection, claim: str, **values: Any) -> None:
    conn.execute(update(_TABLE).where(_c.id == claim).values(**values))


def void(conn: Connection, actor: Actor, claim: str, reason: str, *, now: datetime) -> None:
    """Take the claim out of force with a coded reason; the row stays."""
    write(conn, claim, voided_at=now, voided_by=actor.id, void_reason=reason)


def end(conn: Connection, actor: Actor, claim: Claim, at: datetime, *, now: datetime) -> None:
    """End the claim at an instant; one that had not begun by then is voided."""
    if at <= claim.since:
        void(conn, actor, claim.id, "never_began", now=now)
    else:
        write(conn, claim.id, during=span(claim.since, at))


def keep_until(conn: Connection, claim: Claim, until: datetime | None) -> None:
    """Replace the end of the claim; None for no end (on the way: late is an alarm, not a lapse)."""
    write(conn, claim.id, during=span(claim.since, until))


def on_beds(conn: Connection, beds: Collection[str], at: datetime) -> dict[str, Claim]:
    """The claim that takes each of these beds at the instant or later."""
    rows = conn.execute(
        select(_TABLE).where(
            _c.bed_id.in_(sorted(beds)),
            _c.voided_at.is_(None),
            _c.during.op("&&")(literal(span(at, None), TSTZRANGE)),
        )
    )
    return {row.bed_id: claim_of(row) for row in rows}


def segments(conn: Connection, stay: str) -> list[Claim]:
    """The stay's segments in force, in order of time."""
    rows = conn.execute(
        select(_TABLE)
        .where(_c.stay_id == stay, _c.voided_at.is_(None), _c.kind != ClaimKind.HOLD.value)
        .order_by(func.lower(_c.during))
    )
    return [claim_of(row) for row in rows]


def last_segments(conn: Connection, stays: Collection[str]) -> dict[str, Claim]:
    """The newest segment in force of each of these stays that has one."""
    rows = conn.execute(
        select(_TABLE)
        .ext(distinct_on(_c.stay_id))
        .where(
            _c.stay_id.in_(sorted(stays)),
            _c.voided_at.is_(None),
            _c.kind != ClaimKind.HOLD.value,
        )
        .order_by(_c.stay_id, func.lower(_c.during).desc())
    )
    return {row.stay_id: claim_of(row) for row in rows}


def of_person(conn: Connection, person: str, at: datetime) -> list[Claim]:
    """Every claim of the person that stands at the instant or later, by id."""
    rows = conn.execute(
        select(_TABLE)
        .where(
            _c.person_id == person,
            _c.voided_at.is_(None),
            _c.during.op("&&")(literal(span(at, None), TSTZRANGE)),
        )
        .order_by(_c.id)
    )
    return [claim_of(row) for row in rows]


def blockers(
    conn: Connection,
    seat: Seat,
    person: str,
    since: datetime,
    until: datetime | None,
    *,
    key: str,
    stay: bool,
    emergency: bool = False,
    ignoring: Iterable[str] = (),
) -> list[Claim]:
    """The claims the constraints would set against a new claim, first by bed, then by time.

    ``stay``: the new claim is a stay, of which a person has one at a time.
    """
    on_bed: ColumnElement[bool] = _c.bed_id == seat.bed
    mixed: ColumnElement[bool] = (
        false()
        if emergency
        else and_(_c.room_id == seat.room, _c.mix_key != key, _c.emergency.is_(False))
    )
    elsewhere: ColumnElement[bool] = (
        and_(_c.person_id == person, _c.kind == ClaimKind.STAY.value) if stay else false()
    )
    rows = conn.execute(
        select(_TABLE)
        .where(
            _c.voided_at.is_(None),
            _c.during.op("&&")(literal(span(since, until), TSTZRANGE)),
            _c.id.not_in(sorted(ignoring)),
            or_(on_bed, mixed, elsewhere),
        )
        .order_by(on_bed.desc(), func.lower(_c.during), _c.id)
    )
    return [claim_of(row) for row in rows]


def split(conn: Connection, claim: Claim, key: str, *, emergency: bool, now: datetime) -> str:
    """Continue a claim under another key from now, and return the id of the row that does.

    What was so until now stays on record; of a hold nothing was, so its first part is void.
    Call it inside ``rearranging``: for a moment both rows stand.
    """
    if claim.since >= now:
        write(conn, claim.id, mix_key=key, emergency=emergency)
        return claim.id
    successor = _copy(
        conn,
        claim.id,
        during=span(now, claim.until),
        mix_key=key,
        emergency=emergency,
        occurred_at=now,
        recorded_at=now,
    )
    if claim.kind is ClaimKind.HOLD:
        void(conn, SYSTEM, claim.id, "key_changed", now=now)
    else:
        write(conn, claim.id, during=span(claim.since, now))
    return successor


def _copy(conn: Connection, claim: str, **changed: Any) -> str:
    """Write a claim again with some columns changed, and return the id of the new row."""
    successor = new_id("cl")
    given = {"id": successor, **changed}
    columns = list(_TABLE.c)
    values = [
        cast(given[column.name], column.type) if column.name in given else column
        for column in columns
    ]
    conn.execute(insert(_TABLE).from_select(columns, select(*values).where(_c.id == claim)))
    return successor


def forecast(
    conn: Connection, actor: Actor, claim: Claim, until: datetime, reason: str, *, now: datetime
) -> str:
    """Write a claim again with another expected end, and return the id of the row that does; the
    reason stays with the one it replaces. Call it inside ``rearranging``."""
    successor = _copy(conn, claim.id, expected_end=until, recorded_at=now, recorded_by=actor.id)
    void(conn, actor, claim.id, reason, now=now)
    return successor


@contextmanager
def rearranging(conn: Connection) -> Iterator[None]:
    """Let rows overlap between statements; every constraint is checked when the block ends."""
    conn.execute(_DEFERRED)
    yield
    conn.execute(_IMMEDIATE)


def of_transfer(conn: Connection, transfer: str) -> list[Claim]:
    """The segments in force that an arrival of this transfer began."""
    found = conn.execute(
        select(_TABLE).where(
            _c.transfer_id == transfer, _c.voided_at.is_(None), _c.kind != ClaimKind.HOLD.value
        )
    )
    return [claim_of(row) for row in found]


def standing(conn: Connection, person: str) -> list[Claim]:
    """Every claim of the person that is not void, past ones too."""
    found = conn.execute(
        select(_TABLE).where(_c.person_id == person, _c.voided_at.is_(None)).order_by(_c.id)
    )
    return [claim_of(row) for row in found]


def rewrite_person(
    conn: Connection,
    actor: Actor,
    claim: str,
    person: str,
    key: str | None,
    reason: str,
    *,
    now: datetime,
) -> None:
    """Void a claim and write it again, otherwise unchanged, as another record's."""
    _copy(conn, claim, person_id=person, mix_key=key, recorded_at=now, recorded_by=actor.id)
    void(conn, actor, claim, reason, now=now)
