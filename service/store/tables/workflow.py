"""Requests, decisions, answers, transfers, planning runs and their proposals."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index
from sqlmodel import SQLModel

from service.lifecycle import LIVE_REQUEST_STATES as LIVE_REQUEST_STATES
from service.lifecycle import LIVE_TRANSFER_STATES as LIVE_TRANSFER_STATES
from service.lifecycle import ProposalState as ProposalState
from service.lifecycle import RequestState as RequestState
from service.lifecycle import RunOutcome as RunOutcome
from service.lifecycle import RunState as RunState
from service.lifecycle import RunTrigger as RunTrigger
from service.lifecycle import TransferState as TransferState
from service.lifecycle import WorkState as WorkState
from service.store.tables.columns import code_check, instant, json, text, texts
from solver.codes import MoveReason


def _listed(states: tuple[StrEnum, ...]) -> str:
    return ", ".join(f"'{state.value}'" for state in states)


class RequestKind(StrEnum):
    """Why a bed is asked for."""

    ADMISSION = "admission"
    RETURN = "return"  # back to a centre after treatment elsewhere


class PlacementRequest(SQLModel, table=True):
    """Somebody needs a bed. One live request a person.

    ``kind``: ``return`` for the way back of a resident whose kept bed was given free.
    ``responsible_facility_id``: the centre that took the person in and answers for them, whoever
    has the bed. ``fallbacks``: the beds the deciding officer named next, in order. ``lane``: what
    opened the emergency lane by itself, a code; NULL when a human asked for it or it is shut.
    """

    __tablename__ = "placement_request"
    __table_args__ = (
        code_check("state", RequestState),
        code_check("kind", RequestKind),
        Index(
            "uq_placement_request_live_person",
            "person_id",
            unique=True,
            postgresql_where=f"state IN ({_listed(LIVE_REQUEST_STATES)})",
        ),
        Index("ix_placement_request_state", "state"),
    )

    id: str = text(primary_key=True)
    person_id: str = text(foreign_key="person.id", index=True)
    state: str = text(default=RequestState.WAITING.value)
    kind: str = text(default="admission")
    emergency: bool = False
    responsible_facility_id: str | None = text(default=None, foreign_key="facility.id")
    fallbacks: list[str] = texts()
    lane: str | None = text(default=None)
    waiting_since: datetime = instant()
    requested_by: str = text()
    note: bytes | None = None
    ended_at: datetime | None = instant(default=None)
    end_reason: str | None = text(default=None)
    recorded_at: datetime = instant()
    version: int = 1


class PlacementDecision(SQLModel, table=True):
    """A named officer's decision for a bed, with what they saw when they took it.

    ``alternatives``: the ranked bed ids shown; ``overrides``: rule ids set aside, by whom and
    why (never a statutory rule). A withdrawal never changes a decision.
    """

    __tablename__ = "placement_decision"

    id: str = text(primary_key=True)
    request_id: str = text(foreign_key="placement_request.id", index=True)
    bed_id: str = text(foreign_key="bed.id")
    claim_id: str | None = text(default=None)
    decided_by: str = text()
    officer: str = text()
    reason: str = text()
    decided_at: datetime = instant()
    policy_version: str = text()
    network_position: int
    rank: int | None = None
    alternatives: list[str] = texts()
    overrides: list[dict[str, Any]] = json(default_factory=list)
    fallbacks: list[str] = texts()
    passed_over: int = 0
    passed_over_reason: str | None = text(default=None)
    proposal_id: str | None = text(default=None)


class Decline(SQLModel, table=True):
    """A unit's coded answer that it does not take this person on this request or transfer."""

    __tablename__ = "decline"
    __table_args__ = (
        CheckConstraint("num_nonnulls(request_id, transfer_id) = 1", name="about_one"),
    )

    id: str = text(primary_key=True)
    request_id: str | None = text(default=None, foreign_key="placement_request.id", index=True)
    transfer_id: str | None = text(default=None, foreign_key="transfer.id", index=True)
    unit_id: str = text(foreign_key="unit.id")
    claim_id: str | None = text(default=None)
    code: str = text()
    reason: str = text(default="")
    declined_by: str = text()
    declined_at: datetime = instant()
    overruled_by: str | None = text(default=None)
    overruled_at: datetime | None = instant(default=None)
    overrule_reason: str | None = text(default=None)


