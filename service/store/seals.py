"""Seals over the event log: a chain of HMACs that makes a change of the past visible.

Each seal covers one batch of positions ``[first, last]`` without holes and the seal before it,
with a key that is kept outside the database (HMAC-SHA-256, RFC 2104). A row changed, added or
removed later breaks its batch; a seal removed breaks the chain; a log cut off at its end is found
against the heads that were exported elsewhere. Events after the last seal are not yet protected.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, func, insert, select, text

from service.store.event_reader import LoggedEvent, last_position, read_since
from service.store.sequencer import ADVISORY_CLASS
from service.store.tables.core import event, event_seal

BATCH: Final = 1000
_SEALER: Final = 2
_GENESIS: Final = b"rehab-beds event log, seal version 1"
_LOCK = text("SELECT pg_advisory_xact_lock(:class, :lock)")
_LAST_SEAL = (
    select(event_seal.c.last_pos, event_seal.c.mac).order_by(event_seal.c.last_pos.desc()).limit(1)
)
_SEALS = select(event_seal).order_by(event_seal.c.last_pos)


class SealFault(StrEnum):
    """What a check of the log found."""

    ROWS_MISSING = "rows_missing"  # a position of the batch has no row
    ROWS_CHANGED = "rows_changed"  # the batch does not give the sealed value
    SEAL_MISSING = "seal_missing"  # a batch between two seals has none
    HEAD_MISSING = "head_missing"  # an exported head is not in the database any more
    HEAD_CHANGED = "head_changed"  # a seal differs from the head that was exported


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in the positions ``[first_pos, last_pos]``."""

    kind: SealFault
    first_pos: int
    last_pos: int


@dataclass(frozen=True, slots=True)
class Head:
    """A seal as it is exported: keep it where the database's administrators cannot write."""

    last_pos: int
    mac: str
    sealed_at: str


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of a check: how far the log is sealed, how far it goes, every fault found."""

    sealed_to: int
    last_pos: int
    faults: tuple[Fault, ...]


def seal_next(conn: Connection, key: bytes, batch: int = BATCH) -> int:
    """Seal the next events, at most ``batch``; return how many. Safe in several processes."""
    conn.execute(_LOCK, {"class": ADVISORY_CLASS, "lock": _SEALER})
    before = conn.execute(_LAST_SEAL).one_or_none()
    last, mac = (before.last_pos, bytes(before.mac)) if before is not None else (0, _GENESIS)
    rows = read_since(conn, last, batch)
    if not rows:
        return 0
    end = last + len(rows)
    conn.execute(
        insert(event_seal).values(
            first_pos=last + 1,
            last_pos=end,
            mac=_mac(key, mac, last + 1, end, rows),
            sealed_at=func.clock_timestamp(),
        )
    )
    return len(rows)


def verify(conn: Connection, key: bytes, heads: Iterable[Head] = ()) -> Verification:
    """Check every seal against its rows, and the chain against ``heads`` exported before."""
    faults: list[Fault] = []
    expected = {head.last_pos: head.mac for head in heads}
    last, mac = 0, _GENESIS
    for seal in conn.execute(_SEALS).all():
        if seal.first_pos != last + 1:
            faults.append(Fault(SealFault.SEAL_MISSING, last + 1, seal.first_pos - 1))
        rows = _rows(conn, seal.first_pos, seal.last_pos)
        if [row.pos for row in rows] != list(range(seal.first_pos, seal.last_pos + 1)):
            faults.append(Fault(SealFault.ROWS_MISSING, seal.first_pos, seal.last_pos))
        elif not hmac.compare_digest(
            _mac(key, mac, seal.first_pos, seal.last_pos, rows), bytes(seal.mac)
        ):
            faults.append(Fault(SealFault.ROWS_CHANGED, seal.first_pos, seal.last_pos))
        exported = expected.pop(seal.last_pos, None)
        if exported is not None and exported != bytes(seal.mac).hex():
            faults.append(Fault(SealFault.HEAD_CHANGED, seal.first_pos, seal.last_pos))
        # Go on from the stored seal, so that one changed batch does not blame all later ones.
        last, mac = seal.last_pos, bytes(seal.mac)
    faults += [Fault(SealFault.HEAD_MISSING, gone, gone) for gone in sorted(expected)]
    return Verification(last, last_position(conn), tuple(faults))


def export_heads(conn: Connection, after: int = 0) -> Iterator[Head]:
    """The seals after a position, oldest first, for a copy kept outside the database."""
    for seal in conn.execute(_SEALS.where(event_seal.c.last_pos > after)).all():
        yield Head(seal.last_pos, bytes(seal.mac).hex(), seal.sealed_at.astimezone(UTC).isoformat())


def head_line(head: Head) -> str:
    """A head as one line of JSON."""
    return json.dumps(asdict(head), sort_keys=True)


def read_head(line: str) -> Head:
    """A head from its line; ValueError if the line is not one."""
    try:
        found: Mapping[str, str | int] = json.loads(line)
        return Head(int(found["last_pos"]), str(found["mac"]), str(found["sealed_at"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a line of exported seals: {line[:80]!r}") from error


def _rows(conn: Connection, first: int, last: int) -> Sequence[LoggedEvent]:
    rows = read_since(conn, first - 1, last - first + 2)
    return [row for row in rows if row.pos is not None and row.pos <= last]


def _mac(key: bytes, before: bytes, first: int, last: int, rows: Iterable[LoggedEvent]) -> bytes:
    sealed = hmac.new(key, digestmod=hashlib.sha256)
    sealed.update(before)
    sealed.update(f"\n{first}-{last}\n".encode())
    for row in rows:
        sealed.update(_line(row))
    return sealed.digest()


def _line(row: LoggedEvent) -> bytes:
    """One row as one line that does not depend on the session's time zone or column order."""
    values = {
        name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(row).items()
    }
    return json.dumps(values, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode() + (
        b"\n"
    )


def unsealed(conn: Connection) -> int:
    """How many placed events no seal covers yet."""
    sealed = conn.execute(select(func.coalesce(func.max(event_seal.c.last_pos), 0))).scalar_one()
    return int(
        conn.execute(
            select(func.count()).select_from(event).where(event.c.pos > sealed)
        ).scalar_one()
    )
