"""The Network of one process, kept current from the event log instead of read for each request.

A keeper starts with one whole reading and then reads again only what the events since then
touched, and what time alone changed (a hold lapsed, a status grew stale, a birthday came). Each
refresh reads everything from one snapshot of the database, together with the events that are
committed and not placed yet, so the Network is the state of one instant: all of the log up to
``position``, and perhaps a moment more.
"""

import asyncio
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection, DateTime, Engine, func, select

from service.errors import Unavailable
from service.policy import Policy
from service.store.event_reader import LoggedEvent, last_position, read_since, read_unplaced
from service.store.network import City
from service.store.network_people import legal_day
from service.store.tables import core
from solver.domain import Network

BACKLOG: Final = 2_000
"""With more events than this to catch up on, reading everything is cheaper."""
WHOLE_EVERY: Final = timedelta(minutes=10)
"""A whole reading, so that an event that names too little is not believed for ever."""
TICK: Final = timedelta(minutes=1)
"""How far the Network's ``now`` may lie behind the clock when nothing happens."""

LOOK_S: Final = 5.0
"""The log is looked at this often even if nobody says that it moved."""

_PLACES: Final = frozenset({"facility", "unit", "room"})
_NO_NETWORK: Final = frozenset(
    {
        "api_key",
        "planning_run",
        "scenario",
        "access_record",
        "import_job",
        "due_item",
        "misplacement",
        "discrepancy",
        "roll_count",
        "restraint",
        "personal_word",
        "audit_flag",
        "refusal_record",
        "community_measure",
    }
)
"""Records that nothing in the Network is read from."""
_OF_PERSON: Final = {
    "placement_request": core.placement_request,
    "stay": core.stay,
    "transfer": core.transfer,
    "bed_claim": core.bed_claim,
    "bed_next": core.bed_next,
    "legal_basis": core.legal_basis,
    "consent": core.consent,
    "assessment": core.assessment,
    "fitness_statement": core.fitness_statement,
    "movement_stop": core.movement_stop,
    "term": core.term,
    "term_absence": core.term_absence,
    "approval": core.approval,
    "opinion": core.opinion,
    "screening": core.screening,
}
_CLOCK: Final = select(func.clock_timestamp(type_=DateTime(timezone=True)))

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Touched:
    """What events say has to be read again. ``records``: ids by table whose person is unknown."""

    persons: set[str] = field(default_factory=set)
    beds: set[str] = field(default_factory=set)
    facilities: set[str] = field(default_factory=set)
    records: dict[str, set[str]] = field(default_factory=dict)
    everything: bool = False

    def __bool__(self) -> bool:
        return self.everything or bool(self.persons or self.beds or self.facilities or self.records)


def touched_by(events: Iterable[LoggedEvent], city: City) -> Touched:
    """The persons, beds and facilities that these events name, in their ids or in their data.

    An event about a place means its whole facility. One that names nothing known means everything.
    """
    found = Touched()
    for event in events:
        if event.subject_type in _NO_NETWORK:
            continue
        if event.subject_type in _PLACES:
            if event.facility_id is not None:
                found.facilities.add(event.facility_id)
            else:
                found.everything = True
            continue
        persons = {event.person_id} if event.person_id is not None else set()
        beds = {event.bed_id} if event.bed_id is not None else set()
        if event.subject_type == "person":
            persons.add(event.subject_id)
        if event.subject_type == "bed":
            beds.add(event.subject_id)
        for value in event.data.values():
            for word in value if isinstance(value, list) else (value,):
                if isinstance(word, str):
                    if word in city.people or word.startswith("p-"):
                        persons.add(word)
                    if word in city.beds:
                        beds.add(word)
        if not persons and event.subject_type in _OF_PERSON:
            found.records.setdefault(event.subject_type, set()).add(event.subject_id)
        elif not persons and not beds:
            if event.facility_id is not None:
                found.facilities.add(event.facility_id)
            else:
                found.everything = True
        if event.facility_id is not None and beds - city.beds.keys():
            # A bed not seen before may stand in a room not seen before.
            found.facilities.add(event.facility_id)
        found.persons |= persons
        found.beds |= beds
    return found


