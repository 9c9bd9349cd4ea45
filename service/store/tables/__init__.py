"""Every table of the service, by subject. Importing this package fills ``SQLModel.metadata``."""

from sqlmodel import SQLModel

from service.store.tables.claims import BedClaim, BedNext, Stay
from service.store.tables.inventory import Bed, Facility, OutOfServicePeriod, Room, Unit
from service.store.tables.people import (
    Assessment,
    ConsentRecord,
    FitnessStatement,
    LegalBasisRecord,
    MovementStop,
    Person,
)
from service.store.tables.system import (
    AccessRecord,
    ApiKey,
    Event,
    EventSeal,
    IdempotencyRecord,
    ImportJob,
    ImportRow,
)
from service.store.tables.workflow import (
    Decline,
    PlacementDecision,
    PlacementRequest,
    PlanningRun,
    PlanProposal,
    Transfer,
)

metadata = SQLModel.metadata

__all__ = [
    "AccessRecord",
    "ApiKey",
    "Assessment",
    "Bed",
    "BedClaim",
    "BedNext",
    "ConsentRecord",
    "Decline",
    "Event",
    "EventSeal",
    "Facility",
    "FitnessStatement",
    "IdempotencyRecord",
    "ImportJob",
    "ImportRow",
    "LegalBasisRecord",
    "MovementStop",
    "OutOfServicePeriod",
    "Person",
    "PlacementDecision",
    "PlacementRequest",
    "PlanProposal",
    "PlanningRun",
    "Room",
    "Stay",
    "Transfer",
    "Unit",
    "metadata",
]
