"""People under a pseudonym: registered once, corrected, their identity read only for a purpose."""

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints
from sqlalchemy import Connection, RowMapping, select, update
from sqlalchemy import insert as plain_insert
from sqlalchemy.dialects.postgresql import insert

from service.access.caller import Role
from service.access.vault import Vault
from service.errors import Conflict, Invalid
from service.store import events
from service.store.claims import rekey
from service.store.engine import now as database_time
from service.store.ids import new_id, new_pseudonym
from service.store.locks import lock
from service.store.tables.core import access_record, person, unit
from service.workflow.context import Context
from service.workflow.documents import DocumentKind, check_document, normalised
from service.workflow.place_fields import Km, Line, PlaceId, Strict
from service.workflow.places import get_row
from service.workflow.versions import require_version
from solver.codes import Sex

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


class NewPerson(Strict):
    """Somebody to be registered. Name, phone and document are identity: kept encrypted."""

    sex: Sex
    birth_date: date
    name: Line | None = None
    phone: Line | None = None
    document: Document | None = None
    home: Home | None = None


class PersonChange(Strict):
    """Corrections to a person's record; members not given stay. ``origin_unit`` is the unit to
    return to after a ward or hospital."""

    sex: Sex | None = None
    birth_date: date | None = None
    name: Line | None = None
    phone: Line | None = None
    document: Document | None = None
    home: Home | None = None
    origin_unit: PlaceId | None = None


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

    Raises:
        Invalid: a birth date that cannot be, a document number that cannot be right.
        Conflict: ``already-registered``: the document number stands in another record.
    """
    at = database_time(conn)
    _check_birth_date(new.birth_date, legal_today(ctx, at))
    person_id = new_pseudonym()
    number = _document_number(new.document, new.birth_date, new.sex)
    index = ctx.vault.blind_index(number) if number is not None else None
    members = {
        "name": new.name,
        "phone": new.phone,
        "document_kind": new.document.kind.value if new.document is not None else None,
        "document_number": number,
    }
    made = conn.execute(
        insert(person)
        .values(
            id=person_id,
            sex=new.sex.value,
            birth_date=new.birth_date,
            identity=sealed_identity(ctx.vault, person_id, members)
            if any(members.values())
            else None,
            document_index=index,
            home_east_km=new.home.east_km if new.home is not None else None,
            home_north_km=new.home.north_km if new.home is not None else None,
            created_at=at,
            version=1,
        )
        .on_conflict_do_nothing(
            index_elements=[person.c.document_index], index_where=person.c.merged_into.is_(None)
        )
        .returning(person.c.id)
    ).scalar_one_or_none()
    if made is None:
        raise _already_registered(conn, ctx, str(index))
    events.append(
        conn, ctx.actor, "person.registered", "person", person_id, person=person_id, occurred_at=at
    )
    return PersonRegistered(person_id, 1)


def _already_registered(conn: Connection, ctx: Context, index: str) -> Conflict:
    code = "already-registered"
    if ctx.actor.role not in MAY_LEARN_PSEUDONYMS:
        return Conflict(
            code,
            "this document number stands in another record; a coordinator can say which, "
            "then go on with that record",
        )
    existing = conn.execute(
        select(person.c.id).where(person.c.document_index == index, person.c.merged_into.is_(None))
    ).scalar_one_or_none()
    return Conflict(
        code,
        f"this document number is registered under {existing}: go on with that record",
        person=existing,
    )


def _check_birth_date(birth_date: date, today: date) -> None:
    if birth_date > today or today.year - birth_date.year > _OLDEST:
        raise Invalid.field(
            "/birth_date",
            "out-of-range",
            f"a birth date lies in the last {_OLDEST} years and not after today",
            birth_date.isoformat(),
        )


def _document_number(document: Document | None, birth_date: date, sex: Sex) -> str | None:
    if document is None:
        return None
    number = normalised(document.number)
    check_document(document.kind, number, birth_date, sex)
    return number


def change_person(
    conn: Connection,
    ctx: Context,
    person_id: str,
    change: PersonChange,
    *,
    version: int | None = None,
) -> PersonRegistered:
    """Correct a person's record. A corrected sex is weighed anew in the rooms they are in.

    Raises:
        NotFound: there is no such person, or no such unit to return to.
        PreconditionFailed: ``version`` is not the present one.
        Conflict: ``merged``, ``already-registered``.
        Invalid: a member that cannot be right.
    """
    at = lock_person(conn, person_id)
    row = require_person(conn, person_id)
    if version is not None:
        require_version(version, row["version"])
    given = change.model_dump(exclude_unset=True)
    for name in ("sex", "birth_date"):
        if name in given and given[name] is None:
            raise Invalid.field(f"/{name}", "missing", f"leave {name} out to keep it", None)
    values: dict[str, Any] = {name: given[name] for name in ("sex", "birth_date") if name in given}
    if "birth_date" in given:
        _check_birth_date(given["birth_date"], legal_today(ctx, at))
    if "origin_unit" in given:
        if change.origin_unit is not None:
            get_row(conn, unit, change.origin_unit)
        values["origin_unit_id"] = change.origin_unit
    if "home" in given:
        values["home_east_km"] = change.home.east_km if change.home is not None else None
        values["home_north_km"] = change.home.north_km if change.home is not None else None
    identity = _changed_identity(ctx, row, change, given)
    if identity is not None:
        values |= identity
        _refuse_taken(conn, ctx, person_id, values.get("document_index"))
    conn.execute(
        update(person)
        .where(person.c.id == person_id)
        .values(version=person.c.version + 1, **values)
    )
    if "sex" in values and values["sex"] != row["sex"]:
        rekey(conn, person_id)
    events.append(
        conn,
        ctx.actor,
        "person.changed",
        "person",
        person_id,
        person=person_id,
        data={"changed": sorted(given)},
        occurred_at=at,
    )
    return PersonRegistered(person_id, row["version"] + 1)


def _changed_identity(
    ctx: Context, row: RowMapping, change: PersonChange, given: dict[str, Any]
) -> dict[str, Any] | None:
    """The encrypted identity with the corrections in it, None if nothing of it was corrected."""
    members = opened_identity(ctx.vault, row)
    sex = change.sex or Sex(row["sex"])
    birth_date = change.birth_date or row["birth_date"]
    values: dict[str, Any] = {}
    if "document" in given:
        number = _document_number(change.document, birth_date, sex)
        members["document_number"] = number
        members["document_kind"] = change.document.kind.value if change.document else None
        values["document_index"] = ctx.vault.blind_index(number) if number is not None else None
    elif members.get("document_number") and {"sex", "birth_date"} & given.keys():
        kind = DocumentKind(str(members["document_kind"]))
        check_document(kind, str(members["document_number"]), birth_date, sex)
    if not {"name", "phone", "document"} & given.keys():
        return None
    members |= {name: given[name] for name in ("name", "phone") if name in given}
    values["identity"] = sealed_identity(ctx.vault, row["id"], members)
    return values


def _refuse_taken(conn: Connection, ctx: Context, person_id: str, index: str | None) -> None:
    if index is None:
        return
    taken = conn.execute(
        select(person.c.id).where(
            person.c.document_index == index,
            person.c.merged_into.is_(None),
            person.c.id != person_id,
        )
    ).one_or_none()
    if taken is not None:
        raise _already_registered(conn, ctx, index)


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