class NetworkKeeper:
    """Holds the newest Network of this process. ``refresh`` runs in a worker thread; ``current``
    may be called from anywhere and never waits for a refresh."""

    def __init__(self, engine: Engine, policy: Policy) -> None:
        self._engine = engine.execution_options(isolation_level="REPEATABLE READ")
        self._policy = policy
        self._lock = threading.Lock()
        self._city: City | None = None
        self._network: Network | None = None
        self._placed_early: set[int] = set()
        self._whole_at = datetime.min.replace(tzinfo=UTC)
        self.next_change_at: datetime | None = None

    @property
    def position(self) -> int:
        """The event position the Network was read at, 0 before the first reading."""
        return self._network.position if self._network is not None else 0

    def current(self) -> Network:
        """The newest Network.

        Raises:
            Unavailable: it could not be read yet.
        """
        if self._network is None:
            raise Unavailable(
                "network-unavailable",
                "the network of places could not be read yet; try again in a moment",
                headers={"Retry-After": "2"},
            )
        return self._network

    async def refresh_async(self) -> Network:
        """As ``refresh``, in a worker thread."""
        return await asyncio.to_thread(self.refresh)

    def refresh(self) -> Network:
        """Bring the Network up to the log and the clock, and return it."""
        with self._lock, self._engine.begin() as conn:
            position = last_position(conn)
            early = read_unplaced(conn)
            now = conn.execute(_CLOCK).scalar_one().astimezone(UTC)
            city = self._city
            try:
                changed = city is None or self._follow(conn, city, position, early, now)
            except Exception:
                # Half a reading must not be built on; the next refresh reads everything.
                self._city = None
                raise
            if city is None or now - self._whole_at >= WHOLE_EVERY:
                city = self._read_all(conn, now)
            city.position = position
            self._city = city
            self._placed_early |= {event.seq for event in early}
            if changed or self._network is None or self._is_old(now):
                self._show(city, now)
            else:
                self._move_position(position)
            assert self._network is not None
            return self._network

    def seconds_to_next_change(self) -> float:
        """How long time alone leaves the Network as it is; at most ``LOOK_S``."""
        if self.next_change_at is None:
            return LOOK_S
        return min(max((self.next_change_at - datetime.now(UTC)).total_seconds(), 0.05), LOOK_S)

    def _read_all(self, conn: Connection, now: datetime) -> City:
        city = City.load(conn, self._policy, now)
        old = self._city
        if old is not None and (old.beds != city.beds or old.people != city.people):
            _log.warning("network_had_drifted", position=city.position)
        self._whole_at = now
        return city

    def _follow(
        self,
        conn: Connection,
        city: City,
        position: int,
        early: Iterable[LoggedEvent],
        now: datetime,
    ) -> bool:
        """Read again what events and time touched; whether there was anything."""
        events = list(read_since(conn, city.position, BACKLOG)) if position > city.position else []
        news = [it for it in events if it.seq not in self._placed_early]
        self._placed_early -= {it.seq for it in events}
        news += [it for it in early if it.seq not in self._placed_early]
        touched = touched_by(news, city)
        due_persons, due_beds = city.due(now)
        touched.persons |= due_persons
        touched.beds |= due_beds
        touched.persons |= _persons_of(conn, touched.records)
        if touched.everything or len(events) >= BACKLOG:
            self._whole_at = datetime.min.replace(tzinfo=UTC)
            self._placed_early = set()
            self._city = None
        elif touched:
            city.reload(
                conn,
                now,
                persons=touched.persons,
                beds=touched.beds,
                facilities=touched.facilities,
            )
        return bool(touched)

    def _is_old(self, now: datetime) -> bool:
        shown = self._network
        if shown is None or now - shown.now >= TICK:
            return True
        return shown.on != legal_day(now, self._policy.zone)

    def _show(self, city: City, now: datetime) -> None:
        city.now = now
        self.next_change_at = city.next_change_at()
        self._network = city.network()

    def _move_position(self, position: int) -> None:
        """The log went on without touching the network: only the position is newer."""
        assert self._network is not None
        if position != self._network.position:
            assert self._city is not None
            self._show(self._city, self._network.now)


def _persons_of(conn: Connection, records: dict[str, set[str]]) -> set[str]:
    """The people that these records are about."""
    found: set[str] = set()
    for kind, ids in records.items():
        table = _OF_PERSON[kind]
        query = select(table.c.person_id).where(table.c.id.in_(sorted(ids)))
        found |= set(conn.execute(query).scalars())
    return found
