"""Seeded rows for tests: a city of any size, its people, claims and requests.

Rows are written straight to the tables, so that a test of a reader rests on no use case.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

from sqlalchemy import Connection, insert
from sqlalchemy.dialects.postgresql import Range

from service.store.ids import new_id
from service.store.tables import core, metadata
from solver.codes import BedKind, LegalBasis, UnitKind

KINDS = [BedKind.GEN] * 12 + [BedKind.NUR, BedKind.ISO_A, BedKind.DTX, BedKind.SURGE]
STATES = ["in_service"] * 17 + ["housekeeping", "contaminated", "closing", "closed"]


@dataclass
class RandomCity:
    """Writes rows and remembers their ids. ``now`` is what the rows are written around."""

    conn: Connection
    seed: int
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    beds: list[tuple[str, str, str, str]] = field(default_factory=list)
    facilities: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    stays: dict[str, tuple[str, str]] = field(default_factory=dict)
    holds: dict[str, tuple[str, str]] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    promised: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def build(
        self, facilities: int = 3, units: int = 2, rooms: int = 4, beds: int = 3, full: float = 0.8
    ) -> Self:
        """Places, then people in ``full`` of the beds, some held, some waiting."""
        self._places(facilities, units, rooms, beds)
        for bed in self.beds:
            chance = self.random.random()
            if chance < full:
                self.admit(bed, self.person())
            elif chance < full + 0.05:
                self.hold(bed, self.person())
        for _ in range(max(2, len(self.beds) // 40)):
            self.request(self.person())
        return self

    def _places(self, facilities: int, units: int, rooms: int, beds: int) -> None:
        rows: dict[str, list[dict[str, Any]]] = {"facility": [], "unit": [], "room": [], "bed": []}
        r = self.random
        for f in range(facilities):
            fid = f"f{f}"
            self.facilities.append(fid)
            rows["facility"].append(
                {
                    "id": fid,
                    "name": fid,
                    "operator": "health",
                    "external": f == facilities - 1,
                    "duty_phone": "027-0000",
                    "east_km": r.uniform(0, 40),
                    "north_km": r.uniform(0, 40),
                    "status_ttl_minutes": r.choice([60, 720]),
                    "version": 1,
                    "retired_at": self.now if f == 1 and facilities > 4 else None,
                }
            )
            for u in range(units):
                uid = f"{fid}.w{u}"
                custodial = u % 2 == 0
                rows["unit"].append(
                    {
                        "id": uid,
                        "facility_id": fid,
                        "name": uid,
                        "kind": (UnitKind.PSC if custodial else UnitKind.CTH).value,
                        "sex": r.choice(["male", "female", None]),
                        "min_age": 18,
                        "max_age": 150,
                        "zone": "general",
                        "level_of_care": r.randrange(5),
                        "security": 2,
                        "observation": "none",
                        "licences": ["drug_treatment"],
                        "bases": ["compulsory" if custodial else "constrained"],
                        "security_owner": "public_security" if custodial else "none",
                        "medical_owner": "health",
                        "staffed_beds": r.choice([None, rooms * beds // 2, rooms * beds]),
                        "reserve": r.randrange(2),
                        "version": 1,
                    }
                )
                for m in range(rooms):
                    rid = f"{uid}.r{m:02}"
                    rows["room"].append(
                        {
                            "id": rid,
                            "unit_id": uid,
                            "name": rid,
                            "sex": None,
                            "cohort": False,
                            "version": 1,
                            "isolation": r.choice(["none", "none", "contact"]),
                            "retired_at": self.now if r.random() < 0.02 else None,
                        }
                    )
                    for b in range(beds):
                        bid = f"{rid}.b{b}"
                        self.beds.append((bid, rid, uid, fid))
                        rows["bed"].append(
                            {
                                "id": bid,
                                "room_id": rid,
                                "unit_id": uid,
                                "facility_id": fid,
                                "name": bid,
                                "kind": r.choice(KINDS).value,
                                "features": ["ACC"] * r.randrange(2),
                                "state": r.choice(STATES),
                                "state_since": self.now,
                                "expected_end": r.choice([None, self.now + timedelta(hours=3)]),
                                "confirmed_at": self.now - timedelta(minutes=r.randrange(900)),
                                "confirmed_by": "x",
                                "version": 1,
                                "retired_at": self.now if r.random() < 0.02 else None,
                            }
                        )
        for table, values in rows.items():
            keys = {key for row in values for key in row}
            whole = [{key: row.get(key) for key in keys} for row in values]
            self.conn.execute(insert(metadata.tables[table]), whole)

    def person(self) -> str:
        """A person with a basis, perhaps a consent, an assessment and a doctor's statement."""
        r, conn, now = self.random, self.conn, self.now
        id_ = f"p-{self.seed}-{len(self.people):06}"
        self.people.append(id_)
        conn.execute(
            insert(core.person),
            {
                "id": id_,
                "sex": r.choice(["male", "female"]),
                "created_at": now,
                "version": 1,
                "birth_date": date(r.randrange(1950, 2009), r.randrange(1, 13), r.randrange(1, 29)),
                "home_east_km": r.choice([None, 3.5]),
                "home_north_km": 7.25,
            },
        )
        if r.random() < 0.95:
            self.basis(id_)
        if r.random() < 0.5:
            conn.execute(
                insert(core.consent),
                {
                    "id": new_id("cn"),
                    "person_id": id_,
                    "given_by": r.choice(["person", "family"]),
                    "kinds": ["CTH"],
                    "agreement": True,
                    "starts_on": date(2026, 1, 1),
                    "ends_on": date(2027, 1, 1),
                    "withdrawn_at": r.choice([None, None, now]),
                    "recorded_by": "x",
                    "recorded_at": now,
                    "version": 1,
                },
            )
        if r.random() < 0.9:
            self.assess(id_)
        if r.random() < 0.5:
            conn.execute(
                insert(core.fitness_statement),
                {
                    "id": new_id("fs"),
                    "person_id": id_,
                    "kinds": ["PSC"],
                    "stated_by": "x",
                    "recorded_at": now,
                    "agreed_units": r.choice([None, ["f0.w0"]]),
                    "revoked_at": r.choice([None, None, now]),
                    "ends_on": now.date() + timedelta(days=r.randrange(-3, 9)),
                },
            )
        return id_

    def basis(self, person: str) -> None:
        r = self.random
        kind = r.choice([LegalBasis.COMPULSORY, LegalBasis.COMPULSORY, LegalBasis.CONSTRAINED])
        decision = kind is LegalBasis.COMPULSORY
        self.conn.execute(
            insert(core.legal_basis),
            {
                "id": new_id("lb"),
                "person_id": person,
                "kind": kind.value,
                "recorded_by": "x",
                "version": 1,
                "body": "city_police" if decision else None,
                "served_at": self.now if decision else None,
                "ground": "relapse_after" if decision else None,
                "starts_on": date(2026, 1, 1),
                "ends_on": date(2028, 1, 1),
                "under_16_reasons": False,
                "recorded_at": self.now,
                "revoked_at": r.choice([None, None, None, self.now]),
            },
        )

    def assess(self, person: str) -> None:
        r = self.random
        grade = r.choice([None, 0, 1, 2, 3, 4, 5])
        self.conn.execute(
            insert(core.assessment),
            {
                "id": new_id("as"),
                "person_id": person,
                "dimensions": {},
                "grade": grade,
                "needs": r.choice([[], ["NUR"]]),
                "isolation": r.choice(["none", "airborne", "unknown"]),
                "observation": "none",
                "pregnant": r.choice(["no", "unknown"]),
                "nursing": "no",
                "assessed_at": self.now - timedelta(minutes=r.randrange(500)),
                "assessed_by": "x",
                "recorded_at": self.now,
            },
        )

    def claim(self, bed: tuple[str, str, str, str], person: str, kind: str, **more: Any) -> str:
        id_ = new_id("cl")
        until = more.pop("until", None)
        bid, rid, uid, fid = bed
        self.conn.execute(
            insert(core.bed_claim),
            dict(
                id=id_,
                bed_id=bid,
                room_id=rid,
                unit_id=uid,
                facility_id=fid,
                person_id=person,
                kind=kind,
                during=Range(more.pop("since", self.now), until, bounds="[)"),
                emergency=False,
                occurred_at=self.now,
                recorded_at=self.now,
                recorded_by="x",
                **more,
            ),
        )
        return id_

    def admit(self, bed: tuple[str, str, str, str], person: str) -> str:
        stay = new_id("st")
        leave = self.random.random() < 0.05
        self.conn.execute(
            insert(core.stay),
            {
                "id": stay,
                "person_id": person,
                "facility_id": bed[3],
                "admitted_at": self.now,
                "state": "on_leave" if leave else "active",
                "recorded_at": self.now,
                "recorded_by": "x",
                "expected_end": self.random.choice([None, self.now + timedelta(days=9)]),
                "version": 1,
            },
        )
        claim = self.claim(
            bed,
            person,
            "leave" if leave else "stay",
            stay_id=stay,
            until=self.now + timedelta(hours=self.random.randrange(1, 9)) if leave else None,
        )
        self.stays[person] = (bed[0], claim)
        return stay

    def hold(self, bed: tuple[str, str, str, str], person: str, minutes: float = 30) -> str:
        request = self.request(person, "held")
        claim = self.claim(
            bed, person, "hold", request_id=request, until=self.now + timedelta(minutes=minutes)
        )
        self.holds[person] = (bed[0], claim)
        return claim

    def request(self, person: str, state: str = "waiting") -> str:
        id_ = new_id("rq")
        self.conn.execute(
            insert(core.placement_request),
            {
                "id": id_,
                "person_id": person,
                "state": state,
                "emergency": self.random.random() < 0.1,
                "waiting_since": self.now,
                "requested_by": "x",
                "recorded_at": self.now,
                "version": 1,
            },
        )
        if state == "waiting":
            self.waiting[person] = id_
        return id_

    def taken(self) -> set[str]:
        return {bed for bed, _ in (*self.stays.values(), *self.holds.values())}
