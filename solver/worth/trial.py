"""Trying additions one by one: what could help, planned anew with it, against today."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from solver.codes import Grade, PlanStatus, UnitKind
from solver.cost import level_of, misplaced_weight, profile, waiting_weight
from solver.domain import Network, Plan
from solver.eligibility import Facts, Place, counted_grade, place, refusals, transition_allowed
from solver.planning import Limits, make_plan
from solver.worth.additions import with_one_more_bed, with_one_more_staffed
from solver.worth.answers import Bought, MoreBed, MoreStaff, Worth, kind_of_bed

MOST_PLANS = 24
"""How many plans are made at most; kinds beyond are counted as not tried."""

_LEVELS = 2
_LEVELS_WITH_MOVES = level_of("moves") + 1
_QUICK_ROUNDS = 2


class WorseError(RuntimeError):
    """A proven plan with one bed more came out worse: the planner is at fault, not the bed."""


def worth(
    network: Network, limits: Limits | None = None, seed: int = 0, most: int = MOST_PLANS
) -> Worth:
    """Try what could help somebody whom today's plan leaves out, and tell what it buys.

    Only beds are tried that somebody left out could use, or somebody who would thereby free such
    a bed, and so on; and only units whose staff, not beds, are what is short. Same network, same
    answer. ``most``: how many plans at most, today's included. Raises: WorseError.
    """
    trial = _Trial(network, limits or Limits(), seed, most)
    if not any(trial.base.levels):
        return Worth(trial.base.levels, trial.base.unplaced, trial.base.proven, (), (), 1)
    helpful = _helpful(network, trial.plan)
    beds = list(_more_beds(network, helpful, trial))
    staff = list(_more_staff(network, helpful, trial))
    beds.sort(key=lambda it: (*_order(it.bought), it.units))
    staff.sort(key=lambda it: (*_order(it.bought), it.unit))
    base = trial.base
    return Worth(
        base.levels,
        base.unplaced,
        base.proven,
        tuple(beds),
        tuple(staff),
        trial.plans,
        trial.untried,
    )


@dataclass(frozen=True, slots=True)
class _Left:
    """What a plan leaves undone."""

    levels: tuple[int, int]
    unplaced: tuple[int, ...]
    misplaced: int
    proven: bool


class _Trial:
    """Makes plans and compares them with today's, as long as there are some to be made."""

    def __init__(self, network: Network, limits: Limits, seed: int, most: int) -> None:
        self._limits, self._seed, self._most = limits, seed, most
        self.plans = 0
        self.untried = 0
        self.plan, self.base = self._planned(network)

    def bought(self, network: Network) -> tuple[Bought, bool] | None:
        """What the addition in this network buys, and whether both plans are proven; None when
        no more plans are to be made. Today's plan is one with the addition too, so a plan that
        comes out worse without proof tells nothing."""
        if self.plans >= self._most:
            self.untried += 1
            return None
        _, then = self._planned(network)
        base, proven = self.base, self.base.proven and then.proven
        if then.levels > base.levels:
            if proven:
                raise WorseError(f"levels {then.levels} with one more, {base.levels} without")
            return Bought(), False
        placed = zip(base.unplaced, then.unplaced, strict=True)
        bought = Bought(
            (base.levels[0] - then.levels[0], base.levels[1] - then.levels[1]),
            tuple(before - after for before, after in placed),
            base.misplaced - then.misplaced,
        )
        return bought, proven

    def _planned(self, network: Network) -> tuple[Plan, _Left]:
        """The plan for two levels alone; where that is not proven, for those down to the number
        of moves: with few moves, fewer turn out to be moves that cannot be made."""
        self.plans += 1
        quick = replace(
            self._limits, levels=_LEVELS, rounds=min(_QUICK_ROUNDS, self._limits.rounds)
        )
        plan, _ = make_plan(network, self._seed, quick)
        left = _left(network, plan)
        if not left.proven:
            slower = replace(self._limits, levels=_LEVELS_WITH_MOVES)
            other, _ = make_plan(network, self._seed, slower)
            plan, left = min(
                ((other, _left(network, other)), (plan, left)),
                key=lambda it: (it[1].levels, not it[1].proven),
            )
        return plan, left


