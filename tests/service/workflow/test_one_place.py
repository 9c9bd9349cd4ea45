"""Whatever emergencies, merges, leaves, lapses and returns follow each other: one person, one
place, and everybody under a term has one state."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from service.errors import Conflict, Invalid, Refused
from service.store.tables.claims import StayEnd
from service.workflow.emergencies.emergency import Emergency, admit_emergency, admit_unidentified
from service.workflow.emergencies.evacuation import Destination, Evacuation, evacuate
from service.workflow.persons.merging import merge_persons
from service.workflow.stays import corrections, undoing
from service.workflow.stays.discharge import discharge
from service.workflow.stays.leave import begin_leave, end_leave, extend_leave
from service.workflow.stays.leave_lapse import lapse_leaves
from solver.codes import LegalBasis, Sex, UnitKind
from tests.service.workflow.conftest import empty
from tests.service.workflow.world import World
from tests.stories.invariants import broken

ONE_PLACE = {
    "a merged record has nothing left": """
        SELECT count(*) FROM person p WHERE p.merged_into IS NOT NULL AND (
          EXISTS (SELECT 1 FROM stay s WHERE s.person_id = p.id) OR EXISTS (SELECT 1 FROM bed_claim
          c WHERE c.person_id = p.id AND c.voided_at IS NULL) OR EXISTS (SELECT 1 FROM due_item d
          WHERE d.person_id = p.id) OR EXISTS (SELECT 1 FROM term t WHERE t.person_id = p.id))""",
    "no clock of a leave runs without one": """
        SELECT count(*) FROM due_item d JOIN stay s ON s.id = d.subject_id WHERE d.kind =
        'leave_end' AND d.settled_at IS NULL AND s.state <> 'on_leave'""",
    "papers are owed for open stays only": """
        SELECT count(*) FROM due_item d JOIN stay s ON s.id = split_part(d.subject_id, ':', 1)
        WHERE d.kind = 'emergency_papers' AND d.settled_at IS NULL AND s.state = 'ended'""",
    "who came by a compulsory decision has exactly one open term": """
        SELECT count(*) FROM person p WHERE p.merged_into IS NULL AND EXISTS (SELECT 1 FROM
        legal_basis b WHERE b.person_id = p.id AND b.revoked_at IS NULL) AND (SELECT count(*) FROM
        term t WHERE t.person_id = p.id AND t.closed_at IS NULL) <> 1""",
    "who lost the kept bed by a lapse asks the way back or is on the way": """
        SELECT count(*) FROM stay s JOIN term t ON t.person_id = s.person_id AND t.closed_at IS NULL
        WHERE s.end_code = 'leave_lapsed' AND s.facility_id = 'psc-1' AND NOT EXISTS (SELECT 1 FROM
        placement_request r WHERE r.person_id = s.person_id AND r.kind = 'return')""",
}

WHO = st.integers(0, 4)
WHERE = st.sampled_from(["hosp-1.er", "hosp-2.a", "ext-1.er"])


class Places(RuleBasedStateMachine):
    """Three people of a centre, and whoever is found; the world is made by the test."""

    world: World
    reached: ClassVar[set[str]] = set()

    @initialize()
    def begin(self) -> None:
        empty(self.world.engine)
        world = self.world
        beds = world.unit(rooms=(2, 1))
        for unit, kind in (("hosp-1.er", UnitKind.CTH), ("hosp-2.a", UnitKind.CTH)):
            world.unit(unit, rooms=(1,), kind=kind, bases=(LegalBasis.CONSTRAINED,))
        world.unit("ext-1.er", rooms=(0,), kind=UnitKind.EXT, bases=(), external=True)
        self.people = [world.person() for _ in beds]
        for bed, person in zip(beds, self.people, strict=True):
            world.admitted(bed, person)

    def attempt(self, name, use_case, *args, **kw):
        with contextlib.suppress(Conflict, Invalid, Refused):
            done = self.world.do(use_case, *args, **kw)
            type(self).reached.add(name)
            return done
        return None

    def someone(self, number: int) -> str:
        return self.people[number % len(self.people)]

    def stay(self, number: int, state: str = "") -> str | None:
        found = self.world.sql(
            "SELECT id FROM stay WHERE person_id = :p AND (:s = '' OR state = :s) ORDER BY id DESC"
            " LIMIT 1",
            p=self.someone(number),
            s=state,
        )
        return found[0][0] if found else None

    @rule(who=WHO, unit=WHERE)
    def rescue(self, who, unit):
        told = Emergency(unit=unit, officer="Dr Chen", reason="r")
        self.attempt("emergency", admit_emergency, self.someone(who), told)

    @rule(unit=WHERE, sex=st.sampled_from([None, Sex.MALE]))
    def find_somebody(self, unit, sex):
        told = Emergency(unit=unit, officer="Dr Chen", reason="r")
        if len(self.people) < 6:
            done = self.attempt("unidentified", admit_unidentified, told, sex=sex)
            self.people.append(done.stay.person)

    @rule(keep=WHO, other=WHO)
    def know_them(self, keep, other):
        one, two = self.someone(keep), self.someone(other)
        if self.attempt("merge", merge_persons, one, two, reason="r") is not None:
            self.people.remove(two)

    @rule(keep=WHO)
    def know_the_last_found(self, keep):
        self.find_somebody(unit="ext-1.er", sex=None)
        self.know_them(keep, len(self.people) - 1)

    @rule(who=WHO, away=st.booleans())
    def go_and_return(self, who, away):
        soon = datetime.now(UTC) + timedelta(days=1)
        if away and (stay := self.stay(who, "active")):
            self.attempt("begin_leave", begin_leave, stay, ends_at=soon)
        elif stay := self.stay(who, "on_leave"):
            self.attempt("extend", extend_leave, stay, ends_at=soon, reason="r")
            self.attempt("end_leave", end_leave, stay)

    @rule(who=WHO)
    def come_back(self, who):
        """Out of the hospital and into the kept bed."""
        self.go_and_return(who, away=True)
        if kept := self.stay(who, "on_leave"):
            if there := self.stay(who, "active"):
                self.attempt("discharge", discharge, there, code=StayEnd.DISCHARGED, reason="r")
            self.attempt("end_leave", end_leave, kept)

    @rule(who=WHO)
    def let_a_leave_be_over(self, who):
        self.go_and_return(who, away=True)
        if stay := self.stay(who, "on_leave"):
            with self.world.engine.begin() as conn:
                conn.exec_driver_sql(
                    "UPDATE bed_claim SET expected_end = now() - interval '1 day' WHERE stay_id ="
                    " %s AND kind = 'leave' AND voided_at IS NULL",
                    (stay,),
                )
            if self.world.do(lapse_leaves).leaves:
                type(self).reached.add("lapse")

    @rule(who=WHO)
    def go_home(self, who):
        if stay := self.stay(who, "active"):
            self.attempt("discharge", discharge, stay, code=StayEnd.DISCHARGED, reason="r")

    @rule(who=WHO, how=st.booleans())
    def take_back(self, who, how):
        if stay := self.stay(who):
            verb = corrections.cancel_discharge if how else undoing.cancel_admission
            self.attempt(verb.__name__, verb, stay, reason="r")

    @rule(unit=WHERE)
    def evacuate_the_centre(self, unit):
        asked = Evacuation(officer="Lin", reason="fire", destinations=[Destination(unit=unit)])
        self.attempt("evacuate", evacuate, "psc-1.w1", asked)

    @invariant()
    def everybody_is_in_one_place(self):
        asked = " UNION ALL ".join(
            f"SELECT '{name}', ({query})" for name, query in ONE_PLACE.items()
        )
        assert [tuple(it) for it in self.world.sql(asked) if it[1]] == []
        with self.world.engine.connect() as conn:
            assert broken(conn) == {}


def test_any_sequence_of_emergencies_merges_and_leaves_keeps_one_person_in_one_place(shared_engine):
    Places.world = World(shared_engine)
    Places.reached = set()
    run_state_machine_as_test(
        Places,
        settings=settings(
            phases=[Phase.generate],
            max_examples=8,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Places.reached >= {
        "emergency",
        "unidentified",
        "merge",
        "begin_leave",
        "end_leave",
        "lapse",
        "evacuate",
        "discharge",
    }
