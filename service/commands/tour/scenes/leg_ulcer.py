"""A man with a leg ulcer at 01:10: a centre takes him in, a ward treats him, and he goes back."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from service.access.caller import Role
from service.commands.tour import places
from service.commands.tour.night import Json, Night, TourStopped
from service.commands.tour.people import assess, fit_for, held, last_time, screen
from service.commands.tour.places import Site
from service.commands.tour.steps import (
    bed_of,
    bed_state,
    candidates,
    carry,
    clocks,
    decide,
    reasons,
    receive,
    request,
    term_of,
)

DAYS: Final = 38


@dataclass(frozen=True, slots=True)
class LegUlcer:
    """The man, where he was taken in, treated and brought back to, and his term at each end."""

    person: str
    centre: Site
    ward: Site
    request: str
    ward_stay: Json
    transfer: Json
    term_at_night: Json
    term_after: Json


def leg_ulcer(night: Night) -> LegUlcer:
    """The centre stays responsible, the ward has the bed; a doctor's word brings him back."""
    night.chapter(
        "A leg ulcer at 01:10",
        f"A man of 52 with an open leg ulcer; his decision was served before midnight. The tour "
        f"writes his night up as {DAYS} days ago (occurred_at; recorded_at stays today and shows "
        "it), so that what comes weeks later can be seen now.",
    )
    centre = places.centre(night, "c1")
    ward = places.ward(night, "w1")
    came = last_time(1, 10, days_ago=DAYS)
    person = held(night, "Synthetic Li", "male", 52, served=came - timedelta(hours=2))
    screen(night, person, at=came + timedelta(minutes=5), bleeding="unknown")
    asked = request(night, person, centre=centre.facility)
    clocks(night, night.caller(Role.CLINICIAN), person, "doctor_sees")
    night.say("\nThe doctor on call looks at the leg: grade G3, a nursing bed, frequent watch.")
    assess(
        night,
        person,
        "G3",
        at=came + timedelta(minutes=25),
        needs=["NUR"],
        observation="frequent",
    )
    ranking = candidates(night, asked, inside=ward.unit)
    here = [no for no in ranking["refused"] if centre.unit in no["units"]]
    if not here:
        raise TourStopped("the centre has a bed of his grade; the story needs one that has not")
    night.say(f"\nWhy not in {centre.unit}, which took him in:")
    reasons(night, {"refused": here}, [no["rule"] for no in here[0]["refusals"]])
    bed = ranking["candidates"][0]["bed"]
    done = decide(night, asked, bed, "leg ulcer: nursing bed the same night", ranking)
    night.say(f"      duty phone of the ward: {done['request']['hold']['duty_phone']}")
    stay = receive(night, asked, bed, arrived=came + timedelta(minutes=80))
    night.say(f"      {stay['responsible_facility']} took him in and goes on answering for him")
    before = term_of(night, person)

    night.say(f"\n[bold]{DAYS} days later[/] the ulcer is closed. A doctor says so, not the ward's")
    night.say("want of beds; that puts the way back on the coordinator's list.")
    assess(night, person, "G1")
    fit_for(night, person, ["PSC", "JSC"])
    coordinator = night.caller(Role.COORDINATOR)
    clocks(night, coordinator, person, "fitness_return")
    back = _on_the_list(night, person)
    night.say(
        f"      {back['person']}: in {back['bed']}, {back['responsible_facility']} answers for "
        f"him, fit until {back['fit_until']}"
    )
    asked_back = night.done(
        coordinator,
        "POST",
        "/transfers",
        {"stay": stay["id"], "to_bed": centre.beds[0], "reason": "step_down"},
    )
    path = f"/transfers/{asked_back['id']}"
    night.done(coordinator, "POST", f"{path}/approval", {"reason": "fit to go back"})
    arrived = carry(night, asked_back["id"], bed_of(stay), centre.beds[0], first=True)
    bed_state(night, bed)
    after = term_of(night, person)
    night.say(
        "The term ran on all the while, from the day of the decision; the ward added nothing."
    )
    return LegUlcer(person, centre, ward, asked, stay, arrived, before, after)


def _on_the_list(night: Night, person: str) -> Json:
    """The person's line on the list of those fit to go back."""
    path = "/returns?limit=100"
    while True:
        answer = night.ask(night.caller(Role.COORDINATOR), "GET", path)
        for it in answer.json()["items"]:
            if it["person"] == person:
                found: Json = it
                return found
        following = answer.links.get("next")
        if following is None:
            raise TourStopped(f"{person} is fit to go back and on nobody's list")
        path = following["url"].partition("/api/v1")[2]
