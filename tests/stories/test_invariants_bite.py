"""Every invariant bites: each is broken by hand once, in a transaction that is taken back, and seen
to fail. An invariant that nothing here breaks fails the last test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from service.store.engine import make_engine
from service.workflow.law.term_calendar import open_calendars
from service.workflow.stays.leave import begin_leave
from solver.codes import LegalBasis, Sex, UnitKind
from tests.service.workflow.world import World
from tests.stories.invariants import INVARIANTS
from tests.stories.invariants_of_law import AFTER_A_ROUND, LAW
from tests.stories.judged_anew import broken_whole

STATE = "a term is in exactly one of the six states, the one its rows say"
PLACES = "places written as wrong are those that are, judged anew"
WORDS = "no event says a clinical or legal value"
_NO_BED_GUARD = "ALTER TABLE bed_claim DROP CONSTRAINT ex_bed_claim_bed"
_NO_ROOM_GUARD = "ALTER TABLE bed_claim DROP CONSTRAINT ex_bed_claim_room_mix"
_NO_PERSON_GUARD = "ALTER TABLE bed_claim DROP CONSTRAINT ex_bed_claim_person_stay"
_CLOCK = (
    "INSERT INTO due_item (id, kind, subject_type, subject_id, owner, due_at, opened_at,"
    " opened_by, version) VALUES ('du_x', '{kind}', '{of}', {id}, 'centre', now(), now(), 't', 1)"
)
_DIED = ("UPDATE term SET closed_at = now(), end_code = 'died' WHERE person_id = :waiting",)
_YESTERDAY = "(now() AT TIME ZONE 'Asia/Shanghai')::date - 1"

BREAKS: dict[str, tuple[str, ...]] = {
    "no two claims in force overlap on a bed": (
        _NO_BED_GUARD,
        "UPDATE bed_claim SET bed_id = :bed_of_in WHERE person_id = :held AND kind = 'hold'",
    ),
    "nobody is in two beds at once": (
        _NO_PERSON_GUARD,
        "UPDATE bed_claim SET person_id = :resident WHERE stay_id = :stay_of_moving",
    ),
    "a shared room carries one mix key at a time": (
        _NO_ROOM_GUARD,
        "UPDATE bed_claim SET mix_key = 'another' WHERE stay_id = :stay_of_moving",
    ),
    "men and women never share a room": ("UPDATE person SET sex = 'female' WHERE id = :moving",),
    "a claim names its own bed's room, unit and facility": (
        _NO_ROOM_GUARD,
        "UPDATE bed_claim SET room_id = 'psc-1.w1.r3' WHERE stay_id = :stay_of_resident",
    ),
    "a request is held or accepted exactly while its hold is": (
        "UPDATE placement_request SET state = 'accepted' WHERE person_id = :held",
    ),
    "a request has at most one hold": (
        "UPDATE bed_claim SET transfer_id = NULL, request_id ="
        " (SELECT id FROM placement_request WHERE person_id = :held)"
        " WHERE kind = 'hold' AND person_id = :moving",
    ),
    "a request is admitted exactly when a stay came of it": (
        "UPDATE placement_request SET state = 'admitted' WHERE person_id = :waiting",
    ),
    "an open stay is in one bed, kept or used, and an ended one in none": (
        "UPDATE stay SET state = 'on_leave' WHERE id = :stay_of_resident",
    ),
    "the segments of a stay are its person's, at its facility": (
        "UPDATE stay SET person_id = :waiting WHERE id = :stay_of_resident",
    ),
    "a transfer agreed on has its bed held or promised, and no other has": (
        "UPDATE transfer SET state = 'proposed' WHERE person_id = :moving",
    ),
    "nobody is on the way with a hold that can lapse": (
        "UPDATE transfer SET state = 'in_transit' WHERE person_id = :moving",
    ),
    "somebody in a live transfer is in the bed it starts from": (
        "UPDATE transfer SET from_bed_id = :free WHERE person_id = :moving",
    ),
    "a live promise waits for somebody about to leave, or for cleaning": (
        "INSERT INTO bed_next (id, bed_id, person_id, request_id, waits_for_stay_id, state,"
        " created_by, created_at) SELECT 'bn_x', :bed_of_in, r.person_id, r.id,"
        " :stay_of_resident, 'live', 't', now() FROM placement_request r"
        " WHERE r.person_id = :waiting",
    ),
    "every request is in the log since it was submitted": (
        "ALTER TABLE event DISABLE TRIGGER USER",
        "DELETE FROM event WHERE operation = 'request.submitted'",
    ),
    "a bed with an open period is closing or closed": (
        "INSERT INTO out_of_service_period (id, bed_id, reason, note, opened_by, began_at,"
        " recorded_at, version) VALUES ('oo_x', :free, 'repair', '', 't', now(), now(), 1)",
    ),
    "a bed has at most one open period": (
        "DROP INDEX uq_out_of_service_period_open",
        *(
            "INSERT INTO out_of_service_period (id, bed_id, reason, note, opened_by, began_at,"
            f" recorded_at, version) VALUES ('oo_{it}', :free, 'repair', '', 't', {at}, now(), 1)"
            for it, at in ((1, "now()"), (2, "now() + interval '1 day'"))
        ),
    ),
    "nobody lies in a bed that waits for cleaning or is closed": (
        "UPDATE bed SET state = 'housekeeping' WHERE id = :bed_of_in",
    ),
    "a promised bed is held for nobody, and nobody has two beds coming": (
        "INSERT INTO bed_next (id, bed_id, person_id, request_id, state, created_at, created_by)"
        " SELECT 'bn_x', bed_id, :waiting, request_id, 'live', now(), 't' FROM bed_claim"
        " WHERE kind = 'hold' AND person_id = :held",
    ),
    "a person has one hold": (
        "UPDATE bed_claim SET person_id = :held WHERE kind = 'hold' AND person_id = :moving",
    ),
    "a hold is for a request or a transfer that goes on": (
        "UPDATE placement_request SET state = 'withdrawn' WHERE person_id = :held",
    ),
    "a promise is to somebody who still waits": (
        "INSERT INTO bed_next (id, bed_id, person_id, request_id, state, created_at, created_by)"
        " SELECT 'bn_x', :free, :held, id, 'live', now(), 't' FROM placement_request"
        " WHERE person_id = :held",
    ),
    "the parts of a stay follow each other without a gap": (
        "UPDATE bed_claim SET during = tstzrange(lower(during), upper(during) - interval '1 ms')"
        " WHERE stay_id = :stay_of_away AND kind = 'stay'",
    ),
    "a bed kept during leave has an end, and a clock for it": (
        "UPDATE bed_claim SET expected_end = NULL WHERE stay_id = :stay_of_away",
    ),
    "the log's positions have no gap": (
        "UPDATE event SET pos = 2 WHERE seq = (SELECT min(seq) FROM event)",
    ),
    "every compulsory decision has one term": (
        "DELETE FROM due_item WHERE subject_type = 'term'",
        "DELETE FROM term WHERE person_id = :waiting",
    ),
    "a term is of the person its decision is of": (
        "DELETE FROM term WHERE person_id = :held",
        "UPDATE term SET person_id = :held WHERE person_id = :waiting",
    ),
    "a person has one open term at most": (
        "DROP INDEX uq_term_open_person",
        "UPDATE term SET person_id = :held WHERE person_id = :waiting",
    ),
    "a term has one open absence at most, and a closed one none": (
        "INSERT INTO term_absence (id, term_id, person_id, kind, began_on, recorded_by,"
        " recorded_at) SELECT 'ta_x', id, person_id, 'arrest', current_date, 't', now() FROM term"
        " WHERE person_id = :waiting",
        "UPDATE term SET closed_at = now(), end_code = 'revoked' WHERE person_id = :waiting",
    ),
    "the days of every escape that is over are added to the term": (
        "INSERT INTO term_absence (id, term_id, person_id, kind, began_on, ended_on, recorded_by,"
        " recorded_at) SELECT 'ta_x', id, person_id, 'escape', current_date - 5, current_date,"
        " 't', now() FROM term WHERE person_id = :waiting",
    ),
    "who escaped or is detained elsewhere is in no custody": (
        "INSERT INTO term_absence (id, term_id, person_id, kind, began_on, recorded_by,"
        " recorded_at) SELECT 'ta_x', id, person_id, 'escape', current_date, 't', now() FROM term"
        " WHERE person_id = :resident",
    ),
    "nobody is held in custody whose term has ended": (
        "UPDATE term SET closed_at = now(), end_code = 'expired' WHERE person_id = :resident",
    ),
    "nobody is in a bed without a basis but to leave it, or by an emergency": (
        "UPDATE legal_basis SET revoked_at = now() WHERE person_id = :resident",
    ),
    "no word carries a stay that was taken back or ran out": (
        "UPDATE consent SET withdrawn_at = now() WHERE person_id = :patient",
    ),
    "a discharge that the law or a word makes due has a running clock": (
        "UPDATE stay SET state = 'discharge_due', discharge_due_code = 'term_end'"
        " WHERE id = :stay_of_resident",
    ),
    "a clock of a discharge runs for one that is due": (
        _CLOCK.format(kind="discharge_due", of="stay", id=":stay_of_resident"),
    ),
    "every misplacement has a running clock, and no other stay has": (
        _CLOCK.format(kind="misplaced", of="stay", id=":stay_of_resident"),
    ),
    "a misplacement is of the bed its person is in": (
        "INSERT INTO misplacement (id, stay_id, person_id, facility_id, unit_id, bed_id, rules,"
        " since, version) SELECT 'mp_x', stay_id, person_id, facility_id, unit_id, :free, '{P02}',"
        " now(), 1 FROM bed_claim WHERE stay_id = :stay_of_resident",
    ),
    "one clock of a kind runs for a subject": (
        "DROP INDEX uq_due_item_open",
        _CLOCK.format(kind="review", of="stay", id=":stay_of_resident"),
        _CLOCK.format(kind="review", of="stay", id=":stay_of_resident").replace("du_x", "du_y"),
    ),
    "a clock runs for something that is there and not over": (
        _CLOCK.format(kind="offer_alarm", of="placement_request", id="'rq_gone'"),
    ),
    "who died or was let go asks for no bed of before": (
        "UPDATE term SET closed_at = now(), end_code = 'revoked' WHERE person_id = :waiting",
        "UPDATE legal_basis SET revoked_at = now() WHERE person_id = :waiting",
    ),
    "the dead have nothing live": _DIED,
    "a record is merged into one that lives on": (
        "UPDATE person SET merged_into = :held WHERE id = :waiting",
        "UPDATE person SET merged_into = :resident WHERE id = :held",
    ),
    "a record that was merged away owns nothing": (
        "UPDATE person SET merged_into = :held WHERE id = :waiting",
    ),
    "a discharge that was due before its bed was taken back is due again": (
        "UPDATE stay SET discharge_due_code = 'consent_expired' WHERE id = :stay_of_patient",
    ),
    "every term that runs has the clock of its end": (
        "DELETE FROM due_item WHERE kind = 'term_end'",
    ),
    "nobody's word or leave is over without its being written": (
        f"UPDATE consent SET starts_on = {_YESTERDAY}, ends_on = {_YESTERDAY}"
        " WHERE person_id = :patient",
    ),
    STATE: (
        "DROP INDEX uq_term_absence_open",
        *(
            "INSERT INTO term_absence (id, term_id, person_id, kind, began_on, recorded_by,"
            f" recorded_at) SELECT 'ta_{it}', id, person_id, '{it}', current_date, 't', now()"
            " FROM term WHERE person_id = :waiting"
            for it in ("arrest", "escape")
        ),
    ),
    PLACES: ("UPDATE unit SET max_age = 20 WHERE id = 'psc-1.w1'",),
    WORDS: ("UPDATE event SET data = '{\"code\": \"airborne\"}' WHERE operation = 'hold.placed'",),
}


@pytest.fixture(scope="module")
def engine(module_database_url: str) -> Iterator[Engine]:
    made = make_engine(module_database_url)
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def city(engine: Engine) -> World:
    return World(engine)


@pytest.fixture(scope="module")
def ids(city: World) -> dict[str, str]:
    """A resident, one about to move, one on leave, a patient, one with a hold, one who waits."""
    beds = city.unit(rooms=(2, 1, 1, 1))
    ward = city.unit("ward-1.a", rooms=(1,), kind=UnitKind.OMW)
    hospital = city.unit("hosp-1.c", rooms=(1,), kind=UnitKind.CTH, bases=(LegalBasis.CONSTRAINED,))
    patient = city.person(basis=LegalBasis.CONSTRAINED)
    city.consents(patient, UnitKind.CTH)
    resident, moving, away = (city.admitted(bed) for bed in beds[:3])
    treated = city.admitted(hospital[0], patient)
    city.fit_to_move(moving.person, UnitKind.OMW)
    city.approved(moving.id, ward[0])
    city.do(begin_leave, away.id, ends_at=datetime.now(UTC) + timedelta(days=1))
    held, waiting = city.held(beds[3]), city.submit(city.person(sex=Sex.MALE))
    city.do(open_calendars)
    return {
        "resident": resident.person,
        "stay_of_resident": resident.id,
        "bed_of_in": beds[0],
        "moving": moving.person,
        "stay_of_moving": moving.id,
        "stay_of_away": away.id,
        "patient": patient,
        "stay_of_patient": treated.id,
        "held": held.person,
        "waiting": waiting.person,
        "free": beds[4],
    }


def test_the_scene_breaks_none(city: World, ids: dict[str, str]) -> None:
    with city.engine.connect() as conn:
        assert broken_whole(conn, city.ctx, after_a_round=True) == {}


@pytest.mark.parametrize("name", BREAKS)
def test_breaking_it_by_hand_is_seen(city: World, ids: dict[str, str], name: str) -> None:
    with city.engine.connect() as conn:
        for change in BREAKS[name]:
            used = {it: value for it, value in ids.items() if f":{it}" in change}
            touched = conn.execute(text(change), used)
            assert touched.rowcount != 0, f"nothing was broken: {change}"
        found = broken_whole(conn, city.ctx, after_a_round=True)
        conn.rollback()
    assert name in found, f"it did not bite; these did: {sorted(found)}"


def test_there_is_a_break_for_every_invariant() -> None:
    assert set(BREAKS) == {*INVARIANTS, *LAW, *AFTER_A_ROUND, STATE, PLACES, WORDS}
