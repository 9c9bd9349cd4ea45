"""Facilities, units, rooms and beds: entered, changed, retired; and everything that is refused."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Connection, select

from service.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionFailed,
)
from service.store.tables import core
from service.workflow.context import Context
from service.workflow.inventory.beds import change_bed, create_bed, get_bed, list_beds, retire_bed
from service.workflow.inventory.facilities import (
    change_facility,
    create_facility,
    get_facility,
    list_facilities,
    retire_facility,
)
from service.workflow.inventory.place_fields import (
    BedChange,
    FacilityChange,
    RoomChange,
    UnitChange,
)
from service.workflow.inventory.rooms import (
    change_room,
    create_room,
    get_room,
    list_rooms,
    retire_room,
)
from service.workflow.inventory.surge import open_surge_place
from service.workflow.inventory.units import (
    change_unit,
    create_unit,
    get_unit,
    list_units,
    retire_unit,
)
from solver.codes import BedKind, BedState, Grade, LegalBasis, Sex
from tests.service.inventory.people import claim, promise
from tests.service.inventory.places import (
    ADMIN,
    STRANGER,
    bed,
    context,
    facility,
    fingerprint,
    refused,
    room,
    run,
    unit,
)

WARD, ROOM, BED = "psc-1.w1", "psc-1.w1.r01", "psc-1.w1.r01.b1"


def test_a_unit_keeps_every_attribute_it_was_given(network: Connection, coordinator: Context):
    given = unit(
        "psc-1.w2",
        sex="female",
        min_age=16,
        max_age=60,
        zone="women",
        level_of_care=2,
        security=2,
        observation="frequent",
        licences=["drug_treatment", "psychiatric"],
        bases=["compulsory", "voluntary_in_centre"],
        medical_owner="health",
        staffed_beds=30,
        reserve=2,
    )
    run(network, create_unit, coordinator, given)
    read = run(network, get_unit, coordinator, "psc-1.w2")
    assert read.model_dump(include=set(type(given).model_fields)) == given.model_dump()
    assert (read.version, read.retired_at) == (1, None)
    assert read.level_of_care is Grade.G2
    assert read.bases == {LegalBasis.COMPULSORY, LegalBasis.VOLUNTARY_IN_CENTRE}


def test_a_new_bed_is_in_service_and_freshly_confirmed(network: Connection, coordinator: Context):
    run(network, create_bed, coordinator, bed(f"{ROOM}.b3", kind="NUR", features=["ACC", "OBS"]))
    read = run(network, get_bed, coordinator, f"{ROOM}.b3")
    assert (read.state, read.stale, read.name) == (BedState.IN_SERVICE, False, "b3")
    assert (read.room, read.unit, read.facility) == (ROOM, WARD, "psc-1")
    assert read.kind is BedKind.NUR
    assert read.features == {BedKind.ACC, BedKind.OBS}


def test_every_write_leaves_one_event_that_names_the_places(network: Connection, admin: Context):
    run(network, change_bed, admin, BED, BedChange(kind=BedKind.NUR))
    run(network, retire_room, admin, "psc-1.w1.r02")
    rows = network.execute(select(core.event).order_by(core.event.c.seq.desc()).limit(2)).all()
    assert [(it.operation, it.subject_id, it.unit_id, it.facility_id) for it in rows] == [
        ("room.retired", "psc-1.w1.r02", WARD, "psc-1"),
        ("bed.changed", BED, WARD, "psc-1"),
    ]
    assert rows[1].data == {"changed": ["kind"]}


def test_members_that_are_not_given_stay_and_null_unbinds(network: Connection, admin: Context):
    run(network, change_unit, admin, WARD, UnitChange(sex=Sex.FEMALE, staffed_beds=3))
    first = run(network, change_unit, admin, WARD, UnitChange(reserve=1))
    assert (first.sex, first.staffed_beds, first.reserve) == (Sex.FEMALE, 3, 1)
    second = run(network, change_unit, admin, WARD, UnitChange(sex=None, staffed_beds=None))
    assert (second.sex, second.staffed_beds, second.reserve) == (None, None, 1)
    assert second.version == 4


def test_a_change_that_changes_nothing_counts_no_version_and_writes_no_event(
    network: Connection, admin: Context
):
    before = fingerprint(network)
    run(network, change_bed, admin, BED, BedChange(kind=BedKind.GEN))
    assert fingerprint(network) == before


CHANGES: list[tuple[Callable[..., Any], str, Any]] = [
    (change_facility, "psc-1", FacilityChange(name="另名")),
    (change_unit, WARD, UnitChange(name="另名")),
    (change_room, ROOM, RoomChange(name="另名")),
    (change_bed, BED, BedChange(name="另名")),
]
RETIREMENTS: list[tuple[Callable[..., Any], str]] = [
    (retire_facility, "psc-1"),
    (retire_unit, WARD),
    (retire_room, ROOM),
    (retire_bed, BED),
]


@pytest.mark.parametrize(("use_case", "place", "change"), CHANGES)
def test_an_edit_of_an_older_version_is_refused(
    network: Connection, coordinator: Context, use_case: Any, place: str, change: Any
):
    error = refused(network, PreconditionFailed, use_case, coordinator, place, change, version=7)
    assert error.code == "version-stale"
    assert run(network, use_case, coordinator, place, change, version=1).version == 2


@pytest.mark.parametrize(("use_case", "place"), RETIREMENTS)
def test_a_retirement_on_an_older_version_is_refused(
    network: Connection, coordinator: Context, use_case: Any, place: str
):
    refused(network, PreconditionFailed, use_case, coordinator, place, version=7)


@pytest.mark.parametrize(("use_case", "place"), RETIREMENTS)
@pytest.mark.parametrize("kind", ["stay", "leave", "hold"])
def test_a_place_somebody_has_a_claim_in_is_not_retired(
    network: Connection, coordinator: Context, use_case: Any, place: str, kind: str
):
    until = timedelta(hours=1) if kind == "hold" else None
    claim(network, BED, kind=kind, until=until)
    error = refused(network, Conflict, use_case, coordinator, place)
    assert error.code == "in-use"
    assert ("1 hold" if kind == "hold" else "1 stay") in error.detail
    assert "then retire it" in error.detail


def test_a_promised_bed_is_not_retired(network: Connection, coordinator: Context):
    promise(network, BED)
    error = refused(network, Conflict, retire_bed, coordinator, BED)
    assert (error.code, error.members["promises"]) == ("in-use", 1)


def test_a_hold_that_lapsed_by_arithmetic_does_not_keep_a_bed(
    network: Connection, coordinator: Context
):
    claim(network, BED, kind="hold", until=timedelta(minutes=-5))
    assert run(network, retire_bed, coordinator, BED).beds == 1


@pytest.mark.parametrize(("use_case", "place"), RETIREMENTS)
def test_a_retired_place_takes_everything_in_it_along_and_cannot_be_edited(
    network: Connection, coordinator: Context, use_case: Any, place: str
):
    done = run(network, use_case, coordinator, place)
    left = network.execute(
        select(core.bed.c.id).where(
            core.bed.c.retired_at.is_(None), core.bed.c.facility_id == "psc-1"
        )
    ).all()
    assert 4 - len(left) == done.beds
    edit, _, change = CHANGES[[it[0] for it in RETIREMENTS].index(use_case)]
    error = refused(network, Conflict, edit, coordinator, place, change)
    assert error.code == "retired"


def test_nothing_is_put_into_a_retired_place(network: Connection, coordinator: Context):
    run(network, retire_unit, coordinator, WARD)
    assert refused(network, Conflict, create_room, coordinator, room(f"{WARD}.r09")).code
    error = refused(network, Conflict, create_bed, coordinator, bed(f"{ROOM}.b9"))
    assert error.code == "retired"


def test_an_id_is_never_given_twice_even_after_retirement(
    network: Connection, coordinator: Context
):
    run(network, retire_bed, coordinator, BED)
    error = refused(network, Conflict, create_bed, coordinator, bed(BED))
    assert error.code == "id-taken"


@pytest.mark.parametrize(
    ("named", "belongs"),
    [({"unit": "cth-1.w1"}, "unit psc-1.w1"), ({"facility": "cth-1"}, "facility psc-1")],
)
def test_a_bed_named_with_a_room_of_another_place_is_refused_naming_both(
    network: Connection, coordinator: Context, named: dict[str, str], belongs: str
):
    error = refused(network, Invalid, create_bed, coordinator, bed(f"{ROOM}.b9", **named))
    assert belongs in error.detail
    assert next(iter(named.values())) in error.detail
    assert error.errors[0].pointer == "/room"
    assert error.errors[0].value == ROOM


def test_a_room_named_with_a_unit_of_another_facility_is_refused(
    network: Connection, coordinator: Context
):
    wrong = room(f"{WARD}.r09", facility="cth-1")
    error = refused(network, Invalid, create_room, coordinator, wrong)
    assert "psc-1" in error.detail
    assert "cth-1" in error.detail


def test_a_room_that_does_not_exist_is_named(network: Connection, coordinator: Context):
    error = refused(network, NotFound, create_bed, coordinator, bed("psc-1.w9.r01.b1"))
    assert "psc-1.w9.r01" in error.detail


@pytest.mark.parametrize(
    ("create", "new", "start"),
    [
        (create_unit, unit("cth-1.w9", facility="psc-1"), "psc-1."),
        (create_unit, unit("psc-1w9", facility="psc-1"), "psc-1."),
        (create_unit, unit("psc-11.w9", facility="psc-1"), "psc-1."),
        (create_room, room("psc-1.w2.r09", unit=WARD), f"{WARD}."),
        (create_room, room("r09", unit=WARD), f"{WARD}."),
        (create_bed, bed("psc-1.w1.r02.b9", room=ROOM), f"{ROOM}."),
        (create_bed, bed(f"{ROOM}b9", room=ROOM), f"{ROOM}."),
        (create_bed, bed(f"{ROOM}.", room=ROOM), f"{ROOM}."),
        (create_bed, bed(ROOM, room=ROOM), f"{ROOM}."),
        (create_bed, bed("psc-1.w1.r02.s9", room=ROOM, kind="SURGE"), f"{ROOM}."),
    ],
)
def test_an_id_that_does_not_begin_with_that_of_its_place_is_refused(
    network: Connection, coordinator: Context, create: Any, new: Any, start: str
):
    error = refused(network, Invalid, create, coordinator, new)
    [fault] = error.errors
    assert (fault.pointer, fault.code, fault.value) == ("/id", "id-not-within", new.id)
    assert new.id in fault.message
    assert f"'{start}'" in fault.message


def test_a_surge_places_id_begins_with_its_rooms(network: Connection, coordinator: Context):
    for number in (1, 2):
        made = run(network, open_surge_place, coordinator, WARD, room=ROOM)
        assert made.bed == f"{ROOM}.s{number}"


def test_an_external_facility_takes_surge_places_only(network: Connection, coordinator: Context):
    error = refused(network, Invalid, create_bed, coordinator, bed("ext-1.w1.r01.b1"))
    assert error.errors[0].code == "external-has-surge-only"
    run(network, create_bed, coordinator, bed("ext-1.w1.r01.s1", kind="SURGE"))
    nurse = BedChange(kind=BedKind.NUR)
    refused(network, Invalid, change_bed, coordinator, "ext-1.w1.r01.s1", nurse)


@pytest.mark.parametrize(("id_", "kind"), [("ext-1.w2", "PSC"), ("psc-1.w2", "EXT")])
def test_a_unit_whose_kind_does_not_fit_its_facility_is_refused(
    network: Connection, coordinator: Context, id_: str, kind: str
):
    error = refused(network, Invalid, create_unit, coordinator, unit(id_, kind=kind))
    assert error.errors[0].pointer == "/kind"


def test_a_facility_with_licensed_beds_does_not_become_external(
    network: Connection, coordinator: Context
):
    outside = FacilityChange(external=True)
    error = refused(network, Invalid, change_facility, coordinator, "psc-1", outside)
    assert error.errors[0].code == "units-do-not-fit"


def test_who_may_share_a_room_changes_only_while_it_is_empty(network: Connection, admin: Context):
    cohort = RoomChange(cohort=True)
    claim(network, BED)
    error = refused(network, Conflict, change_room, admin, ROOM, cohort)
    assert error.code == "in-use"
    assert run(network, change_room, admin, "psc-1.w1.r02", cohort).cohort


@pytest.mark.parametrize(
    ("use_case", "args"),
    [
        (create_facility, (facility("psc-9"),)),
        (retire_facility, ("psc-1",)),
        (change_facility, ("psc-1", FacilityChange(external=True))),
    ],
)
def test_the_network_itself_is_for_a_coordinator(
    network: Connection, admin: Context, use_case: Any, args: Any
):
    assert refused(network, Forbidden, use_case, admin, *args).code == "network-only"


@pytest.mark.parametrize(
    ("use_case", "args"),
    [
        (create_unit, (unit("psc-1.w2"),)),
        (create_room, (room(f"{WARD}.r09"),)),
        (create_bed, (bed(f"{ROOM}.b9"),)),
        *((use_case, (place, change)) for use_case, place, change in CHANGES),
        *((use_case, (place,)) for use_case, place in RETIREMENTS[1:]),
    ],
)
def test_an_administrator_touches_their_own_facility_only(
    network: Connection, use_case: Any, args: Any
):
    error = refused(network, Forbidden, use_case, context(STRANGER), *args)
    assert error.code == "other-facility"
    assert run(network, use_case, context(ADMIN), *args)


@pytest.mark.parametrize(
    ("make", "more", "member", "accepted"),
    [
        (unit, {"kind": "HOTEL"}, "kind", "'PSC'"),
        (unit, {"min_age": 60, "max_age": 18}, "", "youngest first"),
        (unit, {"licences": ["dentistry"]}, "licences", "'psychiatric'"),
        (unit, {"staffed_beds": -1}, "staffed_beds", "greater than or equal to 0"),
        (unit, {"observation": "unknown"}, "", "none, frequent or constant"),
        (unit, {"colour": "blue"}, "colour", "not permitted"),
        (room, {"isolation": "unknown"}, "", "airborne"),
        (room, {"id_": "Psc 1"}, "id", "pattern"),
        (bed, {"features": ["SEAVIEW"]}, "features", "'GEN'"),
        (facility, {"duty_phone": "ask the porter"}, "duty_phone", "pattern"),
        (facility, {"name": "two\nlines"}, "name", "pattern"),
        (facility, {"east_km": float("nan")}, "east_km", ""),
    ],
)
def test_an_attribute_the_trade_does_not_know_is_refused_naming_what_it_takes(
    make: Callable[..., Any], more: dict[str, Any], member: str, accepted: str
):
    with pytest.raises(ValidationError) as caught:
        make(**more)
    fault = caught.value.errors()[0]
    assert str(fault["loc"][0] if fault["loc"] else "") == member
    assert accepted in fault["msg"]


def test_lists_go_page_by_page_in_the_order_of_ids(network: Connection, coordinator: Context):
    first = run(network, list_beds, coordinator, limit=3)
    rest = run(network, list_beds, coordinator, limit=10, after=first[-1].id)
    ids = [it.id for it in (*first, *rest)]
    assert ids == sorted(ids)
    assert len(ids) == 5
    closed = run(network, list_beds, coordinator, limit=10, state=BedState.CLOSED)
    assert closed == []


def test_a_facility_sees_its_own_places_in_lists(network: Connection, admin: Context):
    assert [it.id for it in run(network, list_facilities, admin, limit=9)] == ["psc-1"]
    assert [it.id for it in run(network, list_units, admin, limit=9)] == [WARD]
    assert {it.facility for it in run(network, list_rooms, admin, limit=9)} == {"psc-1"}
    assert {it.facility for it in run(network, list_beds, admin, limit=9)} == {"psc-1"}


def test_retired_places_are_listed_only_when_asked_for(network: Connection, coordinator: Context):
    run(network, retire_facility, coordinator, "cth-1")
    present = run(network, list_facilities, coordinator, limit=9)
    every = run(network, list_facilities, coordinator, limit=9, retired=True)
    assert [it.id for it in present] == ["ext-1", "psc-1"]
    assert [it.id for it in every] == ["cth-1", "ext-1", "psc-1"]
    assert run(network, get_facility, coordinator, "cth-1").retired_at is not None
    assert run(network, get_room, coordinator, "cth-1.w1.r01").retired_at is not None
