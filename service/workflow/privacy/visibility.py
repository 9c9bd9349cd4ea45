"""Whose requests, stays and transfers a caller may know of.

Consensual treatment is invisible to the police side (see ``own_cases``): such a caller finds
nothing of it and cannot tell that from there being nothing. What counts is what a stay or a request
rested on at its time: a decision that police take later opens nothing.
"""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from service.errors import NotFound
from service.store import requests, stays, transfers
from service.store.network_papers import basis_kinds
from service.store.requests import RequestRow
from service.store.stays import StayRow
from service.store.tables import core
from service.store.transfers import TransferRow
from service.workflow.context import Context
from service.workflow.privacy.own_cases import HIDDEN_FROM_POLICE, on_police_side
from solver.codes import COMPULSORY_CENTRES, LegalBasis

_HIDDEN = sorted(kind.value for kind in HIDDEN_FROM_POLICE)


def hidden(conn: Connection, ctx: Context, persons: Iterable[str]) -> frozenset[str]:
    """Those of the people who are treated by consent now, if this caller may not know it."""
    if not on_police_side(conn, ctx):
        return frozenset()
    kinds = basis_kinds(conn, list(persons))
    return frozenset(person for person, kind in kinds.items() if kind in HIDDEN_FROM_POLICE)


def hidden_stays(conn: Connection, ctx: Context, rows: Collection[StayRow]) -> frozenset[str]:
    """Those of the stays that this caller may not know of, by id."""
    if not rows or not on_police_side(conn, ctx):
        return frozenset()
    return _resting_on_consent(conn, [row.id for row in rows])


def hidden_consents(conn: Connection, ctx: Context, ids: Collection[str]) -> frozenset[str]:
    """Those of the consents that this caller may not know of: to anything but compulsory centres
    alone."""
    if not ids or not on_police_side(conn, ctx):
        return frozenset()
    word = core.consent.c
    open_ = conn.execute(select(word.id, word.kinds).where(word.id.in_(sorted(ids)))).all()
    return frozenset(ids) - {it.id for it in open_ if set(it.kinds) <= COMPULSORY_CENTRES}


def hidden_requests(conn: Connection, ctx: Context, rows: Collection[RequestRow]) -> frozenset[str]:
    """Those of the placement requests that this caller may not know of, by id."""
    if not rows or not on_police_side(conn, ctx):
        return frozenset()
    ids = sorted(row.id for row in rows)
    led = _led_to_consensual_stays(conn, ids)
    return led | _asked_by_consent(conn, ids)


def hidden_transfers(
    conn: Connection, ctx: Context, rows: Collection[TransferRow]
) -> frozenset[str]:
    """Those of the transfers that this caller may not know of, by id."""
    if not rows or not on_police_side(conn, ctx):
        return frozenset()
    unseen = _resting_on_consent(conn, [row.stay for row in rows])
    return frozenset(row.id for row in rows if row.stay in unseen)


def require_request(conn: Connection, ctx: Context, request: str) -> None:
    """Raise NotFound for a request this caller may not know of, as for one that is not there."""
    if hidden_requests(conn, ctx, [requests.request(conn, request)]):
        raise NotFound(
            "request-not-found", f"there is no placement request {request}", request=request
        )


def require_stay(conn: Connection, ctx: Context, stay: str) -> None:
    """Raise NotFound for a stay this caller may not know of, as for one that is not there."""
    if hidden_stays(conn, ctx, [stays.stay(conn, stay)]):
        raise NotFound("stay-not-found", f"there is no stay {stay}", stay=stay)


def require_transfer(conn: Connection, ctx: Context, transfer: str) -> None:
    """Raise NotFound for a transfer this caller may not know of, as for one that is not there."""
    if hidden_transfers(conn, ctx, [transfers.transfer(conn, transfer)]):
        raise NotFound("transfer-not-found", f"there is no transfer {transfer}", transfer=transfer)


def basis_kind_of(conn: Connection, row: StayRow) -> LegalBasis | None:
    """What a stay rests on; None when nothing was on record as it began."""
    basis = core.legal_basis.c
    kind = conn.execute(select(basis.kind).where(basis.id == row.basis)).scalar_one_or_none()
    return LegalBasis(kind) if kind is not None else None


def _resting_on_consent(conn: Connection, ids: Collection[str]) -> frozenset[str]:
    """Of these stays those that rest on consent. One that rests on nothing, as after an emergency
    that waited for no paper, is what its person was treated on then."""
    later = aliased(core.legal_basis)
    it, basis, newer = core.stay.c, core.legal_basis.c, later.c
    came = it.admitted_at
    while_there = and_(
        basis.person_id == it.person_id,
        basis.kind.in_(_HIDDEN),
        basis.recorded_at <= func.coalesce(it.ended_at, func.clock_timestamp()),
        or_(basis.revoked_at.is_(None), basis.revoked_at > came),
        ~exists()
        .correlate_except(later)
        .where(
            newer.person_id == it.person_id,
            newer.recorded_at > basis.recorded_at,
            newer.recorded_at <= came,
            newer.kind.not_in(_HIDDEN),
            or_(newer.revoked_at.is_(None), newer.revoked_at > came),
        ),
    )
    on_it = and_(basis.id == it.basis_id, basis.kind.in_(_HIDDEN))
    found = conn.execute(
        select(it.id).where(
            it.id.in_(sorted(ids)),
            or_(
                exists().where(on_it),
                and_(it.basis_id.is_(None), exists().where(while_there)),
            ),
        )
    ).scalars()
    return frozenset(found)


def _led_to_consensual_stays(conn: Connection, ids: Collection[str]) -> frozenset[str]:
    it = core.stay.c
    led = conn.execute(select(it.id, it.request_id).where(it.request_id.in_(ids))).all()
    unseen = _resting_on_consent(conn, [row.id for row in led])
    return frozenset(row.request_id for row in led if row.id in unseen)


def _asked_by_consent(conn: Connection, ids: Collection[str]) -> frozenset[str]:
    """Of these requests those whose person was to be treated by consent at any time while it was
    live: the paper counted when it was made, or was recorded before it ended."""
    later = aliased(core.legal_basis)
    it, basis, newer = core.placement_request.c, core.legal_basis.c, later.c
    made = it.recorded_at
    found = conn.execute(
        select(it.id).where(
            it.id.in_(ids),
            exists().where(
                basis.person_id == it.person_id,
                basis.kind.in_(_HIDDEN),
                basis.recorded_at <= func.coalesce(it.ended_at, func.clock_timestamp()),
                or_(basis.revoked_at.is_(None), basis.revoked_at > made),
                ~exists()
                .correlate_except(later)
                .where(
                    newer.person_id == it.person_id,
                    newer.recorded_at > basis.recorded_at,
                    newer.recorded_at <= made,
                    newer.kind.not_in(_HIDDEN),
                    or_(newer.revoked_at.is_(None), newer.revoked_at > made),
                ),
            ),
        )
    ).scalars()
    return frozenset(found)
