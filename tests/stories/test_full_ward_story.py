"""The last bed of a ward: two officers race for it, and a plan makes room for those who wait."""

from __future__ import annotations

from service.commands.tour.scenes.full_ward import a_plan_returns_two, race_for_the_last_bed
from tests.stories.invariants import DOUBLE_BOOKINGS
from tests.stories.nights import Stage


def test_one_officer_wins_the_last_bed_and_a_plan_in_order_makes_room_for_both_who_wait(
    stage: Stage,
):
    night = stage.night()
    race = race_for_the_last_bed(night)
    assert race.lost["code"] == "bed-taken"
    assert "candidates" in race.lost
    in_bed = "SELECT person_id FROM bed_claim WHERE bed_id = :b AND kind = 'stay'"
    assert stage.rows(in_bed, b=race.bed) == [(race.winner[0],)]
    state = "SELECT state FROM placement_request WHERE id = :r"
    assert stage.one(state, r=race.loser[1]) == "waiting", "who lost goes on waiting"
    assert stage.claims(race.loser[0]) == []

    planned = a_plan_returns_two(night, race)
    back = [it for it in planned.moves if it["from_bed"] is not None]
    into = [it for it in planned.moves if it["from_bed"] is None]
    assert {it["person"] for it in back} == set(race.residents)
    assert race.loser[0] in {it["person"] for it in into}
    assert len(into) == 2
    order = [it["id"] for it in planned.moves]
    for it in into:
        assert it["after"], "a bed is free only once somebody has left it"
        assert all(order.index(before) < order.index(it["id"]) for before in it["after"])

    present = stage.rows(
        "SELECT person_id FROM bed_claim WHERE unit_id = :u AND kind = 'stay'"
        " AND voided_at IS NULL AND upper_inf(during)",
        u=race.ward.unit,
    )
    assert {row[0] for row in present} == {race.winner[0], *(it["person"] for it in into)}
    for person in race.residents:
        ((kind, bed, _),) = [it for it in stage.claims(person) if it[2]]
        of = "SELECT u.kind FROM bed b JOIN unit u ON u.id = b.unit_id WHERE b.id = :b"
        assert (kind, stage.one(of, b=bed)) in (("stay", "PSC"), ("stay", "JSC"))
        assert stage.clocks(person)["fitness_return"] == "done"
    decided = stage.rows(
        "SELECT decided_by IS NOT NULL, decision_reason IS NOT NULL FROM plan_proposal"
        " WHERE id = ANY(:ids)",
        ids=order,
    )
    assert decided == [(True, True)] * 4, "each move is a named human's"
    with stage.city.engine.connect() as conn:
        assert conn.execute(DOUBLE_BOOKINGS).scalar_one() == 0
    for words in ("bed-taken", "The coordinator approves move by move"):
        assert words in stage.told
