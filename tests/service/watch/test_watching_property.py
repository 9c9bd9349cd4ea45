"""After any change of facts or places, what is written equals a judgement of everybody anew."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from service.store.network import load_network
from service.workflow.context import Context
from solver.check import occupant, room_relations
from solver.codes import Isolation, Sex
from solver.eligibility import facts, misplaced, place
from tests.service.watch.looking import basis, change, days, judge, open_rules
from tests.service.workflow.conftest import empty
from tests.service.workflow.world import World

UNITS = ("psc-1.w1", "psc-1.w2")
PEOPLE = 5

_who = st.integers(0, PEOPLE - 1)
_unit = st.sampled_from(UNITS)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("isolation"), _who, st.sampled_from(list(Isolation))),
        st.tuples(st.just("grade"), _who, st.integers(0, 5)),
        st.tuples(st.just("pregnant"), _who, st.sampled_from(["yes", "no", "unknown"])),
        st.tuples(st.just("sex"), _who, st.sampled_from(list(Sex))),
        st.tuples(st.just("ends"), _who, st.sampled_from([-1, 0, 30])),
        st.tuples(st.just("born"), _who, st.sampled_from([12, 17, 30])),
        st.tuples(st.just("ages"), _unit, st.sampled_from([20, 150])),
        st.tuples(st.just("care"), _unit, st.integers(1, 4)),
        st.tuples(st.just("room"), _unit, st.sampled_from([None, "male", "female"])),
        st.tuples(st.just("leaves"), _who, st.none()),
    ),
    min_size=1,
    max_size=8,
)


def from_scratch(conn: Connection, ctx: Context) -> dict[str, list[str]]:
    """Rules and relations of everybody in a bed of the city, looked at without what is written."""
    city = load_network(conn, ctx.policy)
    found: dict[str, list[str]] = {}
    for stay in city.stay_of.values():
        room = city.rooms[city.beds[stay.bed].room]
        person = city.persons[stay.person]
        who = facts(person, city.on, city.now, city.policy)
        beside = [
            occupant(city.persons[it.person])
            for it in city.stay_of.values()
            if city.beds[it.bed].room == room.id and it.person != stay.person
        ]
        wrong = {it.rule for it in misplaced(who, place(city, stay.bed))}
        wrong |= {it.value for it in room_relations(occupant(person), beside, room.cohort)}
        if wrong:
            found[stay.person] = sorted(wrong)
    return found


def step(world: World, people: list[str], stays: dict[str, str], what: tuple[Any, ...]) -> None:
    name, subject, value = what
    if name in ("ages", "care", "room"):
        column = {"ages": "max_age", "care": "level_of_care", "room": "sex"}[name]
        if name == "room":
            change(world, "UPDATE room SET sex = :v WHERE unit_id = :u", v=value, u=subject)
        else:
            change(world, f"UPDATE unit SET {column} = :v WHERE id = :u", v=value, u=subject)
        judge(world, units=(subject,))
        return
    person = people[subject]
    if name == "leaves":
        if person in stays:
            world.discharged(stays.pop(person))
        return
    if name == "isolation":
        world.assess(person, value)
    elif name in ("grade", "pregnant"):
        change(world, f"UPDATE assessment SET {name} = :v WHERE person_id = :p", v=value, p=person)
    elif name == "sex":
        change(world, "UPDATE person SET sex = :v WHERE id = :p", v=value.value, p=person)
    elif name == "born":
        born = days(0).replace(year=days(0).year - value, month=1, day=1)
        change(world, "UPDATE person SET birth_date = :v WHERE id = :p", v=born, p=person)
    else:
        basis(world, person, ends_on=days(value))
    judge(world, person)


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_what_is_written_equals_a_judgement_of_everybody_anew(
    world: World, steps: list[tuple[Any, ...]]
) -> None:
    empty(world.engine)
    beds = [bed for unit in UNITS for bed in world.unit(unit, rooms=(2, 1))]
    people = [world.person() for _ in range(PEOPLE)]
    stays = {
        person: world.admitted(bed, person).id for person, bed in zip(people, beds, strict=False)
    }
    for what in steps:
        step(world, people, stays, what)
        assert open_rules(world) == world.do(from_scratch), what
    clocks = world.sql(
        "SELECT person_id FROM due_item WHERE kind = 'misplaced' AND settled_at IS NULL"
    )
    assert sorted(row[0] for row in clocks) == sorted(open_rules(world))
