"""The event log and its seals, keys, stored answers, access records, staged imports."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index
from sqlmodel import Field, SQLModel

from service.access.caller import Role
from service.store.tables.columns import code_check, instant, json, text


class Event(SQLModel, table=True):
    """What happened: operation code and ids, no clinical or legal value, no name.

    ``seq`` is drawn after every lock is held, so it orders the events of one subject. ``pos`` is
    given by the sequencer alone: gapless, and the only thing readers follow.
    """

    __tablename__ = "event"
    __table_args__ = (
        Index("uq_event_pos", "pos", unique=True),
        Index("ix_event_unsequenced", "seq", postgresql_where="pos IS NULL"),
        Index("ix_event_subject", "subject_type", "subject_id"),
        Index("ix_event_person_id", "person_id"),
        Index("ix_event_bed_id", "bed_id"),
    )

    seq: int | None = Field(
        default=None,
        primary_key=True,
        sa_type=BigInteger,
        sa_column_args=[Identity(always=True)],
    )
    pos: int | None = Field(default=None, sa_type=BigInteger)
    operation: str = text()
    subject_type: str = text()
    subject_id: str = text()
    person_id: str | None = text(default=None)
    bed_id: str | None = text(default=None)
    unit_id: str | None = text(default=None)
    facility_id: str | None = text(default=None)
    actor: str = text()
    data: dict[str, Any] = json(default_factory=dict)
    occurred_at: datetime = instant()
    recorded_at: datetime = instant()


class EventSeal(SQLModel, table=True):
    """A batch ``[first_pos, last_pos]`` sealed by an HMAC over its rows and the seal before."""

    __tablename__ = "event_seal"

    last_pos: int = Field(
        primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False}
    )
    first_pos: int = Field(sa_type=BigInteger)
    mac: bytes
    sealed_at: datetime = instant()


class ApiKey(SQLModel, table=True):
    """A key's digest; the secret is shown once and never stored."""

    __tablename__ = "api_key"
    __table_args__ = (
        code_check("role", Role),
        CheckConstraint(
            "role = 'clinician' OR "
            "(role IN ('facility_admin', 'integration')) = (facility_id IS NOT NULL)",
            name="facility_scope",
        ),
    )

    id: str = text(primary_key=True)
    digest: bytes
    name: str = text()
    role: str = text()
    facility_id: str | None = text(default=None, foreign_key="facility.id")
    created_at: datetime = instant()
    expires_at: datetime | None = instant(default=None)
    revoked_at: datetime | None = instant(default=None)


class IdempotencyRecord(SQLModel, table=True):
    """The stored answer to a key, encrypted, kept 24 h; replayed to a repeated request."""

    __tablename__ = "idempotency_record"

    caller: str = text(primary_key=True)
    key: str = text(primary_key=True)
    request_hash: str = text()
    status: int
    headers: dict[str, Any] = json(default_factory=dict)
    body: bytes
    created_at: datetime = instant(index=True)


class AccessRecord(SQLModel, table=True):
    """Who read which person's identity, when, for which stated purpose."""

    __tablename__ = "access_record"

    id: str = text(primary_key=True)
    actor: str = text()
    person_id: str = text(foreign_key="person.id", index=True)
    purpose: str = text()
    read_at: datetime = instant()


class ImportJob(SQLModel, table=True):
    """A streamed file of places: rows are staged in committed chunks, then applied."""

    __tablename__ = "import_job"

    id: str = text(primary_key=True)
    resource: str = text()
    dry_run: bool
    created_by: str = text()
    created_at: datetime = instant()
    finished_at: datetime | None = instant(default=None)


class ImportRow(SQLModel, table=True):
    """One row of a staged file, with its result."""

    __tablename__ = "import_row"

    job_id: str = text(primary_key=True, foreign_key="import_job.id")
    line: int = Field(primary_key=True)
    payload: dict[str, Any] = json()
    outcome: str | None = text(default=None)
    problem: dict[str, Any] | None = json(default=None, nullable=True)
