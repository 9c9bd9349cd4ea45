"""Nobody is ever given a bed that somebody else was given: four API processes, one database.

The control takes the guards away, in a scratch database and in server processes of its own, and
must double-book: the bursts are hard enough to show what the guards prevent.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import text

from service.access.caller import SYSTEM
from service.settings import Settings
from service.store.engine import make_engine
from service.store.events import append
from service.workflow.stays.leave import begin_leave
from solver.codes import Sex, UnitKind
from tests.database import Server
from tests.service.workflow.world import World
from tests.stories import asks
from tests.stories.asks import Ask
from tests.stories.invariants import DEADLOCKS, DOUBLE_BOOKINGS, broken
from tests.stories.servers import Crowd, make_keys, serving

PROCESSES = 4
ROUNDS = 50
LAST_BEDS = 10
CROWD = 200
FULL_ROUNDS = int(os.environ.get("CROWD_FULL_ROUNDS", "4"))
"""Rounds in which the whole crowd asks; in the others a part of it, to keep the suite short.
CROWD_FULL_ROUNDS=50 lets all 200 ask in every round."""
SMALL_CROWD = 20
PAIRS = 12
"""Races of two or three; each is run this often, in both orders."""


@dataclass
class Town:
    """Served places, and who asks for them."""

    world: World
    crowd: Crowd

    def at_once(self, asks: Sequence[Ask]) -> list[httpx.Response]:
        """Ask at the same time; nobody is left without an answer and nobody gets a 5xx."""
        answers = self.crowd.at_once(asks)
        assert all(it.status_code < 500 for it in answers), _counted(answers)
        return answers

    def invariants_hold(self) -> None:
        with self.world.engine.connect() as conn:
            assert broken(conn) == {}

    def beds_of(self, person: str) -> list[str]:
        """Where the person is now."""
        found = self.world.sql(
            "SELECT bed_id FROM bed_claim WHERE person_id = :person AND voided_at IS NULL"
            " AND kind = 'stay' AND during @> clock_timestamp()",
            person=person,
        )
        return [row.bed_id for row in found]

    def write(self, statement: str, **values: object) -> None:
        """Change the database behind the service's back."""
        with self.world.engine.begin() as conn:
            conn.execute(text(statement), values)

    def tell_of(self, facility: str) -> None:
        """Places are written without events here; say that there are new ones."""
        with self.world.engine.begin() as conn:
            append(conn, SYSTEM, "facility.changed", "facility", facility, facility=facility)

    def until_ranked(self, request: str, beds: set[str]) -> None:
        """Wait until every process ranks one of the beds for a request: each process's snapshot
        follows the log, and hundreds of people have just been written."""
        deadline = time.monotonic() + 60
        asks_each = [Ask("GET", f"/placement-requests/{request}/candidates?limit=100")] * PROCESSES
        while True:
            ranked = [
                {found["bed"] for found in it.json().get("candidates", [])}
                for it in self.at_once(asks_each)
            ]
            if all(offered & beds for offered in ranked):
                return
            assert time.monotonic() < deadline, ranked
            time.sleep(0.2)

    def deadlocks(self) -> int:
        with self.world.engine.connect() as conn:
            return int(conn.execute(DEADLOCKS).scalar_one())


def _counted(answers: Sequence[httpx.Response]) -> Counter[tuple[int, str | None]]:
    return Counter((it.status_code, it.json().get("code")) for it in answers)


@pytest.fixture(scope="module")
def town(
    city: World, settings_of: Callable[[str], Settings], module_database_url: str
) -> Iterator[Town]:
    """Four server processes and a coordinator's crowd."""
    for unit in ("psc-1.w0", "omw-1.w0"):
        city.unit(unit, rooms=())
    keys = make_keys(city.engine, "psc-1", "omw-1")
    with (
        serving(settings_of(module_database_url), PROCESSES) as sockets,
        Crowd(sockets, keys) as crowd,
    ):
        yield Town(city, crowd)


@pytest.fixture(scope="module")
def waiting(city: World) -> list[str]:
    """Requests of the crowd's people, all waiting."""
    return [city.submit(city.person()).id for _ in range(CROWD)]


def burst(town: Town, waiting: Sequence[str], beds: Sequence[str]) -> list[httpx.Response]:
    """Everybody wants one of the beds; each bed is wanted by equally many."""
    return town.at_once(
        [asks.decide(request, beds[number % len(beds)]) for number, request in enumerate(waiting)]
    )


