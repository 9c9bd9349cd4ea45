"""Every table of the service, by subject. Importing this package fills ``SQLModel.metadata``."""

from sqlmodel import SQLModel

from service.store.tables.care import RefusalRecord, Restraint, ScreeningRecord
from service.store.tables.claims import BedClaim, BedNext, Stay
from service.store.tables.inventory import Bed, Facility, OutOfServicePeriod, Room, Unit
from service.store.tables.law import (
    Approval,
    CommunityMeasure,
    Opinion,
    Term,
    TermAbsence,
    TermProposal,
)
from service.store.tables.people import (
    Assessment,
    ConsentRecord,
    FitnessStatement,
    LegalBasisRecord,
    MovementStop,
    Person,
)
from service.store.tables.scenarios import ScenarioRun
from service.store.tables.system import (
    AccessRecord,
    ApiKey,
    Event,
    EventSeal,
    IdempotencyRecord,
    ImportJob,
    ImportRow,
)
from service.store.tables.watch import (
    AuditFlag,
    Discrepancy,
    DueItem,
    Misplacement,
    PersonalWord,
    RollCount,
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
    "Approval",
    "Assessment",
    "AuditFlag",
    "Bed",
    "BedClaim",
    "BedNext",
    "CommunityMeasure",
    "ConsentRecord",
    "Decline",
    "Discrepancy",
    "DueItem",
    "Event",
    "EventSeal",
    "Facility",
    "FitnessStatement",
    "IdempotencyRecord",
    "ImportJob",
    "ImportRow",
    "LegalBasisRecord",
    "Misplacement",
    "MovementStop",
    "Opinion",
    "OutOfServicePeriod",
    "Person",
    "PersonalWord",
    "PlacementDecision",
    "PlacementRequest",
    "PlanProposal",
    "PlanningRun",
    "RefusalRecord",
    "Restraint",
    "RollCount",
    "Room",
    "ScenarioRun",
    "ScreeningRecord",
    "Stay",
    "Term",
    "TermAbsence",
    "TermProposal",
    "Transfer",
    "Unit",
    "metadata",
]
