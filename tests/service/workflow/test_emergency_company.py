"""Whom the emergency lane puts beside whom, and what then guards the room."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from service.access.caller import SYSTEM
from service.store.claims import key_of, rows
from service.store.engine import now as clock
from service.store.postgres_errors import constraint_of
from service.store.seats import seat
from service.store.tables.claims import ClaimKind
from service.workflow.emergencies.emergency import Emergency, admit_emergency
from solver.codes import Isolation, LegalBasis, Sex, UnitKind

WARD = {"kind": UnitKind.CTH, "bases": (LegalBasis.CONSTRAINED,)}
NOW = Emergency(unit="ward-1.a", officer="Dr Chen", reason="found unconscious")


def there(world, bed) -> None:
    """A man under a term is in the bed."""
    world.do(admit_emergency, world.person(), replace(NOW, bed=bed))


def held_without_a_look(world, request, bed) -> None:
    """Hold the bed as a writer would who forgot to ask who is in the room."""
    with world.engine.begin() as conn:
        now = clock(conn)
        rows.add(
            conn,
            SYSTEM,
            seat(conn, bed),
            request.person,
            ClaimKind.HOLD,
            now,
            now + timedelta(hours=1),
            now=now,
            key=key_of(conn, request.person, cohort=False),
            request=request.id,
        )


def test_an_emergency_in_fit_company_guards_its_room_against_the_other_sex(world):
    one, two = world.unit("ward-1.a", **WARD)
    done = world.do(admit_emergency, world.person(), replace(NOW, bed=one))
    assert not done.stay.segments[0].emergency
    woman = world.submit(world.person(sex=Sex.FEMALE))
    with pytest.raises(IntegrityError) as caught:
        held_without_a_look(world, woman, two)
    assert constraint_of(caught.value) == "ex_bed_claim_room_mix"


def test_an_emergency_in_company_that_forbids_it_is_flagged(world):
    one, two = world.unit("ward-1.a", **WARD)
    there(world, one)
    told = replace(NOW, bed=two)
    done = world.do(admit_emergency, world.person(sex=Sex.FEMALE), told)
    assert (done.stay.segments[0].bed, done.stay.segments[0].emergency) == (two, True)
    assert "one_sex_per_room" in done.due


MISFITS = {
    "sex": {"sex": Sex.FEMALE},
    "minor": {"age": 16},
    "custody": {"basis": LegalBasis.CONSTRAINED},
    "isolation": {"isolation": Isolation.AIRBORNE},
    "never assessed": {"isolation": None},
}


@pytest.mark.parametrize("who", MISFITS.values(), ids=MISFITS)
def test_an_emergency_takes_a_free_bed_in_fit_company_before_any_other(world, who):
    one, _, three, _ = world.unit("ward-1.a", **WARD, rooms=(2, 2))
    there(world, one)
    done = world.do(admit_emergency, world.person(**who), NOW)
    assert done.stay.segments[0].bed == three
    assert not done.stay.segments[0].emergency


@pytest.mark.parametrize("who", MISFITS.values(), ids=MISFITS)
def test_an_emergency_takes_a_free_bed_in_any_company_before_a_surge_place(world, who):
    one, two = world.unit("ward-1.a", **WARD)
    there(world, one)
    done = world.do(admit_emergency, world.person(**who), NOW)
    assert not done.surge
    assert done.stay.segments[0].bed == two


@pytest.mark.parametrize("who", MISFITS.values(), ids=MISFITS)
def test_a_surge_place_is_put_up_in_fit_company_unless_a_room_is_named(world, who):
    one, _ = world.unit("ward-1.a", **WARD, rooms=(1, 1))
    there(world, one)
    world.out_of_use("ward-1.a.r2.b1")
    first, second = (world.person(**who) for _ in range(2))
    done = world.do(admit_emergency, first, NOW)
    assert (done.surge, done.stay.segments[0].bed) == (True, "ward-1.a.r2.s1")
    told = replace(NOW, room="ward-1.a.r1")
    done = world.do(admit_emergency, second, told)
    assert (done.surge, done.stay.segments[0].bed) == (True, "ward-1.a.r1.s1")
