"""Column helpers shared by all tables: codes as checked text, aware instants, text arrays."""

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, DateTime, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

SQLModel.metadata.naming_convention = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


def code_check(column: str, codes: type[StrEnum]) -> CheckConstraint:
    """Only the trade's codes may stand in ``column`` (NULL where the column allows it)."""
    listed = ", ".join(f"'{code.value}'" for code in codes)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def number_check(column: str, codes: type[IntEnum]) -> CheckConstraint:
    """Only the numbers of an ordered code may stand in ``column``."""
    listed = ", ".join(str(code.value) for code in codes)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def subset_check(column: str, codes: type[StrEnum]) -> CheckConstraint:
    """Every element of a text array is one of the trade's codes."""
    listed = ", ".join(f"'{code.value}'" for code in codes)
    return CheckConstraint(f"{column} <@ ARRAY[{listed}]::text[]", name=column)


def text(**options: Any) -> Any:
    """A text column."""
    return Field(sa_type=Text, **options)


def texts(*, nullable: bool = False) -> Any:
    """A text array, empty by default; NULL only where the absence of a list means something."""
    if nullable:
        return Field(default=None, sa_type=ARRAY(Text), nullable=True)
    return Field(default_factory=list, sa_type=ARRAY(Text), sa_column_kwargs={"nullable": False})


def instant(**options: Any) -> Any:
    """An aware instant (timestamptz)."""
    return Field(sa_type=DateTime(timezone=True), **options)


def json(**options: Any) -> Any:
    """A jsonb column: codes, ids and numbers, never names."""
    return Field(sa_type=JSONB, **options)


Instant = datetime
