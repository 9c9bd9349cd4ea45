"""Every constraint of the planner is held by a case: spoil a piece of it, and one turns red."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from solver.codes import BedState, Isolation, LegalBasis, Sex, UnitKind
from solver.cost import LEVELS
from solver.domain import Bed, Need, Network, Person, Stay
from solver.planning import DirtyPlanError, make_plan, naming, people, reasons, rooms, units
from solver.planning.model import Model
from solver.planning.naming import Naming
from solver.planning.order import Walk
from solver.planning.people import Mobility
from solver.planning.rooms import OWN_ROOM, RoomState, Use
from solver.planning.units import Mode
from tests.solver.planner_cases import CASES, Case


def red(case: Case) -> str | None:
    """What is wrong with the case's plan; None when it is the one it must get."""
    try:
        plan, stats = make_plan(case.network)
    except (DirtyPlanError, LookupError) as failed:
        return repr(failed)
    given = {it.person: it.to_bed for it in plan.moves}
    if given != dict(case.given):
        return f"given {given}"
    by_id = {it.id: it for it in plan.moves}
    for move in plan.moves:
        waits = {by_id[it].person for it in move.after}
        if move.person in case.after and waits != set(case.after[move.person]):
            return f"{move.person} after {waits}"
        ready = case.network.now + timedelta(hours=case.hours.get(move.person, 0))
        if move.person in case.hours and move.ready_at != ready:
            return f"{move.person} at {move.ready_at}"
    return "some of it could not be carried out" if stats.dropped else None


@pytest.mark.parametrize("case", CASES, ids=[it.id for it in CASES])
def test_each_case_gets_the_plan_it_must_get(case: Case):
    assert red(case) is None


def test_each_constraint_has_a_case_where_it_binds_and_one_where_it_does_not():
    for about in {it.about for it in CASES} - {"levels", "turnaround"}:
        assert len({len(it.given) for it in CASES if it.about == about}) > 1, about


# Wrong planners: each has one piece put in its place that does not see something.

COMPANY, USES, MODES = rooms.company, rooms.uses, units.modes
STATES, MOBILITY, ALLOWS = rooms.room_states, people.mobility_of, people.Mobility.allows
SPARE, HELPED, NAMED = units.spare_staff, reasons._helped, naming.name_people  # noqa: SLF001
COST, STAFF = Model.level_cost, Walk.staff_short
NOBODY: frozenset[str] = frozenset()
EVERYBODYS_COMPANY = ("rooms.company", "people.company", "naming.company")


def company(**unseen: Callable[[Person], Any]) -> Callable[[Person, bool], str]:
    """Company in which a difference between people is not seen."""

    def seen(person: Person, cohort: bool) -> str:
        other = {name: instead(person) for name, instead in unseen.items()}
        return COMPANY(replace(person, **other), cohort)

    return seen


def route(instead: Isolation, *of: Isolation) -> Callable[[Person], Need]:
    """What somebody needs, these routes taken for another."""

    def need(person: Person) -> Need:
        wrong = person.need.isolation in of
        return replace(person.need, isolation=instead) if wrong else person.need

    return need


def states(**unseen: Callable[[Network, RoomState], Any]) -> Callable[..., list[RoomState]]:
    """Rooms of which something is seen wrongly."""

    def seen(network: Network, loose_beds: Any) -> list[RoomState]:
        return [
            replace(it, **{name: wrong(network, it) for name, wrong in unseen.items()})
            for it in STATES(network, loose_beds)
        ]

    return seen


def usable(wanted: Callable[[Bed], bool]) -> Callable[[Network, RoomState], tuple[str, ...]]:
    """Beds nobody lives in and of which this is true are usable too."""

    def seen(network: Network, state: RoomState) -> tuple[str, ...]:
        return tuple(
            bed
            for bed in network.beds_of_room[state.room]
            if bed in state.usable or (bed not in network.stay_in_bed and wanted(network.beds[bed]))
        )

    return seen


def uses(change: Callable[[RoomState, Use], Use]) -> Callable[..., tuple[Use, ...]]:
    """Rooms used otherwise than they may be."""

    def seen(state: RoomState, *rest: Any) -> tuple[Use, ...]:
        return tuple(change(state, it) for it in USES(state, *rest))

    return seen


def mobility(**unseen: Any) -> Callable[[Network, Stay], Mobility | None]:
    """Residents of whose stay something is not seen."""

    def seen(network: Network, stay: Stay) -> Mobility | None:
        return MOBILITY(network, replace(stay, **unseen))

    return seen


