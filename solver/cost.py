"""What a placement or a plan costs, in named integer terms on five levels.

A lower level is settled before the next is looked at; levels are never added together. No term
rewards a full bed or keeping anybody in one: a person not moved costs nothing at levels 2 to 4,
and a resident's move is priced by its difference to staying, which may be negative.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import hypot

from solver.codes import CUSTODIAL_BASES, BedKind, Grade, Isolation, Security
from solver.domain import Network, Person, Plan, Policy, Request, Stay, Unit
from solver.eligibility import Facts, Place, counted_grade, facts, misplaced, place
from solver.eligibility.care import MEDICAL_KINDS

LEVELS = 5
SCARCE = frozenset(
    {
        BedKind.DTX,
        BedKind.NUR,
        BedKind.ISO_A,
        BedKind.ISO_C,
        BedKind.PSY,
        BedKind.OBS,
        BedKind.ACC,
        BedKind.MAT,
    }
)
"""Equipment kept for whoever needs it."""

Terms = tuple[tuple[str, int], ...]

# What is worked out once a snapshot stands beside its cached properties under these names.
_PROFILES, _SEATS, _MISPLACED = "_cost_profiles", "_cost_seats", "_cost_misplaced"


@dataclass(frozen=True, slots=True)
class Profile:
    """A person as rules and cost terms see them. ``home`` in whole km on the city's plane."""

    facts: Facts
    home: tuple[int, int] | None = None
    origin_unit: str | None = None


@dataclass(frozen=True, slots=True)
class Seat:
    """A bed as rules and cost terms see it, at the snapshot.

    ``position``: the facility's, in km. ``load``: people per staffed bed of its unit in tenths,
    0 to 10. ``in_reserve``: one more person would leave the unit less than its reserve.
    """

    place: Place
    unit: str
    facility: str
    position: tuple[float, float] = (0.0, 0.0)
    security: Security = Security.OPEN
    stale: bool = False
    load: int = 0
    in_reserve: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """A named cost: its level 0 to 4, its words, and the fields it reads of ``Facts``
    (``person.``), ``Place`` (``place.``), ``Profile`` (``profile.``) and ``Seat`` (``seat.``)."""

    name: str
    level: int
    zh: str
    en: str
    reads: tuple[str, ...]
    count: Callable[[Profile, Seat, Policy], int] | None = None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A plan's price: the sum of each level's terms, and every term by name."""

    levels: tuple[int, ...]
    terms: Mapping[str, int]


def _restrictiveness(profile: Profile, seat: Seat, policy: Policy) -> int:
    """Security above what the legal basis itself orders, in steps."""
    if profile.facts.basis in CUSTODIAL_BASES:
        return 0
    return policy.restrictiveness_weight * int(seat.security)


def _ward_above_need(profile: Profile, seat: Seat, policy: Policy) -> int:
    """Somebody under a compulsory term in a ward or hospital without ward-grade need."""
    held = profile.facts.basis in CUSTODIAL_BASES
    needless = seat.place.kind in MEDICAL_KINDS and profile.facts.grade < Grade.G3
    return policy.ward_weight if held and needless else 0


def _stale_risk(profile: Profile, seat: Seat, policy: Policy) -> int:
    """The bed's status is older than its facility's time to live."""
    return policy.stale_weight if seat.stale else 0


def _away_from_origin(profile: Profile, seat: Seat, policy: Policy) -> int:
    """Not back in the unit the person came from."""
    return policy.origin_weight if profile.origin_unit not in (None, seat.unit) else 0


def _distance(profile: Profile, seat: Seat, policy: Policy) -> int:
    """Whole km from home, up to the policy's cap; nothing where home is not known."""
    if profile.home is None:
        return 0
    east, north = seat.position
    km = round(hypot(profile.home[0] - east, profile.home[1] - north))
    return policy.distance_weight_per_km * min(km, policy.distance_cap_km)


def _reserve_use(profile: Profile, seat: Seat, policy: Policy) -> int:
    """The bed is kept in reserve, by its kind or by its unit's count; emergencies may use it."""
    reserve = seat.in_reserve or BedKind.RSV in seat.place.provides
    return policy.reserve_weight if reserve and not profile.facts.emergency else 0


def _scarce_unused(profile: Profile, seat: Seat, policy: Policy) -> int:
    """Scarce equipment and isolation rooms taken by somebody who does not need them."""
    unused = len((seat.place.provides & SCARCE) - profile.facts.needs)
    isolating = seat.place.isolation is not Isolation.NONE
    unused += isolating and profile.facts.isolation is Isolation.NONE
    return policy.scarce_weight * unused


