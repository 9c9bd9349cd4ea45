"""A bed with everything above it that claims need to know, and the writing of its own state."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, insert, select, update

from service.errors import NotFound
from service.store.network_places import listed
from service.store.tables import core
from solver.codes import BedKind, BedState, Owner, UnitKind

_bed, _room, _unit = core.bed.c, core.room.c, core.unit.c
_facility, _out = core.facility.c, core.out_of_service_period.c

_SELECT: Final = (
    select(
        _bed.id,
        _bed.room_id,
        _bed.unit_id,
        _bed.facility_id,
        _bed.kind,
        _bed.state,
        func.coalesce(
            _bed.retired_at, _room.retired_at, _unit.retired_at, _facility.retired_at
        ).label("retired_at"),
        _room.cohort,
        _unit.kind.label("unit_kind"),
        _unit.security_owner,
        _unit.medical_owner,
        _unit.staffed_beds,
        _unit.reserve,
        _facility.duty_phone,
        select(_out.id)
        .where(_out.bed_id == _bed.id, _out.ended_at.is_(None))
        .exists()
        .label("out_of_service"),
    )
    .join(core.room, _room.id == _bed.room_id)
    .join(core.unit, _unit.id == _bed.unit_id)
    .join(core.facility, _facility.id == _bed.facility_id)
)
_BY_ID: Final = _SELECT.where(listed(_bed.id, "ids"))
_BY_UNIT: Final = _SELECT.where(_bed.unit_id == bindparam("unit"), _bed.retired_at.is_(None))
_DUTY_PHONE: Final = select(_facility.duty_phone).where(_facility.id == bindparam("facility"))
_BY_ROOM: Final = _SELECT.where(listed(_bed.room_id, "ids"), _bed.retired_at.is_(None))


@dataclass(frozen=True, slots=True)
class Seat:
    """A bed and where it stands. ``retired``: it, its room, unit or facility is no longer in use.

    ``unit_wide``: a rule binds its unit as a whole (staffed beds, a reserve), so whoever claims a
    bed there must hold the unit alone. ``two_owners``: one organ answers for security, another
    for care.
    """

    bed: str
    room: str
    unit: str
    facility: str
    kind: BedKind
    state: BedState
    retired: bool
    out_of_service: bool
    cohort: bool
    unit_kind: UnitKind
    custodial: bool
    unit_wide: bool
    duty_phone: str
    two_owners: bool = False

    def locks(self) -> dict[str, list[str]]:
        """Arguments for ``locks.lock`` of somebody who claims this bed, persons apart."""
        return locks_of([self])


def locks_of(seats: Iterable[Seat]) -> dict[str, list[str]]:
    """Arguments for ``locks.lock`` of somebody who claims these beds, persons apart."""
    those = list(seats)
    return {
        "facilities": [it.facility for it in those],
        "units": [it.unit for it in those if not it.unit_wide],
        "units_exclusive": [it.unit for it in those if it.unit_wide],
        "rooms": [it.room for it in those],
        "beds": [it.bed for it in those],
    }


def _seat(row: Any) -> Seat:
    return Seat(
        bed=row.id,
        room=row.room_id,
        unit=row.unit_id,
        facility=row.facility_id,
        kind=BedKind(row.kind),
        state=BedState(row.state),
        retired=row.retired_at is not None,
        out_of_service=row.out_of_service,
        cohort=row.cohort,
        unit_kind=UnitKind(row.unit_kind),
        custodial=row.security_owner in (Owner.PUBLIC_SECURITY, Owner.JUSTICE),
        unit_wide=row.staffed_beds is not None or row.reserve > 0,
        duty_phone=row.duty_phone,
        two_owners=row.security_owner not in (Owner.NONE, row.medical_owner),
    )


def seats(conn: Connection, beds: Collection[str]) -> dict[str, Seat]:
    """These beds, retired ones too. Raises NotFound for an id that does not exist."""
    found = {row.id: _seat(row) for row in conn.execute(_BY_ID, {"ids": sorted(set(beds))})}
    for bed in sorted(set(beds) - found.keys()):
        raise NotFound("bed-not-found", f"there is no bed {bed}", bed=bed)
    return found


def seat(conn: Connection, bed: str) -> Seat:
    """One bed. Raises NotFound."""
    return seats(conn, [bed])[bed]


def seats_of_unit(conn: Connection, unit: str) -> list[Seat]:
    """The unit's beds in use, by id."""
    rows = conn.execute(_BY_UNIT, {"unit": unit})
    return sorted((_seat(row) for row in rows), key=lambda it: it.bed)


