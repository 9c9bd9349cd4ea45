"""The handover's papers 转运交接单: what goes along with the person, and who may read which part.

Escorts and bed admins read care flags: what to do and what to bring. Diagnoses, medicines and
results are for clinicians alone (Mandela Rule 26; GB/T 39725-2020). Every reading is recorded.
"""

import json
from datetime import date
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Connection, select

from service.access.caller import Role
from service.errors import Conflict, Forbidden, NotFound
from service.lifecycle import LIVE_TRANSFER_STATES, TransferState
from service.store import transfers
from service.store.tables import core
from service.workflow.context import Context
from service.workflow.inventory.place_fields import Strict
from service.workflow.moves.transfer_ends import told
from service.workflow.moves.transfers import involved, lock_transfer
from service.workflow.persons.people import record_access

_PURPOSE: Final = "transfer.handover"
_LINES = Annotated[
    list[Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]],
    Field(max_length=60),
]


class CareFlag(StrEnum):
    """What whoever looks after the person must know; never why."""

    GLOVES_AND_APRON = "gloves_and_apron"  # contact route
    MASK = "mask"  # droplet route
    RESPIRATOR = "respirator"  # airborne route
    LOOK_OFTEN = "look_often"
    NEVER_ALONE = "never_alone"
    WHEELCHAIR = "wheelchair"
    STRETCHER = "stretcher"
    FALLS = "falls"
    HELP_EATING = "help_eating"
    HELP_WASHING = "help_washing"
    MEDICINE_ON_THE_WAY = "medicine_on_the_way"
    ALLERGY_CARD = "allergy_card"
    INTERPRETER = "interpreter"


class Medicine(Strict):
    """A medicine that goes along, with who prescribed it: no dose is missed by a move."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
    dose: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
    next_due: Annotated[str, StringConstraints(strip_whitespace=True, max_length=60)] = ""
    prescriber: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)
    ]


class ClinicalSummary(Strict):
    """The sender's summary, from a clinician to a clinician."""

    diagnoses: _LINES
    medicines: Annotated[list[Medicine], Field(max_length=60)]
    allergies: _LINES
    risks: _LINES = Field(default_factory=list)
    last_tests: _LINES = Field(default_factory=list)
    notes: Annotated[str, StringConstraints(max_length=4000)] = ""


class NewHandover(Strict):
    """What the sender hands over. A bed admin gives the care flags, a clinician the summary too."""

    care_flags: frozenset[CareFlag] = frozenset()
    clinical: ClinicalSummary | None = None


class LegalClocks(BaseModel):
    """Until when the law, or the person's own word, lets them be in a bed."""

    term_ends_on: date | None
    consent_ends_on: date | None


class Handover(BaseModel):
    """The papers as this caller may read them. ``clinical`` is None for who is no clinician."""

    transfer: str
    person: str
    care_flags: list[CareFlag]
    clinical: ClinicalSummary | None
    clocks: LegalClocks | None
    written_by: str | None
    withheld: list[str]


def write_handover(conn: Connection, ctx: Context, transfer: str, new: NewHandover) -> Handover:
    """Write or mend the papers before the person is there.

    Raises:
        NotFound: no such transfer, or none of this caller's.
        Forbidden: a clinical summary by somebody who is no clinician.
        Conflict: ``illegal-step`` once it has ended.
    """
    if new.clinical is not None and ctx.actor.role is not Role.CLINICIAN:
        raise Forbidden(
            "not-for-this-role",
            "a clinical summary is written by a clinician; leave it out and give the care flags",
        )
    now, row = lock_transfer(conn, transfer)
    if not involved(conn, ctx, row):
        raise NotFound("transfer-not-found", f"there is no transfer {transfer} here")
    if row.state not in LIVE_TRANSFER_STATES:
        raise Conflict(
            "illegal-step",
            f"this transfer is {row.state}: its papers are closed; write what is new in the next",
            transfer=transfer,
        )
    changes: dict[str, object] = {"care_flags": sorted(it.value for it in new.care_flags)}
    if new.clinical is not None:
        changes["handover"] = ctx.vault.seal_text(new.clinical.model_dump_json(), _PURPOSE)
        changes["handover_by"] = ctx.actor.id
    row = transfers.edit(conn, row, **changes)
    told(conn, ctx, row, "transfer.handover_written", now)
    return _shown(conn, ctx, row)


def read_handover(conn: Connection, ctx: Context, transfer: str) -> Handover:
    """The papers as this caller may read them; the reading is recorded. Raises NotFound."""
    row = transfers.transfer(conn, transfer)
    if not involved(conn, ctx, row):
        raise NotFound("transfer-not-found", f"there is no transfer {transfer} here")
    record_access(conn, ctx, row.person, "handover")
    return _shown(conn, ctx, row)


def require_handover(row: transfers.TransferRow) -> None:
    """Raise Conflict ``handover-missing`` while no clinician has written the summary."""
    if row.handover is None:
        raise Conflict(
            "handover-missing",
            "a clinician of the sender writes the summary first: diagnoses, medicines with their "
            "prescriber, allergies. An emergency does not wait: use the emergency lane",
            transfer=row.id,
        )


def _shown(conn: Connection, ctx: Context, row: transfers.TransferRow) -> Handover:
    reads_clinical = ctx.actor.role in (Role.CLINICIAN, Role.AUDITOR)
    clinical = None
    if reads_clinical and row.handover is not None:
        clinical = ClinicalSummary.model_validate(
            json.loads(ctx.vault.open_text(row.handover, _PURPOSE))
        )
    ended = row.state not in (*LIVE_TRANSFER_STATES, TransferState.COMPLETED)
    return Handover(
        transfer=row.id,
        person=row.person,
        care_flags=[CareFlag(it) for it in row.care_flags],
        clinical=clinical,
        clocks=None if ended else _clocks(conn, row.person),
        written_by=row.handover_by,
        withheld=[] if reads_clinical else ["clinical"],
    )


def _clocks(conn: Connection, person: str) -> LegalClocks:
    term, consent = core.term.c, core.consent.c
    term_end = conn.execute(
        select(term.ends_on).where(term.person_id == person, term.closed_at.is_(None))
    ).scalar()
    consent_end = conn.execute(
        select(consent.ends_on)
        .where(
            consent.person_id == person,
            consent.withdrawn_at.is_(None),
            consent.refused.is_(False),
        )
        .order_by(consent.ends_on)
        .limit(1)
    ).scalar()
    return LegalClocks(term_ends_on=term_end, consent_ends_on=consent_end)
