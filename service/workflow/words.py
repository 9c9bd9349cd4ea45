"""Objections, complaints, requests for review and wishes 异议、投诉、复议、意愿: what people say.

Anybody who hears it writes it down, in the person's own words. It stands beside every proposal and
decision about them and no re-run erases it; an answer is added, never put in its place. A request
for review suspends nothing by itself and is forwarded promptly (Anti-Drug Law art. 40; MPS Order
117 art. 22).
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Connection, Table, insert, select, update

from service.access.caller import FACILITY_ROLES, Role
from service.errors import Conflict, Invalid, NotFound
from service.store import events
from service.store.ids import new_id
from service.store.locks import lock
from service.store.tables import core
from service.store.tables.watch import WordBy, WordKind
from service.workflow.context import Context
from service.workflow.instants import AwareInstant
from service.workflow.inventory.place_fields import PlaceId, Strict
from service.workflow.judgement import past_instant
from service.workflow.persons.people import lock_person
from service.workflow.persons.person_view import require_visible
from service.workflow.privacy.visibility import require_request, require_stay
from service.workflow.watch.due import owe, settle
from solver.codes import LegalBasis

_c: Final = core.personal_word.c
_PURPOSE: Final = "personal_word.words"
_ANSWER: Final = "personal_word.answer"

OBJECTIONS: Final = (WordKind.OBJECTION, WordKind.COMPLAINT, WordKind.REVIEW)
"""Kinds that somebody owes an answer, or must pass on."""

_SUBJECTS: Final[Mapping[str, Table]] = {
    "placement_request": core.placement_request,
    "stay": core.stay,
    "transfer": core.transfer,
    "plan_proposal": core.plan_proposal,
    "legal_basis": core.legal_basis,
    "term": core.term,
    "restraint": core.restraint,
}

Words = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=4000),
    Field(description="What was said, as it was said; kept encrypted"),
]


class About(Strict):
    """What it is about: a thing of this person's own, by its kind and id."""

    type: Annotated[str, Field(description=f"One of {', '.join(sorted(_SUBJECTS))}")]
    id: Annotated[str, StringConstraints(min_length=1, max_length=80)]


class NewObjection(Strict):
    """An objection, a complaint or a request for review, by the person or for them."""

    kind: WordKind = WordKind.OBJECTION
    by: WordBy = WordBy.PERSON
    about: About | None = None
    words: Words
    said_at: AwareInstant | None = None


class NewWish(Strict):
    """What the person would rather have; ``units``: where they would or would not go, by id."""

    by: WordBy = WordBy.PERSON
    about: About | None = None
    units: Annotated[frozenset[PlaceId], Field(max_length=20)] = frozenset()
    words: Words
    said_at: AwareInstant | None = None


class Answer(Strict):
    """What was answered, by whom the key names."""

    words: Words


class WordShown(BaseModel):
    """What was said, about what, and the answer once there is one."""

    id: str
    person: str
    kind: WordKind
    by: WordBy
    about: About | None
    units: list[str]
    words: str
    said_at: datetime
    recorded_by: str
    answer: str | None
    answered_by: str | None
    answered_at: datetime | None
    withdrawn_at: datetime | None
    version: int


def record_objection(conn: Connection, ctx: Context, person: str, new: NewObjection) -> WordShown:
    """Write down an objection, complaint or request for review, and start the answer's clock.

    Raises:
        NotFound: no such person, or not known to this caller; a subject that is not theirs.
        Invalid: a wish (it has a route of its own), an instant in the future.
        Conflict: ``merged``.
    """
    if new.kind is WordKind.WISH:
        raise Invalid.field(
            "/kind",
            "not-an-objection",
            f"use one of: {', '.join(OBJECTIONS)}; a wish goes to the person's wishes",
            new.kind.value,
        )
    return _record(conn, ctx, person, new, new.kind, frozenset())


def record_wish(conn: Connection, ctx: Context, person: str, new: NewWish) -> WordShown:
    """Write down what the person would rather have.

    Raises as ``record_objection`` does, and Invalid for a unit that does not exist.
    """
    known = set(
        conn.execute(select(core.unit.c.id).where(core.unit.c.id.in_(sorted(new.units)))).scalars()
    )
    for unknown in sorted(new.units - known):
        raise Invalid.field("/units", "unknown-unit", "name units of the network by id", unknown)
    return _record(conn, ctx, person, new, WordKind.WISH, new.units)


