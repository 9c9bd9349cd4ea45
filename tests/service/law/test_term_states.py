"""Whatever happens in whatever order, a term is in exactly one of its six states, and a release is
never refused while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from service.access.caller import Role
from service.errors import ServiceError
from service.lifecycle import ApprovalKind, TermState
from service.store import terms as rows
from service.store.tables.claims import StayEnd
from service.store.tables.law import AbsenceKind, OpinionKind, TermEnd
from service.workflow.emergencies.emergency import Emergency, admit_emergency
from service.workflow.law import absences, releases, term_view
from service.workflow.law.legal_bases import add_legal_basis
from service.workflow.placing.admission import admit
from service.workflow.placing.answers import accept
from service.workflow.stays import leave
from service.workflow.stays.discharge import discharge
from solver.codes import LegalBasis, UnitKind
from tests.service.law.cases import (
    approve,
    centre,
    decided,
    decision,
    hospital,
    opine,
    term_of,
    today,
)
from tests.service.workflow.conftest import empty
from tests.service.workflow.world import World

ABSENT = {
    AbsenceKind.ESCAPE: TermState.ESCAPED,
    AbsenceKind.DETENTION: TermState.IN_DETENTION,
    AbsenceKind.ARREST: TermState.IN_DETENTION,
    AbsenceKind.OUT_MEDICAL: TermState.OUT_MEDICAL,
}


@dataclass
class Model:
    """Where the person is, told again from what was done and not from the rows."""

    closed: bool = False
    away: AbsenceKind | None = None
    custody: bool = False
    kept: bool = False
    patient: bool = False

    def state(self) -> TermState:
        if self.closed:
            return TermState.CLOSED
        if self.away is not None:
            return ABSENT[self.away]
        if self.kept:
            return TermState.ON_LEAVE
        return TermState.IN_BED if self.custody or self.patient else TermState.IN_DETENTION


@dataclass
class Case:
    world: World
    bed: str
    person: str
    term: str
    model: Model

    def stay_at(self, facility: str) -> str:
        found = self.world.sql(
            "SELECT id FROM stay WHERE person_id = :p AND facility_id = :f AND ended_at IS NULL",
            p=self.person,
            f=facility,
        )
        return str(found[0][0]) if found else "st_none"

    # what may be tried ------------------------------------------------------------------------
    def admit(self) -> None:
        self.world.set("bed", self.bed, state="in_service")
        live = self.world.sql(
            "SELECT id FROM placement_request WHERE person_id = :p"
            " AND state IN ('waiting', 'held', 'accepted')",
            p=self.person,
        )
        if live:
            request = live[0][0]
            self.world.decide(request, self.bed)
            self.world.do(accept, request)
            self.world.do(admit, request)
        else:
            self.world.admitted(self.bed, self.person)
        self.model.custody, self.model.kept, self.model.away = True, False, None
        self.model.patient = False

    def go_on_leave(self) -> None:
        ends = datetime.now(UTC) + timedelta(days=2)
        self.world.do(leave.begin_leave, self.stay_at("psc-1"), ends_at=ends)
        self.model.custody, self.model.kept = False, True

    def come_from_leave(self) -> None:
        self.world.do(leave.end_leave, self.stay_at("psc-1"))
        self.model.custody, self.model.kept = True, False

    def emergency(self) -> None:
        self.world.do(
            admit_emergency,
            self.person,
            Emergency(unit="ext-1.w1", officer="Lin", reason="ill"),
        )
        self.model.kept = self.model.kept or self.model.custody
        self.model.custody, self.model.patient = False, True

    def leave_hospital(self) -> None:
        self.world.do(discharge, self.stay_at("ext-1"), code=StayEnd.DISCHARGED, reason="better")
        self.model.patient = False

    def leave_centre(self) -> None:
        self.world.do(discharge, self.stay_at("psc-1"), code=StayEnd.DISCHARGED, reason="moved")
        self.model.custody = self.model.kept = False

    def escape(self) -> None:
        self.world.do(absences.escaped, self.term, reason="gone")
        self.model = Model(away=AbsenceKind.ESCAPE)

    def detain(self) -> None:
        self.world.do(absences.detained, self.term, AbsenceKind.DETENTION, reason="case")
        self.model = Model(away=AbsenceKind.DETENTION)

    def arrest(self) -> None:
        self.world.do(absences.detained, self.term, AbsenceKind.ARREST, reason="case")
        self.model = Model(away=AbsenceKind.ARREST)

    def go_outside(self) -> None:
        review = today() + timedelta(days=9)
        self.world.do(absences.treated_outside, self.term, review_on=review, reason="dialysis")
        self.model = Model(away=AbsenceKind.OUT_MEDICAL, patient=self.model.patient)

    def come_back(self) -> None:
        self.world.do(absences.came_back, self.term, reason="back")
        self.model.away = None

    def release(self) -> None:
        self.world.do(releases.release, self.term, end=TermEnd.REVOKED, reason="set aside")
        self.model = Model(closed=True)

    def die(self) -> None:
        self.world.do(releases.died, self.term, reason="died")
        self.model = Model(closed=True)


OFTEN = ("admit", "emergency", "go_on_leave", "come_from_leave", "come_back", "leave_hospital")
SELDOM = ("leave_centre", "escape", "detain", "arrest", "go_outside")
LAST = ("release", "die")
STEPS = st.lists(st.sampled_from(OFTEN + OFTEN + SELDOM), min_size=1, max_size=14)


def must_do(case: Case, step: str) -> bool:
    """Steps that nothing may stand in the way of."""
    if step in LAST:
        return not case.model.closed
    free = case.model.away is None and not case.model.closed
    if step == "escape":
        return not case.model.closed and case.model.away is not AbsenceKind.ESCAPE
    return step in ("detain", "arrest") and free


def look(case: Case) -> None:
    """The derived state is the told one, and the rows contradict it nowhere."""
    with case.world.engine.connect() as conn:
        row = rows.term(conn, case.term)
    assert row.state is case.model.state(), (row, case.model)
    without = {
        it.id for it in case.world.do(term_view.listed, after=None, limit=9, without_bed=True)
    }
    somewhere = case.model.custody or case.model.kept or case.model.patient
    assert (case.term in without) == (not case.model.closed and not somewhere)
    open_absences = case.world.one("SELECT count(*) FROM term_absence WHERE ended_on IS NULL")
    assert open_absences == (1 if case.model.away is not None else 0)
    held = case.world.one(
        "SELECT count(*) FROM bed_claim c JOIN unit u ON u.id = c.unit_id WHERE c.voided_at IS NULL"
        " AND c.kind IN ('stay', 'leave') AND upper_inf(during) AND u.kind = 'PSC'"
    )
    assert held == (1 if case.model.custody or case.model.kept else 0)
    assert not (held and row.state not in (TermState.IN_BED, TermState.ON_LEAVE))


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS, last=st.sampled_from(LAST))
def test_a_term_is_always_in_exactly_one_state_and_release_always_possible(
    world: World, steps: list[str], last: str
):
    empty(world.engine)
    bed, _ = centre(world)
    hospital(world)
    row = decided(world)
    opine(world, row.person, OpinionKind.OUT_MEDICAL_NEED, severe=True, at_risk=True)
    case = Case(world, bed, row.person, row.id, Model())
    look(case)
    for step in [*steps, last]:
        if step == "go_outside":
            approve(world, row, ApprovalKind.OUT_MEDICAL)
            approve(world, row, ApprovalKind.OUT_MEDICAL_FILING)
        forced = must_do(case, step)
        act: Callable[[], None] = getattr(case, step)
        note(step)
        try:
            act()
        except ServiceError as error:
            note(f"refused: {error.code}")
            assert not forced, step
        look(case)
    assert case.model.closed


def test_a_bed_of_treatment_by_consent_says_nothing_of_a_term(world: World):
    ward = world.unit("hosp-1.w1", kind=UnitKind.CTH, rooms=(1,), bases=(LegalBasis.CONSTRAINED,))
    person = world.person(basis=LegalBasis.CONSTRAINED)
    world.consents(person, UnitKind.CTH)
    world.admitted(ward[0], person)
    world.do(add_legal_basis, person, decision(0))
    found = term_of(world, person)
    assert found.state is TermState.IN_DETENTION
    officer = world.as_(Role.INTAKE_OFFICER)
    without = officer.do(term_view.listed, after=None, limit=10, without_bed=True)
    assert [it.person for it in without] == [person]


def test_a_bed_that_an_emergency_put_somebody_under_a_term_in_counts_for_it(world: World):
    hospital(world)
    row = decided(world)
    world.do(admit_emergency, row.person, Emergency(unit="ext-1.w1", officer="Lin", reason="ill"))
    assert term_of(world, row.person).state is TermState.IN_BED