def _left(network: Network, plan: Plan) -> _Left:
    moved = {move.person for move in plan.moves}
    waiting = (network.persons[network.request_by_id[it.request].person] for it in plan.unplaced)
    grades = Counter(counted_grade(it.need, network.policy) for it in waiting)
    here = (it for it in network.stays if it.person not in moved)
    first, second = plan.levels[:_LEVELS]
    return _Left(
        (first.value, second.value),
        tuple(grades[grade] for grade in Grade),
        sum(misplaced_weight(network, it) > 0 for it in here),
        plan.status is not PlanStatus.STOPPED and not first.gap and not second.gap,
    )


@dataclass(frozen=True, slots=True)
class _User:
    """People the rules treat alike who could use another bed: by what rules see of them, and for
    residents the kinds of unit they may be moved to and the units they agreed to (None: they
    wait, or agreement is not what binds)."""

    facts: Facts
    kinds: frozenset[UnitKind] | None = None
    agreed: frozenset[str] | None = None

    def could_use(self, here: Place) -> bool:
        """Whether such a place is lawful for them, and theirs to be moved to."""
        return (self.kinds is None or here.kind in self.kinds) and not refusals(self.facts, here)


@dataclass(frozen=True, slots=True)
class _Helpful:
    """Places that could help somebody left out, with their beds by unit and their users; and what
    a bed used by a request left out buys at least, by who asks."""

    beds: Mapping[Place, Mapping[str, str]]
    users: Mapping[Place, frozenset[_User]]
    direct: Mapping[_User, Bought]


def _helpful(network: Network, plan: Plan) -> _Helpful:
    """The places that somebody left out could use, and those that somebody could use who would
    thereby leave such a place."""
    beds: dict[Place, dict[str, str]] = defaultdict(dict)
    for bed in sorted(network.beds):
        beds[place(network, bed)].setdefault(network.unit_of(bed).id, bed)
    left_out, seated = _users(network, plan)
    users = {
        here: frozenset(it for it in {*left_out, *seated} if it.could_use(here)) for here in beds
    }
    found = {here for here in beds if users[here] & left_out}
    while True:
        frees = {user for user, seats in seated.items() if seats & found}
        more = {here for here in beds if users[here] & frees} - found
        if not more:
            break
        found |= more
    ordered = sorted(found, key=lambda it: sorted(beds[it].items()))
    return _Helpful(
        {it: beds[it] for it in ordered},
        {it: users[it] for it in ordered},
        _direct(network, plan),
    )


def _users(network: Network, plan: Plan) -> tuple[set[_User], dict[_User, set[Place]]]:
    """Whom the plan leaves out, and who else could change beds, with the places they have in it."""
    given = {move.person: move.to_bed for move in plan.moves}
    left_out: set[_User] = set()
    seated: dict[_User, set[Place]] = defaultdict(set)
    for request in network.requests:
        user = _User(profile(network, request.person).facts)
        if request.person in given:
            seated[user].add(place(network, given[request.person]))
        else:
            left_out.add(user)
    for stay in network.stays:
        if stay.on_leave or stay.pinned or stay.person in network.request_of:
            continue
        here = network.unit_of(stay.bed).kind
        kinds = frozenset(it for it in stay.may_move_to if transition_allowed(here, it))
        if not kinds:
            continue
        user = _User(profile(network, stay.person).facts, kinds, stay.agreed_units)
        seated[user].add(place(network, given.get(stay.person, stay.bed)))
        if misplaced_weight(network, stay) and stay.person not in given:
            left_out.add(user)
    return left_out, seated


