"""Corrections to a person's record, and the identity of somebody who came in unnamed."""

from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, update

from service.errors import Invalid
from service.store import events
from service.store.claims import rekey
from service.store.tables.core import person, unit
from service.workflow.context import Context
from service.workflow.inventory.place_fields import Line, PlaceId, Strict
from service.workflow.inventory.places import get_row
from service.workflow.persons import sole_carers
from service.workflow.persons.documents import DocumentKind, check_document
from service.workflow.persons.people import (
    Document,
    Guardian,
    Home,
    PersonRegistered,
    already_registered,
    check_birth_date,
    check_nursing,
    document_number,
    legal_today,
    lock_person,
    opened_identity,
    record_of,
    require_person,
    sealed_guardian,
    sealed_identity,
)
from service.workflow.persons.person_view import require_visible
from service.workflow.privacy.audit_flags import flag_if_refused, show_twins
from service.workflow.privacy.own_cases import unknown_twin
from service.workflow.versions import require_version
from service.workflow.watch import watching
from solver.codes import Sex, Tri

_MUST_STAY: Final = ("sex", "birth_date", "sole_carer", "identified")
_PLAIN: Final = ("sex", "birth_date", "nursing_child_born_on", "sole_carer", "identified")


class PersonChange(Strict):
    """Corrections to a person's record; members not given stay.

    ``origin_unit``: the unit to return to after a ward or hospital. ``identified``: somebody who
    came in unnamed is known now; sex and birth date must then be known too. ``guardian``,
    ``nursing_child_born_on`` null: there is none.
    """

    sex: Sex | None = None
    birth_date: date | None = None
    identified: bool | None = None
    name: Line | None = None
    phone: Line | None = None
    document: Document | None = None
    home: Home | None = None
    origin_unit: PlaceId | None = None
    guardian: Guardian | None = None
    nursing_child_born_on: date | None = None
    sole_carer: Tri | None = None


def change_person(
    conn: Connection,
    ctx: Context,
    person_id: str,
    change: PersonChange,
    *,
    version: int | None = None,
) -> PersonRegistered:
    """Correct a person's record. A corrected sex is weighed anew in the rooms they are in, and any
    correction where they are now.

    Raises:
        NotFound: there is no such person, or none this caller may know of; no such unit to return
            to.
        PreconditionFailed: ``version`` is not the present one.
        Conflict: ``merged``, ``already-registered``: the document stands in another record, with
            which this one is to be merged.
        Invalid: a member that cannot be right.
    """
    require_visible(conn, ctx, person_id)
    at = lock_person(conn, person_id)
    row = require_person(conn, person_id)
    if version is not None:
        require_version(version, row["version"])
    given = change.model_dump(exclude_unset=True)
    for name in _MUST_STAY:
        if name in given and given[name] is None:
            raise Invalid.field(f"/{name}", "missing", f"leave {name} out to keep it", None)
    values: dict[str, Any] = {name: given[name] for name in _PLAIN if name in given}
    after = {**row, **values}
    today = legal_today(ctx, at)
    if "birth_date" in given:
        check_birth_date(after["birth_date"], today)
    sex = Sex(after["sex"]) if after["sex"] is not None else None
    if {"sex", "nursing_child_born_on"} & given.keys():
        check_nursing(after["nursing_child_born_on"], sex, today)
    _check_identified(row, after, given)
    if "origin_unit" in given:
        if change.origin_unit is not None:
            get_row(conn, unit, change.origin_unit)
        values["origin_unit_id"] = change.origin_unit
    if "home" in given:
        values["home_east_km"] = change.home.east_km if change.home is not None else None
        values["home_north_km"] = change.home.north_km if change.home is not None else None
    if "guardian" in given:
        values["guardian"] = (
            sealed_guardian(ctx.vault, person_id, change.guardian) if change.guardian else None
        )
    values |= _changed_identity(ctx, row, change, given, sex)
    twin = record_of(conn, index) if (index := values.get("document_index")) is not None else None
    if twin is not None and twin != person_id:
        if unknown_twin(conn, ctx, values["document_index"], at) is None:
            raise already_registered(ctx, twin)
        values["document_index"] = None
        show_twins(conn, ctx, person_id, twin, at)
    conn.execute(
        update(person)
        .where(person.c.id == person_id)
        .values(version=person.c.version + 1, **values)
    )
    if after["sex"] != row["sex"]:
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
    if "sole_carer" in given:
        sole_carers.keep_clock(conn, ctx, person_id, at)
    flag_if_refused(conn, ctx, person_id, "person", at)
    watching.rejudge(conn, ctx, at, persons=[person_id])
    return PersonRegistered(person_id, row["version"] + 1)


def _check_identified(row: RowMapping, after: dict[str, Any], given: dict[str, Any]) -> None:
    if given.get("identified") is False and row["identified"]:
        raise Invalid.field(
            "/identified",
            "identified-already",
            "this record was identified; correct its members instead",
            False,
        )
    if after["identified"] and after["sex"] is None:
        raise Invalid.field(
            "/sex", "missing", "whoever is identified has a known sex: give it too", None
        )
    if given.get("identified") and not row["identified"] and "birth_date" not in given:
        raise Invalid.field(
            "/birth_date",
            "missing",
            f"the record holds an estimate ({row['birth_date']}): give the birth date, or the same "
            "again where it was right",
            None,
        )


def _changed_identity(
    ctx: Context,
    row: RowMapping,
    change: PersonChange,
    given: dict[str, Any],
    sex: Sex | None,
) -> dict[str, Any]:
    """The encrypted identity with the corrections in it; nothing if nothing of it was corrected."""
    members = opened_identity(ctx.vault, row)
    birth_date = change.birth_date or row["birth_date"]
    values: dict[str, Any] = {}
    if "document" in given:
        if sex is None:
            raise Invalid.field(
                "/sex", "missing", "a document is compared with the sex: give it too", None
            )
        number = document_number(change.document, birth_date, sex)
        members["document_number"] = number
        members["document_kind"] = change.document.kind.value if change.document else None
        values["document_index"] = ctx.vault.blind_index(number) if number is not None else None
    elif members.get("document_number") and {"sex", "birth_date"} & given.keys() and sex:
        kind = DocumentKind(str(members["document_kind"]))
        check_document(kind, str(members["document_number"]), birth_date, sex)
    if not {"name", "phone", "document"} & given.keys():
        return {}
    members |= {name: given[name] for name in ("name", "phone") if name in given}
    values["identity"] = sealed_identity(ctx.vault, row["id"], members)
    return values
