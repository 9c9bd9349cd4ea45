"""What a rule is, what a refusal says, and the list every rule enters once.

A rule compares one person with one place. Whether anybody may lift it is part of the rule:
statutory rules and those of an owner never, the others only by the person named, with a reason.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from solver.eligibility.facts import Facts, Place
from solver.eligibility.words import words

Language = Literal["zh", "en"]
Answer = tuple[str, str] | None
"""None when the place is fit, else what was needed and what is offered, as codes."""


class Approver(StrEnum):
    """Who may lift a rule that is not statutory, with a recorded reason."""

    DECIDING_ORGAN = "deciding_organ"  # the police organ that took the decision
    CLINICIAN = "clinician"
    COORDINATOR = "coordinator"


class PolicyOwner(StrEnum):
    """Who sets a local rule or its figures; nobody lifts it for one person."""

    NETWORK = "network"  # the organs that run the network of beds together
    PROVINCE = "province"  # the province's plan (Regulations art. 27)


_OWNERS: dict[PolicyOwner, tuple[str, str]] = {
    PolicyOwner.NETWORK: ("本市戒毒床位管理机构", "the network's owner"),
    PolicyOwner.PROVINCE: ("省级规划", "the province's plan"),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule about one person and one place.

    ``cites``: rows of the collected legal rules; ``source``: the statute or standard itself;
    ``names``, ``zh`` and ``en``: its title in both languages and what its refusal says.
    ``lifted_by``: who may lift it for one person, None for nobody. ``owner``: who sets it, for a
    rule of local practice. ``papers``: a question of papers, which an emergency into open medical
    care does not wait for; they fall due afterwards. ``offer_only``: binds when a bed is offered,
    and does not make a present place wrong. ``reads``: the fields of ``Facts`` (``person.``) and
    ``Place`` (``place.``) it looks at; no others.
    """

    id: str
    cites: tuple[str, ...]
    source: str
    names: tuple[str, str]
    zh: str
    en: str
    reads: tuple[str, ...]
    compare: Callable[[Facts, Place], Answer]
    lifted_by: Approver | None = None
    papers: bool = False
    offer_only: bool = False
    owner: PolicyOwner | None = None

    @property
    def statutory(self) -> bool:
        """Whether it is the law's own: nobody lifts it and no policy sets it."""
        return self.lifted_by is None and self.owner is None

    def title(self, language: Language) -> str:
        """The rule in two or three words."""
        return self.names[0] if language == "zh" else self.names[1]

    def __call__(self, facts: Facts, place: Place) -> "Refusal | None":
        """This rule's refusal of the pair, or None."""
        answer = self.compare(facts, place)
        return None if answer is None else Refusal(self.id, self.statutory, *answer)


RULES_BY_ID: dict[str, Rule] = {}


@dataclass(frozen=True, slots=True)
class Refusal:
    """One rule's no: what this person needs and what the place offers, as codes.

    It never speaks of another resident and never names a finding, consent or ground to change.
    """

    rule: str
    statutory: bool
    needed: str
    offered: str

    @property
    def citation(self) -> str:
        """The statute or standard the rule rests on."""
        return RULES_BY_ID[self.rule].source

    @property
    def lifted_by(self) -> Approver | None:
        """Who may lift it with a reason; None for nobody."""
        return RULES_BY_ID[self.rule].lifted_by

    @property
    def owner(self) -> PolicyOwner | None:
        """Who sets the rule, where it is local practice."""
        return RULES_BY_ID[self.rule].owner

    def message(self, language: Language) -> str:
        """The refusal in words, in Chinese or English."""
        it = RULES_BY_ID[self.rule]
        text = it.zh if language == "zh" else it.en
        said = text.format(
            needed=words(self.needed, language), offered=words(self.offered, language)
        )
        if it.owner is None:
            return said
        owner = owner_words(it.owner, language)
        return (
            f"{said}（本地规定，由{owner}制定）"
            if language == "zh"
            else (f"{said} A local rule, set by {owner}.")
        )


def owner_words(owner: PolicyOwner, language: Language) -> str:
    """Who sets a local rule."""
    return _OWNERS[owner][0 if language == "zh" else 1]


def rule(
    id: str,
    *,
    title: tuple[str, str],
    cites: tuple[str, ...],
    source: str,
    zh: str,
    en: str,
    reads: tuple[str, ...],
    lifted_by: Approver | None = None,
    papers: bool = False,
    offer_only: bool = False,
    owner: PolicyOwner | None = None,
) -> Callable[[Callable[[Facts, Place], Answer]], Rule]:
    """Enter a comparison as a rule. Raises ValueError when the id is taken."""

    def enter(compare: Callable[[Facts, Place], Answer]) -> Rule:
        if id in RULES_BY_ID:
            raise ValueError(f"rule id {id!r} is taken; give the new rule another id")
        made = Rule(
            id, cites, source, title, zh, en, reads, compare, lifted_by, papers, offer_only, owner
        )
        RULES_BY_ID[id] = made
        return made

    return enter
