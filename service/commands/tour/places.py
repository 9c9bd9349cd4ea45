"""Places that a scene opens for itself: what it does there touches nobody of the demo city."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from service.access.caller import Role
from service.commands.tour.night import Night

MEN: Final = "male"
_CENTRE: Final = {
    "kind": "PSC",
    "sex": MEN,
    "level_of_care": 1,
    "security": 2,
    "licences": ["drug_treatment"],
    "bases": ["compulsory"],
    "security_owner": "public_security",
    "medical_owner": "public_security",
}
_WARD: Final = {
    "kind": "OMW",
    "sex": MEN,
    "level_of_care": 3,
    "security": 1,
    "observation": "constant",
    "licences": ["drug_treatment"],
    "bases": ["compulsory"],
    "security_owner": "justice",
}
_HOSPITAL: Final = {
    "kind": "CTH",
    "level_of_care": 3,
    "observation": "constant",
    "licences": ["drug_treatment"],
    "bases": ["constrained", "voluntary"],
}


@dataclass(frozen=True, slots=True)
class Site:
    """A facility of one unit with its beds."""

    facility: str
    unit: str
    beds: tuple[str, ...]


def centre(night: Night, name: str, beds: int = 2, sex: str = MEN) -> Site:
    """A small police-run centre, for men unless another sex is named."""
    unit = {**_CENTRE, "sex": sex}
    return _open(night, name, "Tour centre", "public_security", unit, [beds], "GEN")


def ward(night: Night, name: str, beds: int = 2, features: Sequence[str] = ()) -> Site:
    """A small off-site medical ward for men, with nursing beds."""
    return _open(night, name, "Tour ward", "justice", _WARD, [beds], "NUR", features)


def hospital(night: Night, name: str, beds: int = 2) -> Site:
    """A small ward of a partner hospital, for people treated by agreement."""
    return _open(night, name, "Tour hospital", "health", _HOSPITAL, [beds], "GEN")


def general_hospital(night: Night, name: str) -> str:
    """A hospital outside the network: a name and a telephone, and no bed of ours."""
    made: str = _facility(night, name, "Tour general hospital", "health", external=True)
    return made


def _facility(
    night: Night, name: str, called: str, operator: str, *, external: bool = False
) -> str:
    site = f"tour-{night.mark}-{name}"
    night.done(
        night.caller(Role.COORDINATOR),
        "POST",
        "/facilities",
        {
            "id": site,
            "name": called,
            "operator": operator,
            "external": external,
            "duty_phone": "027-0000-0199",
        },
        show=False,
    )
    return site


def _open(
    night: Night,
    name: str,
    called: str,
    operator: str,
    unit: Mapping[str, Any],
    rooms: Sequence[int],
    kind: str,
    features: Sequence[str] = (),
) -> Site:
    coordinator = night.caller(Role.COORDINATOR)
    site = _facility(night, name, called, operator)
    night.caller(Role.FACILITY_ADMIN, site)  # a key is known everywhere a moment after it is made
    ward = f"{site}.w1"
    body = {"id": ward, "facility": site, "name": "1", **unit}
    night.done(coordinator, "POST", "/units", body, show=False)
    beds = []
    for number, size in enumerate(rooms, start=1):
        room = f"{ward}.r{number:02d}"
        night.done(coordinator, "POST", "/rooms", {"id": room, "unit": ward}, show=False)
        for place in range(1, size + 1):
            bed = f"{room}.b{place}"
            made = {"id": bed, "room": room, "kind": kind, "features": list(features)}
            night.done(coordinator, "POST", "/beds", made, show=False)
            beds.append(bed)
    night.say(f"      [dim]the coordinator opens {ward} ({called}) with {len(beds)} beds[/]")
    return Site(site, ward, tuple(beds))
