"""Stories of people treated by their own agreement: nobody holds them and nobody has absconded."""

from __future__ import annotations

from service.commands.tour.scenes.agreed import home_again, treated_by_agreement
from service.commands.tour.scenes.withdrawal import withdrawal
from tests.stories.nights import Stage


def test_a_month_by_agreement_ends_with_its_consent_and_leads_to_no_community_rehabilitation(
    stage: Stage,
):
    night = stage.night()
    it = treated_by_agreement(night)
    own, family = (
        stage.rows(
            "SELECT given_by, sober, repeated_at IS NOT NULL, agreement FROM consent WHERE id = :c",
            c=consent,
        )[0]
        for consent in (it.own, it.family)
    )
    assert own == ("person", False, True, True)
    assert family == ("family", True, False, False)
    licences = stage.one(
        "SELECT u.licences FROM bed b JOIN unit u ON u.id = b.unit_id WHERE b.id = :b",
        b=it.stay["segments"][0]["bed"],
    )
    assert {"drug_treatment", "psychiatric"} <= set(licences)
    clocks = stage.clocks(it.person)
    assert clocks["consent_sober"] == "done"
    assert clocks["consent_end"] is None

    stage.change(
        "UPDATE consent SET starts_on = starts_on - 32, ends_on = ends_on - 32"
        " WHERE person_id = :p",
        p=it.person,
    )
    stage.until("SELECT state FROM stay WHERE id = :s", "discharge_due", s=it.stay["id"])
    why = "SELECT discharge_due_code FROM stay WHERE id = :s"
    assert stage.one(why, s=it.stay["id"]) == "consent_expired"
    assert stage.clocks(it.person)["consent_withdrawn"] is None, "a discharge is due on a clock"

    refused = home_again(night, it)
    assert refused["rule"] == "0.3"
    assert "community_rehab" not in refused["possible"]
    for table in ("community_measure", "term"):
        assert stage.one(f"SELECT count(*) FROM {table} WHERE person_id = :p", p=it.person) == 0
    assert [kind for kind, _, open_ in stage.claims(it.person) if open_] == []
    for words in ("V02", "person-not-found", "0.3"):
        assert words in stage.told


def test_a_consent_withdrawn_on_day_nine_leads_home_the_same_day_and_nobody_absconded(
    stage: Stage,
):
    it = withdrawal(stage.night())
    assert (it.stay["state"], it.stay["end_code"]) == ("ended", "consent_withdrawn")
    assert it.escape_refused["errors"][0]["pointer"] == "/code"
    same_day = stage.one(
        "SELECT (s.ended_at AT TIME ZONE 'Asia/Shanghai')::date"
        " = (c.withdrawn_at AT TIME ZONE 'Asia/Shanghai')::date"
        " FROM stay s JOIN consent c ON c.person_id = s.person_id WHERE c.id = :c",
        c=it.own,
    )
    assert same_day
    assert stage.rows("SELECT withdrawn_by FROM consent WHERE person_id = :p", p=it.person) == [
        ("person",),
        ("person",),
    ], "her word ends every consent to the treatment"
    assert stage.clocks(it.person)["consent_withdrawn"] == "done"
    assert not {found for found in stage.operations(it.person) if "escape" in found}
    for table in ("term", "community_measure"):
        assert stage.one(f"SELECT count(*) FROM {table} WHERE person_id = :p", p=it.person) == 0
    assert [kind for kind, _, open_ in stage.claims(it.person) if open_] == []
