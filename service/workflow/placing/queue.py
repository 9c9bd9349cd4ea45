"""The queue 候床: who waits for a bed, in what order, and whom a hold would pass over.

Emergencies first, then the graver grade, then who has waited longer. A hold passes over somebody
ahead who waits for such a bed where such beds are scarce: sicker, or as sick and waiting longer
by the policy's margin. Judged on a snapshot; what it says names places in the queue, never people.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from service.access.caller import Role
from service.errors import Conflict, Forbidden
from service.workflow.context import Context
from service.workflow.judgement import reasoned
from solver.codes import Grade
from solver.domain import Network, Person, Request
from solver.eligibility import Facts, counted_grade, facts
from solver.ranking import fits_free_bed, free_beds

PASSED_OVER: Final = "passed_over"
"""The kind of flag an auditor finds where a coordinator went past somebody."""

_KEPT: Final = "_queue"


@dataclass(frozen=True, slots=True)
class InLine:
    """One waiting request: its place in the queue from 1, and what puts it there."""

    rank: int
    request: Request
    grade: Grade

    @property
    def order(self) -> tuple[bool, int, datetime, str]:
        """What the queue is sorted by, first comes first."""
        return (not self.request.emergency, -self.grade, self.request.since, self.request.id)


@dataclass(frozen=True, slots=True)
class PassedOver:
    """The places in the queue that a hold would pass over, in order; empty when none."""

    ranks: tuple[int, ...] = ()


NOBODY: Final = PassedOver()


class Line:
    """The queue of one snapshot; how its people look to the rules is worked out once."""

    def __init__(self, network: Network) -> None:
        self.network = network
        waiting = [
            InLine(0, it, _grade(network, network.persons[it.person], it.emergency))
            for it in network.requests
        ]
        waiting.sort(key=lambda it: it.order)
        self.waiting = tuple(
            InLine(rank, it.request, it.grade) for rank, it in enumerate(waiting, 1)
        )
        self.rank_of = {it.request.id: it.rank for it in self.waiting}
        self._facts: dict[str, Facts] = {}

    def facts_of(self, it: InLine) -> Facts:
        """Whoever waits there, as rules see them."""
        request, network = it.request, self.network
        known = self._facts.get(request.id)
        if known is None:
            known = self._facts[request.id] = facts(
                network.persons[request.person],
                network.on,
                network.now,
                network.policy,
                emergency=request.emergency,
            )
        return known

    def fits(self, it: InLine, bed: str) -> bool:
        """Whether the bed is free, lawful and safe for whoever waits there."""
        request = it.request
        declined = self.network.unit_of(bed).id in request.declined_units
        person = self.network.persons[request.person]
        return not declined and fits_free_bed(self.network, person, self.facts_of(it), bed)

    def has_more_than(self, it: InLine, beds: int) -> bool:
        """Whether more than so many free beds are lawful and safe for whoever waits there."""
        request = it.request
        person = self.network.persons[request.person]
        found = 0
        for free in free_beds(self.network, person, self.facts_of(it), request.declined_units):
            found += free
            if found > beds:
                return True
        return False

    def passed_over(
        self,
        person: str,
        since: datetime,
        beds: Collection[str],
        margin: timedelta,
        *,
        emergency: bool = False,
    ) -> PassedOver:
        """Whom a hold of any of these beds for this person, asking since then, would pass over.

        Nobody, when it is an emergency's. Somebody ahead is passed over when the beds free for
        them now are no more than the people so far ahead who wait for such a bed.
        """
        asking = self.network.persons.get(person)
        if emergency or asking is None:
            return NOBODY
        beds = [bed for bed in beds if bed in self.network.beds]
        grade = _grade(self.network, asking, emergency=False)
        ranks = {
            it.rank for bed in beds for it in self._scarce_for(person, grade, since, bed, margin)
        }
        return PassedOver(tuple(sorted(ranks)))

    def _scarce_for(
        self, person: str, grade: Grade, since: datetime, bed: str, margin: timedelta
    ) -> Iterator[InLine]:
        waiting_for_it = 0
        for it in self.waiting:
            if not it.request.emergency and it.grade < grade:
                return
            if it.request.person == person or not _ahead(it, grade, since, margin):
                continue
            if not self.fits(it, bed):
                continue
            waiting_for_it += 1
            if not self.has_more_than(it, waiting_for_it):
                yield it


def line_of(network: Network) -> Line:
    """The snapshot's queue, made on first use and kept beside its cached properties."""
    kept = vars(network)
    line = kept.get(_KEPT)
    if not isinstance(line, Line):
        line = kept[_KEPT] = Line(network)
    return line


def may_pass(ctx: Context, passed: PassedOver, past_reason: str | None) -> tuple[int, str | None]:
    """How many a decision passes over and the coordinator's reason for it, to be kept with it.

    Raises:
        Conflict: ``passes-over`` with their ranks, when no reason is given.
        Forbidden: somebody else than a coordinator gives one. Invalid: an empty one.
    """
    if not passed.ranks:
        return 0, None
    if past_reason is None:
        ranks = ", ".join(map(str, passed.ranks))
        raise Conflict(
            "passes-over",
            f"this bed is scarce, and sicker or longer-waiting people in places {ranks} of the "
            "queue wait for such a bed; decide for them first, choose another bed, or let the "
            "coordinator go past with a reason",
            ranks=list(passed.ranks),
            next="GET /api/v1/placement-requests?queue=true shows the queue; a coordinator sends "
            "past_reason",
        )
    if ctx.actor.role is not Role.COORDINATOR:
        raise Forbidden(
            "past-is-the-coordinators",
            "only a coordinator may go past somebody in the queue; ask them to decide",
            ranks=list(passed.ranks),
        )
    return len(passed.ranks), reasoned(past_reason, "/past_reason")


def _ahead(it: InLine, grade: Grade, since: datetime, margin: timedelta) -> bool:
    if it.request.emergency or it.grade > grade:
        return True
    return it.grade == grade and since - it.request.since >= margin


def _grade(network: Network, person: Person, emergency: bool) -> Grade:
    return Grade.G5 if emergency else counted_grade(person.need, network.policy)
