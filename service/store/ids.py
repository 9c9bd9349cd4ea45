"""Identifiers: time-ordered for records, random pseudonyms for people.

A record id is a prefix, an underscore and 26 characters of Crockford base 32: 48 bits of
milliseconds, 80 random bits (the ULID layout). Sorting by id is sorting by creation, which is
what keyset cursors and lock order use.
"""

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def _base32(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def new_id(prefix: str) -> str:
    """A new record id such as ``rq_01k...``."""
    milliseconds = time.time_ns() // 1_000_000
    return f"{prefix}_{_base32(milliseconds << 80 | secrets.randbits(80), 26)}"


def new_pseudonym() -> str:
    """A new pseudonym ``p-xxxxxxxxxx``: 50 random bits, nothing of the person in it."""
    return f"p-{_base32(secrets.randbits(50), 10)}"
