"""People under a pseudonym: registered once, corrected, their identity read only for a purpose."""

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Final

from pydantic import Field, StringConstraints
from sqlalchemy import Connection, RowMapping, select
from sqlalchemy import insert as plain_insert
from sqlalchemy.dialects.postgresql import insert

from service.access.caller import Role
from service.access.vault import Vault
from service.errors import Conflict, Invalid
from service.store import events, stays
from service.store.engine import now as database_time
from service.store.ids import new_id, new_pseudonym
from service.store.locks import lock
from service.store.tables.core import access_record, person
from service.workflow.context import Context
from service.workflow.inventory.place_fields import Km, Line, Strict
from service.workflow.inventory.places import get_row
from service.workflow.persons.documents import DocumentKind, check_document, normalised
from service.workflow.privacy.audit_flags import show_twins
from service.workflow.privacy.own_cases import unknown_twin
from solver.codes import Sex, Tri

MAY_LEARN_PSEUDONYMS: Final = frozenset({Role.INTAKE_OFFICER, Role.CLINICIAN, Role.COORDINATOR})
"""Who is told under which pseudonym somebody is registered already: roles that act for people in
the whole network. A facility's own key is told only that there is a record."""

_OLDEST: Final = 130

PersonId = Annotated[
    str, StringConstraints(pattern=r"^p-[0-9a-z]{1,40}$"), Field(examples=["p-7q2m4k9x0a"])
]


class Document(Strict):
    """An identity document; kept encrypted, found again by a keyed index."""

    kind: DocumentKind
    number: Annotated[str, StringConstraints(max_length=60)]


class Home(Strict):
    """Where the person lives, roughly: km east and north on the city's plane, no address."""

    east_km: Km
    north_km: Km


class Guardian(Strict):
    """Who speaks for a minor, or for an adult who cannot decide; kept encrypted."""

    name: Line
    phone: Line | None = None
    relation: Line | None = None


class NewPerson(Strict):
    """Somebody to be registered. Name, phone, document and guardian are kept encrypted.

    ``nursing_child_born_on``: when an own baby she nurses was born. ``sole_carer``: nobody else
    looks after a child or a dependant of theirs.
    """

    sex: Sex
    birth_date: date
    name: Line | None = None
    phone: Line | None = None
    document: Document | None = None
    home: Home | None = None
    guardian: Guardian | None = None
    nursing_child_born_on: date | None = None
    sole_carer: Tri = Tri.UNKNOWN


@dataclass(frozen=True, slots=True)
class PersonRegistered:
    """The pseudonym under which everything about the person is kept, and the record's version."""

    id: str
    version: int


def sealed_identity(vault: Vault, person_id: str, members: dict[str, str | None]) -> bytes:
    """A person's identity encrypted; it opens only as this person's."""
    return vault.seal_text(json.dumps(members, ensure_ascii=False), _purpose(person_id))


def opened_identity(vault: Vault, row: RowMapping) -> dict[str, str | None]:
    """What ``sealed_identity`` sealed; empty if nothing is known."""
    if row["identity"] is None:
        return {}
    opened: dict[str, str | None] = json.loads(
        vault.open_text(row["identity"], _purpose(row["id"]))
    )
    return opened


def _purpose(person_id: str) -> str:
    return f"person.identity {person_id}"


def sealed_guardian(vault: Vault, person_id: str, guardian: Guardian) -> bytes:
    """A person's guardian encrypted; it opens only as this person's."""
    return vault.seal_text(guardian.model_dump_json(), _guardian_purpose(person_id))


def opened_guardian(vault: Vault, row: RowMapping) -> Guardian | None:
    """What ``sealed_guardian`` sealed; None if nobody is named."""
    if row["guardian"] is None:
        return None
    return Guardian.model_validate_json(
        vault.open_text(row["guardian"], _guardian_purpose(row["id"]))
    )


def _guardian_purpose(person_id: str) -> str:
    return f"person.guardian {person_id}"


def require_alive(conn: Connection, person_id: str) -> None:
    """Raise Conflict ``person-died`` for somebody whose death is on record."""
    if stays.died(conn, person_id):
        raise Conflict(
            "person-died",
            "this person's death is on record, so nothing new is asked or decided of them. If "
            "that is a mistake, cancel the discharge that says so, or use the emergency lane",
            person=person_id,
        )


def require_person(conn: Connection, person_id: str) -> RowMapping:
    """The row of a person whose record lives.

    Raises NotFound, and Conflict ``merged`` naming the record that lives on.
    """
    row = get_row(conn, person, person_id)
    if row["merged_into"] is not None:
        raise Conflict(
            "merged",
            f"record {person_id} was merged into {row['merged_into']}: use that one",
            person=row["merged_into"],
        )
    return row


def lock_person(conn: Connection, person_id: str) -> datetime:
    """Lock a person whose facts are to be written; the database's time after that.

    Raises NotFound, and Conflict ``merged``.
    """
    at = lock(conn, persons=[person_id])
    require_person(conn, person_id)
    return at