def test_a_crowd_on_the_last_beds_gets_each_bed_given_once(town, waiting, capsys):
    beds = town.world.unit("psc-1.w1", rooms=(2, 3, 1, 4), staffed_beds=None)
    spare = set(town.world.unit("psc-1.w2", rooms=(2,)))
    town.tell_of("psc-1")
    town.until_ranked(waiting[-1], spare)
    before, began = town.deadlocks(), time.monotonic()
    answered = 0
    for number in range(ROUNDS):
        asking = waiting[: CROWD if number < FULL_ROUNDS else SMALL_CROWD]
        answers = burst(town, asking, beds)
        answered += len(answers)
        won = [it.json() for it in answers if it.status_code == 201]
        lost = [it.json() for it in answers if it.status_code == 409]
        assert len(won) == LAST_BEDS, _counted(answers)
        assert len(lost) == len(asking) - LAST_BEDS, _counted(answers)
        assert {it["request"]["hold"]["bed"] for it in won} == set(beds)
        assert {it["code"] for it in lost} == {"bed-taken"}
        for problem in lost:
            offered = {candidate["bed"] for candidate in problem["candidates"]}
            assert offered & spare, "the next candidates come with the answer"
        town.invariants_hold()
        release_all(town, [it["request"] for it in won])
    with capsys.disabled():
        print(
            f"\n{ROUNDS} rounds for the last {LAST_BEDS} beds, {answered} requests answered by "
            f"{PROCESSES} processes in {time.monotonic() - began:.0f} s, deadlocks seen: "
            f"{town.deadlocks() - before}, double bookings: 0"
        )


def test_a_unit_short_of_staff_takes_no_more_than_it_is_staffed_for(town, waiting):
    beds = town.world.unit("psc-1.w3", rooms=(2, 2, 2), staffed_beds=2)
    answers = burst(town, waiting[:24], beds)
    won = [it.json()["request"] for it in answers if it.status_code == 201]
    assert len(won) == 2, _counted(answers)
    assert set(_counted(answers)) <= {
        (201, None),
        (409, "bed-taken"),
        (409, "refused-by-rules"),
    }
    town.invariants_hold()
    release_all(town, won)


def test_a_man_and_a_woman_never_both_get_into_one_room_through_two_beds(town):
    winners = Counter[str]()
    for number in range(PAIRS):
        first, second = town.world.unit(f"psc-1.m{number}", rooms=(2,))
        people = {sex: town.world.person(sex=sex) for sex in Sex}
        asked = {sex: town.world.submit(people[sex]).id for sex in Sex}
        order = list(Sex) if number % 2 else list(Sex)[::-1]
        answers = town.at_once(
            [asks.decide(asked[sex], bed) for sex, bed in zip(order, (first, second), strict=True)]
        )
        assert sorted(it.status_code for it in answers) == [201, 409], _counted(answers)
        lost = next(it.json() for it in answers if it.status_code == 409)
        assert lost["code"] == "refused-by-rules"
        assert {it["relation"] for it in lost["relations"]} == {"one_sex_per_room"}
        winners[order[0 if answers[0].status_code == 201 else 1]] += 1
    assert winners.total() == PAIRS
    town.invariants_hold()


def test_a_hold_and_an_out_of_service_record_on_one_bed_never_miss_each_other(town):
    outcomes = Counter[str]()
    for number in range(PAIRS):
        (bed,) = town.world.unit(f"psc-1.o{number}", rooms=(1,))
        request = town.world.submit().id
        both = [
            asks.decide(request, bed),
            asks.open_period(bed),
        ]
        answers = town.at_once(both if number % 2 else both[::-1])
        decided, closed = answers if number % 2 else answers[::-1]
        assert closed.status_code == 201, closed.text
        listed = closed.json()["recorded"]["holds"]
        if decided.status_code == 201:
            outcomes["held first, the record names the hold"] += 1
            assert listed == [decided.json()["request"]["hold"]["id"]]
        else:
            outcomes["closed first, the hold is refused"] += 1
            assert decided.json()["code"] == "bed-not-in-service"
            assert listed == []
    assert outcomes.total() == PAIRS
    town.invariants_hold()


def test_an_emergency_and_the_arrival_of_a_transfer_leave_a_person_in_one_bed(town):
    """An admission against a transfer of the same person: the emergency always gets in, and the
    transfer is completed before it or diverted by it."""
    outcomes = Counter[str]()
    world = town.world
    for number in range(PAIRS):
        home, there = world.unit(f"psc-1.t{number}", rooms=(1, 1))
        world.unit(f"omw-1.t{number}", rooms=(1,), kind=UnitKind.OMW)
        person = world.person()
        world.fit_to_move(person, UnitKind.PSC)
        move = world.on_the_way(world.admitted(home, person).id, there)
        both = [
            asks.rescue(person, f"omw-1.t{number}"),
            asks.arrive(move.id, "psc-1"),
        ]
        answers = town.at_once(both if number % 2 else both[::-1])
        rescued, arrived = answers if number % 2 else answers[::-1]
        assert rescued.status_code == 201, rescued.text
        if arrived.status_code == 200:
            outcomes["arrived, then rescued"] += 1
        else:
            outcomes["rescued on the way"] += 1
            assert arrived.json()["code"] == "illegal-step"
        assert town.beds_of(person) == [rescued.json()["stay"]["segments"][-1]["bed"]]
        town.invariants_hold()
    assert outcomes.total() == PAIRS


