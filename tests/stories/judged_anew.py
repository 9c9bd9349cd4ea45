"""What must hold that SQL alone cannot say: states of terms, places judged anew, words of the log.

Each is worked out from the rows here, without what the service has written of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, text

from service.lifecycle import KINDS, TermState
from service.store import terms
from service.store.network import load_network
from service.workflow.context import Context
from solver import codes
from solver.check import occupant, room_relations
from solver.eligibility import RULES_BY_ID, blocking, facts, misplaced, place
from tests.stories.invariants import broken
from tests.stories.invariants_of_law import broken_law

Broken = dict[str, list[Any]]

_OF_A_TERM = text("""
    SELECT t.id, t.closed_at IS NOT NULL AS closed,
        (SELECT array_agg(a.kind) FROM term_absence a
          WHERE a.term_id = t.id AND a.ended_on IS NULL) AS away,
        (SELECT array_agg(c.kind) FROM bed_claim c WHERE c.person_id = t.person_id
            AND c.kind <> 'hold' AND c.voided_at IS NULL AND upper_inf(c.during)
            AND NOT EXISTS (SELECT FROM stay s JOIN legal_basis b ON b.id = s.basis_id
                WHERE s.id = c.stay_id
                AND b.kind IN ('constrained', 'voluntary', 'involuntary_psychiatric'))) AS beds,
        (SELECT bool_or(c.kind = 'leave' AND u.security_owner <> 'none' AND u.security_owner
                <> 'health') FROM bed_claim c JOIN unit u ON u.id = c.unit_id
          WHERE c.person_id = t.person_id AND c.kind <> 'hold' AND c.voided_at IS NULL
            AND upper_inf(c.during)
            AND NOT EXISTS (SELECT FROM stay s JOIN legal_basis b ON b.id = s.basis_id
                WHERE s.id = c.stay_id
                AND b.kind IN ('constrained', 'voluntary', 'involuntary_psychiatric'))) AS kept,
        EXISTS (SELECT FROM legal_basis b WHERE b.person_id = t.person_id
            AND b.kind = 'out_medical' AND b.revoked_at IS NULL) AS outside
      FROM term t ORDER BY t.id""")

_RESIDENTS = text("""
    SELECT s.id, s.person_id, s.request_id, s.admitted_at, c.bed_id, c.room_id,
        (s.admission_officer IS NOT NULL OR (coalesce(r.emergency, false)
            AND c.transfer_id IS NULL)) AS rescued,
        ARRAY(SELECT d.detail FROM due_item d WHERE d.kind = 'emergency_papers'
            AND split_part(d.subject_id, ':', 1) = s.id AND d.settled_at IS NULL) AS owed,
        EXISTS (SELECT FROM due_item d WHERE d.kind = 'emergency_papers'
            AND d.person_id = s.person_id AND d.opened_at >= s.admitted_at) AS asked,
        EXISTS (SELECT FROM due_item d WHERE d.kind = 'emergency_papers'
            AND d.person_id = s.person_id AND d.opened_at >= s.admitted_at
            AND d.settled_at IS NULL) AS running,
        ARRAY(SELECT o ->> 'rule' FROM placement_decision p,
            jsonb_array_elements(p.overrides::jsonb) o
          WHERE p.request_id = s.request_id AND p.bed_id = c.bed_id) AS overridden
      FROM stay s JOIN bed_claim c ON c.stay_id = s.id AND c.kind = 'stay'
           AND c.voided_at IS NULL AND upper_inf(c.during)
      LEFT JOIN placement_request r ON r.id = s.request_id
     WHERE s.ended_at IS NULL AND (CAST(:units AS text[]) IS NULL OR c.unit_id = ANY(:units))
     ORDER BY s.id""")


def expected_state(row: Any) -> TermState:
    """Where the person of a term is, by its end, then its absence, then their beds, then papers."""
    if row.closed:
        return TermState.CLOSED
    if row.away:
        kind = row.away[0]
        return {
            "escape": TermState.ESCAPED,
            "detention": TermState.IN_DETENTION,
            "arrest": TermState.IN_DETENTION,
            "out_medical": TermState.OUT_MEDICAL,
        }[kind]
    if row.beds:
        if not row.kept and "stay" in row.beds:
            return TermState.IN_BED
        return TermState.ON_LEAVE
    return TermState.OUT_MEDICAL if row.outside else TermState.IN_DETENTION


def wrong_states(conn: Connection) -> list[tuple[str, str | None, str]]:
    """Terms whose state is not the one their rows say: id, what is shown, what should be."""
    shown = {row.id: row.state for row in terms.page(conn, after=None, limit=1_000_000)}
    wanted = {row.id: expected_state(row) for row in conn.execute(_OF_A_TERM)}
    return [
        (id_, shown.get(id_), state.value)
        for id_, state in wanted.items()
        if shown.get(id_) is not state
    ]


def places_wrong(
    conn: Connection, ctx: Context, units: Collection[str] | None = None
) -> dict[str, list[str]]:
    """The rules and relations that make the place of each stay wrong, judged from the rows."""
    found = conn.execute(_RESIDENTS, {"units": sorted(units) if units is not None else None}).all()
    people = {row.person_id for row in found}
    network = load_network(conn, ctx.policy, units=units, persons=people)
    grace = timedelta(minutes=ctx.policy.due["emergency_papers"].minutes)
    wrong: dict[str, list[str]] = {}
    for row in found:
        person = network.persons[row.person_id]
        who = facts(person, network.on, network.now, network.policy)
        no = list(misplaced(who, place(network, row.bed_id)))
        to_come = row.running if row.asked else network.now < row.admitted_at + grace
        if row.rescued and to_come:
            no = [it for it in no if not _to_come(it.rule, row.owed)]
        no = list(blocking(no, frozenset(row.overridden)))
        beside = [
            occupant(network.persons[it.person_id])
            for it in found
            if it.room_id == row.room_id and it.id != row.id
        ]
        room = network.rooms[row.room_id]
        broken_too = room_relations(occupant(person), beside, room.cohort)
        rules = sorted({*(it.rule for it in no), *(it.value for it in broken_too)})
        if rules:
            wrong[row.id] = rules
    return wrong


def _to_come(rule: str, owed: Collection[str]) -> bool:
    """Whether a paper that an emergency did not wait for explains this refusal."""
    return RULES_BY_ID[rule].papers and (not owed or rule in owed)


def places_written(conn: Connection, units: Collection[str] | None = None) -> dict[str, list[str]]:
    """What the service has written of places that are wrong."""
    rows = conn.execute(
        text(
            "SELECT stay_id, rules FROM misplacement WHERE ended_at IS NULL"
            " AND (CAST(:units AS text[]) IS NULL OR unit_id = ANY(:units)) ORDER BY stay_id"
        ),
        {"units": sorted(units) if units is not None else None},
    )
    return {row.stay_id: sorted(row.rules) for row in rows}


CLINICAL = (
    codes.Isolation,
    codes.Observation,
    codes.NursingLevel,
    codes.Critical,
    codes.Triage,
    codes.Screening,
    codes.DangerCase,
    codes.OutMedicalPart,
    codes.BedKind,
)
LEGAL = (codes.LegalBasis, codes.Ground, codes.ConsentStatus, codes.ConsentBy)
_ORDINARY = {"none", "clear", "unknown", "missing", "valid", "RSV", "SURGE", "GEN"} | {
    state.value for kind in KINDS.values() for state in kind
}
"""Words of these lists that also name a step of a lifecycle or a kind of bed."""
UNSPOKEN: frozenset[str] = (
    frozenset(str(it.value) for kind in (*CLINICAL, *LEGAL) for it in kind)
    | {it.name for it in codes.Grade}
    | {it.value for it in codes.Relation}
    | frozenset(RULES_BY_ID)
    | {"consent_withdrawn", "consent_expired", "consent_lapsed", "basis_ended", "no_basis"}
    | {"pregnant", "positive", "negative"}
) - _ORDINARY
"""Values that speak of a person's health, word or ground; none may stand in an event."""


