"""What-ifs over HTTP, answered by a real worker in a real child process."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from service.access.caller import Role
from service.store.tables import core
from tests.database import Server
from tests.service.planning.at_work import contents, ok, operations, work_until
from tests.service.planning.full_ward import WARD, full_ward
from tests.service.planning.served_ward import PLANNING_ROLES, ServedWard, served_ward

V1 = "/api/v1"
NONE = {"G0": 0, "G1": 0, "G2": 0, "G3": 0, "G4": 0, "G5": 0}
MEN: dict[str, Any] = {
    "step": "arrivals",
    "basis": "compulsory",
    "grade": "G1",
    "sex": "male",
    "count": 2,
}
FOUR: list[dict[str, Any]] = [
    {"name": "ward closed", "steps": [{"step": "close_unit", "unit": WARD}]},
    {"name": "two arrive", "steps": [MEN]},
    {"name": "nobody moves", "steps": [{"step": "change_policy", "policy": {"move_budget": 0}}]},
    {
        "name": "a second ward",
        "steps": [
            {"step": "close_unit", "unit": WARD},
            {"step": "new_hospital", "beds": 2, "kind": "OMW"},
        ],
    },
]


@pytest.fixture(scope="module")
def served(
    server: Server, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedWard]:
    """A full ward, served; no test changes more of it than its scenarios."""
    with served_ward(server, template, tmp_path_factory.mktemp("ward")) as made:
        yield made


def ask(served: ServedWard, asked: list[dict[str, Any]]) -> str:
    """Ask what would be if; the id."""
    made = ok(served.coordinator("POST", f"{V1}/scenarios", json={"scenarios": asked}), 202)
    return str(made["id"])


@dataclass(frozen=True)
class Answered:
    """What was shown of four what-ifs when they were asked and when they were answered, and the
    tables and the log before and after."""

    asked: Any
    shown: Any
    tables: tuple[dict[str, Any], dict[str, Any]]
    log: tuple[list[str], list[str]]


@pytest.fixture(scope="module")
def answered(served: ServedWard) -> Answered:
    before, log = contents(served.engine), operations(served.engine)
    asked = ok(served.coordinator("POST", f"{V1}/scenarios", json={"scenarios": FOUR}), 202)
    url = served.settings.database_url
    assert url is not None
    work_until(url, served.engine, served.ctx, asked["id"])
    shown = ok(served.coordinator("GET", f"{V1}/scenarios/{asked['id']}"))
    return Answered(
        asked,
        shown,
        (before, contents(served.engine)),
        (log, operations(served.engine)),
    )


def test_four_what_ifs_are_answered_in_one_call_each_against_today(answered: Answered):
    asked, shown = answered.asked, answered.shown
    assert (asked["state"], asked["answers"], asked["failure"]) == ("queued", None, None)
    assert (shown["state"], shown["failure"]) == ("solved", None)
    assert shown["network_position"] is not None
    assert shown["snapshot_hash"]
    assert [it["name"] for it in shown["scenarios"]] == [it["name"] for it in FOUR]

    today, found = shown["answers"]["today"], shown["answers"]["scenarios"]
    assert [it["name"] for it in found] == [it["name"] for it in FOUR]
    assert (today["unplaced"], today["moves"], today["resident_moves"]) == (NONE, 4, 2)
    closed, arrived, still, second = found
    assert closed["outcome"]["unplaced"] == {**NONE, "G3": 2}
    assert closed["against_today"]["unplaced"] == {**NONE, "G3": 2}
    assert (closed["outcome"]["moves"], closed["against_today"]["moves"]) == (2, -2)
    assert closed["outcome"]["misplaced_left"] == 0
    assert closed["breaks"]["relation"]["rule"] == "availability"
    assert closed["breaks"]["relation"]["beds"] == 4
    assert closed["breaks"]["relation"]["zh"]
    assert closed["breaks"]["relation"]["en"]
    assert arrived["against_today"]["unplaced"] == {**NONE, "G1": 2}
    assert still["outcome"]["unplaced"] == {**NONE, "G3": 2}
    assert still["against_today"]["resident_moves"] == -2
    assert second["outcome"]["unplaced"] == NONE
    assert second["outcome"]["resident_moves"] == 2
    for it in (today, *(it["outcome"] for it in found)):
        assert [level["level"] for level in it["levels"]] == [0, 1, 2, 3, 4]
        assert all(level["gap"] == 0 for level in it["levels"])
        assert it["seconds"] > 0


def test_nothing_is_written_but_the_scenario_and_its_own_events(
    answered: Answered, served: ServedWard
):
    before, after = answered.tables
    assert after == before
    log, longer = answered.log
    assert longer[len(log) :] == ["scenario.queued", "scenario.started", "scenario.solved"]
    with served.engine.connect() as conn:
        said = conn.execute(
            select(core.event.c.data, core.event.c.person_id, core.event.c.bed_id).where(
                core.event.c.subject_id == answered.shown["id"]
            )
        ).all()
    assert [it.data for it in said] == [{"scenarios": "4"}, {}, {}]
    assert {(it.person_id, it.bed_id) for it in said} == {(None, None)}


def test_an_answer_names_nobody_and_no_bed(answered: Answered):
    words, network = str(answered.shown["answers"]), full_ward()
    assert not [it for it in (*network.persons, *network.beds) if it in words]


def test_where_what_was_asked_can_be_read_is_said_and_the_newest_is_first(served: ServedWard):
    first = served.coordinator("POST", f"{V1}/scenarios", json={"scenarios": FOUR[:1]})
    path = first.headers["Location"]
    assert ok(served.holders[Role.AUDITOR]("GET", path))["id"] == first.json()["id"]
    newer = ask(served, FOUR[1:2])
    listed = ok(served.coordinator("GET", f"{V1}/scenarios?limit=1"))
    assert [it["id"] for it in listed["items"]] == [newer]
    rest = ok(served.coordinator("GET", f"{V1}/scenarios?limit=1&cursor={listed['next']}"))
    assert [it["id"] for it in rest["items"]] == [first.json()["id"]]


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.COORDINATOR}))
def test_only_a_coordinator_asks_and_only_an_auditor_reads_too(served: ServedWard, role: Role):
    caller = served.holders[role]
    answer = caller("POST", f"{V1}/scenarios", json={"scenarios": FOUR})
    assert answer.status_code == 403
    read = caller("GET", f"{V1}/scenarios")
    assert read.status_code == (200 if role in PLANNING_ROLES else 403)


def test_an_id_that_is_none_is_not_found(served: ServedWard):
    found = served.coordinator("GET", f"{V1}/scenarios/sc_nobody")
    assert (found.status_code, found.json()["code"]) == (404, "scenario-not-found")


def everything(engine: Engine) -> Any:
    """All the tables, the log, the scenarios and the jobs there are."""
    with engine.connect() as conn:
        jobs = conn.exec_driver_sql("SELECT count(*) FROM procrastinate_jobs").scalar_one()
        kept = conn.execute(select(func.count()).select_from(core.scenario)).scalar_one()
    return contents(engine), operations(engine), kept, jobs


OUTBREAK = {"step": "outbreak", "unit": WARD, "route": "airborne", "people": 3}


@pytest.mark.parametrize(
    ("step", "pointer", "value", "way_out"),
    [
        ({"step": "close_unit", "unit": "omw-9.w9"}, "/unit", "omw-9.w9", "id of a unit"),
        (OUTBREAK, "/people", 3, "at most 2"),
        ({**OUTBREAK, "route": "unknown"}, "/route", "unknown", "airborne"),
        ({**MEN, "count": 0}, "/count", 0, "1"),
        ({"step": "change_policy", "policy": {"colour": 3}}, "/policy/colour", 3, "move_budget"),
        (
            {"step": "change_policy", "policy": {"grade_weights": [9, 8, 7, 6, 5, 4]}},
            "/policy/grade_weights/1",
            8,
            "the weight of G0",
        ),
        ({"step": "new_hospital", "beds": 5, "kind": "PSC"}, "/kind", "PSC", "CTH"),
        ({"step": "longer_stays", "kind": "CTH", "days": 400}, "/days", 400, "365"),
    ],
)
def test_a_step_that_cannot_be_done_is_refused_by_its_field_before_anything_is_kept(
    served: ServedWard, step: dict[str, Any], pointer: str, value: Any, way_out: str
):
    before = everything(served.engine)
    body = {
        "scenarios": [FOUR[0], {"name": "x", "steps": [{"step": "discharges", "days": 1}, step]}]
    }
    answer = served.coordinator("POST", f"{V1}/scenarios", json=body)
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["type"].startswith("/problems/")
    fault = problem["errors"][0]
    assert fault["pointer"] == f"/scenarios/1/steps/1{pointer}"
    assert fault["value"] == value
    assert way_out in fault["message"]
    assert everything(served.engine) == before


@pytest.mark.parametrize(
    ("step", "plain"),
    [
        ({**OUTBREAK, "route": "unknown"}, "'contact', 'droplet' or 'airborne'"),
        ({"step": "new_hospital", "beds": 5, "kind": "PSC"}, "'CTH', 'DTI', 'OMW' or 'SEC'"),
    ],
)
def test_the_codes_a_field_may_have_are_told_as_they_are_sent(
    served: ServedWard, step: dict[str, Any], plain: str
):
    body = {"scenarios": [{"name": "x", "steps": [step]}]}
    fault = served.coordinator("POST", f"{V1}/scenarios", json=body).json()["errors"][0]
    assert fault["message"] == f"Input should be {plain}"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"scenarios": []}, "/scenarios"),
        ({"scenarios": [FOUR[0]] * 11}, "/scenarios"),
        ({"scenarios": [FOUR[0], FOUR[0]]}, "/scenarios/1/name"),
        ({"scenarios": [{"name": "x", "steps": []}]}, "/scenarios/0/steps"),
        ({"scenarios": [{"name": "x", "steps": [{"step": "fly"}]}]}, "/scenarios/0/steps/0"),
        ({"scenarios": [{"name": "a\u2028b", "steps": FOUR[0]["steps"]}]}, "/scenarios/0/name"),
        ({"scenarios": FOUR, "seed": -1}, "/seed"),
    ],
)
def test_a_call_that_is_none_is_refused_with_its_field(
    served: ServedWard, body: dict[str, Any], pointer: str
):
    answer = served.coordinator("POST", f"{V1}/scenarios", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer
