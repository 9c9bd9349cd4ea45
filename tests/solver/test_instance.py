"""Networks and plans as files: the same bytes out, and every fault in named."""

import gc
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings

from solver.codes import ConsentBy, Grade, Screening, Tri
from solver.domain import Network, Policy, Room
from solver.instance import (
    InstanceError,
    network_from_json,
    network_to_json,
    plan_from_json,
    plan_to_json,
)
from solver.planning import make_plan
from solver.synthetic import city
from tests.solver.builders import NOW, a_consent, a_network, a_person, a_ward
from tests.solver.tiny_networks import network, person, request, stay, tiny_networks, unit

SMALL = network(
    [unit("f.w1")],
    [(Room("f.w1.r1", "f.w1"), 3)],
    [person("p0"), person("p1"), person("p2")],
    [stay("p0", "f.w1.r1.b1"), stay("p1", "f.w1.r1.b2")],
    [request("p2")],
)


def _network_json(change: Callable[[dict[str, Any]], object]) -> str:
    document = json.loads(network_to_json(SMALL))
    change(document)
    return json.dumps(document)


@settings(max_examples=60, deadline=None)
@given(tiny_networks())
def test_a_network_read_back_is_the_same_network(given_network: Network):
    text = network_to_json(given_network)
    again = network_from_json(text)
    assert network_to_json(again) == text
    assert dict(again.persons) == dict(given_network.persons)
    assert dict(again.beds) == dict(given_network.beds)
    assert again.policy == given_network.policy
    assert again.now == given_network.now


def test_what_is_on_record_of_a_person_is_read_back():
    built = a_network(
        a_ward(),
        persons=[
            a_person("p-1", joint_opinion=Tri.YES, psc_since=date(2026, 8, 1)),
            a_person("p-2", like="out_medical"),
            a_person("p-3", like="involuntary_psychiatric"),
            a_person("p-4", sex=None, identified=False, screening=Screening.CAUTION),
            a_person(
                "p-5",
                "voluntary",
                capable=Tri.UNKNOWN,
                police_consent=True,
                examined=False,
                consents=(a_consent(ConsentBy.PERSON, lapses_at=NOW),),
            ),
        ],
        policy=Policy(psc_min_months=6, cleared_grade=Grade.G0),
    )
    again = network_from_json(network_to_json(built))
    assert again.persons == built.persons
    assert again.policy == built.policy


def test_a_file_from_before_a_field_was_there_is_read_with_its_neutral_default():
    document = json.loads(network_to_json(SMALL))
    for one in document["persons"]:
        for name in ("identified", "capable", "psc_since", "out_medical", "psychiatric"):
            del one[name]
        del one["need"]["screening"], one["need"]["examined"]
    assert network_from_json(json.dumps(document)).persons == SMALL.persons


def test_a_city_read_back_is_the_same_city():
    built = city(1, 0.1, waiting=20)
    again = network_from_json(network_to_json(built))
    for name in ("facilities", "units", "rooms", "beds", "persons"):
        assert dict(getattr(again, name)) == dict(getattr(built, name))
    assert set(again.stays) == set(built.stays)
    assert set(again.requests) == set(built.requests)


def test_the_order_rows_come_in_does_not_change_the_bytes():
    built = SMALL
    turned = replace(
        built,
        persons=dict(reversed(list(built.persons.items()))),
        beds=dict(reversed(list(built.beds.items()))),
        stays=tuple(reversed(built.stays)),
        requests=tuple(reversed(built.requests)),
    )
    assert network_to_json(turned) == network_to_json(built)


@settings(max_examples=30, deadline=None)
@given(tiny_networks())
def test_a_plan_read_back_is_the_same_plan(given_network: Network):
    plan, _ = make_plan(given_network)
    assert plan_from_json(plan_to_json(plan)) == plan


def _set(path: str, value: object) -> Callable[[dict[str, Any]], object]:
    def change(document: dict[str, Any]) -> None:
        at: Any = document
        *steps, last = path.split("/")
        for step in steps:
            at = at[int(step)] if step.isdigit() else at[step]
        at[int(last) if last.isdigit() else last] = value

    return change


