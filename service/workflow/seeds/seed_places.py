"""Rows of a synthetic network's places: facilities, units, rooms, beds and their states."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Table, insert

from service.store.tables import core
from service.store.tables.inventory import OutOfServiceReason
from service.workflow.context import Context
from service.workflow.seeds.seed_names import facility_names, unit_name
from solver.codes import BedState, Owner, UnitKind
from solver.domain import Network, Unit

T = TypeVar("T")

PORTION: Final = 2_000
_FRESH: Final = timedelta(minutes=5)
_STATUS_TTL: Final = timedelta(minutes=720)


def write_places(
    conn: Connection, ctx: Context, network: Network, facilities: frozenset[str], at: datetime
) -> None:
    """Write these facilities with everything in them, as it is at ``at``."""
    units = {id_: it for id_, it in network.units.items() if it.facility in facilities}
    rooms = {id_: it for id_, it in network.rooms.items() if it.unit in units}
    beds = {id_: it for id_, it in network.beds.items() if it.room in rooms}
    names = facility_names(network)
    insert_rows(
        conn,
        core.facility,
        [
            {
                "id": it.id,
                "name": names[it.id].name,
                "operator": _operator(units.values(), it.id),
                "external": it.external,
                "duty_phone": names[it.id].duty_phone,
                "east_km": it.position[0],
                "north_km": it.position[1],
                "status_ttl_minutes": int(_STATUS_TTL.total_seconds()) // 60,
                "version": 1,
            }
            for it in (network.facilities[id_] for id_ in sorted(facilities))
        ],
    )
    insert_rows(conn, core.unit, [_unit_row(it) for it in units.values()])
    insert_rows(
        conn,
        core.room,
        [
            {
                "id": it.id,
                "unit_id": it.unit,
                "name": it.id.rpartition(".")[2],
                "sex": it.sex.value if it.sex else None,
                "isolation": it.isolation.value,
                "cohort": it.cohort,
                "version": 1,
            }
            for it in rooms.values()
        ],
    )
    closed = {BedState.CLOSED, BedState.CLOSING}
    bed_rows, periods = [], []
    for it in beds.values():
        unit = units[rooms[it.room].unit]
        confirmed = at - (_STATUS_TTL * 2 if it.stale else _FRESH)
        reason = OutOfServiceReason.REPAIR if it.state in closed else None
        bed_rows.append(
            {
                "id": it.id,
                "room_id": it.room,
                "unit_id": unit.id,
                "facility_id": unit.facility,
                "name": it.id.rpartition(".")[2],
                "kind": it.kind.value,
                "features": sorted(it.features),
                "state": it.state.value,
                "state_reason": reason.value if reason else None,
                "state_since": confirmed,
                "expected_end": it.expected_free if it.state is not BedState.IN_SERVICE else None,
                "confirmed_at": confirmed,
                "confirmed_by": ctx.actor.id,
                "version": 1,
            }
        )
        if reason is not None:
            periods.append(
                {
                    "id": f"oos_{it.id}",
                    "bed_id": it.id,
                    "reason": reason.value,
                    "note": "",
                    "began_at": confirmed,
                    "expected_end": it.expected_free,
                    "opened_by": ctx.actor.id,
                    "recorded_at": at,
                    "version": 1,
                }
            )
    insert_rows(conn, core.bed, bed_rows)
    insert_rows(conn, core.out_of_service_period, periods)


def _operator(units: Any, facility: str) -> str:
    owners = sorted(
        it.security_owner.value
        for it in units
        if it.facility == facility and it.kind is not UnitKind.SEC and it.custodial
    )
    return owners[0] if owners else Owner.HEALTH.value


def _unit_row(it: Unit) -> dict[str, Any]:
    return {
        "id": it.id,
        "facility_id": it.facility,
        "name": unit_name(it),
        "kind": it.kind.value,
        "sex": it.sex.value if it.sex else None,
        "min_age": it.min_age,
        "max_age": it.max_age,
        "zone": it.zone.value,
        "level_of_care": it.level_of_care.value,
        "security": it.security.value,
        "observation": it.observation.value,
        "licences": sorted(it.licences),
        "bases": sorted(it.bases),
        "security_owner": it.security_owner.value,
        "medical_owner": it.medical_owner.value,
        "staffed_beds": it.staffed_beds,
        "reserve": it.reserve,
        "version": 1,
    }


def insert_rows(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert many rows, a few thousand at a time."""
    for some in batches(rows, PORTION):
        conn.execute(insert(table), [dict(row) for row in some])


def batches(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """The items in lists of at most ``size``."""
    remaining = iter(items)
    while some := list(islice(remaining, size)):
        yield some
