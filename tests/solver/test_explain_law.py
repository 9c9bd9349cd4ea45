"""What an explanation may say: nothing of another resident, nothing to change about oneself."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from solver.codes import (
    BedKind,
    ConsentStatus,
    DecisionStatus,
    Grade,
    Isolation,
    LegalBasis,
    Observation,
    Relation,
    Sex,
    Tri,
)
from solver.cost import TERMS
from solver.domain import Need, Network, Plan
from solver.eligibility import RULES, RULES_BY_ID, Approver
from solver.eligibility.registry import Language
from solver.eligibility.words import words
from solver.explain import (
    Cause,
    Explanations,
    NotPlaced,
    Placed,
    answer_document,
    answer_lines,
    explain_plan,
    relation_words,
    term_words,
)
from solver.explain.words import cause_words
from solver.planning import make_plan
from solver.synthetic import city
from tests.solver.test_refusal_words import ABOUT_CONSENT, ABOUT_GROUNDS, OUTCOMES, URGING
from tests.solver.tiny_networks import tiny_networks

BOTH: tuple[Language, Language] = ("zh", "en")
OF_A_PERSON = re.compile(
    r"男|女|未成年|怀孕|感染|传染|空气隔离|接触隔离|强制隔离|自愿|已撤回|已届满|未提供"
    r"|\b(male|female|man|men|woman|women|minor|pregnant|infect\w*|airborne|contact isolation"
    r"|compulsory|voluntary|constrained|withdrawn|expired|missing)\b|\bG[0-5]\b"
)
"""What only a person can be, or only a person's papers."""
NAMES = sorted(
    {
        *(rule.title(it) for rule in RULES for it in BOTH),
        *(relation_words(relation, it) for relation in Relation for it in BOTH),
        *(term_words(term.name, it) for term in TERMS for it in BOTH),
        *(cause_words(cause, it) for cause in Cause for it in BOTH),
        *(words(kind, it) for kind in BedKind for it in BOTH),
    },
    key=len,
    reverse=True,
)
"""Names of rules, relations, terms and kinds of bed, the same whoever is asked about."""
PERSONAL_CODES = {
    *(it.value for it in Sex),
    *(it.value for it in Isolation if it is not Isolation.NONE),
    *(it.value for it in LegalBasis),
    *(it.name for it in Grade),
    *(it.value for it in ConsentStatus),
    *(it.value for it in DecisionStatus),
    *(it.value for it in Tri),
}
WHO_REQUESTS = re.compile(r"\brequests?\b|申请")


def renamed(network: Network, plan: Plan, subject: str) -> tuple[Network, Plan]:
    """The same network and plan, everybody but one under another name."""
    new = {it: it if it == subject else f"other-{i:03d}" for i, it in enumerate(network.persons)}
    asked = {it.id: it.id if it.person == subject else f"for-{it.id}" for it in network.requests}
    requests = tuple(replace(it, id=asked[it.id], person=new[it.person]) for it in network.requests)
    moves = tuple(
        replace(
            it,
            person=new[it.person],
            request=None if it.request is None else asked[it.request],
            displaced_for=None if it.displaced_for is None else asked[it.displaced_for],
        )
        for it in plan.moves
    )
    return (
        replace(
            network,
            persons={new[it.id]: replace(it, id=new[it.id]) for it in network.persons.values()},
            stays=tuple(replace(it, person=new[it.person]) for it in network.stays),
            requests=requests,
            beds={
                it.id: replace(it, held_for=new.get(it.held_for or ""))
                for it in network.beds.values()
            },
        ),
        replace(plan, moves=moves),
    )


def written(explanations: Explanations, subject: str) -> str:
    """The subject's answer as JSON; whom room is made for is an id of its own."""
    answer = explanations.of_person(subject)
    if answer is None:
        return ""
    if isinstance(answer, Placed):
        answer = replace(answer, makes_room_for=None)
    return json.dumps(answer_document(answer), ensure_ascii=False, sort_keys=True)


def explained(network: Network, plan: Plan) -> Iterator[Placed | NotPlaced]:
    found = list(explain_plan(network, plan))
    assume(found)
    yield from found


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key != "words":
                yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, str):
        yield value