def legal_today(ctx: Context, at: datetime) -> date:
    """The legal day of an instant."""
    return at.astimezone(ctx.policy.zone).date()


def register_person(conn: Connection, ctx: Context, new: NewPerson) -> PersonRegistered:
    """Open a record under a new pseudonym.

    Where the document stands in a record that this caller may not know of, the new one is made all
    the same and somebody outside is shown the two, to merge them.

    Raises:
        Invalid: a birth date that cannot be, a document number that cannot be right.
        Conflict: ``already-registered``: the document number stands in another record.
    """
    at = database_time(conn)
    today = legal_today(ctx, at)
    check_birth_date(new.birth_date, today)
    check_nursing(new.nursing_child_born_on, new.sex, today)
    number = document_number(new.document, new.birth_date, new.sex)
    index = ctx.vault.blind_index(number) if number is not None else None
    made = _insert(conn, ctx, new, number, index, at)
    if made is None:
        twin = unknown_twin(conn, ctx, str(index), at)
        if twin is None:
            raise already_registered(ctx, record_of(conn, str(index)))
        made = _insert(conn, ctx, new, number, None, at)
        assert made is not None
        show_twins(conn, ctx, made, twin, at)
    events.append(conn, ctx.actor, "person.registered", "person", made, person=made, occurred_at=at)
    return PersonRegistered(made, 1)


def _insert(
    conn: Connection,
    ctx: Context,
    new: NewPerson,
    number: str | None,
    index: str | None,
    at: datetime,
) -> str | None:
    """Write the record; None when the document stands in another one."""
    person_id = new_pseudonym()
    members = {
        "name": new.name,
        "phone": new.phone,
        "document_kind": new.document.kind.value if new.document is not None else None,
        "document_number": number,
    }
    vault, guardian = ctx.vault, new.guardian
    return conn.execute(
        insert(person)
        .values(
            id=person_id,
            sex=new.sex.value,
            birth_date=new.birth_date,
            identity=sealed_identity(vault, person_id, members) if any(members.values()) else None,
            document_index=index,
            home_east_km=new.home.east_km if new.home is not None else None,
            home_north_km=new.home.north_km if new.home is not None else None,
            guardian=sealed_guardian(vault, person_id, guardian) if guardian is not None else None,
            nursing_child_born_on=new.nursing_child_born_on,
            sole_carer=new.sole_carer.value,
            created_at=at,
            version=1,
        )
        .on_conflict_do_nothing(
            index_elements=[person.c.document_index], index_where=person.c.merged_into.is_(None)
        )
        .returning(person.c.id)
    ).scalar_one_or_none()


def record_of(conn: Connection, index: str) -> str | None:
    """The living record that a document stands in."""
    return conn.execute(
        select(person.c.id).where(person.c.document_index == index, person.c.merged_into.is_(None))
    ).scalar_one_or_none()


def already_registered(ctx: Context, existing: str | None) -> Conflict:
    """That the document stands in another record; which one, to those who may learn it."""
    code = "already-registered"
    if ctx.actor.role not in MAY_LEARN_PSEUDONYMS:
        return Conflict(
            code,
            "this document number stands in another record; a coordinator can say which, "
            "then go on with that record, or have the two merged",
        )
    return Conflict(
        code,
        f"this document number is registered under {existing}: go on with that record; if both "
        "records are in use, a coordinator merges them",
        person=existing,
        next=f"POST /api/v1/people/{existing}/merge",
    )


def check_birth_date(birth_date: date, today: date) -> None:
    """Raise Invalid for a birth date that cannot be."""
    if birth_date > today or today.year - birth_date.year > _OLDEST:
        raise Invalid.field(
            "/birth_date",
            "out-of-range",
            f"a birth date lies in the last {_OLDEST} years and not after today",
            birth_date.isoformat(),
        )


def check_nursing(born_on: date | None, sex: Sex | None, today: date) -> None:
    """Raise Invalid for a nursed child that is not born, or that a man's record names."""
    if born_on is None:
        return
    if born_on > today:
        raise Invalid.field(
            "/nursing_child_born_on",
            "in-the-future",
            f"today is {today}: record the child once it is born",
            born_on.isoformat(),
        )
    if sex is Sex.MALE:
        raise Invalid.field(
            "/nursing_child_born_on",
            "other-sex",
            "the record says male: correct the person's sex first, or leave the child out; whoever "
            "alone looks after a child is their sole carer",
            born_on.isoformat(),
        )


def document_number(document: Document | None, birth_date: date, sex: Sex) -> str | None:
    """The number as it is stored. Raises Invalid for one that cannot be right."""
    if document is None:
        return None
    number = normalised(document.number)
    check_document(document.kind, number, birth_date, sex)
    return number


def record_access(conn: Connection, ctx: Context, person_id: str, purpose: str) -> None:
    """Write who read what is known of a person, and for which purpose."""
    conn.execute(
        plain_insert(access_record).values(
            id=new_id("ar"),
            actor=ctx.actor.id,
            person_id=person_id,
            purpose=purpose,
            read_at=database_time(conn),
        )
    )