def _values(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield str(key)
            yield from _values(value)
    elif isinstance(data, list):
        for value in data:
            yield from _values(value)
    elif isinstance(data, str):
        yield data


def said_too_much(conn: Connection, after: int = 0) -> list[tuple[str, str]]:
    """Events, by operation, that say a clinical or legal value. ``after``: from this seq on."""
    rows = conn.execute(
        text("SELECT operation, data FROM event WHERE seq > :after AND data::text <> '{}'"),
        {"after": after},
    )
    return sorted(
        {
            (row.operation, it)
            for row in rows
            for it in _values(row.data)
            if it in UNSPOKEN and not _a_clock(row.operation)
        }
    )


def _a_clock(operation: str) -> bool:
    """Clocks are told of by their kind, a code of the policy; who may read one is the list's."""
    return operation.startswith("due.")


def broken_whole(
    conn: Connection,
    ctx: Context,
    *,
    units: Collection[str] | None = None,
    after: int = 0,
    after_a_round: bool = False,
) -> Broken:
    """Every invariant that does not hold. ``units``: whose places are judged anew, all if None;
    ``after``: from which event on the log is read."""
    found: Broken = {**broken(conn), **broken_law(conn, after_a_round=after_a_round)}
    if states := wrong_states(conn):
        found["a term is in exactly one of the six states, the one its rows say"] = states
    written, anew = places_written(conn, units), places_wrong(conn, ctx, units)
    if written != anew:
        different = {it for it in written.keys() | anew.keys() if written.get(it) != anew.get(it)}
        found["places written as wrong are those that are, judged anew"] = [
            (it, written.get(it), anew.get(it)) for it in sorted(different)
        ]
    if words := said_too_much(conn, after):
        found["no event says a clinical or legal value"] = list(words)
    return found