@cache
def cities() -> tuple[tuple[Network, Plan], ...]:
    networks = [city(0, 0.97, waiting=50), city(3, 0.9, waiting=50)]
    return tuple((it, make_plan(it)[0]) for it in networks)


@given(tiny_networks(most_people=6, most_beds=8))
@settings(max_examples=40)
def test_an_explanation_is_the_same_whatever_the_others_are_called(network: Network):
    plan, _ = make_plan(network)
    for answer in explained(network, plan):
        told = written(explain_plan(network, plan), answer.person)
        others = explain_plan(*renamed(network, plan, answer.person))
        assert written(others, answer.person) == told


@given(tiny_networks(most_people=6, most_beds=8), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_an_explanation_is_the_same_whatever_ails_the_others_and_wherever_they_live(
    network: Network, random: Any
):
    plan, _ = make_plan(network)
    for answer in explained(network, plan):
        persons = {
            it.id: it
            if it.id == answer.person
            else replace(
                it,
                home=(random.random() * 50, 3.0),
                origin_unit=random.choice(sorted(network.units)),
                consents=(),
                need=Need(
                    random.choice(list(Grade)),
                    frozenset(random.sample(list(BedKind), 2)),
                    it.need.isolation,
                    random.choice(list(Observation)),
                    random.choice(list(Tri)),
                    random.choice(list(Tri)),
                ),
            )
            for it in network.persons.values()
        }
        told = written(explain_plan(network, plan), answer.person)
        others = explain_plan(replace(network, persons=persons), plan)
        assert written(others, answer.person) == told


@pytest.mark.parametrize("number", [0, 1])
def test_nobody_else_is_named_and_nobodys_attributes_are(number: int):
    network, plan = cities()[number]
    everybody = re.compile(r"\bp-[0-9a-f]{8}\b")
    assert all(everybody.fullmatch(it) for it in network.persons)
    answers = list(explain_plan(network, plan))
    assert {type(it) for it in answers} == {Placed, NotPlaced}
    for answer in answers:
        body = answer_document(answer)
        text = json.dumps(body, ensure_ascii=False)
        assert set(everybody.findall(text)) == {answer.person}
        assert not PERSONAL_CODES & set(leaves(body))


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("language", BOTH)
def test_the_words_of_no_answer_tell_what_anybody_is(number: int, language: Language):
    network, plan = cities()[number]
    for answer in explain_plan(network, plan):
        for line in answer_lines(answer, language):
            bare = line
            for name in NAMES:
                bare = bare.replace(name, "")
            assert not OF_A_PERSON.search(bare), line


def test_what_a_person_is_would_be_found_in_words():
    for line in ("空气隔离人员", "one man in the room", "raise G2 to G3", "同意已撤回"):
        assert OF_A_PERSON.search(line)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("language", BOTH)
def test_nobody_is_taught_to_change_a_finding_a_consent_or_a_ground(
    number: int, language: Language
):
    network, plan = cities()[number]
    unplaced = explain_plan(network, plan).unplaced
    assert unplaced
    for answer in unplaced:
        for line in answer_lines(answer, language):
            said = WHO_REQUESTS.sub("", line)
            assert not URGING.search(said), line
            assert not OUTCOMES.search(said), line


@pytest.mark.parametrize("number", [0, 1])
def test_only_rules_of_policy_are_said_to_be_anybodys_to_lift(number: int):
    network, plan = cities()[number]
    seen = set()
    for answer in explain_plan(network, plan).unplaced:
        for it in answer.removed:
            rule = RULES_BY_ID.get(it.code)
            if rule is None:
                assert (it.lifted_by, it.owner, it.alone) == (None, None, None)
                continue
            seen.add(it.code)
            if rule.statutory:
                assert (it.lifted_by, it.owner, it.alone) == (None, None, None)
            if it.code in ABOUT_CONSENT | ABOUT_GROUNDS:
                assert it.lifted_by in (None, Approver.DECIDING_ORGAN)
    assert seen & ABOUT_CONSENT
    assert seen - {it.id for it in RULES if it.statutory}
