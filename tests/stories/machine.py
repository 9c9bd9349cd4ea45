"""One step at a time: ask the API, compare with the model, the database and the log.

After every step the answer must be the model's, the database must say what the model says, every
invariant must hold in SQL, and the log must name whatever changed and nothing after a refusal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from hypothesis.stateful import RuleBasedStateMachine, invariant

from solver.codes import LegalBasis, UnitKind
from tests.service.workflow.world import World
from tests.stories import asks
from tests.stories.asks import Ask
from tests.stories.entities import OK, Bed
from tests.stories.judged_anew import broken_whole
from tests.stories.model_of_law import HOSPITAL, OUTSIDE, LawModel
from tests.stories.servers import Desk

T = TypeVar("T")


class Stage:
    """A served application and its database, shared by all examples; each has units of its own."""

    def __init__(self, world: World, desk: Desk) -> None:
        self.world = world
        self.desk = desk
        self.examples = 0
        self.outside = ""
        self.done: Counter[tuple[str, str]] = Counter()

    def new_units(self) -> list[Bed]:
        self.examples += 1
        centre, ward = f"psc-1.w{self.examples}", f"omw-1.w{self.examples}"
        self.world.unit(centre, rooms=(2, 1))
        self.world.unit(ward, rooms=(2,), kind=UnitKind.OMW)
        hospital = f"{HOSPITAL}.w{self.examples}"
        agreed = (LegalBasis.CONSTRAINED,)
        self.world.unit(hospital, rooms=(1, 1), kind=UnitKind.CTH, bases=agreed)
        self.outside = f"{OUTSIDE}.w{self.examples}"
        self.world.unit(self.outside, rooms=(), kind=UnitKind.EXT, bases=(), external=True)
        found = self.world.sql(
            "SELECT id, room_id FROM bed WHERE unit_id = ANY(:units)"
            " ORDER BY facility_id = :last, id",
            units=[centre, ward, hospital],
            last=HOSPITAL,
        )
        return [Bed(row.id, row.room_id, asks.facility_of(row.id)) for row in found]


class Stepping(RuleBasedStateMachine):
    """Asks one thing after another on a stage; its subclass says what is asked."""

    stage: ClassVar[Stage]
    model: LawModel
    logged: int
    began: int
    """The last event before this example."""
    before: dict[str, str]
    quiet: set[str]
    """Rows whose change the log tells by another's name."""

    # stepping ---------------------------------------------------------------------------
    def ask(self, name: str, ask: Ask, expected: str) -> Any:
        """Ask, and compare the answer with what the model says; None if it was refused."""
        answer = self.stage.desk(ask)
        body = answer.json()
        got = OK if answer.status_code < 300 else body["code"]
        assert got in expected.split("|"), f"{name}: {expected or 'done'} != {body}"
        assert answer.status_code < 300 or answer.status_code == 409, body
        self.stage.done[name, got] += 1
        self._log_names_the_change(name, refused=got != OK)
        return body if got == OK else None

    def tick(self) -> LawModel:
        self.model.now += 1
        return self.model

    def _rows(self) -> dict[str, str]:
        """Every row whose change is an event, as text, by its id."""
        found: dict[str, str] = {}
        for table in ("placement_request", "stay", "transfer", "bed", "out_of_service_period"):
            for row in self.stage.world.sql(f"SELECT id, t::text AS whole FROM {table} t"):
                found[row.id] = row.whole
        return found

    def _log_names_the_change(self, name: str, *, refused: bool) -> None:
        rows = self._rows()
        changed = {id_ for id_, whole in rows.items() if self.before.get(id_) != whole}
        news = self.stage.world.sql(
            "SELECT seq, e::text AS whole FROM event e WHERE seq > :seen ORDER BY seq",
            seen=self.logged,
        )
        if refused:
            assert changed == set(), f"{name} was refused and changed {changed}"
            assert news == [], f"{name} was refused and logged {news}"
            return
        said = " ".join(row.whole for row in news)
        assert news, f"{name} is not in the log"
        unsaid = {id_ for id_ in changed if id_ not in said and not id_.startswith("oos")}
        unsaid -= self.quiet
        assert unsaid == set(), f"{name} changed {unsaid}, which no event names: {said}"
        self.before, self.logged = rows, news[-1].seq

    # looking ----------------------------------------------------------------------------
    @invariant()
    def the_database_says_what_the_model_says(self) -> None:
        if not hasattr(self, "model"):
            return
        model, world = self.model, self.stage.world
        people, beds = list(model.sexes), [it.id for it in model.beds]

        def states(table: str) -> Mapping[str, str]:
            found = world.sql(
                f"SELECT id, state FROM {table} WHERE person_id = ANY(:people)", people=people
            )
            return {row.id: row.state for row in found}

        assert states("placement_request") == {it.id: it.state for it in model.requests}
        assert states("stay") == {it.id: it.state for it in model.stays}
        assert states("transfer") == {it.id: it.state for it in model.transfers}
        found = world.sql("SELECT id, state FROM bed WHERE id = ANY(:beds)", beds=beds)
        assert {row.id: row.state for row in found} == {it.id: it.state for it in model.beds}
        claims = world.sql(
            "SELECT bed_id, person_id, kind FROM bed_claim"
            " WHERE (bed_id = ANY(:beds) OR person_id = ANY(:people))"
            " AND voided_at IS NULL AND during @> clock_timestamp()",
            beds=beds,
            people=people,
        )
        expected = [it for it in model.claims if it.live(model.now)]
        assert sorted(map(tuple, claims)) == sorted(
            (it.bed.id, it.person, it.kind) for it in expected
        )

    @invariant()
    def the_invariants_hold(self) -> None:
        if not hasattr(self, "model"):
            return
        world = self.stage.world
        units = {it.room.rpartition(".")[0] for it in self.model.beds}
        with world.engine.connect() as conn:
            assert broken_whole(conn, world.ctx, units=units, after=self.began) == {}


def pick(these: Sequence[T], number: int, why: Callable[[T], str] = lambda _: "") -> T:
    """One of these, the newest first; three times out of four one that ``why`` has nothing
    against, so that a walk gets somewhere."""
    able = [it for it in these if why(it) == OK]
    pool = able if able and number % 4 != 3 else these
    return pool[-1 - number % len(pool)]
