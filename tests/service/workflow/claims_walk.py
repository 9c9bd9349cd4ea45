"""Beds, claims, requests, stays and transfers at random: every verb at any time, rightly or not."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from service.access.caller import Role
from service.errors import Conflict, Invalid, NotFound, ServiceError
from service.store.engine import run
from service.store.tables.claims import StayEnd
from service.worker import run_clocks
from service.workflow.emergencies.emergency import Emergency, admit_emergency
from service.workflow.moves import handover, transfers
from service.workflow.persons.assessments import Dimension, NewAssessment, record_assessment
from service.workflow.placing import answers, decisions, placement
from service.workflow.placing.admission import admit
from service.workflow.stays import corrections, discharge, undoing
from service.workflow.stays.leave import begin_leave, end_leave
from service.workflow.watch.daily import judge_everybody
from solver.codes import LegalBasis, MoveReason, Sex, UnitKind
from tests.service.workflow.conftest import empty
from tests.service.workflow.world import CHOICE, ESCORTED, World
from tests.stories.judged_anew import broken_whole

WHO = st.integers(0, 5)
BEDS = st.integers(0, 5)
HOW = st.integers(0, 7)
CUSTODY = (LegalBasis.COMPULSORY, LegalBasis.OUT_MEDICAL)
PATIENT = 4
"""Of the people at the beginning, the one who came by their own word."""


class Claims(RuleBasedStateMachine):
    """A centre, a ward, a hospital and one outside the network; five people,
    three of them in a bed. Every example begins with an empty database."""

    world: World
    reached: ClassVar[Counter[str]] = Counter()
    asked: ClassVar[Counter[str]] = Counter()

    @initialize()
    def begin(self) -> None:
        empty(self.world.engine)
        self.trail: list[str] = []
        world = self.world
        self.beds = world.unit(rooms=(2, 1), bases=CUSTODY)
        world.set("facility", "psc-1", operator="public_security")
        self.beds += world.unit("ward-1.a", rooms=(1,), kind=UnitKind.OMW, bases=CUSTODY)
        consensual = (LegalBasis.CONSTRAINED, LegalBasis.VOLUNTARY)
        self.beds += world.unit("hosp-1.c", rooms=(1, 1), kind=UnitKind.CTH, bases=consensual)
        world.unit("ext-1.e", rooms=(), kind=UnitKind.EXT, bases=(), external=True)
        self.people = [world.person(sex=sex) for sex in (Sex.MALE, Sex.MALE, Sex.FEMALE, Sex.MALE)]
        self.people.append(world.person(basis=LegalBasis.CONSTRAINED))
        world.consents(self.people[PATIENT], UnitKind.CTH)
        for person in self.people:
            world.fit_to_move(person, UnitKind.PSC, UnitKind.OMW, UnitKind.CTH)
        for bed, who in ((0, 0), (3, 3), (4, PATIENT)):
            world.admitted(self.beds[bed], self.people[who])

    # doing ------------------------------------------------------------------------------------
    def attempt(
        self, name: str, use_case: Any, *args: Any, by: Role | None = None, **kw: Any
    ) -> Any:
        """Do it, or be told why not; anything but a conflict, a wrong field or something that is
        not there for the caller fails the walk."""
        type(self).asked[name] += 1
        caller = self.world if by is None else self.world.as_(by)
        said = f"{name}{(*args, *kw.values())}"
        try:
            done = caller.do(use_case, *args, **kw)
        except (Conflict, Invalid, NotFound) as no:
            self.trail.append(f"{said}: {no.code}")
            return None
        except BaseException:
            print(*self.trail, said, sep="\n")
            raise
        self.trail.append(said)
        self.done(name)
        return done

    def done(self, name: str) -> None:
        type(self).asked[name] += 0
        type(self).reached[name] += 1

    def person(self, who: int) -> str:
        return self.people[who % len(self.people)]

    def newest(self, table: str, who: int) -> str | None:
        found = self.world.sql(
            f"SELECT id FROM {table} WHERE person_id = :p ORDER BY id DESC LIMIT 1",
            p=self.person(who),
        )
        return found[0][0] if found else None

    def here(self, who: int) -> str | None:
        """The open stay somebody is in, else their newest."""
        found = self.world.sql(
            "SELECT id FROM stay WHERE person_id = :p"
            " ORDER BY ended_at IS NOT NULL, state = 'on_leave', id DESC LIMIT 1",
            p=self.person(who),
        )
        return found[0][0] if found else None

    # placement --------------------------------------------------------------------------------
    @rule(who=WHO)
    def submit(self, who: int) -> None:
        self.attempt("submit", placement.submit, self.person(who))

    @rule(who=WHO, bed=BEDS, promised=st.booleans())
    def decide(self, who: int, bed: int, promised: bool) -> None:
        if request := self.newest("placement_request", who):
            verb: Any = decisions.promise_bed if promised else decisions.decide
            self.attempt(verb.__name__, verb, request, self.beds[bed], CHOICE)

    @rule(who=WHO, how=HOW)
    def answer(self, who: int, how: int) -> None:
        if not (request := self.newest("placement_request", who)):
            return
        if how < 4:
            self.attempt("accept", answers.accept, request)
        elif how == 4:
            self.attempt("decline", answers.decline, request, code="no_bed")
        elif how == 5:
            self.attempt("release_hold", answers.release_hold, request, reason="r")
        elif how == 6:
            self.attempt("not_arrived", answers.not_arrived, request, reason="r")
        else:
            self.attempt("withdraw_request", placement.withdraw, request, reason="r")

    @rule(who=WHO)
    def arrive_at_the_door(self, who: int) -> None:
        if request := self.newest("placement_request", who):
            self.attempt("admit", admit, request)

    @rule(who=WHO, bed=BEDS)
    def settle(self, who: int, bed: int) -> None:
        """The whole way at once, so that walks get far."""
        chosen = 4 + bed % 2 if who % len(self.people) == PATIENT else bed % 4
        self.attempt("submit", placement.submit, self.person(who))
        if request := self.newest("placement_request", who):
            self.attempt("decide", decisions.decide, request, self.beds[chosen], CHOICE)
            self.attempt("accept", answers.accept, request)
            self.attempt("admit", admit, request)

    # stays ------------------------------------------------------------------------------------
    @rule(who=WHO, how=HOW)
    def leave_the_bed(self, who: int, how: int) -> None:
        if not (stay := self.here(who)):
            return
        codes = (StayEnd.RELEASED, StayEnd.DISCHARGED, StayEnd.CONSENT_WITHDRAWN, StayEnd.ESCAPED)
        if how < 3:
            self.attempt("due", discharge.due, stay)
        elif how < 7:
            code = codes[how - 3]
            self.attempt(code.value, discharge.discharge, stay, code=code, reason="r")
        else:
            self.attempt("died", discharge.discharge, stay, code=StayEnd.DIED, reason="r")

    @rule(who=WHO, away=st.booleans())
    def go_on_leave_or_return(self, who: int, away: bool) -> None:
        if away and (stay := self.here(who)):
            soon = self.world.one("SELECT now() + interval '1 day'")
            self.attempt("begin_leave", begin_leave, stay, ends_at=soon)
        elif stay := self.newest("stay", who):
            self.attempt("end_leave", end_leave, stay)

    @rule(who=WHO, bed=st.none() | st.just(3), out=st.booleans())
    def rescue(self, who: int, bed: int | None, out: bool) -> None:
        chosen = self.beds[bed] if bed is not None and not out else None
        unit = "ext-1.e" if out else "ward-1.a"
        told = Emergency(unit=unit, officer="Dr Chen", reason="r", bed=chosen)
        self.attempt("emergency", admit_emergency, self.person(who), told)

    # transfers --------------------------------------------------------------------------------
    @rule(who=WHO, bed=BEDS, approved=st.booleans())
    def ask_for_a_transfer(self, who: int, bed: int, approved: bool) -> None:
        if stay := self.here(who):
            verb = transfers.request_transfer
            reason = MoveReason.MAKE_ROOM
            self.attempt("request_transfer", verb, stay, self.beds[bed], reason=reason)
        if approved and (move := self.newest("transfer", who)):
            self.attempt("approve", transfers.approve, move, reason="r")

    @rule(who=WHO, how=HOW, papers=st.booleans())
    def hand_over(self, who: int, how: int, papers: bool) -> None:
        if not (move := self.newest("transfer", who)):
            return
        if how < 4:
            self.attempt("accept_transfer", handover.accept_transfer, move)
            if papers:
                with contextlib.suppress(Conflict):
                    self.world.papers_of_way(move)
            self.attempt("depart", handover.depart, move, journey=ESCORTED)
            if how < 2:
                self.attempt("arrive", handover.arrive, move)
        elif how == 4:
            self.attempt("turn_back", handover.turn_back, move, reason="r")
        elif how == 5:
            self.attempt("decline_transfer", handover.decline_transfer, move, code="no_bed")
        elif how == 6:
            self.attempt("cancel", transfers.cancel, move, reason="r")
        else:
            self.attempt("reject", transfers.reject, move, reason="r")

    # beds, findings, corrections --------------------------------------------------------------
    @rule(bed=BEDS)
    def clean(self, bed: int) -> None:
        with contextlib.suppress(ServiceError):
            self.world.fit(self.beds[bed])
            self.done("fit")

    @rule(
        who=WHO,
        isolation=st.sampled_from(["none", "droplet"]),
        pregnant=st.sampled_from(["no", "no", "unknown", "yes"]),
        grade=st.sampled_from(["G1", "G1", "G3", "G5"]),
    )
    def assess(self, who: int, isolation: str, pregnant: str, grade: str) -> None:
        found = NewAssessment.model_validate(
            {
                "dimensions": dict.fromkeys(Dimension, grade),
                "isolation": isolation,
                "observation": "none",
                "pregnant": pregnant,
                "nursing": "no",
            }
        )
        self.attempt("assess", record_assessment, self.person(who), found, by=Role.CLINICIAN)

    @rule(bed=BEDS)
    def let_a_hold_lapse(self, bed: int) -> None:
        held = "SELECT count(*) FROM bed_claim WHERE kind = 'hold' AND voided_at IS NULL"
        if not self.world.one(f"{held} AND lapsed_at IS NULL AND used_at IS NULL"):
            return
        self.world.sql_do(
            "UPDATE bed_claim SET during = tstzrange(lower(during), clock_timestamp())"
            " WHERE bed_id = :bed AND kind = 'hold' AND voided_at IS NULL AND used_at IS NULL"
            " AND lapsed_at IS NULL AND upper(during) > clock_timestamp()",
            bed=self.beds[bed],
        )
        self.round()
        if self.world.one("SELECT count(*) FROM bed_claim WHERE lapsed_at IS NOT NULL"):
            self.done("lapse")

    @rule(who=WHO, other=WHO, how=HOW)
    def correct(self, who: int, other: int, how: int) -> None:
        stay, move = self.newest("stay", who), self.newest("transfer", who)
        if stay is None:
            return
        if how < 2:
            self.attempt("cancel_admission", undoing.cancel_admission, stay, reason="r")
        elif how < 4:
            query = "SELECT end_code FROM stay WHERE id = :id"
            if self.world.one(query, id=stay) in (StayEnd.DISCHARGED, StayEnd.CONSENT_WITHDRAWN):
                self.attempt("cancel_discharge", corrections.cancel_discharge, stay, reason="r")
        elif how < 6 and move is not None:
            self.attempt("cancel_transfer", undoing.cancel_transfer, move, reason="r")
        elif partner := self.newest("stay", other):
            self.attempt("swap", corrections.swap, stay, partner, reason="r")

    # the worker, and looking ------------------------------------------------------------------
    @rule()
    def round(self) -> None:
        """The worker comes by: clocks and the daily round; what they bring about holds now."""
        run_clocks(self.world.engine, self.world.ctx)
        assert judge_everybody(self.world.engine, self.world.ctx) == ()
        self.look(after_a_round=True)

    @invariant()
    def everything_agrees(self) -> None:
        self.look()

    def look(self, *, after_a_round: bool = False) -> None:
        found = run(self.world.engine, broken_whole, self.world.ctx, after_a_round=after_a_round)
        assert found == {}, "\n".join((*self.trail, str(found)))
