"""The pure model's part on words, terms, emergencies and merged records: what each does to beds,
claims, requests and stays.

Nobody here is taken from a hospital by an emergency, and no correction of an escape is modelled.
"""

from __future__ import annotations

from tests.stories import asks
from tests.stories.entities import OK, Bed, Claim, Request, Stay
from tests.stories.model import Model

OUTSIDE, HOSPITAL = "ext-1", "hosp-1"


class LawModel(Model):
    """The model, knowing who came by their own word, who escaped and whose term is over."""

    def __init__(self, beds: list[Bed]) -> None:
        super().__init__(beds)
        self.words: dict[str, bool] = {}
        """Who came by their own word, and whether it stands."""
        self.unnamed: list[str] = []
        self.away: set[str] = set()
        self.let_out: set[str] = set()
        """Whose term was ended: nothing holds them."""

    # who and where ----------------------------------------------------------------------------
    def held_by_law(self) -> list[str]:
        """Everybody under a term that runs."""
        others = {*self.words, *self.unnamed, *self.let_out}
        return [it for it in self.sexes if it not in others]

    def askers(self) -> list[str]:
        """For whom a bed may be asked: neither escaped nor unnamed nor let go."""
        return [it for it in self.sexes if it not in {*self.unnamed, *self.let_out, *self.away}]

    def open_to(self, person: str) -> list[Bed]:
        own = person in self.words
        return [it for it in self.beds if (asks.facility_of(it.id) == HOSPITAL) is own]

    def outside(self, stay: Stay) -> bool:
        return asks.facility_of(stay.segment.bed.id) == OUTSIDE

    def movable(self) -> list[Stay]:
        """Stays of custody, whose person's term runs: what transfers, leaves and corrections are
        asked of."""
        held = set(self.held_by_law())
        return [
            it
            for it in self.stays
            if it.person in held and not self.outside(it) and it.ended_as != "escaped"
        ]

    def present_outside(self, person: str) -> Stay | None:
        found = (it for it in self.open_stays(person) if it.state != "on_leave")
        return next((it for it in found if self.outside(it)), None)

    def why_not_bed(self, person: str, bed: Bed, own: Claim | None = None) -> str:
        claim = self.on_bed(bed)
        free = bed.state == "in_service" and (claim is None or claim.person == person)
        if free and not self.words.get(person, True):
            return "refused-by-rules"
        return super().why_not_bed(person, bed, own)

    # words ------------------------------------------------------------------------------------
    def agree(self, person: str) -> None:
        self.words[person] = True
        for it in self.open_stays(person):
            it.state = "active"

    def take_back(self, person: str) -> None:
        """The stay is due for discharge, and what was asked for is asked no more."""
        self.words[person] = False
        for it in self.open_stays(person):
            it.state = "discharge_due"
        if request := self.live_request(person):
            self.withdraw(request)

    # emergencies ------------------------------------------------------------------------------
    def why_not_rescue(self, person: str) -> str:
        return "already-there" if self.present_outside(person) else OK

    def rescue(self, person: str, stay: str, bed: Bed) -> None:
        self._drop_everything(person)
        for it in list(self.open_stays(person)):
            if it.state != "on_leave":
                self._go_on(it, "leave", it.segment.bed)
                it.state = "on_leave"
        self._begin(stay, person, bed, None)

    def _drop_everything(self, person: str, way_ends: str | None = None) -> None:
        """What was asked for the person, or under way, ends."""
        move = self.live_transfer(person)
        if move is not None:
            under_way = move.state == "in_transit"
            self.end_transfer(move, way_ends or ("diverted" if under_way else "cancelled"))
        if request := self.live_request(person):
            self.withdraw(request)

    # terms ------------------------------------------------------------------------------------
    def escape(self, person: str) -> None:
        self.away.add(person)
        self._drop_everything(person, "escaped")
        for it in list(self.open_stays(person)):
            self._end(it, "escaped")

    def let_go(self, person: str) -> None:
        """Out of every bed of custody; a hospital's bed outside is theirs until they leave it,
        and nothing carries it any more."""
        self.let_out.add(person)
        self.away.discard(person)
        self._drop_everything(person)
        for it in list(self.open_stays(person)):
            if not self.outside(it):
                self._end(it, "released")
            else:
                it.state = "discharge_due"

    def found(self, person: str, request: str | None) -> None:
        self.away.discard(person)
        if request is not None:
            self.requests.append(Request(request, person))

    def asks_when_found(self, person: str) -> bool:
        here = any(it.state != "on_leave" for it in self.open_stays(person))
        return not here and self.live_request(person) is None

    def _end(self, stay: Stay, code: str) -> None:
        stay.state, stay.ended_as = "ended", code
        stay.segment.until = self.now
        self._vacate(stay.segment.bed)

    # records ----------------------------------------------------------------------------------
    def why_not_merge(self, keep: str, unnamed: str) -> str:
        came = self.present_outside(unnamed)
        here = [it for it in self.open_stays(keep) if it.state != "on_leave"]
        spared: list[Claim] = []
        if came is not None and not any(self.outside(it) for it in here):
            spared = [it.segment for it in here if it.segment.since < came.segment.since]
        ours = [it for it in self._lain(keep) if it not in spared]
        theirs = self._lain(unnamed)
        both = any(_overlap(one, other) for one in ours for other in theirs)
        return "in-two-beds" if both else OK

    def merge(self, keep: str, unnamed: str) -> None:
        """Whoever was unnamed is ``keep``, and where the emergency brought them."""
        came = self.present_outside(unnamed)
        if came is not None:
            self._drop_everything(keep)
            for it in list(self.open_stays(keep)):
                if it.state != "on_leave":
                    self._go_on(it, "leave", it.segment.bed)
                    it.segment.since = came.segment.since
                    it.segments[-2].until = came.segment.since
                    it.state = "on_leave"
        for stay in self.stays:
            stay.person = keep if stay.person == unnamed else stay.person
        for claim in self.claims:
            claim.person = keep if claim.person == unnamed else claim.person
        self.unnamed.remove(unnamed)
        del self.sexes[unnamed]

    def _lain(self, person: str) -> list[Claim]:
        return [it for it in self.claims if it.person == person and it.kind == "stay"]


def _overlap(one: Claim, other: Claim) -> bool:
    return (one.until is None or other.since < one.until) and (
        other.until is None or one.since < other.until
    )
