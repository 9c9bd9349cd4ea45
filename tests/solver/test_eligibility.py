"""The rules about one person and one place: the decision table, and what holds for all pairs."""

from dataclasses import replace
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.codes import (
    BedKind,
    ConsentBy,
    ConsentStatus,
    DangerCase,
    DecisionStatus,
    Grade,
    Isolation,
    LegalBasis,
    Licence,
    Observation,
    Organ,
    OutMedicalPart,
    PscTime,
    Sex,
    Tri,
    UnitKind,
    Zone,
)
from solver.domain import Need, Policy, Psychiatric
from solver.eligibility import (
    RULES,
    RULES_BY_ID,
    Facts,
    Place,
    Word,
    blocking,
    due_papers,
    eligible,
    evaluate,
    facts,
    misplaced,
    place,
    refusals,
    transition_allowed,
)
from solver.eligibility.table import markdown
from tests.solver.builders import NOW, ON, TARGET, a_consent, a_person, a_place_network
from tests.solver.cases import Case, cases

CASES = cases()


def sets(kinds: type[StrEnum]) -> st.SearchStrategy[frozenset[Any]]:
    return st.frozensets(st.sampled_from(list(kinds)))


words = st.builds(
    Word, st.sampled_from(ConsentStatus), sets(UnitKind), st.just(frozenset[UnitKind]())
).map(lambda it: replace(it, signed=it.kinds))
any_facts = st.builds(
    Facts,
    sex=st.none() | st.sampled_from(Sex),
    age=st.integers(12, 80),
    identified=st.booleans(),
    basis=st.none() | st.sampled_from(LegalBasis),
    decision=st.sampled_from(DecisionStatus),
    served=st.booleans(),
    under_16_reasons=st.booleans(),
    mother=st.sampled_from(Tri),
    own=words,
    family=words,
    guardian=words,
    capable=st.sampled_from(Tri),
    police_consent=st.booleans(),
    unfiled=sets(OutMedicalPart),
    psychiatric=st.none()
    | st.builds(Psychiatric, st.booleans(), st.none() | st.sampled_from(DangerCase), st.booleans()),
    psc_time=st.sampled_from(PscTime),
    endangered=st.booleans(),
    grade=st.sampled_from(Grade),
    assessed=st.booleans(),
    needs=sets(BedKind),
    isolation=st.sampled_from(Isolation),
    observation=st.sampled_from(Observation),
    examined=st.booleans(),
    emergency=st.booleans(),
)
any_place = st.builds(
    Place,
    kind=st.sampled_from(UnitKind),
    zone=st.sampled_from(Zone),
    custodial=st.booleans(),
    cared_for=st.booleans(),
    bases=sets(LegalBasis),
    licences=sets(Licence),
    sexes=sets(Sex),
    min_age=st.integers(0, 30),
    max_age=st.integers(15, 90),
    minors_only=st.booleans(),
    level_of_care=st.sampled_from(Grade),
    observation=st.sampled_from(Observation),
    isolation=st.sampled_from(Isolation),
    single=st.booleans(),
    bed_kind=st.sampled_from(BedKind),
    provides=sets(BedKind),
)


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_the_decision_table_names_exactly_the_rules_that_refuse(case: Case):
    refused_by = [it.rule for it in refusals(case.facts, case.place)]
    assert set(refused_by) == case.refused_by, case.sentence
    assert len(refused_by) == len(set(refused_by))


def test_the_table_has_each_case_once_and_names_known_rules_alone():
    assert len({case.id for case in CASES}) == len(CASES)
    assert {it for case in CASES for it in case.refused_by} == set(RULES_BY_ID)


@given(any_facts, any_place)
def test_refusals_do_not_depend_on_the_order_of_rules(person: Facts, bed: Place):
    shuffled = list(RULES)
    Random(0).shuffle(shuffled)
    assert set(evaluate(shuffled, person, bed)) == set(evaluate(RULES, person, bed))


