"""Places, people and their papers written straight to the tables of a small city."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert, select

from service.store.ids import new_id, new_pseudonym
from service.store.tables import core
from service.store.terms import begin_missing
from service.workflow.context import Context
from solver.codes import (
    BedKind,
    BedState,
    ConsentBy,
    Grade,
    Isolation,
    LegalBasis,
    Licence,
    Observation,
    Owner,
    Sex,
    UnitKind,
)


@dataclass
class CityRows:
    """Rows of a small city, as no use case would write them; ``ctx`` says whose policy holds."""

    engine: Engine
    ctx: Context

    # places -----------------------------------------------------------------------------------
    def unit(
        self,
        unit: str = "psc-1.w1",
        *,
        rooms: Sequence[int] = (2,),
        kind: UnitKind = UnitKind.PSC,
        bases: Sequence[LegalBasis] = (LegalBasis.COMPULSORY,),
        external: bool = False,
        room_isolation: Isolation = Isolation.NONE,
        cohort: bool = False,
        **more: Any,
    ) -> list[str]:
        """A unit with so many beds in each room; returns bed ids. Its facility is made on need."""
        facility = unit.split(".")[0]
        custodial = kind in (UnitKind.PSC, UnitKind.JSC, UnitKind.OMW, UnitKind.SEC)
        now = datetime.now(UTC)
        beds: list[str] = []
        with self.engine.begin() as conn:
            if conn.execute(select(core.facility.c.id).filter_by(id=facility)).first() is None:
                conn.execute(
                    insert(core.facility).values(
                        id=facility,
                        name=facility,
                        operator=Owner.HEALTH.value,
                        external=external,
                        duty_phone="027-0000",
                        east_km=0.0,
                        north_km=0.0,
                        status_ttl_minutes=720,
                        version=1,
                    )
                )
            conn.execute(
                insert(core.unit).values(
                    **{
                        "id": unit,
                        "facility_id": facility,
                        "name": unit,
                        "kind": kind.value,
                        "min_age": 0,
                        "max_age": 150,
                        "zone": "general",
                        "level_of_care": Grade.G4.value,
                        "security": 1 if custodial else 0,
                        "observation": Observation.NONE.value,
                        "licences": [it.value for it in Licence],
                        "bases": [it.value for it in bases],
                        "security_owner": (
                            Owner.PUBLIC_SECURITY if custodial else Owner.NONE
                        ).value,
                        "medical_owner": Owner.HEALTH.value,
                        "reserve": 0,
                        "version": 1,
                        **more,
                    }
                )
            )
            for number, size in enumerate(rooms, 1):
                room = f"{unit}.r{number}"
                conn.execute(
                    insert(core.room).values(
                        id=room,
                        unit_id=unit,
                        name=room,
                        isolation=room_isolation.value,
                        cohort=cohort,
                        version=1,
                    )
                )
                for position in range(1, size + 1):
                    beds.append(f"{room}.b{position}")
                    conn.execute(
                        insert(core.bed).values(
                            id=beds[-1],
                            room_id=room,
                            unit_id=unit,
                            facility_id=facility,
                            name=beds[-1],
                            kind=BedKind.GEN.value,
                            features=[],
                            state=BedState.IN_SERVICE.value,
                            state_since=now,
                            confirmed_at=now,
                            confirmed_by="test",
                            version=1,
                        )
                    )
        return beds

    # people -----------------------------------------------------------------------------------
    def person(
        self,
        *,
        sex: Sex = Sex.MALE,
        isolation: Isolation | None = Isolation.NONE,
        age: int = 30,
        basis: LegalBasis | None = LegalBasis.COMPULSORY,
        served_at: datetime | None = None,
    ) -> str:
        """Somebody whose papers and assessment are in order."""
        id_ = new_pseudonym()
        now = datetime.now(UTC)
        today = now.date()
        with self.engine.begin() as conn:
            conn.execute(
                insert(core.person).values(
                    id=id_,
                    sex=sex.value,
                    birth_date=date(today.year - age, 1, 1),
                    created_at=now,
                    version=1,
                )
            )
            if basis is not None:
                conn.execute(
                    insert(core.legal_basis).values(
                        id=new_id("lb"),
                        person_id=id_,
                        kind=basis.value,
                        body="city_police" if basis is LegalBasis.COMPULSORY else None,
                        ground="relapse_after" if basis is LegalBasis.COMPULSORY else None,
                        served_at=served_at or now - timedelta(days=10),
                        starts_on=today - timedelta(days=20),
                        ends_on=today + timedelta(days=700),
                        under_16_reasons=False,
                        recorded_by="test",
                        recorded_at=now,
                        version=1,
                    )
                )
            begin_missing(conn, [id_])
        if isolation is not None:
            self.assess(id_, isolation)
        return id_

    def assess(self, person: str, isolation: Isolation = Isolation.NONE) -> None:
        now = datetime.now(UTC)
        with self.engine.begin() as conn:
            conn.execute(
                insert(core.assessment).values(
                    id=new_id("as"),
                    person_id=person,
                    dimensions={},
                    grade=1,
                    needs=[],
                    isolation=isolation.value,
                    observation="none",
                    pregnant="no",
                    nursing="no",
                    assessed_at=now,
                    assessed_by="doctor",
                    recorded_at=now,
                )
            )

    def fit_to_move(
        self, person: str, *kinds: UnitKind, units: Sequence[str] | None = None
    ) -> None:
        """A doctor's statement that the person may move to units of these kinds."""
        now = datetime.now(UTC)
        with self.engine.begin() as conn:
            conn.execute(
                insert(core.fitness_statement).values(
                    id=new_id("fs"),
                    person_id=person,
                    kinds=[it.value for it in kinds],
                    agreed_units=list(units) if units is not None else None,
                    ends_on=now.date() + timedelta(days=5),
                    stated_by="doctor",
                    recorded_at=now,
                )
            )

    def consents(self, person: str, *kinds: UnitKind, days: int = 30) -> tuple[str, str]:
        """The person, found able to decide, and their family agree in writing to treatment in
        these kinds of unit; the ids of both consents."""
        now = datetime.now(UTC)
        ids = (new_id("cn"), new_id("cn"))
        with self.engine.begin() as conn:
            for id_, by in zip(ids, (ConsentBy.PERSON, ConsentBy.FAMILY), strict=True):
                conn.execute(
                    insert(core.consent).values(
                        id=id_,
                        person_id=person,
                        given_by=by.value,
                        kinds=[it.value for it in kinds],
                        agreement=True,
                        starts_on=now.date() - timedelta(days=2),
                        ends_on=now.date() + timedelta(days=days),
                        given_at=now - timedelta(days=2),
                        place="the doctor's room",
                        takers=["Dr Chen"],
                        capable="yes" if by is ConsentBy.PERSON else None,
                        capacity_by="Dr Chen",
                        capacity_at=now - timedelta(days=2),
                        told_alternatives=True,
                        told_no_adverse_effect=True,
                        recorded_by="test",
                        recorded_at=now,
                        version=1,
                    )
                )
        return ids
