"""What a planning run takes: ``python -m tests.benchmarks.bench_planner [seeds [cities]]``."""

import sys
from time import perf_counter, process_time

from solver.check import violations
from solver.planning import make_plan
from solver.synthetic import city


def main(seeds: int = 3, cities: int = 1) -> None:
    """Print seconds by step and value, bound and gap by level, one network after the other."""
    for seed in range(seeds):
        for occupancy in (0.9, 0.97):
            network = city(seed, occupancy, cities=cities)
            wall, cpu = perf_counter(), process_time()
            plan, stats = make_plan(network, seed)
            wall, cpu = perf_counter() - wall, process_time() - cpu
            residents = sum(move.from_bed is not None for move in plan.moves)
            steps = ", ".join(f"{step} {took:.2f}" for step, took in stats.seconds.items())
            print(
                f"seed {seed}, {cities} cities, occupancy {occupancy}: {wall:.2f} s wall, "
                f"{cpu:.2f} s CPU ({steps}); {stats.classes} classes, {stats.slots} slots, "
                f"{stats.arcs} arcs, {stats.open_rooms} open rooms, {stats.rounds} rounds"
            )
            print(
                f"  {plan.status}: {len(plan.moves)} moves, {residents} of residents, "
                f"{len(plan.unplaced)} unplaced, {len(violations(network, plan))} violations"
            )
            for it in plan.levels:
                print(f"  level {it.level}: {it.value} (bound {it.bound:.1f}, gap {it.gap:.2%})")


if __name__ == "__main__":
    main(*(int(it) for it in sys.argv[1:3]))
