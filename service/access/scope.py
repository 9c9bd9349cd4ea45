"""Where a role may act: some keys speak for one facility only."""

from service.access.caller import FACILITY_ROLES, Actor
from service.errors import Forbidden


def acts_for(actor: Actor, facility_id: str) -> bool:
    """Tell whether this caller may act for the facility."""
    return actor.role not in FACILITY_ROLES or actor.facility == facility_id


def require_facility(actor: Actor, facility_id: str) -> None:
    """Raise Forbidden if the caller's key is for another facility."""
    if not acts_for(actor, facility_id):
        raise Forbidden(
            "other-facility",
            f"this key acts for facility {actor.facility} only; ask that facility's own "
            "administrator, or a coordinator",
            facility=facility_id,
        )


def facility_scope(actor: Actor) -> str | None:
    """The one facility a list must be narrowed to for this caller, None for all of them."""
    return actor.facility if actor.role in FACILITY_ROLES else None
