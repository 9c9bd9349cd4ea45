"""Papers after the act: what an emergency did not wait for is owed, on clocks, by somebody.

Each paper is one clock on the list of whoever must bring it. It stops when the paper is there, by
hand, or when the stay it was owed for has ended.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from service.lifecycle import ApprovalKind
from service.store import papers, stays
from service.store.claims import rows
from service.store.network import load_network
from service.store.network_people import legal_day
from service.store.stays import StayRow
from service.store.tables import core
from service.store.tables.claims import ClaimKind
from service.workflow.context import Context
from service.workflow.privacy.visibility import hidden
from service.workflow.watch import due
from solver.check import conflicts
from solver.codes import Relation, UnitKind
from solver.domain import Network
from solver.eligibility import due_papers, facts, refusals
from solver.eligibility import place as place_of

AUTHORISATION: Final = "X02"
"""The approval that an emergency move did not wait for: of the centre's supervising organ, or of
the head of the hospital (Physicians Law art. 27)."""
IDENTITY: Final = "identity"
"""Who the person is."""

_APPROVED_BY: Final = (ApprovalKind.OUT_MEDICAL.value, ApprovalKind.WARD_MOVE.value)
_OF_THE_PLACE: Final = frozenset({"L07", "L10"})
"""Custody, and the bases a unit takes: outside the network no paper answers for either."""
_NOT_A_PAPER: Final = frozenset({Relation.AVAILABILITY, Relation.RESERVE})


def owe_papers(
    conn: Connection, ctx: Context, rows_: Collection[StayRow], now: datetime
) -> Mapping[str, tuple[str, ...]]:
    """Open a clock for everything these emergency stays went past; what is owed, by stay.

    Codes only: ids of rules, names of relations, ``X02`` and ``identity``. The list it stands on is
    the hospital's; the centre's for its approval, and for a hospital outside the network.
    """
    found = _lacking(conn, ctx, rows_, now)
    for row in rows_:
        outside = _outside(conn, row.facility)
        for paper in found[row.id]:
            centre = paper == AUTHORISATION or outside
            due.owe(
                conn,
                ctx,
                papers.KIND,
                subject=papers.subject(row.id, paper),
                now=now,
                person=row.person,
                facility=(row.responsible or row.facility) if centre else row.facility,
                detail=paper,
            )
    return found


def shown_papers(
    conn: Connection, ctx: Context, owed: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """What is owed by person, as this caller may read it: of somebody whose treatment by consent
    they may not know of, the approval of the move, the identity and the legal basis alone."""
    unseen = hidden(conn, ctx, owed)
    return {
        person: tuple(it for it in codes if person not in unseen or _of_nobody(it))
        for person, codes in owed.items()
    }


def _of_nobody(code: str) -> bool:
    return code in (AUTHORISATION, IDENTITY) or code.startswith("L")


def settle_papers(conn: Connection, ctx: Context, persons: Collection[str], now: datetime) -> int:
    """Stop the clock of every paper of these people that has come since, and of every stay that
    is over; how many stopped. Call it when facts, places or records have changed."""
    running = papers.owed(conn, persons)
    if not running:
        return 0
    by_stay = {it: stays.stay(conn, it) for it in sorted({papers.stay_of(row) for row in running})}
    lacking = _lacking(conn, ctx, [it for it in by_stay.values() if it.ended_at is None], now)
    stopped = 0
    for row in running:
        stay = papers.stay_of(row)
        if row.detail in lacking.get(stay, ()):
            continue
        outcome = "done" if by_stay[stay].ended_at is None else "called_off"
        subject = (row.subject_type, row.subject_id)
        stopped += due.settle(conn, ctx, papers.KIND, subject=subject, now=now, outcome=outcome)
    return stopped


def stay_over(conn: Connection, ctx: Context, row: StayRow, now: datetime) -> None:
    """A stay has ended: its leave, if one ran, and the papers owed for it are over with it."""
    due.settle(conn, ctx, "leave_end", subject=("stay", row.id), now=now, outcome="called_off")
    call_off_papers(conn, ctx, row, now)


def call_off_papers(conn: Connection, ctx: Context, row: StayRow, now: datetime) -> None:
    """The stay is over: nobody owes papers for it any more."""
    for it in papers.owed(conn, [row.person]):
        if papers.stay_of(it) == row.id:
            subject = (it.subject_type, it.subject_id)
            due.settle(conn, ctx, papers.KIND, subject=subject, now=now, outcome="called_off")


def _lacking(
    conn: Connection, ctx: Context, found: Collection[StayRow], now: datetime
) -> dict[str, tuple[str, ...]]:
    """By stay what is lacking now, sorted. A stay on leave lacks nothing: nobody is there."""
    segments = rows.last_segments(conn, {row.id for row in found})
    here = {
        row.id: (row, segments[row.id].bed)
        for row in found
        if row.id in segments and segments[row.id].kind is ClaimKind.STAY
    }
    nothing: dict[str, tuple[str, ...]] = {row.id: () for row in found}
    if not here:
        return nothing
    units = {segments[id_].unit for id_ in here}
    people = {row.person for row, _ in here.values()}
    network = load_network(conn, ctx.policy, units=units, persons=people, now=now)
    authorised = _authorised(conn, ctx, [row for row, _ in here.values()])
    lacking = {}
    for id_, (row, bed) in here.items():
        codes = _rules(ctx, network, row.person, bed, now)
        codes |= set() if id_ in authorised else {AUTHORISATION}
        codes |= set() if network.persons[row.person].identified else {IDENTITY}
        lacking[id_] = tuple(sorted(codes))
    return nothing | lacking


def _rules(ctx: Context, network: Network, person: str, bed: str, now: datetime) -> set[str]:
    """Rules and relations that the present place goes past; of a hospital outside the network only
    what a paper can mend: none makes it a place of custody."""
    on = legal_day(now, ctx.policy.zone)
    who = facts(network.persons[person], on, now, network.policy, emergency=True)
    where = place_of(network, bed)
    unit = network.unit_of(bed).id
    broken = {it.relation for it in conflicts(network, person, bed)} - _NOT_A_PAPER
    if network.people_in_unit[unit] > network.staffed_beds[unit]:
        broken.add(Relation.CAPACITY)
    lacking = {it.rule for it in due_papers(who, where)}
    if where.kind is UnitKind.EXT:
        return lacking - _OF_THE_PLACE
    return lacking | {it.rule for it in refusals(who, where)} | {it.value for it in broken}


def _authorised(conn: Connection, ctx: Context, found: Collection[StayRow]) -> frozenset[str]:
    """The stays whose move has its approval on record: for the stay by name, or of treatment
    outside since the person came."""
    approval = core.approval.c
    granted = conn.execute(
        select(
            approval.person_id,
            approval.kind,
            approval.subject_type,
            approval.subject_id,
            approval.decided_on,
        ).where(
            approval.person_id.in_(sorted({row.person for row in found})),
            approval.granted.is_(True),
            approval.revoked_at.is_(None),
        )
    ).all()
    return frozenset(
        row.id
        for row in found
        for it in granted
        if (it.subject_type, it.subject_id) == ("stay", row.id)
        or (
            it.person_id == row.person
            and it.kind in _APPROVED_BY
            and it.decided_on >= legal_day(row.admitted_at, ctx.policy.zone)
        )
    )


def _outside(conn: Connection, facility: str) -> bool:
    external: bool = conn.execute(
        select(core.facility.c.external).where(core.facility.c.id == facility)
    ).scalar_one()
    return external
