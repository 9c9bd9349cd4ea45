"""A named human's word on each proposed move, taken on what is true today.

A plan is old the moment it is made. Approving looks at today again under lock: the person still
where the plan saw them, the request still waiting, every rule and relation on the bed. A waiting
person's move becomes a decision with a hold, a resident's move an approved transfer; a move whose
bed somebody must leave first becomes a promise behind that departure.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, RowMapping, or_, select, update

from service.errors import Conflict, NotFound
from service.lifecycle import ProposalState, RunState, advance
from service.store import events
from service.store.engine import now
from service.store.locks import lock
from service.store.seats import seat
from service.store.tables.core import plan_proposal, planning_run
from service.workflow.context import Context
from service.workflow.judgement import reasoned
from service.workflow.moves import transfers
from service.workflow.placing import decisions
from service.workflow.placing.decisions import Choice
from service.workflow.plans.superseding import successor
from service.workflow.stays.departures import AWAITS_CLEANING, occupant_of
from service.workflow.words import WordShown, beside
from solver.codes import MoveReason
from solver.explain import reason_words

_c: Final = plan_proposal.c
_UNDECIDED: Final = (ProposalState.PROPOSED, ProposalState.SUPERSEDED)


@dataclass(frozen=True, slots=True)
class ProposalShown:
    """One proposed move: who from where to where, after which others, why, at what price.

    ``after`` names the proposals that must be approved before this one. ``terms`` is the price by
    cost term. ``transfer`` is the transfer an approval made of it. ``kept_from``: the proposal of
    the plan before it that said the same. ``words``: the objections and wishes of the person,
    whatever run they were said about.
    """

    id: str
    run: str
    ordinal: int
    person: str
    from_bed: str | None
    to_bed: str
    request: str | None
    displaced_for: str | None
    reason: MoveReason
    reason_zh: str
    reason_en: str
    after: tuple[str, ...]
    ready_at: datetime | None
    terms: dict[str, int]
    state: ProposalState
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None
    transfer: str | None
    kept_from: str | None
    words: tuple[WordShown, ...]
    version: int


def list_proposals(
    conn: Connection, ctx: Context, run: str, *, person: str | None = None
) -> list[ProposalShown]:
    """The run's moves in an order that works; ``person`` keeps their moves and those made for
    their request.

    Raises:
        NotFound: no run by that id.
    """
    if conn.execute(select(planning_run.c.id).where(planning_run.c.id == run)).first() is None:
        raise NotFound("planning-run-not-found", f"there is no planning run {run}")
    query = select(plan_proposal).where(_c.run_id == run).order_by(_c.ordinal)
    if person is not None:
        theirs = select(_c.request_id).where(_c.run_id == run, _c.person_id == person)
        query = query.where(or_(_c.person_id == person, _c.displaced_for.in_(theirs)))
    found = list(conn.execute(query).mappings())
    words = beside(conn, ctx, {row["person_id"] for row in found})
    return [_shown(row, words.get(row["person_id"], ())) for row in found]


def reject(
    conn: Connection, ctx: Context, proposal: str, *, officer: str, reason: str
) -> ProposalShown:
    """Reject a proposed move. Moves that wait for it cannot be approved any more.

    A word on a superseded proposal is a word on the newest plan's that says the same.

    Raises:
        Conflict: ``illegal-step``, it has been decided on already; ``superseded``, the newest
            plan does not make this move.
    """
    row = _open(conn, proposal, ProposalState.REJECTED)
    _decided(conn, ctx, row, ProposalState.REJECTED, officer, reason, None)
    return _read(conn, ctx, row["id"])


def approve(
    conn: Connection, ctx: Context, proposal: str, *, officer: str, reason: str
) -> ProposalShown:
    """Approve a proposed move if it is still right today.

    A word on a superseded proposal is a word on the newest plan's that says the same.

    Raises:
        Conflict: ``superseded`` (the world moved; ``cause`` and the refusals say how),
            ``earlier-move-first`` (names the proposal to decide on first) or ``illegal-step``.
            Nothing is changed.
    """
    _lock_people(conn, proposal)
    row = _open(conn, proposal, ProposalState.APPROVED)
    _earlier_moves(conn, row)
    words = reasoned(reason)
    try:
        transfer = None
        if row["from_bed_id"] is None:
            _place_waiting(conn, ctx, row, officer, words)
        else:
            transfer = _move_resident(conn, ctx, row, words)
    except (Conflict, NotFound) as moved_on:
        raise _superseded(row, moved_on) from moved_on
    _decided(conn, ctx, row, ProposalState.APPROVED, officer, words, transfer)
    return _read(conn, ctx, row["id"])


def _lock_people(conn: Connection, proposal: str) -> None:
    """Lock who moves and whoever is in the bed they move to, before any row of the plan: whoever
    holds a person may go on to their proposals."""
    found = conn.execute(select(_c.person_id, _c.to_bed_id).where(_c.id == proposal)).one_or_none()
    if found is None:
        return
    leaving = occupant_of(conn, found.to_bed_id)
    lock(conn, persons={found.person_id, *([leaving.person] if leaving is not None else [])})


def _open(conn: Connection, proposal: str, to: ProposalState) -> RowMapping:
    """The proposal and its run, locked in that order against a newer plan and other officers."""
    run_id = conn.execute(select(_c.run_id).where(_c.id == proposal)).scalar_one_or_none()
    if run_id is None:
        raise NotFound("proposal-not-found", f"there is no proposal {proposal}")
    run = conn.execute(
        select(planning_run.c.state).where(planning_run.c.id == run_id).with_for_update()
    ).one()
    locked = select(plan_proposal).where(_c.id == proposal).with_for_update()
    row = conn.execute(locked).mappings().one()
    if run.state == RunState.SUPERSEDED and row["state"] in _UNDECIDED:
        same = successor(conn, proposal)
        if same is not None:
            return _open(conn, same, to)
        raise Conflict(
            "superseded",
            "a newer plan has replaced this one and does not make this move; read its changes and "
            "decide on the newest run's proposals",
            run=run_id,
        )
    advance("proposal", row["state"], to)
    return row


def _earlier_moves(conn: Connection, row: RowMapping) -> None:
    """Every move this one waits for has been approved."""
    if not row["after"]:
        return
    earlier = conn.execute(
        select(_c.id, _c.state).where(_c.id.in_(row["after"])).order_by(_c.ordinal)
    ).all()
    for each in earlier:
        if each.state == ProposalState.PROPOSED:
            raise Conflict(
                "earlier-move-first",
                f"this move needs a bed that proposal {each.id} frees; decide on that one first",
                proposal=each.id,
            )
        if each.state != ProposalState.APPROVED:
            raise Conflict(
                "superseded",
                f"proposal {each.id}, which would have freed the bed, was {each.state}; "
                "ask for a new plan",
                proposal=each.id,
            )


def _place_waiting(
    conn: Connection, ctx: Context, row: RowMapping, officer: str, reason: str
) -> None:
    run = conn.execute(
        select(planning_run.c.network_position).where(planning_run.c.id == row["run_id"])
    ).one()
    choice = Choice(
        officer=officer,
        reason=reason,
        network_position=run.network_position or 0,
        proposal=row["id"],
    )
    if _behind_a_departure(conn, row):
        decisions.promise_bed(conn, ctx, row["request_id"], row["to_bed_id"], choice)
    else:
        decisions.decide(conn, ctx, row["request_id"], row["to_bed_id"], choice)


def _move_resident(conn: Connection, ctx: Context, row: RowMapping, reason: str) -> str:
    here = occupant_of(conn, row["from_bed_id"])
    if here is None or here.person != row["person_id"]:
        raise Conflict(
            "person-moved",
            "the person is no longer in the bed the plan saw them in",
            bed=row["from_bed_id"],
        )
    asked = transfers.request_transfer(
        conn,
        ctx,
        here.stay,
        row["to_bed_id"],
        reason=MoveReason(row["reason"]),
        text=reason,
        proposal=row["id"],
    )
    transfers.approve(conn, ctx, asked.id, reason=reason)
    return asked.id


def _behind_a_departure(conn: Connection, row: RowMapping) -> bool:
    """Whether somebody's approved move must free the bed first, or has and it awaits cleaning."""
    if not row["after"]:
        return False
    bed = row["to_bed_id"]
    return occupant_of(conn, bed) is not None or seat(conn, bed).state in AWAITS_CLEANING


