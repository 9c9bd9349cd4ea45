"""The people of the tour, all invented, and what is put on record about them."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from service.access.caller import Role
from service.commands.tour.night import Caller, Json, Night
from service.commands.tour.telling import SHANGHAI

_DIMENSIONS: Final = ("withdrawal", "somatic", "infection", "mental", "self_harm", "self_care")
CLEAR: Final = {
    "consciousness": "alert",
    "bleeding": "no",
    "cough_or_fever": "no",
    "self_harm": "no",
    "last_alcohol_or_sedative": "over_72h",
}
"""A screening in which nothing was found."""


def here_now() -> datetime:
    """The hour in the city."""
    return datetime.now(SHANGHAI).replace(microsecond=0)


def today() -> date:
    """The legal day."""
    return here_now().date()


def in_days(days: int) -> str:
    """A legal day so many days from now, or before it."""
    return (today() + timedelta(days=days)).isoformat()


def ago(**span: float) -> datetime:
    """So long before now."""
    return here_now() - timedelta(**span)


def last_time(hour: int, minute: int = 0, *, days_ago: int = 0) -> datetime:
    """The last time the clock showed this hour, or so many days before that."""
    now = here_now()
    at = now.replace(hour=hour, minute=minute, second=0)
    if at > now:
        at -= timedelta(days=1)
    return at - timedelta(days=days_ago)


def register(
    night: Night, name: str, sex: str, years: int, role: Role = Role.INTAKE_OFFICER
) -> str:
    """Open a record under a pseudonym, which is all that other screens ever show."""
    born = today().replace(day=1) - timedelta(days=365 * years + 40)
    person: str = night.done(
        night.caller(role),
        "POST",
        "/people",
        {"sex": sex, "birth_date": born.isoformat(), "name": name},
    )["id"]
    return person


def decision(
    night: Night,
    person: str,
    *,
    ground: str = "severe_addiction",
    served: datetime | None = None,
    decided: date | None = None,
) -> Json:
    """A compulsory decision with its ground, handed to the person before anything is done."""
    at = served or ago(hours=3)
    day = decided or at.date() - timedelta(days=1)
    return night.done(
        night.caller(Role.INTAKE_OFFICER),
        "POST",
        f"/people/{person}/legal-bases",
        {
            "kind": "compulsory",
            "document": f"synthetic-{night.mark}-{person[-4:]}-{day:%y%m%d}",
            "body": "county_police",
            "ground": ground,
            "served_at": at.isoformat(),
            "starts_on": day.isoformat(),
        },
    )


def held(night: Night, name: str, sex: str, years: int, *, served: datetime | None = None) -> str:
    """Somebody with a compulsory decision that was served."""
    person = register(night, name, sex, years)
    decision(night, person, served=served)
    return person


def agreement(night: Night, person: str, *, since: date | None = None, days: int = 30) -> Json:
    """The written agreement of constrained treatment: its kind and its term."""
    first = since or today()
    return night.done(
        night.caller(Role.CLINICIAN),
        "POST",
        f"/people/{person}/legal-bases",
        {
            "kind": "constrained",
            "starts_on": first.isoformat(),
            "ends_on": (first + timedelta(days=days)).isoformat(),
        },
    )


def consent(
    night: Night,
    person: str,
    by: str,
    *,
    given: datetime | None = None,
    sober: bool = True,
    days: int = 30,
) -> Json:
    """Somebody's own word, with where it was said, to whom, and what they were told before."""
    at = given or here_now()
    takers = ["Doctor on duty (synthetic)"]
    return night.done(
        night.caller(Role.CLINICIAN),
        "POST",
        f"/people/{person}/consents",
        {
            "by": by,
            "kinds": ["CTH"],
            "given_at": at.isoformat(),
            "place": "doctor's room (synthetic)",
            "takers": takers if sober else [*takers, "Second doctor (synthetic)"],
            "witness": "Nurse on duty (synthetic)",
            "capacity": {"capable": "yes"} if by == "person" else None,
            "told_alternatives": True,
            "told_no_adverse_effect": True,
            "sober": sober,
            "agreement": by == "person",
            "starts_on": at.date().isoformat(),
            "ends_on": (at.date() + timedelta(days=days)).isoformat(),
        },
    )


def assess(
    night: Night,
    person: str,
    grade: str,
    *,
    of: str = "somatic",
    at: datetime | None = None,
    **finding: Any,
) -> Json:
    """A doctor's finding; one dimension carries the grade."""
    body: Json = {
        "dimensions": dict.fromkeys(_DIMENSIONS, "G0") | {of: grade},
        "needs": [],
        "isolation": "none",
        "observation": "none",
        "pregnant": "no",
        "nursing": "no",
        **finding,
    }
    if at is not None:
        body["assessed_at"] = at.isoformat()
    return night.done(night.caller(Role.CLINICIAN), "POST", f"/people/{person}/assessments", body)


def fit_for(night: Night, person: str, kinds: Sequence[str], days: int = 7) -> None:
    """A doctor says where the person may go, and for how long that holds."""
    night.done(
        night.caller(Role.CLINICIAN),
        "POST",
        f"/people/{person}/fitness-statements",
        {"kinds": list(kinds), "ends_on": in_days(days)},
    )


def screen(night: Night, person: str, *, at: datetime | None = None, **answers: str) -> Json:
    """The officer's five questions at night; never a grade."""
    body: Json = {**CLEAR, **answers}
    if at is not None:
        body["screened_at"] = at.isoformat()
    found = night.done(
        night.caller(Role.INTAKE_OFFICER), "POST", f"/people/{person}/screenings", body
    )
    night.say(f"      {found['follows']['zh']}\n      {found['follows']['en']}")
    return found


def police(night: Night) -> Caller:
    """The officer on duty."""
    return night.caller(Role.INTAKE_OFFICER)
