"""Look again: rules and relations judged on rows read under lock, the moment before a write.

Ranking and planning look at snapshots; a decision, an approval, an admission and an arrival are
judged here once more, on what is true now.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, select

from service.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from service.store.claims.promises import promised
from service.store.claims.rows import on_beds
from service.store.network import load_network
from service.store.network_people import legal_day
from service.store.seats import Seat
from service.store.seats import seat as read_seat
from service.store.tables import core
from service.store.tables.claims import ClaimKind
from service.workflow.context import Context
from solver.check import Violation, conflicts
from solver.codes import Relation
from solver.domain import Network
from solver.eligibility import (
    RULES_BY_ID,
    Facts,
    Refusal,
    blocking,
    facts,
    misplaced,
    place,
    refusals,
)

RELATIONS: Final[Mapping[Relation, tuple[str, str]]] = {
    Relation.CAPACITY: (
        "该单元在岗人员不足以再照护一人",
        "the unit has no staffed bed for one more person",
    ),
    Relation.RESERVE: (
        "该单元余下的床位为急救预留，只供急救通道使用",
        "the unit's last free beds are kept for emergencies and open to the emergency lane only",
    ),
    Relation.ONE_SEX_PER_ROOM: ("同一房间只安排同一性别", "a shared room takes one sex at a time"),
    Relation.ISOLATION_EXCLUSIVITY: (
        "隔离要求不允许与他人同室",
        "isolation does not allow sharing this room",
    ),
    Relation.MINORS_APART: ("未成年人与成年人分开安置", "minors and adults do not share a room"),
    Relation.CUSTODY_APART: (
        "自愿人员与被强制隔离人员分开安置",
        "people under a compulsory term and others do not share a room",
    ),
}
"""What each relation says, in Chinese and English; never who is there."""

_ROOM_RELATIONS: Final = frozenset(
    {
        Relation.ONE_SEX_PER_ROOM,
        Relation.ISOLATION_EXCLUSIVITY,
        Relation.MINORS_APART,
        Relation.CUSTODY_APART,
    }
)


@dataclass(frozen=True, slots=True)
class Override:
    """A rule set aside for one placement, and why; never a statutory one."""

    rule: str
    reason: str


def lifted(ctx: Context, overrides: Sequence[Override]) -> frozenset[str]:
    """The rules this caller sets aside.

    Raises:
        Invalid: no such rule, or no reason.
        Refused: the law itself says so, or the policy lets nobody lift it.
        Forbidden: the policy lets others lift it.
    """
    for index, it in enumerate(overrides):
        pointer = f"/overrides/{index}"
        if it.rule not in RULES_BY_ID:
            known = ", ".join(sorted(RULES_BY_ID))
            raise Invalid.field(
                f"{pointer}/rule", "unknown-rule", f"no such rule; rules are {known}", it.rule
            )
        if not it.reason.strip():
            raise Invalid.field(
                f"{pointer}/reason", "reason-missing", "say why this rule is set aside"
            )
        roles = ctx.policy.overrides.get(it.rule, frozenset())
        if RULES_BY_ID[it.rule].lifted_by is None or not roles:
            raise Refused(
                "rule-cannot-be-lifted",
                f"rule {it.rule} cannot be set aside by anybody; choose another bed",
                rule=it.rule,
                citation=RULES_BY_ID[it.rule].source,
            )
        if ctx.actor.role not in roles:
            who = ", ".join(sorted(roles))
            raise Forbidden(
                "override-not-allowed",
                f"rule {it.rule} may be set aside by {who} only; ask one of them to decide",
                rule=it.rule,
                roles=sorted(roles),
            )
    return frozenset(it.rule for it in overrides)


def past_instant(name: str, given: datetime | None, now: datetime) -> datetime:
    """When something happened: the instant given, or now.

    Raises Invalid for an instant without an offset, or later than the database's clock.
    """
    if given is None:
        return now
    if given.tzinfo is None:
        raise Invalid.field(
            f"/{name}", "naive-time", "give the offset, as in 2026-05-01T08:00:00+08:00", str(given)
        )
    if given > now:
        raise Invalid.field(
            f"/{name}",
            "in-the-future",
            f"it is {now.isoformat()}; record what has happened, or leave this out to mean now",
            given.isoformat(),
        )
    return given


def future_instant(
    name: str, given: datetime | None, now: datetime, default: timedelta, longest: timedelta
) -> datetime:
    """When something is expected: the instant given, or ``default`` from now.

    Raises Invalid for an instant without an offset, before now or later than ``longest`` from now.
    """
    if given is None:
        return now + default
    if given.tzinfo is None:
        raise Invalid.field(
            f"/{name}", "naive-time", "give the offset, as in 2026-05-01T08:00:00+08:00", str(given)
        )
    if not now <= given <= now + longest:
        raise Invalid.field(
            f"/{name}",
            "out-of-range",
            f"must lie between {now.isoformat()} and {(now + longest).isoformat()}",
            given.isoformat(),
        )
    return given


def reasoned(reason: str, pointer: str = "/reason") -> str:
    """The reason, trimmed. Raises Invalid when there is none."""
    if not reason.strip():
        raise Invalid.field(pointer, "reason-missing", "a named human gives a reason")
    return reason.strip()


def require_current(conn: Connection, person: str) -> None:
    """Raise NotFound for nobody, Conflict for a record that was merged into another."""
    row = conn.execute(
        select(core.person.c.merged_into).where(core.person.c.id == person)
    ).one_or_none()
    if row is None:
        raise NotFound("person-not-found", f"there is no person {person}", person=person)
    if row.merged_into is not None:
        raise Conflict(
            "person-merged",
            f"this record was merged into {row.merged_into}; use that one",
            person=person,
            merged_into=row.merged_into,
        )


def as_data(refusal: Refusal) -> dict[str, Any]:
    """A refusal as the caller reads it, in both languages and with its source."""
    return {
        "rule": refusal.rule,
        "statutory": refusal.statutory,
        "zh": refusal.message("zh"),
        "en": refusal.message("en"),
        "citation": refusal.citation,
        "lifted_by": refusal.lifted_by,
    }


def refused(rules: Iterable[Refusal], relations: Iterable[Relation] = ()) -> Refused:
    """The error that carries every refusal and every broken relation."""
    no = [as_data(it) for it in rules]
    broken = [
        {"relation": it.value, "zh": RELATIONS[it][0], "en": RELATIONS[it][1]}
        for it in sorted(set(relations))
    ]
    why = " ".join(str(it["en"]).rstrip(".") + "." for it in [*no, *broken])
    return Refused(
        "refused-by-rules",
        f"this person may not be placed here: {why} Choose another candidate",
        refusals=no,
        relations=broken,
    )


def judged(
    conn: Connection,
    ctx: Context,
    person: str,
    seat: Seat,
    now: datetime,
    *,
    at: datetime | None = None,
    emergency: bool = False,
) -> tuple[Network, Facts]:
    """The seat's unit as it stands under the caller's locks, and the person as rules see them.

    ``at``: judge the person as of that instant (an admission of yesterday).

    Raises:
        Conflict: the unit's rule data changed since the locks were chosen, or the bed is gone.
    """
    network = load_network(conn, ctx.policy, units=[seat.unit], persons=[person], now=now)
    if person not in network.persons:
        require_current(conn, person)
    if seat.bed not in network.beds:
        raise Conflict(
            "bed-retired", f"bed {seat.bed} is no longer in use; choose another", bed=seat.bed
        )
    unit = network.units[seat.unit]
    if (unit.staffed_beds is not None or unit.reserve > 0) and not seat.unit_wide:
        raise Conflict(
            "world-moved",
            f"the rules of unit {seat.unit} changed a moment ago; try again",
            unit=seat.unit,
        )
    instant = at if at is not None else now
    who = facts(
        network.persons[person],
        legal_day(instant, ctx.policy.zone),
        instant,
        network.policy,
        emergency=emergency,
    )
    return network, who


def look_again(
    conn: Connection,
    ctx: Context,
    person: str,
    seat: Seat,
    now: datetime,
    *,
    at: datetime | None = None,
    overridden: Collection[str] = (),
    emergency: bool = False,
) -> None:
    """Judge whether the person may take the bed now; the caller holds person, unit, room, bed.

    Raises:
        Refused: with every rule and relation that says no.
        Conflict: ``bed-taken`` or ``bed-not-in-service``.
    """
    taken = on_beds(conn, [seat.bed], now).get(seat.bed)
    if taken is not None and taken.person != person:
        # Whoever lost the race is told at once; the rules of a taken bed are of no use to them.
        raise bed_taken(conn, seat.bed, now, person=person)
    network, who = judged(conn, ctx, person, seat, now, at=at, emergency=emergency)
    no = blocking(refusals(who, place(network, seat.bed)), overridden)
    broken = conflicts(network, person, seat.bed, emergency=emergency)
    _answer(conn, person, seat, now, no, broken)


def may_follow(
    conn: Connection,
    ctx: Context,
    person: str,
    seat: Seat,
    now: datetime,
    *,
    overridden: Collection[str] = (),
    emergency: bool = False,
) -> None:
    """Judge whether the person may come into the bed once whoever is in it has left.

    Who shares the room is judged without that leaver, and once more when the bed is fit and at
    arrival. Raises Refused.
    """
    network, who = judged(conn, ctx, person, seat, now, emergency=emergency)
    left = [it for it in network.stays if it.bed != seat.bed]
    network = replace(network, stays=tuple(left))
    no = blocking(refusals(who, place(network, seat.bed)), overridden)
    broken = [
        it.relation
        for it in conflicts(network, person, seat.bed, emergency=emergency)
        if it.relation in _ROOM_RELATIONS or seat.unit in it.subjects
    ]
    if no or broken:
        raise refused(no, broken)


def may_stay(conn: Connection, ctx: Context, person: str, seat: Seat, now: datetime) -> None:
    """Judge whether somebody may (again) be in a bed that is theirs: rules about a present place,
    and who shares the room. Raises Refused."""
    network, who = judged(conn, ctx, person, seat, now)
    no = misplaced(who, place(network, seat.bed))
    broken = [
        it.relation for it in conflicts(network, person, seat.bed) if it.relation in _ROOM_RELATIONS
    ]
    if no or broken:
        raise refused(no, broken)


def lawful(
    conn: Connection,
    ctx: Context,
    person: str,
    seat: Seat,
    now: datetime,
    *,
    at: datetime | None = None,
    overridden: Collection[str] = (),
    emergency: bool = False,
) -> Network:
    """Judge the rules about one person and one place only: who is there comes later.

    Returns the unit's network. Raises Refused.
    """
    network, who = judged(conn, ctx, person, seat, now, at=at, emergency=emergency)
    no = blocking(refusals(who, place(network, seat.bed)), overridden)
    if no:
        raise refused(no)
    return network


def _answer(
    conn: Connection,
    person: str,
    seat: Seat,
    now: datetime,
    no: Sequence[Refusal],
    broken: Sequence[Violation],
) -> None:
    relations = [it.relation for it in broken if it.relation in _ROOM_RELATIONS]
    of_bed = [it for it in broken if seat.bed in it.subjects]
    of_unit = [it.relation for it in broken if seat.unit in it.subjects]
    if no or (not of_bed and (relations or of_unit)):
        raise refused(no, [*relations, *of_unit])
    if of_bed:
        raise bed_taken(conn, seat.bed, now, person=person)
    kept = on_beds(conn, [seat.bed], now).get(seat.bed)
    if kept is not None and kept.kind is not ClaimKind.HOLD:
        raise Conflict(
            "bed-is-theirs",
            f"bed {seat.bed} is kept for this person already; record their return instead",
            bed=seat.bed,
            stay=kept.stay,
        )


def bed_taken(conn: Connection, bed: str, now: datetime, *, person: str | None = None) -> Conflict:
    """The error for a bed that is not free for this person: its state, or somebody was first."""
    seat = read_seat(conn, bed)
    claim = on_beds(conn, [bed], now).get(bed)
    if claim is not None and claim.person == person:
        claim = None
    promise = promised(conn, bed)
    if claim is None and promise is not None and promise.person != person:
        return Conflict(
            "bed-taken",
            f"bed {bed} is promised to somebody else as soon as it is fit; choose another "
            "candidate",
            bed=bed,
            taken_until=None,
        )
    if claim is None and (seat.state != "in_service" or seat.out_of_service):
        return Conflict(
            "bed-not-in-service",
            f"bed {seat.bed} is {seat.state}"
            f"{' and out of service' if seat.out_of_service else ''}; choose another candidate",
            bed=seat.bed,
            state=seat.state.value,
        )
    until = claim.until.isoformat() if claim is not None and claim.until is not None else None
    return Conflict(
        "bed-taken",
        f"somebody else was first on bed {seat.bed}; choose another candidate",
        bed=seat.bed,
        taken_until=until,
    )
