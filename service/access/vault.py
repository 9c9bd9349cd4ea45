"""The vault: what identifies a person is kept encrypted, and found again only by who has it.

Names, document numbers and stored answers are sealed with AES-256-GCM (NIST SP 800-38D). A
document number is looked up by a keyed blind index (HMAC-SHA-256): equal numbers give equal
indexes, and nobody without the key can try numbers against a stolen table.
"""

import hashlib
import hmac
import secrets
import unicodedata
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_FORMAT: Final = b"\x01"


class VaultError(Exception):
    """Something sealed cannot be opened: another key, another purpose, or damaged."""


class Vault:
    """Seals and opens bytes, and makes blind indexes.

    ``key`` and ``index_key`` are 32 random bytes each, and differ. Raises ValueError otherwise.
    """

    __slots__ = ("_cipher", "_index_key")

    def __init__(self, key: bytes, index_key: bytes) -> None:
        if len(key) != KEY_BYTES or len(index_key) != KEY_BYTES:
            raise ValueError(f"each vault key must be {KEY_BYTES} bytes")
        if hmac.compare_digest(key, index_key):
            raise ValueError("the two vault keys must differ")
        self._cipher = AESGCM(key)
        self._index_key = index_key

    def seal(self, data: bytes, purpose: str = "") -> bytes:
        """Encrypt ``data``; it opens only under the same ``purpose`` (such as ``person.name``)."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, data, purpose.encode())

    def open(self, sealed: bytes, purpose: str = "") -> bytes:
        """Decrypt what ``seal`` returned. Raises VaultError."""
        nonce = sealed[1 : 1 + _NONCE_BYTES]
        if sealed[:1] != _FORMAT or len(nonce) != _NONCE_BYTES:
            raise VaultError("this was not sealed by the vault")
        try:
            return self._cipher.decrypt(nonce, sealed[1 + _NONCE_BYTES :], purpose.encode())
        except InvalidTag:
            raise VaultError("sealed with another key or for another purpose") from None

    def seal_text(self, text: str, purpose: str = "") -> bytes:
        """Encrypt text as UTF-8."""
        return self.seal(text.encode(), purpose)

    def open_text(self, sealed: bytes, purpose: str = "") -> str:
        """Decrypt what ``seal_text`` returned. Raises VaultError."""
        return self.open(sealed, purpose).decode()

    def blind_index(self, text: str) -> str:
        """The keyed index of a document number, 64 hex digits.

        Full-width digits, letter case and spaces do not count: ``42010619900101123x`` and
        ``420106 19900101 123X`` are one number (the last character of a resident identity card
        may be X: GB 11643-1999).
        """
        plain = "".join(unicodedata.normalize("NFKC", text).upper().split())
        return hmac.new(self._index_key, plain.encode(), hashlib.sha256).hexdigest()