def test_a_return_from_leave_and_an_admission_elsewhere_leave_a_person_in_one_bed(town):
    outcomes = Counter[str]()
    world = town.world
    until = datetime.now(UTC) + timedelta(days=3)
    for number in range(PAIRS):
        home, other = world.unit(f"psc-1.r{number}", rooms=(1, 1))
        person = world.person()
        stay = world.admitted(home, person)
        world.do(begin_leave, stay.id, ends_at=until)
        request = world.accepted(other, person)
        both = [
            asks.admit(request.id),
            asks.end_leave(stay.id),
        ]
        answers = town.at_once(both if number % 2 else both[::-1])
        admitted, returned = answers if number % 2 else answers[::-1]
        lost = returned if admitted.status_code == 201 else admitted
        assert {admitted.status_code, returned.status_code} in ({201, 409}, {200, 409})
        # Admitted first: the kept bed is given up, and there is no leave to come back from.
        wanted = "illegal-step" if lost is returned else "person-elsewhere"
        assert lost.json()["code"] == wanted
        outcomes["admitted" if lost is returned else "returned"] += 1
        assert town.beds_of(person) == [other if lost is returned else home]
        town.invariants_hold()
    assert outcomes.total() == PAIRS


def test_a_hold_that_lapses_as_it_is_accepted_is_either_accepted_or_lapsed(town):
    outcomes = Counter[str]()
    world = town.world
    for number in range(PAIRS):
        (bed,) = world.unit(f"psc-1.l{number}", rooms=(1,))
        request, rival = world.held(bed).id, world.submit().id
        ends_in = {0: 0.0, PAIRS - 1: 30.0}.get(number, 0.02 * number)
        town.write(
            "UPDATE bed_claim SET during = tstzrange(lower(during), clock_timestamp() +"
            " make_interval(secs => :seconds)) WHERE request_id = :request",
            request=request,
            seconds=ends_in,
        )
        accepted, decided = town.at_once([asks.accept(request), asks.decide(rival, bed)])
        if accepted.status_code == 200:
            outcomes["accepted"] += 1
            assert (decided.status_code, decided.json()["code"]) == (409, "bed-taken")
        else:
            outcomes["lapsed"] += 1
            assert (accepted.status_code, accepted.json()["code"]) == (409, "hold-lapsed")
        town.invariants_hold()
    assert set(outcomes) == {"accepted", "lapsed"}


def release_all(town: Town, requests: Sequence[dict[str, str]]) -> None:
    """Give held beds back."""
    answers = town.at_once([asks.release(it["id"]) for it in requests])
    assert all(it.status_code == 200 for it in answers), _counted(answers)


def test_without_constraint_and_lock_the_same_crowd_is_double_booked(
    server: Server, template: str, settings_of: Callable[[str], Settings], capsys
):
    with server.scratch(template) as url:
        engine = make_engine(url)
        world = World(engine)
        beds = world.unit("psc-1.w1", rooms=(2, 3, 1, 4))
        asking = [world.submit().id for _ in range(SMALL_CROWD)]
        with engine.begin() as conn:
            found = conn.execute(
                text(
                    "SELECT conname FROM pg_constraint"
                    " WHERE conrelid = 'bed_claim'::regclass AND contype = 'x'"
                )
            ).scalars()
            for name in list(found):
                conn.execute(text(f'ALTER TABLE bed_claim DROP CONSTRAINT "{name}"'))
        keys = make_keys(engine)
        doubles = grants = bursts = 0
        with (
            serving(
                settings_of(url), PROCESSES, application="tests.stories.unguarded:application"
            ) as sockets,
            Crowd(sockets, keys) as crowd,
        ):
            for _ in range(3):
                town = Town(world, crowd)
                answers = burst(town, asking, beds)
                won = [it.json()["request"] for it in answers if it.status_code == 201]
                with engine.connect() as conn:
                    twice = conn.execute(DOUBLE_BOOKINGS).scalar_one()
                    assert bool(twice) == (
                        "no two claims in force overlap on a bed" in broken(conn)
                    )
                bursts, grants, doubles = bursts + 1, grants + len(won), doubles + twice
                release_all(town, won)
        engine.dispose()
    with capsys.disabled():
        print(
            f"\ncontrol without constraint and lock: {bursts} bursts of {SMALL_CROWD} for "
            f"{LAST_BEDS} beds, {grants} grants for {bursts * LAST_BEDS} beds, "
            f"{doubles} beds double-booked"
        )
    assert doubles > 0
