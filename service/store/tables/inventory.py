"""Facilities, units, rooms, beds, and the periods in which a bed is out of service.

A place is never deleted, only retired: stays of the past still point to it. ``version`` counts
edits and is what If-Match compares.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from service.store.tables.columns import (
    code_check,
    instant,
    number_check,
    subset_check,
    text,
    texts,
)
from solver.codes import (
    BedKind,
    BedState,
    Grade,
    Isolation,
    LegalBasis,
    Licence,
    Observation,
    Owner,
    Security,
    Sex,
    UnitKind,
    Zone,
)


class OutOfServiceReason(StrEnum):
    """Why a bed cannot be used; one list for files, pages and reports."""

    REPAIR = "repair"  # 维修
    CLEANING = "cleaning"  # 终末消毒以外的彻底清洁
    INFECTION_CONTROL = "infection_control"  # 感染控制
    STAFF_SHORTAGE = "staff_shortage"  # 人手不足
    SECURITY = "security"  # 安全原因
    REFURBISHMENT = "refurbishment"  # 改造
    DAMAGE = "damage"  # 损坏
    EQUIPMENT = "equipment"  # 设备缺失
    OTHER = "other"


class Facility(SQLModel, table=True):
    """A centre, ward site or hospital; external ones have a duty phone and no licensed beds."""

    __tablename__ = "facility"
    __table_args__ = (
        code_check("operator", Owner),
        CheckConstraint("duty_phone <> ''", name="duty_phone"),
        CheckConstraint("status_ttl_minutes > 0", name="status_ttl_minutes"),
        CheckConstraint("id ~ '^[a-z0-9][a-z0-9.-]{0,79}$'", name="id"),
    )

    id: str = text(primary_key=True)
    name: str = text()
    operator: str = text()
    external: bool = False
    duty_phone: str = text()
    east_km: float = 0.0
    north_km: float = 0.0
    status_ttl_minutes: int = 720
    retired_at: datetime | None = instant(default=None)
    version: int = 1


class Unit(SQLModel, table=True):
    """A ward, brigade or zone. Ages are full years, both ends inclusive."""

    __tablename__ = "unit"
    __table_args__ = (
        code_check("kind", UnitKind),
        code_check("sex", Sex),
        code_check("zone", Zone),
        code_check("observation", Observation),
        number_check("level_of_care", Grade),
        number_check("security", Security),
        code_check("security_owner", Owner),
        code_check("medical_owner", Owner),
        subset_check("licences", Licence),
        subset_check("bases", LegalBasis),
        CheckConstraint("0 <= min_age AND min_age <= max_age", name="ages"),
        CheckConstraint("staffed_beds >= 0", name="staffed_beds"),
        CheckConstraint("reserve >= 0", name="reserve"),
        CheckConstraint("id ~ '^[a-z0-9][a-z0-9.-]{0,79}$'", name="id"),
    )

    id: str = text(primary_key=True)
    facility_id: str = text(foreign_key="facility.id", index=True)
    name: str = text()
    kind: str = text()
    sex: str | None = text(default=None)
    min_age: int = 18
    max_age: int = 150
    zone: str = text(default=Zone.GENERAL.value)
    level_of_care: int = Grade.G1.value
    security: int = Security.OPEN.value
    observation: str = text(default=Observation.NONE.value)
    licences: list[str] = texts()
    bases: list[str] = texts()
    security_owner: str = text(default=Owner.NONE.value)
    medical_owner: str = text(default=Owner.HEALTH.value)
    staffed_beds: int | None = None
    reserve: int = 0
    retired_at: datetime | None = instant(default=None)
    version: int = 1


class Room(SQLModel, table=True):
    """A room; the exclusion constraint on claims keeps one sex in it and isolation exclusive."""

    __tablename__ = "room"
    __table_args__ = (
        code_check("sex", Sex),
        code_check("isolation", Isolation),
        CheckConstraint("id ~ '^[a-z0-9][a-z0-9.-]{0,79}$'", name="id"),
    )

    id: str = text(primary_key=True)
    unit_id: str = text(foreign_key="unit.id", index=True)
    name: str = text()
    sex: str | None = text(default=None)
    isolation: str = text(default=Isolation.NONE.value)
    cohort: bool = False
    retired_at: datetime | None = instant(default=None)
    version: int = 1


class Bed(SQLModel, table=True):
    """One bed and its own state. Whether somebody is in it follows from the claims.

    ``unit_id`` and ``facility_id`` repeat what the room says (a room never moves) so that the
    occupancy aggregate and facility scope need no join.
    """

    __tablename__ = "bed"
    __table_args__ = (
        code_check("kind", BedKind),
        subset_check("features", BedKind),
        code_check("state", BedState),
        code_check("state_reason", OutOfServiceReason),
        CheckConstraint("id ~ '^[a-z0-9][a-z0-9.-]{0,79}$'", name="id"),
        Index("ix_bed_unit_id_in_use", "unit_id", postgresql_where="retired_at IS NULL"),
    )

    id: str = text(primary_key=True)
    room_id: str = text(foreign_key="room.id", index=True)
    unit_id: str = text(foreign_key="unit.id")
    facility_id: str = text(foreign_key="facility.id", index=True)
    name: str = text()
    kind: str = text(default=BedKind.GEN.value)
    features: list[str] = texts()
    state: str = text(default=BedState.IN_SERVICE.value)
    state_reason: str | None = text(default=None)
    state_since: datetime = instant()
    expected_end: datetime | None = instant(default=None)
    confirmed_at: datetime = instant()
    confirmed_by: str = text()
    retired_at: datetime | None = instant(default=None)
    version: int = 1


class OutOfServicePeriod(SQLModel, table=True):
    """A bed out of service ``[began_at, ended_at)``; open until somebody records the end.

    ``expected_end`` is a forecast and ends nothing by itself.
    """

    __tablename__ = "out_of_service_period"
    __table_args__ = (
        code_check("reason", OutOfServiceReason),
        CheckConstraint("ended_at >= began_at", name="order"),
        Index(
            "uq_out_of_service_period_open",
            "bed_id",
            unique=True,
            postgresql_where="ended_at IS NULL",
        ),
    )

    id: str = text(primary_key=True)
    bed_id: str = text(foreign_key="bed.id", index=True)
    reason: str = text()
    note: str = text(default="")
    began_at: datetime = instant()
    expected_end: datetime | None = instant(default=None)
    ended_at: datetime | None = instant(default=None)
    opened_by: str = text()
    closed_by: str | None = text(default=None)
    recorded_at: datetime = instant()
    version: int = Field(default=1)
