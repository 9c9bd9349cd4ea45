"""Who may be seated where: people reduced to classes of like ones.

Two people are alike when rules and cost terms see the same profile, the same units are open to
them and leaving them as they are costs the same; residents also share the slot they leave. So
each pair of class and slot is judged once.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from solver.codes import CONSENSUAL_BASES, UnitKind
from solver.cost import Profile, misplaced_weight, profile, waiting_weight
from solver.domain import Network, Stay
from solver.eligibility import transition_allowed
from solver.planning.rooms import company


@dataclass(frozen=True, slots=True)
class Mobility:
    """Which units are open to a class. ``kinds`` None: any, nobody lives there yet; ``agreed``
    None: agreement is not what binds; ``barred``: units that declined the request."""

    kinds: frozenset[UnitKind] | None = None
    agreed: frozenset[str] | None = None
    barred: frozenset[str] = frozenset()

    def allows(self, unit: str, kind: UnitKind) -> bool:
        """Whether a unit of this id and kind is open to the class."""
        if unit in self.barred or (self.kinds is not None and kind not in self.kinds):
            return False
        return self.agreed is None or unit in self.agreed


@dataclass(frozen=True, slots=True)
class PeopleClass:
    """Like people, by id in the order they are served.

    ``remain``: what one of them costs at levels 0 and 1 when left as they are. ``waiting``: they
    have a request. ``companies``: whom they may share with outside and inside a cohort room.
    ``home``: a bed like the one they live in now (None: nowhere), ``room``: that bed's room when
    its use is open. ``wish``: the kind of bed the last plan gave them (None: none).
    """

    people: tuple[str, ...]
    profile: Profile
    mobility: Mobility
    remain: tuple[int, int]
    companies: tuple[str, str]
    waiting: bool
    home: str | None = None
    room: str | None = None
    wish: object = None

    @property
    def helper(self) -> bool:
        """Nothing is gained by their own move at levels 0 and 1: it must make room for others or
        be a step down."""
        return self.remain == (0, 0)


def mobility_of(network: Network, stay: Stay) -> Mobility | None:
    """Where a resident may be moved: a doctor's statement supports it, the law knows the
    transition, and a consenting patient agreed. None: nowhere."""
    if stay.pinned or stay.on_leave:
        return None
    here = network.unit_of(stay.bed).kind
    kinds = frozenset(kind for kind in stay.may_move_to if transition_allowed(here, kind))
    consensual = network.persons[stay.person].basis in CONSENSUAL_BASES
    if not kinds or (consensual and not stay.agreed_units):
        return None
    return Mobility(kinds, stay.agreed_units)


def loose_residents(network: Network) -> dict[str, Stay]:
    """The residents a plan may move, by person."""
    stays = sorted(network.stays, key=lambda it: it.id)
    return {it.person: it for it in stays if mobility_of(network, it) is not None}


def people_classes(
    network: Network,
    loose: Mapping[str, Stay],
    home_key: Mapping[str, object],
    open_room: Mapping[str, str],
    wish: Mapping[str, object],
) -> list[PeopleClass]:
    """Everybody the plan may seat, in classes, the costliest to leave first.

    ``home_key`` says which homes are alike, by person; ``open_room`` names the room of those who
    live in one whose use is open; ``wish`` the kind of bed the last plan gave. A resident who
    waits and may not be moved is nobody's to seat.
    """
    found: dict[PeopleClass, list[str]] = defaultdict(list)
    first_home: dict[object, str] = {}
    waiting = [it for it in network.request_of if it in loose or it not in network.stay_of]
    for person_id in sorted({*waiting, *loose}):
        stay, request = loose.get(person_id), network.request_of.get(person_id)
        left_at, left_waiting = (0 if stay is None else misplaced_weight(network, stay)), 0
        if request is not None:
            weight = waiting_weight(network, request)
            left_at += weight if request.emergency else 0
            left_waiting = 0 if request.emergency else weight
        mobility = Mobility() if stay is None else mobility_of(network, stay)
        if request is not None and mobility is not None:
            mobility = Mobility(mobility.kinds, mobility.agreed, request.declined_units)
        person = network.persons[person_id]
        home = None
        if stay is not None:
            key = (home_key[person_id], open_room.get(person_id))
            home = first_home.setdefault(key, stay.bed)
        alike = PeopleClass(
            (),
            profile(network, person_id),
            mobility or Mobility(),
            (left_at, left_waiting),
            (company(person, False), company(person, True)),
            request is not None,
            home,
            open_room.get(person_id),
            wish.get(person_id),
        )
        found[alike].append(person_id)
    return sorted(
        (replace(alike, people=_served(network, people)) for alike, people in found.items()),
        key=lambda it: (-it.remain[0], -it.remain[1], it.people),
    )


def _served(network: Network, people: list[str]) -> tuple[str, ...]:
    """Longest waiting first, then by id."""
    asked = network.request_of

    def order(person: str) -> tuple[str, str]:
        return (asked[person].since.isoformat() if person in asked else "", person)

    return tuple(sorted(people, key=order))
