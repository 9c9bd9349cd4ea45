"""Seeded changes to a city of rows, each with its event in the same transaction."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import insert, text, update

from service.access.caller import SYSTEM
from service.store import events
from service.store.ids import new_id
from service.store.tables import core
from tests.service.random_city import STATES, RandomCity


class ChangingCity(RandomCity):
    """A random city that goes on living: admissions, departures, holds, lapses, corrections."""

    def event(self, operation: str, subject: str, id_: str, **ids: Any) -> None:
        events.append(self.conn, SYSTEM, operation, subject, id_, **ids)

    def change(self) -> str:
        """One random change of the city with its event, as a use case would write it."""
        name = self.random.choice(
            [
                "admission",
                "departure",
                "hold",
                "lapse",
                "bed_state",
                "out_of_service",
                "assessment",
                "paper",
                "stop",
                "request",
                "staffing",
                "promise",
                "decline",
                "basis",
                "retire",
                "new_bed",
                "merge",
            ]
        )
        getattr(self, f"_{name}")()
        return name

    def _free(self) -> tuple[str, str, str, str] | None:
        taken = self.taken()
        free = [bed for bed in self.beds if bed[0] not in taken]
        return self.random.choice(free) if free else None

    def _bed(self, bed_id: str) -> tuple[str, str, str, str]:
        return next(bed for bed in self.beds if bed[0] == bed_id)

    def _admission(self) -> None:
        if (bed := self._free()) is not None:
            person = self.person()
            stay = self.admit(bed, person)
            self.event("stay.admitted", "stay", stay, person=person, bed=bed[0], facility=bed[3])

    def _departure(self) -> None:
        if not self.stays:
            return
        person = self.random.choice(sorted(self.stays))
        bed, claim = self.stays.pop(person)
        end = text("UPDATE bed_claim SET during = tstzrange(lower(during), :at) WHERE id = :id")
        self.conn.execute(end, {"id": claim, "at": self.now + timedelta(microseconds=1)})
        self.conn.execute(
            update(core.stay)
            .where(core.stay.c.person_id == person)
            .values(state="ended", ended_at=self.now + timedelta(microseconds=1))
        )
        self.conn.execute(update(core.bed).where(core.bed.c.id == bed).values(state="housekeeping"))
        self.event("stay.ended", "stay", "st", person=person, bed=bed)
        # Whoever comes next comes after that instant.
        self.now += timedelta(microseconds=2)

    def _hold(self) -> None:
        if (bed := self._free()) is not None:
            person = self.person()
            claim = self.hold(bed, person, self.random.choice([0.001, 30, 30, 30]))
            if self.random.random() < 0.4:
                used = update(core.bed_claim).where(core.bed_claim.c.id == claim)
                self.conn.execute(used.values(used_at=self.now))
            self.event("hold.placed", "hold", claim, person=person, bed=bed[0])

    def _lapse(self) -> None:
        if self.holds:
            person = self.random.choice(sorted(self.holds))
            _bed, claim = self.holds.pop(person)
            self.conn.execute(
                update(core.bed_claim)
                .where(core.bed_claim.c.id == claim)
                .values(voided_at=self.now, voided_by="x", void_reason="released")
            )
            self.conn.execute(
                update(core.placement_request)
                .where(core.placement_request.c.person_id == person)
                .values(state="waiting")
            )
            # Only the request and the person are named: the bed must be found by the claim.
            self.event("request.returned", "placement_request", "rq", person=person)

    def _bed_state(self) -> None:
        bed = self.random.choice(self.beds)
        self.conn.execute(
            update(core.bed)
            .where(core.bed.c.id == bed[0])
            .values(state=self.random.choice(STATES), confirmed_at=self.now)
        )
        self.event("bed.state_changed", "bed", bed[0], bed=bed[0], unit=bed[2], facility=bed[3])

    def _out_of_service(self) -> None:
        bed = self.random.choice(self.beds)
        closed = self.conn.execute(
            update(core.out_of_service_period)
            .where(
                core.out_of_service_period.c.bed_id == bed[0],
                core.out_of_service_period.c.ended_at.is_(None),
            )
            .values(ended_at=self.now + timedelta(hours=5))
        ).rowcount
        if not closed:
            self.conn.execute(
                insert(core.out_of_service_period),
                {
                    "id": new_id("oo"),
                    "bed_id": bed[0],
                    "reason": "repair",
                    "note": "",
                    "opened_by": "x",
                    "began_at": self.now + timedelta(minutes=self.random.choice([-5, 60])),
                    "expected_end": self.random.choice([None, self.now + timedelta(hours=4)]),
                    "recorded_at": self.now,
                    "version": 1,
                },
            )
        self.event("out_of_service.changed", "bed", bed[0], bed=bed[0])

    def _assessment(self) -> None:
        person = self.random.choice(self.people)
        self.assess(person)
        self.event("assessment.recorded", "assessment", "as", person=person)

    def _basis(self) -> None:
        person = self.random.choice(self.people)
        self.basis(person)
        self.event("legal_basis.recorded", "legal_basis", "lb", person=person)

    def _stop(self) -> None:
        if self.stays:
            person = self.random.choice(sorted(self.stays))
            lifted = self.conn.execute(
                update(core.movement_stop)
                .where(
                    core.movement_stop.c.person_id == person,
                    core.movement_stop.c.lifted_at.is_(None),
                )
                .values(lifted_at=self.now, lifted_by="x")
            ).rowcount
            if not lifted:
                self.conn.execute(
                    insert(core.movement_stop),
                    {
                        "id": new_id("ms"),
                        "person_id": person,
                        "reason": "x",
                        "set_by": "x",
                        "set_at": self.now,
                    },
                )
            self.event("movement_stop.changed", "person", person, person=person)

    def _request(self) -> None:
        person = self.person()
        self.event("request.made", "placement_request", self.request(person), person=person)

    def _decline(self) -> None:
        if self.waiting:
            person = self.random.choice(sorted(self.waiting))
            unit = self.random.choice(self.beds)[2]
            self.conn.execute(
                insert(core.decline),
                {
                    "id": new_id("dc"),
                    "request_id": self.waiting[person],
                    "unit_id": unit,
                    "code": "no_bed",
                    "reason": "",
                    "declined_by": "x",
                    "declined_at": self.now,
                },
            )
            # Nobody is named: the reader has to look the request up.
            self.event("request.declined", "placement_request", self.waiting[person], unit=unit)

    def _staffing(self) -> None:
        bed = self.random.choice(self.beds)
        self.conn.execute(
            update(core.unit)
            .where(core.unit.c.id == bed[2])
            .values(staffed_beds=self.random.randrange(9))
        )
        self.event("unit.changed", "unit", bed[2], unit=bed[2], facility=bed[3])

    def _promise(self) -> None:
        free = [p for p in sorted(self.waiting) if p not in self.promised]
        # A bed that is being cleaned is promised as well as one that is occupied.
        beds = sorted(bed[0] for bed in self.beds if bed[0] not in self.promised.values())
        if self.promised and self.random.random() < 0.4:
            person = self.random.choice(sorted(self.promised))
            self.promised.pop(person)
            self.conn.execute(
                update(core.bed_next)
                .where(core.bed_next.c.person_id == person)
                .values(state="cancelled", ended_at=self.now)
            )
            self.event("next.cancelled", "bed_next", "bn", person=person)
        elif free and beds:
            person, bed = self.random.choice(free), self.random.choice(beds)
            self.promised[person] = bed
            self.conn.execute(
                insert(core.bed_next),
                {
                    "id": new_id("bn"),
                    "bed_id": bed,
                    "person_id": person,
                    "request_id": self.waiting[person],
                    "state": "live",
                    "created_at": self.now,
                    "created_by": "x",
                },
            )
            self.event("next.promised", "bed_next", "bn", person=person, bed=bed)

    def _retire(self) -> None:
        if (bed := self._free()) is not None:
            self.conn.execute(
                update(core.bed).where(core.bed.c.id == bed[0]).values(retired_at=self.now)
            )
            self.event("bed.retired", "bed", bed[0], bed=bed[0], facility=bed[3])

    def _new_bed(self) -> None:
        _, room, unit, facility = self.random.choice(self.beds)
        bed = f"{room}.n{len(self.beds)}"
        self.conn.execute(
            insert(core.bed),
            {
                "id": bed,
                "room_id": room,
                "unit_id": unit,
                "facility_id": facility,
                "name": bed,
                "kind": "GEN",
                "features": [],
                "state": "in_service",
                "state_since": self.now,
                "confirmed_at": self.now,
                "confirmed_by": "x",
                "version": 1,
            },
        )
        self.beds.append((bed, room, unit, facility))
        self.event("bed.added", "bed", bed, bed=bed, facility=facility)

    def _merge(self) -> None:
        mergeable = sorted(set(self.waiting) - set(self.promised))
        if len(mergeable) > 1:
            gone, kept = self.random.sample(mergeable, 2)
            self.conn.execute(
                update(core.placement_request)
                .where(core.placement_request.c.id == self.waiting.pop(gone))
                .values(state="withdrawn", ended_at=self.now)
            )
            self.conn.execute(
                update(core.person).where(core.person.c.id == gone).values(merged_into=kept)
            )
            self.event("person.merged", "person", gone, person=kept, data={"merged": [gone]})

    def _paper(self) -> None:
        """An organ's answer, a doctor's opinion or an officer's screening."""
        person, now = self.random.choice(self.people), self.now
        common = {"person_id": person, "recorded_at": now}
        said = {"recorded_by": "x", **common}
        kind, table, values = self.random.choice(
            [
                ("approval", core.approval, {
                    "kind": "voluntary_in_centre", "organ": "city_police", "granted": True,
                    "decided_on": now.date() - timedelta(days=1),
                    "valid_until": now.date() + timedelta(days=self.random.randrange(3)), **said,
                }),
                ("opinion", core.opinion, {
                    "kind": "joint_hospital", "at_risk": self.random.random() < 0.5,
                    "hospital": "x", "doctors": ["x"], "stated_at": now, **said,
                }),
                ("screening", core.screening, {
                    "consciousness": "alert", "bleeding": "no", "cough_or_fever": "yes",
                    "self_harm": "unknown", "last_alcohol_or_sedative": "within_24h",
                    "outcome": "caution", "screened_at": now, "screened_by": "x", **common,
                }),
            ]
        )  # fmt: skip
        id_ = new_id("zz")
        self.conn.execute(insert(table), {"id": id_, **values})
        # Only the record is named: its person must be found by it.
        self.event(f"{kind}.recorded", kind, id_)
