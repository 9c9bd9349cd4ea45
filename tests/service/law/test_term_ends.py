"""What the law has ended is ended by the release, whoever records it, and told at once."""

from datetime import UTC, datetime

import pytest

from service.access.caller import Role
from service.errors import Conflict
from service.lifecycle import ApprovalKind, TermState
from service.store.tables.claims import StayEnd
from service.store.tables.law import ProposalKind, TermEnd
from service.workflow.law import releases, term_changes
from service.workflow.law.legal_bases import revoke_legal_basis
from tests.service.law.cases import PASSED, approve, centre, clocks, held, term_of
from tests.service.workflow.world import World


@pytest.mark.parametrize("code", [StayEnd.RELEASED, StayEnd.DISCHARGED])
def test_a_discharge_after_the_decision_was_set_aside_ends_the_term(world: World, code: StayEnd):
    bed, _ = centre(world)
    row, stay = held(world, bed)
    world.do(revoke_legal_basis, row.basis)
    world.as_(Role.FACILITY_ADMIN, "psc-1").discharged(stay, code=code)
    assert world.one("SELECT end_code FROM term WHERE id = :t", t=row.id) == "revoked"
    assert "term_end" not in clocks(world, row)


def test_a_woman_found_pregnant_is_in_nobodys_hands_after_her_release(world: World):
    bed, _ = centre(world)
    row, stay = held(world, bed)
    world.set("stay", stay, state="discharge_due", discharge_due_code="not_applicable")
    world.as_(Role.FACILITY_ADMIN, "psc-1").discharged(stay)
    assert world.one("SELECT end_code FROM term WHERE id = :t", t=row.id) == "not_applicable"
    assert world.one("SELECT count(*) FROM legal_basis WHERE revoked_at IS NULL") == 0
    assert "term_end" not in clocks(world, row)


def test_a_centre_lets_go_whom_the_law_let_go_and_sets_no_decision_aside(world: World):
    bed, _ = centre(world)
    row, _ = held(world, bed)
    admin = world.as_(Role.FACILITY_ADMIN, "psc-1")
    for end in (TermEnd.REVOKED, TermEnd.NOT_APPLICABLE, TermEnd.EXPIRED):
        with world.refuses(Conflict, "term-runs"):
            admin.do(releases.release, row.id, end=end, reason="x")
    assert term_of(world, row.person).state is TermState.IN_BED
    world.do(revoke_legal_basis, row.basis)
    free = admin.do(releases.release, row.id, end=TermEnd.REVOKED, reason="set aside")
    assert free.term.end is TermEnd.REVOKED


def test_the_notice_of_an_early_release_is_due_at_once_and_not_at_the_old_end(world: World):
    bed, _ = centre(world)
    row, _ = held(world, bed, 400)
    assert clocks(world, row)["release_notice"] > datetime.now(UTC)
    world.do(term_changes.propose, row.id, ProposalKind.EARLY_RELEASE, findings=PASSED)
    approve(world, row, ApprovalKind.EARLY_RELEASE)
    world.do(term_changes.answer, row.id, ProposalKind.EARLY_RELEASE, reason="agreed")
    assert clocks(world, row)["release_notice"] <= datetime.now(UTC)
