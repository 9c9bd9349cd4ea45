"""A small city for tests of use cases, and short ways through them.

Places and papers are written straight to the tables; everything else goes through the use cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar

import pytest
from sqlalchemy import Connection, Engine, insert, select, text, update

from service.access.caller import Actor, Role
from service.access.vault import Vault
from service.errors import ServiceError
from service.policy import default_policy
from service.store.engine import run
from service.store.ids import new_id, new_pseudonym
from service.store.tables import core, metadata
from service.store.tables.claims import StayEnd
from service.store.tables.inventory import OutOfServiceReason
from service.workflow import answers, bed_state, decisions, handover, placement, transfers
from service.workflow.admission import admit
from service.workflow.context import Context
from service.workflow.decisions import Choice, Decided
from service.workflow.discharge import discharge
from service.workflow.place_fields import BedStateFields
from service.workflow.views import RequestView, StayView, TransferView
from solver.codes import (
    BedKind,
    BedState,
    ConsentBy,
    Grade,
    Isolation,
    LegalBasis,
    Licence,
    MoveReason,
    Observation,
    Owner,
    Sex,
    UnitKind,
)

P = ParamSpec("P")
T = TypeVar("T")

VAULT = Vault(b"k" * 32, b"i" * 32)
CHOICE = Choice(officer="officer Lin", reason="nearest lawful bed")


def context(role: Role = Role.COORDINATOR, facility: str | None = None) -> Context:
    actor = Actor(id=f"key-{role.value}", name=role.value, role=role, facility=facility)
    return Context(actor=actor, policy=default_policy(), vault=VAULT)


def _codes(error: ServiceError) -> set[str]:
    return {error.code, *(it.code for it in error.errors)}


@dataclass
class World:
    """A database, and verbs on it; each verb is one committed transaction."""

    engine: Engine
    ctx: Context = field(default_factory=context)

    def do(
        self,
        use_case: Callable[Concatenate[Connection, Context, P], T],
        *args: P.args,
        **kw: P.kwargs,
    ) -> T:
        return run(self.engine, use_case, self.ctx, *args, **kw)

    def as_(self, role: Role, facility: str | None = None) -> World:
        return World(self.engine, context(role, facility))

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

    def consents(self, person: str, *kinds: UnitKind) -> None:
        """The person and their family agree in writing to treatment in these kinds of unit."""
        now = datetime.now(UTC)
        with self.engine.begin() as conn:
            for by in ConsentBy.PERSON, ConsentBy.FAMILY:
                conn.execute(
                    insert(core.consent).values(
                        id=new_id("cn"),
                        person_id=person,
                        given_by=by.value,
                        kinds=[it.value for it in kinds],
                        agreement=True,
                        starts_on=now.date() - timedelta(days=2),
                        ends_on=now.date() + timedelta(days=30),
                        recorded_by="test",
                        recorded_at=now,
                        version=1,
                    )
                )

    # the way through --------------------------------------------------------------------------
    def submit(self, person: str | None = None, **kw: Any) -> RequestView:
        return self.do(placement.submit, person or self.person(), **kw)

    def decide(self, request: str, bed: str, choice: Choice = CHOICE) -> Decided:
        return self.do(decisions.decide, request, bed, choice)

    def held(self, bed: str, person: str | None = None) -> RequestView:
        return self.decide(self.submit(person).id, bed).request

    def accepted(self, bed: str, person: str | None = None) -> RequestView:
        return self.do(answers.accept, self.held(bed, person).id)

    def admitted(self, bed: str, person: str | None = None) -> StayView:
        return self.do(admit, self.accepted(bed, person).id)

    def discharged(self, stay: str, code: StayEnd = StayEnd.RELEASED, **kw: Any) -> StayView:
        return self.do(discharge, stay, code=code, reason="term over", **kw)

    def fit(self, bed: str) -> None:
        """The bed has been cleaned."""
        self.do(bed_state.record_bed_state, bed, BedStateFields(state=BedState.IN_SERVICE))

    def out_of_use(self, bed: str, state: BedState = BedState.CLOSED) -> None:
        """The bed is closed, or closing, for repair."""
        fields = BedStateFields(state=state, reason=OutOfServiceReason.REPAIR)
        self.do(bed_state.record_bed_state, bed, fields)

    def proposed(self, stay: str, bed: str) -> TransferView:
        return self.do(transfers.request_transfer, stay, bed, reason=MoveReason.RIGHT_A_MISPLACED)

    def approved(self, stay: str, bed: str) -> TransferView:
        made = self.proposed(stay, bed)
        return self.do(transfers.approve, made.id, reason="agreed with the doctor")

    def on_the_way(self, stay: str, bed: str) -> TransferView:
        made = self.do(handover.accept_transfer, self.approved(stay, bed).id)
        return self.do(handover.depart, made.id)

    # time and looking -------------------------------------------------------------------------
    def age_hold(self, bed: str, minutes: int = 600) -> None:
        """Let a live hold of the bed have begun and ended so much earlier."""
        with self.engine.begin() as conn:
            conn.execute(
                text(
                    "UPDATE bed_claim SET during = tstzrange(lower(during) - make_interval(mins =>"
                    " :m), upper(during) - make_interval(mins => :m)) WHERE bed_id = :bed AND"
                    " kind = 'hold' AND voided_at IS NULL AND used_at IS NULL"
                ),
                {"m": minutes, "bed": bed},
            )

    def set(self, table: str, id_: str, **values: Any) -> None:
        with self.engine.begin() as conn:
            rows = metadata.tables[table]
            conn.execute(update(rows).where(rows.c.id == id_).values(**values))

    def sql(self, query: str, **values: Any) -> list[Any]:
        with self.engine.connect() as conn:
            return list(conn.execute(text(query), values))

    def one(self, query: str, **values: Any) -> Any:
        return self.sql(query, **values)[0][0]

    def events(self) -> list[str]:
        return [row[0] for row in self.sql("SELECT operation FROM event ORDER BY seq")]

    @contextmanager
    def refuses(self, kind: type[ServiceError], code: str) -> Iterator[pytest.ExceptionInfo[Any]]:
        """What is tried inside fails with this error and changes no row."""
        before = self.fingerprint()
        with pytest.raises(kind) as caught:
            yield caught
        assert _codes(caught.value) >= {code}, caught.value.code
        assert self.fingerprint() == before

    def fingerprint(self) -> list[Any]:
        """A hash of every row a use case may write: equal before and after a refused one."""
        tables = (
            "bed", "bed_claim", "bed_next", "decline", "event", "person", "placement_decision",
            "placement_request", "plan_proposal", "room", "stay", "transfer", "unit",
        )  # fmt: skip
        parts = [
            f"SELECT '{name}', count(*), md5(string_agg(t::text, '|' ORDER BY t::text))"
            f" FROM {name} t"
            for name in tables
        ]
        return self.sql(" UNION ALL ".join(parts) + " ORDER BY 1")
