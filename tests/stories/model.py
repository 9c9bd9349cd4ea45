"""A pure model of beds, claims and people: what each step should do, or the code of the problem.

Written from the lifecycles and the design's rules on claims, not from the service's code. Time is
a counter of steps; a claim is half-open ``[since, until)`` as in the database.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.stories.entities import OK, Bed, Claim, Request, Stay, Transfer


class Model:
    """Everything of one example. A step asks ``why_not_...`` first and is then applied."""

    def __init__(self, beds: list[Bed]) -> None:
        self.now = 0
        self.beds = beds
        self.sexes: dict[str, str] = {}
        self.claims: list[Claim] = []
        self.requests: list[Request] = []
        self.stays: list[Stay] = []
        self.transfers: list[Transfer] = []

    # looking ----------------------------------------------------------------------------------
    def over(self, hold: Claim | None) -> bool:
        return hold is not None and not hold.live(self.now)

    def on_bed(self, bed: Bed) -> Claim | None:
        return next((it for it in self.claims if it.bed is bed and it.live(self.now)), None)

    def present(self, bed: Bed) -> bool:
        """Whether somebody is in the bed, not merely holds or keeps it."""
        claim = self.on_bed(bed)
        return claim is not None and claim.kind == "stay"

    def live_request(self, person: str) -> Request | None:
        live = ("waiting", "held", "accepted")
        return next((it for it in self.requests if it.person == person and it.state in live), None)

    def live_transfer(self, person: str) -> Transfer | None:
        return next((it for it in self.transfers if it.stay.person == person and it.live), None)

    def open_stays(self, person: str) -> Iterator[Stay]:
        return (it for it in self.stays if it.person == person and it.state != "ended")

    def _company(self, person: str, room: str, since: int) -> Claim | None:
        """Somebody of the other sex with a claim on the room at ``since`` or later."""
        return next(
            (
                it
                for it in self.claims
                if it.bed.room == room
                and self.sexes[it.person] != self.sexes[person]
                and (it.until is None or it.until > since)
            ),
            None,
        )

    def _elsewhere(self, person: str, bed: Bed, since: int) -> Claim | None:
        return next(
            (
                it
                for it in self.claims
                if it.person == person
                and it.kind == "stay"
                and (it.until is None or it.until > since)
            ),
            None,
        )

    def why_not_bed(self, person: str, bed: Bed, own: Claim | None = None) -> str:
        """Why the person may not take the bed now; ``own`` is the hold they come on."""
        claim = self.on_bed(bed)
        unfit = bed.state != "in_service"
        taken = claim is not None and claim.person != person
        if not unfit and not taken and self._company(person, bed.room, self.now):
            return "refused-by-rules"
        if taken:
            return "bed-taken"
        if unfit:
            return "bed-not-in-service"
        return "bed-taken" if claim is not None and claim is not own else OK

    # placement --------------------------------------------------------------------------------
    def why_not_submit(self, person: str) -> str:
        if self.live_request(person):
            return "request-live"
        if any(it.state != "on_leave" for it in self.open_stays(person)):
            return "person-in-a-bed"
        return OK

    def why_not_decide(self, request: Request, bed: Bed) -> str:
        waits = request.state == "waiting" or self.over(request.hold)
        return self.why_not_bed(request.person, bed) if waits else "illegal-step"

    def decide(self, request: Request, bed: Bed) -> None:
        self.settle(request)
        request.hold = self.claim(bed, request.person, "hold")
        request.state = "held"

    def settle(self, request: Request) -> None:
        """A hold that is over is written off before anything else happens to its request."""
        if request.hold is not None and self.over(request.hold):
            request.hold.written_off = True
            request.hold, request.state = None, "waiting"

    def why_not_answer(self, request: Request, states: tuple[str, ...]) -> str:
        if request.state not in states:
            return "illegal-step"
        return "hold-lapsed" if self.over(request.hold) else OK

    def free(self, request: Request, state: str) -> None:
        if request.hold is not None:
            self.claims.remove(request.hold)
        request.hold, request.state = None, state

    def withdraw(self, request: Request) -> None:
        self.settle(request)
        self.free(request, "withdrawn")

    def why_not_admit(self, request: Request) -> str:
        early = self.why_not_answer(request, ("accepted",))
        if early or request.hold is None:
            return early
        bed = request.hold.bed
        return self.why_not_bed(request.person, bed, request.hold) or (
            "person-elsewhere" if self._elsewhere(request.person, bed, self.now) else OK
        )

    def admit(self, request: Request, stay: str) -> None:
        assert request.hold is not None
        bed = request.hold.bed
        self._use(request.hold)
        self._begin(stay, request.person, bed, request)
        request.hold, request.state = None, "admitted"

    # stays ------------------------------------------------------------------------------------
    def why_not_discharge(self, stay: Stay) -> str:
        if stay.state == "ended":
            return "illegal-step"
        move = self.live_transfer(stay.person)
        return "illegal-step" if move and move.stay is stay and move.state == "in_transit" else OK

    def discharge(self, stay: Stay) -> None:
        move = self.live_transfer(stay.person)
        if move is not None and move.stay is stay:
            self.end_transfer(move, "cancelled")
        stay.state, stay.ended_as = "ended", "released"
        stay.segment.until = self.now
        self._vacate(stay.segment.bed)

    def why_not_leave(self, stay: Stay) -> str:
        if stay.state != "active":
            return "illegal-step"
        return "transfer-live" if self.live_transfer(stay.person) else OK

    def begin_leave(self, stay: Stay) -> None:
        self._go_on(stay, "leave", stay.segment.bed)
        stay.state = "on_leave"

    def why_not_return(self, stay: Stay) -> str:
        if stay.ended_as == "entered_in_error":
            return "no-segment"
        if stay.state != "on_leave":
            return "illegal-step"
        if stay.segment.bed.state not in ("in_service", "closing"):
            return "bed-not-in-service"
        away = self._elsewhere(stay.person, stay.segment.bed, self.now)
        return "person-elsewhere" if away else OK

    def end_leave(self, stay: Stay) -> None:
        self._go_on(stay, "stay", stay.segment.bed)
        stay.state = "active"

    # corrections ------------------------------------------------------------------------------
    def why_not_cancel_admission(self, stay: Stay) -> str:
        if stay.state == "ended":
            return "illegal-step"
        if stay.moved:
            return "transferred"
        if stay.state == "on_leave":
            return "on-leave"
        return "transfer-live" if self.live_transfer(stay.person) else OK

    def cancel_admission(self, stay: Stay) -> None:
        for it in stay.segments:
            self.claims.remove(it)
        stay.state, stay.ended_as = "ended", "entered_in_error"
        if stay.request is not None and stay.request.state == "admitted":
            other = self.live_request(stay.person)
            stay.request.state = "waiting" if other is None else "withdrawn"

    def why_not_cancel_discharge(self, stay: Stay) -> str:
        if stay.ended_as == "entered_in_error":
            return "no-segment"
        if stay.ended_as == "transferred":
            return "not-discharged"
        if stay.state != "ended":
            return "illegal-step"
        last = stay.segment
        assert last.until is not None
        later = [it for it in self.claims if it.bed is last.bed and it is not last]
        if any(it.until is None or it.until > last.until for it in later):
            return "bed-given-away"
        forgotten = self._past_holds(last.bed.room, last.since)
        counted = [it for it in self.claims if it not in forgotten and it is not last]
        probe = Model(self.beds)
        probe.sexes, probe.claims = self.sexes, counted
        away = last.kind == "stay" and probe._elsewhere(stay.person, last.bed, last.since)
        mixed = probe._company(stay.person, last.bed.room, last.since)
        if away and mixed:
            return "person-elsewhere|bed-was-taken"
        return "person-elsewhere" if away else "bed-was-taken" if mixed else OK

    def cancel_discharge(self, stay: Stay) -> None:
        last = stay.segment
        for it in self._past_holds(last.bed.room, last.since):
            self.claims.remove(it)
        last.until = None
        stay.state = "active" if last.kind == "stay" else "on_leave"
        stay.ended_as = None
        if last.bed.state in ("housekeeping", "contaminated"):
            last.bed.state = "in_service"
        elif last.bed.state == "closed":
            last.bed.state = "closing"

    def _past_holds(self, room: str, since: int) -> list[Claim]:
        return [
            it
            for it in self.claims
            if it.kind == "hold"
            and it.bed.room == room
            and it.written_off
            and it.until is not None
            and since < it.until <= self.now
        ]

    # transfers --------------------------------------------------------------------------------
    def why_not_transfer(self, stay: Stay, target: Bed) -> str:
        if stay.state != "active":
            return "not-in-bed"
        if self.live_transfer(stay.person):
            return "transfer-live"
        return "same-bed" if stay.segment.bed is target else OK

    def waits_for_departure(self, move: Transfer) -> bool:
        """Whether the approval would promise the bed instead of holding it; not modelled."""
        claim = self.on_bed(move.target)
        if claim is None:
            return move.target.state in ("housekeeping", "contaminated")
        leaving = self.live_transfer(claim.person)
        return claim.kind == "stay" and leaving is not None and leaving.state != "proposed"

    def why_not_approve(self, move: Transfer) -> str:
        if move.state != "proposed":
            return "illegal-step"
        person = move.stay.person
        if any(
            it.person == person and it.kind == "hold" and it.live(self.now) for it in self.claims
        ):
            return "not-movable"
        claim = self.on_bed(move.target)
        if claim is None or claim.kind == "hold":
            return self.why_not_bed(person, move.target)
        return "no-departure" if move.target.state == "in_service" else "bed-taken"

    def approve(self, move: Transfer) -> None:
        move.hold = self.claim(move.target, move.stay.person, "hold")
        move.state = "approved"

    def why_not_accept_transfer(self, move: Transfer) -> str:
        if move.state != "approved":
            return "illegal-step"
        return "hold-lapsed" if self.over(move.hold) else OK

    def why_not_depart(self, move: Transfer) -> str:
        if move.state != "accepted":
            return "illegal-step"
        if self.over(move.hold):
            return "hold-lapsed"
        return self.why_not_bed(move.stay.person, move.target, move.hold)

    def why_not_arrive(self, move: Transfer) -> str:
        if move.state != "in_transit":
            return "illegal-step"
        return self.why_not_bed(move.stay.person, move.target, move.hold)

    def arrive(self, move: Transfer, new_stay: str | None) -> None:
        """``new_stay``: the stay that begins at another facility."""
        assert move.hold is not None
        self._use(move.hold)
        move.hold, move.state = None, "completed"
        stay = move.stay
        if new_stay is None:
            self._go_on(stay, "stay", move.target)
            stay.moved = True
        else:
            stay.segment.until = self.now
            stay.state, stay.ended_as = "ended", "transferred"
            self._begin(new_stay, stay.person, move.target, stay.request).moved = True
        self._vacate(move.origin)

    def why_not_cancel_transfer(self, move: Transfer) -> str:
        return OK if move.state in ("proposed", "approved", "accepted") else "illegal-step"

    def end_transfer(self, move: Transfer, state: str) -> None:
        if move.hold is not None and self.over(move.hold):
            move.hold.written_off = True
        elif move.hold is not None:
            self.claims.remove(move.hold)
        move.hold, move.state = None, state

    # beds -------------------------------------------------------------------------------------
    def why_not_fit(self, bed: Bed) -> str:
        return "out-of-service" if bed.period else OK

    def open_period(self, bed: Bed, period: str) -> None:
        bed.period = period
        bed.state = "closing" if self.present(bed) else "closed"

    def end_period(self, bed: Bed, state: str) -> None:
        bed.period = None
        bed.state = "in_service" if self.present(bed) else state

    # writing ----------------------------------------------------------------------------------
    def claim(self, bed: Bed, person: str, kind: str) -> Claim:
        made = Claim(bed, person, kind, self.now)
        self.claims.append(made)
        return made

    def _use(self, hold: Claim) -> None:
        hold.until, hold.written_off = self.now, True

    def _begin(self, stay: str, person: str, bed: Bed, request: Request | None) -> Stay:
        segment = self.claim(bed, person, "stay")
        made = Stay(stay, person, segment, request=request, segments=[segment])
        self.stays.append(made)
        return made

    def _go_on(self, stay: Stay, kind: str, bed: Bed) -> None:
        stay.segment.until = self.now
        stay.segment = self.claim(bed, stay.person, kind)
        stay.segments.append(stay.segment)

    def _vacate(self, bed: Bed) -> None:
        if bed.state == "closing":
            bed.state = "closed"
        elif bed.state != "closed":
            bed.state = "housekeeping"
