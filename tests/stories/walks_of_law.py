"""What is asked at random of words, terms, emergencies and records, on top of every other verb."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.service.consent.words import form
from tests.stories import asks
from tests.stories.asks import CLINICIAN, OFFICER, WHY, Ask
from tests.stories.entities import OK, Bed
from tests.stories.machine import pick
from tests.stories.walks import ANY, FINDING, Walk

PATIENTS, UNNAMED = 2, 1


class LawWalk(Walk):
    """A walk in which people agree and take it back, escape, are found, rescued and let go."""

    def first_steps(self) -> dict[str, Callable[[], None]]:
        return super().first_steps() | {
            "patient": lambda: self.register_patient("male"),
            "submit patient": lambda: self.submit(0),
            "take back": lambda: self.take_the_word_back(0, OFFICER),
            "agree": lambda: self.agree(0),
            "rescue": lambda: self.rescue(0),
            "escape": lambda: self.escape(1),
            "found": lambda: self.found(0),
            "let go": lambda: self.let_go(1),
            "unnamed": lambda: self.rescue_somebody_unnamed(None),
            "merge": lambda: self.merge(1),
        }

    # words ------------------------------------------------------------------------------
    @precondition(lambda self: len(self.model.words) < PATIENTS)
    @rule(sex=st.sampled_from(["male", "female"]))
    def register_patient(self, sex: str) -> None:
        """Somebody who comes by their own word; the word itself is given by ``agree``."""
        model = self.tick()
        body = {"sex": sex, "birth_date": "1984-02-01"}
        person = self.ask("register", Ask("POST", "/people", body, CLINICIAN), OK)["id"]
        today = date.today()  # noqa: DTZ011
        paper = {
            "kind": "constrained",
            "starts_on": str(today),
            "ends_on": str(today + timedelta(days=30)),
        }
        bases = f"/people/{person}/legal-bases"
        self.ask("record an agreement", Ask("POST", bases, paper, CLINICIAN), OK)
        self.ask("assess", Ask("POST", f"/people/{person}/assessments", FINDING, CLINICIAN), OK)
        model.sexes[person] = sex
        model.words[person] = False
        self.agree(1)

    @precondition(lambda self: not all(self.model.words.values()))
    @rule(which=ANY)
    def agree(self, which: int) -> None:
        """The person, sober and able to decide, and their family sign."""
        model = self.tick()
        person = pick([it for it, word in model.words.items() if not word], which)
        for by in ("person", "family"):
            more = {} if by == "person" else {"capacity": None}
            word = form(by=by, takers=["Dr Chen", "Dr Hu"], **more)
            body = word.model_dump(mode="json", exclude_unset=True)
            self.ask("agree", Ask("POST", f"/people/{person}/consents", body, CLINICIAN), OK)
        model.agree(person)

    @precondition(lambda self: any(self.model.words.values()))
    @rule(which=ANY, said_to=st.sampled_from([OFFICER, CLINICIAN]))
    def take_the_word_back(self, which: int, said_to: str) -> None:
        model = self.tick()
        in_bed = {it.person for it in model.stays if it.state == "active"}
        person = pick(
            [it for it, word in model.words.items() if word],
            which,
            lambda it: OK if it in in_bed else "not in a bed",
        )
        ask = Ask("PUT", f"/people/{person}/consent-withdrawal", {}, said_to)
        self.ask("take the word back", ask, OK)
        model.take_back(person)

    # emergencies ------------------------------------------------------------------------
    @precondition(lambda self: self.model.held_by_law())
    @rule(which=ANY)
    def rescue(self, which: int) -> None:
        model = self.tick()
        in_bed = {it.person for it in model.stays if it.state == "active"}
        person = pick(
            model.held_by_law(),
            which,
            lambda it: model.why_not_rescue(it) or (OK if it in in_bed else "not in a bed"),
        )
        ask = asks.rescue(person, self.stage.outside)
        made = self.ask("emergency", ask, model.why_not_rescue(person))
        if made:
            model.rescue(person, made["stay"]["id"], self._bed_of(made["stay"]["id"]))

    @precondition(lambda self: len(self.model.unnamed) < UNNAMED)
    @rule(sex=st.sampled_from([None, "male"]))
    def rescue_somebody_unnamed(self, sex: str | None) -> None:
        model = self.tick()
        body = {"unit": self.stage.outside, **asks.BY, "apparent_sex": sex}
        made = self.ask("emergency, unnamed", Ask("POST", "/emergencies", body), OK)
        stay, person = made["stay"]["id"], made["stay"]["person"]
        model.sexes[person] = "unknown"
        model.unnamed.append(person)
        model.rescue(person, stay, self._bed_of(stay))

    @precondition(lambda self: self.model.unnamed and self.model.held_by_law())
    @rule(which=ANY)
    def merge(self, which: int) -> None:
        model = self.tick()
        unnamed = model.unnamed[-1]
        person = pick(model.held_by_law(), which, lambda it: model.why_not_merge(it, unnamed))
        body = {"merged": unnamed, **WHY}
        # Rows go over to the record that lives on; the log names the two records.
        self.quiet = {it.id for it in model.stays if it.person == unnamed}
        why = model.why_not_merge(person, unnamed)
        if self.ask("merge", Ask("POST", f"/people/{person}/merge", body), why):
            model.merge(person, unnamed)
        self.quiet = set()

    def _bed_of(self, stay: str) -> Bed:
        query = "SELECT bed_id, room_id FROM bed_claim WHERE stay_id = :stay"
        row = self.stage.world.sql(query, stay=stay)[0]
        return Bed(row.bed_id, row.room_id, asks.facility_of(row.bed_id))

    # terms ------------------------------------------------------------------------------
    @precondition(lambda self: self.model.held_by_law())
    @rule(which=ANY)
    def escape(self, which: int) -> None:
        model = self.tick()
        person = pick(
            model.held_by_law(), which, lambda it: "away already" if it in model.away else OK
        )
        why = "absent-already" if person in model.away else OK
        if self.ask("escape", self._term(person, "escape", WHY), why):
            model.escape(person)

    @precondition(lambda self: self.model.held_by_law())
    @rule(which=ANY)
    def found(self, which: int) -> None:
        model = self.tick()
        person = pick(model.held_by_law(), which, lambda it: OK if it in model.away else "not away")
        why = OK if person in model.away else "not-away"
        asked = model.asks_when_found(person)
        if self.ask("found", self._term(person, "return", WHY), why):
            model.found(person, self._new_request(person) if asked else None)

    @precondition(lambda self: len(self.model.held_by_law()) > 1)
    @rule(which=ANY)
    def let_go(self, which: int) -> None:
        model = self.tick()
        person = pick(model.held_by_law(), which)
        body = {"end": "revoked", **WHY}
        self.ask("let go", self._term(person, "release", body), OK)
        model.let_go(person)

    def _term(self, person: str, verb: str, body: object) -> Ask:
        query = "SELECT id FROM term WHERE person_id = :person"
        term = self.stage.world.one(query, person=person)
        return Ask("POST", f"/terms/{term}/{verb}", body)

    def _new_request(self, person: str) -> str:
        found: str = self.stage.world.one(
            "SELECT id FROM placement_request WHERE person_id = :person AND id <> ALL(:known)",
            person=person,
            known=[it.id for it in self.model.requests],
        )
        return found
