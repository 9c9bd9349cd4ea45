"""Planning on files, from one city to a nation: ``python -m tests.benchmarks.bench_scale``.

``python -m solver generate``, ``plan`` and ``check``, each a process of its own: wall and CPU
seconds, peak memory of the process and its workers, then what ``plan`` itself says: seconds by
step, and value, bound and gap by level. It measures and never fails a build.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from solver.instance import network_from_json, network_to_json
from tests.benchmarks.instances import everybody_movable

SAMPLE_S = 0.1
GRACE_S = 30.0


@dataclass(frozen=True)
class Taken:
    """What one command took. ``peak_mb``: the most memory it and its workers held at a time, pages
    they share counted once."""

    command: str
    exit_status: int
    wall_s: float
    cpu_s: float
    peak_mb: float
    said: str


def main(argv: Sequence[str] | None = None) -> None:
    """Generate, plan and check, one size after the other."""
    args = _arguments().parse_args(argv)
    console = Console()
    runs = []
    for cities in args.cities:
        with TemporaryDirectory(prefix="bench-scale-") as folder:
            taken = _measured(args, cities, Path(folder))
        title = f"{cities} {'city' if cities == 1 else 'cities'}, seed {args.seed}"
        console.print(_table(f"{title}, {args.occupancy:.2f} full", taken))
        for it in taken:
            print(it.said)
        runs.append({"cities": cities, "commands": [asdict(it) for it in taken]})
    if args.out is not None:
        document = {"cores": os.cpu_count(), "movable": args.movable, "runs": runs}
        args.out.write_text(json.dumps(document, indent=1), encoding="utf-8")
        console.print(f"written: {args.out}")


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cities", type=int, nargs="+", default=[1], help="4,000 beds each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--occupancy", type=float, default=0.9, help="share of beds, 0 to 1")
    parser.add_argument("--waiting", type=int, default=200, help="requests a city")
    parser.add_argument("--movable", action="store_true", help="every resident may be moved")
    parser.add_argument("--plan", nargs="+", default=[], metavar="OPTION", help="more for plan")
    parser.add_argument(
        "--limit", type=float, default=600.0, help="seconds after which a command is interrupted"
    )
    parser.add_argument("--out", type=Path, metavar="RESULTS.json")
    return parser


def _measured(args: argparse.Namespace, cities: int, folder: Path) -> list[Taken]:
    network, plan = folder / "network.json", folder / "plan.json"
    size = ("--cities", cities, "--seed", args.seed, "--occupancy", args.occupancy)

    def run(command: str, *arguments: object) -> Taken:
        return _run(folder, args.limit, command, *arguments)

    found = [run("generate", *size, "--waiting", args.waiting, "--out", network)]
    if found[-1].exit_status == 0 and args.movable:
        given = network_from_json(network.read_text(encoding="utf-8"))
        network.write_text(network_to_json(everybody_movable(given)), encoding="utf-8")
    if found[-1].exit_status == 0:
        more = [f"--{it}" for it in args.plan]
        found.append(run("plan", network, "--out", plan, "--seed", args.seed, *more))
    if found[-1].exit_status == 0:
        found.append(run("check", network, plan))
    return found


def _run(folder: Path, limit: float, command: str, *arguments: object) -> Taken:
    said = folder / f"{command}.txt"
    with said.open("w", encoding="utf-8") as output:
        began, peak, interrupted = perf_counter(), 0.0, False
        process = subprocess.Popen(
            [sys.executable, "-m", "solver", command, *map(str, arguments)],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        while True:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            peak = max(peak, _family_mb(process.pid))
            late = perf_counter() - began - limit
            if late > GRACE_S:
                process.kill()
            elif late > 0 and not interrupted:
                process.send_signal(signal.SIGINT)
                interrupted = True
            sleep(SAMPLE_S)
        wall = perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    return Taken(
        command,
        process.returncode,
        wall,
        usage.ru_utime + usage.ru_stime,
        max(peak, usage.ru_maxrss / 1024),
        said.read_text(encoding="utf-8").rstrip(),
    )


def _family_mb(process: int) -> float:
    """Memory of a process and its descendants now; 0 for one that just ended, or where the system
    does not tell (then the largest of them alone counts)."""
    folder = Path("/proc") / str(process)
    try:
        lines = (folder / "smaps_rollup").read_text().splitlines()
        children = [
            int(it) for task in folder.glob("task/*/children") for it in task.read_text().split()
        ]
    except OSError:
        return 0.0
    mine = sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))
    return mine + sum(_family_mb(it) for it in children)


def _table(title: str, taken: Sequence[Taken]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for heading in ("command", "exit", "wall s", "CPU s", "peak MB"):
        table.add_column(heading, justify="left" if heading == "command" else "right")
    for it in taken:
        figures = (f"{it.wall_s:.2f}", f"{it.cpu_s:.2f}", f"{it.peak_mb:.0f}")
        table.add_row(it.command, str(it.exit_status), *figures)
    return table


if __name__ == "__main__":
    main()
