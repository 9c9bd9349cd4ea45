"""Races for beds between real connections: first without the guards, then with them.

The control drops the bed's exclusion constraint in a scratch database and replaces the lock in
the test by one that only reads the clock; it must double-book, or these tests prove nothing.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection

from service.errors import Conflict, ServiceError
from service.store import engine as store_engine
from service.store.engine import make_engine
from service.store.postgres_errors import Conflict as LostRace
from service.workflow.emergencies.emergency import Emergency, admit_emergency
from service.workflow.moves import transfers
from service.workflow.placing import admission, answers, decisions, placement
from service.workflow.watch import clocks
from solver.codes import LegalBasis, Sex, UnitKind
from tests.service.workflow.world import CHOICE, World

CLIENTS = 16

DOUBLE_BOOKINGS = """
    SELECT count(*) FROM bed_claim a JOIN bed_claim b
    ON a.bed_id = b.bed_id AND a.id < b.id AND a.during && b.during
    AND a.voided_at IS NULL AND b.voided_at IS NULL
"""
MIXED_ROOMS = """
    SELECT count(*) FROM bed_claim a JOIN bed_claim b
    ON a.room_id = b.room_id AND a.id < b.id AND a.during && b.during AND a.mix_key <> b.mix_key
    AND a.voided_at IS NULL AND b.voided_at IS NULL AND NOT a.emergency AND NOT b.emergency
"""
PERSON_IN_TWO_BEDS = """
    SELECT count(*) FROM bed_claim a JOIN bed_claim b
    ON a.person_id = b.person_id AND a.id < b.id AND a.during && b.during
    AND a.kind = 'stay' AND b.kind = 'stay' AND a.voided_at IS NULL AND b.voided_at IS NULL
"""


def race(*tries: Callable[[], Any]) -> Counter[str]:
    """Let all of them loose at once; how each ended: ``won``, or the code of the conflict.

    Anything that is no conflict (a timeout, a lost deadlock, a fault) fails the test.
    """
    start = threading.Barrier(len(tries))

    def run(attempt: Callable[[], Any]) -> str:
        start.wait(timeout=30)
        try:
            attempt()
        except Conflict as lost:
            return lost.code
        except LostRace as lost:
            return f"lost-race:{lost.constraint}"
        return "won"

    with ThreadPoolExecutor(len(tries)) as pool:
        return Counter(pool.map(run, tries))


def assert_nobody_shares(world: World) -> None:
    for query in (DOUBLE_BOOKINGS, MIXED_ROOMS, PERSON_IN_TWO_BEDS):
        assert world.one(query) == 0


def unguarded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take both guards away: the constraint from this scratch database, the lock from the test."""
    with world.engine.begin() as conn:
        conn.exec_driver_sql("ALTER TABLE bed_claim DROP CONSTRAINT ex_bed_claim_bed")
    together = threading.Barrier(CLIENTS)

    def no_lock(conn: Connection, **_: Any) -> Any:
        now = store_engine.now(conn)
        together.wait(timeout=30)
        return now

    monkeypatch.setattr(decisions, "lock", no_lock)


def test_without_lock_and_constraint_many_get_the_same_bed(database_url, monkeypatch):
    world = World(make_engine(database_url, pool_size=CLIENTS + 1))
    bed = world.unit(rooms=(1,))[0]
    asking = [world.submit().id for _ in range(CLIENTS)]
    unguarded(world, monkeypatch)
    race(*(partial(world.decide, id_, bed) for id_ in asking))
    assert world.one(DOUBLE_BOOKINGS) > 0
    world.engine.dispose()


def test_the_constraint_alone_keeps_a_bed_single_when_every_lock_is_missing(world, monkeypatch):
    bed = world.unit(rooms=(1,))[0]
    asking = [world.submit().id for _ in range(CLIENTS)]
    monkeypatch.setattr(decisions, "lock", lambda conn, **_: store_engine.now(conn))
    ends = race(*(partial(world.decide, id_, bed) for id_ in asking))
    assert ends["won"] == 1
    assert_nobody_shares(world)


def test_sixteen_officers_race_for_the_last_three_beds(world):
    for _ in range(3):
        beds = world.unit(f"psc-1.w{random.randrange(10**9)}", rooms=(1, 1, 1))
        asking = [world.submit().id for _ in range(CLIENTS)]
        wanted = zip(asking, itertools.cycle(beds), strict=False)
        ends = race(*(partial(world.decide, i, b) for i, b in wanted))
        assert ends == {"won": 3, "bed-taken": CLIENTS - 3}
        assert_nobody_shares(world)


def test_many_clients_on_few_people_never_deadlock_and_each_gets_one_bed(world):
    people = [world.submit().id for _ in range(3)]
    beds = world.unit(rooms=(1,) * CLIENTS)
    tries = [partial(world.decide, people[n % 3], bed) for n, bed in enumerate(beds)]
    ends = race(*tries)
    assert ends == {"won": 3, "illegal-step": CLIENTS - 3}
    assert world.one("SELECT count(*) FROM bed_claim") == 3


