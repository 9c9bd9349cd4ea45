"""A whole unit goes at once: everybody present, together or not at all."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid, Refused
from service.lifecycle import RequestState, StayState, TransferState
from service.store import locks
from service.store.claims import rows
from service.store.engine import now as clock
from service.store.tables.claims import StayEnd
from service.store.tables.inventory import OutOfServiceReason
from service.workflow.emergencies import emergency_moves, evacuation
from service.workflow.emergencies.emergency import Emergency, admit_emergency
from service.workflow.emergencies.evacuation import Destination, Evacuation, evacuate
from service.workflow.inventory.out_of_service import PeriodEnd, end_period
from service.workflow.moves import transfers
from service.workflow.placing import placement
from service.workflow.stays.leave import begin_leave, end_leave
from solver.codes import BedState, Isolation, LegalBasis, Sex, UnitKind
from tests.service.workflow.test_no_double_booking import assert_nobody_shares

LIMIT_S = 5.0


def hospital(world, unit="hosp-1.er", rooms=(2,), **kw):
    return world.unit(
        unit, rooms=rooms, **{"kind": UnitKind.CTH, "bases": (LegalBasis.CONSTRAINED,), **kw}
    )


def order(*units, **kw):
    return Evacuation(
        officer="officer Lin",
        reason="fire on the floor below",
        destinations=[it if isinstance(it, Destination) else Destination(unit=it) for it in units],
        **kw,
    )


def by_person(done):
    return {it.person: it for it in done.moved}


def fill(world, beds, **kw):
    """Somebody in each bed, straight to the tables: what is tested is the way out."""
    return [world.admitted(bed, world.person(**kw)) for bed in beds]


def test_sixty_people_are_out_in_one_transaction_within_five_seconds(world, capsys):
    beds = world.unit(rooms=(6,) * 10)
    people = []
    for number, bed in enumerate(beds):
        sex = Sex.FEMALE if number >= 42 else Sex.MALE
        people.append(world.admitted(bed, world.person(sex=sex)).person)
    hospital(world, rooms=(4,) * 9)
    hospital(world, "hosp-2.a", rooms=(3,) * 5)
    world.unit("ext-1.er", rooms=(0,), kind=UnitKind.EXT, bases=(), external=True)
    began = time.perf_counter()
    done = world.do(
        evacuate, "psc-1.w1", order("hosp-1.er", "hosp-2.a", Destination(facility="ext-1"))
    )
    took = time.perf_counter() - began
    with capsys.disabled():
        print(f"\n60 people evacuated in {took:.2f} s, {done.surge_places} of them to surge places")
    assert took <= LIMIT_S
    assert sorted(by_person(done)) == sorted(people)
    assert done.surge_places <= 60 - 36 - 15
    assert all(it.due for it in done.moved)
    assert_nobody_shares(world)
    assert world.one("SELECT count(*) FROM bed_claim WHERE emergency AND voided_at IS NULL") == 0
    states = world.sql("SELECT state, count(*) FROM stay GROUP BY 1 ORDER BY 1")
    assert {it[0]: it[1] for it in states} == {"active": 60, "on_leave": 60}
    clocks = world.one("SELECT count(*) FROM due_item WHERE kind = 'leave_end'"
                       " AND settled_at IS NULL")  # fmt: skip
    assert clocks == 60


def test_all_go_or_nobody_goes(world, monkeypatch):
    beds = world.unit(rooms=(4,))
    fill(world, beds)
    hospital(world)
    calls: Counter[str] = Counter()

    real = emergency_moves.arrive

    def step(*args, **kw):
        calls["arrive"] += 1
        if calls["arrive"] == 4:
            raise Conflict("world-moved", "the fourth could not be written")
        return real(*args, **kw)

    monkeypatch.setattr(evacuation, "arrive", step)
    with world.refuses(Conflict, "world-moved"):
        world.do(evacuate, "psc-1.w1", order("hosp-1.er"))


COMPANY = {
    "the other sex": {"sex": Sex.FEMALE},
    "a minor": {"age": 16},
    "somebody isolated": {"isolation": Isolation.AIRBORNE},
}


@pytest.mark.parametrize("who", COMPANY.values(), ids=COMPANY)
def test_nobody_is_put_beside_whom_they_may_not_be_with(world, who):
    one, two = world.unit(rooms=(1, 1))
    world.admitted(one)
    other = world.person(sex=who.get("sex", Sex.MALE))
    world.admitted(two, other)
    if "age" in who:
        world.set(
            "person", other, birth_date=datetime.now(UTC).date() - timedelta(days=365 * who["age"])
        )
    if "isolation" in who:
        world.assess(other, who["isolation"])
    hospital(world, rooms=(2,))
    done = world.do(evacuate, "psc-1.w1", order("hosp-1.er"))
    rooms = Counter(it.bed.rsplit(".", 1)[0] for it in done.moved)
    assert len(rooms) == 2
    assert done.surge_places == 1
    assert world.one("SELECT count(*) FROM bed_claim WHERE emergency") == 0


def test_people_who_may_share_fill_rooms_and_leave_the_others_a_bed(world):
    beds = world.unit(rooms=(1,) * 5)
    for bed in beds[:4]:
        world.admitted(bed)
    world.admitted(beds[4], world.person(sex=Sex.FEMALE))
    hospital(world, rooms=(1, 4))
    done = world.do(evacuate, "psc-1.w1", order("hosp-1.er"))
    assert done.surge_places == 0


def test_one_person_may_have_a_destination_of_their_own(world):
    beds = world.unit(rooms=(2,))
    first, second = fill(world, beds)
    hospital(world)
    other = hospital(world, "hosp-2.a")[0]
    done = world.do(
        evacuate,
        "psc-1.w1",
        order("hosp-1.er", people={first.person: Destination(facility="hosp-2")}),
    )
    found = by_person(done)
    assert found[first.person].bed == other
    assert found[second.person].unit == "hosp-1.er"


def test_a_unit_is_left_even_if_it_is_a_hospitals(world):
    bed, _ = hospital(world)
    hospital(world, "hosp-2.a")
    stay = world.do(
        admit_emergency, world.person(), Emergency(unit="hosp-1.er", officer="Dr", reason="x")
    ).stay
    done = world.do(evacuate, "hosp-1.er", order(Destination(facility="hosp-2")))
    assert [(it.person, it.from_bed) for it in done.moved] == [(stay.person, bed)]


def test_holds_into_the_unit_end_and_those_people_wait_again(world):
    beds = world.unit(rooms=(4,))
    there = world.admitted(beds[0])
    held = world.held(beds[1])
    elsewhere = world.unit("psc-2.w1", rooms=(2,))
    moving = world.admitted(elsewhere[0])
    world.fit_to_move(moving.person, UnitKind.PSC)
    move = world.approved(moving.id, beds[2])
    hospital(world)
    done = world.do(evacuate, "psc-1.w1", order("hosp-1.er"))
    assert [it.person for it in done.moved] == [there.person]
    assert done.holds_ended == 2
    assert world.do(placement.get, held.id).state is RequestState.WAITING
    assert world.do(transfers.get, move.id).state is TransferState.SUPERSEDED


def test_a_person_who_was_on_leave_stays_on_leave(world, soon):
    beds = world.unit(rooms=(2,))
    away, here = fill(world, beds)
    world.do(begin_leave, away.id, ends_at=soon)
    hospital(world)
    done = world.do(evacuate, "psc-1.w1", order("hosp-1.er"))
    assert done.on_leave == (away.id,)
    assert [it.person for it in done.moved] == [here.person]
    assert world.one("SELECT count(*) FROM stay WHERE person_id = :p", p=away.person) == 1


def test_nobody_is_sent_into_a_unit_whose_beds_were_closed_and_its_people_come_back(world):
    beds = world.unit(rooms=(3,))
    stay = world.admitted(beds[0])
    hospital(world)
    done = world.do(
        evacuate, "psc-1.w1", order("hosp-1.er", close_beds=OutOfServiceReason.SECURITY)
    )
    assert done.beds_closed == 3
    other = world.submit()
    with world.refuses(Conflict, "bed-not-in-service"):
        world.decide(other.id, beds[1])
    world.discharged(done.moved[0].stay, code=StayEnd.DISCHARGED)
    with world.refuses(Conflict, "bed-not-in-service"):
        world.do(end_leave, stay.id)
    period = world.one("SELECT id FROM out_of_service_period WHERE bed_id = :b", b=beds[0])
    world.do(end_period, period, PeriodEnd(state=BedState.IN_SERVICE))
    assert world.do(end_leave, stay.id).state is StayState.ACTIVE


def test_said_twice_nobody_is_moved_twice(world):
    fill(world, world.unit(rooms=(2,)))
    hospital(world)
    assert len(world.do(evacuate, "psc-1.w1", order("hosp-1.er")).moved) == 2
    again = world.do(evacuate, "psc-1.w1", order("hosp-1.er"))
    assert again.moved == ()
    assert len(again.on_leave) == 2


def test_an_order_that_cannot_be_carried_out_moves_nobody(world):
    beds = world.unit(rooms=(2,))
    stay = world.admitted(beds[0])
    world.unit("psc-2.w1")
    hospital(world)
    world.unit("ward-1.a", kind=UnitKind.OMW)
    stranger = world.person()
    where = Destination(unit="hosp-1.er")
    tries = [
        (Refused, "emergency-is-medical", order("psc-2.w1")),
        (Invalid, "same-unit", order("psc-1.w1")),
        (Invalid, "missing", order()),
        (Invalid, "not-there", order("hosp-1.er", people={stranger: where})),
        (Invalid, "reason-missing", Evacuation(officer="Lin", reason=" ", destinations=[where])),
        (Invalid, "reason-missing", Evacuation(officer=" ", reason="fire", destinations=[where])),
    ]
    for kind, code, asked in tries:
        with world.refuses(kind, code):
            world.do(evacuate, "psc-1.w1", asked)
    second = world.admitted(beds[1])
    with world.refuses(Invalid, "missing"):
        world.do(evacuate, "psc-1.w1", order(people={stay.person: where}))
    with world.engine.begin() as conn:
        conn.exec_driver_sql(
            "UPDATE legal_basis SET revoked_at = now() WHERE person_id = %s", (second.person,)
        )
    with world.refuses(Refused, "emergency-not-custody"):
        world.do(evacuate, "psc-1.w1", order("ward-1.a"))


def test_the_coordinator_or_somebody_of_the_house_gives_the_order(world):
    world.admitted(world.unit(rooms=(1,))[0])
    hospital(world)
    for role, facility in (
        (Role.FACILITY_ADMIN, "hosp-1"),
        (Role.CLINICIAN, "hosp-1"),
    ):
        with world.refuses(Forbidden, "other-facility"):
            world.as_(role, facility).do(evacuate, "psc-1.w1", order("hosp-1.er"))
    done = world.as_(Role.FACILITY_ADMIN, "psc-1").do(evacuate, "psc-1.w1", order("hosp-1.er"))
    assert len(done.moved) == 1


def test_somebody_who_comes_in_while_the_order_is_given_stops_it(world, monkeypatch):
    beds = world.unit(rooms=(2,))
    world.admitted(beds[0])
    hospital(world)
    real = locks.lock

    def lock(conn, **kw):
        world.admitted(beds[1])
        return real(conn, **kw)

    monkeypatch.setattr(evacuation, "lock", lock)
    with pytest.raises(Conflict) as caught:
        world.do(evacuate, "psc-1.w1", order("hosp-1.er"))
    assert caught.value.code == "world-moved"
    with world.engine.connect() as conn:
        here = rows.on_beds(conn, beds, clock(conn))
    assert {it.kind for it in here.values()} == {"stay"}


@pytest.mark.parametrize("minutes", [-60, 1])
def test_a_wrong_clock_keeps_nobody_in_a_burning_unit(world, minutes):
    beds = world.unit(rooms=(2,))
    stays = fill(world, beds)
    hospital(world)
    given = datetime.now(UTC) + timedelta(minutes=minutes)
    done = world.do(evacuate, "psc-1.w1", order("hosp-1.er", occurred_at=given))
    assert (len(done.moved), done.said_at) == (2, given)
    began = world.one("SELECT min(admitted_at) FROM stay WHERE facility_id = 'hosp-1'")
    assert max(it.admitted_at for it in stays) < began <= datetime.now(UTC)
