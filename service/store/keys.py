"""API keys in the database: digests, never secrets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from service.access.caller import Role
from service.store.tables.core import api_key, facility


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One key: whom it names, what it may do where, and until when; ``digest`` of its secret."""

    id: str
    digest: bytes
    name: str
    role: Role
    facility: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


_COLUMNS = select(
    api_key.c.id,
    api_key.c.digest,
    api_key.c.name,
    api_key.c.role,
    api_key.c.facility_id,
    api_key.c.created_at,
    api_key.c.expires_at,
    api_key.c.revoked_at,
)
_ALL = _COLUMNS.order_by(api_key.c.id)
_LIVE = _COLUMNS.where(api_key.c.revoked_at.is_(None))


def all_keys(conn: Connection) -> Sequence[StoredKey]:
    """Every key ever made, revoked and expired ones too, by id."""
    return [_key(row) for row in conn.execute(_ALL)]


def live_keys(conn: Connection) -> Sequence[StoredKey]:
    """Every key that was not revoked; an expired one still carries its expiry."""
    return [_key(row) for row in conn.execute(_LIVE)]


def add_key(
    conn: Connection,
    *,
    key_id: str,
    digest: bytes,
    name: str,
    role: Role,
    facility_id: str | None,
    expires_at: datetime | None,
) -> None:
    """Write a new key."""
    conn.execute(
        insert(api_key).values(
            id=key_id,
            digest=digest,
            name=name,
            role=role.value,
            facility_id=facility_id,
            created_at=func.clock_timestamp(),
            expires_at=expires_at,
        )
    )


def revoke(conn: Connection, key_id: str) -> bool:
    """Revoke a live key; False if there is none by that id."""
    revoked = conn.execute(
        update(api_key)
        .where(api_key.c.id == key_id, api_key.c.revoked_at.is_(None))
        .values(revoked_at=func.clock_timestamp())
        .returning(api_key.c.id)
    )
    return revoked.scalar_one_or_none() is not None


def facility_exists(conn: Connection, facility_id: str) -> bool:
    """Tell whether a facility by that id is on record."""
    found = conn.execute(select(facility.c.id).where(facility.c.id == facility_id))
    return found.scalar_one_or_none() is not None


def _key(row: Any) -> StoredKey:
    return StoredKey(
        id=row.id,
        digest=bytes(row.digest),
        name=row.name,
        role=Role(row.role),
        facility=row.facility_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