def _care_above_need(profile: Profile, seat: Seat, policy: Policy) -> int:
    """Grades between what the unit can care for and what the person needs."""
    return policy.care_weight * max(0, seat.place.level_of_care - profile.facts.grade)


def _load(profile: Profile, seat: Seat, policy: Policy) -> int:
    """How full the unit already is, so that like units share."""
    return policy.load_weight * seat.load


TERMS: tuple[Term, ...] = (
    Term(
        "emergency_unplaced",
        0,
        "急救未安置",
        "an emergency without a bed",
        ("person.emergency", "person.grade", "request.since"),
    ),
    Term(
        "misplaced_left",
        0,
        "现住处不再合法或者安全而未调整",
        "somebody left where it is no longer lawful or safe",
        ("person.*", "place.*"),
    ),
    Term(
        "waiting_unplaced",
        1,
        "候床未安置",
        "a waiting person without a bed",
        ("person.grade", "request.since"),
    ),
    Term(
        "restrictiveness",
        2,
        "约束程度高于需要",
        "more closed than needed",
        ("person.basis", "seat.security"),
        _restrictiveness,
    ),
    Term(
        "ward_above_need",
        2,
        "无需住病区而住病区",
        "in a ward without ward-grade need",
        ("person.basis", "person.grade", "place.kind"),
        _ward_above_need,
    ),
    Term("stale_risk", 2, "床位状态过时", "bed status is stale", ("seat.stale",), _stale_risk),
    Term("moves", 3, "调整在院人员", "moves of residents", ()),
    Term(
        "away_from_origin",
        4,
        "未回原单位",
        "not the unit of origin",
        ("profile.origin_unit", "seat.unit"),
        _away_from_origin,
    ),
    Term(
        "distance",
        4,
        "离家距离",
        "distance from home",
        ("profile.home", "seat.position"),
        _distance,
    ),
    Term(
        "reserve_use",
        4,
        "占用预留床",
        "uses the reserve",
        ("person.emergency", "place.provides", "seat.in_reserve"),
        _reserve_use,
    ),
    Term(
        "scarce_unused",
        4,
        "占用无需的紧缺设施",
        "takes scarce equipment without need",
        ("person.needs", "person.isolation", "place.provides", "place.isolation"),
        _scarce_unused,
    ),
    Term(
        "care_above_need",
        4,
        "收治能力高于需要",
        "care above the grade needed",
        ("person.grade", "place.level_of_care"),
        _care_above_need,
    ),
    Term("load", 4, "单位已满程度", "how full the unit is", ("seat.load",), _load),
)
"""Every cost term, in the order they are listed."""

_BY_NAME = {term.name: term for term in TERMS}
_FIT = tuple((term.name, term.count) for term in TERMS if term.count is not None)


def level_of(term: str) -> int:
    """The level of a term. Raises KeyError for a name that is none."""
    return _BY_NAME[term].level


def profile(network: Network, person_id: str) -> Profile:
    """A person of the network as rules and terms see them; an emergency request is seen too.
    Worked out once a person, kept beside the network's cached properties."""
    known: dict[str, Profile] = vars(network).setdefault(_PROFILES, {})
    found = known.get(person_id)
    if found is None:
        person = network.persons[person_id]
        found = known[person_id] = _profile(person, _facts(network, person_id))
    return found


def profile_of(network: Network, person: Person, *, emergency: bool) -> Profile:
    """Anybody, known to the network or not, as rules and terms see them on its day."""
    who = facts(person, network.on, network.now, network.policy, emergency=emergency)
    return _profile(person, who)


def _facts(network: Network, person_id: str) -> Facts:
    known: Profile | None = vars(network).get(_PROFILES, {}).get(person_id)
    if known is not None:
        return known.facts
    request = network.request_of.get(person_id)
    emergency = request is not None and request.emergency
    person = network.persons[person_id]
    return facts(person, network.on, network.now, network.policy, emergency=emergency)


def _profile(person: Person, who: Facts) -> Profile:
    home = person.home
    whole = None if home is None else (round(home[0]), round(home[1]))
    return Profile(who, whole, person.origin_unit)


def seat(network: Network, bed_id: str, here: Place | None = None) -> Seat:
    """A bed of the network as rules and terms see it; ``here`` spares looking its place up."""
    where = place(network, bed_id) if here is None else here
    bed = network.beds[bed_id]
    known: dict[object, Seat] = vars(network).setdefault(_SEATS, {})
    alike = (network.rooms[bed.room].unit, bed.stale, where)
    found = known.get(alike)
    if found is None:
        found = known[alike] = _seat(network, network.unit_of(bed_id), where, bed.stale)
    return found


