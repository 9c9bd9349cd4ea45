"""Claims on beds, and the constraints that make a double booking impossible.

A claim is a half-open range of time in which a bed is taken: a ``hold`` (ends by arithmetic at
its expiry), a ``stay`` (open until departure is recorded) or a ``leave`` (the bed is kept while
its person is treated elsewhere). Claims are never deleted, only voided with a reason.
"""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Column, Index
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint, Range
from sqlmodel import Field, SQLModel

from service.lifecycle import StayState as StayState
from service.store.tables.columns import code_check, instant, text


class ClaimKind(StrEnum):
    """What takes the bed."""

    HOLD = "hold"  # 预留(限时)
    STAY = "stay"  # 在院/在所
    LEAVE = "leave"  # 外出就医(保留床位)


class StayEnd(StrEnum):
    """How an episode ended."""

    RELEASED = "released"  # 解除
    DISCHARGED = "discharged"  # 出院
    TRANSFERRED = "transferred"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    ESCAPED = "escaped"  # custody only
    DIED = "died"
    LEAVE_LAPSED = "leave_lapsed"  # the bed was kept to the leave's end and then given free
    ENTERED_IN_ERROR = "entered_in_error"


class NextState(StrEnum):
    """A promise of a bed that is still occupied or not yet fit."""

    LIVE = "live"
    KEPT = "kept"  # became a hold when the bed was recorded fit
    CANCELLED = "cancelled"


class Stay(SQLModel, table=True):
    """A person's episode at one facility; its claims are its segments.

    ``responsible_facility_id``: the centre that answers for the person when it is not this one.
    ``discharge_due_code``: why a discharge is due. ``review_on``: the day by which somebody
    outside the unit looks at this stay again.

    ``admission_officer`` and ``admission_reason``: who called an emergency, and why. Any other
    admission has both in its decision.
    """

    __tablename__ = "stay"
    __table_args__ = (
        code_check("state", StayState),
        code_check("end_code", StayEnd),
        CheckConstraint("ended_at >= admitted_at", name="order"),
        CheckConstraint("(state = 'ended') = (ended_at IS NOT NULL)", name="ended"),
        Index("ix_stay_person_id_open", "person_id", postgresql_where="ended_at IS NULL"),
    )

    id: str = text(primary_key=True)
    person_id: str = text(foreign_key="person.id", index=True)
    facility_id: str = text(foreign_key="facility.id", index=True)
    request_id: str | None = text(default=None)
    basis_id: str | None = text(default=None, foreign_key="legal_basis.id")
    responsible_facility_id: str | None = text(default=None, foreign_key="facility.id")
    state: str = text(default=StayState.ACTIVE.value)
    discharge_due_code: str | None = text(default=None)
    review_on: date | None = None
    admitted_at: datetime = instant()
    admission_officer: str | None = text(default=None)
    admission_reason: str | None = text(default=None)
    expected_end: datetime | None = instant(default=None)
    ended_at: datetime | None = instant(default=None)
    end_code: str | None = text(default=None)
    end_reason: str | None = text(default=None)
    recorded_at: datetime = instant()
    recorded_by: str = text()
    version: int = 1


class BedClaim(SQLModel, table=True):
    """A range of time in which a bed is taken. See the module's text for the three kinds.

    ``mix_key``: two live claims of one room whose times overlap must carry the same key, unless
    either is an emergency's. ``move_reason``: why a ward changed the bed. ``accepted_at``: the
    receiving side accepted the hold. ``used_at``: its person arrived on it. ``expected_end``: the
    forecast return from a leave. ``lapsed_at``: the lapse event of an unused hold was written.
    """

    __tablename__ = "bed_claim"
    __table_args__ = (
        code_check("kind", ClaimKind),
        CheckConstraint("NOT isempty(during)", name="during_not_empty"),
        CheckConstraint("lower(during) IS NOT NULL", name="during_begins"),
        CheckConstraint("(voided_at IS NULL) = (void_reason IS NULL)", name="void_reason"),
        CheckConstraint("kind = 'hold' OR stay_id IS NOT NULL", name="segment_of_stay"),
        ExcludeConstraint(
            (Column("bed_id"), "="),
            (Column("during"), "&&"),
            where=sql("voided_at IS NULL"),
            using="gist",
            name="ex_bed_claim_bed",
            deferrable=True,
            initially="IMMEDIATE",
        ),
        ExcludeConstraint(
            (Column("person_id"), "="),
            (Column("during"), "&&"),
            where=sql("voided_at IS NULL AND kind = 'stay'"),
            using="gist",
            name="ex_bed_claim_person_stay",
            deferrable=True,
            initially="IMMEDIATE",
        ),
        ExcludeConstraint(
            (Column("room_id"), "="),
            (Column("mix_key"), "<>"),
            (Column("during"), "&&"),
            where=sql("voided_at IS NULL AND NOT emergency"),
            using="gist",
            name="ex_bed_claim_room_mix",
            deferrable=True,
            initially="IMMEDIATE",
        ),
        Index("ix_bed_claim_person_id", "person_id"),
        Index("ix_bed_claim_stay_id", "stay_id"),
        Index("ix_bed_claim_request_id", "request_id"),
        Index(
            "ix_bed_claim_hold_end",
            sql("upper(during)"),
            postgresql_where=sql(
                "kind = 'hold' AND voided_at IS NULL AND lapsed_at IS NULL AND used_at IS NULL"
            ),
        ),
    )

    id: str = text(primary_key=True)
    bed_id: str = text(foreign_key="bed.id")
    room_id: str = text(foreign_key="room.id")
    unit_id: str = text(foreign_key="unit.id", index=True)
    facility_id: str = text(foreign_key="facility.id")
    person_id: str = text(foreign_key="person.id")
    kind: str = text()
    during: Range[datetime] = Field(sa_type=TSTZRANGE)
    mix_key: str | None = text(default=None)
    emergency: bool = False
    move_reason: str | None = text(default=None)
    stay_id: str | None = text(default=None, foreign_key="stay.id")
    request_id: str | None = text(default=None, foreign_key="placement_request.id")
    transfer_id: str | None = text(default=None, foreign_key="transfer.id")
    accepted_at: datetime | None = instant(default=None)
    accepted_by: str | None = text(default=None)
    used_at: datetime | None = instant(default=None)
    expected_end: datetime | None = instant(default=None)
    lapsed_at: datetime | None = instant(default=None)
    occurred_at: datetime = instant()
    recorded_at: datetime = instant()
    recorded_by: str = text()
    voided_at: datetime | None = instant(default=None)
    voided_by: str | None = text(default=None)
    void_reason: str | None = text(default=None)


class BedNext(SQLModel, table=True):
    """A bed still occupied or not yet fit, promised to somebody; at most one live a bed.

    It becomes a hold in the transaction that records the bed fit again.
    """

    __tablename__ = "bed_next"
    __table_args__ = (
        code_check("state", NextState),
        CheckConstraint(
            "num_nonnulls(request_id, transfer_id) = 1",
            name="promised_to_one",
        ),
        Index("uq_bed_next_live", "bed_id", unique=True, postgresql_where="state = 'live'"),
        Index(
            "uq_bed_next_live_person", "person_id", unique=True, postgresql_where="state = 'live'"
        ),
    )

    id: str = text(primary_key=True)
    bed_id: str = text(foreign_key="bed.id")
    person_id: str = text(foreign_key="person.id")
    request_id: str | None = text(default=None, foreign_key="placement_request.id")
    transfer_id: str | None = text(default=None, foreign_key="transfer.id")
    waits_for_stay_id: str | None = text(default=None, foreign_key="stay.id")
    state: str = text(default=NextState.LIVE.value)
    claim_id: str | None = text(default=None, foreign_key="bed_claim.id")
    reason: str | None = text(default=None)
    created_at: datetime = instant()
    created_by: str = text()
    ended_at: datetime | None = instant(default=None)
