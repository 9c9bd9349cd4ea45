"""The way between two facilities: who goes along, what an organ approved, what was found there.

Somebody held by law is accompanied by at least two officers, one of them a woman where the person
is one (Administrative Compulsion Law art. 18; Drug Rehabilitation Regulations art. 28). Treatment
by consent knows no escort: the person travels as any patient does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection, select

from service.errors import Conflict, Invalid
from service.lifecycle import ApprovalKind
from service.store.approvals import granted
from service.store.network_papers import basis_kinds
from service.store.network_people import legal_day
from service.store.seats import Seat
from service.store.tables import core
from service.store.transfers import TransferRow
from service.workflow.context import Context
from service.workflow.instants import AwareInstant
from service.workflow.inventory.place_fields import Line, Note, Strict
from solver.codes import CUSTODIAL_BASES, Organ, Sex


class Escort(Strict):
    """Somebody who goes along, by name and organ."""

    name: Line
    organ: Organ
    woman: bool = False


class Journey(Strict):
    """The way: who goes along, in what, and when they should be there (the accepted hour, if left
    out)."""

    escorts: Annotated[tuple[Escort, ...], Field(max_length=6)] = ()
    vehicle: Line | None = None
    expected_arrival: AwareInstant | None = None


class Condition(StrEnum):
    """How the person is on arrival, against what the handover says."""

    AS_DESCRIBED = "as_described"
    BETTER = "better"
    WORSE = "worse"


class ArrivalCheck(Strict):
    """What the receiver found: the right person, the papers, the medicines, how they are."""

    identity: bool
    papers: bool
    medicines: bool
    condition: Condition
    note: Note = ""


@dataclass(frozen=True, slots=True)
class ApprovalNeeded:
    """What an organ must have approved before the person leaves, and whether it has."""

    kind: ApprovalKind
    granted: bool


def held_by_law(conn: Connection, person: str) -> bool:
    """Whether the person is under a measure that holds them."""
    return basis_kinds(conn, [person]).get(person) in CUSTODIAL_BASES


def approvals_needed(
    conn: Connection, ctx: Context, row: TransferRow, origin: Seat, target: Seat, now: datetime
) -> tuple[ApprovalNeeded, ...]:
    """What the policy wants approved for this transition of somebody held by law.

    The coordinator's approval is the bed's only and stands in for none of these.
    """
    kinds = ctx.policy.transfers.needed(origin.unit_kind, target.unit_kind)
    if not kinds or not held_by_law(conn, row.person):
        return ()
    on = legal_day(now, ctx.policy.zone)
    about = ("transfer", row.id)
    return tuple(
        ApprovalNeeded(kind, granted(conn, row.person, kind, subject=about, on=on) is not None)
        for kind in kinds
    )


def require_approvals(needed: Sequence[ApprovalNeeded], transfer: str) -> None:
    """Raise Conflict ``approvals-missing`` naming what an organ has not approved yet."""
    missing = [it.kind.value for it in needed if not it.granted]
    if missing:
        raise Conflict(
            "approvals-missing",
            f"not yet approved by its organ: {', '.join(missing)}; record the approval with its "
            "document, then the departure. An emergency does not wait: use the emergency lane",
            transfer=transfer,
            missing=missing,
        )


def require_escorts(conn: Connection, ctx: Context, person: str, journey: Journey) -> None:
    """Raise Invalid unless enough go along with somebody held by law, a woman with a woman."""
    if not held_by_law(conn, person):
        return
    wanted = ctx.policy.transfers.escorts
    if len(journey.escorts) < wanted:
        raise Invalid.field(
            "/escorts",
            "escorts-missing",
            f"name at least {wanted} who go along with somebody held by law",
            len(journey.escorts),
        )
    sex = conn.execute(select(core.person.c.sex).where(core.person.c.id == person)).scalar()
    if sex == Sex.FEMALE and not any(it.woman for it in journey.escorts):
        raise Invalid.field(
            "/escorts", "woman-escort-missing", "a woman is accompanied by a woman: name her", None
        )


def escorts_data(journey: Journey) -> list[dict[str, Any]]:
    """Who goes along, as it is stored."""
    return [it.model_dump(mode="json") for it in journey.escorts]
