"""API keys: ``rbk_<id>_<secret>``, and the ring of live keys each process keeps in memory.

The secret has 160 random bits, so its SHA-256 is stored plain: nothing can be guessed (NIST SP
800-63B section 5.1.4 asks for salt and stretching of secrets that people choose). A request is
checked against the ring and never touches the database. The ring is read anew every second, so a
revoked key is refused at most ``REFRESH_S`` later, and ``FAIL_CLOSED_S`` after the database went
away nothing is let in at all.
"""

import asyncio
import contextlib
import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from service.access.caller import Actor
from service.errors import Unauthenticated, Unavailable
from service.store.keys import StoredKey

REFRESH_S: Final = 1.0
FAIL_CLOSED_S: Final = 30.0
_LOOK_AGAIN_S: Final = 0.25
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_ID_LENGTH: Final = 10
_SECRET_LENGTH: Final = 32

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. ``text`` is what the caller sends, and is never to be had again."""

    id: str
    text: str
    digest: bytes


def make_key() -> NewKey:
    """A new key: 50 random bits of id, 160 of secret."""
    key_id = f"rbk_{_random(_ID_LENGTH)}"
    secret = _random(_SECRET_LENGTH)
    return NewKey(key_id, f"{key_id}_{secret}", digest_of(secret))


def digest_of(secret: str) -> bytes:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).digest()


class Keyring:
    """The live keys of this process. ``load`` reads them from the database."""

    def __init__(self, load: Callable[[], Awaitable[Sequence[StoredKey]]]) -> None:
        self._load = load
        self._keys: Mapping[str, StoredKey] = {}
        self._actors: Mapping[str, Actor] = {}
        self._read_at = -FAIL_CLOSED_S
        self._tried_at = -FAIL_CLOSED_S
        self._reading = asyncio.Lock()

    @property
    def fresh(self) -> bool:
        """Whether the ring was read lately enough to be trusted."""
        return time.monotonic() - self._read_at < FAIL_CLOSED_S

    async def refresh(self, *, unless_tried_within: float = 0.0) -> None:
        """Read the keys anew; if that fails the ring grows old, and closes by itself.

        Whoever comes while another reads waits for that; ``unless_tried_within`` seconds spares
        the database from every guess that comes in.
        """
        async with self._reading:
            if time.monotonic() - self._tried_at < unless_tried_within:
                return
            try:
                keys = await self._load()
            except Exception as error:
                log.warning("keys could not be read: %s", type(error).__name__)
            else:
                self._keys = {key.id: key for key in keys}
                self._actors = {
                    key.id: Actor(key.id, key.name, key.role, key.facility) for key in keys
                }
                self._read_at = time.monotonic()
            finally:
                self._tried_at = time.monotonic()

    async def keep_fresh(self, stop: asyncio.Event) -> None:
        """Read the keys anew every ``REFRESH_S`` until told to stop; no reading is broken off."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), REFRESH_S)
                return
            await self.refresh()

    async def actor(self, text: str | None) -> Actor:
        """Who holds the key ``text``.

        Raises:
            Unauthenticated: there is no key, or it is unknown, revoked or expired. Which of
                these it is, is not said.
            Unavailable: the keys could not be read for ``FAIL_CLOSED_S``.
        """
        if not text:
            raise _unauthenticated("no key came with the request")
        key_id, _, secret = text.rpartition("_")
        if key_id not in self._keys:
            await self.refresh(unless_tried_within=_LOOK_AGAIN_S)
        if not self.fresh:
            raise Unavailable(
                "keys-unavailable",
                "keys cannot be checked now, so nobody is let in; try again in a moment",
                headers={"Retry-After": "2"},
            )
        key = self._keys.get(key_id)
        known = key.digest if key is not None else bytes(hashlib.sha256().digest_size)
        same = hmac.compare_digest(known, digest_of(secret))
        if key is None or not same or _expired(key):
            raise _unauthenticated("this key is unknown, revoked or expired")
        return self._actors[key_id]


def _expired(key: StoredKey) -> bool:
    return key.expires_at is not None and key.expires_at <= datetime.now(UTC)


def _unauthenticated(why: str) -> Unauthenticated:
    return Unauthenticated(
        "unauthenticated",
        f"{why}; send 'Authorization: Bearer <key>' with a key made by 'rehab-beds key create'",
        headers={"WWW-Authenticate": 'Bearer realm="rehab-beds"'},
    )


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
