"""What must hold of terms, consents, clocks, merged records and the dead, asked in SQL."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from service.store.tables import metadata

_TODAY = "(clock_timestamp() AT TIME ZONE 'Asia/Shanghai')::date"
_IN_A_BED = """(SELECT FROM bed_claim c JOIN unit u ON u.id = c.unit_id
    WHERE c.stay_id = s.id AND c.kind = 'stay' AND c.voided_at IS NULL
      AND upper_inf(c.during) {more})"""
_PRESENT = f"EXISTS {_IN_A_BED.format(more='')}"
_IN_CUSTODY = "EXISTS " + _IN_A_BED.format(
    more="AND u.security_owner IN ('public_security', 'justice')"
)
_BASIS = f"""(SELECT FROM legal_basis b WHERE b.person_id = s.person_id AND b.revoked_at IS NULL
    AND {_TODAY} BETWEEN b.starts_on AND b.ends_on {{more}})"""
_WORD = f"""(SELECT FROM consent w WHERE w.person_id = s.person_id AND NOT w.refused
    AND w.withdrawn_at IS NULL AND w.over_at IS NULL AND w.ends_on >= {_TODAY}
    AND (w.lapses_at IS NULL OR w.repeated_at IS NOT NULL OR w.lapses_at > clock_timestamp()))"""
_PAPERS_OWED = """(SELECT FROM due_item d WHERE d.kind = 'emergency_papers'
    AND split_part(d.subject_id, ':', 1) = s.id AND d.settled_at IS NULL)"""
_DEAD = """(SELECT FROM (SELECT ended_at AS at FROM stay x
         WHERE x.person_id = p.id AND x.end_code = 'died'
        UNION ALL SELECT closed_at FROM term y
         WHERE y.person_id = p.id AND y.end_code = 'died') died
     WHERE NOT EXISTS (SELECT FROM stay later WHERE later.person_id = p.id
         AND later.admitted_at > died.at))"""

CONSENSUAL = "('constrained', 'voluntary', 'voluntary_in_centre')"
OWED_AFTER_THE_END = (
    "death_notices",
    "notify_family",
    "notify_family_intake",
    "family_told_of_move",
    "release_notice",
    "release_papers",
    "escape_notice",
    "agreement_report",
    "guardian_told",
    "involuntary_over",
    "discrepancy",
    "complaint_forward",
    "objection_answer",
    "community_report",
    "community_end_notice",
    "sole_carer_notice",
    "restraint_approval",
)
"""Notices and papers: what they are about may be over, they are owed all the same."""

SUBJECTS = {
    "stay": "SELECT id, ended_at IS NOT NULL AS over FROM stay",
    "paper": "SELECT d.subject_id AS id, s.ended_at IS NOT NULL AS over FROM stay s JOIN due_item d"
    " ON d.subject_type = 'paper' AND split_part(d.subject_id, ':', 1) = s.id",
    "term": "SELECT id, closed_at IS NOT NULL AS over FROM term",
    "consent": "SELECT id, refused OR withdrawn_at IS NOT NULL OR over_at IS NOT NULL AS over"
    " FROM consent",
    "placement_request": "SELECT id, state NOT IN ('waiting', 'held') AS over"
    " FROM placement_request",
    "transfer": "SELECT id, state <> 'in_transit' AS over FROM transfer",
    "person": f"SELECT p.id, p.merged_into IS NOT NULL OR EXISTS {_DEAD} AS over FROM person p",
    "legal_basis": "SELECT id, false AS over FROM legal_basis",
    "opinion": "SELECT id, revoked_at IS NOT NULL AS over FROM opinion",
    "restraint": "SELECT id, ended_at IS NOT NULL AS over FROM restraint",
    "discrepancy": "SELECT id, resolved_at IS NOT NULL AS over FROM discrepancy",
    "roll_count": "SELECT id, false AS over FROM roll_count",
    "personal_word": "SELECT id, answered_at IS NOT NULL AS over FROM personal_word",
    "community_measure": "SELECT id, ended_at IS NOT NULL AS over FROM community_measure",
}
"""What a clock may be about, with whether that is over."""

_notices = ", ".join(f"'{it}'" for it in OWED_AFTER_THE_END)
_subjects = " UNION ALL ".join(
    f"SELECT '{kind}' AS subject_type, id, over FROM ({query}) AS {kind}"
    for kind, query in SUBJECTS.items()
)

LAW = {
    "every compulsory decision has one term": """
        SELECT b.id, count(t.id) FROM legal_basis b LEFT JOIN term t ON t.basis_id = b.id
         WHERE b.kind = 'compulsory' GROUP BY b.id HAVING count(t.id) <> 1""",
    "a term is of the person its decision is of": """
        SELECT t.id FROM term t JOIN legal_basis b ON b.id = t.basis_id
         WHERE b.person_id <> t.person_id""",
    "a person has one open term at most": """
        SELECT person_id FROM term WHERE closed_at IS NULL
         GROUP BY person_id HAVING count(*) > 1""",
    "a term has one open absence at most, and a closed one none": """
        SELECT t.id, count(a.id) FROM term t JOIN term_absence a ON a.term_id = t.id
         WHERE a.ended_on IS NULL GROUP BY t.id, t.closed_at
        HAVING count(*) > 1 OR t.closed_at IS NOT NULL""",
    "the days of every escape that is over are added to the term": """
        SELECT t.id, t.escape_days, sum(a.ended_on - a.began_on) FROM term t
          LEFT JOIN term_absence a ON a.term_id = t.id AND a.kind = 'escape'
               AND a.ended_on IS NOT NULL
         WHERE t.closed_at IS NULL
         GROUP BY t.id HAVING t.escape_days <> coalesce(sum(a.ended_on - a.began_on), 0)""",
    "who escaped or is detained elsewhere is in no custody": f"""
        SELECT t.id, a.kind, s.id FROM term t
          JOIN term_absence a ON a.term_id = t.id AND a.ended_on IS NULL
          JOIN stay s ON s.person_id = t.person_id AND s.ended_at IS NULL
         WHERE t.closed_at IS NULL AND {_IN_CUSTODY}""",
    "nobody is held in custody whose term has ended": f"""
        SELECT s.id, s.state FROM stay s JOIN legal_basis held ON held.id = s.basis_id
         WHERE s.ended_at IS NULL AND held.kind = 'compulsory' AND {_IN_CUSTODY}
           AND s.state <> 'discharge_due' AND NOT EXISTS (
               SELECT FROM term t WHERE t.person_id = s.person_id AND t.closed_at IS NULL)
           AND NOT EXISTS {_PAPERS_OWED}""",
    "nobody is in a bed without a basis but to leave it, or by an emergency": f"""
        SELECT s.id, s.state, s.discharge_due_code FROM stay s
         WHERE s.ended_at IS NULL AND {_PRESENT} AND s.state <> 'discharge_due'
           AND NOT EXISTS {_BASIS.format(more="")} AND NOT EXISTS {_PAPERS_OWED}""",
    "no word carries a stay that was taken back or ran out": f"""
        SELECT s.id, s.state FROM stay s JOIN legal_basis held ON held.id = s.basis_id
         WHERE s.state = 'active' AND held.kind IN {CONSENSUAL} AND {_PRESENT}
           AND NOT EXISTS {_WORD} AND NOT EXISTS {_PAPERS_OWED}
           AND NOT EXISTS {_BASIS.format(more="AND b.kind = 'involuntary_psychiatric'")}""",
    "a discharge that the law or a word makes due has a running clock": """
        SELECT s.id, s.discharge_due_code FROM stay s
         WHERE s.state = 'discharge_due' AND s.discharge_due_code IS NOT NULL
           AND NOT EXISTS (SELECT FROM due_item d WHERE d.subject_id = s.id
               AND d.kind IN ('discharge_due', 'consent_withdrawn') AND d.settled_at IS NULL)""",
    "a clock of a discharge runs for one that is due": """
        SELECT d.id, d.kind, s.state, s.discharge_due_code FROM due_item d
          JOIN stay s ON s.id = d.subject_id
         WHERE d.kind IN ('discharge_due', 'consent_withdrawn') AND d.settled_at IS NULL
           AND (s.ended_at IS NOT NULL
                OR (s.discharge_due_code IS NULL AND s.state <> 'discharge_due'))""",
    "every misplacement has a running clock, and no other stay has": """
        SELECT m.stay_id, d.subject_id
          FROM (SELECT stay_id FROM misplacement WHERE ended_at IS NULL) m
          FULL JOIN (SELECT subject_id FROM due_item WHERE kind = 'misplaced'
               AND settled_at IS NULL) d ON d.subject_id = m.stay_id
         WHERE m.stay_id IS NULL OR d.subject_id IS NULL""",
    "a misplacement is of the bed its person is in": """
        SELECT m.id, m.bed_id, c.bed_id FROM misplacement m
          LEFT JOIN bed_claim c ON c.stay_id = m.stay_id AND c.kind = 'stay'
               AND c.voided_at IS NULL AND upper_inf(c.during)
         WHERE m.ended_at IS NULL
           AND (m.bed_id, m.person_id) IS DISTINCT FROM (c.bed_id, c.person_id)""",
    "one clock of a kind runs for a subject": """
        SELECT kind, subject_id FROM due_item WHERE settled_at IS NULL
         GROUP BY kind, subject_type, subject_id HAVING count(*) > 1""",
    "a clock runs for something that is there and not over": f"""
        SELECT d.id, d.kind, d.subject_type, d.subject_id FROM due_item d
          LEFT JOIN ({_subjects}) about
            ON about.subject_type = d.subject_type AND about.id = d.subject_id
         WHERE d.settled_at IS NULL
           AND (about.id IS NULL OR (about.over AND d.kind NOT IN ({_notices})))""",
    "who died or was let go asks for no bed of before": """
        SELECT r.id, r.state, t.end_code FROM placement_request r
          JOIN term t ON t.person_id = r.person_id
         WHERE r.state IN ('waiting', 'held', 'accepted') AND t.closed_at > r.recorded_at
           AND NOT EXISTS (SELECT FROM term o WHERE o.person_id = t.person_id
               AND o.closed_at IS NULL)
           AND NOT EXISTS (SELECT FROM legal_basis b WHERE b.person_id = t.person_id
               AND b.revoked_at IS NULL)""",
    "the dead have nothing live": f"""
        SELECT p.id FROM person p WHERE EXISTS {_DEAD} AND (
            EXISTS (SELECT FROM stay s WHERE s.person_id = p.id AND s.ended_at IS NULL)
         OR EXISTS (SELECT FROM bed_claim c WHERE c.person_id = p.id AND c.voided_at IS NULL
               AND c.used_at IS NULL AND c.lapsed_at IS NULL AND c.during @> clock_timestamp()
               AND NOT EXISTS (SELECT FROM placement_request r
                   WHERE r.id = c.request_id AND r.emergency))
         OR EXISTS (SELECT FROM bed_next n WHERE n.person_id = p.id AND n.state = 'live')
         OR EXISTS (SELECT FROM term t WHERE t.person_id = p.id AND t.closed_at IS NULL)
         OR EXISTS (SELECT FROM placement_request r WHERE r.person_id = p.id
               AND r.state IN ('waiting', 'held', 'accepted') AND NOT r.emergency)
         OR EXISTS (SELECT FROM transfer m WHERE m.person_id = p.id
               AND m.state IN ('proposed', 'approved', 'accepted', 'in_transit')))""",
    "a record is merged into one that lives on": """
        SELECT gone.id FROM person gone JOIN person kept ON kept.id = gone.merged_into
         WHERE kept.merged_into IS NOT NULL""",
}
"""What must hold, and a query for what breaks it."""

AFTER_A_ROUND = {
    "a discharge that was due before its bed was taken back is due again": """
        SELECT id, discharge_due_code FROM stay
         WHERE state = 'active' AND discharge_due_code IS NOT NULL""",
    "every term that runs has the clock of its end": """
        SELECT t.id FROM term t WHERE t.closed_at IS NULL AND NOT EXISTS (SELECT FROM due_item d
               WHERE d.kind = 'term_end' AND d.subject_id = t.id AND d.settled_at IS NULL)
           AND NOT EXISTS (SELECT FROM term_absence a WHERE a.term_id = t.id
               AND a.kind = 'escape' AND a.ended_on IS NULL)""",
    "nobody's word or leave is over without its being written": f"""
        SELECT id FROM consent WHERE NOT refused AND withdrawn_at IS NULL AND over_at IS NULL
           AND (ends_on < {_TODAY} OR (lapses_at <= clock_timestamp() AND repeated_at IS NULL))""",
}
"""What the worker's rounds bring about, so it holds only after one."""


def owned_by_the_merged() -> Iterator[str]:
    """Queries for what a record that was merged away still owns, a table each; what is history by
    design, the log, who read what and voided claims, is left out."""
    for table in metadata.sorted_tables:
        if "person_id" not in table.c or table.name in ("event", "access_record"):
            continue
        standing = "AND it.voided_at IS NULL" if table.name == "bed_claim" else ""
        yield (
            f"SELECT '{table.name}', it.id FROM {table.name} it JOIN person p"
            f" ON p.id = it.person_id AND p.merged_into IS NOT NULL {standing}"
        )


LAW["a record that was merged away owns nothing"] = " UNION ALL ".join(owned_by_the_merged())


def broken_law(
    conn: Connection, *, after_a_round: bool = False
) -> dict[str, list[tuple[object, ...]]]:
    """The invariants of law that do not hold, with the rows that break them."""
    asked = LAW | AFTER_A_ROUND if after_a_round else LAW
    found = {
        name: [tuple(row) for row in conn.execute(text(query))] for name, query in asked.items()
    }
    return {name: rows for name, rows in found.items() if rows}