def _direct(network: Network, plan: Plan) -> dict[_User, Bought]:
    """For requests left out, by who asks, what placing the weightiest buys."""
    found: dict[_User, Bought] = {}
    for it in plan.unplaced:
        request = network.request_by_id[it.request]
        if request.declined_units:
            continue
        user = _User(profile(network, request.person).facts)
        weight = waiting_weight(network, request)
        levels = (weight, 0) if request.emergency else (0, weight)
        counted = counted_grade(network.persons[request.person].need, network.policy)
        placed = tuple(int(grade is counted) for grade in Grade)
        found[user] = max(found.get(user, Bought()), Bought(levels, placed), key=_by_levels)
    return found


def _more_beds(network: Network, helpful: _Helpful, trial: _Trial) -> Iterator[MoreBed]:
    """One more bed for each group of users, the largest groups first.

    A bed buys at least what placing one of its users buys who is left out, and at most what a bed
    buys that all its users could use too; where the two meet nothing has to be tried.
    """
    groups: dict[frozenset[_User], list[Place]] = defaultdict(list)
    for here in helpful.beds:
        groups[helpful.users[here]].append(here)
    tried: list[tuple[frozenset[_User], Bought]] = []
    for users in sorted(groups, key=len, reverse=True):
        places = groups[users]
        units = tuple(sorted({unit for here in places for unit in helpful.beds[here]}))
        kinds = tuple(dict.fromkeys(kind_of_bed(here) for here in places))
        hindered, unit, bed = _where(network, trial.plan, [helpful.beds[it] for it in places])
        there = frozenset(it for it in users if it.agreed is None or unit in it.agreed)
        least = max(
            (helpful.direct.get(it, Bought()) for it in there), key=_by_levels, default=Bought()
        )
        if not hindered and trial.base.proven:
            at_most = (it.levels for others, it in tried if there <= others)
            if min(at_most, default=None) == least.levels:
                yield MoreBed(kinds, units, None, least, True)
                continue
        found = trial.bought(with_one_more_bed(network, bed))
        if found is None:
            continue
        bought, proven = found
        if proven and not hindered:
            tried.append((there, bought))
        yield MoreBed(kinds, units, unit, bought, proven)


def _where(
    network: Network, plan: Plan, beds: Iterable[Mapping[str, str]]
) -> tuple[bool, str, str]:
    """Where to add it: the unit that fewest requests left out were declined by, and of those the
    one whose staff leaves most free above its reserve; with a bed to model it on, and whether
    even there a request is declined or the reserve eats the addition up."""
    declined = Counter(
        unit for it in plan.unplaced for unit in network.request_by_id[it.request].declined_units
    )
    people = _people(network, plan)

    def free(unit: str) -> int:
        return network.staffed_beds[unit] - people[unit] - network.units[unit].reserve

    _, _, unit, bed = min(
        (declined[unit], -free(unit), unit, bed) for units in beds for unit, bed in units.items()
    )
    return bool(declined[unit]) or free(unit) < 0, unit, bed


def _more_staff(network: Network, helpful: _Helpful, trial: _Trial) -> Iterator[MoreStaff]:
    """One more staffed place in each unit that has helpful beds and more beds than staff, all of
    whose staff, but for its reserve, the plan needs."""
    people = _people(network, trial.plan)
    for unit_id in sorted({unit for units in helpful.beds.values() for unit in units}):
        unit = network.units[unit_id]
        more = with_one_more_staffed(network, unit_id)
        staffed = network.staffed_beds[unit_id]
        if more.staffed_beds[unit_id] == staffed or people[unit_id] < staffed - unit.reserve:
            continue
        found = trial.bought(more)
        if found is not None:
            yield MoreStaff(unit_id, unit.kind, *found)


def _people(network: Network, plan: Plan) -> Counter[str]:
    """How many people each unit's staff look after once the plan is carried out."""
    people = Counter(network.people_in_unit)
    for move in plan.moves:
        people[network.unit_of(move.to_bed).id] += 1
        if move.from_bed is not None:
            people[network.unit_of(move.from_bed).id] -= 1
    return people


def _by_levels(bought: Bought) -> tuple[int, int]:
    return bought.levels


def _order(bought: Bought) -> tuple[int, ...]:
    return tuple(-it for it in (*bought.levels, sum(bought.placed)))
