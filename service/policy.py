"""Local practice as data: loaded once at start, validated, versioned.

The version stands with every decision taken under it. Source of the defaults: the network's
policy file ``policies/wuhan.toml``.
"""

import tomllib
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, model_validator

from service.access.caller import Role
from service.lifecycle import ApprovalKind
from service.policy_intake import Minutes, Offers, Queue, ScreeningRules, Strict
from service.policy_replanning import Replanning
from solver.codes import Critical, Grade, LegalBasis, Organ, Owner, Triage, UnitKind
from solver.domain import Policy as SolverPolicy

DEFAULT_POLICY = Path(__file__).parent / "policies" / "wuhan.toml"

Weight = Annotated[int, Field(ge=0, le=10_000)]


class PolicyError(Exception):
    """The policy file cannot be used; the message names the field and what it must be."""


class Clocks(Strict):
    """How long a hold, a grace, a proposal and a turnaround last."""

    hold_minutes: Minutes
    arrival_grace_minutes: Minutes
    arrival_default_minutes: Minutes
    arrival_longest_minutes: Minutes
    proposal_hours: Annotated[int, Field(gt=0, le=240)]
    turnaround_minutes: Minutes
    emergency_leave_hours: Annotated[int, Field(gt=0, le=24 * 90)]
    leave_grace_minutes: Minutes


class PlannerWeights(Strict):
    """What the planner and the ranking weigh; see ``solver.domain.Policy``."""

    unknown_grade: Grade
    grade_weights: Annotated[list[Weight], Field(min_length=6, max_length=6)]
    wait_weight_per_day: Weight
    wait_days_cap: Weight
    max_moves_per_placement: Annotated[int, Field(ge=0, le=10)]
    move_budget: Annotated[int, Field(ge=0, le=10_000)]
    distance_weight_per_km: Weight
    distance_cap_km: Weight
    stale_weight: Weight


class RuleSettings(Strict):
    """Figures that rules about one person and one place read; see ``solver.domain.Policy``.

    ``cleared_grade``: what a cleared screening counts as until somebody grades. ``psc_min_months``
    is the province's to set, ``psc_max_months`` the law's at most (Regulations art. 27).
    """

    cleared_grade: Grade
    psc_min_months: Annotated[int, Field(ge=0, le=12)]
    psc_max_months: Annotated[int, Field(ge=1, le=12)]


class DeclineCode(Strict):
    """A coded answer "not here": which kinds of unit may lawfully give it, about whom.

    ``clinical``: a doctor's finding, which no coordinator overrules.
    """

    clinical: bool = False
    kinds: frozenset[UnitKind]
    bases: frozenset[LegalBasis]
    zh: str
    en: str


class DueKind(Strict):
    """A clock: how long, who must act, whom a notice goes to, and where it stands written.

    ``minutes``: from the moment it starts, where the use case knows no better hour. ``by_fact``:
    it stops when what it is about has happened, and by nobody's word that it has.
    """

    minutes: Annotated[int, Field(gt=0, le=60 * 24 * 1200)]
    owner: str
    recipient: str | None = None
    source: str
    zh: str
    en: str
    by_fact: bool = False


class Transfers(Strict):
    """How somebody held by law is moved: escorts along, approvals before the departure.

    ``approvals``: kinds of approval by transition, written ``PSC>OMW``.
    """

    escorts: Annotated[int, Field(ge=0, le=6)]
    approvals: dict[str, tuple[ApprovalKind, ...]]

    @model_validator(mode="after")
    def _known_kinds(self) -> Self:
        for transition in self.approvals:
            kinds = transition.split(">")
            if len(kinds) != 2 or not set(kinds) <= {kind.value for kind in UnitKind}:
                raise ValueError(f"{transition!r} must be two kinds of unit, as in PSC>OMW")
        return self

    def needed(self, origin: UnitKind, target: UnitKind) -> tuple[ApprovalKind, ...]:
        """What an organ approves before somebody held by law goes from one kind to the other."""
        return self.approvals.get(f"{origin.value}>{target.value}", ())


