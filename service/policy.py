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

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service.access.caller import Role
from solver.codes import Grade, LegalBasis, UnitKind
from solver.domain import Policy as SolverPolicy

DEFAULT_POLICY = Path(__file__).parent / "policies" / "wuhan.toml"

Minutes = Annotated[int, Field(gt=0, le=60 * 24 * 30)]
Weight = Annotated[int, Field(ge=0, le=10_000)]


class PolicyError(Exception):
    """The policy file cannot be used; the message names the field and what it must be."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Clocks(_Strict):
    """How long a hold, a grace, a proposal and a turnaround last."""

    hold_minutes: Minutes
    arrival_grace_minutes: Minutes
    arrival_default_minutes: Minutes
    arrival_longest_minutes: Minutes
    proposal_hours: Annotated[int, Field(gt=0, le=240)]
    turnaround_minutes: Minutes


class PlannerWeights(_Strict):
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

    @model_validator(mode="after")
    def _graver_weighs_more(self) -> Self:
        if sorted(self.grade_weights) != self.grade_weights:
            raise ValueError("grade_weights must not fall from G0 to G5")
        return self


class DeclineCode(_Strict):
    """A coded answer "not here": which kinds of unit may lawfully give it, about whom."""

    kinds: frozenset[UnitKind]
    bases: frozenset[LegalBasis]
    zh: str
    en: str


class Policy(_Strict):
    """The whole policy file."""

    version: str
    timezone: str
    clocks: Clocks
    planner: PlannerWeights
    overrides: dict[str, frozenset[Role]]
    declines: dict[str, DeclineCode]

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

    def solver(self) -> SolverPolicy:
        """The part rules, costs and the planner read."""
        weights = self.planner
        first, second, third, fourth, fifth, sixth = weights.grade_weights
        return SolverPolicy(
            version=self.version,
            unknown_grade=weights.unknown_grade,
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
