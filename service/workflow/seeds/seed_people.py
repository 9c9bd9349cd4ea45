"""Rows of a synthetic network's people: identity, papers, findings, stays, claims, requests."""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import Range

from service.store.tables import core
from service.store.tables.claims import ClaimKind
from service.workflow.context import Context
from service.workflow.persons.documents import DocumentKind
from service.workflow.persons.people import sealed_identity
from service.workflow.seeds.seed_names import person_name
from service.workflow.seeds.seed_papers import (
    approval_rows,
    assessment_row,
    basis_rows,
    consent_rows,
    opinion_rows,
    screening_rows,
    term_rows,
)
from service.workflow.seeds.seed_places import insert_rows
from solver.check import mix_key
from solver.codes import COMPULSORY_CENTRES, Tri
from solver.domain import Network, Person, Request, Stay

_STATEMENT_DAYS: Final = 14
_SHANGHAI: Final = ZoneInfo("Asia/Shanghai")


def write_people(conn: Connection, ctx: Context, network: Network, persons: Sequence[str]) -> None:
    """Write these people with all that is known of them."""
    stays = {it.person: it for it in network.stays}
    requests = {it.person: it for it in network.requests}
    people = [network.persons[id_] for id_ in persons]
    now, by = network.now, ctx.actor.id
    insert_rows(conn, core.person, [_person_row(ctx, network, it) for it in people])
    bases = [row for it in people for row in basis_rows(it, network.on, now, by)]
    insert_rows(conn, core.legal_basis, bases)
    centres = {it.id: _centre_of(network, it, stays.get(it.id)) for it in people}
    insert_rows(
        conn, core.term, [row for it in people for row in term_rows(it, centres[it.id], now, by)]
    )
    insert_rows(conn, core.consent, [row for it in people for row in consent_rows(it, now, by)])
    insert_rows(conn, core.assessment, [assessment_row(it, now, by) for it in people])
    insert_rows(conn, core.screening, [row for it in people for row in screening_rows(it, now, by)])
    insert_rows(conn, core.opinion, [row for it in people for row in opinion_rows(it, now, by)])
    insert_rows(conn, core.approval, [row for it in people for row in approval_rows(it, now, by)])
    here = [stays[it.id] for it in people if it.id in stays]
    insert_rows(
        conn,
        core.fitness_statement,
        [_fitness_row(it, network.on, now, by) for it in here if it.may_move_to],
    )
    basis_of = {row["person_id"]: row["id"] for row in bases}
    insert_rows(
        conn,
        core.stay,
        [
            _stay_row(network, it, basis_of.get(it.person), centres[it.person], now, by)
            for it in here
        ],
    )
    insert_rows(conn, core.bed_claim, [_claim_row(network, it, now, by) for it in here])
    waiting = [requests[it.id] for it in people if it.id in requests]
    insert_rows(conn, core.placement_request, [_request_row(it, now, by) for it in waiting])


def _centre_of(network: Network, it: Person, stay: Stay | None) -> str | None:
    """The centre that answers for somebody under a decision: where they are, or came from."""
    if it.decision is None or stay is None:
        return None
    here = network.unit_of(stay.bed)
    if here.kind in COMPULSORY_CENTRES:
        return here.facility
    origin = network.units.get(it.origin_unit) if it.origin_unit is not None else None
    return origin.facility if origin is not None else None


def _person_row(ctx: Context, network: Network, it: Person) -> dict[str, Any]:
    number = f"SYN{it.id.removeprefix('p-').upper()}"
    members = {
        "name": person_name(it.id),
        "phone": None,
        "document_kind": DocumentKind.OTHER.value,
        "document_number": number,
    }
    return {
        "id": it.id,
        "sex": it.sex.value if it.sex is not None else None,
        "birth_date": _birth_date(it, network.on),
        "identified": it.identified,
        "sole_carer": Tri.UNKNOWN.value,
        "identity": sealed_identity(ctx.vault, it.id, members),
        "document_index": ctx.vault.blind_index(number),
        "home_east_km": it.home[0] if it.home else None,
        "home_north_km": it.home[1] if it.home else None,
        "origin_unit_id": it.origin_unit,
        "created_at": network.now,
        "version": 1,
    }


def _birth_date(it: Person, on: date) -> date:
    """A birth date that makes the person exactly ``age`` years old on the day, and stays so for
    at least a fortnight: no test and no tour changes its answer overnight."""
    digest = hashlib.sha256(it.id.encode()).digest()
    days_since_birthday = int.from_bytes(digest[:2], "big") % 350
    birthday = on - timedelta(days=days_since_birthday)
    try:
        return birthday.replace(year=birthday.year - it.age)
    except ValueError:
        return date(birthday.year - it.age, 2, 28)


def _fitness_row(it: Stay, on: date, now: datetime, by: str) -> dict[str, Any]:
    return {
        "id": f"fs_{it.person}",
        "person_id": it.person,
        "kinds": sorted(it.may_move_to),
        "agreed_units": sorted(it.agreed_units) if it.agreed_units is not None else None,
        "ends_on": on + timedelta(days=_STATEMENT_DAYS),
        "stated_by": by,
        "recorded_at": now,
    }


def _stay_row(
    network: Network,
    it: Stay,
    basis: str | None,
    centre: str | None,
    now: datetime,
    by: str,
) -> dict[str, Any]:
    here = network.unit_of(it.bed).facility
    return {
        "id": it.id,
        "person_id": it.person,
        "facility_id": here,
        "responsible_facility_id": centre if centre != here else None,
        "basis_id": basis,
        "state": "on_leave" if it.on_leave else "active",
        "admitted_at": it.since,
        "expected_end": it.expected_end,
        "recorded_at": now,
        "recorded_by": by,
        "version": 1,
    }


def _claim_row(network: Network, it: Stay, now: datetime, by: str) -> dict[str, Any]:
    room = network.rooms[network.beds[it.bed].room]
    unit = network.units[room.unit]
    person = network.persons[it.person]
    kind = ClaimKind.LEAVE if it.on_leave else ClaimKind.STAY
    return {
        "id": f"cl_{it.person}",
        "bed_id": it.bed,
        "room_id": room.id,
        "unit_id": unit.id,
        "facility_id": unit.facility,
        "person_id": it.person,
        "kind": kind.value,
        "during": Range(it.since, None, bounds="[)"),
        "mix_key": mix_key(person.sex, person.need.route, person.id, room.cohort),
        "emergency": False,
        "stay_id": it.id,
        "occurred_at": it.since,
        "recorded_at": now,
        "recorded_by": by,
    }


def _request_row(it: Request, now: datetime, by: str) -> dict[str, Any]:
    return {
        "id": it.id,
        "person_id": it.person,
        "state": "waiting",
        "emergency": it.emergency,
        "waiting_since": it.since,
        "requested_by": by,
        "recorded_at": now,
        "version": 1,
    }
