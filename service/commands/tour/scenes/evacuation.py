"""A ward must be left at once: everybody in it goes into care, all or nobody."""

from dataclasses import dataclass

from service.access.caller import Role
from service.commands.tour import places
from service.commands.tour.night import Json, Night
from service.commands.tour.people import assess, held
from service.commands.tour.places import Site
from service.commands.tour.steps import OFFICER, clocks, place, stay_of

PEOPLE = 3


@dataclass(frozen=True, slots=True)
class Left:
    """The ward that was left, the one that took them in, who was moved and what was answered."""

    ward: Site
    other: Site
    stays: tuple[Json, ...]
    answer: Json


def evacuation(night: Night) -> Left:
    """One call, one transaction: beds are kept, holds into the ward end, papers are due."""
    night.chapter(
        "Smoke in a ward",
        f"{PEOPLE} people lie in a ward that fills with smoke. One call takes them all into care; "
        "the ward next door has two beds, so the third gets a place made on the spot.",
    )
    ward = places.ward(night, "w8", beds=PEOPLE)
    other = places.ward(night, "w9", beds=PEOPLE - 1)
    stays = []
    for number in range(PEOPLE):
        person = held(night, f"Synthetic Smoke {number + 1}", "male", 41 + number)
        assess(night, person, "G2", needs=["NUR"])
        stays.append(place(night, person, "nursing bed", inside=ward.unit))
    done = night.done(
        night.caller(Role.COORDINATOR),
        "POST",
        f"/units/{ward.unit}/evacuation",
        {
            "officer": OFFICER,
            "reason": "smoke in the corridor",
            "destinations": [{"unit": other.unit}],
            "close_beds": "repair",
        },
    )
    for it in done["moved"]:
        where = "a place made on the spot" if it["surge"] else "a free bed"
        night.say(
            f"      {it['person']}: {it['from_bed']} -> {it['bed']} ({where}); owed: "
            f"{', '.join(it['due']) or 'nothing'}"
        )
    night.say(
        f"      {done['surge_places']} surge place(s), {done['beds_closed']} beds closed, "
        f"{done['holds_ended']} holds ended"
    )
    clocks(night, night.caller(Role.COORDINATOR), done["moved"][0]["person"], "leave_end")
    for it in stays:
        stay_of(night, it["id"])
    return Left(ward, other, tuple(stays), done)
