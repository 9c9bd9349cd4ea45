"""The people of the tour, all invented, and the steps that every placement has in common."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from service.access.caller import Role
from service.commands.tour.night import Json, Night

_SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
_DIMENSIONS: Final = ("withdrawal", "somatic", "infection", "mental", "self_harm", "self_care")


def today() -> date:
    """The legal day."""
    return datetime.now(_SHANGHAI).date()


def facility_of(place: str) -> str:
    """The facility of a unit, room or bed, by the demo city's ids."""
    return place.partition(".")[0]


def register(night: Night, name: str, sex: str, years: int, *, custodial: bool = True) -> str:
    """Register somebody with a compulsory decision (or, by a doctor, with both consents)."""
    clerk = night.caller(Role.INTAKE_OFFICER if custodial else Role.CLINICIAN)
    born = today().replace(day=1) - timedelta(days=365 * years + 40)
    person: str = night.done(
        clerk, "POST", "/people", {"sex": sex, "birth_date": born.isoformat(), "name": name}
    )["id"]
    first, last = today() - timedelta(days=1), today() + timedelta(days=720)
    if custodial:
        served = datetime.now(_SHANGHAI) - timedelta(hours=3)
        night.done(
            clerk,
            "POST",
            f"/people/{person}/legal-bases",
            {
                "kind": "compulsory",
                "document": f"synthetic-{night.mark}-{person[-4:]}",
                "body": "county_police",
                "ground": "severe_addiction",
                "served_at": served.isoformat(timespec="seconds"),
                "starts_on": first.isoformat(),
                "ends_on": last.isoformat(),
            },
        )
        return person
    month = (today() + timedelta(days=35)).isoformat()
    night.done(
        clerk,
        "POST",
        f"/people/{person}/legal-bases",
        {"kind": "constrained", "starts_on": first.isoformat(), "ends_on": month},
    )
    for by in ("person", "family"):
        night.done(
            clerk,
            "POST",
            f"/people/{person}/consents",
            {
                "by": by,
                "kinds": ["CTH"],
                "agreement": by == "person",
                "starts_on": first.isoformat(),
                "ends_on": month,
            },
        )
    return person


def assess(night: Night, person: str, grade: str, **finding: Any) -> None:
    """A doctor's finding; the somatic dimension carries the grade."""
    body = {
        "dimensions": dict.fromkeys(_DIMENSIONS, "G0") | {"somatic": grade},
        "needs": [],
        "isolation": "none",
        "observation": "none",
        "pregnant": "no",
        "nursing": "no",
        **finding,
    }
    night.done(night.caller(Role.CLINICIAN), "POST", f"/people/{person}/assessments", body)


def request(night: Night, person: str, role: Role = Role.INTAKE_OFFICER) -> str:
    """Ask for a bed; the request's id."""
    made = night.done(night.caller(role), "POST", "/placement-requests", {"person": person})
    found: str = made["id"]
    return found


def candidates(night: Night, asked: str, role: Role = Role.INTAKE_OFFICER) -> Json:
    """Read the ranking and print its first beds with what each costs."""
    ranking = night.done(
        night.caller(role), "GET", f"/placement-requests/{asked}/candidates?limit=3"
    )
    for place, it in enumerate(ranking["candidates"], start=1):
        terms = it["terms"]
        priced = (
            [f"{name} {value:+d}" for name, value in terms.items()]
            if isinstance(terms, dict)
            else [f"{term['en']} {term['value']:+d}" for term in terms]
        )
        night.say(f"      {place}. {it['bed']}  ({'; '.join(priced) or 'fits exactly'})")
    return ranking


def decide(
    night: Night, asked: str, bed: str, reason: str, ranking: Json, role: Role = Role.INTAKE_OFFICER
) -> Json:
    """Decide for a bed, by name and with a reason, saying what was on the screen."""
    shown: Sequence[str] = [it["bed"] for it in ranking["candidates"]]
    return night.done(
        night.caller(role),
        "POST",
        f"/placement-requests/{asked}/decision",
        {
            "bed": bed,
            "officer": "Officer on duty (synthetic)",
            "reason": reason,
            "alternatives": list(shown),
            "position": ranking["position"],
        },
    )


def receive(night: Night, asked: str, bed: str) -> Json:
    """The receiving side accepts and, when the person is there, admits; the stay."""
    admin = night.caller(Role.FACILITY_ADMIN, facility_of(bed))
    night.done(admin, "POST", f"/placement-requests/{asked}/acceptance", {})
    return night.done(admin, "POST", f"/placement-requests/{asked}/admission", {})


def place(night: Night, person: str, reason: str, role: Role = Role.INTAKE_OFFICER) -> Json:
    """The whole way from request to stay, to the first bed of the ranking; the stay."""
    asked = request(night, person, role)
    ranking = candidates(night, asked, role)
    bed = ranking["candidates"][0]["bed"]
    decide(night, asked, bed, reason, ranking, role)
    return receive(night, asked, bed)
