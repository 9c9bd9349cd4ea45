"""Swallowed objects at 02:00: two men go to a general hospital first, papers come after."""

from dataclasses import dataclass

from service.access.caller import Role
from service.commands.tour import places
from service.commands.tour.night import Json, Night, TourStopped
from service.commands.tour.people import ago, assess, fit_for, held, last_time, police
from service.commands.tour.places import Site
from service.commands.tour.steps import (
    OFFICER,
    admin_of,
    candidates,
    clocks,
    decide,
    place,
    receive,
    stay_of,
    term_of,
)
from service.commands.tour.telling import hour


@dataclass(frozen=True, slots=True)
class Away:
    """Somebody an emergency took away: the stay whose bed is kept, and the one in the hospital."""

    person: str
    kept: Json
    emergency: Json


@dataclass(frozen=True, slots=True)
class Swallowed:
    """Who was brought back and who is still away when the scene ends."""

    centre: Site
    hospital: str
    back: Away
    away: Away


def swallowed(night: Night) -> Swallowed:
    """Care first; the centre bed is kept as leave, and for one of the two he comes back to it."""
    night.chapter(
        "Swallowed objects at 02:00",
        "Two men in a centre have swallowed a razor blade each. The emergency lane asks for no "
        "free bed, no paper and no key: they are moved, and what was gone past is due on clocks.",
    )
    centre = places.centre(night, "c5")
    outside = places.general_hospital(night, "gh")
    both = [_resident(night, name, centre) for name in ("Synthetic Sun", "Synthetic Zhou")]
    away = [_moved(night, person, stay, outside) for person, stay in both]
    clocks(night, police(night), away[0].person, "emergency_papers", "leave_end")
    night.say("\nThe supervising organ's approval comes in the morning; its clock stops (X02):")
    night.done(
        police(night),
        "POST",
        f"/people/{away[0].person}/approvals",
        {
            "kind": "out_medical",
            "organ": "county_police",
            "granted": True,
            "approver": "Head on duty (synthetic)",
            "document": f"synthetic-{night.mark}-x02",
            "subject": {"type": "stay", "id": away[0].emergency["stay"]["id"]},
        },
    )
    left = clocks(night, police(night), away[0].person)
    if any(it["subject"].endswith(":X02") for it in left):
        raise TourStopped("the approval is on record and its clock still runs")
    night.say("\nThe lane leads to care only; said for a cell it is refused:")
    night.refused(
        police(night),
        "POST",
        f"/people/{away[1].person}/emergency",
        {"unit": centre.unit, "officer": OFFICER, "reason": "back to the cell"},
        status=409,
        code="emergency-is-medical",
    )
    back = away[0]
    night.say("\n[bold]The first is operated on and brought back[/] to the bed kept for him:")
    assess(night, back.person, "G1")
    fit_for(night, back.person, ["PSC"])
    night.done(
        night.caller(Role.COORDINATOR),
        "POST",
        f"/stays/{back.emergency['stay']['id']}/discharge",
        {"code": "discharged", "reason": "treated; the escort is here"},
    )
    night.done(admin_of(night, centre.unit), "POST", f"/stays/{back.kept['id']}/return", {})
    term_of(night, back.person)
    night.say("\n[bold]The second stays away.[/] His bed is not kept for ever:")
    clocks(night, police(night), away[1].person, "leave_end")
    night.say(
        "      After that hour and the policy's grace the service ends the leave by itself: the "
        "bed is free, his term runs on, and a request for his way back waits for a doctor's word. "
        "The tour does not wait for it."
    )
    return Swallowed(centre, outside, back, away[1])


def after_the_leave(night: Night, it: Away) -> Json:
    """The leave has lapsed: the way back waits for a doctor, then he is placed as anybody. His new
    stay."""
    night.say("\nThe leave's end has passed; nobody brought him back.")
    ended = stay_of(night, it.kept["id"], show=True)
    if ended["end_code"] != "leave_lapsed":
        raise TourStopped(f"the leave did not lapse: {ended['state']} {ended['end_code']}")
    asked = night.done(
        night.caller(Role.COORDINATOR), "GET", f"/placement-requests?person={it.person}"
    )["items"]
    if [found["kind"] for found in asked] != ["return"]:
        raise TourStopped("no request for the way back was opened")
    request = asked[0]["id"]
    assess(night, it.person, "G1")
    ranking = candidates(night, request)
    bed = ranking["candidates"][0]["bed"]
    night.refused(
        police(night),
        "POST",
        f"/placement-requests/{request}/decision",
        {"bed": bed, "officer": OFFICER, "reason": "a bed is free"},
        status=409,
        code="not-fit-to-return",
    )
    fit_for(night, it.person, ["PSC", "JSC"])
    decide(night, request, bed, "a doctor says he may go back", ranking)
    return receive(night, request, bed)


def _resident(night: Night, name: str, centre: Site) -> tuple[str, Json]:
    person = held(night, name, "male", 36, served=ago(days=4))
    assess(night, person, "G0", at=ago(days=3))
    stay = place(night, person, "general part", inside=centre.unit, arrived=ago(days=2))
    return person, stay


def _moved(night: Night, person: str, stay: Json, outside: str) -> Away:
    moved = night.done(
        police(night),
        "POST",
        "/emergencies",
        {
            "person": person,
            "facility": outside,
            "officer": OFFICER,
            "reason": "swallowed a razor blade",
            "occurred_at": last_time(2).isoformat(),
        },
    )
    kept = stay_of(night, stay["id"])
    segment = kept["segments"][-1]
    night.say(
        f"      {kept['facility']}: bed {segment['bed']} is kept ({kept['state']}) until "
        f"{hour(segment['expected_end'])}; owed: {', '.join(moved['due'])}"
    )
    return Away(person, kept, moved)
