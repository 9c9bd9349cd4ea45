"""Who sees which part of the occupancy, and what is hidden so that no number gives people away.

``ALL``        clinician, coordinator, auditor: everything.
``CUSTODIAL``  intake officers, the police side: units whose security a police or justice organ
               answers for, and the waiting people with a custodial basis. Consensual stays are not
               in their numbers, not even as a sum (domain D18); which hospital beds are free they
               learn person by person, from the candidates of a request.
``FACILITY``   facility_admin, integration: every unit of their own facility, nobody who waits.
``AGGREGATE``  dashboards: the city and its facilities, no units, sexes and kinds of the city only,
               waiting people by grade only. Where 1 to 10 people stand behind a number it is null,
               and so is a second one wherever the sum shown elsewhere would give the first away
               (D19, D20: the cell rule of published counts). Zero is shown.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeVar

from service.access.caller import Actor, Role
from service.workflow.inventory.occupancy import (
    CUSTODIAL,
    BedGroup,
    Measured,
    Occupancy,
    UnitRows,
    Waiting,
    occupancy_of,
)

SMALL_CELL: Final = 10
CITY: Final = "city"
ALL_SIDES: Final = "all"

Row = TypeVar("Row", Occupancy, BedGroup)


class Sight(StrEnum):
    """A visibility class; see the module's text."""

    ALL = "all"
    CUSTODIAL = "custodial"
    FACILITY = "facility"
    AGGREGATE = "aggregate"


_SIGHT: Final = {
    Role.INTAKE_OFFICER: Sight.CUSTODIAL,
    Role.CLINICIAN: Sight.ALL,
    Role.COORDINATOR: Sight.ALL,
    Role.AUDITOR: Sight.ALL,
    Role.FACILITY_ADMIN: Sight.FACILITY,
    Role.INTEGRATION: Sight.FACILITY,
    Role.DASHBOARD: Sight.AGGREGATE,
}


@dataclass(frozen=True, slots=True)
class View:
    """One body's audience. ``facility`` is set for ``Sight.FACILITY`` alone."""

    sight: Sight
    facility: str | None = None


@dataclass(frozen=True, slots=True)
class CityOccupancy:
    """The city as this caller may see it. ``waiting`` is null for callers of one facility."""

    total: Occupancy
    facilities: list[Occupancy]
    waiting: list[Waiting] | None


@dataclass(frozen=True, slots=True)
class FacilityOccupancy:
    """One facility; ``units`` is null where this caller sees sums only."""

    total: Occupancy
    units: list[Occupancy] | None


def view_of(actor: Actor) -> View:
    """What this caller may see."""
    sight = _SIGHT[actor.role]
    return View(sight, actor.facility if sight is Sight.FACILITY else None)


def city(measured: Measured, view: View) -> CityOccupancy:
    """The city, its facilities, and who waits."""
    seen = _units(measured, view)
    total = occupancy_of(CITY, CITY, seen)
    facilities = [
        occupancy_of(id_, name, [unit for unit in seen if unit.facility == id_])
        for id_, name in sorted(measured.facilities.items())
        if _sees_facility(measured, view, id_)
    ]
    if view.sight is Sight.AGGREGATE:
        facilities, total = _without_small_cells(facilities, total)
    return CityOccupancy(total, facilities, _waiting(measured, view))


def facility(measured: Measured, view: View, facility_id: str) -> FacilityOccupancy | None:
    """One facility and its units; None if there is none that this caller may see."""
    if facility_id not in measured.facilities or not _sees_facility(measured, view, facility_id):
        return None
    if view.sight is Sight.AGGREGATE:
        shown = {it.id: it for it in city(measured, view).facilities}
        return FacilityOccupancy(shown[facility_id], None)
    units = [unit for unit in _units(measured, view) if unit.facility == facility_id]
    return FacilityOccupancy(
        occupancy_of(facility_id, measured.facilities[facility_id], units),
        [occupancy_of(unit.id, unit.name, [unit]) for unit in units],
    )


