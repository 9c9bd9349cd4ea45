"""A centre and a hospital served by the real API, a key of each kind, and three people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert
from starlette.testclient import TestClient

from service import logs
from service.access.caller import Role
from service.app import create_app
from service.store.engine import make_engine, run
from service.store.ids import new_id
from service.store.tables import core
from service.workflow.keys import create_key
from service.workflow.watch import due
from solver.codes import LegalBasis, UnitKind
from tests.service.api.conftest import Holder, settings_for
from tests.service.workflow.world import World, context

POLICE_SIDE = ("officer", "centre_admin", "centre_feed", "centre_doctor")
CARE_SIDE = ("coordinator", "hospital_admin", "hospital_doctor", "auditor")
KEYS: Mapping[str, tuple[Role, str | None]] = {
    "officer": (Role.INTAKE_OFFICER, None),
    "centre_admin": (Role.FACILITY_ADMIN, "psc-1"),
    "centre_feed": (Role.INTEGRATION, "psc-1"),
    "centre_doctor": (Role.CLINICIAN, "psc-1"),
    "hospital_admin": (Role.FACILITY_ADMIN, "hosp-1"),
    "hospital_doctor": (Role.CLINICIAN, "hosp-1"),
    "doctor": (Role.CLINICIAN, None),
    "coordinator": (Role.COORDINATOR, None),
    "auditor": (Role.AUDITOR, None),
}


@dataclass(frozen=True)
class Case:
    """Somebody with everything the service can hold of a stay."""

    person: str
    request: str
    stay: str
    transfer: str
    consent: str
    basis: str


NOBODY = Case("p-nobody0000", "rq_none", "st_none", "tr_none", "cn_none", "lb_none")


@dataclass(frozen=True)
class City:
    world: World
    by: Mapping[str, Holder]
    consensual: Case
    decided_later: Case
    compulsory: Case


@pytest.fixture(scope="module")
def city(module_database_url: str, tmp_path_factory: Any) -> Iterator[City]:
    engine = make_engine(module_database_url)
    world = World(engine)
    centre = world.unit("psc-1.w1", rooms=(1, 1))
    ward = world.unit(
        "hosp-1.w1",
        rooms=(1, 1, 1, 1),
        kind=UnitKind.CTH,
        bases=(LegalBasis.CONSTRAINED, LegalBasis.VOLUNTARY),
    )
    keys = {
        name: run(engine, create_key, context(), name=name, role=role, facility=facility).text
        for name, (role, facility) in KEYS.items()
    }
    first = patient(world, ward[0], ward[1])
    second = patient(world, ward[2], ward[3])
    decided(engine, second.person)
    held = detained(world, centre)
    logs.configure()
    app = create_app(settings_for(module_database_url, tmp_path_factory.mktemp("data")))
    with TestClient(app) as client:
        by = {name: Holder(client, key) for name, key in keys.items()}
        yield City(world, by, first, second, held)
    engine.dispose()


def patient(world: World, bed: str, next_bed: str) -> Case:
    person = world.person(basis=LegalBasis.CONSTRAINED)
    own, _ = world.consents(person, UnitKind.CTH)
    case = everything(world, person, bed, next_bed, own)
    for subject in (("consent", own), ("stay", case.stay)):
        world.do(
            due.owe,
            "consent_end",
            subject=subject,
            now=datetime.now(UTC),
            person=person,
            facility="hosp-1",
        )
    return case


def detained(world: World, beds: list[str]) -> Case:
    return everything(world, world.person(), beds[0], beds[1], NOBODY.consent)


def everything(world: World, person: str, bed: str, next_bed: str, consent: str) -> Case:
    stay = world.admitted(bed, person)
    world.fit_to_move(person, UnitKind.CTH, UnitKind.PSC, units=["hosp-1.w1", "psc-1.w1"])
    transfer = world.proposed(stay.id, next_bed).id
    basis = world.one("SELECT id FROM legal_basis WHERE person_id = :p", p=person)
    assert stay.request is not None
    return Case(person, stay.request, stay.id, transfer, consent, basis)


def decided(engine: Engine, person: str) -> None:
    now = datetime.now(UTC)
    with engine.begin() as conn:
        conn.execute(
            insert(core.legal_basis).values(
                id=new_id("lb"),
                person_id=person,
                kind=LegalBasis.COMPULSORY.value,
                body="city_police",
                ground="relapse_after",
                starts_on=now.date(),
                ends_on=now.date() + timedelta(days=700),
                under_16_reasons=False,
                recorded_by="test",
                recorded_at=now,
                version=1,
            )
        )
