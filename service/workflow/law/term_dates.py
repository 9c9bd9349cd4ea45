"""The days of a compulsory term: pure arithmetic on legal days in Asia/Shanghai, no clock.

Both ends count: two years from the day of the decision end on the day before its anniversary, at
24:00 there (Regulations art. 27). Where a year has no 29 February, the anniversary is 1 March.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

TERM_YEARS: Final = 2
"""A compulsory term, from the day of the decision (Anti-Drug Law art. 47, Regulations art. 27)."""
LONGEST_YEARS: Final = 3
"""With every extension (art. 47: at most one year more)."""
EXECUTED_YEARS: Final = 1
"""No early release is proposed before (art. 47)."""
COMMUNITY_YEARS: Final = 3
"""Community detoxification, fixed (art. 33); community rehabilitation, at most (art. 48)."""

Days = tuple[date, date | None]
"""Days ``[from, to)``; ``to`` is None while it goes on."""


def years_after(day: date, years: int) -> date:
    """The anniversary of a day."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


def last_day(first: date, years: int) -> date:
    """The last day of so many years that begin on ``first``."""
    return years_after(first, years) - timedelta(days=1)


def longest_extension(decided_on: date) -> int:
    """How many days all extensions of a term may come to."""
    return (last_day(decided_on, LONGEST_YEARS) - last_day(decided_on, TERM_YEARS)).days


def days_away(away: Iterable[Days]) -> int:
    """Whole days of escapes that are over; the day of the escape counts as away, the day of the
    return as served, and so does an escape that ends on the day it began."""
    return sum((to - since).days for since, to in away if to is not None)


def ends_on(decided_last: date, extension_days: int, escapes: Iterable[Days]) -> date:
    """A term's last day: what was decided, with its extension, with every day of escape added.

    ``decided_last`` is the last day as decided. Days out of the centre for treatment, in detention
    or under arrest count as served and add nothing (Regulations arts. 31, 32, 36).
    """
    return decided_last + timedelta(days=extension_days + days_away(escapes))


def over_at(last: date, zone: ZoneInfo) -> datetime:
    """24:00 of a legal day, aware UTC: the first instant after the term."""
    return datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)


def early_release_from(decided_on: date) -> date:
    """The first day on which an early release may be proposed."""
    return years_after(decided_on, EXECUTED_YEARS)


def working_days_after(day: date, count: int) -> date:
    """The day on which so many working days have passed since ``day``, Saturdays and Sundays left
    out. Public holidays are not known here: a notice is then due earlier, never later."""
    while count:
        day += timedelta(days=1)
        if day.weekday() < 5:
            count -= 1
    return day
