"""Rules about one person and one place: each written once, each answering with a refusal.

The planner filters by them, the ranking explains by them, the hold looks at them again under
lock, the checker judges by them. To add one: write it in ``law``, ``centre``, ``psychiatric`` or
``care``, give it rows in ``tests/data/eligibility.csv`` and its row in ``register``, regenerate
``docs/rules.md``.
"""

from collections.abc import Collection, Iterable
from functools import lru_cache

from solver.codes import UnitKind
from solver.eligibility import care, centre, law, psychiatric
from solver.eligibility.facts import Facts, Place, Word, counted_grade, facts, months_after, place
from solver.eligibility.registry import RULES_BY_ID, Approver, PolicyOwner, Refusal, Rule
from solver.eligibility.transitions import (
    TRANSITIONS,
    NoTransition,
    Status,
    Transition,
    no_transition,
    status_transition,
    transition_allowed,
)

RULES: tuple[Rule, ...] = (
    centre.identified,
    law.no_legal_basis,
    law.decision_in_force,
    law.served_first,
    law.consent_is_not_custody,
    centre.police_agreed,
    law.custody_needs_its_organ,
    law.basis_accepted,
    law.never_a_mother_in_custody,
    law.under_sixteen,
    law.motherhood_established,
    centre.police_centre_first,
    centre.police_centre_over,
    centre.not_forwarded_in_danger,
    centre.new_arrivals_apart,
    centre.out_medical_complete,
    centre.out_medical_is_outside,
    centre.both_owners,
    psychiatric.never_in_custody,
    psychiatric.findings_on_record,
    psychiatric.guardian_consents,
    psychiatric.still_carried,
    care.sexes_apart,
    care.age_band,
    care.minors_apart,
    care.isolation_by_route,
    care.watched_closely_enough,
    care.never_alone_unwatched,
    care.bed_equipped,
    care.maternity_beds,
    care.drug_treatment_licence,
    care.psychiatric_licence,
    care.level_of_care,
    care.emergency_is_medical,
    care.emergency_reserve,
    care.referral_only,
    law.written_agreement,
    law.consents_given,
    law.capacity_found,
    law.consents_in_force,
)
"""Every rule, in the order refusals are listed."""


def evaluate(rules: Iterable[Rule], facts: Facts, place: Place) -> tuple[Refusal, ...]:
    """All refusals of these rules, in their order.

    A hospital outside the network is refused for that alone: nobody is offered a place there,
    and whoever an emergency took there is not judged by rules about the network's beds. An
    emergency into open medical care does not wait for papers; into custody it does.
    """
    waits_for_papers = not facts.emergency or place.custodial
    outside = place.kind is UnitKind.EXT
    return tuple(
        refusal
        for it in rules
        if (waits_for_papers or not it.papers)
        and (not outside or it.id == care.referral_only.id)
        and (refusal := it(facts, place)) is not None
    )


@lru_cache(maxsize=1 << 16)
def refusals(facts: Facts, place: Place) -> tuple[Refusal, ...]:
    """Every refusal of this pair; empty when the place is lawful and safe for the person."""
    return evaluate(RULES, facts, place)


def eligible(facts: Facts, place: Place) -> bool:
    """Whether no rule refuses the pair."""
    return not refusals(facts, place)


def due_papers(facts: Facts, place: Place) -> tuple[Refusal, ...]:
    """What an emergency placement did not wait for and now owes, on a clock."""
    return tuple(
        refusal
        for it in RULES
        if facts.emergency and not place.custodial and it.papers
        if (refusal := it(facts, place)) is not None
    )


def misplaced(facts: Facts, place: Place) -> tuple[Refusal, ...]:
    """Why a present place is not, or no longer, lawful and safe; rules about offers left out."""
    return tuple(it for it in refusals(facts, place) if not RULES_BY_ID[it.rule].offer_only)


def blocking(refusals: Iterable[Refusal], overridden: Collection[str]) -> tuple[Refusal, ...]:
    """The refusals that still stand when these rules are lifted; those that nobody lifts always
    stand."""
    return tuple(it for it in refusals if it.lifted_by is None or it.rule not in overridden)


__all__ = [
    "RULES",
    "RULES_BY_ID",
    "TRANSITIONS",
    "Approver",
    "Facts",
    "NoTransition",
    "Place",
    "PolicyOwner",
    "Refusal",
    "Rule",
    "Status",
    "Transition",
    "Word",
    "blocking",
    "counted_grade",
    "due_papers",
    "eligible",
    "evaluate",
    "facts",
    "misplaced",
    "months_after",
    "no_transition",
    "place",
    "refusals",
    "status_transition",
    "transition_allowed",
]
