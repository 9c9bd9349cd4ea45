"""Identity documents: what a number must look like, so that a slip of the pen is caught at once.

A resident identity number (GB 11643-1999) carries the birth date, the sex and a check character;
where it disagrees with what is typed beside it, one of the two is wrong.
"""

import unicodedata
from datetime import date
from enum import StrEnum
from typing import Final

from service.errors import Invalid
from solver.codes import Sex

_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS: Final = "10X98765432"


class DocumentKind(StrEnum):
    """What kind of document the number is from."""

    RESIDENT_ID = "resident_id"  # 居民身份证
    PASSPORT = "passport"
    OTHER = "other"


def normalised(number: str) -> str:
    """The number without spaces, in half-width capitals, as it is stored and compared."""
    return "".join(unicodedata.normalize("NFKC", number).upper().split())


def check_character(first_seventeen: str) -> str:
    """The eighteenth character of a resident identity number (ISO 7064 MOD 11-2)."""
    total = sum(
        int(digit) * weight for digit, weight in zip(first_seventeen, _WEIGHTS, strict=True)
    )
    return _CHECKS[total % 11]


def check_document(kind: DocumentKind, number: str, birth_date: date, sex: Sex) -> None:
    """Refuse a number that cannot be right. The message never repeats the number.

    Raises Invalid naming the member at fault.
    """
    if not 3 <= len(number) <= 40 or not number.isascii() or not number.isprintable():
        raise _invalid("malformed", "a document number has 3 to 40 letters, digits and signs")
    if kind is not DocumentKind.RESIDENT_ID:
        return
    first, last = number[:17], number[17:]
    if len(number) != 18 or not first.isdigit() or last not in _CHECKS:
        raise _invalid("malformed", "a resident identity number has 17 digits and a digit or X")
    if check_character(first) != last:
        raise _invalid(
            "check-character", "the last character does not fit the others: compare with the card"
        )
    if number[6:14] != f"{birth_date:%Y%m%d}":
        raise _invalid(
            "other-birth-date", "the number and birth_date disagree: correct one of them"
        )
    if (int(number[16]) % 2 == 1) != (sex is Sex.MALE):
        raise _invalid("other-sex", "the number and sex disagree: correct one of them")


def _invalid(code: str, message: str) -> Invalid:
    return Invalid.field("/document/number", code, message)
