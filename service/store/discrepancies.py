"""What a bed's own status says, and whether it was confirmed lately."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, select

from service.store.seats import Seat
from service.store.tables import core
from solver.codes import BedState

_bed, _facility = core.bed.c, core.facility.c
_CONFIRMED: Final = (
    select(_bed.confirmed_at, _facility.status_ttl_minutes)
    .join(core.facility, _facility.id == _bed.facility_id)
    .where(_bed.id == bindparam("bed"))
)


def fresh_and_fit(conn: Connection, place: Seat, now: datetime) -> bool:
    """Whether the bed's own status says fit for use, and was confirmed within the facility's time
    to live."""
    if place.state is not BedState.IN_SERVICE or place.out_of_service or place.retired:
        return False
    row = conn.execute(_CONFIRMED, {"bed": place.bed}).one()
    if row.confirmed_at is None:
        return False
    return bool((now - row.confirmed_at).total_seconds() < row.status_ttl_minutes * 60)
