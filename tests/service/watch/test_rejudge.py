"""Whenever facts or places change, the place each person is in is judged anew."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from service.errors import Conflict
from service.store.engine import run
from service.store.locks import lock
from service.workflow.watch.watching import rejudge
from service.workflow.watch.watching_basis import DueCode, require_basis_for_move
from solver.codes import Isolation, LegalBasis, Sex, UnitKind
from tests.service.watch.looking import (
    basis,
    change,
    days,
    judge,
    open_rules,
    running,
    state,
)
from tests.service.workflow.world import World


def pregnant(world: World, person: str, answer: str = "yes") -> None:
    change(world, "UPDATE assessment SET pregnant = :a WHERE person_id = :p", a=answer, p=person)


def test_a_lawful_place_opens_no_misplacement(world: World) -> None:
    beds = world.unit()
    stay = world.admitted(beds[0])
    assert judge(world, stay.person) == frozenset()
    assert open_rules(world) == {}


def test_somebody_without_a_bed_is_not_judged(world: World) -> None:
    person = world.person()
    assert judge(world, person) == frozenset()
    assert world.events() == []


def test_a_place_above_its_level_of_care_is_told_outside_the_unit_with_a_days_clock(
    world: World,
) -> None:
    beds = world.unit(level_of_care=2)
    stay = world.admitted(beds[0])
    change(world, "UPDATE assessment SET grade = 4")
    assert judge(world, stay.person) == {stay.id}
    (rules,) = open_rules(world).values()
    assert rules, "the rules are named"
    due = running(world, stay.id)["misplaced"]
    assert timedelta(hours=23) < due - datetime.now(UTC) <= timedelta(hours=24)
    owner = world.one("SELECT owner FROM due_item WHERE kind = 'misplaced'")
    assert owner == "coordinator"
    told = world.sql("SELECT data FROM event WHERE operation = 'stay.misplaced'")
    assert [set(row[0]) for row in told] == [{"misplacement"}]


def test_a_pregnant_woman_in_custody_is_a_matter_of_hours_and_her_discharge_is_due(
    world: World,
) -> None:
    beds = world.unit()
    stay = world.admitted(beds[0], world.person(sex=Sex.FEMALE))
    pregnant(world, stay.person)
    assert judge(world, stay.person) == {stay.id}
    assert "P01" in open_rules(world)[stay.person]
    assert running(world, stay.id)["misplaced"] - datetime.now(UTC) <= timedelta(hours=4)
    assert state(world, stay.id) == ("discharge_due", DueCode.NOT_APPLICABLE)


def test_judging_twice_changes_nothing(world: World) -> None:
    beds = world.unit()
    stay = world.admitted(beds[0], world.person(sex=Sex.FEMALE))
    pregnant(world, stay.person)
    judge(world, stay.person)
    before = world.events(), running(world, stay.id), open_rules(world)
    assert judge(world, stay.person) == {stay.id}
    assert (world.events(), running(world, stay.id), open_rules(world)) == before


def test_a_place_that_is_right_again_ends_the_misplacement_and_its_clock(world: World) -> None:
    beds = world.unit()
    stay = world.admitted(beds[0], world.person(sex=Sex.FEMALE))
    pregnant(world, stay.person)
    judge(world, stay.person)
    pregnant(world, stay.person, "no")
    assert judge(world, stay.person) == frozenset()
    assert open_rules(world) == {}
    assert running(world, stay.id) == {}
    assert state(world, stay.id) == ("active", None)
    assert world.events()[-1] == "stay.placed_right"


def test_a_graver_rule_brings_the_clock_forward_and_a_lesser_one_leaves_it(world: World) -> None:
    beds = world.unit(level_of_care=2)
    stay = world.admitted(beds[0], world.person(sex=Sex.FEMALE))
    change(world, "UPDATE assessment SET grade = 4")
    judge(world, stay.person)
    slow = running(world, stay.id)["misplaced"]
    pregnant(world, stay.person)
    judge(world, stay.person)
    fast = running(world, stay.id)["misplaced"]
    assert fast < slow
    pregnant(world, stay.person, "no")
    judge(world, stay.person)
    assert running(world, stay.id)["misplaced"] == fast
    assert open_rules(world)[stay.person]


def test_room_mates_of_somebody_to_be_isolated_are_misplaced_with_them(world: World) -> None:
    beds = world.unit()
    sick, well = world.admitted(beds[0]), world.admitted(beds[1])
    world.assess(sick.person, Isolation.AIRBORNE)
    assert judge(world, sick.person) == {sick.id}
    assert open_rules(world)[well.person] == ["isolation_exclusivity"]
    world.assess(sick.person, Isolation.NONE)
    assert judge(world, sick.person) == frozenset()
    assert open_rules(world) == {}


def test_a_change_of_a_unit_judges_everybody_in_it_without_holding_them(world: World) -> None:
    beds = world.unit()
    one, other = world.admitted(beds[0]), world.admitted(beds[1])
    world.set("unit", "psc-1.w1", max_age=20)
    assert judge(world, units=("psc-1.w1",)) == {one.id, other.id}
    world.set("unit", "psc-1.w1", max_age=150)
    assert judge(world, units=("psc-1.w1",)) == frozenset()


def test_a_term_that_has_ended_makes_the_discharge_due_within_hours(world: World) -> None:
    beds = world.unit()
    stay = world.admitted(beds[0])
    basis(world, stay.person, ends_on=days(-1))
    judge(world, stay.person)
    assert state(world, stay.id) == ("discharge_due", DueCode.TERM_END)
    assert "discharge_due" in running(world, stay.id)
    assert "stay.discharge_due" in world.events()


def test_the_last_day_of_a_term_counts_whole(world: World) -> None:
    beds = world.unit()
    stay = world.admitted(beds[0])
    basis(world, stay.person, ends_on=days(0))
    assert judge(world, stay.person) == frozenset()
    assert state(world, stay.id) == ("active", None)


def test_a_term_that_was_extended_in_time_goes_on(world: World) -> None:
    beds = world.unit()
    stay = world.admitted(beds[0])
    basis(world, stay.person, ends_on=days(-1))
    judge(world, stay.person)
    basis(world, stay.person, ends_on=days(30))
    judge(world, stay.person)
    assert state(world, stay.id) == ("active", None)
    assert running(world, stay.id) == {}


def hospital(world: World) -> tuple[list[str], str]:
    beds = world.unit(
        "hosp-1.w1", kind=UnitKind.CTH, bases=(LegalBasis.CONSTRAINED, LegalBasis.VOLUNTARY)
    )
    person = world.person(basis=LegalBasis.CONSTRAINED)
    world.consents(person, UnitKind.CTH)
    change(world, "UPDATE consent SET capable = 'yes', capacity_by = 'doctor' WHERE true")
    return beds, person


def test_an_expired_consent_makes_the_place_wrong_and_leaves_the_stay_to_the_consents_clock(
    world: World,
) -> None:
    beds, person = hospital(world)
    stay = world.admitted(beds[0], person)
    assert judge(world, person) == frozenset()
    change(world, "UPDATE consent SET ends_on = :d", d=days(-1))
    assert judge(world, person) == {stay.id}
    assert "V03" in open_rules(world)[person]
    assert state(world, stay.id) == ("active", None)
    with pytest.raises(Conflict, match="no-basis-to-move"):
        may_move(world, person)


def test_a_consent_for_another_kind_of_unit_is_a_wrong_place_and_no_discharge(
    world: World,
) -> None:
    beds, person = hospital(world)
    stay = world.admitted(beds[0], person)
    change(world, "UPDATE consent SET kinds = '{DTI}'")
    assert judge(world, person) == {stay.id}
    assert state(world, stay.id) == ("active", None)


def may_move(world: World, person: str) -> None:
    def held(conn, ctx):
        now = lock(conn, persons=[person])
        require_basis_for_move(conn, ctx, person, now)

    run(world.engine, held, world.ctx)


def test_without_a_basis_the_only_moves_are_release_and_emergency(world: World) -> None:
    beds = world.unit()
    stay = world.admitted(beds[0])
    may_move(world, stay.person)
    basis(world, stay.person, revoked_at=datetime.now(UTC))
    with pytest.raises(Conflict) as refused:
        may_move(world, stay.person)
    assert refused.value.code == "no-basis-to-move"
    assert refused.value.members["moves"] == ["release", "emergency"]


def test_two_changes_that_are_wrong_only_together_are_seen_by_the_later_one(world: World) -> None:
    beds = world.unit()
    one, other = world.admitted(beds[0]), world.admitted(beds[1])
    changed, go_on = threading.Event(), threading.Event()

    def slow(conn, ctx):
        now = lock(conn, persons=[one.person])
        conn.execute(text("UPDATE person SET sex = 'female' WHERE id = :p"), {"p": one.person})
        rejudge(conn, ctx, now, persons=[one.person])
        changed.set()
        go_on.wait(5)

    thread = threading.Thread(target=run, args=(world.engine, slow, world.ctx))
    thread.start()
    assert changed.wait(5)
    found: list[frozenset[str]] = []
    later = threading.Thread(target=lambda: found.append(judge(world, other.person)))
    later.start()
    later.join(0.3)
    assert later.is_alive(), "the second judgement waits for the first"
    go_on.set()
    later.join(5)
    thread.join(5)
    assert found == [frozenset({other.id})]
    assert set(open_rules(world)) == {one.person, other.person}
