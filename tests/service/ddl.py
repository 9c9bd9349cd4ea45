"""The schema of a database as a set of clauses, read back from PostgreSQL's own catalog.

`alembic check` sees a missing column, but neither a changed predicate of a partial index nor an
added CHECK. Here every table, column, constraint, index, trigger, function, view, type, sequence
and comment is one line of text, and two schemas are equal when the sets are.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

CLAUSES = """
WITH ours AS (
    SELECT c.oid, c.relname, c.relkind, c.relpersistence, c.relrowsecurity
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace
      AND c.relname NOT LIKE 'procrastinate\\_%' AND c.relname <> 'alembic_version'
      AND NOT EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                        AND d.deptype = 'e')
), tables AS (
    SELECT * FROM ours WHERE relkind IN ('r', 'p')
)
SELECT format('extension %s', extname) FROM pg_extension WHERE extname <> 'plpgsql'
UNION ALL
SELECT format('table %s %s row security %s', relname, relpersistence, relrowsecurity) FROM tables
UNION ALL
SELECT format('column %s.%s %s%s collate %s default %s identity "%s" generated "%s"',
              t.relname, a.attname, format_type(a.atttypid, a.atttypmod),
              CASE WHEN a.attnotnull THEN ' not null' END, a.attcollation::regcollation,
              pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated)
FROM tables t
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
UNION ALL
SELECT format('constraint %s on %s: %s validated %s', k.conname, t.relname,
              pg_get_constraintdef(k.oid), k.convalidated)
FROM tables t JOIN pg_constraint k ON k.conrelid = t.oid WHERE k.contype <> 'n'
UNION ALL
SELECT format('index %s: %s valid %s', t.relname, pg_get_indexdef(i.indexrelid), i.indisvalid)
FROM tables t JOIN pg_index i ON i.indrelid = t.oid
UNION ALL
SELECT format('trigger %s: %s enabled %s', t.relname, pg_get_triggerdef(g.oid), g.tgenabled)
FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid WHERE NOT g.tgisinternal
UNION ALL
SELECT format('function %s', pg_get_functiondef(p.oid))
FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace AND p.proname NOT LIKE 'procrastinate\\_%'
  AND p.prokind IN ('f', 'p')
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
UNION ALL
SELECT format('view %s %s: %s', relkind, relname, pg_get_viewdef(oid)) FROM ours
WHERE relkind IN ('v', 'm')
UNION ALL
SELECT format('enum %s: %s', y.typname, string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder))
FROM pg_type y JOIN pg_enum e ON e.enumtypid = y.oid
WHERE y.typnamespace = 'public'::regnamespace AND y.typname NOT LIKE 'procrastinate\\_%'
GROUP BY y.typname
UNION ALL
SELECT format('sequence %s %s start %s by %s from %s to %s cycle %s', o.relname,
              format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax,
              s.seqcycle)
FROM ours o JOIN pg_sequence s ON s.seqrelid = o.oid
UNION ALL
SELECT format('comment %s.%s: %s', t.relname, c.objsubid, c.description)
FROM tables t JOIN pg_description c ON c.classoid = 'pg_class'::regclass AND c.objoid = t.oid
"""


def clauses(conn: Connection) -> frozenset[str]:
    """Return every clause of the schema, without the queue's and Alembic's own tables."""
    return frozenset(conn.exec_driver_sql(CLAUSES.replace("%", "%%")).scalars())


def drift(left: frozenset[str], right: frozenset[str]) -> list[str]:
    """Return what stands on one side only, `-` for the left and `+` for the right."""
    only = [f"- {clause}" for clause in left - right] + [f"+ {clause}" for clause in right - left]
    return sorted(only, key=lambda line: line[2:])


def build(conn: Connection, *statements: str) -> None:
    """Run statements of a schema and commit them."""
    for statement in statements:
        conn.execute(text(statement))
    conn.commit()
