"""Merging 合并: two records turn out to be one person; everything goes on under one of them.

So it ends for somebody an emergency brought in unnamed: once known, they are one person in one
place. Whichever record lives on, the emergency's bed is where they are.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from service.errors import Conflict, Invalid
from service.lifecycle import RequestState, StayState, TransferState
from service.store import events, stays, transfers
from service.store.claims import Rekeyed, rekey, rows
from service.store.claims.rows import Claim
from service.store.engine import now as clock
from service.store.locks import lock
from service.store.seats import locks_of, seats
from service.store.stays import StayRow
from service.store.tables import core
from service.store.tables.claims import ClaimKind
from service.store.tables.law import TermEnd
from service.workflow.consent import treatment
from service.workflow.context import Context
from service.workflow.emergencies.emergency_moves import close_request
from service.workflow.emergencies.emergency_papers import owe_papers, settle_papers
from service.workflow.judgement import reasoned, require_current
from service.workflow.law import terms
from service.workflow.law.term_ends import close_term
from service.workflow.moves.transfer_ends import end_transfer
from service.workflow.persons.merging_records import MOVED, both_live, one_record
from service.workflow.placing.request_ends import end_live_request
from service.workflow.stays.discharge import told
from service.workflow.stays.leave import divert, people_waiting_on, put_on_leave
from service.workflow.watch.watching import rejudge
from solver.codes import Sex


@dataclass(frozen=True, slots=True)
class Merged:
    """The record that lives on, and whether the person now is where they may not be. ``on_leave``:
    the stay whose bed is kept because an emergency took the person elsewhere."""

    person: str
    merged: str
    misplaced: bool
    on_leave: str | None = None


def merge_persons(conn: Connection, ctx: Context, keep: str, merged: str, *, reason: str) -> Merged:
    """Let ``merged`` go on as ``keep``: papers, findings, requests, stays and claims go over.

    Where one record says that the person died, what the other asked for ends with it: request,
    transfer, hold and term.

    Where one record is in a bed by the emergency lane and the other in another bed, the emergency's
    is where the person is: the other stay becomes a leave from that moment, and what that record
    was asking for ends as an emergency ends it.

    Raises:
        Invalid: the same record twice, no reason.
        NotFound: no such record.
        Conflict: ``person-merged``, ``persons-differ`` (two identified people of two sexes),
            ``both-live`` (both have a live request, transfer, promise, term, community measure or
            restraint), ``in-two-beds`` (both are in a bed at the same time), ``one-died`` (one
            died, the other has a bed): the sentence says what to end or correct first.
    """
    why = reasoned(reason)
    if keep == merged:
        raise Invalid.field("/merged", "same-person", "name two different records", merged)
    before = clock(conn)
    records = (keep, merged)
    people = {*records}.union(*(people_waiting_on(conn, it) for it in records))
    live = [claim for it in records for claim in rows.of_person(conn, it, before)]
    places = seats(conn, {claim.bed for claim in live})
    now = lock(conn, persons=people, **locks_of(places.values()))
    for it in records:
        require_current(conn, it)
    _check_same(conn, keep, merged)
    _dead_ask_nothing(conn, ctx, records, now)
    away = _one_place(conn, ctx, keep, merged, now)
    both_live(conn, keep, merged)
    claims = rows.standing(conn, merged)
    _check_beds(rows.standing(conn, keep), claims)
    with rows.rearranging(conn):
        for claim in claims:
            key = claim.mix_key.replace(merged, keep) if claim.mix_key is not None else None
            rows.rewrite_person(conn, ctx.actor, claim.id, keep, key, why, now=now)
    _one_stop(conn, ctx, keep, merged)
    for table in MOVED:
        conn.execute(update(table).where(table.c.person_id == merged).values(person_id=keep))
    one_record(conn, ctx, keep, merged)
    followed: Rekeyed = rekey(conn, keep)
    events.append(
        conn,
        ctx.actor,
        "person.merged",
        "person",
        merged,
        person=keep,
        data={"into": keep, "claims": len(claims), "misplaced": followed.misplaced},
        occurred_at=now,
    )
    treatment.rest_on_newest(conn, ctx, keep, now)
    here = [it for it in stays.open_stays(conn, keep) if _present(it) and it.emergency]
    owe_papers(conn, ctx, here, now)
    settle_papers(conn, ctx, [keep], now)
    wrong = rejudge(conn, ctx, now, persons=[keep])
    mine = {it.id for it in stays.open_stays(conn, keep)}
    return Merged(keep, merged, followed.misplaced or bool(mine & wrong), away)


def _present(row: StayRow) -> bool:
    return row.state is not StayState.ON_LEAVE


def _one_place(conn: Connection, ctx: Context, keep: str, merged: str, now: datetime) -> str | None:
    """Leave the two records one present place: the emergency's. The stay put on leave, if any."""
    here = {
        it: [row for row in stays.open_stays(conn, it) if _present(row)] for it in (keep, merged)
    }
    rescued = [it for it in (keep, merged) if any(row.emergency for row in here[it])]
    if len(rescued) != 1:
        return None
    other = merged if rescued == [keep] else keep
    came = here[rescued[0]][-1]
    divert(conn, ctx, other, now)
    met = close_request(conn, ctx, other, now, meets=came.request is None)
    if met is not None:
        came = stays.rewrite(conn, came, request_id=met)
    left = None
    for row in here[other]:
        since = rows.segments(conn, row.id)[-1].since
        if since >= came.admitted_at:
            raise Conflict(
                "in-two-beds",
                f"stay {row.id} has this person come into its bed at {since.isoformat()}, after "
                f"the emergency of stay {came.id}; correct the one that is wrong first",
                stays=[row.id, came.id],
            )
        until = now + ctx.policy.emergency_leave
        gone, kept = put_on_leave(conn, ctx, row, came.admitted_at, now, expected_end=until)
        told(conn, ctx, gone, kept, "leave.begun", came.admitted_at, emergency=True)
        if came.responsible is None and row.facility != came.facility:
            stays.rewrite(conn, came, responsible_facility_id=row.responsible or row.facility)
        left = gone.id
    return left


