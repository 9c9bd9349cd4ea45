"""What-ifs on the live network: ask up to ten at once, read how they compare with today."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import status
from pydantic import BaseModel, ConfigDict, Field

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.live import live
from service.api.paging import Page, Paging, page
from service.workflow.plans import planning_runs, scenarios
from service.workflow.plans.scenarios import ScenarioRunShown
from solver.codes import BedKind, Isolation, LegalBasis, Observation, Sex, UnitKind
from solver.scenarios import MAX_DAYS, MAX_NAME, MAX_PEOPLE, MAX_SCENARIOS, MAX_STEPS

router = resource("planning")

Planner = Annotated[Call, calling(Role.COORDINATOR)]
Reader = Annotated[Call, calling(Role.COORDINATOR, Role.AUDITOR)]
UnitId = Annotated[str, Field(min_length=1, max_length=80)]
People = Annotated[int, Field(ge=1, le=MAX_PEOPLE)]
Days = Annotated[int, Field(ge=1, le=MAX_DAYS)]
GradeName = Literal["G0", "G1", "G2", "G3", "G4", "G5"]


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CloseUnitStep(_Step):
    """A unit takes nobody any more and whoever is in it has to leave. Whom no doctor's statement
    lets move is left; ``movable`` supposes that only a pin stands in anybody's way."""

    step: Literal["close_unit"]
    unit: UnitId
    movable: bool = False


class OutbreakStep(_Step):
    """So many residents of a unit must be isolated by one route, room-mates first."""

    step: Literal["outbreak"]
    unit: UnitId
    route: Literal["contact", "droplet", "airborne"]
    people: People
    movable: bool = False


class ArrivalsStep(_Step):
    """So many more people of one kind wait, their papers in order."""

    step: Literal["arrivals"]
    basis: LegalBasis
    grade: GradeName
    sex: Sex
    count: People
    needs: Annotated[list[BedKind], Field(max_length=len(BedKind))] = []
    isolation: Isolation = Isolation.NONE
    observation: Observation = Observation.NONE
    age: Annotated[int, Field(ge=0, le=150)] = 35
    emergency: bool = False


class NewHospitalStep(_Step):
    """One more ward or hospital, empty, licensed and open."""

    step: Literal["new_hospital"]
    beds: People
    kind: Literal["CTH", "DTI", "OMW", "SEC"] = "CTH"
    bed_kind: BedKind = BedKind.NUR
    features: Annotated[list[BedKind], Field(max_length=len(BedKind))] = []
    beds_per_room: Annotated[int, Field(ge=1, le=20)] = 2
    isolation: Isolation = Isolation.NONE
    level_of_care: GradeName = "G4"
    position: tuple[float, float] = (0.0, 0.0)
    staffed_beds: Annotated[int, Field(ge=0, le=MAX_PEOPLE)] | None = None
    reserve: Annotated[int, Field(ge=0, le=MAX_PEOPLE)] = 0


class LongerStaysStep(_Step):
    """Everybody in units of a kind leaves so many days later than forecast, nobody after the end
    of a term. It changes what is forecast, and whom a later ``discharges`` still finds there."""

    step: Literal["longer_stays"]
    kind: UnitKind
    days: Days


class DischargesStep(_Step):
    """Everybody whose stay is forecast to end within so many days has left."""

    step: Literal["discharges"]
    days: Days
    kind: UnitKind | None = None


class ChangePolicyStep(_Step):
    """Fields of the planner's policy, each with its new value."""

    step: Literal["change_policy"]
    policy: Annotated[dict[str, Any], Field(min_length=1, max_length=40)]


AnyStep = Annotated[
    CloseUnitStep
    | OutbreakStep
    | ArrivalsStep
    | NewHospitalStep
    | LongerStaysStep
    | DischargesStep
    | ChangePolicyStep,
    Field(discriminator="step"),
]


class NewScenario(BaseModel):
    """Steps done one after the other to the network as it is, under a name."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
    steps: Annotated[list[AnyStep], Field(min_length=1, max_length=MAX_STEPS)]


class NewScenarios(BaseModel):
    """One to ten scenarios, each under its own name, to be compared with today."""

    model_config = ConfigDict(extra="forbid")

    scenarios: Annotated[list[NewScenario], Field(min_length=1, max_length=MAX_SCENARIOS)]
    seed: Annotated[int, Field(ge=0, le=planning_runs.MAX_SEED)] = 0


@router.post("/scenarios", status_code=status.HTTP_202_ACCEPTED)
async def request_scenarios(body: NewScenarios, call: Planner) -> ScenarioRunShown:
    """Ask what would be if; a worker answers. Read ``Location`` until it is ``solved``.

    Each scenario is tried on the network as this process has it before anything is kept: a step
    that cannot be done to it is 422 and names the field. Nothing but the scenarios is written.
    """
    raw = body.model_dump(mode="json")["scenarios"]
    network = live(call.state).network.current()
    asked = await asyncio.to_thread(scenarios.read_asked, raw, network)
    made = await call.write(scenarios.request_scenarios, asked, seed=body.seed)
    call.created(f"/api/v1/scenarios/{made.id}")
    return made


@router.get("/scenarios")
async def list_scenarios(call: Reader, asked: Paging) -> Page[ScenarioRunShown]:
    """What was asked and answered, newest first."""
    rows = await call.read(scenarios.list_scenarios, limit=asked.fetch, after=asked.after)
    return page(call, asked, rows, lambda it: it.id)


@router.get("/scenarios/{scenario_id}")
async def get_scenarios(scenario_id: str, call: Reader) -> ScenarioRunShown:
    """Scenarios asked about together: where they stand; once solved, each against today."""
    return await call.read(scenarios.get_scenarios, scenario_id)