def answer_word(conn: Connection, ctx: Context, word: str, answer: Answer) -> WordShown:
    """Answer it; what was said stays as it was. An answer, whoever gives it, forwards nothing: the
    duty to pass a complaint or a request for review on ends when it was passed on.

    Raises NotFound, and Conflict ``answered-already``: say more in a new entry.
    """
    row = _visible(conn, ctx, word)
    at = lock(conn, persons=[row.person_id])
    changed = conn.execute(
        update(core.personal_word)
        .where(_c.id == word, _c.answered_at.is_(None))
        .values(
            answer=ctx.vault.seal_text(answer.words, _ANSWER),
            answered_by=ctx.actor.id,
            answered_at=at,
            version=_c.version + 1,
        )
    )
    if changed.rowcount == 0:
        raise Conflict(
            "answered-already",
            "this has been answered; nothing written is changed: record what is new beside it",
            word=word,
        )
    settle(
        conn,
        ctx,
        "objection_answer",
        subject=("personal_word", word),
        now=at,
        outcome="answered",
    )
    _event(conn, ctx, "word.answered", word, row.person_id, at)
    return _read(conn, ctx, word)


def withdraw_word(conn: Connection, ctx: Context, word: str) -> WordShown:
    """The person takes it back; it stays on record with the hour it was taken back.

    Raises NotFound, and Conflict ``withdrawn-already``.
    """
    row = _visible(conn, ctx, word)
    at = lock(conn, persons=[row.person_id])
    changed = conn.execute(
        update(core.personal_word)
        .where(_c.id == word, _c.withdrawn_at.is_(None))
        .values(withdrawn_at=at, version=_c.version + 1)
    )
    if changed.rowcount == 0:
        raise Conflict("withdrawn-already", "this was taken back before", word=word)
    settle(
        conn,
        ctx,
        ("objection_answer", "complaint_forward"),
        subject=("personal_word", word),
        now=at,
        outcome="called_off",
    )
    _event(conn, ctx, "word.withdrawn", word, row.person_id, at)
    return _read(conn, ctx, word)


def listed(
    conn: Connection, ctx: Context, person: str, kinds: Collection[WordKind]
) -> list[WordShown]:
    """What this person, or somebody for them, has said, oldest first.

    Raises NotFound for somebody this caller may not know of.
    """
    require_visible(conn, ctx, person)
    found = conn.execute(
        select(core.personal_word)
        .where(_c.person_id == person, _c.kind.in_([it.value for it in kinds]))
        .order_by(_c.said_at, _c.id)
    )
    return [_shown(ctx, row) for row in found if not _hidden(conn, ctx, row)]


