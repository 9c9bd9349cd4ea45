"""Making, listing and revoking API keys: who may call, as what, for which facility."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection

from service.access.caller import FACILITY_ROLES, Role
from service.access.keys import NewKey, make_key
from service.errors import Invalid, NotFound
from service.store import keys as store
from service.store.events import append
from service.workflow.context import Context

LONGEST_NAME = 100


def create_key(
    conn: Connection,
    ctx: Context,
    *,
    name: str,
    role: Role,
    facility: str | None = None,
    expires_at: datetime | None = None,
) -> NewKey:
    """Make a key; its text is in the result alone and nowhere else, ever.

    ``facility`` is given for the roles that act for one facility. A clinician may have one too,
    their hospital; no other role has.

    Raises Invalid: no name, a facility missing or unknown or out of place, an expiry gone by.
    """
    if not name.strip() or len(name) > LONGEST_NAME:
        raise Invalid.field(
            "/name", "bad-name", f"say whose key this is, in 1 to {LONGEST_NAME} characters", name
        )
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise Invalid.field(
            "/expires_at", "past-expiry", "the expiry must lie ahead", expires_at.isoformat()
        )
    _check_facility(conn, role, facility)
    key = make_key()
    store.add_key(
        conn,
        key_id=key.id,
        digest=key.digest,
        name=name.strip(),
        role=role,
        facility_id=facility,
        expires_at=expires_at,
    )
    append(conn, ctx.actor, "api_key.created", "api_key", key.id, facility=facility)
    return key


def revoke_key(conn: Connection, ctx: Context, key_id: str) -> None:
    """Revoke a key for good; every process refuses it a second or two later.

    Raises NotFound: no live key by that id.
    """
    if not store.revoke(conn, key_id):
        raise NotFound(
            "no-such-key",
            f"there is no live key {key_id!r}; 'rehab-beds key list' shows them by id, which is "
            "the key's text up to its last underscore",
        )
    append(conn, ctx.actor, "api_key.revoked", "api_key", key_id)


def list_keys(conn: Connection, ctx: Context) -> Sequence[store.StoredKey]:
    """All keys, revoked and expired ones too; never a secret."""
    return store.all_keys(conn)


def _check_facility(conn: Connection, role: Role, facility: str | None) -> None:
    if role in FACILITY_ROLES:
        if facility is None:
            raise Invalid.field(
                "/facility", "facility-missing", f"a {role} key acts for one facility: give its id"
            )
        _check_exists(conn, facility)
        return
    if facility is None:
        return
    if role is not Role.CLINICIAN:
        raise Invalid.field(
            "/facility",
            "facility-out-of-place",
            f"a {role} key acts for the whole network: leave the facility out",
            facility,
        )
    _check_exists(conn, facility)


def _check_exists(conn: Connection, facility: str) -> None:
    if not store.facility_exists(conn, facility):
        raise Invalid.field(
            "/facility",
            "unknown-facility",
            f"there is no facility {facility!r}: give the id of one that is recorded",
            facility,
        )
