"""What is written down when somebody agrees to treatment or says no, and what makes it valid."""

from datetime import date, datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection, select

from service.access.caller import Role
from service.errors import Forbidden, Invalid
from service.store.tables import core
from service.workflow.context import Context
from service.workflow.instants import AwareInstant
from service.workflow.inventory.place_fields import Line, Strict
from service.workflow.privacy.own_cases import on_police_side
from solver.codes import COMPULSORY_CENTRES, ConsentBy, Tri, UnitKind


class Capacity(Strict):
    """What a doctor of the hospital found of the person's ability to decide on treatment.

    ``found_by``: the doctor's name; left out, it is the clinician whose key records this.
    """

    capable: Tri
    found_by: Line | None = None
    found_at: AwareInstant | None = None


class NewConsent(Strict):
    """Consent with its scope and its last day, which is included; it is never renewed by itself.

    ``agreement``: the written agreement on method, term and confidentiality is signed
    (Drug Rehabilitation Regulations art. 10). The family's word never replaces the person's.
    ``given_at``, ``place``, ``takers`` and ``witness``: when and where it was said, to whom by
    name, and who saw it. ``sober`` false: said under intoxication, so it lapses unless said again
    sober.
    ``refused``: the answer was no; then only the hour, the place and the takers are needed.
    """

    by: ConsentBy
    kinds: Annotated[frozenset[UnitKind], Field(min_length=1)]
    given_at: AwareInstant
    place: Line
    takers: Annotated[list[Line], Field(min_length=1, max_length=6)]
    witness: Line | None = None
    capacity: Capacity | None = None
    told_alternatives: bool = False
    told_no_adverse_effect: bool = False
    sober: bool | None = None
    agreement: bool = False
    starts_on: date | None = None
    ends_on: date | None = None
    refused: bool = False


class Repetition(Strict):
    """The same word said again sober, to whom, and if a doctor looked again what was found."""

    said_at: AwareInstant | None = None
    takers: Annotated[list[Line], Field(min_length=1, max_length=6)]
    capacity: Capacity | None = None


def require_taker(conn: Connection, ctx: Context, kinds: frozenset[UnitKind]) -> None:
    """Whether this caller may take or read consents to these kinds of unit.

    Police never do. A clinician whose key names a facility does so for its own kinds of unit.
    Raises Forbidden.
    """
    if ctx.actor.role not in (Role.CLINICIAN, Role.COORDINATOR):
        raise Forbidden(
            "not-for-this-role",
            "a consent to treatment is taken by a clinician of the hospital, or a coordinator",
        )
    if ctx.actor.facility is None:
        return
    unit = core.unit.c
    own = set(
        conn.execute(
            select(unit.kind).where(
                unit.facility_id == ctx.actor.facility, unit.retired_at.is_(None)
            )
        ).scalars()
    )
    if not {kind.value for kind in kinds} & own:
        raise Forbidden(
            "other-hospital",
            "this key is for a facility that runs none of these kinds of unit; a clinician of the "
            "hospital that will treat the person takes the consent",
        )


def readable(conn: Connection, ctx: Context, kinds: list[str]) -> bool:
    """Whether the caller may read a consent to these kinds of unit; the police side may where it
    is for compulsory centres alone, which takes the consent of police."""
    centres = {kind.value for kind in COMPULSORY_CENTRES}
    if ctx.actor.role not in (Role.CLINICIAN, Role.COORDINATOR, Role.AUDITOR):
        return False
    return set(kinds) <= centres or not on_police_side(conn, ctx)


def check_form(ctx: Context, new: NewConsent, at: datetime, today: date) -> tuple[date, date]:
    """The first and last day, once everything that makes a consent valid is there.

    Raises Invalid naming what must be done first.
    """
    _check_past("/given_at", new.given_at, at)
    given_on = new.given_at.astimezone(ctx.policy.zone).date()
    if new.refused:
        return new.starts_on or given_on, max(new.starts_on or given_on, new.ends_on or given_on)
    days = _days(new, today)
    if days[0] < given_on:
        raise Invalid.field(
            "/starts_on",
            "before-given",
            f"a consent given on {given_on} carries nothing before that day",
            days[0].isoformat(),
        )
    _check_told(new)
    _check_people(ctx, new)
    if new.by is ConsentBy.PERSON:
        _check_own_word(ctx, new)
    if new.capacity is not None:
        check_capacity(ctx, new.capacity, at)
    return days


