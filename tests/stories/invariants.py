"""What must hold in the database whatever happened, asked in SQL and not of the service's code."""

from __future__ import annotations

from sqlalchemy import Connection, text

INVARIANTS = {
    "no two claims in force overlap on a bed": """
        SELECT a.id, b.id, a.bed_id FROM bed_claim a JOIN bed_claim b
            ON a.bed_id = b.bed_id AND a.id < b.id AND a.during && b.during
         WHERE a.voided_at IS NULL AND b.voided_at IS NULL""",
    "nobody is in two beds at once": """
        SELECT a.id, b.id, a.person_id FROM bed_claim a JOIN bed_claim b
            ON a.person_id = b.person_id AND a.id < b.id AND a.during && b.during
         WHERE a.voided_at IS NULL AND b.voided_at IS NULL
           AND a.kind = 'stay' AND b.kind = 'stay'""",
    "a shared room carries one mix key at a time": """
        SELECT a.id, b.id, a.room_id FROM bed_claim a JOIN bed_claim b
            ON a.room_id = b.room_id AND a.id < b.id AND a.during && b.during
           AND a.mix_key <> b.mix_key
         WHERE a.voided_at IS NULL AND b.voided_at IS NULL
           AND NOT a.emergency AND NOT b.emergency""",
    "men and women never share a room": """
        SELECT a.id, b.id, a.room_id FROM bed_claim a JOIN bed_claim b
            ON a.room_id = b.room_id AND a.id < b.id AND a.during && b.during
          JOIN person p ON p.id = a.person_id JOIN person q ON q.id = b.person_id
         WHERE a.voided_at IS NULL AND b.voided_at IS NULL AND p.sex <> q.sex
           AND NOT a.emergency AND NOT b.emergency""",
    "a claim names its own bed's room, unit and facility": """
        SELECT c.id FROM bed_claim c JOIN bed b ON b.id = c.bed_id
         WHERE (c.room_id, c.unit_id, c.facility_id) <> (b.room_id, b.unit_id, b.facility_id)""",
    "a request is held or accepted exactly while its hold is": """
        SELECT r.id, r.state, h.id, h.accepted_at FROM placement_request r
          LEFT JOIN bed_claim h ON h.request_id = r.id AND h.kind = 'hold'
               AND h.voided_at IS NULL AND h.used_at IS NULL AND h.lapsed_at IS NULL
         WHERE (r.state = 'held') <> (h.id IS NOT NULL AND h.accepted_at IS NULL)
            OR (r.state = 'accepted') <> (h.id IS NOT NULL AND h.accepted_at IS NOT NULL)""",
    "a request has at most one hold": """
        SELECT request_id FROM bed_claim
         WHERE kind = 'hold' AND request_id IS NOT NULL AND voided_at IS NULL
           AND used_at IS NULL AND lapsed_at IS NULL
         GROUP BY request_id HAVING count(*) > 1""",
    "a request is admitted exactly when a stay came of it": """
        SELECT r.id, r.state FROM placement_request r
         WHERE (r.state = 'admitted') <> EXISTS (
            SELECT FROM stay s WHERE s.request_id = r.id
               AND s.end_code IS DISTINCT FROM 'entered_in_error')""",
    "an open stay is in one bed, kept or used, and an ended one in none": """
        SELECT s.id, s.state, n.stays, n.leaves FROM stay s CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE kind = 'stay') AS stays,
                   count(*) FILTER (WHERE kind = 'leave') AS leaves
              FROM bed_claim c WHERE c.stay_id = s.id AND c.voided_at IS NULL
               AND c.kind <> 'hold' AND upper_inf(c.during)) n
         WHERE (n.stays, n.leaves) <> CASE s.state
            WHEN 'ended' THEN (0::bigint, 0::bigint)
            WHEN 'on_leave' THEN (0::bigint, 1::bigint)
            ELSE (1::bigint, 0::bigint) END""",
    "the segments of a stay are its person's, at its facility": """
        SELECT c.id FROM bed_claim c JOIN stay s ON s.id = c.stay_id
         WHERE c.voided_at IS NULL AND c.kind <> 'hold'
           AND (c.person_id, c.facility_id) <> (s.person_id, s.facility_id)""",
    "a transfer agreed on has its bed held or promised, and no other has": """
        SELECT t.id, t.state FROM transfer t
          LEFT JOIN bed_claim h ON h.transfer_id = t.id AND h.kind = 'hold'
               AND h.voided_at IS NULL AND h.used_at IS NULL AND h.lapsed_at IS NULL
          LEFT JOIN bed_next n ON n.transfer_id = t.id AND n.state = 'live'
         WHERE (t.state IN ('approved', 'accepted', 'in_transit'))
            <> (num_nonnulls(h.id, n.id) = 1)""",
    "nobody is on the way with a hold that can lapse": """
        SELECT t.id FROM transfer t JOIN bed_claim h ON h.transfer_id = t.id
           AND h.kind = 'hold' AND h.voided_at IS NULL AND h.used_at IS NULL
         WHERE t.state = 'in_transit' AND NOT upper_inf(h.during)""",
    "a bed with an open period is closing or closed": """
        SELECT b.id, b.state FROM bed b JOIN out_of_service_period o ON o.bed_id = b.id
         WHERE o.ended_at IS NULL AND b.state NOT IN ('closing', 'closed')""",
    "a bed has at most one open period": """
        SELECT bed_id FROM out_of_service_period WHERE ended_at IS NULL
         GROUP BY bed_id HAVING count(*) > 1""",
    "nobody lies in a bed that waits for cleaning or is closed": """
        SELECT b.id, b.state FROM bed b JOIN bed_claim c ON c.bed_id = b.id
         WHERE c.voided_at IS NULL AND c.kind = 'stay' AND upper_inf(c.during)
           AND b.state IN ('housekeeping', 'contaminated', 'closed')""",
    "a promised bed is held for nobody, and nobody has two beds coming": """
        SELECT n.bed_id, n.person_id, h.bed_id, h.person_id FROM bed_next n
          JOIN bed_claim h ON (h.bed_id = n.bed_id OR h.person_id = n.person_id)
         WHERE n.state = 'live' AND h.kind = 'hold' AND h.voided_at IS NULL
           AND h.used_at IS NULL AND h.lapsed_at IS NULL AND h.during @> clock_timestamp()""",
    "a person has one hold": """
        SELECT person_id FROM bed_claim WHERE kind = 'hold' AND voided_at IS NULL
           AND used_at IS NULL AND lapsed_at IS NULL AND during @> clock_timestamp()
         GROUP BY person_id HAVING count(*) > 1""",
    "a hold is for a request or a transfer that goes on": """
        SELECT h.id, r.state, t.state FROM bed_claim h
          LEFT JOIN placement_request r ON r.id = h.request_id
          LEFT JOIN transfer t ON t.id = h.transfer_id
         WHERE h.kind = 'hold' AND h.voided_at IS NULL AND h.used_at IS NULL
           AND h.lapsed_at IS NULL AND h.during @> clock_timestamp()
           AND coalesce(r.state IN ('held', 'accepted'), t.state IN ('approved', 'accepted',
               'in_transit'), false) = false""",
    "a promise is to somebody who still waits": """
        SELECT n.id FROM bed_next n WHERE n.state = 'live' AND NOT EXISTS (
            SELECT FROM placement_request r WHERE r.id = n.request_id AND r.state = 'waiting')
           AND NOT EXISTS (SELECT FROM transfer t WHERE t.id = n.transfer_id
               AND t.state IN ('approved', 'accepted'))""",
    "somebody in a live transfer is in the bed it starts from": """
        SELECT t.id, t.state, t.from_bed_id FROM transfer t
         WHERE t.state IN ('proposed', 'approved', 'accepted', 'in_transit') AND NOT EXISTS (
            SELECT FROM bed_claim c WHERE c.stay_id = t.stay_id AND c.bed_id = t.from_bed_id
               AND c.kind <> 'hold' AND c.voided_at IS NULL AND upper_inf(c.during))""",
    "a live promise waits for somebody about to leave, or for cleaning": """
        SELECT n.id, s.id, s.state FROM bed_next n JOIN stay s ON s.id = n.waits_for_stay_id
         WHERE n.state = 'live' AND s.state NOT IN ('ended', 'discharge_due') AND NOT EXISTS (
            SELECT FROM transfer t WHERE t.stay_id = s.id
               AND t.state IN ('approved', 'accepted', 'in_transit', 'completed'))""",
    "every request is in the log since it was submitted": """
        SELECT r.id, r.state FROM placement_request r WHERE NOT EXISTS (
            SELECT FROM event e WHERE e.subject_id = r.id
               AND e.operation = 'request.submitted')""",
    "the parts of a stay follow each other without a gap": """
        SELECT * FROM (SELECT id, stay_id, upper(during) AS ends,
                lead(lower(during)) OVER (PARTITION BY stay_id ORDER BY lower(during)) AS next
            FROM bed_claim WHERE voided_at IS NULL AND kind <> 'hold') part
         WHERE next IS NOT NULL AND ends <> next""",
    "a bed kept during leave has an end, and a clock for it": """
        SELECT c.id, c.stay_id, c.expected_end FROM bed_claim c
         WHERE c.kind = 'leave' AND c.voided_at IS NULL AND upper_inf(c.during)
           AND (c.expected_end IS NULL OR NOT EXISTS (SELECT FROM due_item d
               WHERE d.kind = 'leave_end' AND d.subject_id = c.stay_id
                 AND d.settled_at IS NULL))""",
    "the log's positions have no gap": """
        SELECT count(pos), min(pos), max(pos) FROM event HAVING count(pos) <> coalesce(max(pos), 0)
            OR coalesce(min(pos), 1) <> 1""",
}
"""What must hold, and a query for what breaks it."""


def broken(conn: Connection) -> dict[str, list[tuple[object, ...]]]:
    """The invariants that do not hold, with the rows that break them."""
    found = {
        name: [tuple(row) for row in conn.execute(text(query))]
        for name, query in INVARIANTS.items()
    }
    return {name: rows for name, rows in found.items() if rows}


DOUBLE_BOOKINGS = text(
    """
    SELECT count(*) FROM (
        SELECT bed_id FROM bed_claim WHERE voided_at IS NULL AND during @> clock_timestamp()
         GROUP BY bed_id HAVING count(*) > 1) twice
    """
)
"""How many beds are somebody's and somebody else's now."""

DEADLOCKS = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
"""How many deadlocks this database has seen; the server counts a moment late."""
