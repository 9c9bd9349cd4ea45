"""Changes of legal status, the whole table: what is lawful, and what refuses the rest."""

from itertools import product

import pytest

from solver.codes import UnitKind
from solver.eligibility import (
    RULES_BY_ID,
    TRANSITIONS,
    Status,
    no_transition,
    status_transition,
    transition_allowed,
)
from solver.eligibility.register import REGISTER

S = Status
PAIRS = list(product(Status, Status))
COMPULSORY = {S.PSC, S.JSC, S.OMW}
AGREED = {S.VOLUNTARY, S.CONSTRAINED}
LARGE = {S.NONE, S.RELEASED, S.COMMUNITY_DETOX, S.COMMUNITY_REHAB}
LAWFUL: dict[Status, set[Status]] = {
    S.NONE: {
        *AGREED,
        S.VOLUNTARY_IN_CENTRE,
        S.PSC,
        S.COMMUNITY_DETOX,
        S.INVOLUNTARY_PSYCHIATRIC,
        S.EMERGENCY,
    },
    S.RELEASED: {
        *AGREED,
        S.VOLUNTARY_IN_CENTRE,
        S.PSC,
        S.COMMUNITY_DETOX,
        S.COMMUNITY_REHAB,
        S.INVOLUNTARY_PSYCHIATRIC,
        S.EMERGENCY,
    },
    S.COMMUNITY_DETOX: {
        *AGREED,
        S.VOLUNTARY_IN_CENTRE,
        S.PSC,
        S.NONE,
        S.INVOLUNTARY_PSYCHIATRIC,
        S.EMERGENCY,
    },
    S.COMMUNITY_REHAB: {
        *AGREED,
        S.VOLUNTARY_IN_CENTRE,
        S.PSC,
        S.RELEASED,
        S.INVOLUNTARY_PSYCHIATRIC,
        S.EMERGENCY,
    },
    S.VOLUNTARY: {S.NONE, S.COMMUNITY_DETOX, S.PSC, S.INVOLUNTARY_PSYCHIATRIC, S.EMERGENCY},
    S.CONSTRAINED: {S.NONE, S.COMMUNITY_DETOX, S.PSC, S.INVOLUNTARY_PSYCHIATRIC, S.EMERGENCY},
    S.VOLUNTARY_IN_CENTRE: {S.NONE, S.COMMUNITY_DETOX, S.PSC, S.EMERGENCY},
    S.PSC: {S.JSC, S.OMW, S.OUT_MEDICAL, S.RELEASED, S.COMMUNITY_DETOX, S.EMERGENCY},
    S.JSC: {S.OMW, S.OUT_MEDICAL, S.RELEASED, S.COMMUNITY_DETOX, S.EMERGENCY},
    S.OMW: {S.PSC, S.JSC, S.OUT_MEDICAL, S.RELEASED, S.COMMUNITY_DETOX, S.EMERGENCY},
    S.OUT_MEDICAL: {*COMPULSORY, S.RELEASED, S.COMMUNITY_DETOX, S.EMERGENCY},
    S.EMERGENCY: {*Status} - {S.EMERGENCY},
    S.INVOLUNTARY_PSYCHIATRIC: {S.NONE, *AGREED, S.PSC, S.EMERGENCY},
}


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=[f"{a}>{b}" for a, b in PAIRS])
def test_a_change_is_lawful_exactly_where_the_table_has_it(source: Status, target: Status):
    found = status_transition(source, target)
    assert (found is not None) is (target in LAWFUL[source])
    if found is not None:
        assert (found.source, found.target) == (source, target)
        with pytest.raises(ValueError, match="lawful"):
            no_transition(source, target)
        return
    refused = no_transition(source, target)
    assert refused.zh
    assert refused.en
    assert refused.zh != refused.en
    assert refused.rule == "6" or refused.rule in {row.id for row in REGISTER}


def test_each_pair_stands_once():
    assert len({(it.source, it.target) for it in TRANSITIONS}) == len(TRANSITIONS)


@pytest.mark.parametrize("source", [it for it in Status if it is not S.RELEASED])
def test_community_rehabilitation_follows_release_alone(source: Status):
    if source in (S.COMMUNITY_REHAB, S.EMERGENCY):
        return
    assert status_transition(source, S.COMMUNITY_REHAB) is None
    assert no_transition(source, S.COMMUNITY_REHAB).rule == "0.3"


@pytest.mark.parametrize("source", [S.VOLUNTARY, S.CONSTRAINED, S.VOLUNTARY_IN_CENTRE])
def test_treatment_by_agreement_turns_compulsory_by_a_fresh_decision_alone(source: Status):
    change = status_transition(source, S.PSC)
    assert change is not None
    assert {"decision", "ground", "served"} <= set(change.needs)
    assert "0.5" in change.cites
    for other in (S.JSC, S.OMW, S.OUT_MEDICAL):
        assert status_transition(source, other) is None


@pytest.mark.parametrize("source", [it for it in Status if it not in (*COMPULSORY, S.OUT_MEDICAL)])
def test_nobody_comes_to_a_justice_centre_but_from_a_term(source: Status):
    if source is S.EMERGENCY:
        return
    assert status_transition(source, S.JSC) is None


@pytest.mark.parametrize("source", [it for it in Status if it is not S.EMERGENCY])
def test_an_emergency_needs_nothing_whatever_came_before(source: Status):
    change = status_transition(source, S.EMERGENCY)
    assert change is not None
    assert change.needs == ()


@pytest.mark.parametrize("source", [S.VOLUNTARY, S.CONSTRAINED, S.VOLUNTARY_IN_CENTRE])
def test_going_home_from_treatment_by_agreement_needs_nothing(source: Status):
    change = status_transition(source, S.NONE)
    assert change is not None
    assert change.needs == ()


def test_out_of_centre_treatment_needs_its_four_parts():
    change = status_transition(S.OMW, S.OUT_MEDICAL)
    assert change is not None
    assert set(change.needs) == {"severe_illness", "life_at_risk", "approved", "filed"}


def test_a_term_never_ends_in_a_ward_by_agreement():
    for source in (*COMPULSORY, S.OUT_MEDICAL):
        for target in (*AGREED, S.VOLUNTARY_IN_CENTRE, S.NONE):
            assert status_transition(source, target) is None
            assert no_transition(source, target).rule == "L01"


@pytest.mark.parametrize("ward", [UnitKind.OMW, UnitKind.SEC, UnitKind.AKH])
def test_a_term_is_carried_on_in_any_custodial_ward(ward: UnitKind):
    for centre in (UnitKind.PSC, UnitKind.JSC):
        assert transition_allowed(centre, ward)
        assert transition_allowed(ward, centre)
    for consensual in (UnitKind.CTH, UnitKind.DTI, UnitKind.RC):
        assert not transition_allowed(consensual, ward)


def test_the_rules_that_transitions_name_are_not_the_place_rules_under_another_name():
    assert "T03-early" in RULES_BY_ID
    change = status_transition(S.PSC, S.JSC)
    assert change is not None
    assert change.cites == ("T03", "P16", "S13")