class Transfer(SQLModel, table=True):
    """A move of somebody who has a bed. One live transfer a person.

    ``acceptances``: the receiving side's yes by owner, security and medical each for itself.
    ``escorts``: who goes along, each with name, organ and whether a woman. ``care_flags``: what
    escorts and bed admins must know; ``handover``: the sealed summary for clinicians.
    ``arrival_check``: what the receiver found against it, as codes.
    """

    __tablename__ = "transfer"
    __table_args__ = (
        code_check("state", TransferState),
        code_check("reason", MoveReason),
        Index(
            "uq_transfer_live_person",
            "person_id",
            unique=True,
            postgresql_where=f"state IN ({_listed(LIVE_TRANSFER_STATES)})",
        ),
    )

    id: str = text(primary_key=True)
    person_id: str = text(foreign_key="person.id", index=True)
    stay_id: str = text(foreign_key="stay.id", index=True)
    from_bed_id: str = text(foreign_key="bed.id")
    to_bed_id: str = text(foreign_key="bed.id")
    state: str = text(default=TransferState.PROPOSED.value)
    reason: str = text()
    reason_text: str = text(default="")
    proposal_id: str | None = text(default=None)
    requested_by: str = text()
    requested_at: datetime = instant()
    approved_by: str | None = text(default=None)
    approved_at: datetime | None = instant(default=None)
    approval_reason: str | None = text(default=None)
    expected_arrival: datetime | None = instant(default=None)
    departed_at: datetime | None = instant(default=None)
    arrived_at: datetime | None = instant(default=None)
    acceptances: list[dict[str, Any]] = json(default_factory=list)
    escorts: list[dict[str, Any]] = json(default_factory=list)
    vehicle: str | None = text(default=None)
    care_flags: list[str] = texts()
    handover: bytes | None = None
    handover_by: str | None = text(default=None)
    arrival_check: dict[str, Any] | None = json(default=None, nullable=True)
    ended_at: datetime | None = instant(default=None)
    end_reason: str | None = text(default=None)
    recorded_at: datetime = instant()
    version: int = 1


class PlanningRun(SQLModel, table=True):
    """One run of the planner: its input, its answer, its value and bound per level.

    The row is the truth; the job that carries its id may run twice. ``failure`` is a code.
    ``trigger_position``: the event that called for it, where nobody asked. ``previous_run``: the
    plan it started from and is told apart from, line by line, in ``changes``. ``outcome``: why it
    was superseded by the plan before it. ``explained`` and ``worth_state``: how far those answers
    are; a plan stands without them.
    """

    __tablename__ = "planning_run"
    __table_args__ = (
        code_check("state", RunState),
        code_check("trigger", RunTrigger),
        code_check("outcome", RunOutcome),
        code_check("explained", WorkState),
        code_check("worth_state", WorkState),
        Index(
            "ix_planning_run_live",
            "state",
            postgresql_where="state IN ('queued', 'running', 'solved')",
        ),
        Index("ix_planning_run_network_position", "network_position"),
    )

    id: str = text(primary_key=True)
    kind: str = text(default="now")
    state: str = text(default=RunState.QUEUED.value)
    seed: int = 0
    requested_by: str = text()
    requested_at: datetime = instant()
    started_at: datetime | None = instant(default=None)
    finished_at: datetime | None = instant(default=None)
    network_position: int | None = None
    policy_version: str | None = text(default=None)
    snapshot_hash: str | None = text(default=None)
    snapshot: bytes | None = None
    status: str | None = text(default=None)
    levels: list[dict[str, Any]] | None = json(default=None, nullable=True)
    unplaced: list[dict[str, Any]] | None = json(default=None, nullable=True)
    seconds: dict[str, Any] | None = json(default=None, nullable=True)
    failure: str | None = text(default=None)
    version: int = 1
    trigger: str = text(default=RunTrigger.ASKED.value)
    trigger_position: int | None = None
    previous_run: str | None = text(default=None, foreign_key="planning_run.id")
    changes: list[dict[str, Any]] | None = json(default=None, nullable=True)
    outcome: str | None = text(default=None)
    explained: str | None = text(default=None)
    worth: dict[str, Any] | None = json(default=None, nullable=True)
    worth_state: str | None = text(default=None)


class PlanExplanation(SQLModel, table=True):
    """Why one person has the bed a plan gives them, or why a request has none: codes, ids and
    figures about that person alone; the words are made when it is read."""

    __tablename__ = "plan_explanation"
    __table_args__ = (Index("ix_plan_explanation_run_id_id", "run_id", "id"),)

    id: str = text(primary_key=True)
    run_id: str = text(foreign_key="planning_run.id")
    person_id: str = text(foreign_key="person.id", index=True)
    request_id: str | None = text(default=None, foreign_key="placement_request.id", index=True)
    body: dict[str, Any] = json()


class PlanProposal(SQLModel, table=True):
    """One move of a plan, approved or rejected on its own by a named human."""

    __tablename__ = "plan_proposal"
    __table_args__ = (
        code_check("state", ProposalState),
        code_check("reason", MoveReason),
        Index("uq_plan_proposal_run_id_ordinal", "run_id", "ordinal", unique=True),
    )

    id: str = text(primary_key=True)
    run_id: str = text(foreign_key="planning_run.id", index=True)
    ordinal: int
    move_id: str = text()
    person_id: str = text(foreign_key="person.id", index=True)
    from_bed_id: str | None = text(default=None, foreign_key="bed.id")
    to_bed_id: str = text(foreign_key="bed.id")
    request_id: str | None = text(default=None, foreign_key="placement_request.id")
    displaced_for: str | None = text(default=None)
    reason: str = text()
    after: list[str] = texts()
    ready_at: datetime | None = instant(default=None)
    terms: dict[str, Any] = json(default_factory=dict)
    state: str = text(default=ProposalState.PROPOSED.value)
    decided_by: str | None = text(default=None)
    decided_at: datetime | None = instant(default=None)
    decision_reason: str | None = text(default=None)
    transfer_id: str | None = text(default=None, foreign_key="transfer.id")
    version: int = 1
    kept_from: str | None = text(default=None, foreign_key="plan_proposal.id", index=True)