@pytest.mark.parametrize(
    ("path", "value", "field", "way_out"),
    [
        ("beds/0/kind", "SOFA", "beds[0].kind", "give one of GEN"),
        ("beds/0/room", "f.w9.r1", "beds[0].room", "no such id in rooms"),
        ("beds/0/stale", 1, "beds[0].stale", "give true or false"),
        ("beds/1/id", "f.w1.r1.b1", "beds[1].id", "give each its own"),
        ("beds/0/held_for", "p-nobody", "beds[0].held_for", "no such id in persons"),
        ("units/0/colour", "red", "units[0].colour", "unknown field"),
        ("units/0/level_of_care", "G9", "units[0].level_of_care", "give one of G0"),
        ("persons/0/sex", None, "persons[0].sex", "not identified"),
        ("beds/1/room", "f.w1.r2", "beds[1].room", "no such id in rooms"),
        ("units/0/staffed_beds", -1, "units[0].staffed_beds", "give 0 or more"),
        ("beds/0", [], "beds[0]", "give an object"),
        ("beds", {}, "beds", "give a list"),
        ("beds/0/features", [["NUR"]], "beds[0].features[0]", "give a code"),
        ("persons/1/decision/ground", 3, "persons[1].decision.ground", "give a code"),
        ("persons/1/decision/why", 3, "persons[1].decision.why", "unknown field; use body"),
        ("persons/0/consents", [{"by": 1}], "persons[0].consents[0].kinds", "required"),
        ("policy/psc_max_months", 13, "policy.psc_max_months", "0 to 12"),
        ("policy/psc_max_months", 2, "policy.psc_min_months", "no more than psc_max_months"),
        ("policy/move_budget", -1, "policy.move_budget", "give 0 or more"),
        ("policy/max_moves_per_placement", -1, "policy.max_moves_per_placement", "0 or more"),
        ("policy/distance_cap_km", -1, "policy.distance_cap_km", "give 0 or more"),
        ("policy/stale_weight", -1, "policy.stale_weight", "give 0 or more"),
        ("policy/grade_weights/2", -4, "policy.grade_weights[2]", "give 0 or more"),
        ("policy/grade_weights/2", 11, "policy.grade_weights[2]", "at least the weight of G1"),
        ("policy/grade_weights/5", 110, "policy.grade_weights[5]", "past an emergency"),
        ("policy/grade_weights/5", 10**12, "policy.grade_weights", "3 people at up to"),
        ("policy/cleared_grade", "G5", "policy.cleared_grade", "unknown is graver"),
        ("policy/colour", "red", "policy.colour", "unknown field"),
        ("units/0/reserve", -1, "units[0].reserve", "give 0 or more"),
        ("units/0/min_age", 200, "units[0].min_age", "give an age from 0 to max_age"),
        ("facilities/0/position", [1.0], "facilities[0].position", "give exactly 2 members"),
        ("facilities/0/position", [1.0, True], "facilities[0].position[1]", "finite number"),
        ("persons/0/age", 30.5, "persons[0].age", "give a whole number"),
        ("persons/0/age", -3, "persons[0].age", "give an age from 0"),
        ("persons/0/need/needs", ["NUR", "NUR"], "persons[0].need.needs", "each member once"),
        ("stays/0/since", "2026-11-23T08:00:00", "stays[0].since", "add the offset"),
        ("stays/0/since", "yesterday", "stays[0].since", "give an instant"),
        ("requests/0/declined_units", "psc-1", "requests[0].declined_units", "give a list"),
        ("on", "23.11.2026", "on", "give a day"),
        ("policy/turnaround", -5, "policy.turnaround", "give seconds between"),
        ("version", 2, "version", "reads version 1"),
        ("format", "rehab-beds/plan", "format", "rehab-beds/network"),
        ("wards", [], "wards", "unknown field"),
    ],
)
def test_a_fault_names_the_field_the_value_and_the_way_out(
    path: str, value: object, field: str, way_out: str
):
    with pytest.raises(InstanceError) as caught:
        network_from_json(_network_json(_set(path, value)))
    assert caught.value.field == field
    assert way_out in caught.value.way_out
    assert str(caught.value).startswith(f"{field}: ")


def test_a_bed_in_two_rooms_is_refused():
    two_rooms = network(
        [unit("f.w1")],
        [(Room("f.w1.r1", "f.w1"), 2), (Room("f.w1.r2", "f.w1"), 2)],
        [person("p0")],
    )
    document = json.loads(network_to_json(two_rooms))
    document["beds"][2]["id"] = document["beds"][0]["id"]
    with pytest.raises(InstanceError, match=r"stands in two rooms, also in f\.w1\.r1") as caught:
        network_from_json(json.dumps(document))
    assert (caught.value.field, caught.value.value) == ("beds[2].room", "f.w1.r2")