def agreed_to_all(network: Network, stay: Stay) -> Mobility | None:
    found = MOBILITY(network, stay)
    return None if found is None else replace(found, agreed=None)


def modes(change: Callable[[Mode], Mode | None]) -> Callable[..., dict[str, list[Mode]]]:
    """Units used otherwise than they may be."""

    def seen(*given: Any) -> dict[str, list[Mode]]:
        return {
            unit: [new for it in ways if (new := change(it)) is not None]
            for unit, ways in MODES(*given).items()
        }

    return seen


def without_reserve(network: Network) -> Network:
    return replace(network, units={it.id: replace(it, reserve=0) for it in network.units.values()})


def named_as_if_nobody_had_to_leave(*given: Any) -> Naming:
    named = NAMED(*given)
    return replace(named, chances=tuple(replace(it, waits=NOBODY) for it in named.chances))


def unsettled(level: int) -> Callable[[Model, int], Any]:
    """A planner to which a level is all the same."""
    return lambda model, asked: COST(model, asked) * (asked != level)


def generous(network: Network, *rest: Any) -> Any:
    policy = replace(network.policy, max_moves_per_placement=99)
    return HELPED(replace(network, policy=policy), *rest)


@dataclass(frozen=True)
class Spoilt:
    """A planner with other ``pieces`` by place; ``about``: the constraint it no longer keeps."""

    about: str
    wrong: str
    pieces: Mapping[str, Any]


def spoilt(about: str, wrong: str, piece: Any, *places: str, **more: Any) -> Spoilt:
    return Spoilt(about, wrong, {**dict.fromkeys(places, piece), **more})


def staff_without_reserve(walk: Walk, slot: int, within: bool, urgent: bool) -> int:
    return STAFF(walk, slot, within, True)