def check_capacity(ctx: Context, found: Capacity, at: datetime) -> None:
    """A finding has its doctor and lies in the past. Raises Invalid."""
    if found.found_by is None and ctx.actor.role is not Role.CLINICIAN:
        raise Invalid.field(
            "/capacity/found_by",
            "missing",
            "name the doctor of the hospital who looked whether the person is able to decide",
        )
    if found.found_at is not None:
        _check_past("/capacity/found_at", found.found_at, at)


def doctor(ctx: Context, found: Capacity) -> str:
    """Who found it: the doctor named, or the clinician whose key records it."""
    return found.found_by or ctx.actor.name


def enough_takers(ctx: Context, takers: list[str], *, sober: bool) -> None:
    """As many different named people take a consent as the policy wants. Raises Invalid."""
    rules = ctx.policy.consents
    needed = rules.takers if sober else rules.takers_not_sober
    if len(set(takers)) < needed:
        raise Invalid.field(
            "/takers",
            "too-few",
            f"{needed} different named people take this consent (policy {ctx.policy.version})",
            len(set(takers)),
        )


def _days(new: NewConsent, today: date) -> tuple[date, date]:
    for name in ("starts_on", "ends_on"):
        if getattr(new, name) is None:
            raise Invalid.field(
                f"/{name}", "missing", "a consent has its first and its last day; both included"
            )
    assert new.starts_on is not None
    assert new.ends_on is not None
    if new.ends_on < new.starts_on:
        raise Invalid.field(
            "/ends_on",
            "reversed-period",
            f"the last day lies before the first ({new.starts_on}); both days are included",
            new.ends_on.isoformat(),
        )
    if new.ends_on < today:
        raise Invalid.field(
            "/ends_on",
            "over-already",
            f"today is {today}: a consent that is over supports no bed; ask for a new one",
            new.ends_on.isoformat(),
        )
    return new.starts_on, new.ends_on


def _check_told(new: NewConsent) -> None:
    for name, what in (
        ("told_alternatives", "tell which other treatment there is, home included"),
        ("told_no_adverse_effect", "tell that saying no costs the person nothing"),
    ):
        if not getattr(new, name):
            raise Invalid.field(
                f"/{name}", "not-told", f"first {what}, then ask, then record the answer", False
            )


def _check_people(ctx: Context, new: NewConsent) -> None:
    if new.witness is None:
        raise Invalid.field("/witness", "missing", "name who saw the consent being given")
    if new.witness in new.takers:
        raise Invalid.field(
            "/witness", "not-apart", "the witness is somebody who does not take the consent"
        )
    enough_takers(ctx, new.takers, sober=new.sober is not False)


def _check_own_word(ctx: Context, new: NewConsent) -> None:
    """The person's own word is free and theirs to give."""
    if new.sober is None:
        raise Invalid.field(
            "/sober", "missing", "say whether the person was sober when asked; unknown is not yes"
        )
    if new.capacity is None or new.capacity.capable is Tri.UNKNOWN:
        raise Invalid.field(
            "/capacity",
            "not-examined",
            "a doctor of the hospital first looks whether the person is able to decide on "
            "treatment; record who looked, and when, with the consent",
        )
    if new.capacity.capable is Tri.NO:
        raise Invalid.field(
            "/by",
            "not-their-word",
            "for this person a guardian speaks: record the guardian's answer, by guardian; what "
            "the person wants stands beside it as a wish",
            new.by.value,
        )


def _check_past(pointer: str, given: datetime, at: datetime) -> None:
    if given > at:
        raise Invalid.field(
            pointer, "in-the-future", "record it when it was said, or later", given.isoformat()
        )


def check_repetition(
    ctx: Context, said: Repetition, given: datetime, spoken: datetime, at: datetime
) -> None:
    """A repetition is later than the word it repeats, and as free. Raises Invalid."""
    _check_past("/said_at", spoken, at)
    if spoken <= given:
        raise Invalid.field(
            "/said_at", "before-given", "it is said again after it was given", spoken.isoformat()
        )
    enough_takers(ctx, said.takers, sober=True)
    if said.capacity is None:
        return
    if said.capacity.capable is not Tri.YES:
        raise Invalid.field(
            "/capacity",
            "not-their-word",
            "this word cannot be repeated as the person's own now; it lapses by itself",
        )
    check_capacity(ctx, said.capacity, at)