def _superseded(row: RowMapping, cause: Conflict | NotFound) -> Conflict:
    members = {name: value for name, value in cause.members.items() if name != "candidates"}
    return Conflict(
        "superseded",
        f"the world moved since this plan was made: {cause.detail}; nothing was changed, "
        "ask for a new plan",
        **{**members, "cause": cause.code, "proposal": row["id"]},
    )


def _decided(
    conn: Connection,
    ctx: Context,
    row: RowMapping,
    state: ProposalState,
    officer: str,
    reason: str,
    transfer: str | None,
) -> None:
    at = now(conn)
    conn.execute(
        update(plan_proposal)
        .where(_c.id == row["id"])
        .values(
            state=state,
            decided_by=reasoned(officer, "/officer"),
            decided_at=at,
            decision_reason=reasoned(reason),
            transfer_id=transfer,
            version=_c.version + 1,
        )
    )
    close_decided_runs(conn, [row["run_id"]])
    events.append(
        conn,
        ctx.actor,
        f"proposal.{state}",
        "plan_proposal",
        row["id"],
        person=row["person_id"],
        bed=row["to_bed_id"],
        data={"run": row["run_id"], "transfer": transfer},
        occurred_at=at,
    )


def close_decided_runs(conn: Connection, runs: Collection[str]) -> None:
    """Close those of the runs that have no move left to decide on; the caller holds the runs."""
    open_moves = select(_c.id).where(
        _c.run_id == planning_run.c.id, _c.state == ProposalState.PROPOSED
    )
    conn.execute(
        update(planning_run)
        .where(
            planning_run.c.id.in_(sorted(runs)),
            planning_run.c.state == RunState.SOLVED,
            ~open_moves.exists(),
        )
        .values(state=RunState.APPLIED, version=planning_run.c.version + 1)
    )


def _read(conn: Connection, ctx: Context, proposal: str) -> ProposalShown:
    row = conn.execute(select(plan_proposal).where(_c.id == proposal)).mappings().one()
    return _shown(row, beside(conn, ctx, [row["person_id"]]).get(row["person_id"], ()))


def _shown(row: RowMapping, words: tuple[WordShown, ...]) -> ProposalShown:
    reason = MoveReason(row["reason"])
    return ProposalShown(
        id=row["id"],
        run=row["run_id"],
        ordinal=row["ordinal"],
        person=row["person_id"],
        from_bed=row["from_bed_id"],
        to_bed=row["to_bed_id"],
        request=row["request_id"],
        displaced_for=row["displaced_for"],
        reason=reason,
        reason_zh=reason_words(reason, "zh"),
        reason_en=reason_words(reason, "en"),
        after=tuple(row["after"]),
        ready_at=row["ready_at"],
        terms=row["terms"],
        state=ProposalState(row["state"]),
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
        decision_reason=row["decision_reason"],
        transfer=row["transfer_id"],
        kept_from=row["kept_from"],
        words=words,
        version=row["version"],
    )
