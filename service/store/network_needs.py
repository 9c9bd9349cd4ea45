"""What somebody needs as the solver sees it: the newest assessment, and a screening since then.

A screening is an officer's, at night, with no assessor there. It never lowers what a clinician
found before it: the graver of the two counts, until the next assessment.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, cast, func, literal, null, select, union_all
from sqlalchemy.dialects.postgresql import distinct_on

from service.store.network_places import among, joined
from service.store.tables import core
from service.store.tables.care import LastUse
from solver.codes import BedKind, Grade, Isolation, Observation, Screening, Sex, Tri
from solver.domain import Need

_assessment, _screening = core.assessment.c, core.screening.c

NEWEST_ASSESSMENT_FIRST: Final = (
    _assessment.assessed_at.desc(),
    _assessment.recorded_at.desc(),
    _assessment.id.desc(),
)
"""Which assessment counts: the newest finding."""

NURSING_YEARS: Final = 1
"""A mother nurses her own baby until its first birthday (Anti-Drug Law art. 39)."""

UNSEEN: Final = Need(examined=False)
"""Somebody nobody has assessed or screened."""

_RECENT_USE: Final = frozenset({LastUse.WITHIN_24H.value, LastUse.WITHIN_72H.value})
_GRAVER_THAN_UNKNOWN: Final = Grade.G4

_ASSESSED = (
    select(
        _assessment.person_id,
        _assessment.assessed_at.label("seen_at"),
        literal(0).label("screened"),
        _assessment.grade,
        func.array_to_string(_assessment.needs, ",").label("needs"),
        _assessment.isolation,
        _assessment.observation,
        _assessment.pregnant,
        _assessment.nursing,
    )
    .ext(distinct_on(_assessment.person_id))
    .where(among(_assessment.person_id, "ids"))
    .order_by(_assessment.person_id, *NEWEST_ASSESSMENT_FIRST)
    .subquery()
)
_SCREENED = (
    select(
        _screening.person_id,
        _screening.screened_at,
        literal(1),
        cast(null(), _assessment.grade.type),
        _screening.outcome,
        _screening.bleeding,
        _screening.cough_or_fever,
        _screening.self_harm,
        _screening.last_alcohol_or_sedative,
    )
    .ext(distinct_on(_screening.person_id))
    .where(among(_screening.person_id, "ids"))
    .order_by(_screening.person_id, _screening.screened_at.desc(), _screening.id.desc())
    .subquery()
)
_SEEN = union_all(select(_ASSESSED), select(_SCREENED)).order_by(_ASSESSED.c.screened)
"""The newest assessment of each, then the newest screening of each: one journey for both."""


def read_needs(conn: Connection, given: Mapping[str, Any]) -> dict[str, Need]:
    """What each of these people needs; ``given`` binds ``ids``. Nobody that nothing is known of."""
    assessed: dict[str, datetime] = {}
    needs: dict[str, Need] = {}
    for id_, seen_at, screened, grade, *words in conn.execute(_SEEN, given).all():
        if not screened:
            assessed[id_] = seen_at
            needs[id_] = _found(grade, *words)
        elif id_ not in assessed or seen_at > assessed[id_]:
            needs[id_] = _screened(needs.get(id_), *words)
    return needs


def need_of(conn: Connection, person: str) -> Need:
    """What one person needs. Nursing is as the assessment says, whatever a child's birth date."""
    return read_needs(conn, {"ids": joined([person])}).get(person, UNSEEN)


def with_child(need: Need, sex: Sex | None, born_on: date | None, on: date) -> Need:
    """The need with nursing as an own baby's birth date says; as the assessment found without one.

    A man's record carries no such date.
    """
    if born_on is None or sex is Sex.MALE:
        return need
    nursing = Tri.YES if on < weaned_on(born_on) else Tri.NO
    return need if need.nursing is nursing else replace(need, nursing=nursing)


def weaned_on(born_on: date) -> date:
    """The day on which the law no longer counts a mother as nursing: the first birthday."""
    try:
        return born_on.replace(year=born_on.year + NURSING_YEARS)
    except ValueError:
        return date(born_on.year + NURSING_YEARS, 3, 1)


@lru_cache(maxsize=4096)
def _found(
    grade: int | None, needs: str, isolation: str, observation: str, pregnant: str, nursing: str
) -> Need:
    """A finding; a city has few distinct ones."""
    return Need(
        grade=Grade(grade) if grade is not None else None,
        needs=frozenset(map(BedKind, needs.split(","))) if needs else frozenset(),
        isolation=Isolation(isolation),
        observation=Observation(observation),
        pregnant=Tri(pregnant),
        nursing=Tri(nursing),
    )


@lru_cache(maxsize=4096)
def _screened(
    before: Need | None, outcome: str, bleeding: str, cough: str, self_harm: str, last_use: str
) -> Need:
    """What an officer's answers come to, beside what a clinician found ``before`` them.

    Bleeding asks for nursing, recent alcohol or sedatives for a monitored detoxification bed, a
    cough or fever for airborne isolation, self-harm for constant watch; an unknown answer stays
    unknown. An isolation or a watch that a doctor ordered stands, and so does whatever no officer
    is asked. Of a cleared screening ``Need.route`` and ``Need.watch`` say what it leaves.
    """
    old = before if before is not None else UNSEEN
    needs = set(old.needs)
    if last_use in _RECENT_USE:
        needs.add(BedKind.DTX)
    if bleeding == Tri.YES:
        needs.add(BedKind.NUR)
    clear = outcome == Screening.CLEAR
    return replace(
        old,
        grade=_standing_grade(old.grade, Screening(outcome)),
        needs=frozenset(needs),
        isolation=old.isolation if clear else _graver_route(old.isolation, Tri(cough)),
        observation=old.observation if clear else _graver_watch(old.observation, Tri(self_harm)),
        screening=Screening(outcome),
        examined=False,
    )


def _standing_grade(found: Grade | None, outcome: Screening) -> Grade | None:
    """An earlier grade that is graver than what the screening alone would count as."""
    if found is None or outcome is Screening.RED_FLAG:
        return None
    least = Grade.G2 if outcome is Screening.CLEAR else _GRAVER_THAN_UNKNOWN
    return found if found >= least else None


def _graver_route(ordered: Isolation, cough: Tri) -> Isolation:
    if cough is Tri.YES:
        return Isolation.AIRBORNE
    if ordered not in (Isolation.NONE, Isolation.UNKNOWN):
        return ordered
    return Isolation.NONE if cough is Tri.NO else Isolation.UNKNOWN


def _graver_watch(ordered: Observation, self_harm: Tri) -> Observation:
    if self_harm is Tri.YES or ordered is Observation.CONSTANT:
        return Observation.CONSTANT
    if ordered is Observation.FREQUENT:
        return ordered
    return Observation.NONE if self_harm is Tri.NO else Observation.UNKNOWN
