"""A ward of two beds, both taken by people who could go back to the centre, and two who wait.

The only way to place the two is to move the two residents first: the smallest network in which a
plan has to make room.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from solver.codes import (
    Grade,
    Ground,
    Isolation,
    LegalBasis,
    Licence,
    Observation,
    Organ,
    Owner,
    Security,
    Sex,
    Tri,
    UnitKind,
)
from solver.domain import (
    Bed,
    Decision,
    Facility,
    Need,
    Network,
    Person,
    Request,
    Room,
    Stay,
    Unit,
)

CENTRE, WARD = "jsc-1.w1", "omw-1.w1"
RESIDENTS = ("p-resident1", "p-resident2")
WAITING = ("p-waiting001", "p-waiting002")


def full_ward(now: datetime | None = None) -> Network:
    """The network at ``now`` (default: this moment)."""
    at = now or datetime.now(UTC)
    today = at.astimezone(ZoneInfo("Asia/Shanghai")).date()
    decision = Decision(
        body=Organ.COUNTY_POLICE,
        ground=Ground.SEVERE_ADDICTION,
        starts_on=today - timedelta(days=150),
        ends_on=today + timedelta(days=300),
        served_at=at - timedelta(days=150),
    )
    custody: dict[str, Any] = {
        "security": Security.CLOSED,
        "bases": frozenset({LegalBasis.COMPULSORY}),
        "security_owner": Owner.JUSTICE,
        "observation": Observation.FREQUENT,
        "licences": frozenset({Licence.DRUG_TREATMENT}),
        "sex": Sex.MALE,
    }
    units = {
        CENTRE: Unit(CENTRE, "jsc-1", UnitKind.JSC, level_of_care=Grade.G2, **custody),
        WARD: Unit(WARD, "omw-1", UnitKind.OMW, level_of_care=Grade.G3, **custody),
    }
    rooms = {
        f"{CENTRE}.r1": Room(f"{CENTRE}.r1", CENTRE),
        f"{WARD}.r1": Room(f"{WARD}.r1", WARD),
    }
    beds = [Bed(f"{CENTRE}.r1.b{n}", f"{CENTRE}.r1") for n in (1, 2, 3)]
    beds += [Bed(f"{WARD}.r1.b{n}", f"{WARD}.r1") for n in (1, 2)]

    def somebody(pseudonym: str, grade: Grade) -> Person:
        need = Need(grade, frozenset(), Isolation.NONE, Observation.NONE, Tri.NO, Tri.NO)
        return Person(
            pseudonym,
            Sex.MALE,
            35,
            LegalBasis.COMPULSORY,
            decision,
            need=need,
            psc_since=decision.starts_on,
        )

    people = [somebody(it, Grade.G1) for it in RESIDENTS]
    people += [somebody(it, Grade.G3) for it in WAITING]
    stays = tuple(
        Stay(
            id=f"st_resident{n}",
            person=RESIDENTS[n - 1],
            bed=f"{WARD}.r1.b{n}",
            since=at - timedelta(days=20),
            may_move_to=frozenset({UnitKind.JSC}),
        )
        for n in (1, 2)
    )
    requests = tuple(
        Request(f"rq_waiting{n}", WAITING[n - 1], at - timedelta(hours=n)) for n in (1, 2)
    )
    return Network(
        now=at,
        on=today,
        facilities={it: Facility(it) for it in ("jsc-1", "omw-1")},
        units=units,
        rooms=rooms,
        beds={bed.id: bed for bed in beds},
        persons={person.id: person for person in people},
        stays=stays,
        requests=requests,
    )
