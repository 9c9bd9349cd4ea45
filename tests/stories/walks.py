"""What is asked at random: every verb of the lifecycles, rightly or wrongly timed.

Promises behind a departure are not modelled; approvals that would make one are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from sqlalchemy import text

from service.workflow.persons.assessments import Dimension
from solver.codes import Sex, UnitKind
from tests.stories import asks
from tests.stories.asks import CLINICIAN, OFFICER, Ask
from tests.stories.entities import OK, Claim, Request, Stay, Transfer
from tests.stories.machine import Stepping, pick
from tests.stories.model import Model
from tests.stories.model_of_law import LawModel
from tests.stories.scenes import SCENES

PEOPLE, MOST = 5, 12
ANY = st.integers(0, 11)
LATER = (datetime.now(UTC) + timedelta(days=5)).isoformat()
FINDING = {
    "dimensions": dict.fromkeys(Dimension, "G1"),
    "isolation": "none",
    "observation": "none",
    "pregnant": "no",
    "nursing": "no",
}


class Walk(Stepping):
    """A walk that begins with a scene."""

    scene: ClassVar[str]

    @initialize()
    def places(self) -> None:
        self.model = LawModel(self.stage.new_units())
        self.quiet = set()
        world = self.stage.world
        for sex in ("male", "male", "female"):
            person = world.person(sex=Sex(sex))
            world.fit_to_move(person, UnitKind.PSC, UnitKind.OMW)
            self.model.sexes[person] = sex
        self.logged = world.one("SELECT coalesce(max(seq), 0) FROM event")
        self.began = self.logged
        self.before = self._rows()
        first = self.first_steps()
        for step in SCENES[self.scene]:
            first[step]()

    def first_steps(self) -> dict[str, Callable[[], None]]:
        return {
            "submit": lambda: self.submit(1),
            "decide": lambda: self.decide(1, 1),
            "accept": lambda: self.accept(1),
            "admit": lambda: self.admit(1),
            "leave": lambda: self.leave(1),
            "return": lambda: self.come_back(1),
            "discharge": lambda: self.discharge(1),
            "cancel discharge": lambda: self.cancel_discharge(1),
            "cancel admission": lambda: self.cancel_admission(1),
            "ask for transfer": lambda: self.ask_for_transfer(1, 1),
            "go on": lambda: self.go_on_with_a_transfer(1),
        }

    # people -----------------------------------------------------------------------------
    @precondition(
        lambda self: len(self.model.held_by_law()) < PEOPLE and len(self.model.sexes) < MOST
    )
    @rule(sex=st.sampled_from(["male", "male", "female"]))
    def register(self, sex: str) -> None:
        self.tick()
        today = date.today()  # noqa: DTZ011
        body = {"sex": sex, "birth_date": "1990-05-01"}
        person = self.ask("register", Ask("POST", "/people", body, OFFICER), OK)["id"]
        self.ask(
            "record a decision",
            Ask(
                "POST",
                f"/people/{person}/legal-bases",
                {
                    "kind": "compulsory",
                    "body": "city_police",
                    "ground": "relapse_after",
                    "served_at": (datetime.now(UTC) - timedelta(days=1)).isoformat(),
                    "starts_on": str(today - timedelta(days=20)),
                    "ends_on": str(today + timedelta(days=600)),
                },
                OFFICER,
            ),
            OK,
        )
        self.ask("assess", Ask("POST", f"/people/{person}/assessments", FINDING, CLINICIAN), OK)
        fit = {"kinds": ["PSC", "OMW"], "ends_on": str(today + timedelta(days=9))}
        self.ask(
            "state fitness",
            Ask("POST", f"/people/{person}/fitness-statements", fit, CLINICIAN),
            OK,
        )
        self.model.sexes[person] = sex

    @precondition(lambda self: self.model.askers())
    @rule(who=ANY)
    def submit(self, who: int) -> None:
        model = self.tick()
        person = pick(model.askers(), who, model.why_not_submit)
        made = self.ask("submit", asks.submit(person), model.why_not_submit(person))
        if made:
            model.requests.append(Request(made["id"], person))

    # placement --------------------------------------------------------------------------
    @precondition(lambda self: self.model.requests)
    @rule(which=ANY, where=ANY)
    def decide(self, which: int, where: int) -> None:
        model = self.tick()
        request = pick(
            model.requests,
            which,
            lambda it: min(model.why_not_decide(it, bed) for bed in model.open_to(it.person)),
        )
        beds = model.open_to(request.person)
        bed = pick(beds, where, lambda it: model.why_not_decide(request, it))
        why = model.why_not_decide(request, bed)
        if self.ask("decide", asks.decide(request.id, bed.id), why):
            model.decide(request, bed)

    @precondition(lambda self: self.model.requests)
    @rule(which=ANY)
    def accept(self, which: int) -> None:
        model = self.tick()
        request = pick(model.requests, which, lambda it: model.why_not_answer(it, ("held",)))
        why = model.why_not_answer(request, ("held",))
        if self.ask("accept", asks.accept(request.id), why):
            request.state = "accepted"

    @precondition(lambda self: self.model.requests)
    @rule(which=ANY, released=st.booleans())
    def decline_or_release(self, which: int, released: bool) -> None:
        model = self.tick()
        request = pick(model.requests, which)
        why = model.why_not_answer(request, ("held", "accepted"))
        ask = asks.release(request.id) if released else asks.decline(request.id)
        if self.ask("release" if released else "decline", ask, why):
            model.free(request, "waiting")

    @precondition(lambda self: self.model.requests)
    @rule(which=ANY)
    def withdraw(self, which: int) -> None:
        model = self.tick()
        request = pick(model.requests, which)
        live = request.state in ("waiting", "held", "accepted")
        if self.ask("withdraw", asks.withdraw(request.id), OK if live else "illegal-step"):
            model.withdraw(request)

    @precondition(lambda self: self.model.requests)
    @rule(which=ANY)
    def admit(self, which: int) -> None:
        model = self.tick()
        request = pick(model.requests, which, model.why_not_admit)
        made = self.ask("admit", asks.admit(request.id), model.why_not_admit(request))
        if made:
            model.admit(request, made["id"])

    @precondition(lambda self: self.model.requests)
    @rule(which=ANY, where=ANY, way=st.sampled_from(["request", "transfer", "leave"]))
    def go_on(self, which: int, where: int, way: str) -> None:
        """The next step of something that is under way, or its first one."""
        model = self.model
        states = {it.state for it in model.requests} | {it.state for it in model.movable()}
        if way == "transfer" and model.movable():
            if any(it.live for it in model.transfers):
                self.go_on_with_a_transfer(which)
            else:
                self.ask_for_transfer(which, where)
        elif way == "leave" and model.movable():
            if "on_leave" in states:
                self.come_back(which)
            else:
                self.leave(which)
        elif "accepted" in states:
            self.admit(which)
        elif "held" in states:
            self.accept(which)
        else:
            self.decide(which, where)

    @precondition(lambda self: bool(_able_to_lapse(self.model)))
    @rule(which=ANY)
    def time_passes_over_a_hold(self, which: int) -> None:
        model = self.tick()
        hold = pick(_able_to_lapse(model), which)
        with self.stage.world.engine.begin() as conn:
            ended = conn.execute(
                text(
                    "UPDATE bed_claim SET during = tstzrange(lower(during), clock_timestamp())"
                    " WHERE bed_id = :bed AND person_id = :person AND kind = 'hold'"
                    " AND voided_at IS NULL AND during @> clock_timestamp()"
                ),
                {"bed": hold.bed.id, "person": hold.person},
            )
        assert ended.rowcount == 1
        hold.until = model.now

    # stays ------------------------------------------------------------------------------
    @precondition(lambda self: self.model.stays)
    @rule(which=ANY)
    def discharge(self, which: int) -> None:
        model = self.tick()
        stay = pick(model.stays, which, model.why_not_discharge)
        why = model.why_not_discharge(stay)
        if self.ask("discharge", asks.discharge(stay.id, self._leaves_as(stay)), why):
            model.discharge(stay)

    def _leaves_as(self, stay: Stay) -> str:
        if stay.person in self.model.words:
            return "consent_withdrawn" if stay.state == "discharge_due" else "discharged"
        return "discharged" if self.model.outside(stay) else "released"

    @precondition(lambda self: self.model.movable())
    @rule(which=ANY)
    def leave(self, which: int) -> None:
        model = self.tick()
        stay = pick(model.movable(), which, model.why_not_leave)
        why = model.why_not_leave(stay)
        if self.ask("leave", asks.begin_leave(stay.id, LATER), why):
            model.begin_leave(stay)

    @precondition(lambda self: self.model.movable())
    @rule(which=ANY)
    def come_back(self, which: int) -> None:
        model = self.tick()
        stay = pick(model.movable(), which, model.why_not_return)
        if self.ask("return", asks.end_leave(stay.id), model.why_not_return(stay)):
            model.end_leave(stay)

    @precondition(lambda self: self.model.movable())
    @rule(which=ANY)
    def cancel_admission(self, which: int) -> None:
        model = self.tick()
        stay = pick(model.movable(), which, model.why_not_cancel_admission)
        why = model.why_not_cancel_admission(stay)
        if self.ask("cancel admission", asks.cancel_admission(stay.id), why):
            model.cancel_admission(stay)

    @precondition(lambda self: self.model.movable())
    @rule(which=ANY)
    def cancel_discharge(self, which: int) -> None:
        model = self.tick()
        stay = pick(model.movable(), which, model.why_not_cancel_discharge)
        why = model.why_not_cancel_discharge(stay)
        if self.ask("cancel discharge", asks.cancel_discharge(stay.id), why):
            model.cancel_discharge(stay)

    # transfers --------------------------------------------------------------------------
    @precondition(lambda self: self.model.movable())
    @rule(which=ANY, where=ANY)
    def ask_for_transfer(self, which: int, where: int) -> None:
        model = self.tick()
        stay = pick(
            model.movable(),
            which,
            lambda it: min(model.why_not_transfer(it, bed) for bed in model.open_to(it.person)),
        )
        target = pick(
            model.open_to(stay.person),
            where,
            lambda it: model.why_not_transfer(stay, it) or model.why_not_bed(stay.person, it),
        )
        why = model.why_not_transfer(stay, target)
        made = self.ask("ask for transfer", asks.request_transfer(stay.id, target.id), why)
        if made:
            model.transfers.append(Transfer(made["id"], stay, stay.segment.bed, target))

    @precondition(lambda self: self.model.transfers)
    @rule(which=ANY)
    def approve(self, which: int) -> None:
        model = self.tick()
        move = pick(model.transfers, which, model.why_not_approve)
        if move.state == "proposed" and model.waits_for_departure(move):
            return
        if self.ask("approve", asks.approve_transfer(move.id), model.why_not_approve(move)):
            model.approve(move)

    @precondition(lambda self: self.model.transfers)
    @rule(which=ANY)
    def go_on_with_a_transfer(self, which: int) -> None:
        """The next step of the way: approved, accepted, departed, arrived."""
        if any(it.state == "proposed" for it in self.model.transfers):
            self.approve(which)
            return
        model = self.tick()
        move = pick(
            model.transfers,
            which,
            lambda it: OK if it.live and it.state != "proposed" else "not on its way",
        )
        by = {"from": asks.facility_of(move.origin.id), "to": asks.facility_of(move.target.id)}
        if move.state == "accepted":
            why = model.why_not_depart(move)
            if why == OK:
                self.papers_of_the_way(move)
            if self.ask("depart", asks.depart(move.id, by["from"]), why):
                move.state = "in_transit"
        elif move.state == "in_transit":
            why = model.why_not_arrive(move)
            if self.ask("arrive", asks.arrive(move.id, by["to"]), why):
                model.arrive(move, self._new_stay(move))
        else:
            why = model.why_not_accept_transfer(move)
            if self.ask("accept transfer", asks.accept_transfer(move.id, by["to"]), why):
                move.state = "accepted"

    def papers_of_the_way(self, move: Transfer) -> None:
        """What goes along between two facilities: nobody leaves without it."""
        if asks.facility_of(move.origin.id) == asks.facility_of(move.target.id):
            return
        if asks.facility_of(move.target.id) == "omw-1":
            paper = asks.approval(move.stay.person, "ward_move", "centre", move.id)
            self.ask("approve the way", paper, OK)
        self.ask("hand over papers", asks.write_handover(move.id), OK)

    @precondition(lambda self: self.model.transfers)
    @rule(which=ANY)
    def give_transfer_up(self, which: int) -> None:
        model = self.tick()
        move = pick(model.transfers, which)
        if move.state == "in_transit":
            by = asks.facility_of(move.origin.id)
            self.ask("turn back", asks.turn_back(move.id, by), OK)
            model.end_transfer(move, "turned_back")
        else:
            why = model.why_not_cancel_transfer(move)
            if self.ask("cancel transfer", asks.cancel_transfer(move.id), why):
                model.end_transfer(move, "cancelled")

    def _new_stay(self, move: Transfer) -> str | None:
        known = [it.id for it in self.model.stays]
        found = self.stage.world.sql(
            "SELECT id FROM stay WHERE person_id = :person AND id <> ALL(:known)",
            person=move.stay.person,
            known=known,
        )
        return found[0].id if found else None

    # beds -------------------------------------------------------------------------------
    @rule(where=ANY)
    def record_fit(self, where: int) -> None:
        model = self.tick()
        bed = pick(
            model.beds,
            where,
            lambda it: OK if it.state != "in_service" and not it.period else "fit already",
        )
        version = self.stage.desk(asks.bed(bed.id)).json()["version"]
        ask = asks.record_state(bed.id, "in_service", version)
        if self.ask("record fit", ask, model.why_not_fit(bed)):
            bed.state = "in_service"

    @precondition(lambda self: sum(it.period is not None for it in self.model.beds) < 2)
    @rule(where=ANY)
    def out_of_service(self, where: int) -> None:
        model = self.tick()
        bed = pick(model.beds, where)
        why = "overlapping-period" if bed.period else OK
        made = self.ask("out of service", asks.open_period(bed.id), why)
        if made:
            model.open_period(bed, made["period"]["id"])

    @precondition(lambda self: any(it.period for it in self.model.beds))
    @rule(which=ANY, state=st.sampled_from(["in_service", "housekeeping"]))
    def back_in_service(self, which: int, state: str) -> None:
        model = self.tick()
        bed = pick([it for it in model.beds if it.period], which)
        assert bed.period is not None
        self.ask("back in service", asks.end_period(bed.period, 1, state), OK)
        model.end_period(bed, state)


def _able_to_lapse(model: Model) -> list[Claim]:
    way = {id(it.hold) for it in model.transfers if it.state == "in_transit"}
    return [
        it for it in model.claims if it.kind == "hold" and it.live(model.now) and id(it) not in way
    ]
