"""What ranking beds takes on the seeded city: ``python -m tests.benchmarks.bench_candidates``.

All waiting requests one after the other: the ranking alone on a Network in memory, first with
cold and then with warm caches, and through the API, one caller at a time and eight at once.
"""

import sys
from itertools import count
from time import perf_counter
from typing import Final

from service.policy import default_policy
from service.store.network_keeper import NetworkKeeper
from solver.domain import Network
from solver.ranking import candidates
from tests.benchmarks.load import Answer, Crowd, Load, Next, request
from tests.benchmarks.measure import HEADING, Bench, Series
from tests.benchmarks.seeded import seeded_city, serving

SHOWN: Final = 20
SECONDS: Final = 3.0
AT_ONCE: Final = (1, 8)


def main(rounds: int = 3) -> None:
    """Print milliseconds, and the API's ratios to a hello-world."""
    with seeded_city() as city:
        keeper = NetworkKeeper(city.engine, default_policy())
        keeper.refresh()
        network = keeper.current()
        waiting = [it.id for it in network.requests]
        print(f"{len(network.beds)} beds, {len(waiting)} waiting")
        for name in ("ranking, cold", "ranking, warm"):
            print(_times(name, _ranked(network, waiting)))
        with serving(city) as served:
            series = [Series(f"candidates, {number} at once") for number in AT_ONCE]
            messages = [
                request("GET", f"/api/v1/placement-requests/{it}/candidates", served.headers)
                for it in waiting
            ]
            for _ in range(rounds):
                for number, measured in zip(AT_ONCE, series, strict=True):
                    bench = Bench(city, served, Crowd(served.port, number))
                    bench.add(measured, in_turn(messages), SECONDS)
        print(HEADING)
        for measured in series:
            print(measured.line())


def _ranked(network: Network, waiting: list[str]) -> Load:
    load, began = Load(), perf_counter()
    for it in waiting:
        asked = perf_counter()
        candidates(network, it, SHOWN)
        load.ms.append((perf_counter() - asked) * 1000)
    load.seconds = perf_counter() - began
    return load


def _times(name: str, load: Load) -> str:
    return (
        f"{name}: p50 {load.percentile(0.5):.2f} ms, p99 {load.percentile(0.99):.2f} ms, "
        f"most {max(load.ms):.2f} ms"
    )


def in_turn(messages: list[bytes]) -> Next:
    """The messages over and over, whichever connection asks."""
    numbers = count()

    def following(_number: int, _answer: Answer | None) -> bytes:
        return messages[next(numbers) % len(messages)]

    return following


if __name__ == "__main__":
    main(*(int(it) for it in sys.argv[1:2]))