def test_a_room_reached_through_different_beds_takes_one_sex(world):
    for _ in range(3):
        beds = world.unit(f"psc-1.w{random.randrange(10**9)}", rooms=(8,))
        people = [world.person(sex=sex) for sex in (Sex.MALE, Sex.FEMALE) * 4]
        asking = [world.submit(person).id for person in people]
        ends = race(*(partial(world.decide, i, b) for i, b in zip(asking, beds, strict=True)))
        assert ends == {"won": 4, "refused-by-rules": 4}
        assert_nobody_shares(world)


def test_a_unit_reached_through_different_rooms_is_never_more_than_staffed(world):
    beds = world.unit(rooms=(1,) * 8, staffed_beds=3)
    asking = [world.submit().id for _ in beds]
    ends = race(*(partial(world.decide, i, b) for i, b in zip(asking, beds, strict=True)))
    assert ends == {"won": 3, "refused-by-rules": 5}


def test_a_hold_and_the_closing_of_its_bed_are_one_after_the_other(world):
    beds = world.unit(rooms=(1,) * 8)
    asking = [world.submit().id for _ in beds]
    tries = [partial(world.decide, i, b) for i, b in zip(asking, beds, strict=True)]
    tries += [partial(world.out_of_use, b) for b in beds]
    ends = race(*tries)
    assert set(ends) <= {"won", "bed-not-in-service", "changed-meanwhile"}
    held_after_closing = """
        SELECT count(*) FROM bed_claim c JOIN event e ON e.bed_id = c.bed_id
        WHERE e.operation = 'bed.state_changed' AND c.recorded_at > e.occurred_at
    """
    assert world.one(held_after_closing) == 0
    assert_nobody_shares(world)


def test_an_admission_and_an_emergency_of_the_same_person_leave_one_stay(world):
    bed = world.unit(rooms=(1,))[0]
    world.unit("hosp-1.er", rooms=(1,), kind=UnitKind.CTH, bases=(LegalBasis.CONSTRAINED,))
    now = Emergency(unit="hosp-1.er", officer="Dr Chen", reason="unconscious")
    for _ in range(4):
        made = world.accepted(bed)
        ends = race(
            partial(world.do, admission.admit, made.id),
            partial(world.do, admit_emergency, made.person, now),
        )
        assert ends["won"] >= 1
        assert_nobody_shares(world)
        with world.engine.begin() as conn:
            conn.exec_driver_sql("UPDATE bed_claim SET voided_at = now(), void_reason = 'x'")


def test_an_acceptance_and_the_lapse_of_the_same_hold_have_one_winner(world):
    beds = world.unit(rooms=(1,) * 6)
    for bed in beds:
        made = world.held(bed)
        world.age_hold(bed, minutes=30)
        ends = race(
            partial(world.do, answers.accept, made.id),
            partial(world.do, clocks.lapse_holds),
        )
        state = world.do(placement.get, made.id).state
        assert state == "waiting"
        assert ends["won"] == 1
    assert world.events().count("hold.lapsed") == len(beds)


def test_transfers_into_each_others_beds_and_holds_have_one_winner_a_bed(world):
    beds = world.unit(rooms=(1,) * 12)
    residents, targets = beds[:6], beds[6:9]
    moves = []
    for n, bed in enumerate(residents):
        stay = world.admitted(bed)
        world.fit_to_move(stay.person, UnitKind.PSC)
        moves.append(world.proposed(stay.id, targets[n % 3]).id)
    asking = [world.submit().id for _ in targets]
    tries = [partial(world.do, transfers.approve, m, reason="planned") for m in moves]
    tries += [partial(world.decide, i, b) for i, b in zip(asking, targets, strict=True)]
    ends = race(*tries)
    assert ends == {"won": 3, "bed-taken": 6}
    assert_nobody_shares(world)


def test_one_promise_a_bed_is_given(world):
    bed = world.unit(rooms=(1,))[0]
    world.discharged(world.admitted(bed).id)
    asking = [world.submit().id for _ in range(8)]
    ends = race(*(partial(world.do, decisions.promise_bed, i, bed, CHOICE) for i in asking))
    assert ends == {"won": 1, "bed-taken": 7}


def test_two_requests_for_one_person_at_once_are_one(world):
    person = world.person()
    ends = race(*(partial(world.submit, person) for _ in range(8)))
    assert ends == {"won": 1, "request-live": 7}


def test_a_loss_is_a_service_error_with_what_to_do_next(world):
    bed = world.unit(rooms=(1,))[0]
    asking = [world.submit().id for _ in range(4)]
    details = []

    def attempt(id_: str) -> None:
        try:
            world.decide(id_, bed)
        except ServiceError as lost:
            details.append(lost.detail)
            raise

    race(*(partial(attempt, i) for i in asking))
    assert details == [f"somebody else was first on bed {bed}; choose another candidate"] * 3
