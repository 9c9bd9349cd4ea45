"""First found, violent at home, agrees when sober: a month in a licensed psychiatric bed."""

from dataclasses import dataclass
from datetime import timedelta

from service.access.caller import Role
from service.commands.tour.night import Json, Night
from service.commands.tour.people import (
    ago,
    agreement,
    assess,
    consent,
    here_now,
    in_days,
    police,
    register,
)
from service.commands.tour.steps import (
    admin_of,
    bed_of,
    candidates,
    clocks,
    decide,
    nowhere,
    receive,
    request,
)
from service.commands.tour.telling import hour


@dataclass(frozen=True, slots=True)
class Agreed:
    """The man, his own and his family's consent, and his stay."""

    person: str
    own: str
    family: str
    stay: Json


def agreed(night: Night) -> None:
    """The whole story."""
    home_again(night, treated_by_agreement(night))


def treated_by_agreement(night: Night) -> Agreed:
    """His own word counts, sober; the family's is written apart and replaces nothing."""
    night.chapter(
        "Treatment by agreement",
        "A man of 42, found for the first time, violent at home after years of hidden use. There "
        "is no decision and none is needed: he may agree to treatment. A doctor of the hospital "
        "takes his word; police neither take nor read it.",
    )
    doctor = Role.CLINICIAN
    person = register(night, "Synthetic Wang", "male", 42, doctor)
    agreement(night, person)
    assess(night, person, "G2", of="mental", needs=["PSY"], observation="frequent")
    night.say("\nThe family agrees first. That never stands in for a capable adult:")
    family = consent(night, person, "family")["id"]
    asked = request(night, person, doctor)
    nowhere(night, asked, "V02", role=doctor)
    night.say("\nHe agrees too, but he is not sober: two people hear it, and it lapses unless he")
    night.say("says it again.")
    own = consent(night, person, "person", given=ago(hours=9), sober=False)
    night.say(f"      lapses at {hour(own['lapses_at'])}")
    clocks(night, night.caller(doctor), person, "consent_end")
    night.say("\nSober in the morning, he says it again:")
    night.done(
        night.caller(doctor),
        "POST",
        f"/consents/{own['id']}/repetition",
        {
            "said_at": ago(minutes=20).isoformat(),
            "takers": ["Doctor on duty (synthetic)"],
            "capacity": {"capable": "yes"},
        },
    )
    ranking = candidates(night, asked, doctor)
    bed = ranking["candidates"][0]["bed"]
    night.done(night.caller(doctor), "GET", f"/units/{bed.rsplit('.', 2)[0]}")
    decide(night, asked, bed, "agreed course of a month", ranking, doctor)
    stay = receive(night, asked, bed, leaves=here_now() + timedelta(days=30))
    night.say("\nThe end of his consent is watched; nobody renews it but he:")
    clocks(night, admin_of(night, bed), person, "consent_end")
    night.say("\nPolice see nothing of it:")
    night.refused(police(night), "GET", f"/people/{person}", status=404, code="person-not-found")
    return Agreed(person, own["id"], family, stay)


def home_again(night: Night, it: Agreed) -> Json:
    """At discharge community rehabilitation cannot be recorded; the refusal."""
    night.say("\n[bold]At the month's end[/] (the tour does not wait for it) he goes home.")
    night.done(
        admin_of(night, bed_of(it.stay)),
        "POST",
        f"/stays/{it.stay['id']}/discharge",
        {"code": "discharged", "reason": "the agreed month is over"},
    )
    order: Json = {
        "kind": "community_rehab",
        "organ": "county_police",
        "received_on": in_days(0),
        "months": 36,
    }
    path = f"/people/{it.person}/community-measures"
    night.say("\nAn officer cannot even tell that he was there:")
    night.refused(police(night), "POST", path, order, status=404, code="person-not-found")
    night.say("\nA coordinator is asked to record community rehabilitation for him:")
    return night.refused(
        night.caller(Role.COORDINATOR),
        "POST",
        path,
        order,
        status=409,
        code="no-such-transition",
    )
