"""Files of places and bed states coming in: staged, then applied in short transactions.

Rows are staged as they arrive, in committed portions, and then applied portion by portion, each
row for itself in a savepoint: a bad row is reported and stops no other (``valid``), or, when the
sender wants all or nothing, every row is first tried and undone, and one bad row stops them all
(``all``). What a race changes between the trial and the writing is reported row by row. A dry run
is the trial alone. The same file sent again changes nothing: its rows say what stands.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB

from service.access.scope import acts_for
from service.errors import FieldError, ServiceError
from service.store.engine import in_savepoint
from service.store.engine import now as database_time
from service.store.ids import new_id
from service.store.postgres_errors import Conflict as LostRace
from service.store.tables.core import bed, import_job, import_row
from service.workflow.context import Context
from service.workflow.files.file_resources import FileResource, Members, row_form
from service.workflow.files.file_rows import FileFormat, FileRow
from service.workflow.inventory.bed_rounds import confirm_seen
from service.workflow.inventory.places import faults

STAGED_AT_ONCE: Final = 500
APPLIED_AT_ONCE: Final = 100


class ImportMode(StrEnum):
    """What one bad row means for the others."""

    VALID = "valid"
    ALL = "all"


def trials(mode: ImportMode, *, dry_run: bool) -> tuple[bool, ...]:
    """The passes over the staged rows: whether each is a trial. A pass after a trial is for a
    file of which no row was refused."""
    if dry_run:
        return (True,)
    return (True, False) if mode is ImportMode.ALL else (False,)


class Outcome(StrEnum):
    """What became of a row; in a dry run, what would."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """One row's result: its line in the file, the id it speaks of, and the problem if refused."""

    line: int
    id: str | None
    outcome: Outcome
    code: str | None = None
    detail: str | None = None
    errors: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """How many rows came to what. ``applied``: whether anything was written at all."""

    job: str
    applied: bool
    created: int
    changed: int
    unchanged: int
    refused: int


@dataclass(frozen=True, slots=True)
class _Prepared:
    line: int
    key: str
    model: BaseModel
    present: Members | None
    changed: Members


def start_import(conn: Connection, ctx: Context, resource: FileResource, *, dry_run: bool) -> str:
    """Open an import job and return its id."""
    job = new_id("im")
    conn.execute(
        insert(import_job).values(
            id=job,
            resource=resource.name,
            dry_run=dry_run,
            created_by=ctx.actor.id,
            created_at=database_time(conn),
        )
    )
    return job


def stage_rows(
    conn: Connection,
    ctx: Context,
    job: str,
    resource: FileResource,
    file_format: FileFormat,
    rows: Sequence[FileRow],
    seen: dict[str, int],
) -> None:
    """Stage rows of a file. ``seen`` carries from portion to portion which key stands where."""
    staged = []
    for row in rows:
        members = resource.members(row.members, from_text=file_format is FileFormat.CSV)
        error = row.error or _fault_of_shape(resource, members) or _twice(resource, members, seen)
        if error is None:
            seen[str(members[resource.key])] = row.line
        refused = None
        if error is not None:
            refused = _refused(row.line, None, "invalid-row", error.message, (error,))
        staged.append(
            {
                "job_id": job,
                "line": row.line,
                "payload": members if row.error is None else {},
                "outcome": refused.outcome.value if refused else None,
                "problem": asdict(refused) if refused else None,
            }
        )
    if staged:
        conn.execute(insert(import_row), staged)


def _fault_of_shape(resource: FileResource, members: Members) -> FieldError | None:
    known = (*resource.columns, "version") if resource.updates_only else resource.columns
    for name in members:
        if name not in known:
            message = f"unknown column; the columns are {', '.join(resource.columns)}"
            return FieldError(f"/{name}"[:60], "unknown-column", message)
    key = members.get(resource.key)
    if not isinstance(key, str) or not key or "\x00" in key:
        message = f"every row names its {resource.key}"
        return FieldError(f"/{resource.key}", "missing", message)
    return None


def _twice(resource: FileResource, members: Members, seen: dict[str, int]) -> FieldError | None:
    key = str(members[resource.key])
    if key not in seen:
        return None
    message = f"{key} stands in line {seen[key]} already; name each only once"
    return FieldError(f"/{resource.key}", "named-twice", message, key)


def apply_rows(
    conn: Connection, ctx: Context, job: str, resource: FileResource, after: int, *, dry_run: bool
) -> list[RowOutcome]:
    """Apply, or in a dry run try, the next staged rows after a line; empty at the end."""
    staged = conn.execute(
        select(import_row.c.line, import_row.c.payload, import_row.c.problem)
        .where(import_row.c.job_id == job, import_row.c.line > after)
        .order_by(import_row.c.line)
        .limit(APPLIED_AT_ONCE)
    ).all()
    trial = conn.begin_nested()
    outcomes = [_of_staged(row.problem) for row in staged if row.problem is not None]
    outcomes += _applied(
        conn, ctx, resource, [(row.line, row.payload) for row in staged if row.problem is None]
    )
    if dry_run:
        trial.rollback()
    else:
        trial.commit()
    outcomes.sort(key=lambda it: it.line)
    _write_outcomes(conn, job, outcomes)
    return outcomes


def _of_staged(problem: Members) -> RowOutcome:
    members = dict(problem)
    errors = tuple(FieldError(**fault) for fault in members.pop("errors"))
    return RowOutcome(**{**members, "outcome": Outcome(members["outcome"]), "errors": errors})


