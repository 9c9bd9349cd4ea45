"""Who is calling: the roles of the network and the actor every change is recorded under."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a key lets its holder do; a route that names no role admits nobody."""

    INTAKE_OFFICER = "intake_officer"  # 收治民警
    CLINICIAN = "clinician"  # 医生
    FACILITY_ADMIN = "facility_admin"  # 床位管理员, one facility
    COORDINATOR = "coordinator"  # 调度员
    AUDITOR = "auditor"
    DASHBOARD = "dashboard"  # aggregates only
    INTEGRATION = "integration"  # a hospital's own system, one facility


FACILITY_ROLES = frozenset({Role.FACILITY_ADMIN, Role.INTEGRATION})


@dataclass(frozen=True, slots=True)
class Actor:
    """A named caller. ``facility`` is set for roles that act for one facility only."""

    id: str
    name: str
    role: Role
    facility: str | None = None


SYSTEM = Actor(id="system", name="system", role=Role.COORDINATOR)
