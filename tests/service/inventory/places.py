"""A small network for the tests of places, and a fingerprint of everything in the database."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, text

from service.access.caller import Actor, Role
from service.access.vault import Vault
from service.errors import ServiceError
from service.policy import default_policy
from service.store.tables import metadata
from service.workflow.context import Context
from service.workflow.inventory.beds import create_bed
from service.workflow.inventory.facilities import create_facility
from service.workflow.inventory.place_fields import NewBed, NewFacility, NewRoom, NewUnit
from service.workflow.inventory.rooms import create_room
from service.workflow.inventory.units import create_unit

E = TypeVar("E", bound=ServiceError)

VAULT = Vault(b"e" * 32, b"i" * 32)
COORDINATOR = Actor("k-coordinator", "coordinator", Role.COORDINATOR)
ADMIN = Actor("k-admin", "admin of psc-1", Role.FACILITY_ADMIN, "psc-1")
STRANGER = Actor("k-stranger", "admin of cth-1", Role.FACILITY_ADMIN, "cth-1")


def context(actor: Actor = COORDINATOR) -> Context:
    return Context(actor, default_policy(), VAULT)


def facility(id_: str = "psc-1", **more: Any) -> NewFacility:
    given: dict[str, Any] = {"operator": "public_security", "duty_phone": "000-0000-0001"}
    return NewFacility.model_validate({"id": id_, "name": f"示例 {id_}", **given, **more})


def unit(id_: str = "psc-1.w1", **more: Any) -> NewUnit:
    given: dict[str, Any] = {
        "facility": id_.partition(".")[0],
        "name": "1区",
        "kind": "PSC",
        "bases": ["compulsory"],
        "security_owner": "public_security",
        "licences": ["drug_treatment"],
    }
    return NewUnit.model_validate({"id": id_, **given, **more})


def room(id_: str = "psc-1.w1.r01", **more: Any) -> NewRoom:
    return NewRoom.model_validate({"id": id_, "unit": id_.rpartition(".")[0], **more})


def bed(id_: str = "psc-1.w1.r01.b1", **more: Any) -> NewBed:
    return NewBed.model_validate({"id": id_, "room": id_.rpartition(".")[0], **more})


def run(conn: Connection, use_case: Callable[..., Any], *args: Any, **kw: Any) -> Any:
    """Run a use case as its own transaction would: whatever it raises undoes it."""
    with conn.begin_nested():
        return use_case(conn, *args, **kw)


def build(conn: Connection) -> None:
    """psc-1 with a ward of two rooms of two beds; cth-1 with one of one; ext-1 outside."""
    ctx = context()
    run(conn, create_facility, ctx, facility())
    run(conn, create_facility, ctx, facility("cth-1", operator="health"))
    run(conn, create_facility, ctx, facility("ext-1", operator="health", external=True))
    run(conn, create_unit, ctx, unit())
    hospital = {"kind": "CTH", "bases": ["constrained"], "security_owner": "none"}
    run(conn, create_unit, ctx, unit("cth-1.w1", **hospital))
    outside = {"kind": "EXT", "bases": [], "security_owner": "none"}
    run(conn, create_unit, ctx, unit("ext-1.w1", **outside))
    for id_ in ("psc-1.w1.r01", "psc-1.w1.r02", "cth-1.w1.r01", "ext-1.w1.r01"):
        run(conn, create_room, ctx, room(id_))
    for id_ in ("psc-1.w1.r01.b1", "psc-1.w1.r01.b2", "psc-1.w1.r02.b1", "psc-1.w1.r02.b2"):
        run(conn, create_bed, ctx, bed(id_))
    run(conn, create_bed, ctx, bed("cth-1.w1.r01.b1"))


def fingerprint(conn: Connection) -> Mapping[str, str | None]:
    """A hash of every row of every table: two that are equal mean that nothing changed."""
    return {
        name: conn.execute(
            text(f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {name} t")
        ).scalar_one()
        for name in sorted(metadata.tables)
    }


def refused(
    conn: Connection, kind: type[E], use_case: Callable[..., Any], *args: Any, **kw: Any
) -> E:
    """The error, once it is shown that nothing at all was changed."""
    before = fingerprint(conn)
    with pytest.raises(kind) as caught:
        run(conn, use_case, *args, **kw)
    assert fingerprint(conn) == before
    return caught.value
