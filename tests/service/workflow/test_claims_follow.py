"""Claims follow their person's findings: who may share the room is kept true by the database."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from service.store.claims import rekey
from service.store.claims.rows import rearranging
from service.store.engine import run
from service.store.locks import lock
from service.workflow.placing import placement
from service.workflow.watch import clocks
from solver.codes import Isolation, UnitKind


def follow(world, person):
    def use_case(conn):
        lock(conn, persons=[person])
        return rekey(conn, person)

    return run(world.engine, use_case)


def keys(world, person):
    return [
        tuple(it)
        for it in world.sql(
            "SELECT kind, mix_key, emergency, upper_inf(during) FROM bed_claim"
            " WHERE person_id = :p AND voided_at IS NULL AND kind <> 'hold'"
            " ORDER BY lower(during)",
            p=person,
        )
    ]


def test_a_finding_that_changes_nothing_writes_nothing(world):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    world.assess(stay.person)
    before = world.fingerprint()
    assert follow(world, stay.person).claims == ()
    assert world.fingerprint() == before


def test_somebody_alone_in_a_room_goes_on_under_a_key_of_their_own(world):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    world.assess(stay.person, Isolation.AIRBORNE)
    assert follow(world, stay.person).misplaced is False
    alone = f"alone:{stay.person}"
    assert keys(world, stay.person) == [
        ("stay", "male", False, False),
        ("stay", alone, False, True),
    ]
    ends = world.sql(
        "SELECT upper(during) = (SELECT lower(during) FROM bed_claim WHERE mix_key = :k)"
        " FROM bed_claim WHERE mix_key = 'male' AND kind = 'stay'", k=alone,
    )  # fmt: skip
    assert [it[0] for it in ends] == [True]


def test_company_that_is_no_longer_allowed_is_flagged_and_told_not_refused(world):
    one, two = world.unit()
    stay, mate = world.admitted(one), world.admitted(two)
    world.assess(stay.person, Isolation.DROPLET)
    assert follow(world, stay.person).misplaced is True
    assert keys(world, stay.person)[-1] == ("stay", f"alone:{stay.person}", True, True)
    world.discharged(mate.id)
    world.assess(stay.person, Isolation.NONE)
    assert follow(world, stay.person).misplaced is False
    assert keys(world, stay.person)[-1] == ("stay", "male", False, True)


def test_a_hold_is_written_anew_with_its_expiry_and_lapses_once(world):
    bed, _ = world.unit()
    held = world.accepted(bed)
    world.assess(held.person, Isolation.CONTACT)
    follow(world, held.person)
    new = world.do(placement.get, held.id).hold
    assert (new.until, new.accepted) == (held.hold.until, True)
    assert new.id != held.hold.id
    assert world.one("SELECT mix_key FROM bed_claim WHERE id = :h", h=new.id).startswith("alone")
    world.age_hold(bed)
    assert world.do(clocks.lapse_holds).holds == 1


def test_a_stay_and_a_hold_in_one_room_change_together(world):
    one, two = world.unit(rooms=(2,))
    stay = world.admitted(one)
    world.fit_to_move(stay.person, UnitKind.PSC)
    world.approved(stay.id, two)
    world.assess(stay.person, Isolation.CONTACT)
    assert len(follow(world, stay.person).claims) == 2
    live = "SELECT DISTINCT mix_key FROM bed_claim WHERE voided_at IS NULL AND during @> now()"
    assert [it[0] for it in world.sql(live)] == [f"alone:{stay.person}"]


def test_the_rearrangement_is_checked_at_its_end(world):
    one, two = world.unit()
    world.admitted(one)
    other = world.admitted(two)

    def overlapping():
        with world.engine.begin() as conn, rearranging(conn):
            conn.exec_driver_sql(
                "UPDATE bed_claim SET bed_id = %s WHERE stay_id = %s AND kind = 'stay'",
                (one, other.id),
            )

    with pytest.raises(IntegrityError, match="ex_bed_claim_bed"):
        overlapping()
