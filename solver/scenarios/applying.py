"""A scenario done to a network: another network, the same whenever and wherever it is done."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Final

from solver.codes import (
    COMPULSORY_CENTRES,
    CONSENSUAL_BASES,
    BedState,
    ConsentBy,
    DangerCase,
    Ground,
    Isolation,
    LegalBasis,
    Licence,
    Observation,
    Organ,
    OutMedicalPart,
    Owner,
    Security,
    Tri,
    UnitKind,
    Zone,
)
from solver.domain import (
    SHANGHAI,
    Bed,
    Consent,
    Decision,
    Facility,
    Need,
    Network,
    Person,
    Psychiatric,
    Request,
    Room,
    Stay,
    Unit,
)
from solver.eligibility.facts import ADULT_AGE, UNDER_TERM
from solver.instance import InstanceError
from solver.scenarios.steps import (
    Arrivals,
    CloseUnit,
    Discharges,
    LongerStays,
    NewHospital,
    Outbreak,
    PolicyChange,
    Scenario,
    Step,
)

_ANYWHERE: Final = frozenset(UnitKind) - {UnitKind.EXT}
_CUSTODIAL_HOSPITALS: Final = frozenset({UnitKind.OMW, UnitKind.SEC})
_TERM_DAYS: Final = 729  # two years, both days included
_AGREED_DAYS: Final = 62


def apply(network: Network, scenario: Scenario, path: str = "scenario") -> Network:
    """The network as it would be after the scenario's steps, one after the other.

    Ids of invented people and places come from the scenario's name and the step's number. Raises
    ``InstanceError`` with the path of the step's field below ``path`` when a step does not fit
    this network: no such unit, more people than are there, a policy that contradicts itself.
    """
    for i, step in enumerate(scenario.steps):
        at = _At(f"if:{scenario.name}:{i + 1}", f"{path}.steps[{i}]")
        network = _taken(network, step, at)
    return network


@dataclass(frozen=True, slots=True)
class _At:
    """Where in a scenario a step stands: the start of invented ids, the path of its fields."""

    ids: str
    path: str

    def fault(self, field: str, value: object, way_out: str) -> InstanceError:
        return InstanceError(f"{self.path}.{field}", value, way_out)


def _taken(network: Network, step: Step, at: _At) -> Network:
    match step:
        case CloseUnit():
            return _closed(network, step, at)
        case Outbreak():
            return _isolated(network, step, at)
        case Arrivals():
            return _arrived(network, step, at)
        case NewHospital():
            return _opened(network, step, at)
        case LongerStays():
            return _prolonged(network, step)
        case Discharges():
            return _discharged(network, step)
        case PolicyChange():
            return _changed(network, step, at)


def _unit(network: Network, name: str, at: _At) -> Unit:
    unit = network.units.get(name)
    if unit is None:
        raise at.fault("unit", name, "give the id of a unit of this network")
    return unit


def _beds_of(network: Network, unit: str) -> Iterator[Bed]:
    for room in network.rooms_of_unit[unit]:
        for bed in network.beds_of_room[room]:
            yield network.beds[bed]


def _closed(network: Network, step: CloseUnit, at: _At) -> Network:
    unit = _unit(network, step.unit, at)
    beds, held = dict(network.beds), []
    for bed in _beds_of(network, unit.id):
        if bed.held_for is not None:
            held.append((bed.id, bed.held_for))
        beds[bed.id] = replace(
            bed, state=BedState.CLOSED, promised=False, held_for=None, expected_free=None
        )
    # A unit that takes no legal basis is nobody's lawful place: rule L10, for whoever is there.
    shut = replace(unit, bases=frozenset(), reserve=0)
    waits = {it.person for it in network.requests} | {it.person for it in network.stays}
    again = tuple(
        Request(f"{at.ids}:{bed}", person, network.now)
        for bed, person in held
        if person not in waits and person in network.persons
    )
    inside = {bed.id for bed in _beds_of(network, unit.id)}
    stays = network.stays
    if step.movable:
        stays = tuple(
            _movable(network, it) if it.bed in inside and not it.on_leave else it for it in stays
        )
    return replace(
        network,
        units={**network.units, unit.id: shut},
        beds=beds,
        stays=stays,
        requests=_ordered(network.requests + again),
    )


def _movable(network: Network, stay: Stay) -> Stay:
    """The stay with every statement and agreement that a move could need; a pin stays a pin."""
    consensual = network.persons[stay.person].basis in CONSENSUAL_BASES
    bound = consensual or stay.agreed_units is not None
    agreed = frozenset(network.units) if bound else None
    return replace(stay, may_move_to=_ANYWHERE, agreed_units=agreed)


def _isolated(network: Network, step: Outbreak, at: _At) -> Network:
    unit = _unit(network, step.unit, at)
    there = [
        stay
        for bed in _beds_of(network, unit.id)
        if (stay := network.stay_in_bed.get(bed.id)) is not None
        and not stay.on_leave
        and network.persons[stay.person].need.isolation is not step.route
    ]
    if step.people > len(there):
        raise at.fault(
            "people",
            step.people,
            f"give at most {len(there)}: so many of the unit are not isolated by this route yet",
        )
    ill = there[: step.people]
    persons = dict(network.persons)
    for stay in ill:
        person = persons[stay.person]
        persons[person.id] = replace(person, need=replace(person.need, isolation=step.route))
    stays = network.stays
    if step.movable:
        beds = {stay.bed for stay in ill}
        stays = tuple(_movable(network, it) if it.bed in beds else it for it in stays)
    return replace(network, persons=persons, stays=stays)


def _arrived(network: Network, step: Arrivals, at: _At) -> Network:
    width = len(str(step.count))
    ids = [f"{at.ids}:{number:0{width}}" for number in range(1, step.count + 1)]
    model = _somebody(network, step)
    people = {id_: replace(model, id=id_) for id_ in ids}
    _new_ids(network.persons, people, at)
    requests = tuple(Request(id_, id_, network.now, emergency=step.emergency) for id_ in ids)
    _new_ids(network.request_by_id, {it.id: it for it in requests}, at)
    return replace(
        network,
        persons={**network.persons, **people},
        requests=_ordered(network.requests + requests),
    )


def _somebody(network: Network, step: Arrivals) -> Person:
    """One of the arrivals, whose papers carry the legal basis from today on."""
    today, basis = network.on, step.basis
    decision = None
    if basis in UNDER_TERM:
        decision = Decision(
            Organ.COUNTY_POLICE,
            Ground.RELAPSE_AFTER,
            today,
            today + timedelta(days=_TERM_DAYS),
            network.now,
            under_16_reasons=step.age < 16,
        )
    kinds = frozenset(
        it.kind
        for it in network.units.values()
        if basis in it.bases and (not it.custodial or basis is LegalBasis.VOLUNTARY_IN_CENTRE)
    )
    if basis is LegalBasis.VOLUNTARY_IN_CENTRE:
        kinds &= COMPULSORY_CENTRES
    signers: tuple[ConsentBy, ...] = ()
    if basis in CONSENSUAL_BASES:
        signers = (ConsentBy.PERSON,)
        if step.age < ADULT_AGE:
            signers = (ConsentBy.GUARDIAN,)
        elif basis is LegalBasis.CONSTRAINED:
            signers = (ConsentBy.PERSON, ConsentBy.FAMILY)
    last = today + timedelta(days=_AGREED_DAYS)
    psychiatric = None
    if basis is LegalBasis.INVOLUNTARY_PSYCHIATRIC:
        psychiatric = Psychiatric(severe=True, case=DangerCase.OTHERS)
    return Person(
        "",
        step.sex,
        step.age,
        basis,
        decision,
        tuple(Consent(by, kinds, today, last, agreement=True) for by in signers),
        Need(step.grade, step.needs, step.isolation, step.observation, Tri.NO, Tri.NO),
        police_consent=basis is LegalBasis.VOLUNTARY_IN_CENTRE,
        out_medical=(frozenset(OutMedicalPart) if basis is LegalBasis.OUT_MEDICAL else frozenset()),
        psychiatric=psychiatric,
    )


def _opened(network: Network, step: NewHospital, at: _At) -> Network:
    held = step.kind in _CUSTODIAL_HOSPITALS
    agreed = {LegalBasis.CONSTRAINED, LegalBasis.VOLUNTARY, LegalBasis.OUT_MEDICAL}
    facility = Facility(at.ids, step.position)
    unit = Unit(
        f"{at.ids}.w1",
        facility.id,
        step.kind,
        zone=Zone.MEDICAL,
        level_of_care=step.level_of_care,
        security=Security.GUARDED if held else Security.OPEN,
        observation=Observation.CONSTANT,
        licences=frozenset({Licence.DRUG_TREATMENT, Licence.PSYCHIATRIC, Licence.INFECTIOUS}),
        bases=frozenset({LegalBasis.COMPULSORY} if held else agreed),
        security_owner=Owner.PUBLIC_SECURITY if held else Owner.NONE,
        staffed_beds=step.staffed_beds,
        reserve=step.reserve,
    )
    shares = step.isolation in (Isolation.CONTACT, Isolation.DROPLET)
    rooms: dict[str, Room] = {}
    beds: dict[str, Bed] = {}
    for number in range(step.beds):
        in_room, place = divmod(number, step.beds_per_room)
        room = f"{unit.id}.r{in_room + 1:04}"
        rooms[room] = Room(room, unit.id, isolation=step.isolation, cohort=shares)
        bed = f"{room}.b{place + 1:02}"
        beds[bed] = Bed(bed, room, step.bed_kind, step.features)
    _new_ids(network.facilities, {facility.id: facility}, at)
    _new_ids(network.units, {unit.id: unit}, at)
    _new_ids(network.rooms, rooms, at)
    _new_ids(network.beds, beds, at)
    return replace(
        network,
        facilities={**network.facilities, facility.id: facility},
        units={**network.units, unit.id: unit},
        rooms={**network.rooms, **rooms},
        beds={**network.beds, **beds},
    )


def _prolonged(network: Network, step: LongerStays) -> Network:
    later = timedelta(days=step.days)
    beds, stays = dict(network.beds), []
    for stay in network.stays:
        bed = network.beds[stay.bed]
        if network.unit_of(bed.id).kind is step.kind and not stay.on_leave:
            last = _last_instant(network.persons[stay.person])
            stay = replace(stay, expected_end=_later(stay.expected_end, later, last))
            beds[bed.id] = replace(bed, expected_free=_later(bed.expected_free, later, last))
        stays.append(stay)
    return replace(network, beds=beds, stays=tuple(stays))


def _later(forecast: datetime | None, later: timedelta, last: datetime | None) -> datetime | None:
    """The forecast moved on, to ``last`` at most; one that lay beyond it is left alone."""
    if forecast is None:
        return None
    return forecast + later if last is None else max(forecast, min(forecast + later, last))


def _last_instant(person: Person) -> datetime | None:
    """24:00 of the last day of the term somebody is under."""
    if person.basis not in UNDER_TERM or person.decision is None:
        return None
    after = person.decision.ends_on + timedelta(days=1)
    return datetime.combine(after, time(), SHANGHAI).astimezone(UTC)


def _discharged(network: Network, step: Discharges) -> Network:
    until = network.now + timedelta(days=step.days)
    beds, stays = dict(network.beds), []
    for stay in network.stays:
        bed = network.beds[stay.bed]
        ends = stay.expected_end if stay.expected_end is not None else bed.expected_free
        stays_on = (
            stay.on_leave
            or ends is None
            or ends > until
            or stay.person in network.request_of
            or step.kind not in (None, network.unit_of(bed.id).kind)
        )
        if stays_on:
            stays.append(stay)
            continue
        state = BedState.CLOSED if bed.state is BedState.CLOSING else bed.state
        beds[bed.id] = replace(bed, state=state, expected_free=None)
    return replace(network, beds=beds, stays=tuple(stays))


def _changed(network: Network, step: PolicyChange, at: _At) -> Network:
    changes = dict(step.policy)
    policy = replace(network.policy, **changes)  # type: ignore[arg-type]
    for it in policy.contradictions(len(network.persons)):
        raise at.fault(f"policy.{it.field}", it.value, it.way_out)
    return replace(network, policy=policy)


def _new_ids(known: Mapping[str, object], new: Mapping[str, object], at: _At) -> None:
    if taken := sorted(known.keys() & new.keys()):
        raise InstanceError(
            at.path, taken[0], "the network has this id already; name the scenario otherwise"
        )


def _ordered(requests: tuple[Request, ...]) -> tuple[Request, ...]:
    return tuple(sorted(requests, key=lambda it: it.id))
