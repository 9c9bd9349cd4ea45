"""Merging 合并: two records turn out to be one person; everything goes on under one of them."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select, update

from service.errors import Conflict, Invalid
from service.store import events, requests, transfers
from service.store.claims import Rekeyed, promises, rekey, rows
from service.store.claims.rows import Claim
from service.store.engine import now as clock
from service.store.locks import lock
from service.store.seats import locks_of, seats
from service.store.tables import core
from service.store.tables.claims import ClaimKind
from service.workflow.context import Context
from service.workflow.judgement import reasoned, require_current

_MOVED: Final = (
    core.legal_basis,
    core.consent,
    core.assessment,
    core.fitness_statement,
    core.movement_stop,
    core.placement_request,
    core.stay,
    core.transfer,
    core.plan_proposal,
    core.bed_next,
)
"""What goes over to the record that lives on. Claims are voided and written anew instead; events
and access records stay with the name they were written under."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The record that lives on, and whether the person now is where they may not be."""

    person: str
    merged: str
    misplaced: bool


def merge_persons(conn: Connection, ctx: Context, keep: str, merged: str, *, reason: str) -> Merged:
    """Let ``merged`` go on as ``keep``: papers, findings, requests, stays and claims go over.

    Raises:
        Invalid: the same record twice, no reason.
        NotFound: no such record.
        Conflict: ``person-merged``, ``persons-differ`` (sex), ``both-live`` (both have a live
            request, transfer or promise), ``in-two-beds`` (both are in a bed at the same time):
            end or correct one of the two first.
    """
    why = reasoned(reason)
    if keep == merged:
        raise Invalid.field("/merged", "same-person", "name two different records", merged)
    before = clock(conn)
    people = (keep, merged)
    live = [claim for it in people for claim in rows.of_person(conn, it, before)]
    places = seats(conn, {claim.bed for claim in live})
    now = lock(conn, persons=people, **locks_of(places.values()))
    for it in people:
        require_current(conn, it)
    _check_same(conn, keep, merged)
    _check_live(conn, keep, merged)
    claims = rows.standing(conn, merged)
    _check_beds(rows.standing(conn, keep), claims)
    with rows.rearranging(conn):
        for claim in claims:
            key = claim.mix_key.replace(merged, keep) if claim.mix_key is not None else None
            rows.rewrite_person(conn, ctx.actor, claim.id, keep, key, why, now=now)
    _one_stop(conn, ctx, keep, merged)
    for table in _MOVED:
        conn.execute(update(table).where(table.c.person_id == merged).values(person_id=keep))
    _one_record(conn, keep, merged)
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
    return Merged(keep, merged, followed.misplaced)


def _check_same(conn: Connection, keep: str, merged: str) -> None:
    person = core.person.c
    found = conn.execute(select(person.sex).where(person.id.in_([keep, merged]))).scalars()
    if len(set(found)) > 1:
        raise Conflict(
            "persons-differ",
            "the two records differ in sex; put that right first, or they are two people",
            persons=[keep, merged],
        )


def _check_live(conn: Connection, keep: str, merged: str) -> None:
    for what, found in (
        ("request", requests.live_request),
        ("transfer", transfers.live_transfer),
        ("promise", promises.promised_to),
    ):
        both = [found(conn, it) for it in (keep, merged)]
        if all(it is not None for it in both):
            raise Conflict(
                "both-live",
                f"both records have a live {what}; end one of the two first",
                kind=what,
                ids=[it.id for it in both if it is not None],
            )


def _check_beds(ours: list[Claim], theirs: list[Claim]) -> None:
    for one in ours:
        for other in theirs:
            stays = one.kind is ClaimKind.STAY and other.kind is ClaimKind.STAY
            if stays and not (_before(one, other) or _before(other, one)):
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


def _one_record(conn: Connection, keep: str, merged: str) -> None:
    """Point the merged record to the other, which takes over an identity it did not have."""
    person = core.person
    theirs = conn.execute(select(person).where(person.c.id == merged)).one()
    ours = conn.execute(select(person).where(person.c.id == keep)).one()
    conn.execute(
        update(person)
        .where(person.c.id == merged)
        .values(merged_into=keep, version=person.c.version + 1)
    )
    values = {"version": person.c.version + 1}
    if ours.document_index is None and theirs.document_index is not None:
        values |= {"identity": theirs.identity, "document_index": theirs.document_index}
    conn.execute(update(person).where(person.c.id == keep).values(**values))
