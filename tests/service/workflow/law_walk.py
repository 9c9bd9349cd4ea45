"""Terms, consents, releases, merges, evacuations at random, on top of every claim's verb."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from service.access.caller import Role
from service.errors import Conflict, Invalid, NotFound
from service.store.tables.law import AbsenceKind, ApprovalKind, OpinionKind, ProposalKind, TermEnd
from service.workflow.consent.consent_forms import Repetition
from service.workflow.consent.consents import record_consent, repeat_consent
from service.workflow.consent.withdrawals import (
    Withdrawal,
    WithdrawnWord,
    withdraw_by_id,
    withdraw_consent,
)
from service.workflow.emergencies.emergency import Emergency, admit_unidentified
from service.workflow.emergencies.evacuation import Destination, Evacuation, evacuate
from service.workflow.law import absences, legal_bases, releases
from service.workflow.law.term_changes import answer, propose
from service.workflow.persons.merging import merge_persons
from solver.codes import ConsentBy, LegalBasis, Sex
from tests.service.consent.words import form
from tests.service.law.cases import PASSED, approve, decision, opine, term_of, today
from tests.service.workflow.claims_walk import HOW, PATIENT, WHO, Claims

MOST_PEOPLE = 7
"""Five to begin with, and whoever an emergency brings in unnamed."""


class Law(Claims):
    """Whoever is held, agrees, refuses, escapes, is found, is let go."""

    # terms ------------------------------------------------------------------------------------
    @rule(who=WHO, how=HOW)
    def be_away(self, who: int, how: int) -> None:
        if not (term := self.newest("term", who)):
            return
        if how < 3:
            self.attempt("escaped", absences.escaped, term, reason="r")
        elif how < 5:
            kind = AbsenceKind.DETENTION if how == 3 else AbsenceKind.ARREST
            self.attempt(kind.value, absences.detained, term, kind, reason="r")
        else:
            self._papers_for_outside(who)
            review = today() + timedelta(days=30)
            verb = absences.treated_outside
            self.attempt("treated_outside", verb, term, review_on=review, reason="r")

    def _papers_for_outside(self, who: int) -> None:
        person = self.person(who)
        if self._open_terms(who):
            opine(self.world, person, OpinionKind.OUT_MEDICAL_NEED, severe=True, at_risk=True)
            for kind in (ApprovalKind.OUT_MEDICAL, ApprovalKind.OUT_MEDICAL_FILING):
                approve(self.world, term_of(self.world, person), kind)

    @rule(who=WHO)
    def come_back(self, who: int) -> None:
        if term := self.newest("term", who):
            self.attempt("came_back", absences.came_back, term, reason="r")

    @rule(who=WHO, how=HOW)
    def let_go(self, who: int, how: int) -> None:
        if not (term := self.newest("term", who)):
            return
        if how < 3:
            ends = (TermEnd.EXPIRED, TermEnd.REVOKED, TermEnd.NOT_APPLICABLE)
            self.attempt(ends[how].value, releases.release, term, end=ends[how], reason="r")
        elif how == 3:
            self.attempt("term_died", releases.died, term, reason="r")
        elif how < 6:
            kind = ProposalKind.EARLY_RELEASE if how == 4 else ProposalKind.CHANGE_TO_COMMUNITY
            verb: Any = propose
            self.attempt(f"propose_{kind.value}", verb, term, kind, findings=PASSED)
            self._answered(who, kind)
            self.attempt(f"answer_{kind.value}", answer, term, kind, reason="r")
        elif basis := self.newest("legal_basis", who):
            self.attempt("revoke_basis", legal_bases.revoke_legal_basis, basis)

    def _answered(self, who: int, kind: ProposalKind) -> None:
        person = self.person(who)
        if self._open_terms(who):
            approve(self.world, term_of(self.world, person), ApprovalKind(kind.value))

    @rule(who=WHO, ago=st.sampled_from([0, 30, 400]))
    def decide_anew(self, who: int, ago: int) -> None:
        """Police decide on compulsory isolation."""
        verb = legal_bases.add_legal_basis
        self.attempt("decision", verb, self.person(who), decision(ago), by=Role.INTAKE_OFFICER)

    @rule(who=WHO)
    def the_term_runs_out(self, who: int) -> None:
        """Its last day was yesterday; the daily round sees it."""
        if not self._open_terms(who):
            return
        for table, mine in (
            ("legal_basis", "id IN (SELECT basis_id FROM term WHERE {})"),
            ("term", "{}"),
        ):
            start = "starts_on" if table == "legal_basis" else "decided_on"
            where = mine.format("person_id = :p AND closed_at IS NULL")
            self.world.sql_do(
                f"UPDATE {table} SET {start} = {start} - (ends_on - CAST(:day AS date)),"
                f" ends_on = :day WHERE {where}",
                p=self.person(who),
                day=today() - timedelta(days=1),
            )
        self.round()

    def _open_terms(self, who: int) -> int:
        query = "SELECT count(*) FROM term WHERE person_id = :p AND closed_at IS NULL"
        found: int = self.world.one(query, p=self.person(who))
        return found

    # consents ---------------------------------------------------------------------------------
    @rule(who=st.just(PATIENT) | WHO, how=HOW, sober=st.booleans())
    def speak(self, who: int, how: int, sober: bool) -> None:
        """Agree, say it again, refuse, take it back."""
        person, consent = self.person(who), self.newest("consent", who)
        if how < 2:
            self._agree(person, sober=sober)
        elif how == 2:
            no = form(refused=True, capacity=None, starts_on=None, ends_on=None)
            self.attempt("refuse", record_consent, person, no, by=Role.CLINICIAN)
        elif how < 5 and consent:
            said = Repetition.model_validate(
                {"takers": ["Dr Chen", "Dr Hu"], "capacity": {"capable": "yes"}}
            )
            self.attempt("repeat", repeat_consent, consent, said, by=Role.CLINICIAN)
        elif how < 7 and consent:
            word = WithdrawnWord(said_by=ConsentBy.FAMILY if how == 5 else ConsentBy.PERSON)
            self.attempt("withdraw_by_id", withdraw_by_id, consent, word)
        else:
            self.attempt("withdraw_consent", withdraw_consent, person, Withdrawal())

    def _agree(self, person: str, *, sober: bool) -> None:
        both = {"takers": ["Dr Chen", "Dr Hu"]}
        if not self.world.one(
            "SELECT count(*) FROM legal_basis WHERE person_id = :p AND revoked_at IS NULL", p=person
        ):
            signed = legal_bases.NewLegalBasis(
                kind=LegalBasis.CONSTRAINED,
                starts_on=today(),
                ends_on=today() + timedelta(days=30),
            )
            verb = legal_bases.add_legal_basis
            self.attempt("agreement", verb, person, signed, by=Role.CLINICIAN)
        for by in (ConsentBy.PERSON, ConsentBy.FAMILY):
            own = {"sober": sober} if by is ConsentBy.PERSON else {"capacity": None, "sober": True}
            with contextlib.suppress(Conflict, Invalid):
                new = form(by=by.value, **both, **own)
                name = "agree" if sober else "agree_provisionally"
                self.attempt(name, record_consent, person, new, by=Role.CLINICIAN)

    @rule(who=st.just(PATIENT) | WHO, lapsed=st.booleans())
    def a_word_runs_out(self, who: int, lapsed: bool) -> None:
        """Its last day was yesterday, or it was not said again sober in time."""
        if not self.newest("consent", who):
            return
        change = (
            "lapses_at = clock_timestamp() - interval '1 second'"
            if lapsed
            else "starts_on = least(starts_on, :day), ends_on = :day"
        )
        only = "lapses_at IS NOT NULL AND repeated_at IS NULL" if lapsed else "NOT refused"
        self.world.sql_do(
            f"UPDATE consent SET {change} WHERE person_id = :p AND {only} AND over_at IS NULL"
            " AND :day < current_date",
            p=self.person(who),
            day=today() - timedelta(days=1),
        )
        self.round()

    # leave, emergencies, merges ---------------------------------------------------------------
    @rule(who=WHO)
    def a_leave_runs_out(self, who: int) -> None:
        """Nobody came back by its end, nor in the hours after."""
        kept = "SELECT count(*) FROM stay WHERE person_id = :p AND state = 'on_leave'"
        if not self.world.one(kept, p=self.person(who)):
            return
        past = datetime.now(UTC) - timedelta(days=2)
        for query in (
            "UPDATE bed_claim SET expected_end = :at WHERE person_id = :p AND kind = 'leave'"
            " AND voided_at IS NULL AND upper_inf(during)",
            "UPDATE due_item SET due_at = :at WHERE person_id = :p AND kind = 'leave_end'"
            " AND settled_at IS NULL",
        ):
            self.world.sql_do(query, p=self.person(who), at=past)
        self.round()

    @precondition(lambda self: len(self.people) < MOST_PEOPLE)
    @rule(out=st.booleans(), sex=st.sampled_from([None, Sex.MALE, Sex.FEMALE]))
    def somebody_unnamed_comes(self, out: bool, sex: Sex | None) -> None:
        unit = "ext-1.e" if out else "ward-1.a"
        told = Emergency(unit=unit, officer="Dr Chen", reason="r")
        done = self.attempt("unidentified", admit_unidentified, told, sex=sex, age=40)
        if done is not None:
            self.people.append(done.stay.person)

    @rule(keep=WHO, other=st.integers(4, 6), turned=st.booleans())
    def merge(self, keep: int, other: int, turned: bool) -> None:
        pair = (self.person(keep), self.person(other))
        died = "SELECT count(*) FROM stay WHERE person_id = ANY(:p) AND end_code = 'died'"
        ended = "SELECT count(*) FROM term WHERE person_id = ANY(:p) AND end_code = 'died'"
        if any(self.world.one(query, p=list(pair)) for query in (died, ended)):
            return
        one, two = reversed(pair) if turned else pair
        if self.attempt("merge", merge_persons, one, two, reason="r") is not None:
            self.people[self.people.index(two)] = one

    @rule(unit=st.sampled_from(["psc-1.w1", "ward-1.a", "hosp-1.c"]))
    def evacuate(self, unit: str) -> None:
        to = [Destination(unit="ward-1.a"), Destination(facility="ext-1")]
        asked = Evacuation(
            officer="Dr Chen", reason="r", destinations=[it for it in to if it.unit != unit]
        )
        with contextlib.suppress(NotFound):
            self.attempt("evacuate", evacuate, unit, asked)
