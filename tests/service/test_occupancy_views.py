"""Who sees which numbers, and that no hidden number can be worked out from the shown ones."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.access.caller import Actor, Role
from service.api.occupancy_views import (
    SMALL_CELL,
    CityOccupancy,
    Sight,
    View,
    city,
    facility,
    unit,
    view_of,
)
from service.workflow.inventory.occupancy import BedGroup, Measured, Occupancy, UnitRows, Waiting
from tests.service.test_occupancy import aggregate_rows

NOON = datetime(2026, 5, 1, 4, tzinfo=UTC)
ALL, POLICE = View(Sight.ALL), View(Sight.CUSTODIAL)
DASHBOARD = View(Sight.AGGREGATE)


def row(**given: Any) -> Any:
    blank = {
        "kind": "GEN", "sex": "any", "condition": "in_service", "beds": 0, "claimed": 0,
        "unclaimed_fresh": 0, "occupied": 0, "on_leave": 0, "held": 0, "promised": 0,
        "confirmed_oldest": NOON, "confirmed_newest": NOON,
    }  # fmt: skip
    return SimpleNamespace(**blank | {"occupied": given.get("claimed", 0)} | given)


def measured(*units: UnitRows, waiting: tuple[Waiting, ...] = ()) -> Measured:
    facilities = {it.facility: it.facility for it in units}
    return Measured(0, NOON, None, facilities, {it.id: it for it in units}, waiting)


def a_unit(id_: str, *, custodial: bool, beds: int = 40, claimed: int = 30) -> UnitRows:
    return UnitRows(
        id_, id_, id_.split(".")[0], custodial, None, (row(beds=beds, claimed=claimed),)
    )


@pytest.fixture
def two_sides() -> Measured:
    """A centre, a hospital with a custodial ward and consensual beds, and who waits for them."""
    return measured(
        a_unit("psc-1.w1", custodial=True, claimed=31),
        a_unit("cth-1.w1", custodial=False, claimed=22),
        a_unit("cth-1.sec", custodial=True, claimed=13),
        a_unit("cth-2.w1", custodial=False, claimed=17),
        waiting=(
            Waiting("G2", "custodial", 14, 2, None),
            Waiting("G2", "consensual", 3, 0, None),
            Waiting("G4", "consensual", 2, 1, None),
            Waiting("unknown", "unknown", 5, 0, None),
        ),
    )


def test_the_police_side_sees_nothing_of_consensual_stays_not_even_in_a_sum(
    two_sides: Measured,
) -> None:
    seen = city(two_sides, POLICE)
    assert seen.total.occupied == 31 + 13
    assert {it.id: it.occupied for it in seen.facilities} == {"psc-1": 31, "cth-1": 13}
    assert seen.waiting is not None
    assert {it.side for it in seen.waiting} == {"custodial"}
    assert facility(two_sides, POLICE, "cth-2") is None
    hospital = facility(two_sides, POLICE, "cth-1")
    assert hospital is not None
    assert hospital.units is not None
    assert [it.id for it in hospital.units] == ["cth-1.sec"]
    assert unit(two_sides, POLICE, "cth-1.w1") is None
    assert unit(two_sides, POLICE, "cth-1.sec") is not None


def test_a_facilitys_own_people_see_their_facility_whole_and_no_other(two_sides: Measured) -> None:
    view = View(Sight.FACILITY, "cth-1")
    seen = city(two_sides, view)
    assert [it.id for it in seen.facilities] == ["cth-1"]
    assert seen.total.occupied == 22 + 13
    assert seen.waiting is None
    assert facility(two_sides, view, "psc-1") is None
    assert unit(two_sides, view, "cth-2.w1") is None


def test_the_coordinator_sees_everything(two_sides: Measured) -> None:
    seen = city(two_sides, ALL)
    assert seen.total.occupied == 31 + 22 + 13 + 17
    assert seen.waiting == list(two_sides.waiting)
    assert len(seen.facilities) == 3


def test_a_dashboard_sees_sums_no_units_and_grades_without_sides(two_sides: Measured) -> None:
    seen = city(two_sides, DASHBOARD)
    assert seen.total.occupied == 83
    assert [(it.grade, it.side, it.people) for it in seen.waiting or ()] == [
        ("G2", "all", 17),
        ("G4", "all", None),
        ("unknown", "all", None),
    ]
    hospital = facility(two_sides, DASHBOARD, "cth-1")
    assert hospital is not None
    assert hospital.units is None
    assert unit(two_sides, DASHBOARD, "psc-1.w1") is None


def test_a_small_facility_is_hidden_together_with_the_smallest_other() -> None:
    seen = city(
        measured(
            a_unit("a.1", custodial=True, claimed=3),
            a_unit("b.1", custodial=True, claimed=20),
            a_unit("c.1", custodial=True, claimed=30),
            a_unit("d.1", custodial=True, claimed=0),
        ),
        DASHBOARD,
    )
    assert {it.id: it.occupied for it in seen.facilities} == {
        "a": None, "b": None, "c": 30, "d": 0,
    }  # fmt: skip
    hidden = seen.facilities[0]
    assert (hidden.ladder.unclaimed, hidden.ladder.fresh, hidden.held) == (None, None, None)
    assert seen.total.occupied == 53


def test_where_nothing_else_could_be_hidden_the_sum_is(two_sides: Measured) -> None:
    seen = city(
        measured(
            a_unit("a.1", custodial=True, claimed=3), a_unit("b.1", custodial=True, claimed=0)
        ),
        DASHBOARD,
    )
    assert seen.total.occupied is None
    assert seen.total.ladder.unclaimed is None


@st.composite
def cities(draw: st.DrawFn) -> Measured:
    units = []
    for number in range(draw(st.integers(1, 5))):
        rows = []
        for drawn in draw(st.lists(aggregate_rows(), min_size=1, max_size=3)):
            # Some units are large, so that hidden and shown numbers meet.
            factor = draw(st.sampled_from([1, 1, 7]))
            numbers = {k: v * factor for k, v in drawn.items() if isinstance(v, int)}
            sex = draw(st.sampled_from(["male", "female"]))
            rows.append(row(**drawn | numbers | {"occupied": numbers["claimed"], "sex": sex}))
        id_ = f"f{draw(st.integers(0, 3))}.w{number}"
        units.append(UnitRows(id_, id_, id_.split(".")[0], False, None, tuple(rows)))
    return measured(*units)


def sizes_of(rows: list[Any]) -> dict[str, Any]:
    return {
        (it.id if isinstance(it, Occupancy) else it.code): (
            it.occupied if isinstance(it, Occupancy) else it.claimed
        )
        for it in rows
    }


@settings(deadline=None)
@given(cities())
def test_no_number_of_one_to_ten_people_is_shown_or_can_be_worked_out(whole: Measured) -> None:
    truth: CityOccupancy = city(whole, ALL)
    shown: CityOccupancy = city(whole, DASHBOARD)
    total_shown = shown.total.occupied is not None
    for true_rows, shown_rows in (
        (truth.facilities, shown.facilities),
        (truth.total.by_sex, shown.total.by_sex),
        (truth.total.by_kind, shown.total.by_kind),
    ):
        sizes = sizes_of(list(true_rows))
        seen = sizes_of(list(shown_rows))
        hidden = {key for key, size in seen.items() if size is None}
        for key, size in sizes.items():
            if 1 <= size <= SMALL_CELL:
                assert key in hidden
        if total_shown:
            assert len(hidden) != 1, "one hidden number is the sum less the others"
    for it in shown.facilities:
        assert it.by_sex == [], "a hospital's part of a kind could be subtracted from the city's"
        assert it.by_kind == []
    for it in (shown.total, *shown.facilities):
        if it.occupied is None:
            assert (it.ladder.unclaimed, it.ladder.fresh, it.surge_in_use) == (None, None, None)
    for group in (*shown.total.by_sex, *shown.total.by_kind):
        assert isinstance(group, BedGroup)
        if group.claimed is None:
            assert (group.open, group.open_fresh) == (None, None)


@pytest.mark.parametrize("role", list(Role))
def test_every_role_has_its_sight(role: Role) -> None:
    facility_id = "f-1" if role in (Role.FACILITY_ADMIN, Role.INTEGRATION) else None
    view = view_of(Actor("k", "k", role, facility_id))
    assert (view.facility is not None) == (view.sight is Sight.FACILITY)
