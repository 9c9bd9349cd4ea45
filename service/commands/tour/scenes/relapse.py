"""A relapse in community rehabilitation: no bed without a decision that names its ground."""

from dataclasses import dataclass
from datetime import timedelta

from service.commands.tour import places
from service.commands.tour.night import Json, Night
from service.commands.tour.people import (
    assess,
    decision,
    here_now,
    in_days,
    police,
    register,
    today,
)
from service.commands.tour.steps import (
    candidates,
    decide,
    deciding,
    nowhere,
    receive,
    request,
    term_of,
)


@dataclass(frozen=True, slots=True)
class Relapse:
    """The man, his first term, his community measure, and the stay on the new decision."""

    person: str
    first_term: str
    measure: str
    refused: Json
    stay: Json


def relapse(night: Night) -> Relapse:
    """Nothing leads from a relapse to a bed by itself; a decision with its ground does."""
    night.chapter(
        "A relapse in community rehabilitation",
        "His two years of isolation are over and he reports to the community. Then he uses again. "
        "That alone opens no bed: only a new decision does, and it names its ground.",
    )
    officer = police(night)
    person = register(night, "Synthetic Chen", "male", 38)
    decided = today() - timedelta(days=2 * 366 + 40)
    served = here_now().replace(year=decided.year, month=decided.month, day=decided.day)
    decision(night, person, served=served, decided=decided)
    first = term_of(night, person)["id"]
    night.done(
        officer,
        "POST",
        f"/terms/{first}/release",
        {"end": "expired", "reason": "the last day has passed"},
    )
    measure = night.done(
        officer,
        "POST",
        f"/people/{person}/community-measures",
        {
            "kind": "community_rehab",
            "organ": "county_police",
            "received_on": in_days(-35),
            "months": 36,
        },
    )["id"]
    night.done(
        officer, "POST", f"/community-measures/{measure}/report", {"reported_on": in_days(-30)}
    )
    night.say("\n[bold]He relapses.[/] An officer asks for a centre bed:")
    assess(night, person, "G1", of="withdrawal")
    asked = request(night, person)
    nowhere(night, asked, "L01")
    bed = places.centre(night, "c3").beds[0]
    refused = night.refused(
        officer,
        "POST",
        f"/placement-requests/{asked}/decision",
        deciding(bed, "relapse"),
        status=409,
        code="refused-by-rules",
    )
    night.say("\nA decision is written that names no ground:")
    night.refused(
        officer,
        "POST",
        f"/people/{person}/legal-bases",
        {
            "kind": "compulsory",
            "body": "county_police",
            "document": f"synthetic-{night.mark}-no-ground",
            "starts_on": in_days(0),
        },
        status=422,
        code="invalid-field",
    )
    night.say("\nWith its ground (Anti-Drug Law art. 38, item 4), served, it carries a bed:")
    decision(night, person, ground="relapse_after")
    ranking = candidates(night, asked)
    bed = ranking["candidates"][0]["bed"]
    decide(night, asked, bed, "decision served; nearest centre with room", ranking)
    stay = receive(night, asked, bed)
    return Relapse(person, first, measure, refused, stay)