def _dead_ask_nothing(
    conn: Connection, ctx: Context, records: tuple[str, str], now: datetime
) -> None:
    """Whoever died asks for no bed, is on no way and serves no term under either record.

    Raises Conflict ``one-died`` while a bed is theirs: a person is in it, or a death was not
    recorded there, and that is for somebody to look at.
    """
    if not any(stays.died(conn, it) for it in records):
        return
    for it in records:
        for row in stays.open_stays(conn, it):
            raise Conflict(
                "one-died",
                f"one of these records says that the person died, and stay {row.id} of the other "
                f"is {row.state}; discharge that stay as died, or cancel the discharge as died if "
                "that is wrong, then merge",
                stay=row.id,
                persons=list(records),
            )
    for it in records:
        move = transfers.live_transfer(conn, it)
        if move is not None:
            end_transfer(conn, ctx, move, TransferState.DIED, "person_died", now, left=True)
        end_live_request(conn, ctx, it, RequestState.WITHDRAWN, "person_died", now)
        term = terms.term_of(conn, it)
        if term is not None:
            close_term(conn, ctx, term, TermEnd.DIED, now)


def _check_same(conn: Connection, keep: str, merged: str) -> None:
    person = core.person.c
    found = conn.execute(
        select(person.sex).where(person.id.in_([keep, merged]), person.identified)
    ).scalars()
    if {Sex(it) for it in found} == set(Sex):
        raise Conflict(
            "persons-differ",
            "the two records differ in sex; put that right first, or they are two people",
            persons=[keep, merged],
        )


def _check_beds(ours: list[Claim], theirs: list[Claim]) -> None:
    for one in ours:
        for other in theirs:
            both = one.kind is ClaimKind.STAY and other.kind is ClaimKind.STAY
            if both and not (_before(one, other) or _before(other, one)):
                raise Conflict(
                    "in-two-beds",
                    f"both records are in a bed at the same time ({one.bed} and {other.bed}); "
                    "correct the stay that is wrong first",
                    beds=[one.bed, other.bed],
                    stays=[one.stay, other.stay],
                )


def _before(one: Claim, other: Claim) -> bool:
    return one.until is not None and one.until <= other.since


def _one_stop(conn: Connection, ctx: Context, keep: str, merged: str) -> None:
    """A second movement stop on the same person would be one too many: the first stands."""
    stop = core.movement_stop.c
    live = stop.lifted_at.is_(None)
    ours = conn.execute(select(stop.id).where(stop.person_id == keep, live)).first()
    if ours is not None:
        conn.execute(
            update(core.movement_stop)
            .where(stop.person_id == merged, live)
            .values(lifted_at=clock(conn), lifted_by=ctx.actor.id)
        )