def unanswered(conn: Connection, ctx: Context, *, after: str | None, limit: int) -> list[WordShown]:
    """Everything that still waits for an answer, in the order it was recorded."""
    query = (
        select(core.personal_word)
        .where(
            _c.kind.in_([it.value for it in OBJECTIONS]),
            _c.answered_at.is_(None),
            _c.withdrawn_at.is_(None),
        )
        .order_by(_c.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(_c.id > after)
    return [_shown(ctx, row) for row in conn.execute(query)]


def beside(
    conn: Connection, ctx: Context, persons: Collection[str]
) -> dict[str, tuple[WordShown, ...]]:
    """What these people have said and not taken back: it is shown beside every proposal and
    decision about them. A caller who may not know of it gets none of it."""
    if not persons:
        return {}
    found = conn.execute(
        select(core.personal_word)
        .where(_c.person_id.in_(sorted(set(persons))), _c.withdrawn_at.is_(None))
        .order_by(_c.said_at, _c.id)
    )
    shown: dict[str, tuple[WordShown, ...]] = {}
    for row in found:
        if not _hidden(conn, ctx, row):
            shown[row.person_id] = (*shown.get(row.person_id, ()), _shown(ctx, row))
    return shown


def _record(
    conn: Connection,
    ctx: Context,
    person: str,
    new: NewObjection | NewWish,
    kind: WordKind,
    units: frozenset[str],
) -> WordShown:
    require_visible(conn, ctx, person)
    now = lock_person(conn, person)
    said = past_instant("said_at", new.said_at, now)
    if new.about is not None:
        _check_subject(conn, person, new.about)
    word = new_id("wd")
    conn.execute(
        insert(core.personal_word).values(
            id=word,
            person_id=person,
            kind=kind.value,
            said_by=new.by.value,
            about_type=new.about.type if new.about is not None else None,
            about_id=new.about.id if new.about is not None else None,
            units=sorted(units),
            words=ctx.vault.seal_text(new.words, _PURPOSE),
            said_at=said,
            recorded_by=ctx.actor.id,
            recorded_at=now,
            version=1,
        )
    )
    _event(conn, ctx, "word.recorded", word, person, now)
    clock = {
        WordKind.OBJECTION: "objection_answer",
        WordKind.COMPLAINT: "complaint_forward",
        WordKind.REVIEW: "complaint_forward",
    }.get(kind)
    if clock is not None:
        owe(
            conn,
            ctx,
            clock,
            subject=("personal_word", word),
            now=now,
            person=person,
            facility=_answering(conn, person),
        )
    return _read(conn, ctx, word)


def _answering(conn: Connection, person: str) -> str | None:
    """The facility that answers for the person: the responsible centre, else where they are."""
    stay = core.stay.c
    return conn.execute(
        select(stay.facility_id)
        .where(stay.person_id == person, stay.ended_at.is_(None))
        .order_by(stay.admitted_at.desc())
        .limit(1)
    ).scalar()


def _check_subject(conn: Connection, person: str, about: About) -> None:
    table = _SUBJECTS.get(about.type)
    if table is None:
        raise Invalid.field(
            "/about/type",
            "unknown-subject",
            f"use one of: {', '.join(sorted(_SUBJECTS))}",
            about.type,
        )
    theirs = conn.execute(
        select(table.c.id).where(table.c.id == about.id, table.c.person_id == person)
    ).first()
    if theirs is None:
        raise Invalid.field(
            "/about/id", "not-theirs", f"this person has no {about.type} of this id", about.id
        )


def _hidden(conn: Connection, ctx: Context, row: Any) -> bool:
    """Whether this caller may not know of it.

    Police know what they wrote down themselves, and what is about a measure of theirs; nothing of
    treatment by consent.
    """
    if ctx.actor.role is not Role.INTAKE_OFFICER or row.recorded_by == ctx.actor.id:
        return False
    if row.about_type == "legal_basis":
        basis = core.legal_basis.c
        kind = conn.execute(select(basis.kind).where(basis.id == row.about_id)).scalar()
        return bool(kind != LegalBasis.COMPULSORY.value)
    look = {"placement_request": require_request, "stay": require_stay}.get(row.about_type)
    if look is None:
        return bool(row.about_type != "term")
    try:
        look(conn, ctx, row.about_id)
    except NotFound:
        return True
    return False


def _visible(conn: Connection, ctx: Context, word: str) -> Any:
    row = conn.execute(select(core.personal_word).where(_c.id == word)).one_or_none()
    if row is not None and ctx.actor.role in FACILITY_ROLES:
        require_visible(conn, ctx, row.person_id)
    if row is None or _hidden(conn, ctx, row):
        raise NotFound("word-not-found", f"nothing is recorded under {word}", word=word)
    return row


def _read(conn: Connection, ctx: Context, word: str) -> WordShown:
    return _shown(ctx, conn.execute(select(core.personal_word).where(_c.id == word)).one())


def _shown(ctx: Context, row: Any) -> WordShown:
    return WordShown(
        id=row.id,
        person=row.person_id,
        kind=row.kind,
        by=row.said_by,
        about=About(type=row.about_type, id=row.about_id) if row.about_type else None,
        units=list(row.units),
        words=ctx.vault.open_text(row.words, _PURPOSE),
        said_at=row.said_at,
        recorded_by=row.recorded_by,
        answer=ctx.vault.open_text(row.answer, _ANSWER) if row.answer is not None else None,
        answered_by=row.answered_by,
        answered_at=row.answered_at,
        withdrawn_at=row.withdrawn_at,
        version=row.version,
    )


def _event(
    conn: Connection, ctx: Context, operation: str, word: str, person: str, at: datetime
) -> None:
    events.append(conn, ctx.actor, operation, "personal_word", word, person=person, occurred_at=at)
