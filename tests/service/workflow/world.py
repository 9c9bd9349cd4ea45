"""A small city for tests of use cases, and short ways through them.

Places and papers are written straight to the tables; everything else goes through the use cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar

import pytest
from sqlalchemy import Connection, insert, text, update

from service.access.caller import Actor, Role
from service.access.vault import Vault
from service.errors import ServiceError
from service.lifecycle import ApprovalKind
from service.policy import default_policy
from service.store.engine import run
from service.store.ids import new_id
from service.store.tables import core, metadata
from service.store.tables.claims import StayEnd
from service.store.tables.inventory import OutOfServiceReason
from service.workflow.context import Context
from service.workflow.inventory import bed_state
from service.workflow.inventory.place_fields import BedStateFields
from service.workflow.moves import handover, handover_papers, transfers
from service.workflow.moves.handover_papers import ClinicalSummary, NewHandover
from service.workflow.moves.journeys import Escort, Journey
from service.workflow.placing import answers, decisions, placement
from service.workflow.placing.admission import admit
from service.workflow.placing.decisions import Choice, Decided
from service.workflow.stays.discharge import discharge
from service.workflow.views import RequestView, StayView, TransferView
from solver.codes import (
    BedState,
    MoveReason,
    Organ,
)
from tests.service.workflow.city_rows import CityRows

P = ParamSpec("P")
T = TypeVar("T")

VAULT = Vault(b"k" * 32, b"i" * 32)
SUMMARY = ClinicalSummary(diagnoses=[], medicines=[], allergies=[])
ESCORTED = Journey(
    escorts=(
        Escort(name="officer Zhou", organ=Organ.CENTRE),
        Escort(name="officer He", organ=Organ.CENTRE, woman=True),
    ),
    vehicle="van 3",
)
CHOICE = Choice(officer="officer Lin", reason="nearest lawful bed")


def context(role: Role = Role.COORDINATOR, facility: str | None = None) -> Context:
    actor = Actor(id=f"key-{role.value}", name=role.value, role=role, facility=facility)
    return Context(actor=actor, policy=default_policy(), vault=VAULT)


def _codes(error: ServiceError) -> set[str]:
    return {error.code, *(it.code for it in error.errors)}


@dataclass
class World(CityRows):
    """A database, and verbs on it; each verb is one committed transaction."""

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
        return self.depart(made.id)

    def papers_of_way(self, transfer: str) -> None:
        """A clinician's summary, and every organ's approval the way could need."""
        person = self.one("SELECT person_id FROM transfer WHERE id = :id", id=transfer)
        now = datetime.now(UTC)
        with self.engine.begin() as conn:
            for kind in ApprovalKind.WARD_MOVE, ApprovalKind.CENTRE_MOVE:
                conn.execute(
                    insert(core.approval).values(
                        id=new_id("ap"),
                        person_id=person,
                        kind=kind.value,
                        organ=Organ.CENTRE.value,
                        granted=True,
                        decided_on=now.date() - timedelta(days=1),
                        recorded_by="test",
                        recorded_at=now,
                    )
                )
        self.as_(Role.CLINICIAN).do(
            handover_papers.write_handover, transfer, NewHandover(clinical=SUMMARY)
        )

    def depart(self, transfer: str, **kw: Any) -> TransferView:
        """Everything the way needs is there, and two go along."""
        self.papers_of_way(transfer)
        return self.do(handover.depart, transfer, journey=ESCORTED, **kw)

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

    def sql_do(self, query: str, **values: Any) -> None:
        """Write a row as no use case would."""
        with self.engine.begin() as conn:
            conn.execute(text(query), values)

    def one(self, query: str, **values: Any) -> Any:
        return self.sql(query, **values)[0][0]

    def events(self) -> list[str]:
        """Operations in the order of the log; the clocks that follow them left out."""
        query = "SELECT operation FROM event WHERE subject_type <> 'due_item' ORDER BY seq"
        return [row[0] for row in self.sql(query)]

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
            "bed", "bed_claim", "bed_next", "consent", "decline", "event", "person",
            "placement_decision", "placement_request", "plan_proposal", "room", "stay", "transfer",
            "unit",
        )  # fmt: skip
        parts = [
            f"SELECT '{name}', count(*), md5(string_agg(t::text, '|' ORDER BY t::text))"
            f" FROM {name} t"
            for name in tables
        ]
        return self.sql(" UNION ALL ".join(parts) + " ORDER BY 1")