def test_of_several_faults_in_one_thing_the_first_in_the_file_is_named():
    def change(document: dict[str, Any]) -> None:
        bed = document["beds"][0]
        wrong = {"stale": 1, "kind": "SOFA"}
        document["beds"][0] = {**wrong, **{name: bed[name] for name in bed if name not in wrong}}

    with pytest.raises(InstanceError) as caught:
        network_from_json(_network_json(change))
    assert caught.value.field == "beds[0].stale"


def test_like_values_that_stand_in_fields_of_another_order_are_not_mixed_up():
    def change(document: dict[str, Any]) -> None:
        need = document["persons"][0]["need"]
        need["pregnant"], need["nursing"] = "no", "yes"
        turned = dict(reversed(document["persons"][1]["need"].items()))
        turned["pregnant"], turned["nursing"] = "yes", "no"
        document["persons"][1]["need"] = turned

    persons = network_from_json(_network_json(change)).persons
    assert (persons["p0"].need.pregnant, persons["p0"].need.nursing) == (Tri.NO, Tri.YES)
    assert (persons["p1"].need.pregnant, persons["p1"].need.nursing) == (Tri.YES, Tri.NO)


def test_equal_small_values_are_read_into_one_object():
    persons = network_from_json(network_to_json(SMALL)).persons
    assert persons["p0"].need is persons["p1"].need
    assert persons["p0"].decision is persons["p1"].decision


def test_whole_numbers_where_a_float_stands_give_the_same_bytes():
    moved = {id_: replace(it, position=(3, -4)) for id_, it in SMALL.facilities.items()}
    same = {id_: replace(it, position=(3.0, -4.0)) for id_, it in SMALL.facilities.items()}
    assert network_to_json(replace(SMALL, facilities=moved)) == network_to_json(
        replace(SMALL, facilities=same)
    )


@pytest.mark.parametrize("collecting", [True, False])
def test_the_garbage_collector_is_left_as_it_was(collecting: bool):
    before = gc.isenabled()
    try:
        (gc.enable if collecting else gc.disable)()
        network_from_json(network_to_json(SMALL))
        with pytest.raises(InstanceError):
            network_from_json("{}")
        assert gc.isenabled() is collecting
    finally:
        (gc.enable if before else gc.disable)()


def test_every_thing_stands_on_a_line_of_its_own():
    lines = network_to_json(SMALL).splitlines()
    assert sum('"held_for":' in line for line in lines) == len(SMALL.beds) == 3
    plan, _ = make_plan(SMALL)
    moves = [line for line in plan_to_json(plan).splitlines() if '"to_bed":' in line]
    assert len(moves) == len(plan.moves) > 0


def test_a_missing_field_is_named():
    with pytest.raises(InstanceError, match=r"stays\[0\]\.bed: null - this field is required"):
        network_from_json(_network_json(lambda document: document["stays"][0].pop("bed")))


def test_two_people_in_one_bed_are_refused():
    def change(document: dict[str, Any]) -> None:
        document["stays"][1]["bed"] = document["stays"][0]["bed"]

    with pytest.raises(InstanceError, match="another stay claims this bed"):
        network_from_json(_network_json(change))


def test_one_person_in_two_beds_is_refused_unless_one_is_kept_during_leave():
    def change(document: dict[str, Any]) -> None:
        document["stays"][1]["person"] = document["stays"][0]["person"]

    with pytest.raises(InstanceError, match="mark a leave"):
        network_from_json(_network_json(change))

    def on_leave(document: dict[str, Any]) -> None:
        change(document)
        document["stays"][1]["on_leave"] = True

    assert len(network_from_json(_network_json(on_leave)).stays) > 1


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 1, "format": 1}', "[" * 9999])
def test_what_is_not_a_json_network_is_refused_in_words(text: str):
    with pytest.raises(InstanceError):
        network_from_json(text)


def test_a_plan_with_a_move_id_used_twice_is_refused():
    plan, _ = make_plan(SMALL)
    document = json.loads(plan_to_json(plan))
    document["plan"]["moves"].append(document["plan"]["moves"][0])
    with pytest.raises(InstanceError, match="give each move its own id"):
        plan_from_json(json.dumps(document))
