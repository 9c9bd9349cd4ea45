"""Consent withdrawn on day nine: home the same day, and nobody has absconded."""

from dataclasses import dataclass
from typing import Final

from service.access.caller import Role
from service.commands.tour import places
from service.commands.tour.night import Json, Night, TourStopped
from service.commands.tour.people import ago, agreement, assess, consent, register
from service.commands.tour.places import Site
from service.commands.tour.steps import admin_of, bed_of, bed_state, clocks, place, stay_of

DAYS: Final = 9


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The woman, her consents, her stay as it ended."""

    person: str
    own: str
    family: str
    hospital: Site
    stay: Json
    escape_refused: Json


def withdrawal(night: Night) -> Withdrawn:
    """Anybody writes the word down; it leads to a discharge and to nothing else."""
    night.chapter(
        "Consent withdrawn on day nine",
        f"A woman of 29 agreed to a month of treatment {DAYS} days ago (written up with "
        "occurred_at). Today she says to the nurse at the door that she wants to go home.",
    )
    doctor = Role.CLINICIAN
    hospital = places.hospital(night, "h6")
    signed = ago(days=DAYS, hours=3)
    person = register(night, "Synthetic Wu", "female", 29, doctor)
    agreement(night, person, since=signed.date())
    own = consent(night, person, "person", given=signed)["id"]
    family = consent(night, person, "family", given=signed)["id"]
    assess(night, person, "G1", of="withdrawal", at=signed)
    stay = place(
        night, person, "agreed month", doctor, inside=hospital.unit, arrived=ago(days=DAYS)
    )
    admin = admin_of(night, hospital.unit)
    night.say("\nWhoever hears it records it; they need no right to read what was signed:")
    night.done(admin, "POST", f"/consents/{own}/withdrawal", {"said_by": "person"})
    now = stay_of(night, stay["id"], show=True)
    if now["state"] != "discharge_due":
        raise TourStopped(f"a consent was withdrawn and the stay is {now['state']}")
    clocks(night, admin, person, "consent_withdrawn")
    night.say("\nSomebody wants to write that she absconded:")
    refused = night.refused(
        admin,
        "POST",
        f"/stays/{stay['id']}/discharge",
        {"code": "escaped", "reason": "left the ward"},
        status=422,
        code="invalid-field",
    )
    night.say("\nShe is home the same day:")
    ended = night.done(
        admin,
        "POST",
        f"/stays/{stay['id']}/discharge",
        {"code": "consent_withdrawn", "reason": "she took her consent back"},
    )
    bed_state(night, bed_of(stay))
    return Withdrawn(person, own, family, hospital, ended, refused)
