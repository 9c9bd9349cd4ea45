"""Who decided what, seeing what, and who declined: what an auditor reads of a request."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from service.access.caller import Role
from service.errors import NotFound
from service.workflow.judgement import Override
from service.workflow.placing import answers, placement
from service.workflow.placing.decision_records import OverrideRecord, records_of
from solver.codes import LegalBasis
from tests.service.workflow.world import CHOICE


def test_every_decision_is_read_as_it_was_taken_and_every_decline_after_it(world):
    before = datetime.now(UTC)
    one, two = world.unit(rooms=(1, 1), zone="minors", max_age=17)
    made = world.submit(world.person(age=15))
    lifted = Override("P02", "the deciding organ gave reasons")
    seen = replace(CHOICE, rank=2, alternatives=[two, one], network_position=41, overrides=[lifted])
    first = world.decide(made.id, one, seen)
    world.as_(Role.FACILITY_ADMIN, "psc-1").do(
        answers.decline, made.id, code="no_bed", reason="broken frame"
    )
    second = world.decide(
        made.id, two, replace(CHOICE, officer="officer Wu", reason="next", overrides=[lifted])
    )
    world.do(placement.withdraw, made.id, reason="not needed")
    other = world.submit()

    found = world.as_(Role.AUDITOR).do(records_of, made.id)
    assert found.request == made.id
    assert [(it.id, it.bed, it.officer, it.reason) for it in found.decisions] == [
        (first.decision, one, CHOICE.officer, CHOICE.reason),
        (second.decision, two, "officer Wu", "next"),
    ]
    taken, later = found.decisions
    assert (taken.rank, taken.alternatives, taken.network_position) == (2, (two, one), 41)
    assert taken.overrides == (OverrideRecord("P02", lifted.reason, "key-coordinator"),)
    assert taken.policy_version == world.ctx.policy.version
    assert (taken.decided_by, taken.proposal) == ("key-coordinator", None)
    assert (later.rank, later.alternatives) == (None, ())
    [declined] = found.declines
    assert (declined.unit, declined.code, declined.reason, declined.declined_by) == (
        "psc-1.w1",
        "no_bed",
        "broken frame",
        "key-facility_admin",
    )
    assert before < taken.decided_at < declined.declined_at < later.decided_at
    nothing = world.do(records_of, other.id)
    assert (nothing.decisions, nothing.declines) == ((), ())


def test_the_record_of_a_hidden_patient_is_no_officers_and_a_missing_one_is_not_found(world):
    hidden = world.submit(world.person(basis=LegalBasis.CONSTRAINED))
    officer = world.as_(Role.INTAKE_OFFICER)
    for request in (hidden.id, "rq_nothing"):
        with pytest.raises(NotFound) as caught:
            officer.do(records_of, request)
        assert caught.value.code == "request-not-found"
    for role in (Role.AUDITOR, Role.CLINICIAN, Role.COORDINATOR):
        assert world.as_(role).do(records_of, hidden.id).request == hidden.id
