"""The days of a term, as pure arithmetic."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.policy import default_policy
from service.workflow.law import term_dates as dates
from solver.eligibility import months_after

DAYS = st.dates(date(1996, 1, 1), date(2090, 12, 31))
ESCAPES = st.lists(st.tuples(st.integers(1, 300), st.integers(0, 120)), max_size=5)


@pytest.mark.parametrize(
    ("decided", "last", "longest", "early"),
    [
        (date(2026, 3, 1), date(2028, 2, 29), date(2029, 2, 28), date(2027, 3, 1)),
        (date(2026, 1, 1), date(2027, 12, 31), date(2028, 12, 31), date(2027, 1, 1)),
        (date(2024, 2, 29), date(2026, 2, 28), date(2027, 2, 28), date(2025, 3, 1)),
        (date(2022, 3, 1), date(2024, 2, 29), date(2025, 2, 28), date(2023, 3, 1)),
        (date(2026, 11, 24), date(2028, 11, 23), date(2029, 11, 23), date(2027, 11, 24)),
    ],
)
def test_a_term_ends_on_the_day_before_the_anniversary_of_its_decision(
    decided: date, last: date, longest: date, early: date
):
    assert dates.last_day(decided, dates.TERM_YEARS) == last
    assert last + timedelta(days=dates.longest_extension(decided)) == longest
    assert dates.early_release_from(decided) == early


@given(DAYS)
def test_no_term_is_longer_than_two_years_and_no_extension_than_one(decided: date):
    last = dates.last_day(decided, dates.TERM_YEARS)
    assert 730 <= (last - decided).days + 1 <= 731
    assert 365 <= dates.longest_extension(decided) <= 366
    following = last + timedelta(days=1)
    assert (following.month, following.day) in {(decided.month, decided.day), (3, 1)}


def spans(decided: date, gaps: list[tuple[int, int]]) -> list[dates.Days]:
    """Escapes one after the other: after so many days inside, so many outside."""
    found: list[dates.Days] = []
    at = decided
    for inside, outside in gaps:
        begin = at + timedelta(days=inside)
        at = begin + timedelta(days=outside)
        found.append((begin, at))
    return found


@given(DAYS, ESCAPES, st.integers(0, 366))
def test_every_day_of_escape_is_added_and_every_day_served_counts_once(
    decided: date, gaps: list[tuple[int, int]], extension: int
):
    decided_last = dates.last_day(decided, dates.TERM_YEARS)
    away = spans(decided, gaps)
    end = dates.ends_on(decided_last, extension, away)
    outside = {
        begin + timedelta(days=n) for begin, to in away if to for n in range((to - begin).days)
    }
    served = [
        day
        for n in range((end - decided).days + 1)
        if (day := decided + timedelta(days=n)) not in outside
    ]
    past_the_end = sum(1 for day in outside if day > end)
    assert len(served) - past_the_end == (decided_last - decided).days + 1 + extension


@given(DAYS, ESCAPES, st.integers(0, 365))
def test_the_order_of_extension_and_escapes_does_not_matter(
    decided: date, gaps: list[tuple[int, int]], extension: int
):
    last = dates.last_day(decided, dates.TERM_YEARS)
    away = spans(decided, gaps)
    one = dates.ends_on(dates.ends_on(last, extension, ()), 0, away)
    other = dates.ends_on(dates.ends_on(last, 0, reversed(away)), extension, ())
    assert one == other == dates.ends_on(last, extension, away)


def test_an_escape_that_goes_on_and_one_of_a_single_day_add_nothing_yet():
    day = date(2026, 5, 1)
    assert dates.days_away([(day, None), (day, day)]) == 0


@given(DAYS)
def test_a_term_is_over_at_midnight_in_shanghai(last: date):
    zone = default_policy().zone
    at = dates.over_at(last, zone)
    assert at.tzinfo is UTC
    assert (at - timedelta(microseconds=1)).astimezone(zone).date() == last
    assert at.astimezone(zone).date() == last + timedelta(days=1)
    assert dates.over_at(date(2026, 6, 30), zone) == datetime(2026, 6, 30, 16, tzinfo=UTC)


@given(DAYS, st.integers(0, 10))
def test_working_days_leave_out_weekends(day: date, count: int):
    end = dates.working_days_after(day, count)
    between = [day + timedelta(days=n + 1) for n in range((end - day).days)]
    assert sum(1 for it in between if it.weekday() < 5) == count
    assert count == 0 or end.weekday() < 5


@given(DAYS, st.integers(0, 36))
def test_months_end_on_the_same_day_or_the_months_last(day: date, months: int):
    end = months_after(day, months)
    assert (end.year - day.year) * 12 + end.month - day.month == months
    assert end.day == day.day or (end.day < day.day and (end + timedelta(days=1)).day == 1)
