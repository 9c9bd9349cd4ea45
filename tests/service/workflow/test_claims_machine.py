"""Any sequence of use cases leaves the claims consistent: a random walk over a real database.

Three beds in two rooms and one in a ward, four people, every verb at any time. After each step the
invariants are asked of the rows in SQL, whether the step was done or refused.
"""

from __future__ import annotations

import contextlib
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

from service.errors import Conflict, Invalid, ServiceError
from service.store.claims import rekey
from service.store.engine import run
from service.store.locks import lock
from service.store.tables.claims import StayEnd
from service.workflow import (
    answers,
    clocks,
    corrections,
    decisions,
    discharge,
    handover,
    placement,
    transfers,
    undoing,
)
from service.workflow.admission import admit
from service.workflow.emergency import Emergency, admit_emergency
from service.workflow.leave import begin_leave, end_leave
from solver.codes import Isolation, MoveReason, Sex, UnitKind
from tests.service.workflow.conftest import empty
from tests.service.workflow.test_no_double_booking import (
    DOUBLE_BOOKINGS,
    MIXED_ROOMS,
    PERSON_IN_TWO_BEDS,
)
from tests.service.workflow.world import CHOICE, World

INVARIANTS = {
    "no two claims overlap on a bed": DOUBLE_BOOKINGS,
    "one key a room": MIXED_ROOMS,
    "a person lies in one bed": PERSON_IN_TWO_BEDS,
    "a held or accepted request has exactly one hold, another has none": """
        SELECT count(*) FROM placement_request r WHERE (r.state IN ('held', 'accepted')) <> (
          SELECT count(*) = 1 FROM bed_claim c WHERE c.request_id = r.id AND c.kind = 'hold'
          AND c.voided_at IS NULL AND c.used_at IS NULL AND c.lapsed_at IS NULL)""",
    "only an accepted request has an accepted hold": """
        SELECT count(*) FROM placement_request r JOIN bed_claim c ON c.request_id = r.id
        WHERE c.kind = 'hold' AND c.voided_at IS NULL AND c.used_at IS NULL
        AND c.lapsed_at IS NULL AND (r.state = 'accepted') <> (c.accepted_at IS NOT NULL)""",
    "an open stay has one open segment of its kind, an ended one none": """
        SELECT count(*) FROM stay s WHERE (
          SELECT coalesce(string_agg(c.kind, ','), 'none') FROM bed_claim c
          WHERE c.stay_id = s.id AND c.voided_at IS NULL AND upper_inf(c.during)
          AND c.kind <> 'hold')
        <> CASE s.state WHEN 'ended' THEN 'none' WHEN 'on_leave' THEN 'leave' ELSE 'stay' END""",
    "segments of a stay follow each other without a gap": """
        SELECT count(*) FROM (
          SELECT upper(during) AS ends,
            lead(lower(during)) OVER (PARTITION BY stay_id ORDER BY lower(during)) AS next
          FROM bed_claim WHERE voided_at IS NULL AND kind <> 'hold') x
        WHERE next IS NOT NULL AND ends <> next""",
    "a transfer on its way has a bed waiting or promised, an ended one neither": """
        SELECT count(*) FROM transfer t WHERE (t.state IN ('approved', 'accepted', 'in_transit'))
        <> (EXISTS (SELECT 1 FROM bed_claim c WHERE c.transfer_id = t.id AND c.kind = 'hold'
            AND c.voided_at IS NULL AND c.used_at IS NULL AND c.lapsed_at IS NULL)
          OR EXISTS (SELECT 1 FROM bed_next n WHERE n.transfer_id = t.id AND n.state = 'live'))""",
    "somebody in a live transfer is in the bed it starts from": """
        SELECT count(*) FROM transfer t WHERE t.state IN ('proposed','approved','accepted',
        'in_transit') AND NOT EXISTS (SELECT 1 FROM bed_claim c WHERE c.stay_id = t.stay_id AND
        c.bed_id = t.from_bed_id AND c.voided_at IS NULL AND upper_inf(c.during))""",
    "a promise is to somebody who still waits": """
        SELECT count(*) FROM bed_next n WHERE n.state = 'live' AND NOT EXISTS (
          SELECT 1 FROM placement_request r WHERE r.id = n.request_id AND r.state = 'waiting')
        AND NOT EXISTS (SELECT 1 FROM transfer t WHERE t.id = n.transfer_id
          AND t.state IN ('approved', 'accepted'))""",
    "a live promise waits for somebody about to leave, or for cleaning": """
        SELECT count(*) FROM bed_next n JOIN stay s ON s.id = n.waits_for_stay_id
        WHERE n.state = 'live' AND s.state NOT IN ('ended', 'discharge_due') AND NOT EXISTS (
          SELECT 1 FROM transfer t WHERE t.stay_id = s.id
          AND t.state IN ('approved', 'accepted', 'in_transit', 'completed'))""",
    "every state in the log is backed by an event": """
        SELECT (SELECT count(*) FROM placement_request) - (SELECT count(*) FROM event
        WHERE operation = 'request.submitted')""",
}

