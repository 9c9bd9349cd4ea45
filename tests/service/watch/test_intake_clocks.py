"""What a centre owes at an intake, when the person goes straight on to a ward or comes back."""

from __future__ import annotations

from service.workflow.emergencies.emergency import Emergency, admit_emergency
from service.workflow.moves import handover
from service.workflow.placing import answers
from service.workflow.placing.admission import admit
from solver.codes import UnitKind
from tests.service.workflow.world import World

POLICE = {"intake_exam", "first_talk", "diagnosis_file"}
JUSTICE = {"intake_exam", "notify_family_intake", "diagnosis_file"}


def running(world: World, facility: str) -> set[str]:
    rows = world.sql(
        "SELECT kind FROM due_item WHERE facility_id = :f AND subject_type = 'stay'"
        " AND settled_at IS NULL",
        f=facility,
    )
    return {row.kind for row in rows}


def moved(world: World, stay: str, bed: str, kind: UnitKind) -> str:
    """Taken to another bed by a transfer; the new stay."""
    person = world.one("SELECT person_id FROM stay WHERE id = :s", s=stay)
    world.fit_to_move(person, kind)
    world.do(handover.arrive, world.on_the_way(stay, bed).id)
    return str(world.one("SELECT id FROM stay WHERE person_id = :p AND ended_at IS NULL", p=person))


def in_the_ward_at_night(world: World) -> tuple[str, str]:
    """Taken in by psc-1, which had no bed and put them into a ward the same night; its stay, and
    a bed of the centre."""
    [bed] = world.unit("psc-1.w1", rooms=(1,))
    [ward] = world.unit("omw-1.w1", rooms=(1,), kind=UnitKind.OMW)
    person = world.person()
    made = world.submit(person, responsible_facility="psc-1")
    world.decide(made.id, ward)
    world.do(answers.accept, made.id)
    return world.do(admit, made.id).id, bed


def test_the_centre_that_sends_somebody_straight_to_a_ward_owes_the_intake(world: World) -> None:
    in_the_ward_at_night(world)
    assert running(world, "psc-1") >= POLICE
    assert running(world, "omw-1").isdisjoint(POLICE)


def test_coming_from_the_ward_to_the_centre_begins_what_it_has_not_done_yet(world: World) -> None:
    stay, bed = in_the_ward_at_night(world)
    world.sql_do(
        "UPDATE due_item SET settled_at = now(), settled_by = 'x', outcome = 'done'"
        " WHERE kind = 'first_talk'"
    )
    moved(world, stay, bed, UnitKind.PSC)
    assert running(world, "psc-1") & POLICE == {"intake_exam", "diagnosis_file"}


def test_a_justice_centre_owes_its_intake_to_whoever_comes_from_a_ward(world: World) -> None:
    stay, _ = in_the_ward_at_night(world)
    world.sql_do("UPDATE term SET decided_on = current_date - 150, psc_since = current_date - 140")
    [bed] = world.unit("jsc-1.w1", rooms=(1,), kind=UnitKind.JSC, security_owner="justice")
    moved(world, stay, bed, UnitKind.JSC)
    assert running(world, "jsc-1") >= JUSTICE


def test_a_return_to_the_centre_that_did_its_intake_begins_nothing_anew(world: World) -> None:
    here, back = world.unit("psc-1.w1", rooms=(1, 1))
    [ward] = world.unit("omw-1.w1", rooms=(1,), kind=UnitKind.OMW)
    stay = world.admitted(here)
    world.sql_do(
        "UPDATE due_item SET settled_at = now(), settled_by = 'x', outcome = 'done'"
        " WHERE kind IN ('intake_exam', 'first_talk', 'diagnosis_file')"
    )
    there = moved(world, stay.id, ward, UnitKind.OMW)
    assert running(world, "psc-1").isdisjoint(POLICE)
    moved(world, there, back, UnitKind.PSC)
    assert running(world, "psc-1").isdisjoint(POLICE)


def test_after_an_emergency_the_centre_and_not_the_hospital_tells_the_family(world: World) -> None:
    [bed] = world.unit("psc-1.w1", rooms=(1,))
    world.unit("ext-1.w1", kind=UnitKind.EXT, bases=(), external=True)
    stay = world.admitted(bed)
    world.do(admit_emergency, stay.person, Emergency(unit="ext-1.w1", officer="Lin", reason="ill"))
    assert "family_told_of_move" in running(world, "psc-1")
    assert "family_told_of_move" not in running(world, "ext-1")