NO_RESERVE_IN_ORDER = {"order.Walk.staff_short": staff_without_reserve}
SPOILT = [
    spoilt("one sex", "sex is not seen", company(sex=lambda it: Sex.MALE), *EVERYBODYS_COMPANY),
    spoilt("minors", "age is not seen", company(age=lambda it: 30), *EVERYBODYS_COMPANY),
    spoilt(
        "custody",
        "the legal basis is not seen",
        company(basis=lambda it: LegalBasis.COMPULSORY),
        *EVERYBODYS_COMPANY,
    ),
    spoilt(
        "isolation",
        "isolation is not seen",
        company(need=route(Isolation.NONE, *Isolation)),
        *EVERYBODYS_COMPANY,
    ),
    spoilt(
        "isolation",
        "one route is like another",
        company(need=route(Isolation.AIRBORNE, Isolation.CONTACT)),
        *EVERYBODYS_COMPANY,
    ),
    spoilt(
        "isolation",
        "a route not known is like another",
        company(need=route(Isolation.AIRBORNE, Isolation.UNKNOWN)),
        *EVERYBODYS_COMPANY,
    ),
    spoilt(
        "isolation",
        "every room is a cohort room",
        lambda person, cohort: COMPANY(person, True),
        *EVERYBODYS_COMPANY,
    ),
    spoilt(
        "isolation",
        "no room is a cohort room",
        lambda person, cohort: COMPANY(person, False),
        *EVERYBODYS_COMPANY,
    ),
    spoilt(
        "one sex",
        "a room's beds are for both sexes",
        uses(lambda state, use: replace(use, company=OWN_ROOM)),
        "build.uses",
    ),
    spoilt(
        "one sex",
        "the present residents stay whatever the room is used for",
        uses(lambda state, use: replace(use, stay=frozenset(state.loose))),
        "build.uses",
    ),
    spoilt(
        "minors",
        "whoever stays in a room is not seen",
        states(settled=lambda network, state: NOBODY),
        "build.room_states",
    ),
    spoilt(
        "held",
        "a hold in the room is not seen",
        states(settled=lambda network, state: NOBODY),
        "build.room_states",
    ),
    spoilt(
        "held",
        "a held bed is given away",
        states(usable=usable(lambda bed: bed.held_for is not None)),
        "build.room_states",
    ),
    spoilt(
        "promised",
        "a promise in the room is not seen",
        states(promised=lambda network, state: False),
        "build.room_states",
    ),
    spoilt(
        "promised",
        "a promised bed is given away",
        states(usable=usable(lambda bed: bed.promised)),
        "build.room_states",
    ),
    spoilt(
        "availability",
        "a bed's state is not seen",
        states(usable=usable(lambda bed: bed.state is not BedState.IN_SERVICE)),
        "build.room_states",
    ),
    spoilt(
        "capacity",
        "a bed is given out twice",
        uses(lambda state, use: replace(use, beds=use.beds * 2)),
        "build.uses",
    ),
    spoilt("staffing", "staff is not seen", lambda *given: {}, "build.spare_staff"),
    spoilt(
        "staffing",
        "there is staff for one more than there is",
        lambda *given: {unit: left + 1 for unit, left in SPARE(*given).items()},
        "build.spare_staff",
    ),
    spoilt("staffing", "who leaves makes no place for others", lambda *given: {}, "build.lived_in"),
    spoilt("staffing", "nobody waits for staff", lambda *given: 0, "order.Walk.staff_short"),
    spoilt(
        "reserve",
        "no bed is kept",
        lambda network, *rest: MODES(without_reserve(network), *rest),
        "build.modes",
        **NO_RESERVE_IN_ORDER,
    ),
    spoilt(
        "reserve",
        "kept beds are kept from emergencies too",
        modes(lambda it: it if it.others or not it.emergencies else None),
        "build.modes",
    ),
    spoilt(
        "reserve",
        "anybody comes by the emergency lane",
        modes(lambda it: replace(it, others=it.emergencies)),
        "build.modes",
        **NO_RESERVE_IN_ORDER,
    ),
    spoilt(
        "reserve",
        "others do not wait for the emergencies that are to come",
        staff_without_reserve,
        "order.Walk.staff_short",
    ),
    spoilt("movability", "a pin is not seen", mobility(pinned=False), "people.mobility_of"),
    spoilt("movability", "leave is not seen", mobility(on_leave=False), "people.mobility_of"),
    spoilt(
        "movability",
        "no doctor is asked",
        mobility(may_move_to=frozenset(UnitKind)),
        "people.mobility_of",
    ),
    spoilt(
        "movability", "any transition will do", lambda *kinds: True, "people.transition_allowed"
    ),
    spoilt("agreed", "nobody is asked", agreed_to_all, "people.mobility_of"),
    spoilt(
        "declined",
        "an answer is not heard",
        lambda it, *where: ALLOWS(replace(it, barred=NOBODY), *where),
        "people.Mobility.allows",
    ),
    spoilt(
        "eligibility",
        "no rule is asked",
        lambda seats, profiles: np.ones((len(profiles), len(seats.all)), dtype=np.bool_),
        "seats.Seats.fit",
    ),
    spoilt("budget", "there is none", lambda *given: [], "run._budget_row"),
    spoilt("moves per placement", "any number", generous, "reasons._helped"),
    spoilt(
        "moves per placement",
        "who is one too many has a reason too",
        lambda *given: (HELPED(*given)[0], []),
        "reasons._helped",
    ),
    spoilt(
        "true reasons", "a step down is none", lambda network, step: None, "reasons._own_reason"
    ),
    spoilt("order", "circles are not ruled out", lambda *given: [], "run._new_rows"),
    spoilt("order", "nobody waits", named_as_if_nobody_had_to_leave, "run.name_people"),
    spoilt(
        "turnaround",
        "a bed is fit when it is left",
        lambda walk, chance: max((walk.gone[it] for it in chance.waits), default=walk.network.now),
        "order.Walk.ready",
    ),
    spoilt(
        "disinfection", "a room is fit at once", lambda *given: True, "rooms._leaves_a_usable_room"
    ),
    spoilt("budget", "misplaced people are not seen", lambda *given: 0, "people.misplaced_weight"),
    *(
        spoilt("levels", f"level {it} is all the same", unsettled(it), "model.Model.level_cost")
        for it in range(LEVELS)
    ),
]


@pytest.mark.parametrize("planner", SPOILT, ids=[f"{it.about}: {it.wrong}" for it in SPOILT])
def test_a_planner_wrong_in_one_piece_turns_a_case_red(
    planner: Spoilt, monkeypatch: pytest.MonkeyPatch
):
    for place, piece in planner.pieces.items():
        monkeypatch.setattr(f"solver.planning.{place}", piece)
    cases = [it for it in CASES if it.about == planner.about]
    assert any(red(it) for it in cases)
