"""Units of medical care as the emergency lane sees them: how many beds could take somebody now."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, DateTime, and_, bindparam, cast, func, literal, or_, select

from service.store.network_places import listed
from service.store.tables import core
from solver.codes import BedState, Grade, Sex, UnitKind

_bed, _room, _unit, _facility = core.bed.c, core.room.c, core.unit.c, core.facility.c
_claim, _next, _out = core.bed_claim.c, core.bed_next.c, core.out_of_service_period.c
_NOW: Final = bindparam("now", type_=DateTime(timezone=True))

_UNTAKEN: Final = and_(
    _bed.retired_at.is_(None),
    _bed.state == BedState.IN_SERVICE.value,
    _room.retired_at.is_(None),
    ~select(_claim.id)
    .where(_claim.bed_id == _bed.id, _claim.voided_at.is_(None), _claim.during.op("@>")(_NOW))
    .exists(),
    ~select(_next.id).where(_next.bed_id == _bed.id, _next.state == "live").exists(),
    ~select(_out.id).where(_out.bed_id == _bed.id, _out.ended_at.is_(None)).exists(),
)
_PLACES: Final = (
    select(
        _unit.id,
        _unit.facility_id,
        _unit.kind,
        _unit.sex,
        _unit.level_of_care,
        _facility.name,
        _facility.external,
        _facility.duty_phone,
        func.count(_bed.id).label("free"),
    )
    .join(core.facility, _facility.id == _unit.facility_id)
    .outerjoin(core.room, _room.unit_id == _unit.id)
    .outerjoin(core.bed, and_(_bed.room_id == _room.id, _UNTAKEN))
    .where(
        _unit.retired_at.is_(None),
        _facility.retired_at.is_(None),
        listed(_unit.kind, "kinds"),
        or_(
            _unit.sex.is_(None),
            cast(bindparam("sex"), _unit.sex.type).is_(None),
            _unit.sex == bindparam("sex", type_=_unit.sex.type),
        ),
    )
    .group_by(_unit.id, _facility.id)
    .having(or_(_facility.external, func.count(_room.id) > literal(0)))
)


@dataclass(frozen=True, slots=True)
class LanePlace:
    """A unit of medical care. ``free``: beds nobody has now, the reserve among them; an external
    hospital, or a full unit with a room, takes an emergency on a surge place."""

    unit: str
    facility: str
    name: str
    kind: UnitKind
    level_of_care: Grade
    free: int
    external: bool
    duty_phone: str


def lane_places(
    conn: Connection, kinds: Collection[UnitKind], sex: Sex | None, now: datetime
) -> list[LanePlace]:
    """Units of these kinds that take this sex: those with a free bed or external ones first, then
    the highest level of care, then the most free beds."""
    given = {"kinds": sorted(kinds), "sex": sex.value if sex is not None else None, "now": now}
    found = [
        LanePlace(
            unit=row.id,
            facility=row.facility_id,
            name=row.name,
            kind=UnitKind(row.kind),
            level_of_care=Grade(row.level_of_care),
            free=row.free,
            external=row.external,
            duty_phone=row.duty_phone,
        )
        for row in conn.execute(_PLACES, given)
    ]
    return sorted(
        found,
        key=lambda it: (not (it.free or it.external), -it.level_of_care, -it.free, it.unit),
    )