class Consents(Strict):
    """How a consent to treatment is taken.

    ``sober_hours``: a word given under intoxication lapses unless said again sober within them.
    ``takers``: how many named members of staff take it, ``takers_not_sober`` under intoxication.
    ``report_agreement``: whether the local ordinance wants the agreement reported to police.
    """

    sober_hours: Annotated[int, Field(gt=0, le=240)]
    takers: Annotated[int, Field(ge=1, le=5)]
    takers_not_sober: Annotated[int, Field(ge=1, le=5)]
    report_agreement: bool

    @model_validator(mode="after")
    def _more_eyes_on_the_intoxicated(self) -> Self:
        if self.takers_not_sober < self.takers:
            raise ValueError("takers_not_sober must not be fewer than takers")
        return self


class Audit(Strict):
    """What an auditor is told unasked: facts edited so soon after a refusal."""

    edited_after_refusal_days: Annotated[int, Field(gt=0, le=366)]


class Watching(Strict):
    """How soon a wrong place is put right, and how far ahead clocks of the calendar open.

    ``grave``: the rules and relations that are put right within ``grave_hours``, because a
    liberty or a life hangs on them; any other within ``hours``. ``review_days``: how long after
    admission, and after each review, somebody outside the unit looks at a restrictive stay again,
    by its legal basis; a basis without an entry has no review. ``ahead_days``: how many days
    before they are due the clocks of a kind open.
    """

    hours: Annotated[int, Field(gt=0, le=240)]
    grave_hours: Annotated[int, Field(gt=0, le=72)]
    grave: frozenset[str]
    review_days: dict[LegalBasis, Annotated[int, Field(gt=0, le=366)]]
    ahead_days: dict[str, Annotated[int, Field(ge=0, le=366)]]


class DueLists(Strict):
    """Who sees which clocks, and who may say that a thing was done.

    ``settlers``: by the organ that must act, the roles that record it for it. ``clinical``: the
    clocks clinicians work by, besides those that are theirs; ``police``: those officers do.
    """

    settlers: dict[str, frozenset[Role]]
    clinical: frozenset[str]
    police: frozenset[str]


class ApproverTable(Strict):
    """Which organ may answer one kind of question (rule L10).

    ``organs``: any of these. ``deciding``: only the very organ that ordered the isolation, where
    its decision is on record. ``public_security``, ``justice``: of these only, for somebody whose
    responsible centre police or justice run.
    """

    organs: Annotated[frozenset[Organ], Field(min_length=1)]
    deciding: bool = False
    public_security: frozenset[Organ] = frozenset()
    justice: frozenset[Organ] = frozenset()

    @model_validator(mode="after")
    def _within(self) -> Self:
        others = sorted((self.public_security | self.justice) - self.organs)
        if others:
            raise ValueError(f"organs must hold {', '.join(others)} too")
        return self

    def for_operator(self, operator: Owner | None) -> frozenset[Organ]:
        """Who may answer for somebody whose responsible centre this side runs."""
        if operator is Owner.PUBLIC_SECURITY and self.public_security:
            return self.public_security
        if operator is Owner.JUSTICE and self.justice:
            return self.justice
        return self.organs


class Restraints(Strict):
    """How a protective restraint is watched.

    ``check_minutes``: the longest between two looks at the person. ``approval_hours``: in a
    centre its head approves within so many. ``longest_hours``: then it ends, or a doctor orders
    it anew.
    """

    check_minutes: Minutes
    approval_hours: Annotated[int, Field(gt=0, le=72)]
    longest_hours: Annotated[int, Field(gt=0, le=72)]


class Assessments(Strict):
    """Findings that fit no lower placement grade than this; a lower one is warned of, never
    refused or changed."""

    triage: dict[Triage, Grade]
    critical: dict[Critical, Grade]


class Ward(Strict):
    """The ward's day: the shifts at which people are counted."""

    shifts: Annotated[tuple[str, ...], Field(min_length=1)]


