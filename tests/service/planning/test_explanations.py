"""Why, as it is read: of a plan, of one request; by whom; and what is not said."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from service.access.caller import Role
from service.lifecycle import WorkState
from service.planning_worker import PlanningWorker
from service.store.engine import run
from service.workflow.placing import placement
from service.workflow.plans import planning_decisions, planning_runs, run_explanations
from solver.codes import LegalBasis
from tests.database import Server
from tests.service.planning.conftest import solved
from tests.service.planning.full_ward import RESIDENTS, WAITING
from tests.service.planning.served_ward import PLANNING_ROLES, ServedWard, served_ward
from tests.service.workflow.world import World

V1 = "/api/v1"
REQUEST_READERS = (
    Role.INTAKE_OFFICER,
    Role.CLINICIAN,
    Role.COORDINATOR,
    Role.AUDITOR,
)


@dataclass(frozen=True)
class Explained:
    """A served ward with a plan that is solved and explained, and somebody who waits by consent."""

    ward: ServedWard
    run: str
    officer_may_know: str
    patient: str
    patients_request: str

    def get(self, role: Role, path: str, status: int = 200) -> Any:
        response = self.ward.holders[role]("GET", f"{V1}{path}")
        assert response.status_code == status, response.text
        return response.json()


def explain(ward: ServedWard, run_id: str) -> None:
    url = ward.engine.url.render_as_string(hide_password=False)
    worker = PlanningWorker(url, ward.engine, ward.ctx, limit_s=60)
    asyncio.run(worker.explain_run(run_id))


@pytest.fixture(scope="module")
def explained(
    server: Server, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Explained]:
    with served_ward(server, template, tmp_path_factory.mktemp("data")) as ward:
        world = World(ward.engine, ward.ctx)
        patient = world.person(basis=LegalBasis.CONSTRAINED)
        request = run(ward.engine, placement.submit, ward.ctx, patient).id
        run_id = solved(ward.engine, ward.ctx)
        explain(ward, run_id)
        yield Explained(ward, run_id, "rq_waiting1", patient, request)


def lines(found: dict[str, Any]) -> str:
    return " ".join([*found["zh"], *found["en"]])


def test_everybody_the_plan_moves_and_every_request_without_a_bed_has_an_answer(
    explained: Explained,
):
    found = explained.get(Role.COORDINATOR, f"/planning-runs/{explained.run}/explanations")
    assert found["next"] is None
    kinds = {it["person"]: it["kind"] for it in found["items"]}
    assert kinds == dict.fromkeys((*RESIDENTS, *WAITING), "placed") | {
        explained.patient: "unplaced"
    }
    for it in found["items"]:
        assert it["zh"]
        assert it["en"]
        assert all(line.isascii() for line in it["en"])
    shown = explained.get(Role.COORDINATOR, f"/planning-runs/{explained.run}")
    assert (shown["explained"], shown["worth_state"]) == ("ready", "pending")


def test_explanations_come_in_pages_and_by_person_or_request(explained: Explained):
    path = f"/planning-runs/{explained.run}/explanations"
    seen: list[str] = []
    step = f"{path}?limit=2"
    while step:
        part = explained.get(Role.AUDITOR, step)
        seen += [it["person"] for it in part["items"]]
        step = f"{path}?limit=2&cursor={part['next']}" if part["next"] else ""
    assert sorted(seen) == sorted([*RESIDENTS, *WAITING, explained.patient])
    (one,) = explained.get(Role.AUDITOR, f"{path}?person={WAITING[0]}")["items"]
    assert one["request"] == "rq_waiting1"
    (same,) = explained.get(Role.AUDITOR, f"{path}?request=rq_waiting1")["items"]
    assert same == one
    assert explained.get(Role.AUDITOR, f"{path}?person=p-nobody0000")["items"] == []


def test_changes_are_read_by_whoever_reads_plans(explained: Explained):
    found = explained.get(Role.AUDITOR, f"/planning-runs/{explained.run}/changes")
    assert found["counts"] == {"kept": 0, "new": 4, "changed": 0, "dropped": 0}
    assert {it["kind"] for it in found["lines"]} == {"new"}
    only = explained.get(Role.COORDINATOR, f"/planning-runs/{explained.run}/changes?kind=kept")
    assert only["lines"] == []


@pytest.mark.parametrize("part", ["explanations", "changes", "worth"])
@pytest.mark.parametrize("role", sorted(set(Role) - PLANNING_ROLES))
def test_nobody_else_reads_why_a_whole_plan_is_as_it_is(
    explained: Explained, part: str, role: Role
):
    found = explained.get(role, f"/planning-runs/{explained.run}/{part}", 403)
    assert explained.patient not in json.dumps(found)


@pytest.mark.parametrize("part", ["explanations", "changes", "worth"])
def test_a_run_that_is_not_there_is_not_found(explained: Explained, part: str):
    found = explained.get(Role.COORDINATOR, f"/planning-runs/pr_nothing/{part}", 404)
    assert found["type"].endswith("planning-run-not-found")


def test_what_is_not_worked_out_yet_says_so_and_what_to_do(explained: Explained):
    found = explained.get(Role.COORDINATOR, f"/planning-runs/{explained.run}/worth", 409)
    assert found["type"].endswith("not-explained")
    assert found["progress"] == "pending"
    assert "ask again" in found["detail"]


@pytest.mark.parametrize("role", REQUEST_READERS)
def test_a_request_is_explained_from_the_newest_plan_to_whoever_may_read_it(
    explained: Explained, role: Role
):
    asked = explained.officer_may_know
    found = explained.get(role, f"/placement-requests/{asked}/explanation")
    assert (found["source"], found["run"], found["run_state"]) == ("plan", explained.run, "solved")
    shown = explained.get(Role.COORDINATOR, f"/planning-runs/{explained.run}")
    assert (found["position"], found["at"]) == (shown["network_position"], shown["started_at"])
    assert found["explanation"]["kind"] == "placed"
    assert found["zh"]
    assert found["en"]
    assert found["ranking"] is None


def test_an_explanation_names_no_other_person(explained: Explained):
    others = {*RESIDENTS, *WAITING, explained.patient}
    path = f"/planning-runs/{explained.run}/explanations"
    for it in explained.get(Role.COORDINATOR, path)["items"]:
        text = json.dumps([it["body"], lines(it)], ensure_ascii=False)
        for who in others - {it["person"]}:
            assert who not in text


def test_a_request_by_consent_is_explained_to_a_clinician_and_not_there_for_an_officer(
    explained: Explained,
):
    path = f"/placement-requests/{explained.patients_request}/explanation"
    found = explained.get(Role.CLINICIAN, path)
    assert (found["source"], found["explanation"]["kind"]) == ("plan", "unplaced")
    hidden = explained.get(Role.INTAKE_OFFICER, path, 404)
    nobody = explained.get(Role.INTAKE_OFFICER, "/placement-requests/rq_nothing/explanation", 404)
    alike = ("type", "title", "status")
    assert [hidden[it] for it in alike] == [nobody[it] for it in alike]
    assert explained.patient not in json.dumps(hidden)
    assert explained.run not in json.dumps(hidden)


@pytest.mark.parametrize("role", [Role.DASHBOARD, Role.INTEGRATION])
def test_roles_that_rank_nobody_read_no_explanation(explained: Explained, role: Role):
    path = f"/placement-requests/{explained.officer_may_know}/explanation"
    explained.get(role, path, 403)


def test_a_request_that_no_plan_knows_is_ranked_now(explained: Explained):
    ward = explained.ward
    person = World(ward.engine, ward.ctx).person()
    asked = run(ward.engine, placement.submit, ward.ctx, person).id
    found = explained.get(Role.COORDINATOR, f"/placement-requests/{asked}/explanation")
    assert (found["source"], found["run"], found["explanation"]) == ("ranking", None, None)
    assert found["ranking"]["person"] == person
    assert found["position"] == found["ranking"]["position"]
    assert found["zh"]
    assert found["en"]
    assert ("fit now" in found["en"][0]) == (found["ranking"]["fitting"] > 0)
    run(ward.engine, placement.withdraw, ward.ctx, asked, reason="a test is over")


def test_a_plan_that_gave_way_is_not_explained_and_says_whose_to_read(explained: Explained):
    ward = explained.ward
    again = run(ward.engine, planning_runs.request_run, ward.ctx).id
    found = explained.get(Role.COORDINATOR, f"/planning-runs/{again}/explanations", 409)
    assert "once it is solved" in found["detail"]
    taken = run(ward.engine, planning_runs.take_up, ward.ctx, again)
    assert taken is not None
    run(ward.engine, planning_runs.fail, ward.ctx, taken, "died")
    found = explained.get(Role.COORDINATOR, f"/planning-runs/{again}/explanations", 409)
    assert "new plan" in found["detail"]


def test_explanations_are_stored_once_and_replaced_by_no_second_worker(explained: Explained):
    ward = explained.ward
    nothing: dict[str, Any] = {"placed": [], "unplaced": [], "left": []}
    run(ward.engine, run_explanations.store_explanations, ward.ctx, explained.run, nothing)
    run(ward.engine, run_explanations.fail_explanations, ward.ctx, explained.run)
    shown = run(ward.engine, planning_runs.get_run, ward.ctx, explained.run)
    assert shown.explained is WorkState.READY
    listed = run(ward.engine, run_explanations.list_explanations, ward.ctx, explained.run, limit=9)
    assert len(listed) == 5


def test_worth_is_read_once_it_is_there(explained: Explained, tmp_path: Path):
    ward = explained.ward
    document: dict[str, Any] = {"beds": [], "staff": []}
    run(ward.engine, run_explanations.store_worth, ward.ctx, explained.run, document)
    found = explained.get(Role.AUDITOR, f"/planning-runs/{explained.run}/worth")
    assert found == {"run": explained.run, "worth": document}
    moves = run(ward.engine, planning_decisions.list_proposals, ward.ctx, explained.run)
    assert len(moves) == 4
