"""Whole ways through the lifecycles among the random steps, so that every verb is really done.

A step taken at random seldom gets far. Each way here sets out with somebody who can go it, and
walks it to its end; in one walk those not gone yet come first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule
from sqlalchemy import Connection

from service.access.caller import Role
from service.errors import Conflict
from service.store.claims import rekey
from service.store.engine import run
from service.store.locks import lock
from service.store.tables.claims import StayEnd
from service.store.tables.law import AbsenceKind, ProposalKind, TermEnd
from service.workflow.consent.consent_forms import Repetition
from service.workflow.consent.consents import repeat_consent
from service.workflow.consent.withdrawals import Withdrawal, withdraw_consent
from service.workflow.law import absences, legal_bases, releases
from service.workflow.law.term_changes import answer, propose
from service.workflow.moves import handover, transfers
from service.workflow.placing import answers, decisions, placement
from service.workflow.placing.admission import admit
from service.workflow.stays import corrections, discharge, undoing
from service.workflow.stays.leave import begin_leave, end_leave
from service.workflow.watch.watching import rejudge
from solver.codes import Isolation, MoveReason, UnitKind
from tests.service.law.cases import PASSED, decision, today
from tests.service.workflow.claims_walk import PATIENT, WHO
from tests.service.workflow.law_walk import Law
from tests.service.workflow.world import CHOICE, ESCORTED

PICK = st.integers(0, 11)
CUSTODIAL = slice(0, 4)
"""The beds of the centre and of the ward."""


class Ways(Law):
    """Steps at random, and ways gone to their end."""

    def __init__(self) -> None:
        super().__init__()
        self.gone: list[str] = []

    def _go(self, ways: tuple[Callable[[int], None], ...], who: int, pick: int) -> None:
        left = [it for it in ways if it.__name__ not in self.gone] or ways
        way = left[pick % len(left)]
        self.gone.append(way.__name__)
        way(who)

    @rule(who=WHO, pick=PICK)
    def go_a_way_of_placing(self, who: int, pick: int) -> None:
        ways = (self.held_and_given_up, self.never_came, self.let_go_of_the_bed, self.promised)
        self._go((*ways, self.no_bed_for_them, self.too_late), who, pick)

    @rule(who=WHO, pick=PICK)
    def go_a_way_of_moving(self, who: int, pick: int) -> None:
        self._go((self.moved, self.moved_and_back, self.turned_round, self.turned_away), who, pick)

    @rule(who=WHO, pick=PICK)
    def go_a_way_of_staying(self, who: int, pick: int) -> None:
        ways = (self.away_and_back, self.wrong_beds, self.follow_a_finding, self.home_by_mistake)
        self._go(ways, who, pick)

    @rule(who=WHO, pick=PICK)
    def go_a_way_of_the_law(self, who: int, pick: int) -> None:
        ways = (self.released_early, self.outside_and_back, self.expired, self.held_elsewhere)
        self._go((*ways, self.found_again), who, pick)

    @rule(pick=PICK)
    def go_a_way_of_words(self, pick: int) -> None:
        self._go((self.said_again, self.home_on_their_word, self.no_thank_you), PATIENT, pick)

    # placing ----------------------------------------------------------------------------------
    def held_and_given_up(self, who: int) -> None:
        if request := self._held(self._newcomer(who)):
            self.attempt("withdraw_request", placement.withdraw, request, reason="r")

    def never_came(self, who: int) -> None:
        if request := self._held(self._newcomer(who)):
            self.attempt("accept", answers.accept, request)
            self.attempt("not_arrived", answers.not_arrived, request, reason="r")

    def let_go_of_the_bed(self, who: int) -> None:
        if request := self._held(self._newcomer(who)):
            self.attempt("release_hold", answers.release_hold, request, reason="r")

    def no_bed_for_them(self, who: int) -> None:
        if request := self._held(self._newcomer(who)):
            self.attempt("decline", answers.decline, request, code="no_bed")

    def too_late(self, who: int) -> None:
        if request := self._held(self._newcomer(who)):
            query = "SELECT bed_id FROM bed_claim WHERE request_id = :r ORDER BY id DESC LIMIT 1"
            self.let_a_hold_lapse(self.beds.index(self.world.one(query, r=request)))

    def promised(self, who: int) -> None:
        """The bed of somebody about to leave; they leave, it is cleaned, it is held."""
        leaving, coming = self._resident(who), self._newcomer(who)
        bed = self._bed_of(leaving)
        self.attempt("due", discharge.due, self._stay_of(leaving))
        asked = self.attempt("submit", placement.submit, coming)
        if asked is None or bed is None:
            return
        self.attempt("promise_bed", decisions.promise_bed, asked.id, bed, CHOICE)
        stay = self._stay_of(leaving)
        self.attempt("released", discharge.discharge, stay, code=StayEnd.RELEASED, reason="r")
        self.world.fit(bed)
        self.attempt("accept", answers.accept, asked.id)
        self.attempt("admit", admit, asked.id)

    # moving -----------------------------------------------------------------------------------
    def moved(self, who: int) -> None:
        if move := self._departed(who):
            self.attempt("arrive", handover.arrive, move)

    def moved_and_back(self, who: int) -> None:
        if move := self._departed(who):
            self.attempt("arrive", handover.arrive, move)
            self.attempt("cancel_transfer", undoing.cancel_transfer, move, reason="r")

    def turned_round(self, who: int) -> None:
        if move := self._departed(who):
            self.attempt("turn_back", handover.turn_back, move, reason="r")

    def turned_away(self, who: int) -> None:
        if move := self._agreed(who):
            self.attempt("decline_transfer", handover.decline_transfer, move, code="no_bed")

    def _agreed(self, who: int) -> str | None:
        person = self._resident(who)
        here = self._bed_of(person)
        targets = [it for it in self._free_beds() if it != here]
        # From the centre to the ward, or the other way round, where there is room.
        targets.sort(key=lambda it: it.split(".")[0] == str(here).split(".")[0])
        if not targets:
            return None
        self.world.fit_to_move(person, UnitKind.PSC, UnitKind.OMW)
        verb = transfers.request_transfer
        reason = MoveReason.MAKE_ROOM
        made = self.attempt(
            "request_transfer", verb, self._stay_of(person), targets[0], reason=reason
        )
        if made is None or not self.attempt("approve", transfers.approve, made.id, reason="r"):
            return None
        return str(made.id)

    def _departed(self, who: int) -> str | None:
        if not (move := self._agreed(who)):
            return None
        self.attempt("accept_transfer", handover.accept_transfer, move)
        with contextlib.suppress(Conflict):
            self.world.papers_of_way(move)
        gone = self.attempt("depart", handover.depart, move, journey=ESCORTED)
        return move if gone is not None else None

    # staying ----------------------------------------------------------------------------------
    def away_and_back(self, who: int) -> None:
        stay = self._stay_of(self._resident(who))
        soon = self.world.one("SELECT now() + interval '1 day'")
        self.attempt("begin_leave", begin_leave, stay, ends_at=soon)
        self.attempt("end_leave", end_leave, stay)

    def wrong_beds(self, who: int) -> None:
        one = self._resident(who)
        self._seated(self._newcomer(who))
        others = [it for it in self._residents() if it != one]
        if others:
            pair = (self._stay_of(one), self._stay_of(others[0]))
            self.attempt("swap", corrections.swap, *pair, reason="r")

    def home_by_mistake(self, who: int) -> None:
        stay = self._stay_of(self._resident(who))
        self.attempt("discharged", discharge.discharge, stay, code=StayEnd.DISCHARGED, reason="r")
        self.attempt("cancel_discharge", corrections.cancel_discharge, stay, reason="r")
        self.attempt("cancel_admission", undoing.cancel_admission, stay, reason="r")

    def follow_a_finding(self, who: int) -> None:
        """Written by another system; keys of the room follow, and the place is judged anew."""
        person = self._resident(who)
        self.world.assess(person, Isolation.DROPLET if who % 2 else Isolation.NONE)
        ctx = self.world.ctx

        def follow(conn: Connection) -> None:
            now = lock(conn, persons=[person])
            rekey(conn, person)
            rejudge(conn, ctx, now, persons=[person])

        run(self.world.engine, follow)
        self.done("rekey")

    # law --------------------------------------------------------------------------------------
    def released_early(self, who: int) -> None:
        term = self._term_of(self._sentenced(who, ago=400))
        kind = ProposalKind.EARLY_RELEASE
        self.attempt("propose_early_release", propose, term, kind, findings=PASSED)
        self._answered(who, kind)
        self.attempt("answer_early_release", answer, term, kind, reason="r")

    def outside_and_back(self, who: int) -> None:
        term = self._term_of(self._sentenced(who))
        self._papers_for_outside(who)
        review = today() + timedelta(days=30)
        verb = absences.treated_outside
        self.attempt("treated_outside", verb, term, review_on=review, reason="r")
        self.attempt("came_back", absences.came_back, term, reason="r")

    def held_elsewhere(self, who: int) -> None:
        term = self._term_of(self._sentenced(who))
        kind = AbsenceKind.DETENTION if who % 2 else AbsenceKind.ARREST
        self.attempt(kind.value, absences.detained, term, kind, reason="r")
        self.attempt("came_back", absences.came_back, term, reason="r")

    def found_again(self, who: int) -> None:
        person = self._sentenced(who)
        self._seated(person)
        self.attempt("escaped", absences.escaped, self._term_of(person), reason="r")
        self.attempt("came_back", absences.came_back, self._term_of(person), reason="r")

    def expired(self, who: int) -> None:
        term = self._term_of(self._sentenced(who))
        self.the_term_runs_out(who)
        end = TermEnd.EXPIRED
        self.attempt("expired", releases.release, term, end=end, reason="r")

    def _sentenced(self, who: int, ago: int = 30) -> str:
        """Somebody new under a term, in the place of whoever was ``who``."""
        person = self.world.person(basis=None)
        self.world.fit_to_move(person, UnitKind.PSC, UnitKind.OMW)
        self.people[who % len(self.people)] = person
        verb = legal_bases.add_legal_basis
        self.attempt("decision", verb, person, decision(ago))
        return person

    def _term_of(self, person: str) -> str:
        query = "SELECT id FROM term WHERE person_id = :p ORDER BY id DESC LIMIT 1"
        found = self.world.sql(query, p=person)
        assert found, "\n".join((*self.trail, f"{person} has no term"))
        return str(found[0].id)

    # words ------------------------------------------------------------------------------------
    def said_again(self, who: int) -> None:
        self._patient(who, sober=False)
        word = "SELECT id FROM consent WHERE person_id = :p AND given_by = 'person'"
        consent = self.world.one(f"{word} ORDER BY id DESC LIMIT 1", p=self.person(who))
        said = Repetition.model_validate(
            {"takers": ["Dr Chen", "Dr Hu"], "capacity": {"capable": "yes"}}
        )
        self.attempt("repeat", repeat_consent, consent, said, by=Role.CLINICIAN)

    def home_on_their_word(self, who: int) -> None:
        person = self._patient(who, sober=True)
        self._seated(person, self.beds[4:])
        self.attempt("withdraw_consent", withdraw_consent, person, Withdrawal())
        if stay := self._open_stay(person):
            code = StayEnd.CONSENT_WITHDRAWN
            self.attempt(code.value, discharge.discharge, stay, code=code, reason="r")

    def no_thank_you(self, who: int) -> None:
        person = self._patient(who, sober=True)
        self.attempt("submit", placement.submit, person)
        self.speak(who, 2, sober=True)

    def _patient(self, who: int, *, sober: bool) -> str:
        person = self.world.person(basis=None)
        self.people[who] = person
        self._agree(person, sober=sober)
        return person

    # who, and where ---------------------------------------------------------------------------
    def _residents(self) -> list[str]:
        rows = self.world.sql(
            "SELECT s.person_id FROM stay s JOIN bed_claim c ON c.stay_id = s.id"
            " AND c.kind = 'stay' AND c.voided_at IS NULL AND upper_inf(c.during)"
            " WHERE s.state = 'active' AND c.bed_id = ANY(:beds) AND NOT EXISTS (SELECT FROM"
            " transfer t WHERE t.stay_id = s.id AND t.state IN ('proposed', 'approved', 'accepted',"
            " 'in_transit')) ORDER BY s.id",
            beds=self.beds[CUSTODIAL],
        )
        return [it.person_id for it in rows]

    def _resident(self, who: int) -> str:
        """Somebody in a bed of the centre or the ward; a newcomer is put there if nobody is."""
        found = self._residents()
        if found:
            return found[who % len(found)]
        person = self._newcomer(who)
        self._seated(person)
        return person

    def _newcomer(self, who: int) -> str:
        """Somebody under a term, in no bed, in the place of whoever was ``who``; the room they
        need is made."""
        person = self.world.person()
        self.world.fit_to_move(person, UnitKind.PSC, UnitKind.OMW)
        if who % len(self.people) != PATIENT:
            self.people[who % len(self.people)] = person
        else:
            self.people[0] = person
        self._make_room()
        return person

    def _make_room(self) -> None:
        for number in range(len(self.beds)):
            self.clean(number)
        if not self._free_beds() and (found := self._residents()):
            bed = self._bed_of(found[0])
            stay = self._stay_of(found[0])
            self.attempt("released", discharge.discharge, stay, code=StayEnd.RELEASED, reason="r")
            self.clean(self.beds.index(str(bed)))

    def _free_beds(self, among: list[str] | None = None) -> list[str]:
        rows = self.world.sql(
            "SELECT b.id FROM bed b WHERE b.id = ANY(:beds) AND b.state = 'in_service'"
            " AND NOT EXISTS (SELECT FROM bed_claim c WHERE c.bed_id = b.id"
            "   AND c.voided_at IS NULL AND c.during @> clock_timestamp())"
            " AND NOT EXISTS (SELECT FROM bed_next n WHERE n.bed_id = b.id AND n.state = 'live')"
            " ORDER BY b.id",
            beds=self.beds[CUSTODIAL] if among is None else among,
        )
        return [it.id for it in rows]

    def _held(self, person: str, among: list[str] | None = None) -> str | None:
        asked = self.attempt("submit", placement.submit, person)
        if asked is None:
            return None
        for bed in self._free_beds(among):
            if self.attempt("decide", decisions.decide, asked.id, bed, CHOICE):
                return str(asked.id)
        return None

    def _seated(self, person: str, among: list[str] | None = None) -> None:
        self._make_room()
        if request := self._held(person, among):
            self.attempt("accept", answers.accept, request)
            self.attempt("admit", admit, request)

    def _open_stay(self, person: str) -> str | None:
        query = "SELECT id FROM stay WHERE person_id = :p AND ended_at IS NULL ORDER BY id DESC"
        found = self.world.sql(query, p=person)
        return found[0].id if found else None

    def _stay_of(self, person: str) -> Any:
        """Their newest open stay; an id nobody has if there is none."""
        return self._open_stay(person) or "st_none"

    def _bed_of(self, person: str) -> str | None:
        query = (
            "SELECT bed_id FROM bed_claim WHERE person_id = :p AND kind = 'stay'"
            " AND voided_at IS NULL AND upper_inf(during)"
        )
        found = self.world.sql(query, p=person)
        return found[0].bed_id if found else None