def unit(measured: Measured, view: View, unit_id: str) -> Occupancy | None:
    """One unit; None if there is none that this caller may see."""
    found = next((it for it in _units(measured, view) if it.id == unit_id), None)
    if found is None or view.sight is Sight.AGGREGATE:
        return None
    return occupancy_of(found.id, found.name, [found])


def _units(measured: Measured, view: View) -> list[UnitRows]:
    return [
        it
        for _, it in sorted(measured.units.items())
        if (view.sight is not Sight.CUSTODIAL or it.custodial)
        and (view.sight is not Sight.FACILITY or it.facility == view.facility)
    ]


def _sees_facility(measured: Measured, view: View, facility_id: str) -> bool:
    if view.sight is Sight.FACILITY:
        return facility_id == view.facility
    if view.sight is Sight.CUSTODIAL:
        return any(unit.facility == facility_id for unit in _units(measured, view))
    return True


def _waiting(measured: Measured, view: View) -> list[Waiting] | None:
    match view.sight:
        case Sight.FACILITY:
            return None
        case Sight.CUSTODIAL:
            return [it for it in measured.waiting if it.side == CUSTODIAL]
        case Sight.AGGREGATE:
            grades = sorted({it.grade for it in measured.waiting})
            return [_one_grade(grade, measured.waiting) for grade in grades]
        case Sight.ALL:
            return list(measured.waiting)


def _one_grade(grade: str, waiting: Iterable[Waiting]) -> Waiting:
    """The people of one grade, whatever their basis; null where they are few."""
    same = [it for it in waiting if it.grade == grade]
    people = sum(it.people or 0 for it in same)
    emergencies = sum(it.emergencies or 0 for it in same)
    few = _small(people)
    return Waiting(
        grade=grade,
        side=ALL_SIDES,
        people=None if few else people,
        emergencies=None if few or _small(emergencies) else emergencies,
        oldest=None,
    )


def _without_small_cells(
    facilities: Sequence[Occupancy], total: Occupancy
) -> tuple[list[Occupancy], Occupancy]:
    """Hide what stands for few people, and whatever would let a hidden number be worked out."""
    shown, gives_away = _hide_small([replace(it, by_sex=[], by_kind=[]) for it in facilities])
    by_sex, sex_away = _hide_small(total.by_sex)
    by_kind, kind_away = _hide_small(total.by_kind)
    total = replace(total, by_sex=by_sex, by_kind=by_kind)
    if gives_away or sex_away or kind_away or _small(_claimed(total)):
        total = _hidden(total)
    return shown, total


def _hide_small(rows: Sequence[Row]) -> tuple[list[Row], bool]:
    """The rows with small ones hidden; whether their sum must be hidden as well."""
    sizes = {row_id(row): _claimed(row) for row in rows}
    small = {key for key, size in sizes.items() if _small(size)}
    if len(small) == 1:
        others = [(size, key) for key, size in sizes.items() if size > SMALL_CELL]
        if not others:
            return [_hidden(row) if row_id(row) in small else row for row in rows], True
        small.add(min(others)[1])
    return [_hidden(row) if row_id(row) in small else row for row in rows], False


def row_id(row: Occupancy | BedGroup) -> str:
    """What tells a row from its neighbours."""
    return row.id if isinstance(row, Occupancy) else row.code


def _claimed(row: Occupancy | BedGroup) -> int:
    if isinstance(row, BedGroup):
        return row.claimed or 0
    return sum(it or 0 for it in (row.occupied, row.on_leave, row.held, row.promised))


def _hidden(row: Row) -> Row:
    if isinstance(row, BedGroup):
        return replace(row, claimed=None, open=None, open_fresh=None)
    return replace(
        row,
        ladder=replace(row.ladder, unclaimed=None, fresh=None),
        occupied=None,
        on_leave=None,
        held=None,
        promised=None,
        surge_in_use=None,
        by_sex=[_hidden(it) for it in row.by_sex],
        by_kind=[_hidden(it) for it in row.by_kind],
    )


def _small(people: int) -> bool:
    return 1 <= people <= SMALL_CELL