@given(any_facts, any_place)
def test_a_cached_answer_is_the_answer(person: Facts, bed: Place):
    first = refusals(person, bed)
    again = refusals(replace(person), replace(bed))
    assert first == again == evaluate(RULES, person, bed)
    assert eligible(person, bed) is (first == ())


@given(any_facts, any_place)
def test_every_refusal_speaks_both_languages_and_names_its_source(person: Facts, bed: Place):
    for refusal in refusals(person, bed):
        for text in (refusal.message("zh"), refusal.message("en"), refusal.citation):
            assert text
            assert "{" not in text
        assert refusal.message("zh") != refusal.message("en")
        assert refusal.statutory is (refusal.lifted_by is None and refusal.owner is None)


UNKNOWNS: list[tuple[str, dict[str, Any], list[dict[str, Any]]]] = [
    # what is unknown, the cautious value it counts as, the values that are no worse
    ("isolation", {"isolation": Isolation.CONTACT}, [{"isolation": Isolation.NONE}]),
    ("observation", {"observation": Observation.FREQUENT}, [{"observation": Observation.NONE}]),
    ("grade", {"grade": Grade.G3}, [{"grade": it} for it in Grade if it <= Grade.G3]),
    ("pregnant", {"pregnant": Tri.YES}, [{"pregnant": Tri.NO}]),
    ("nursing", {"nursing": Tri.YES}, [{"nursing": Tri.NO}]),
    ("capable", {"capable": Tri.UNKNOWN}, [{"capable": Tri.YES}]),
]


@settings(max_examples=60)
@pytest.mark.parametrize(("name", "cautious", "milder"), UNKNOWNS, ids=[it[0] for it in UNKNOWNS])
@given(st.sampled_from([*LegalBasis]), any_place, st.sampled_from([Sex.FEMALE, Sex.MALE]))
def test_not_knowing_never_opens_a_place_that_the_cautious_value_closes(
    name: str,
    cautious: dict[str, Any],
    milder: list[dict[str, Any]],
    basis: LegalBasis,
    bed: Place,
    sex: Sex,
):
    def open_to(**known: Any) -> bool:
        person = a_person(sex=sex, basis=basis, **known)
        return eligible(facts(person, ON, NOW, Policy()), bed)

    # The default ``Need`` knows nothing yet.
    open_to_unknown = open_to(**{name: getattr(Need(), name, Tri.UNKNOWN)})
    if sex is Sex.FEMALE or name not in ("pregnant", "nursing"):
        assert open_to(**cautious) or not open_to_unknown
    for known in milder:
        assert open_to(**known) or not open_to_unknown


@given(any_facts, any_place)
def test_an_emergency_waits_for_papers_only_on_the_way_into_custody(person: Facts, bed: Place):
    papers = {it.id for it in RULES if it.papers}
    refused = {it.rule for it in refusals(replace(person, emergency=True), bed)}
    due = {it.rule for it in due_papers(replace(person, emergency=True), bed)}
    if bed.custodial:
        assert not due
    else:
        assert not refused & papers
        if bed.kind is not UnitKind.EXT:
            assert due == papers & {
                it.rule for it in refusals(replace(person, emergency=False), bed)
            }
    assert not due_papers(replace(person, emergency=False), bed)


def test_a_statutory_refusal_stands_whoever_lifts_it():
    person = facts(a_person(age=15, ends_on=date(2026, 11, 22)), ON, NOW, Policy())
    bed = place(a_place_network(min_age=14, max_age=17), TARGET)
    found = refusals(person, bed)
    assert {it.rule for it in found} == {"L01", "P02"}
    assert [it.rule for it in blocking(found, frozenset({"L01", "P02"}))] == ["L01"]
    assert {it.rule for it in blocking(found, frozenset())} == {"L01", "P02"}


def test_a_rule_about_offers_does_not_make_a_present_place_wrong():
    person = facts(a_person(like="constrained", grade=Grade.G4), ON, NOW, Policy())
    reserve = place(a_place_network("constrained", bed_kind=BedKind.RSV), TARGET)
    assert {it.rule for it in refusals(person, reserve)} == {"S11", "S14-reserve"}
    assert {it.rule for it in misplaced(person, reserve)} == {"S11"}


