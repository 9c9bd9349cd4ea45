"""Stories of people under a compulsory decision, played through the API and looked up after."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from service.access.caller import Role
from service.commands.tour.people import fit_for
from service.commands.tour.places import centre
from service.commands.tour.scenes.evacuation import evacuation
from service.commands.tour.scenes.leg_ulcer import DAYS, leg_ulcer
from service.commands.tour.scenes.pregnancy import pregnancy
from service.commands.tour.scenes.relapse import relapse
from service.commands.tour.scenes.screening import night_screening
from service.commands.tour.scenes.swallowed import after_the_leave, swallowed
from service.commands.tour.steps import carry
from tests.stories.nights import Stage


def test_a_man_with_a_leg_ulcer_is_treated_in_a_ward_and_his_term_runs_from_the_decision(
    stage: Stage,
):
    it = leg_ulcer(stage.night())
    ward_bed, centre_bed = it.ward.beds[0], it.centre.beds[0]
    assert stage.claims(it.person) == [("stay", ward_bed, False), ("stay", centre_bed, True)]
    assert it.ward_stay["responsible_facility"] == it.centre.facility
    (request,) = stage.rows(
        "SELECT state, responsible_facility_id FROM placement_request WHERE person_id = :p",
        p=it.person,
    )
    assert request == ("admitted", it.centre.facility)

    admitted = datetime.fromisoformat(it.ward_stay["admitted_at"])
    recorded = datetime.fromisoformat(it.ward_stay["recorded_at"])
    assert timedelta(days=DAYS - 1) < recorded - admitted < timedelta(days=DAYS + 1)
    for term in (it.term_at_night, it.term_after):
        decided = date.fromisoformat(term["decided_on"])
        last = decided.replace(year=decided.year + 2) - timedelta(days=1)
        assert term["state"] == "in_bed"
        assert term["ends_on"] == last.isoformat()
        assert term["responsible_facility"] == it.centre.facility
        assert decided < admitted.date()
    assert it.term_at_night["id"] == it.term_after["id"]

    escorts, woman = stage.rows(
        "SELECT jsonb_array_length(escorts), escorts @> '[{\"woman\": true}]'"
        " FROM transfer WHERE person_id = :p",
        p=it.person,
    )[0]
    assert (escorts, woman) == (2, True)
    assert stage.one("SELECT state FROM bed WHERE id = :b", b=ward_bed) == "housekeeping"
    ended = stage.clocks(it.person)
    assert (ended["doctor_sees"], ended["fitness_return"]) == ("done", "done")
    for words in ("S11", "收治等级", "handover-missing", "escorts", "goes on answering for him"):
        assert words in stage.told


def test_a_relapse_opens_no_bed_before_a_decision_names_its_ground(stage: Stage):
    it = relapse(stage.night())
    bed = it.stay["segments"][0]["bed"]
    assert "L01" in {no["rule"] for no in it.refused["refusals"]}
    assert stage.claims(it.person) == [("stay", bed, True)]
    holds = stage.one(
        "SELECT count(*) FROM bed_claim WHERE person_id = :p AND kind = 'hold'", p=it.person
    )
    assert holds == 1, "the refused decision held nothing"
    assert stage.rows(
        "SELECT end_code FROM term WHERE person_id = :p ORDER BY id", p=it.person
    ) == [("expired",), (None,)]
    bases = stage.rows(
        "SELECT ground FROM legal_basis WHERE person_id = :p ORDER BY id", p=it.person
    )
    assert bases == [("severe_addiction",), ("relapse_after",)], "no basis without its ground"
    assert stage.one("SELECT end_code FROM community_measure WHERE id = :m", m=it.measure) == (
        "compulsory"
    )


def test_pregnancy_unknown_waits_positive_never_negative_until_suspicion(stage: Stage):
    night = stage.night()
    it = pregnancy(night)
    assert it.request["state"] == "no_lawful_bed"
    assert {found["rule"] for found in it.request["alternatives"]} == {"P01"}
    assert stage.claims(it.pregnant) == []
    for table in ("bed_claim", "placement_decision"):
        count = f"SELECT count(*) FROM {table} d JOIN placement_request r ON r.id = d.request_id"
        assert stage.one(f"{count} WHERE r.person_id = :p", p=it.pregnant) == 0

    assert {found["rule"] for found in it.misplaced["rules"]} == {"P03"}
    assert {"release", "emergency", "transfer"} == {found["way"] for found in it.misplaced["ways"]}
    bed = it.stay["segments"][-1]["bed"]
    assert stage.claims(it.not_pregnant) == [("stay", bed, True)], "no machine moves anybody"
    sex = "SELECT u.sex FROM bed b JOIN unit u ON u.id = b.unit_id WHERE b.id = :b"
    assert stage.one(sex, b=bed) == "female"
    assert stage.clocks(it.not_pregnant)["misplaced"] is None
    for words in ("P03", "P01", "nobody may set it aside", "rule-cannot-be-lifted", "社区戒毒"):
        assert words in stage.told


def test_a_swallowed_object_goes_to_hospital_first_and_the_kept_bed_is_come_back_to_or_freed(
    stage: Stage,
):
    night = stage.night()
    it = swallowed(night)
    kept, hospital = it.centre.beds[0], it.back.emergency["stay"]["segments"][0]["bed"]
    assert [(kind, bed) for kind, bed, _ in stage.claims(it.back.person)] == [
        ("stay", kept),
        ("leave", kept),
        ("stay", hospital),
        ("stay", kept),
    ]
    assert it.back.emergency["due"], "what the lane went past is owed"
    ended = stage.clocks(it.back.person)
    assert ended["leave_end"] == "done"
    papers = stage.rows(
        "SELECT detail, outcome FROM due_item WHERE person_id = :p AND kind = 'emergency_papers'",
        p=it.back.person,
    )
    assert {outcome for detail, outcome in papers if detail == "X02"} == {"done"}
    assert {outcome for detail, outcome in papers if detail != "X02"} <= {"called_off"}
    assert stage.one(
        "SELECT count(*) FROM due_item WHERE person_id = :p AND kind = 'emergency_papers'"
        " AND settled_at IS NULL",
        p=it.away.person,
    ) == len(it.away.emergency["due"])

    before = stage.rows("SELECT id, ends_on FROM term WHERE person_id = :p", p=it.away.person)
    stage.change(
        "UPDATE bed_claim SET expected_end = now() - interval '5 hours'"
        " WHERE person_id = :p AND kind = 'leave' AND voided_at IS NULL",
        p=it.away.person,
    )
    stage.until("SELECT state FROM stay WHERE id = :s", "ended", s=it.away.kept["id"])
    assert [kind for kind, _, open_ in stage.claims(it.away.person) if open_] == ["stay"]
    back = after_the_leave(night, it.away)
    assert [kind for kind, _, open_ in stage.claims(it.away.person) if open_] == ["stay"]
    assert back["facility"] != it.hospital
    after = "SELECT id, ends_on FROM term WHERE person_id = :p AND closed_at IS NULL"
    assert stage.rows(after, p=it.away.person) == before, "the term runs on, as long as before"
    for words in ("emergency-is-medical", "is kept (on_leave)", "not-fit-to-return"):
        assert words in stage.told


def test_who_has_a_bed_kept_returns_to_it_or_is_transferred_elsewhere(stage: Stage):
    night = stage.night()
    it = swallowed(night)
    person, hospital = it.away.person, it.away.emergency["stay"]
    kept = it.centre.beds[1]
    coordinator = night.caller(Role.COORDINATOR)
    asked = {"stay": hospital["id"], "reason": "step_down"}
    fit_for(night, person, ["PSC"])
    night.refused(
        coordinator,
        "POST",
        "/transfers",
        {**asked, "to_bed": kept},
        status=409,
        code="bed-is-theirs",
    )
    other = centre(night, "c0").beds[0]
    made = night.done(coordinator, "POST", "/transfers", {**asked, "to_bed": other})
    path = f"/transfers/{made['id']}/approval"
    night.done(coordinator, "POST", path, {"reason": "his own centre is full"})
    carry(night, made["id"], hospital["segments"][0]["bed"], other)
    open_ = {(kind, bed) for kind, bed, running in stage.claims(person) if running}
    assert ("stay", other) in open_


def test_a_clear_screening_leads_to_new_arrivals_and_a_red_flag_opens_the_lane_by_itself(
    stage: Stage,
):
    it = night_screening(stage.night())
    zone = "SELECT u.zone FROM bed b JOIN unit u ON u.id = b.unit_id WHERE b.id = :b"
    assert stage.one(zone, b=it.arrivals_stay["segments"][0]["bed"]) == "new_arrivals"
    grades = stage.one("SELECT count(*) FROM assessment WHERE person_id = :p", p=it.clear)
    assert grades == 0, "an officer's screening is no grade"
    assert it.lane["places"]
    assert all(place["duty_phone"] for place in it.lane["places"])
    assert "lane.opened" in stage.operations(it.flagged)
    (request,) = stage.rows(
        "SELECT state, emergency, lane FROM placement_request WHERE person_id = :p", p=it.flagged
    )
    assert request == ("admitted", True, "screening")
    assert stage.clocks(it.flagged)["offer_alarm"] is not None, "met, so nobody is alarmed"


def test_a_ward_that_is_evacuated_is_empty_and_every_bed_in_it_is_kept(stage: Stage):
    it = evacuation(stage.night())
    moved = it.answer["moved"]
    assert len(moved) == len(it.stays)
    assert sum(one["surge"] for one in moved) == it.answer["surge_places"] == 1
    for stay, one in zip(
        sorted(it.stays, key=lambda found: found["person"]),
        sorted(moved, key=lambda found: found["person"]),
        strict=True,
    ):
        assert [(kind, bed) for kind, bed, open_ in stage.claims(one["person"]) if open_] in (
            [("leave", one["from_bed"]), ("stay", one["bed"])],
            [("stay", one["bed"]), ("leave", one["from_bed"])],
        )
        assert stage.one("SELECT state FROM stay WHERE id = :s", s=stay["id"]) == "on_leave"
        assert stage.clocks(one["person"])["leave_end"] is None
        term = "SELECT count(*) FROM term WHERE person_id = :p AND closed_at IS NULL"
        assert stage.one(term, p=one["person"]) == 1
    present = stage.one(
        "SELECT count(*) FROM bed_claim WHERE unit_id = :u AND kind = 'stay'"
        " AND voided_at IS NULL AND upper_inf(during)",
        u=it.ward.unit,
    )
    assert present == 0
    usable = "SELECT count(*) FROM bed WHERE unit_id = :u AND state = 'in_service'"
    assert stage.one(usable, u=it.ward.unit) == 0, "nobody is sent into the smoke"
