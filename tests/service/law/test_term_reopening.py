"""A departure recorded in error is taken back, and its term with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from service.errors import Conflict
from service.lifecycle import StayState, TermState
from service.store import terms as rows
from service.store.locks import lock
from service.store.network import load_network
from service.store.tables.claims import StayEnd
from service.store.tables.law import AbsenceKind, TermEnd
from service.workflow.context import Context
from service.workflow.law import absences, releases
from service.workflow.stays.corrections import cancel_discharge
from solver.codes import DecisionStatus
from solver.eligibility import facts, place, refusals
from tests.service.law.cases import centre, clocks, held, term_of, today
from tests.service.workflow.world import World


def taken_back(world: World, stay: str):
    return world.do(cancel_discharge, stay, reason="another resident")


def in_force(world: World, person: str) -> int:
    found: int = world.one(
        "SELECT count(*) FROM legal_basis WHERE person_id = :p AND revoked_at IS NULL", p=person
    )
    return found


def test_a_death_recorded_in_error_gives_back_term_decision_and_calendar(world: World):
    bed, _ = centre(world)
    row, stay = held(world, bed)
    calendar = clocks(world, row)
    world.discharged(stay, StayEnd.DIED)
    assert in_force(world, row.person) == 0
    assert taken_back(world, stay).state is StayState.ACTIVE
    again = term_of(world, row.person)
    assert (again.id, again.state, again.end) == (row.id, TermState.IN_BED, None)
    assert in_force(world, row.person) == 1
    assert clocks(world, row).keys() == calendar.keys()
    assert clocks(world, row)["term_end"] == calendar["term_end"]
    assert world.one("SELECT outcome FROM due_item WHERE kind = 'death_notices'") == "called_off"
    assert world.one("SELECT count(*) FROM misplacement WHERE ended_at IS NULL") == 0


def test_a_release_on_the_last_day_recorded_in_error_runs_the_term_again(world: World):
    bed, _ = centre(world)
    row, stay = held(world, bed)
    world.set("term", row.id, ends_on=today())
    world.discharged(stay, StayEnd.RELEASED)
    assert world.one("SELECT end_code FROM term WHERE id = :t", t=row.id) == "expired"
    taken_back(world, stay)
    assert term_of(world, row.person).state is TermState.IN_BED
    assert in_force(world, row.person) == 1
    assert "release_papers" not in clocks(world, row)


@pytest.mark.parametrize("returned", [False, True])
def test_an_escape_recorded_in_error_is_no_absence_and_adds_no_day(world: World, returned: bool):
    bed, _ = centre(world)
    row, stay = held(world, bed)
    world.discharged(stay, StayEnd.ESCAPED)
    assert term_of(world, row.person).state is TermState.ESCAPED
    if returned:
        world.sql_do("UPDATE term_absence SET began_on = began_on - 3")
        world.do(absences.came_back, row.id, reason="found")
        assert term_of(world, row.person).ends_on == row.ends_on + timedelta(days=3)
        world.sql_do("UPDATE term_absence SET began_on = began_on + 3")
    taken_back(world, stay)
    again = term_of(world, row.person)
    assert (again.state, again.ends_on, again.escape_days) == (TermState.IN_BED, row.ends_on, 0)
    assert world.one("SELECT count(*) FROM term_absence") == 0
    assert {"term_end", "release_notice"} <= clocks(world, row).keys()
    assert "escape_notice" not in clocks(world, row)
    assert world.one("SELECT count(*) FROM placement_request WHERE state = 'waiting'") == 0
    assert {"term_absence.begun", "term_absence.cancelled"} <= set(world.events())


@pytest.mark.parametrize("end", [TermEnd.REVOKED, TermEnd.NOT_APPLICABLE])
def test_nobody_is_put_back_into_custody_past_an_end_that_stands(world: World, end: TermEnd):
    bed, _ = centre(world)
    row, stay = held(world, bed)
    world.do(releases.release, row.id, end=end, reason="set aside")
    with world.refuses(Conflict, "term-ended") as caught:
        taken_back(world, stay)
    assert "let them go" in caught.value.detail
    assert world.one("SELECT state FROM stay WHERE id = :s", s=stay) == "ended"


def test_somebody_in_detention_comes_back_by_their_term_before_the_discharge_is_taken_back(
    world: World,
):
    bed, _ = centre(world)
    row, stay = held(world, bed)
    world.do(absences.detained, row.id, AbsenceKind.DETENTION, reason="another case")
    with world.refuses(Conflict, "absent-already"):
        taken_back(world, stay)
    world.do(absences.came_back, row.id, reason="it was somebody else")
    taken_back(world, stay)
    assert term_of(world, row.person).state is TermState.IN_BED


@pytest.mark.parametrize(
    ("end", "says"),
    [
        (TermEnd.EXPIRED, DecisionStatus.EXPIRED),
        (TermEnd.RELEASED_EARLY, DecisionStatus.EXPIRED),
        (TermEnd.REVOKED, DecisionStatus.REVOKED),
        (TermEnd.NOT_APPLICABLE, DecisionStatus.REVOKED),
    ],
)
def test_a_decision_that_ran_out_is_said_to_be_over_and_not_revoked(
    world: World, end: TermEnd, says: DecisionStatus
):
    bed, _ = centre(world)
    row, _ = held(world, bed)
    if end is TermEnd.EXPIRED:
        world.set("term", row.id, ends_on=today())
    world.do(let_go_now, row.person, end)
    with world.engine.connect() as conn:
        network = load_network(conn, world.ctx.policy, units=["psc-1.w1"], persons=[row.person])
    who = facts(network.persons[row.person], today(), datetime.now(UTC), network.policy)
    assert who.decision is says
    no = next(it for it in refusals(who, place(network, bed)) if it.rule == "L01")
    assert no.offered == says.value


def let_go_now(conn: Connection, ctx: Context, person: str, end: TermEnd) -> None:
    now = lock(conn, persons=[person])
    row = rows.term_of(conn, person)
    assert row is not None
    releases.let_go(conn, ctx, row, end, "over", now)