def _applied(
    conn: Connection, ctx: Context, resource: FileResource, rows: Sequence[tuple[int, Members]]
) -> Iterator[RowOutcome]:
    present = resource.present(conn, {str(members[resource.key]) for _, members in rows})
    to_write, unchanged = [], []
    for line, members in rows:
        prepared = _prepared(resource, line, members, present)
        if isinstance(prepared, RowOutcome):
            yield prepared
        elif prepared.present is not None and not prepared.changed:
            unchanged.append(prepared)
        else:
            to_write.append(prepared)
    there = {it.key for it in to_write if it.present is not None}
    if to_write:
        resource.locks(conn, there, [it.model for it in to_write])
    for it in to_write:
        yield _written(conn, ctx, resource, it)
    yield from _said_again(conn, ctx, resource, unchanged)


def _prepared(
    resource: FileResource, line: int, given: Members, present: dict[str, Members]
) -> _Prepared | RowOutcome:
    key = str(given[resource.key])
    before = present.get(key)
    if before is None and resource.updates_only:
        return _refused(line, key, "bed-not-found", f"there is no bed {key} in use")
    keep = before if before is not None and _keeps(resource, given, before) else {}
    try:
        model = resource.model.model_validate({**keep, **given})
    except ValidationError as error:
        found = tuple(faults(error))
        detail = f"{found[0].pointer.lstrip('/')}: {found[0].message}"
        return _refused(line, key, "invalid-row", detail, found)
    after = {name: row_form({"": getattr(model, name)})[""] for name in resource.columns}
    if before is None:
        return _Prepared(line, key, model, None, {})
    # A parent or name that is not given is what stands.
    changed = {
        name: value
        for name, value in after.items()
        if before[name] != value and not (value is None and not _says_none(resource, name, given))
    }
    for parent in sorted(resource.parents & changed.keys()):
        message = f"{key} belongs to {before[parent]} and never leaves it; retire it, make another"
        return _refused(
            line,
            key,
            "invalid-row",
            message,
            (FieldError(f"/{parent}", "never-changes", message, changed[parent]),),
        )
    return _Prepared(line, key, model, before, changed)


def _keeps(resource: FileResource, given: Members, before: Members) -> bool:
    """Whether members not given stay: always for a place; for a state only while it is the same,
    since another state brings its own reason and forecast."""
    return not resource.updates_only or given.get("state") == before["state"]


def _says_none(resource: FileResource, name: str, given: Members) -> bool:
    return name in given and name not in resource.parents


def _written(conn: Connection, ctx: Context, resource: FileResource, it: _Prepared) -> RowOutcome:
    is_new = it.present is None
    try:
        in_savepoint(conn, resource.apply, ctx, it.model, it.changed, is_new)
    except ServiceError as error:
        return _refused(it.line, it.key, error.code, error.detail, error.errors)
    except LostRace as error:
        return _refused(it.line, it.key, "lost-race", str(error))
    return RowOutcome(it.line, it.key, Outcome.CREATED if is_new else Outcome.CHANGED)


def _said_again(
    conn: Connection, ctx: Context, resource: FileResource, rows: Sequence[_Prepared]
) -> Iterator[RowOutcome]:
    """Rows that say what stands; a bed's state said again is a confirmation."""
    mine = rows
    if resource.updates_only and rows:
        found = conn.execute(
            select(bed.c.id, bed.c.facility_id).where(bed.c.id.in_([it.key for it in rows]))
        )
        facilities = {row.id: row.facility_id for row in found}
        mine = [it for it in rows if acts_for(ctx.actor, facilities[it.key])]
        confirm_seen(conn, ctx, [it.key for it in mine])
    known = {it.key for it in mine}
    for it in rows:
        if it.key in known:
            yield RowOutcome(it.line, it.key, Outcome.UNCHANGED)
        else:
            yield _refused(
                it.line, it.key, "other-facility", f"bed {it.key} belongs to another facility"
            )


def _refused(
    line: int,
    key: str | None,
    code: str,
    detail: str,
    errors: tuple[FieldError, ...] = (),
) -> RowOutcome:
    return RowOutcome(line, key, Outcome.REFUSED, code, detail, errors)


_OUTCOME: Final = (
    update(import_row)
    .where(import_row.c.job_id == bindparam("of_job"), import_row.c.line == bindparam("at_line"))
    .values(outcome=bindparam("to_outcome"), problem=bindparam("to_problem", type_=JSONB))
)


def _write_outcomes(conn: Connection, job: str, outcomes: Sequence[RowOutcome]) -> None:
    if not outcomes:
        return
    conn.execute(
        _OUTCOME,
        [
            {
                "of_job": job,
                "at_line": it.line,
                "to_outcome": it.outcome.value,
                "to_problem": asdict(it) if it.outcome is Outcome.REFUSED else None,
            }
            for it in outcomes
        ],
    )


def finish_import(conn: Connection, ctx: Context, job: str, *, applied: bool) -> ImportSummary:
    """Close the job and count what became of its rows."""
    conn.execute(
        update(import_job).where(import_job.c.id == job).values(finished_at=database_time(conn))
    )
    outcomes = conn.execute(
        select(import_row.c.outcome).where(import_row.c.job_id == job)
    ).scalars()
    counts = dict.fromkeys(Outcome, 0)
    for outcome in outcomes:
        counts[Outcome(outcome)] += 1
    return ImportSummary(
        job,
        applied and counts[Outcome.CREATED] + counts[Outcome.CHANGED] > 0,
        counts[Outcome.CREATED],
        counts[Outcome.CHANGED],
        counts[Outcome.UNCHANGED],
        counts[Outcome.REFUSED],
    )