def seats_of_room(conn: Connection, room: str) -> list[Seat]:
    """The room's beds in use, by id."""
    return sorted((_seat(r) for r in conn.execute(_BY_ROOM, {"ids": [room]})), key=lambda s: s.bed)


def set_state(
    conn: Connection,
    bed: str,
    state: BedState,
    *,
    since: datetime,
    by: str,
    now: datetime,
    retire: bool = False,
) -> None:
    """Write the bed's own state; the caller holds the bed and has asked ``lifecycle.advance``.

    A closed bed keeps the reason and the forecast it was closing with; others have none.
    """
    values: dict[str, Any] = {
        "state": state.value,
        "state_since": since,
        "confirmed_at": now,
        "confirmed_by": by,
        "version": _bed.version + 1,
    }
    if state is not BedState.CLOSED:
        values |= {"state_reason": None, "expected_end": None}
    if retire:
        values["retired_at"] = now
    conn.execute(update(core.bed).where(_bed.id == bed).values(values))


def add_surge_bed(conn: Connection, room: str, *, by: str, now: datetime) -> str:
    """Put up a surge place 加床 in the room and return its bed id.

    The caller holds the room. Its number follows the surge places the room ever had.
    """
    place = conn.execute(
        select(_room.unit_id, _unit.facility_id)
        .join(core.unit, _unit.id == _room.unit_id)
        .where(_room.id == room)
    ).one()
    earlier = conn.execute(
        select(func.count()).where(_bed.room_id == room, _bed.kind == BedKind.SURGE.value)
    ).scalar_one()
    bed = f"{room}.s{earlier + 1}"
    conn.execute(
        insert(core.bed).values(
            id=bed,
            room_id=room,
            unit_id=place.unit_id,
            facility_id=place.facility_id,
            name=f"+{earlier + 1}",
            kind=BedKind.SURGE.value,
            features=[],
            state=BedState.IN_SERVICE.value,
            state_since=now,
            confirmed_at=now,
            confirmed_by=by,
            version=1,
        )
    )
    return bed


@dataclass(frozen=True, slots=True)
class UnitSeat:
    """A unit and what a place of its own needs to know."""

    unit: str
    facility: str
    kind: UnitKind
    custodial: bool
    retired: bool


def unit_seat(conn: Connection, unit: str) -> UnitSeat:
    """One unit. Raises NotFound."""
    row = conn.execute(
        select(
            _unit.id,
            _unit.facility_id,
            _unit.kind,
            _unit.security_owner,
            func.coalesce(_unit.retired_at, _facility.retired_at).label("retired_at"),
        )
        .join(core.facility, _facility.id == _unit.facility_id)
        .where(_unit.id == unit)
    ).one_or_none()
    if row is None:
        raise NotFound("unit-not-found", f"there is no unit {unit}", unit=unit)
    return UnitSeat(
        unit=row.id,
        facility=row.facility_id,
        kind=UnitKind(row.kind),
        custodial=row.security_owner in (Owner.PUBLIC_SECURITY, Owner.JUSTICE),
        retired=row.retired_at is not None,
    )


def rooms_of_unit(conn: Connection, unit: str) -> list[str]:
    """The unit's rooms in use, by id."""
    return list(
        conn.execute(
            select(_room.id)
            .where(_room.unit_id == unit, _room.retired_at.is_(None))
            .order_by(_room.id)
        ).scalars()
    )


def duty_phone(conn: Connection, facility: str) -> str:
    """The facility's phone that somebody answers day and night."""
    found: str = conn.execute(_DUTY_PHONE, {"facility": facility}).scalar_one()
    return found
