"""Watching the place: whenever facts or places change, the place each person is in is judged anew.

A place that is not, or no longer, lawful and safe for its resident is written down with its rules
and a clock, and is told outside the unit: the clock is the coordinator's. A stay that nothing
lets go on is due for discharge; from then on the only moves are release and emergency
(``watching_basis``).

Call ``rejudge`` last, when every row of the use case is written and every row lock is held. Who
holds a person has that person's stay judged as well as their place; who holds only a unit has the
places of its people judged by reading. Judgements of one unit take turns until commit, so of two
changes that are wrong only together the later one sees both.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from service.lifecycle import StayState
from service.store import due as clocks
from service.store import events, misplacements, requests, stays
from service.store.claims import promises
from service.store.misplacements import MisplacementRow, Resident
from service.store.network import load_network
from service.store.network_people import legal_day
from service.workflow.context import Context
from service.workflow.emergencies.emergency_papers import settle_papers
from service.workflow.stays.departures import call_off
from service.workflow.watch import due
from service.workflow.watch.watching_basis import OF_CUSTODY, DueCode, basis_lost_by, papers_to_come
from solver.check import occupant, room_relations
from solver.domain import Network
from solver.eligibility import RULES_BY_ID, blocking, facts, misplaced, place

_END_OF_TERM: Final[Mapping[str | None, DueCode]] = {
    "expired": DueCode.TERM_END,
    "released_early": DueCode.RELEASED,
    "changed_to_community": DueCode.RELEASED,
    "not_applicable": DueCode.NOT_APPLICABLE,
}


@dataclass(frozen=True, slots=True)
class _Judged:
    """One unit's worth of people as this transaction sees them."""

    network: Network
    residents: tuple[Resident, ...]
    papers_to_come: frozenset[str]
    owed: Mapping[str, frozenset[str]]

    def company(self, who: Resident) -> list[str]:
        """Who else is in the room now; a bed kept or held for somebody is nobody's company."""
        return [
            it.person
            for it in self.residents
            if it.room == who.room and it.person != who.person and it.person in self.network.persons
        ]


def rejudge(
    conn: Connection,
    ctx: Context,
    now: datetime,
    *,
    persons: Collection[str] = (),
    units: Collection[str] = (),
    behind: bool = False,
) -> frozenset[str]:
    """Judge the present place of these people, of whoever shares a room with them, and of
    everybody in these units, on what is true in this transaction.

    ``persons`` are locked by the caller. ``behind``: so is everybody whose bed hangs on their
    departures, so that a discharge that is no longer due may be called off before them too.

    Returns the stays of these people and units that are misplaced now.
    """
    people = set(persons)
    touched = set(units)
    if people:
        settle_papers(conn, ctx, people, now)
        touched |= {it.unit for it in misplacements.residents_of_persons(conn, people)}
        touched |= misplacements.units_where_misplaced(conn, people)
    if not touched:
        return frozenset()
    misplacements.take_turn(conn, touched)
    if not misplacements.anybody(conn, touched):
        return frozenset()
    seen = _look(conn, ctx, touched, now)
    already = misplacements.open_in(conn, touched, {it.stay for it in seen.residents})
    for who in seen.residents:
        if who.person in people and who.person in seen.network.persons:
            _judge_basis(conn, ctx, seen, who, now, behind=behind)
    wrong = _judge_places(conn, ctx, seen, already, now)
    asked = {it.stay for it in seen.residents if it.person in people or it.unit in units}
    return wrong & asked


def _look(conn: Connection, ctx: Context, units: Collection[str], now: datetime) -> _Judged:
    residents = misplacements.residents_of_units(conn, units)
    called = [it for it in residents if it.emergency]
    return _Judged(
        network=load_network(
            conn, ctx.policy, units=units, persons={it.person for it in residents}, now=now
        ),
        residents=tuple(residents),
        papers_to_come=frozenset(it.stay for it in called if papers_to_come(conn, ctx, it, now)),
        owed=misplacements.papers_owed(conn, {it.stay for it in called}) if called else {},
    )


def _judge_places(
    conn: Connection,
    ctx: Context,
    seen: _Judged,
    already: dict[str, MisplacementRow],
    now: datetime,
) -> frozenset[str]:
    wrong: set[str] = set()
    left = dict(already)
    for who in seen.residents:
        if who.person not in seen.network.persons or who.bed not in seen.network.beds:
            continue
        before = left.pop(who.stay, None)
        rules = what_is_wrong(conn, ctx, seen, who, now)
        if before is not None and (not rules or before.bed != who.bed):
            _end(conn, ctx, before, now, moved=bool(rules))
            before = None
        if not rules:
            continue
        wrong.add(who.stay)
        if before is None:
            _begin(conn, ctx, who, rules, now)
        elif before.rules != rules:
            _refresh(conn, ctx, before, rules, now)
    for gone in left.values():
        _end(conn, ctx, gone, now, moved=False)
    return frozenset(wrong)