PEOPLE = st.integers(0, 3)
BEDS = st.integers(0, 3)
HOW = st.integers(0, 7)


class Claims(RuleBasedStateMachine):
    """The world is made by the test; each run begins with it empty."""

    world: World
    reached: ClassVar[set[str]] = set()

    @initialize()
    def begin(self) -> None:
        empty(self.world.engine)
        self.beds = self.world.unit(rooms=(2, 1))
        self.beds += self.world.unit("ward-1.a", rooms=(1,), kind=UnitKind.OMW)
        self.people = [
            self.world.person(sex=sex) for sex in (Sex.MALE, Sex.MALE, Sex.FEMALE, Sex.MALE)
        ]
        for person in self.people:
            self.world.fit_to_move(person, UnitKind.PSC, UnitKind.OMW)

    def attempt(self, name, use_case, *args, **kw) -> None:
        """Do it, or be told why not; anything but a conflict or a wrong field fails the walk."""
        with contextlib.suppress(Conflict, Invalid):
            self.world.do(use_case, *args, **kw)
            type(self).reached.add(name)

    def newest(self, table: str, person: int) -> str | None:
        found = self.world.sql(
            f"SELECT id FROM {table} WHERE person_id = :p ORDER BY id DESC LIMIT 1",
            p=self.people[person],
        )
        return found[0][0] if found else None

    @rule(person=PEOPLE)
    def submit(self, person):
        self.attempt("submit", placement.submit, self.people[person])

    @rule(person=PEOPLE, bed=BEDS, promised=st.booleans())
    def decide(self, person, bed, promised):
        if request := self.newest("placement_request", person):
            verb = decisions.promise_bed if promised else decisions.decide
            self.attempt(verb.__name__, verb, request, self.beds[bed], CHOICE)

    @rule(person=PEOPLE, how=HOW)
    def answer(self, person, how):
        if not (request := self.newest("placement_request", person)):
            return
        if how < 4:
            self.attempt("accept", answers.accept, request)
        elif how == 4:
            self.attempt("decline", answers.decline, request, code="no_bed")
        elif how == 5:
            self.attempt("release", answers.release_hold, request, reason="r")
        elif how == 6:
            self.attempt("not_arrived", answers.not_arrived, request, reason="r")
        else:
            self.attempt("withdraw", placement.withdraw, request, reason="r")

    @rule(person=PEOPLE)
    def arrive_at_the_door(self, person):
        if request := self.newest("placement_request", person):
            self.attempt("admit", admit, request)

    @rule(person=PEOPLE, bed=BEDS)
    def settle(self, person, bed):
        """The whole way at once, so that walks get far."""
        self.attempt("submit", placement.submit, self.people[person])
        if request := self.newest("placement_request", person):
            self.attempt("decide", decisions.decide, request, self.beds[bed], CHOICE)
            self.attempt("accept", answers.accept, request)
            self.attempt("admit", admit, request)

    @rule(person=PEOPLE, how=HOW)
    def leave_the_bed(self, person, how):
        if not (stay := self.newest("stay", person)):
            return
        if how < 3:
            self.attempt("due", discharge.due, stay)
        elif how < 6:
            self.attempt("discharge", discharge.discharge, stay, code=StayEnd.RELEASED, reason="r")
        else:
            self.attempt("died", discharge.discharge, stay, code=StayEnd.DIED, reason="r")

    @rule(person=PEOPLE, away=st.booleans())
    def go_on_leave_or_return(self, person, away):
        if stay := self.newest("stay", person):
            if away:
                soon = self.world.one("SELECT now() + interval '1 day'")
                self.attempt("begin_leave", begin_leave, stay, ends_at=soon)
            else:
                self.attempt("end_leave", end_leave, stay)

    @rule(person=PEOPLE, bed=st.none() | st.just(3))
    def rescue(self, person, bed):
        chosen = self.beds[bed] if bed is not None else None
        told = Emergency(unit="ward-1.a", officer="Dr Chen", reason="r", bed=chosen)
        self.attempt("emergency", admit_emergency, self.people[person], told)

    @rule(person=PEOPLE, bed=BEDS, approved=st.booleans())
    def ask_for_a_transfer(self, person, bed, approved):
        if stay := self.newest("stay", person):
            reason = MoveReason.MAKE_ROOM
            verb = transfers.request_transfer
            self.attempt("request_transfer", verb, stay, self.beds[bed], reason=reason)
        if approved and (move := self.newest("transfer", person)):
            self.attempt("approve", transfers.approve, move, reason="r")

    @rule(person=PEOPLE, how=HOW)
    def hand_over(self, person, how):
        if not (move := self.newest("transfer", person)):
            return
        if how < 4:
            self.attempt("accept_transfer", handover.accept_transfer, move)
            self.attempt("depart", handover.depart, move)
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

    @rule(bed=BEDS)
    def clean(self, bed):
        with contextlib.suppress(ServiceError):
            self.world.fit(self.beds[bed])
            type(self).reached.add("fit")

    @rule(person=PEOPLE, isolation=st.sampled_from([Isolation.NONE, Isolation.DROPLET]))
    def assess(self, person, isolation):
        who = self.people[person]
        self.world.assess(who, isolation)

        def follow(conn):
            lock(conn, persons=[who])
            return rekey(conn, who)

        run(self.world.engine, follow)
        type(self).reached.add("rekey")

    @rule(bed=BEDS)
    def let_a_hold_lapse(self, bed):
        with self.world.engine.begin() as conn:
            conn.exec_driver_sql(
                "UPDATE bed_claim SET during = tstzrange(lower(during), clock_timestamp())"
                " WHERE bed_id = %s AND kind = 'hold' AND voided_at IS NULL AND used_at IS NULL"
                " AND lapsed_at IS NULL AND upper(during) > clock_timestamp()",
                (self.beds[bed],),
            )
        self.attempt("lapse", clocks.lapse_holds)

    @rule(person=PEOPLE, other=PEOPLE, how=HOW)
    def correct(self, person, other, how):
        stay, move = self.newest("stay", person), self.newest("transfer", person)
        if stay is None:
            return
        if how < 2:
            self.attempt("cancel_admission", undoing.cancel_admission, stay, reason="r")
        elif how < 4:
            self.attempt("cancel_discharge", corrections.cancel_discharge, stay, reason="r")
        elif how < 6 and move is not None:
            self.attempt("cancel_transfer", undoing.cancel_transfer, move, reason="r")
        elif partner := self.newest("stay", other):
            self.attempt("swap", corrections.swap, stay, partner, reason="r")

    @invariant()
    def everything_agrees(self):
        asked = " UNION ALL ".join(
            f"SELECT '{name}', ({query})" for name, query in INVARIANTS.items()
        )
        assert [tuple(it) for it in self.world.sql(asked) if it[1]] == []


def test_any_sequence_of_use_cases_keeps_beds_people_and_requests_in_agreement(shared_engine):
    Claims.world = World(shared_engine)
    Claims.reached = set()
    run_state_machine_as_test(
        Claims,
        settings=settings(
            # A walk takes seconds: one that fails is shown as it was, not shortened.
            phases=[Phase.generate],
            max_examples=10,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Claims.reached >= {
        "accept",
        "admit",
        "approve",
        "begin_leave",
        "discharge",
        "emergency",
        "fit",
        "lapse",
        "rekey",
        "request_transfer",
    }