def _seat(network: Network, unit: Unit, where: Place, stale: bool) -> Seat:
    people = network.people_in_unit[unit.id]
    staffed = network.staffed_beds[unit.id]
    return Seat(
        place=where,
        unit=unit.id,
        facility=unit.facility,
        position=network.facilities[unit.facility].position,
        security=unit.security,
        stale=stale,
        load=min(10, 10 * people // staffed) if staffed else 10,
        in_reserve=unit.reserve > 0 and staffed - people <= unit.reserve,
    )


def fit_terms(profile: Profile, seat: Seat, policy: Policy) -> Terms:
    """The level 2 and level 4 terms of this person in this bed that are not zero."""
    return tuple((name, n) for name, count in _FIT if (n := count(profile, seat, policy)))


def left_terms(profile: Profile, seat: Seat, policy: Policy) -> Terms:
    """What leaving a bed saves: its terms, but for the age of its status. A facility whose report
    is late is no reason to move the people who live there."""
    return tuple(it for it in fit_terms(profile, seat, policy) if it[0] != "stale_risk")


def move_terms(network: Network, person_id: str, from_bed: str | None, to_bed: str) -> Terms:
    """What one move costs: the new place's terms, for a resident less the old place's, plus one
    move. Terms of zero are left out, the others stand in the order of ``TERMS``."""
    who = profile(network, person_id)
    counts = dict(fit_terms(who, seat(network, to_bed), network.policy))
    if from_bed is not None:
        counts["moves"] = 1
        for name, n in left_terms(who, seat(network, from_bed), network.policy):
            counts[name] = counts.get(name, 0) - n
    return tuple((term.name, n) for term in TERMS if (n := counts.get(term.name, 0)))


def waiting_weight(network: Network, request: Request) -> int:
    """What leaving this request without a bed costs: by grade and whole days waited, capped; an
    emergency weighs as the highest grade (level 0), the others by their own (level 1)."""
    policy = network.policy
    counted = counted_grade(network.persons[request.person].need, policy)
    if request.emergency:
        counted = Grade.G5
    days = max(0, (network.now - request.since).days)
    return policy.grade_weights[counted] + policy.wait_weight_per_day * min(
        days, policy.wait_days_cap
    )


def unplaced_term(request: Request) -> str:
    """The term a request without a bed counts under."""
    return "emergency_unplaced" if request.emergency else "waiting_unplaced"


def misplaced_weight(network: Network, stay: Stay) -> int:
    """What leaving a resident where they are costs at level 0: nothing where their place is
    lawful and safe, else by grade. A bed kept during leave is nobody's present place."""
    return 0 if stay.on_leave else _unfit_weight(network, stay.person, stay.bed)


def _misplaced(network: Network) -> Mapping[str, int]:
    """The weight of every resident whose place is not lawful and safe, by person."""
    known: dict[str, int] | None = vars(network).get(_MISPLACED)
    if known is None:
        known = {it.person: n for it in network.stays if (n := misplaced_weight(network, it))}
        vars(network)[_MISPLACED] = known
    return known


def _unfit_weight(network: Network, person_id: str, bed_id: str) -> int:
    """The weight of the person's grade where the bed is not lawful and safe for them, else 0."""
    who = _facts(network, person_id)
    unfit = misplaced(who, place(network, bed_id))
    return network.policy.grade_weights[who.grade] if unfit else 0


def price(network: Network, plan: Plan) -> Breakdown:
    """Recount what a plan costs, from the network alone; the plan's own figures are not read.

    A resident the plan moves to an unfit place still counts as misplaced there."""
    counts = dict.fromkeys(_BY_NAME, 0)
    target = {move.person: move.to_bed for move in plan.moves}
    placed = {move.request for move in plan.moves}
    for request in network.requests:
        if request.id not in placed:
            counts[unplaced_term(request)] += waiting_weight(network, request)
    for person, weight in _misplaced(network).items():
        if person not in target:
            counts["misplaced_left"] += weight
    for person, moved in target.items():
        if person in network.stay_of:
            counts["misplaced_left"] += _unfit_weight(network, person, moved)
    for move in plan.moves:
        for name, n in move_terms(network, move.person, move.from_bed, move.to_bed):
            counts[name] += n
    return Breakdown(level_totals(counts.items()), counts)


def level_totals(terms: Iterable[tuple[str, int]]) -> tuple[int, ...]:
    """The sum of each of the five levels."""
    totals = [0] * LEVELS
    for name, n in terms:
        totals[level_of(name)] += n
    return tuple(totals)
