"""What requests cost, in units of a hello-world: ``python -m tests.benchmarks.bench_api [rounds]``.

One uvicorn process as ``rehab-beds serve`` runs it, over the seeded city on a durable embedded
server. Each measurement is a ratio to a hello-world on the same process a second before: a shared
machine changes the rates and hardly the ratios. Load comes from this process, on the same machine.
"""

import json
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final
from uuid import uuid4

from sqlalchemy import text

from service.commands.database import context_of
from tests.benchmarks.load import Answer, Crowd, Next, again, request
from tests.benchmarks.measure import HEADING, Bench, Series
from tests.benchmarks.seeded import Seeded, Served, seeded_city, serving
from tests.service.workflow.world import World

CONNECTIONS: Final = 50
DESKS: Final = 8
"""Officers who decide and admit at once; polls and bed states come from ``CONNECTIONS``."""
SECONDS: Final = 3.0
UNITS, ROOMS, ROOM_BEDS = 20, 5, 2
BURSTS: Final = 5
CROWD: Final = 200
LAST_BEDS: Final = (2, 3, 1, 4)
WHY: Final = {"reason": "as agreed with the doctor"}
BY: Final = {"officer": "officer Lin", "reason": "nearest lawful bed"}

_OCCUPIED = text(
    "SELECT bed.id, bed.version FROM bed JOIN bed_claim AS claim ON claim.bed_id = bed.id"
    " WHERE claim.kind = 'stay' AND claim.voided_at IS NULL AND claim.during @> now()"
    " AND bed.state = 'in_service' AND bed.retired_at IS NULL ORDER BY bed.id"
)


def main(rounds: int = 5) -> None:
    """Print the table."""
    with seeded_city() as city, serving(city) as served:
        measured = _measure(
            Bench(city, served, Crowd(served.port, CONNECTIONS)),
            Bench(city, served, Crowd(served.port, DESKS)),
            rounds,
        )
        print(f"{rounds} rounds, one API process, fsync on")
        print(f"{CONNECTIONS} connections; holds and admissions {DESKS}")
        print(HEADING)
        for series in measured:
            print(series.line())
        _last_beds(city, served)


def _measure(bench: Bench, desks: Bench, rounds: int) -> Sequence[Series]:
    series = {
        name: Series(name)
        for name in ("occupancy 200", "occupancy 304", "bed status", "hold", "admission")
    }
    poll = request("GET", "/api/v1/occupancy", bench.served.headers)
    world = World(bench.city.engine, context_of(bench.city.settings))
    beds = _BedStates(bench.city, bench.served.headers)
    for number in range(rounds):
        waiting = list(_waiting(world, f"bench-{number}"))
        bench.add(series["occupancy 200"], again(poll), SECONDS)
        unchanged = again(_conditional(bench, poll))
        bench.add(series["occupancy 304"], unchanged, SECONDS)
        bench.add(series["bed status"], beds.next, SECONDS)
        posts = _Posts(bench.served.headers)
        decisions = [posts.of(it, "decision", {"bed": bed, **BY}) for it, bed in waiting]
        desks.add(series["hold"], one_by_one(decisions))
        accepted = [posts.of(it, "acceptance", {}) for it, _ in waiting]
        desks.sample(one_by_one(accepted), None)
        admissions = [posts.of(it, "admission", {}) for it, _ in waiting]
        desks.add(series["admission"], one_by_one(admissions))
    return list(series.values())


def _conditional(bench: Bench, poll: bytes) -> bytes:
    """The poll with the present ETag."""
    tags: list[bytes] = []

    def once(_number: int, answer: Answer | None) -> bytes | None:
        if answer is None:
            return poll
        tags.append(answer.header(b"etag") or b"")
        return None

    bench.sample(once, None)
    etag = {"If-None-Match": tags[-1].decode()}
    return request("GET", "/api/v1/occupancy", bench.served.headers | etag)


def _waiting(world: World, facility: str) -> Iterator[tuple[str, str]]:
    """New people, each with a waiting request and a free bed.

    A hold locks its unit alone, for the beds that are staffed; so neighbours are in other units.
    """
    rooms = [ROOM_BEDS] * ROOMS
    units = [
        world.unit(f"{facility}.w{number}", rooms=rooms, staffed_beds=sum(rooms))
        for number in range(UNITS)
    ]
    for beds in zip(*units, strict=True):
        for bed in beds:
            yield world.submit().id, bed


class _Posts:
    """Keyed writes on placement requests."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = headers

    def of(self, placement: str, verb: str, body: object) -> bytes:
        return request(
            "POST",
            f"/api/v1/placement-requests/{placement}/{verb}",
            self._headers | {"Idempotency-Key": str(uuid4())},
            json.dumps(body).encode(),
        )


def one_by_one(messages: Sequence[bytes]) -> Next:
    """Each message once, to whichever connection is free."""
    left = iter(messages)
    return lambda _number, _answer: next(left, None)


class _BedStates:
    """Writes of bed states: occupied beds in random order, in service and closing in turn.

    Every connection has beds of its own, so that each write knows the version it follows.
    """

    def __init__(self, city: Seeded, headers: dict[str, str]) -> None:
        with city.engine.connect() as conn:
            rows = conn.execute(_OCCUPIED).all()
        self._versions = {row.id: row.version for row in rows}
        self._closing: set[str] = set()
        self._headers = headers
        self._random = random.Random(7)
        self._shares: dict[int, list[str]] = defaultdict(list)
        for position, row in enumerate(rows):
            self._shares[position % CONNECTIONS].append(row.id)
        self._sent: dict[int, str] = {}

    def next(self, number: int, answer: Answer | None) -> bytes:
        """The connection's next write; learns from the answer to its last."""
        if answer is not None:
            tag = answer.header(b"etag")
            assert tag is not None, answer
            self._versions[self._sent[number]] = int(tag[2:-1])
            self._closing ^= {self._sent[number]}
        bed = self._sent[number] = self._random.choice(self._shares[number])
        body: dict[str, str] = {"state": "in_service"}
        if bed not in self._closing:
            body = {"state": "closing", "reason": "repair"}
        tagged = self._headers | {"If-Match": f'"v{self._versions[bed]}"'}
        return request("PUT", f"/api/v1/beds/{bed}/state", tagged, json.dumps(body).encode())


def _last_beds(city: Seeded, served: Served) -> None:
    """A crowd wants the last ten beds at once, some times over."""
    world = World(city.engine, context_of(city.settings))
    beds = world.unit("bench-last.w1", rooms=LAST_BEDS)
    waiting = [world.submit().id for _ in range(CROWD)]
    posts = _Posts(served.headers)
    crowd = Crowd(served.port, CROWD)
    for number in range(BURSTS):
        asked = [
            posts.of(it, "decision", {"bed": beds[position % len(beds)], **BY})
            for position, it in enumerate(waiting)
        ]
        load = crowd.drive(one_by_one(asked))
        print(
            f"burst {number + 1}: {CROWD} holds on {len(beds)} beds: "
            f"{_counted(load.statuses)}, all answered in {load.seconds:.2f} s"
        )
        held = world.sql("SELECT id FROM placement_request WHERE state = 'held'")
        freed = [posts.of(it, "release", WHY) for (it,) in held if it in set(waiting)]
        crowd.drive(one_by_one(freed))


def _counted(statuses: Counter[int]) -> str:
    return ", ".join(f"{n} x {status}" for status, n in sorted(statuses.items()))


if __name__ == "__main__":
    main(*(int(it) for it in sys.argv[1:2]))
