"""Assessments: a clinician's finding and the placement grade that follows from it."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema
from sqlalchemy import Connection, insert, select

from service.errors import Invalid
from service.store import events, misplacements, stays
from service.store.claims import rekey
from service.store.ids import new_id
from service.store.network_needs import NEWEST_ASSESSMENT_FIRST
from service.store.tables.core import assessment
from service.workflow.context import Context
from service.workflow.instants import AwareInstant
from service.workflow.inventory.place_fields import Strict
from service.workflow.inventory.places import get_row
from service.workflow.persons.people import lock_person, require_person
from service.workflow.persons.person_clocks import settle_of_person
from service.workflow.persons.person_parts import AssessmentView
from service.workflow.placing.offers import Lane, open_lane, stand_down
from service.workflow.privacy.audit_flags import flag_if_refused
from service.workflow.watch import due, watching
from solver.codes import (
    BedKind,
    Critical,
    Grade,
    Isolation,
    NursingLevel,
    Observation,
    Sex,
    Tri,
    Triage,
)

LANE: Final = "assessment"
"""What opened the emergency lane: a finding of the highest grade."""

NOT_A_NEED: Final = frozenset({BedKind.GEN, BedKind.RSV, BedKind.SURGE})
"""Kinds of bed that say how a place is used, not what somebody needs."""


class Dimension(StrEnum):
    """What is looked at, each with a grade of its own (after the ASAM criteria's dimensions)."""

    WITHDRAWAL = "withdrawal"  # 急性戒断
    SOMATIC = "somatic"  # 躯体疾病
    INFECTION = "infection"  # 传染病
    MENTAL = "mental"  # 精神状况
    SELF_HARM = "self_harm"  # 自杀自伤风险
    SELF_CARE = "self_care"  # 生活自理


def _grade_or_unknown(value: Any) -> Any:
    """``G3`` or 3 for a grade, ``unknown`` for None: an unknown is said, never left out."""
    if value == "unknown":
        return None
    if isinstance(value, str) and value in Grade.__members__:
        return Grade[value]
    if isinstance(value, int) and not isinstance(value, bool) and value in list(Grade):
        return Grade(value)
    raise ValueError("give G0, G1, G2, G3, G4, G5 or unknown")


Finding = Annotated[
    Grade | None,
    BeforeValidator(_grade_or_unknown),
    WithJsonSchema({"type": "string", "enum": [*Grade.__members__, "unknown"]}, mode="validation"),
]


class NewAssessment(Strict):
    """A finding. Every dimension stands there, ``unknown`` where nobody knows yet; so do
    isolation, observation, pregnancy and nursing. A diagnosis is not part of it.

    ``nursing_level`` 护理等级, ``critical`` 病重/病危, ``triage`` 分诊 stand beside the grade; none
    of the four is ever derived from another.
    """

    dimensions: dict[Dimension, Finding]
    needs: frozenset[BedKind] = frozenset()
    isolation: Isolation
    observation: Observation
    pregnant: Tri
    nursing: Tri = Field(description="Nursing an own baby under one year")
    nursing_level: NursingLevel = NursingLevel.UNKNOWN
    critical: Critical = Critical.UNKNOWN
    triage: Triage = Triage.UNKNOWN
    assessed_at: AwareInstant | None = None


class Inconsistent(BaseModel):
    """A finding that fits no placement grade below ``at_least``: look at both again."""

    member: str
    found: str
    grade: Grade | None
    at_least: Grade


class AssessmentRecorded(BaseModel):
    """The finding with its grade. ``misplaced``: where the person is now is not, or no longer,
    right for them. ``inconsistent``: findings graver than the grade beside them; nothing was
    changed. ``lane``: the emergency lane, which a finding of G5 opens by itself; a named human
    moves the person."""

    assessment: AssessmentView
    misplaced: bool
    inconsistent: list[Inconsistent] = []
    lane: Lane | None = None


def combined_grade(
    dimensions: Mapping[Dimension, Grade | None], unknown_counts_as: Grade
) -> Grade | None:
    """The placement grade: the maximum over the dimensions, never an average (ASAM, 4th ed.).

    While a dimension is unknown the grade is unknown too, unless a known one is at least as high
    as an unknown counts for anyway: that much is certain, and the grave is not hidden behind the
    unknown.
    """
    known = [grade for grade in dimensions.values() if grade is not None]
    highest = max(known, default=None)
    complete = len(known) == len(Dimension)
    if highest is None or not (complete or highest >= unknown_counts_as):
        return None
    return highest


def record_assessment(
    conn: Connection, ctx: Context, person_id: str, new: NewAssessment
) -> AssessmentRecorded:
    """Record a clinician's finding; the newest by ``assessed_at`` counts from now on.

    Nothing refuses a finding: where it means that the person may no longer share their room, it
    is recorded and the person is shown as misplaced. Of somebody critically ill who is held by
    law the family is told (Mandela Rule 69). A grade of G5 opens the emergency lane; a
    lower one shuts a lane that opened by itself. The clock "a doctor sees the person" stops.

    Raises:
        NotFound: there is no such person.
        Invalid: a dimension is missing, a kind of bed that is no need, a finding of the future,
            pregnancy or nursing of a man.
        Conflict: ``merged``.
    """
    _check_members(new)
    at = lock_person(conn, person_id)
    _check_sex(new, require_person(conn, person_id)["sex"])
    assessed = new.assessed_at or at
    if assessed > at:
        raise Invalid.field(
            "/assessed_at",
            "in-the-future",
            "record a finding once it is made",
            assessed.isoformat(),
        )
    grade = combined_grade(new.dimensions, ctx.policy.planner.unknown_grade)
    assessment_id = new_id("as")
    conn.execute(
        insert(assessment).values(
            id=assessment_id,
            person_id=person_id,
            dimensions={
                name.value: found.value if found is not None else None
                for name, found in new.dimensions.items()
            },
            grade=grade.value if grade is not None else None,
            needs=sorted(need.value for need in new.needs),
            isolation=new.isolation.value,
            observation=new.observation.value,
            pregnant=new.pregnant.value,
            nursing=new.nursing.value,
            nursing_level=new.nursing_level.value,
            critical=new.critical.value,
            triage=new.triage.value,
            assessed_at=assessed,
            assessed_by=ctx.actor.id,
            recorded_at=at,
        )
    )
    rekeyed = rekey(conn, person_id)
    _event(conn, ctx, assessment_id, person_id, assessed)
    settle_of_person(conn, ctx, ("doctor_sees",), person_id, at)
    flag_if_refused(conn, ctx, person_id, "assessment", at)
    lane = _lane(conn, ctx, person_id, assessment_id, grade, at)
    if new.critical is Critical.CRITICAL:
        for stay in stays.open_stays(conn, person_id):
            due.on_grave_illness(conn, ctx, stay.id, at)
    wrong = watching.rejudge(conn, ctx, at, persons=[person_id])
    here = {it.stay for it in misplacements.residents_of_persons(conn, [person_id])}
    view = AssessmentView.model_validate(dict(get_row(conn, assessment, assessment_id)))
    return AssessmentRecorded(
        assessment=view,
        misplaced=rekeyed.misplaced or not wrong.isdisjoint(here),
        inconsistent=_inconsistent(ctx, new, grade),
        lane=lane,
    )


def _lane(
    conn: Connection,
    ctx: Context,
    person_id: str,
    assessment_id: str,
    grade: Grade | None,
    at: datetime,
) -> Lane | None:
    """Open the emergency lane on a finding of G5, shut it on a lower grade; a finding that is
    older than the one that counts does neither."""
    newest = conn.execute(
        select(assessment.c.id)
        .where(assessment.c.person_id == person_id)
        .order_by(*NEWEST_ASSESSMENT_FIRST)
        .limit(1)
    ).scalar_one()
    if newest != assessment_id or grade is None:
        return None
    if grade is Grade.G5:
        return open_lane(conn, ctx, person_id, at, why=LANE)
    stand_down(conn, ctx, person_id, at, opened_by=(LANE, "screening"))
    return None


def _inconsistent(ctx: Context, new: NewAssessment, grade: Grade | None) -> list[Inconsistent]:
    counted = grade if grade is not None else ctx.policy.planner.unknown_grade
    fits = ctx.policy.assessments
    least = {
        "triage": (new.triage, fits.triage.get(new.triage)),
        "critical": (new.critical, fits.critical.get(new.critical)),
    }
    return [
        Inconsistent(member=name, found=found.value, grade=grade, at_least=lowest)
        for name, (found, lowest) in least.items()
        if lowest is not None and counted < lowest
    ]


def _check_members(new: NewAssessment) -> None:
    missing = [name for name in Dimension if name not in new.dimensions]
    if missing:
        raise Invalid.field(
            f"/dimensions/{missing[0]}",
            "missing",
            f"give a grade for {', '.join(missing)}, or say unknown: nothing is taken for granted",
        )
    for need in sorted(new.needs & NOT_A_NEED):
        raise Invalid.field(
            "/needs",
            "not-a-need",
            f"{need} says how a bed is used, not what somebody needs; leave it out",
            need.value,
        )


def _check_sex(new: NewAssessment, sex: str | None) -> None:
    for name, found in (("pregnant", new.pregnant), ("nursing", new.nursing)):
        if sex == Sex.MALE and found is Tri.YES:
            raise Invalid.field(
                f"/{name}",
                "other-sex",
                "the record says male: correct the finding, or the person's sex first",
                found.value,
            )


def _event(
    conn: Connection, ctx: Context, assessment_id: str, person_id: str, assessed: datetime
) -> None:
    events.append(
        conn,
        ctx.actor,
        "assessment.recorded",
        "assessment",
        assessment_id,
        person=person_id,
        occurred_at=assessed,
    )
