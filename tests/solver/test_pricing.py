"""Any plan priced, also one written or edited by hand: nothing of it is trusted, nothing raises."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.check import violations
from solver.codes import BedState, Grade, MoveReason, PlanStatus, Relation, Sex
from solver.commands.line import main
from solver.cost import TERMS, level_totals, price
from solver.domain import LevelResult, Move, Network, Plan, Policy, Unplaced
from solver.hand_plans import HandMove, HandPlan, hand_made, hand_plan_from_json
from solver.instance import InstanceError, network_to_json, plan_to_json
from solver.planning import make_plan
from solver.pricing import Differing, price_plan, priced_document
from tests.solver.builders import NOW, a_network, a_person, a_request, a_stay, a_ward
from tests.solver.planned import CENTRE, full_ward
from tests.solver.plans import NEXT_FIT, a_move, a_plan, back_and_in, relations, the_ward
from tests.solver.tiny_networks import tiny_networks


def hand_written(*moves: dict[str, Any], **plan: Any) -> str:
    document = {"format": "rehab-beds/plan", "version": 1, "plan": {"moves": moves, **plan}}
    return json.dumps(document)


@given(tiny_networks())
@settings(max_examples=60)
def test_a_planners_plan_is_clean_at_its_own_price(network: Network):
    plan, _ = make_plan(network)
    priced = price_plan(network, plan)
    assert (priced.violations, priced.differing, priced.unpriced) == ((), (), ())
    assert priced.levels == tuple(it.value for it in plan.levels)
    assert list(priced.terms) == [term.name for term in TERMS]
    assert level_totals(priced.terms.items()) == priced.levels


@given(tiny_networks(), st.data())
@settings(max_examples=120)
def test_whatever_is_done_to_a_plan_it_is_priced_and_judged_and_never_raises(
    network: Network, data: st.DataObject
):
    plan, _ = make_plan(network)
    ids = st.sampled_from(
        [*network.beds, *network.persons, *network.request_by_id, "m0001", "nobody", ""]
    )
    moves = list(plan.moves)
    for _ in range(data.draw(st.integers(1, 4))):
        change: bool = data.draw(st.booleans())
        if moves and change:
            i = data.draw(st.integers(0, len(moves) - 1))
            field = data.draw(st.sampled_from(["id", "person", "to_bed", "from_bed", "request"]))
            changed: dict[str, Any] = {field: data.draw(ids)}
            moves[i] = replace(moves[i], **changed)
        else:
            new, who, left, taken, asked = (data.draw(ids) for _ in range(5))
            reason: MoveReason = data.draw(st.sampled_from(MoveReason))
            moves.append(Move(new, who, left, taken, asked, reason))
    edited = replace(plan, moves=tuple(moves))
    priced = price_plan(network, edited)
    judged = {it for it in violations(network, edited) if it.relation is not Relation.PRICE}
    assert judged <= set(priced.violations)
    strange = any(
        it.person not in network.persons or not {it.to_bed, it.from_bed} <= {None, *network.beds}
        for it in moves
    )
    twice = any(len({getattr(it, name) for it in moves}) < len(moves) for name in ("id", "person"))
    assert bool(priced.unpriced) is (strange or twice)
    if not priced.unpriced:
        assert priced.levels == price(network, edited).levels
    assert json.dumps(priced_document(priced))


def test_unknown_ids_are_violations_and_the_other_moves_are_still_judged():
    network = the_ward()
    into_a_taken_bed = a_move(network, "p-ill", "f-2.w1.r1.b1")
    stranger = Move("m-x", "p-x", None, "f-1.w1.r1.b1", None, MoveReason.PLACE_WAITING)
    nowhere = Move("m-y", "p-fit", "f-2.w1.r1.b1", "bed-y", None, MoveReason.STEP_DOWN)
    priced = price_plan(network, a_plan_of(network, into_a_taken_bed, stranger, nowhere))
    texts = {it.text for it in priced.violations}
    assert "person p-x is not in the network" in texts
    assert "bed bed-y is not in the network" in texts
    assert "bed f-2.w1.r1.b1 is taken" in texts
    assert priced.unpriced == ("m-x", "m-y")
    assert priced.levels == price(network, a_plan_of(network, into_a_taken_bed)).levels


def a_plan_of(network: Network, *moves: Move) -> Plan:
    placed = {move.request for move in moves}
    left = tuple(Unplaced(it.id, ()) for it in network.requests if it.id not in placed)
    return Plan(moves, left, (), PlanStatus.WITHIN_GAP, 0)


def test_a_person_moved_twice_is_priced_once_and_told():
    network = the_ward()
    first = a_move(network, "p-fit", "f-1.w1.r1.b1")
    again = replace(first, id="m-again", to_bed="f-1.w1.r1.b2")
    priced = price_plan(network, a_plan_of(network, first, again))
    assert "p-fit is moved 2 times" in {it.text for it in priced.violations}
    assert priced.unpriced == ("m-again",)


def test_figures_left_out_are_counted_and_wrong_ones_are_told_with_their_path():
    network = the_ward()
    first, second = back_and_in(network)
    true = a_plan(network, first, second)
    bare = replace(true, moves=tuple(replace(it, terms=()) for it in true.moves), levels=())
    assert price_plan(network, bare) == price_plan(network, true)
    wrong = replace(
        true,
        moves=(replace(first, terms=(("moves", 3), ("distance", 1))), second),
        levels=(LevelResult(1, 5, 9.0), LevelResult(7, 0, 0.0)),
    )
    counts = dict(first.terms)
    assert price_plan(network, wrong).violations == ()
    assert set(price_plan(network, wrong).differing) == {
        Differing("plan.moves[0].terms.moves", 3, 1),
        Differing("plan.moves[0].terms.distance", 1, 0),
        *(
            Differing(f"plan.moves[0].terms.{name}", 0, n)
            for name, n in counts.items()
            if name != "moves"
        ),
        Differing("plan.levels[0].value", 5, 0),
        Differing("plan.levels[0].bound", 9.0, 0),
        Differing("plan.levels[1].level", 7, 1),
    }


def test_who_goes_where_is_enough_and_the_rest_is_worked_out():
    network = the_ward(policy=Policy(ward_weight=0))
    text = hand_written(
        {"person": "p-fit", "to_bed": "f-1.w1.r1.b1"},
        {"person": "p-ill", "to_bed": "f-2.w1.r1.b1"},
    )
    plan = hand_plan_from_json(text, network)
    first, second = plan.moves
    assert (first.id, first.from_bed, first.request) == ("m0001", "f-2.w1.r1.b1", None)
    assert (first.reason, first.displaced_for) == (MoveReason.MAKE_ROOM, "rq-p-ill")
    assert (first.after, first.ready_at) == ((), NOW)
    assert (second.id, second.from_bed, second.request) == ("m0002", None, "rq-p-ill")
    assert second.reason is MoveReason.PLACE_WAITING
    assert (second.after, second.ready_at) == (("m0001",), NEXT_FIT)
    assert price_plan(network, plan).violations == ()


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (the_ward(), MoveReason.STEP_DOWN),
        (the_ward(policy=Policy(ward_weight=0)), MoveReason.MAKE_ROOM),
        (
            the_ward(units={**the_ward().units, "f-2.w1": a_ward("f-2.w1", sex=Sex.FEMALE).unit}),
            MoveReason.RIGHT_A_MISPLACED,
        ),
    ],
)
def test_a_reason_left_out_is_the_first_that_holds(network: Network, reason: MoveReason):
    (move,) = hand_made(network, HandPlan((HandMove("p-fit", "f-1.w1.r1.b1"),))).moves
    assert (move.reason, move.displaced_for) == (reason, None)


@given(tiny_networks())
@settings(max_examples=80)
def test_a_planners_plan_reduced_to_who_goes_where_is_clean_again(network: Network):
    plan, _ = make_plan(network)
    given_by_hand = HandPlan(tuple(HandMove(it.person, it.to_bed) for it in plan.moves))
    priced = price_plan(network, hand_made(network, given_by_hand))
    assert priced.levels == tuple(it.value for it in plan.levels)
    assert priced.violations == ()


def test_a_whole_plan_of_the_planner_is_read_as_it_stands():
    network = full_ward(CENTRE)
    plan, _ = make_plan(network)
    assert hand_plan_from_json(plan_to_json(plan), network) == plan


def test_what_a_hand_states_is_not_mended():
    network = the_ward()
    text = hand_written(
        {"person": "p-fit", "to_bed": "f-1.w1.r1.b1"},
        {"person": "p-ill", "to_bed": "f-2.w1.r1.b1", "after": []},
        unplaced=[{"request": "rq-p-ill"}],
    )
    found = relations(price_plan(network, hand_plan_from_json(text, network)).violations)
    assert {Relation.ORDER_OF_MOVES, Relation.EVERY_REQUEST} <= found


def test_moves_in_an_order_that_does_not_work_stay_so():
    network = the_ward()
    text = hand_written(
        {"person": "p-ill", "to_bed": "f-2.w1.r1.b1"},
        {"person": "p-fit", "to_bed": "f-1.w1.r1.b1"},
    )
    found = price_plan(network, hand_plan_from_json(text, network)).violations
    assert Relation.ORDER_OF_MOVES in relations(found)


def test_a_move_waits_for_the_departures_its_units_staff_needs():
    network = a_network(
        a_ward(rooms=(1, 1, 1), staffed_beds=2),
        a_ward("f-2.w1", rooms=(1,)),
        persons=(a_person("p-1"), a_person("p-2"), a_person("p-3")),
        stays=(
            a_stay("p-1", "f-1.w1.r1.b1", may_move_to=frozenset({CENTRE})),
            a_stay("p-2", "f-1.w1.r2.b1"),
        ),
        requests=(a_request("p-3"),),
    )
    plan = hand_made(
        network,
        HandPlan((HandMove("p-1", "f-2.w1.r1.b1"), HandMove("p-3", "f-1.w1.r3.b1"))),
    )
    assert plan.moves[1].after == ("m0001",)
    assert price_plan(network, plan).violations == ()


def test_ids_given_by_hand_are_kept_and_the_others_do_not_clash():
    network = full_ward(CENTRE)
    moves = (
        HandMove("p0", "psc.w1.r1.b1", id="m0002"),
        HandMove("p1", "psc.w1.r1.b2"),
        HandMove("p2", "nowhere"),
    )
    assert [it.id for it in hand_made(network, HandPlan(moves)).moves] == [
        "m0002",
        "m0003",
        "m0004",
    ]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("{", "line 1, column 2"),
        (json.dumps({"format": "rehab-beds/plan", "version": 2, "plan": {"moves": []}}), "version"),
        (hand_written(seed="x"), "plan.seed"),
        (hand_written({"person": "p-1"}), "plan.moves[0].to_bed"),
        (hand_written({"person": 1, "to_bed": "b"}), "plan.moves[0].person"),
        (hand_written({"person": "p", "to_bed": "b", "bed": "b"}), "plan.moves[0].bed"),
        (hand_written({"person": "p", "to_bed": "b", "reason": "whim"}), "plan.moves[0].reason"),
        (hand_written({"person": "p", "to_bed": "b", "ready_at": "9"}), "plan.moves[0].ready_at"),
        (hand_written(unplaced=[{}]), "plan.unplaced[0].request"),
        (json.dumps({"format": "rehab-beds/plan", "version": 1, "moves": []}), "plan"),
    ],
)
def test_a_file_that_is_no_plan_is_refused_with_the_path_of_the_fault(text: str, field: str):
    with pytest.raises(InstanceError) as caught:
        hand_plan_from_json(text, the_ward())
    assert caught.value.field == field


def test_the_price_as_json_has_words_for_every_term_and_violation():
    network = the_ward()
    closed = replace(network.beds["f-1.w1.r1.b1"], state=BedState.CLOSED)
    network = replace(network, beds={**network.beds, closed.id: closed})
    plan = hand_made(network, HandPlan((HandMove("p-fit", closed.id),)))
    document = priced_document(price_plan(network, plan))
    assert document["clean"] is False
    assert {it["level"] for it in document["terms"]} == {0, 1, 2, 3, 4}
    assert all(it["zh"] and it["en"] for it in document["terms"] + document["violations"])
    assert "availability" in {it["relation"] for it in document["violations"]}
    waiting = next(it for it in document["terms"] if it["term"] == "waiting_unplaced")
    assert waiting["amount"] == document["levels"][1] == 41
    assert network.persons["p-ill"].need.grade is Grade.G3


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    network = tmp_path / "network.json"
    network.write_text(network_to_json(the_ward()), encoding="utf-8")
    return network, tmp_path / "plan.json"


def test_the_command_ends_with_0_for_a_clean_plan_and_writes_the_price(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
):
    network, plan = files
    plan.write_text(
        hand_written(
            {"person": "p-fit", "to_bed": "f-1.w1.r1.b1"},
            {"person": "p-ill", "to_bed": "f-2.w1.r1.b1", "terms": [["distance", 4]]},
        ),
        encoding="utf-8",
    )
    out = plan.with_name("price.json")
    assert main(["price", str(network), str(plan), "--out", str(out)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == "clean"
    assert "    moves of residents +1" in printed
    assert "plan.moves[1].terms.distance: 4 stated, 0 counted" in printed
    written = json.loads(out.read_text(encoding="utf-8"))
    assert written["clean"] is True
    assert written["levels"][3] == 1


def test_the_command_ends_with_1_for_a_plan_that_breaks_a_rule_and_names_it(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
):
    network, plan = files
    plan.write_text(hand_written({"person": "p-x", "to_bed": "bed-x"}), encoding="utf-8")
    assert main(["price", str(network), str(plan), "--lang", "zh"]) == 1
    printed = capsys.readouterr().out
    assert "bed bed-x is not in the network" in printed
    assert "not in the price: m0001" in printed
    assert "候床未安置 +41" in printed


def test_the_command_ends_with_2_for_a_file_that_is_no_plan(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
):
    network, plan = files
    plan.write_text(hand_written({"person": "p-x"}), encoding="utf-8")
    assert main(["price", str(network), str(plan)]) == 2
    assert capsys.readouterr().err.startswith("plan.moves[0].to_bed: null - ")
