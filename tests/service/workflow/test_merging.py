"""Two records of one person go on as one."""

from __future__ import annotations

from service.errors import Conflict, Invalid, NotFound
from service.store.network import load_network
from service.store.tables.claims import StayEnd
from service.store.terms import begin_missing
from service.workflow.persons.merging import merge_persons
from service.workflow.persons.people import opened_identity, require_person, sealed_identity
from solver.codes import Isolation, Sex


def merged(world, keep, other):
    return world.do(merge_persons, keep, other, reason="same identity card")


def test_everything_goes_over_to_the_record_that_lives_on(world):
    one, two = world.unit(rooms=(1, 1))
    keep, other = world.person(basis=None), world.person()
    stay = world.admitted(one, other)
    world.discharged(stay.id)
    live = world.held(two, other)
    assert merged(world, keep, other).misplaced is False
    for table in ("stay", "placement_request", "legal_basis", "assessment"):
        owners = world.sql(f"SELECT DISTINCT person_id FROM {table}")
        assert [it[0] for it in owners] == [keep], table
    kept = world.sql("SELECT kind, bed_id FROM bed_claim WHERE person_id = :p AND voided_at IS NULL"
                     " ORDER BY id", p=keep)  # fmt: skip
    assert {tuple(it) for it in kept} == {("stay", one), ("hold", one), ("hold", two)}
    assert world.one("SELECT count(*) FROM bed_claim WHERE person_id = :p AND voided_at IS NULL",
                     p=other) == 0  # fmt: skip
    assert world.one("SELECT merged_into FROM person WHERE id = :p", p=other) == keep
    with world.refuses(Conflict, "person-merged"):
        world.submit(other)
    with world.refuses(Conflict, "request-live") as caught:
        world.submit(keep)
    assert caught.value.members["request"] == live.id
    with world.engine.connect() as conn:
        network = load_network(conn, world.ctx.policy)
    assert set(network.persons) == {keep}
    assert world.events()[-1] == "person.merged"


def test_an_identity_the_kept_record_lacks_comes_over(world):
    keep, other = world.person(), world.person(basis=None)
    sealed = sealed_identity(world.ctx.vault, other, {"name": "Lin", "phone": None})
    world.set("person", other, identity=sealed, document_index="f" * 64)
    merged(world, keep, other)
    with world.engine.connect() as conn:
        row = require_person(conn, keep)
    assert row["document_index"] == "f" * 64
    assert opened_identity(world.ctx.vault, row)["name"] == "Lin"


def test_a_finding_of_the_other_record_counts_for_the_room_at_once(world):
    one, two = world.unit()
    keep = world.person()
    world.admitted(one, keep)
    world.admitted(two)
    other = world.person(basis=None, isolation=Isolation.AIRBORNE)
    assert merged(world, keep, other).misplaced is True


def test_two_live_things_of_one_kind_are_ended_first(world):
    keep, other = world.person(), world.person(basis=None)
    world.submit(keep)
    world.submit(other)
    with world.refuses(Conflict, "both-live") as caught:
        merged(world, keep, other)
    assert len(caught.value.members["ids"]) == 2


def test_nobody_was_in_two_beds_at_once(world):
    one, two = world.unit()
    first, second = world.admitted(one), world.admitted(two)
    with world.engine.begin() as conn:
        conn.exec_driver_sql("DELETE FROM due_item WHERE subject_type = 'term'")
        conn.exec_driver_sql("DELETE FROM term WHERE person_id = %s", (second.person,))
    with world.refuses(Conflict, "in-two-beds"):
        merged(world, first.person, second.person)


def test_two_people_are_not_one(world):
    keep, other = world.person(), world.person(sex=Sex.FEMALE)
    with world.refuses(Conflict, "persons-differ"):
        merged(world, keep, other)
    with world.refuses(Invalid, "same-person"):
        merged(world, keep, keep)
    with world.refuses(NotFound, "person-not-found"):
        merged(world, keep, "p-0000000000")
    with world.refuses(Invalid, "reason-missing"):
        world.do(merge_persons, keep, other, reason=" ")
    third = world.person(basis=None)
    merged(world, keep, third)
    with world.refuses(Conflict, "person-merged"):
        merged(world, other, third)


def test_one_movement_stop_stands_for_the_one_person(world):
    keep, other = world.person(), world.person(basis=None)
    with world.engine.begin() as conn:
        for number, person in enumerate((keep, other)):
            conn.exec_driver_sql(
                "INSERT INTO movement_stop (id, person_id, reason, set_by, set_at)"
                " VALUES (%s, %s, 'observation', 'doctor', now())",
                (f"ms_{number}", person),
            )
    merged(world, keep, other)
    live = world.sql("SELECT person_id FROM movement_stop WHERE lifted_at IS NULL")
    assert [it[0] for it in live] == [keep]


# who died -------------------------------------------------------------------------------------
def test_whoever_died_under_one_record_asks_for_nothing_under_the_other(world):
    one, two = world.unit(rooms=(1, 1))
    dead, other = world.person(), world.person()
    world.discharged(world.admitted(one, dead).id, StayEnd.DIED)
    asked = world.held(two, other)
    with world.engine.begin() as conn:
        begin_missing(conn, [other])
    merged(world, dead, other)
    request = world.sql("SELECT state, end_reason FROM placement_request WHERE id = :r", r=asked.id)
    assert [tuple(it) for it in request] == [("withdrawn", "person_died")]
    assert world.one("SELECT count(*) FROM bed_claim WHERE bed_id = :b AND voided_at IS NULL"
                     " AND upper_inf(during)", b=two) == 0  # fmt: skip
    assert world.one("SELECT count(*) FROM bed_claim WHERE bed_id = :b AND voided_at IS NULL"
                     " AND upper(during) > now()", b=two) == 0  # fmt: skip
    assert world.one("SELECT count(*) FROM term WHERE closed_at IS NULL") == 0


def test_a_record_with_a_death_and_one_with_a_bed_are_looked_at_first(world):
    one, two = world.unit(rooms=(1, 1))
    dead, other = world.person(), world.person()
    world.discharged(world.admitted(one, dead).id, StayEnd.DIED)
    stay = world.admitted(two, other)
    with world.refuses(Conflict, "one-died") as caught:
        merged(world, dead, other)
    assert caught.value.members["stay"] == stay.id
    world.discharged(stay.id, StayEnd.DIED)
    assert merged(world, dead, other).person == dead
