"""Instants and half-open periods as callers send them: RFC 3339 with an offset, never naive."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, WithJsonSchema

from service.errors import Invalid

_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)?", re.ASCII
)
_EARLIEST: Final = 1900
_LATEST: Final = 2200


def _only_text(value: Any) -> Any:
    """A number would be read as seconds since 1970: an instant is written out."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("write the instant as RFC 3339 with its offset: 2026-01-31T08:00:00+08:00")
    return value


def _in_utc(value: datetime) -> datetime:
    if not _EARLIEST <= value.year <= _LATEST:
        raise ValueError(f"the year must be between {_EARLIEST} and {_LATEST}")
    return value.astimezone(UTC)


AwareInstant = Annotated[
    AwareDatetime,
    BeforeValidator(_only_text),
    AfterValidator(_in_utc),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="validation"),
]
"""An instant in a body; naive ones are refused, what comes out is UTC."""


def require_order(start: datetime, end: datetime | None, pointer: str) -> None:
    """Raise Invalid unless the half-open period ``[start, end)`` holds at least an instant."""
    if end is not None and end <= start:
        raise Invalid.field(
            pointer,
            "reversed-period",
            f"the end must come after the beginning ({start.isoformat()})",
            end.isoformat(),
        )
