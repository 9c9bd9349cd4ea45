"""Who may share a room: the key a claim carries, and claims that follow a changed finding."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from service.store.claims.rows import blockers, of_person, rearranging, split
from service.store.engine import now as clock
from service.store.locks import lock
from service.store.network_needs import need_of
from service.store.seats import seats
from service.store.tables import core
from solver.check import mix_key
from solver.codes import Isolation, Sex


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """The claims whose key changed, and whether the person now shares a room they may not."""

    claims: tuple[str, ...]
    misplaced: bool


def key_of(conn: Connection, person: str, *, cohort: bool) -> str:
    """The value two people of one room must share: see ``solver.check.mix_key``.

    Somebody not identified shares with nobody: what was seen of them may be wrong.
    """
    row = conn.execute(
        select(core.person.c.sex, core.person.c.identified).where(core.person.c.id == person)
    ).one()
    sex = Sex(row.sex) if row.sex is not None and row.identified else None
    return mix_key(sex, need_of(conn, person).route, person, cohort)


def isolated(conn: Connection, person: str) -> bool:
    """Whether the person must be treated as isolated: ordered so, or not known yet."""
    return need_of(conn, person).route is not Isolation.NONE


def rekey(conn: Connection, person: str) -> Rekeyed:
    """Let the person's claims follow a changed sex or isolation; the caller holds the person.

    A running segment is ended now and goes on under the new key, a hold is written anew. Where
    somebody in the room forbids it the claim is flagged as an emergency's and the person is
    misplaced: somebody must be moved. Takes the locks of the rooms.
    """
    peeked = of_person(conn, person, clock(conn))
    now = lock(conn, rooms={claim.room for claim in peeked})
    live = of_person(conn, person, now)
    places = seats(conn, {claim.bed for claim in live})
    mine = {claim.id for claim in live}
    changed, misplaced = [], False
    with rearranging(conn):
        for claim in live:
            place = places[claim.bed]
            key = key_of(conn, person, cohort=place.cohort)
            others = blockers(
                conn, place, person, now, claim.until, key=key, stay=False, ignoring=mine
            )
            misplaced = misplaced or bool(others)
            if (claim.mix_key, claim.emergency) != (key, bool(others)):
                changed.append(split(conn, claim, key, emergency=bool(others), now=now))
    return Rekeyed(tuple(changed), misplaced)
