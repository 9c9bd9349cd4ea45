"""The model one would write first: a boolean for each person in each room, given to CP-SAT.

Rules about one person and one place decide which booleans exist; rules about several people are
constraints. The levels are solved one after the other, each under a time limit, the values found
above kept. It knows nothing of the order of moves and of what a helper is moved for, so it is a
relaxation: what cannot be carried out is dropped from its plan, and its bounds hold for any plan.
"""

from dataclasses import dataclass, field

from ortools.sat.python import cp_model

from solver.cost import LEVELS, price
from solver.domain import Network, Plan
from tests.benchmarks.baselines.finished import NO_BOUND, finished
from tests.benchmarks.baselines.options import Option, Options, options_of
from tests.benchmarks.baselines.ordering import in_order

_COUNTS = (0, 1, 3)
"""Levels that are never below zero; on the others a resident's move may save something."""


@dataclass(frozen=True)
class Effort:
    """How long CP-SAT may try: seconds a level, and threads."""

    seconds: float = 10.0
    workers: int = 2
    seed: int = 0


@dataclass(frozen=True)
class Answer:
    """A checked plan and how it came about.

    ``levels``: what the model's own answer is worth; ``bounds``: of each level, given the values
    above it. ``proven``: levels 0 to here are the model's optimum. ``dropped``: people whose move
    could not be ordered or serves nobody.
    """

    plan: Plan
    levels: tuple[int, ...]
    bounds: tuple[float, ...]
    proven: int
    dropped: int
    booleans: int


@dataclass
class _Model:
    network: Network
    options: Options
    cp: cp_model.CpModel = field(default_factory=cp_model.CpModel)
    x: dict[Option, cp_model.IntVar] = field(default_factory=dict)
    booleans: list[cp_model.IntVar] = field(default_factory=list)

    def __post_init__(self) -> None:
        for i, it in enumerate(self.options.all):
            self.x[it] = self._boolean(f"x{i}")
        self.by_person = {
            who: [self.x[it] for it in mine] for who, mine in self.options.by_person.items()
        }
        for mine in self.by_person.values():
            self.cp.add_at_most_one(mine)
        self._rooms()
        self._units()
        self._movers()

    def _boolean(self, name: str) -> cp_model.IntVar:
        self.booleans.append(self.cp.new_bool_var(name))
        return self.booleans[-1]

    def _leaves(self, person: str) -> cp_model.LinearExprT:
        return sum(self.by_person.get(person, []))

    def _rooms(self) -> None:
        """One person a bed; in a shared room one company, and whoever differs has left."""
        for (room, seat), beds in self.options.beds.items():
            here = [self.x[it] for it in self.options.into.get((room, seat), [])]
            if not here:
                continue
            lived_in = [who for bed in beds if (who := self.options.leaver.get(bed)) is not None]
            leaving = [var for who in lived_in for var in self.by_person.get(who, [])]
            self.cp.add(sum(here) - sum(leaving) <= len(beds) - len(lived_in))
        for room, by_company in self.options.companies.items():
            loose = self.options.loose_in.get(room, {})
            chosen = {}
            for company, mine in by_company.items():
                use = chosen[company] = self._boolean(f"{room} {company}")
                for it in mine:
                    self.cp.add_implication(self.x[it], use)
                for who, own in loose.items():
                    if own != company:
                        self.cp.add(self._leaves(who) == 1).only_enforce_if(use)
            self.cp.add_at_most_one(chosen.values())

    def _units(self) -> None:
        """No more people than staff where anybody new comes; the reserve behind all others."""
        network = self.network
        for unit_id, unit in network.units.items():
            arriving = self.options.arriving(unit_id)
            departing = [self.x[it] for it in self.options.departing(unit_id)]
            if not arriving:
                continue
            total = network.people_in_unit[unit_id] + sum(self.x[it] for it in arriving)
            total -= sum(departing)
            staffed = network.staffed_beds[unit_id]
            others = [self.x[it] for it in arriving if not it.emergency]
            self._at_most(unit_id, [self.x[it] for it in arriving], total, staffed)
            if unit.reserve and others:
                self._at_most(f"{unit_id} reserve", others, total, staffed - unit.reserve)

    def _at_most(
        self, name: str, newcomers: list[cp_model.IntVar], total: cp_model.LinearExprT, most: int
    ) -> None:
        anybody = self._boolean(name)
        for it in newcomers:
            self.cp.add_implication(it, anybody)
        self.cp.add(total <= most).only_enforce_if(anybody)

    def _movers(self) -> None:
        """The budget of resident moves, and so many helpers a placement."""
        policy = self.network.policy
        residents = [self.x[it] for it in self.options.all if it.resident]
        helpers = [self.x[it] for it in self.options.all if it.helper]
        served = [self.x[it] for it in self.options.all if it.served]
        self.cp.add(sum(residents) <= policy.move_budget)
        self.cp.add(sum(helpers) <= policy.max_moves_per_placement * sum(served))

    def level(self, level: int) -> cp_model.LinearExprT:
        parts = [it.cost[level] * self.x[it] for it in self.options.all if it.cost[level]]
        return self.options.constant[level] + sum(parts)


def solve_person_by_room(network: Network, effort: Effort) -> Answer:
    """Level by level, then an order. The plan is whatever of it can be carried out."""
    options = options_of(network)
    model = _Model(network, options)
    found, chosen = [False] * len(model.booleans), frozenset[Option]()
    values, bounds, proven, so_far = list(options.constant), [NO_BOUND] * LEVELS, -1, True
    for level in range(LEVELS):
        aim = model.level(level)
        if isinstance(aim, int):
            bounds[level] = float(aim)
        else:
            solver = _solver(effort)
            model.cp.clear_hints()
            for var, value in zip(model.booleans, found, strict=True):
                model.cp.add_hint(var, value)
            model.cp.minimize(aim)
            status = solver.solve(model.cp)
            if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
                found = [solver.boolean_value(var) for var in model.booleans]
                chosen = frozenset(it for it, var in model.x.items() if solver.boolean_value(var))
                values = options.priced(chosen)
                bound = solver.best_objective_bound
                bounds[level] = max(bound, 0.0) if level in _COUNTS else bound
            elif status != cp_model.UNKNOWN:
                raise RuntimeError(f"CP-SAT says {solver.status_name(status)} at level {level}")
            so_far = so_far and status == cp_model.OPTIMAL
            model.cp.add(aim <= values[level])
        proven = level if so_far else proven
    moves, dropped = in_order(network, options.targets(chosen))
    plan = finished(network, moves, bounds)
    if not dropped and price(network, plan).levels != tuple(values):
        raise RuntimeError(f"the model counts {values}, its plan {price(network, plan).levels}")
    return Answer(plan, tuple(values), tuple(bounds), proven, dropped, len(model.x))


def _solver(effort: Effort) -> cp_model.CpSolver:
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = effort.seconds
    solver.parameters.num_workers = effort.workers
    solver.parameters.random_seed = effort.seed
    # On a city both took longer than all of the search, without a better answer.
    solver.parameters.symmetry_level = 0
    solver.parameters.cp_model_probing_level = 0
    return solver