def test_a_place_outside_the_network_is_nobody_s_wrong_place():
    person = facts(a_person(grade=Grade.G5), ON, NOW, Policy())
    assert misplaced(person, place(a_place_network(kind=UnitKind.EXT), TARGET)) == ()


def test_people_alike_in_what_rules_read_are_equal_facts():
    someone = a_person(id="p-1", home=(1.0, 2.0))
    consents = (a_consent(ConsentBy.PERSON),)
    other = a_person(id="p-2", body=Organ.CITY_POLICE, consents=consents, pregnant=Tri.UNKNOWN)
    assert facts(someone, ON, NOW, Policy()) == facts(other, ON, NOW, Policy())


@given(st.integers(-400, 1200))
def test_a_decision_is_in_force_from_its_first_day_to_its_last(days: int):
    person = a_person()
    assert person.decision is not None
    on = person.decision.starts_on + timedelta(days=days)
    status = facts(person, on, NOW, Policy()).decision
    inside = person.decision.starts_on <= on <= person.decision.ends_on
    assert (status is DecisionStatus.VALID) is inside


@given(st.timedeltas(timedelta(days=-400), timedelta(days=400)))
def test_nobody_is_admitted_before_service(since: timedelta):
    served_at = NOW + since
    assert facts(a_person(served_at=served_at), ON, NOW, Policy()).served is (served_at <= NOW)


def test_the_newest_lapsed_consent_says_why_it_lapsed():
    expired = a_consent(ConsentBy.PERSON, ends_on=date(2026, 11, 22))
    withdrawn = a_consent(
        ConsentBy.PERSON, starts_on=date(2026, 11, 10), ends_on=date(2026, 11, 20), withdrawn=True
    )
    for consents in ((expired, withdrawn), (withdrawn, expired)):
        person = a_person(like="voluntary", consents=consents)
        assert facts(person, ON, NOW, Policy()).own.status is ConsentStatus.WITHDRAWN


def test_transitions_between_kinds_of_unit_are_those_of_the_law():
    allowed = {
        (one.value, other.value)
        for one in UnitKind
        for other in UnitKind
        if one is not other and transition_allowed(one, other)
    }
    network = {it.value for it in UnitKind} - {"EXT"}
    back = {(one, other) for one in ("SEC", "AKH", "EXT") for other in network if one != other}
    table = {("PSC", "JSC"), ("PSC", "OMW"), ("JSC", "OMW"), ("OMW", "PSC"), ("OMW", "JSC")}
    # Custodial wards of hospitals treat within a running term as the off-site ward does.
    secure = {(one, ward) for one in ("PSC", "JSC", "OMW") for ward in ("SEC", "AKH")}
    assert allowed == back | table | secure
    assert all(transition_allowed(it, it) for it in UnitKind if it is not UnitKind.EXT)
    assert not any(transition_allowed(it, UnitKind.EXT) for it in UnitKind)


def test_consensual_treatment_never_turns_into_custody_by_a_move():
    for consensual in (UnitKind.CTH, UnitKind.DTI, UnitKind.RC):
        for custodial in (UnitKind.PSC, UnitKind.JSC, UnitKind.OMW, UnitKind.SEC, UnitKind.AKH):
            assert not transition_allowed(consensual, custodial)


def test_the_page_of_rules_is_up_to_date():
    page = Path(__file__).parents[2] / "docs" / "rules.md"
    assert page.read_text(encoding="utf-8") == markdown(), (
        "run: python -m solver.eligibility.table > docs/rules.md"
    )


def test_messages_name_no_way_to_change_a_finding_a_consent_or_a_ground():
    urging = ("should", "change", "obtain", "ask for", "instead", "改", "建议", "请")
    for rule in RULES:
        assert not [word for word in urging if word in rule.en or word in rule.zh], rule.id
