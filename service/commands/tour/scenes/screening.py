"""A quiet arrival at night, and one that is not: the officer asks five questions, never a grade."""

from dataclasses import dataclass

from service.access.caller import Role
from service.commands.tour.night import Json, Night, TourStopped
from service.commands.tour.people import assess, held, police, screen
from service.commands.tour.places import general_hospital
from service.commands.tour.steps import (
    OFFICER,
    candidates,
    clocks,
    decide,
    receive,
    request,
)
from service.commands.tour.telling import hour


@dataclass(frozen=True, slots=True)
class Screened:
    """Who was clear and where they lie; who was not, what opened, and where they lie."""

    clear: str
    arrivals_stay: Json
    flagged: str
    lane: Json
    emergency: Json


def night_screening(night: Night) -> Screened:
    """All clear leads to the new-arrivals unit; a red flag opens the emergency lane by itself."""
    night.chapter(
        "Two arrivals at night, and no assessor",
        "Nobody who could grade is in the house at this hour. The officer asks five questions. "
        "What they come to is the policy's, and unknown never counts as no.",
    )
    night.say("\n[bold]Nothing is found.[/] The new-arrivals unit takes him until the examination.")
    clear = held(night, "Synthetic Fang", "male", 33)
    screen(night, clear)
    asked = request(night, clear)
    ranking = candidates(night, asked)
    bed = ranking["candidates"][0]["bed"]
    decide(night, asked, bed, "new-arrivals unit until the examination", ranking)
    stay = receive(night, asked, bed)
    clocks(night, night.caller(Role.CLINICIAN), clear, "intake_exam")

    night.say("\n[bold]A man who cannot be woken.[/] The lane opens by itself and moves nobody:")
    flagged = held(night, "Synthetic Guan", "male", 47)
    found = screen(night, flagged, consciousness="unresponsive", bleeding="unknown")
    lane: Json = found["lane"]
    if lane is None:
        raise TourStopped("a red flag opened no lane")
    night.say(
        f"      {lane['next']['zh']}\n      {lane['next']['en']}\n"
        f"      on-call coordinator alarmed at {hour(lane['alarm_at'])}, {lane['on_call_phone']}"
    )
    for it in lane["places"][:3]:
        night.say(f"      {it['unit']}: {it['free']} free, duty phone {it['duty_phone']}")
    outside = general_hospital(night, "er")
    moved = night.done(
        police(night),
        "POST",
        f"/people/{flagged}/emergency",
        {"facility": outside, "officer": OFFICER, "reason": "cannot be woken"},
    )
    night.say(f"      owed afterwards: {', '.join(moved['due']) or 'nothing'}")
    clocks(night, police(night), flagged, "emergency_papers")
    assess(night, flagged, "G4")
    return Screened(clear, stay, flagged, lane, moved)