class Policy(Strict):
    """The whole policy file."""

    version: str
    timezone: str
    clocks: Clocks
    planner: PlannerWeights
    replanning: Replanning
    rules: RuleSettings
    overrides: dict[str, frozenset[Role]]
    declines: dict[str, DeclineCode]
    offers: Offers
    queue: Queue
    screening: ScreeningRules
    due: dict[str, DueKind]
    watching: Watching
    due_lists: DueLists
    consents: Consents
    audit: Audit
    transfers: Transfers
    ward: Ward
    approvals: dict[ApprovalKind, ApproverTable]
    restraints: Restraints
    assessments: Assessments

    @model_validator(mode="after")
    def _every_clock_has_its_people(self) -> Self:
        missing = sorted({it.owner for it in self.due.values()} - self.due_lists.settlers.keys())
        if missing:
            raise ValueError(f"due_lists.settlers must name the roles of {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _every_approval_has_its_organ(self) -> Self:
        missing = sorted(set(ApprovalKind) - self.approvals.keys())
        if missing:
            raise ValueError(f"approvals must name the organ of {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _nothing_contradicts(self) -> Self:
        """What must hold between the planner's figures is the planner's to say."""
        faults = [
            f"{_section(it.field)}.{it.field}: {it.value} - {it.way_out}"
            for it in self.solver().contradictions()
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def zone(self) -> ZoneInfo:
        """Where legal days begin and end."""
        return ZoneInfo(self.timezone)

    @property
    def hold(self) -> timedelta:
        """How long a bed is held for an answer."""
        return timedelta(minutes=self.clocks.hold_minutes)

    @property
    def arrival_grace(self) -> timedelta:
        """How long an accepted hold stands after the expected arrival."""
        return timedelta(minutes=self.clocks.arrival_grace_minutes)

    @property
    def emergency_leave(self) -> timedelta:
        """How long a bed is kept for somebody whom an emergency took elsewhere."""
        return timedelta(hours=self.clocks.emergency_leave_hours)

    @property
    def leave_grace(self) -> timedelta:
        """How long after its end a leave lapses."""
        return timedelta(minutes=self.clocks.leave_grace_minutes)

    def solver(self) -> SolverPolicy:
        """The part rules, costs and the planner read."""
        weights = self.planner
        first, second, third, fourth, fifth, sixth = weights.grade_weights
        return SolverPolicy(
            version=self.version,
            unknown_grade=weights.unknown_grade,
            cleared_grade=self.rules.cleared_grade,
            psc_min_months=self.rules.psc_min_months,
            psc_max_months=self.rules.psc_max_months,
            grade_weights=(first, second, third, fourth, fifth, sixth),
            wait_weight_per_day=weights.wait_weight_per_day,
            wait_days_cap=weights.wait_days_cap,
            turnaround=timedelta(minutes=self.clocks.turnaround_minutes),
            max_moves_per_placement=weights.max_moves_per_placement,
            move_budget=weights.move_budget,
            distance_weight_per_km=weights.distance_weight_per_km,
            distance_cap_km=weights.distance_cap_km,
            stale_weight=weights.stale_weight,
        )


def _section(field: str) -> str:
    """The table of the file that holds a field of the solver's policy."""
    return "rules" if field in RuleSettings.model_fields else "planner"


def load_policy(path: Path = DEFAULT_POLICY) -> Policy:
    """Read and validate a policy file.

    Raises:
        PolicyError: the file cannot be read, or a field is wrong; names the field.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PolicyError(f"policy file {path} cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"policy file {path} is not valid TOML: {error}") from error
    try:
        return Policy.model_validate(raw)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']} (got {fault['input']!r:.60})"
            for fault in error.errors()
        )
        raise PolicyError(f"policy file {path}: {faults}") from error


@lru_cache(maxsize=1)
def default_policy() -> Policy:
    """The policy that ships with the service."""
    return load_policy()