def what_is_wrong(
    conn: Connection, ctx: Context, seen: _Judged, who: Resident, now: datetime
) -> tuple[str, ...]:
    """The rules and relations that make this place wrong, in order; none when it is right.

    A rule set aside by a named human for this bed stays set aside; a paper that an emergency
    still owes is on a clock of its own.
    """
    network = seen.network
    on = legal_day(now, ctx.policy.zone)
    person = facts(network.persons[who.person], on, now, network.policy)
    no = misplaced(person, place(network, who.bed))
    if no and who.stay in seen.papers_to_come:
        # Nothing opened yet: every paper is to come. Later those that are owed, one by one.
        owed = seen.owed.get(who.stay)
        no = tuple(
            it
            for it in no
            if not RULES_BY_ID[it.rule].papers or (owed is not None and it.rule not in owed)
        )
    if no and who.request is not None:
        no = blocking(no, requests.overrides_of(conn, who.request, who.bed))
    room = network.rooms[network.beds[who.bed].room]
    broken = room_relations(
        occupant(network.persons[who.person]),
        [occupant(network.persons[it]) for it in seen.company(who)],
        room.cohort,
    )
    return tuple(sorted({*(it.rule for it in no), *(it.value for it in broken)}))


def grave(ctx: Context, rules: Iterable[str]) -> bool:
    """Whether one of these is put right within hours: a liberty or a life hangs on it."""
    return not ctx.policy.watching.grave.isdisjoint(rules)


def _due_at(ctx: Context, rules: Iterable[str], since: datetime) -> datetime:
    policy = ctx.policy.watching
    return since + timedelta(hours=policy.grave_hours if grave(ctx, rules) else policy.hours)


def _begin(
    conn: Connection, ctx: Context, who: Resident, rules: Collection[str], now: datetime
) -> None:
    row = misplacements.begin(conn, who, rules, now)
    due.owe(
        conn,
        ctx,
        "misplaced",
        subject=("stay", who.stay),
        now=now,
        person=who.person,
        facility=who.facility,
        due_at=_due_at(ctx, rules, now),
    )
    _told(conn, ctx, "stay.misplaced", row, now)


def _refresh(
    conn: Connection, ctx: Context, row: MisplacementRow, rules: Collection[str], now: datetime
) -> None:
    """Other rules than before: a graver one brings the clock forward, nothing sets it back."""
    misplacements.refresh(conn, row, rules)
    sooner = _due_at(ctx, rules, now)
    running = [it for it in clocks.running(conn, ("stay", row.stay)) if it.kind == "misplaced"]
    if any(sooner < it.due_at for it in running):
        clocks.move_item(conn, "misplaced", ("stay", row.stay), sooner)
    _told(conn, ctx, "stay.misplaced", row, now)


def _end(
    conn: Connection, ctx: Context, row: MisplacementRow, now: datetime, *, moved: bool
) -> None:
    """The place is right, or left; the clock runs on for whoever is as wrong in the next bed."""
    misplacements.end(conn, row, now)
    if not moved:
        due.settle(conn, ctx, "misplaced", subject=("stay", row.stay), now=now)
    _told(conn, ctx, "stay.placed_right", row, now)


def _told(
    conn: Connection, ctx: Context, operation: str, row: MisplacementRow, now: datetime
) -> None:
    events.append(
        conn,
        ctx.actor,
        operation,
        "stay",
        row.stay,
        person=row.person,
        bed=row.bed,
        unit=row.unit,
        facility=row.facility,
        data={"misplacement": row.id},
        occurred_at=now,
    )


def _judge_basis(
    conn: Connection, ctx: Context, seen: _Judged, who: Resident, now: datetime, *, behind: bool
) -> None:
    """Let a stay that nothing lets go on be due for discharge, and one that may go on be so."""
    code = basis_lost_by(
        seen.network, ctx, who.person, now, papers_to_come=who.stay in seen.papers_to_come
    )
    if code in (DueCode.DECISION_REVOKED, DueCode.TERM_END):
        code = _END_OF_TERM.get(misplacements.end_of_term(conn, who.person), code)
    if code is not None:
        unmarked = who.state is StayState.DISCHARGE_DUE and who.due_code is None
        if code in OF_CUSTODY and (who.state is StayState.ACTIVE or unmarked):
            _step(conn, ctx, who, StayState.DISCHARGE_DUE, code, now)
        return
    if who.state is StayState.DISCHARGE_DUE and who.due_code in OF_CUSTODY:
        if promises.behind(conn, [who.stay]):
            if not behind:
                # Somebody waits for this bed and is not locked: the daily round tells them first.
                return
            call_off(conn, ctx, who.stay, "departure_cancelled", now)
        _step(conn, ctx, who, StayState.ACTIVE, None, now)


def _step(
    conn: Connection,
    ctx: Context,
    who: Resident,
    to: StayState,
    code: DueCode | None,
    now: datetime,
) -> None:
    row = stays.stay(conn, who.stay)
    written = code.value if code is not None else None
    subject = ("stay", who.stay)
    if row.state is to:
        stays.rewrite(conn, row, discharge_due_code=written)
        # What somebody marked by hand waits for its forecast; the law does not.
        due.settle(conn, ctx, "discharge_due", subject=subject, now=now, outcome="called_off")
    else:
        stays.step(conn, row, to, discharge_due_code=written)
    if code is not None:
        due.owe(
            conn,
            ctx,
            "discharge_due",
            subject=subject,
            now=now,
            person=who.person,
            facility=who.facility,
            detail=code.value,
        )
    else:
        due.settle(
            conn,
            ctx,
            "discharge_due",
            subject=subject,
            now=now,
            outcome="called_off",
        )
    events.append(
        conn,
        ctx.actor,
        "stay.discharge_due" if code is not None else "stay.discharge_called_off",
        "stay",
        who.stay,
        person=who.person,
        bed=who.bed,
        unit=who.unit,
        facility=who.facility,
        occurred_at=now,
    )
