"""What goes over when two records become one: every row that names a person, or the reason not."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Index, Table, func, literal_column, select, update

from service.errors import Conflict
from service.store.tables import core, metadata
from service.workflow.context import Context
from service.workflow.persons.people import (
    opened_guardian,
    opened_identity,
    sealed_guardian,
    sealed_identity,
)

NOT_MOVED: Final[Mapping[str, str]] = {
    "bed_claim": "voided and written anew as the other record's",
    "event": "the log is never rewritten; `person.merged` tells where it goes on",
    "access_record": "who read what stays with the name it was read under",
}
"""Tables that name a person and are not moved, each with its reason."""

MOVED: Final[tuple[Table, ...]] = tuple(
    table
    for table in metadata.sorted_tables
    if "person_id" in table.c and table.name not in NOT_MOVED
)
"""Everything else that names a person."""

SETTLED_ELSEWHERE: Final = frozenset({"movement_stop"})
"""Of these a second live row is no conflict: the first stands, the second is lifted."""

_FIRST: Final[Mapping[str, str]] = {
    "placement_request": "withdraw one of the two requests first",
    "transfer": "cancel one of the two transfers first",
    "bed_next": "cancel what one of the two beds is promised for first",
    "term": "two terms are open: have the deciding organ set one decision aside, record that, "
    "then merge",
    "community_measure": "record the end of one of the two measures first",
    "restraint": "record that one of the two restraints was lifted first",
}


def both_live(conn: Connection, keep: str, merged: str) -> None:
    """Refuse where each record has a row of which a person has one at a time.

    Raises Conflict ``both-live`` with both ids and what to do.
    """
    for table, index in one_a_person():
        if table.name in SETTLED_ELSEWHERE:
            continue
        live: Any = index.dialect_options["postgresql"]["where"]
        beside: list[ColumnElement[Any]] = [
            table.c[column.name] for column in index.columns if column.name != "person_id"
        ]
        ids = conn.execute(
            select(func.array_agg(table.c.id))
            .where(
                table.c.person_id.in_([keep, merged]),
                literal_column(f"({live})") if live is not None else literal_column("true"),
            )
            .group_by(*beside)
            .having(func.count() > 1)
            .limit(1)
        ).scalar_one_or_none()
        if ids:
            what = table.name.replace("_", " ")
            first = _FIRST.get(table.name, "end one of the two first")
            raise Conflict(
                "both-live",
                f"both records have a live {what}; {first}",
                kind=table.name,
                ids=sorted(ids),
            )


def one_a_person() -> Iterator[tuple[Table, Index]]:
    """Every unique index that lets a person have one row, of the tables that are moved."""
    for table in MOVED:
        for index in sorted(table.indexes, key=lambda it: str(it.name)):
            if index.unique and "person_id" in {column.name for column in index.columns}:
                yield table, index


def one_record(conn: Connection, ctx: Context, keep: str, merged: str) -> None:
    """Point the merged record, and whatever was merged into it, to the other, which takes over
    what it did not know; who is identified says what sex and age the person is."""
    person = core.person
    theirs = conn.execute(select(person).where(person.c.id == merged)).mappings().one()
    ours = conn.execute(select(person).where(person.c.id == keep)).mappings().one()
    conn.execute(
        update(person)
        .where((person.c.id == merged) | (person.c.merged_into == merged))
        .values(merged_into=keep, version=person.c.version + 1)
    )
    values: dict[str, Any] = {"version": person.c.version + 1}
    for name in ("home_east_km", "home_north_km", "origin_unit_id", "nursing_child_born_on"):
        if ours[name] is None and theirs[name] is not None:
            values[name] = theirs[name]
    if ours["sole_carer"] == "unknown":
        values["sole_carer"] = theirs["sole_carer"]
    if ours["guardian"] is None and (guardian := opened_guardian(ctx.vault, theirs)) is not None:
        values["guardian"] = sealed_guardian(ctx.vault, keep, guardian)
    if theirs["identified"] and not ours["identified"]:
        values |= {
            "identified": True,
            "sex": theirs["sex"],
            "birth_date": theirs["birth_date"],
        }
    if ours["document_index"] is None and theirs["identity"] is not None:
        known = {**opened_identity(ctx.vault, theirs)}
        known |= {name: it for name, it in opened_identity(ctx.vault, ours).items() if it}
        values |= {
            "identity": sealed_identity(ctx.vault, keep, known),
            "document_index": theirs["document_index"],
        }
    conn.execute(update(person).where(person.c.id == keep).values(**values))
