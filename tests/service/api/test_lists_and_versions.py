"""Pages by cursor, versions by ETag, instants with an offset, the vault."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from service.access.vault import Vault, VaultError
from service.api.paging import after_cursor, cursor_of
from service.errors import Invalid
from service.workflow.instants import AwareInstant, require_order
from tests.service.api.conftest import Holder

MARKS = "/api/v1/probe/marks"
Count = Callable[[str], int]
ALL = [f"m{number:03}" for number in range(120)]


@pytest.mark.parametrize("limit", [1, 7, 40, 60, 119, 120, 121, 500])
def test_following_next_shows_everything_once(officer: Holder, limit: int):
    seen, url = (
        [],
        f"{MARKS}?limit={limit}&at_least=100" if limit == 1 else f"{MARKS}?limit={limit}",
    )
    wanted = ALL[100:] if limit == 1 else ALL
    while url:
        answer = officer("GET", url)
        body = answer.json()
        assert 0 < len(body["items"]) <= limit
        seen += body["items"]
        link = httpx.Response(200, headers=answer.headers).links.get("next", {})
        assert ("url" in link) == (body["next"] is not None)
        url = str(link.get("url", ""))
        assert not url or body["next"] in url
    assert seen == wanted


def test_link_keeps_the_other_parameters(officer: Holder):
    answer = officer("GET", f"{MARKS}?at_least=5&limit=2")
    assert "at_least=5" in answer.headers["link"]
    assert answer.headers["link"].endswith('>; rel="next"')


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "!!!!",
        "bTAwMQ",
        base64.urlsafe_b64encode(b"id:").decode(),
        "aWQ6bTAwMQ==",
        "é",
        "a" * 401,
    ],
)
def test_a_cursor_not_of_ours_is_refused(officer: Holder, cursor: str):
    answer = officer("GET", MARKS, params={"cursor": cursor})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "query/cursor"


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "1.5"])
def test_a_limit_out_of_bounds_is_refused(officer: Holder, limit: str):
    answer = officer("GET", MARKS, params={"limit": limit})
    assert answer.json()["errors"][0]["pointer"] == "query/limit"


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1))
def test_a_cursor_gives_back_its_id(last_id: str):
    assert after_cursor(cursor_of(last_id)) == last_id


@given(st.text(st.characters(codec="ascii")))
def test_no_text_breaks_the_cursor(text: str):
    with contextlib.suppress(Invalid):
        assert cursor_of(after_cursor(text)) == text


def test_a_change_needs_the_version_that_was_read(officer: Holder, marks: Count):
    for headers in ({}, {"If-Match": "*"}):
        answer = officer("PUT", f"{MARKS}/edited", headers=headers)
        assert answer.status_code == 428
        assert answer.json()["code"] == "if-match-required"
    assert marks("edited") == 0


@pytest.mark.parametrize(
    ("tag", "code", "title"),
    [
        *((it, "version-stale", "Changed since you read it") for it in ('"v2"', '"v4"')),
        *(
            (it, "version-unknown", "If-Match names no version known here")
            for it in ('W/"v3"', '"3"', '""', '"*"', '"v9999999999"', '"a,b", W/"v3"')
        ),
    ],
)
def test_a_version_that_is_not_the_present_one_is_refused(
    officer: Holder, marks: Count, tag: str, code: str, title: str
):
    answer = officer("PUT", f"{MARKS}/stale", headers={"If-Match": tag})
    assert (answer.status_code, answer.json()["code"]) == (412, code)
    assert answer.json()["title"] == title
    assert marks("stale") == 0


@pytest.mark.parametrize(
    "tag",
    ["v3", "3", '"v3', 'v"3"', '"v 3"', '"v3" "v3"', 'v2, "v3"', "", ",", '*, "v3"', 'w/"v3"'],
)
def test_an_if_match_that_is_no_etag_is_malformed_and_shown_how(
    officer: Holder, marks: Count, tag: str
):
    answer = officer("PUT", f"{MARKS}/stale", headers={"If-Match": tag})
    assert (answer.status_code, answer.json()["code"]) == (400, "if-match-malformed")
    assert answer.json()["title"] == "Request cannot be read"
    assert 'If-Match: "v3"' in answer.json()["detail"]
    assert answer.json()["received"] == tag
    assert marks("stale") == 0


def test_a_long_if_match_is_answered_too(officer: Holder):
    for many in (", " * 10_000, '"a", ' * 5_000):
        answer = officer("PUT", f"{MARKS}/stale", headers={"If-Match": f"{many}x"})
        assert answer.json()["code"] == "if-match-malformed"


@pytest.mark.parametrize("tag", ['"v3"', '"other", "v3"', '"a,b","v3"', ' , "v3",'])
def test_the_present_version_may_be_changed_and_the_answer_has_the_next(officer: Holder, tag: str):
    answer = officer("PUT", f"{MARKS}/fresh", headers={"If-Match": tag})
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"v4"'


@pytest.mark.parametrize(
    "naive",
    [
        "2026-01-31T08:00:00",
        "2026-01-31",
        "1700000000",
        1700000000,
        1.5,
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59-12:00",
        "2026-02-30T00:00:00Z",
        "2026-01-31T08:00:00+99:00",
        "tomorrow",
        True,
    ],
)
def test_an_instant_without_offset_or_sense_is_refused(
    officer: Holder, marks: Count, naive: object
):
    answer = officer("POST", MARKS, json={"text": "timed", "at": naive})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/at"
    assert marks("timed") == 0


INSTANT: TypeAdapter[datetime] = TypeAdapter(AwareInstant)


@given(
    st.integers(0, 298 * 365 * 24 * 3600).map(timedelta(seconds=1).__mul__),
    st.integers(-12 * 60, 14 * 60),
)
def test_an_instant_is_the_same_instant_in_utc(since: timedelta, minutes: int):
    zone = timezone(timedelta(minutes=minutes))
    given_ = (datetime(1901, 1, 1, tzinfo=UTC) + since).astimezone(zone)
    read = INSTANT.validate_python(given_.isoformat(timespec="microseconds"))
    assert read == given_
    assert read.utcoffset() == timedelta(0)


def test_a_naive_instant_is_refused_from_python_too():
    with pytest.raises(ValidationError):
        INSTANT.validate_python(datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_period_holds_at_least_an_instant():
    start = datetime(2026, 1, 1, tzinfo=UTC)
    require_order(start, None, "/ends_at")
    require_order(start, start + timedelta(microseconds=1), "/ends_at")
    for end in (start, start - timedelta(days=1)):
        with pytest.raises(Invalid) as raised:
            require_order(start, end, "/ends_at")
        assert raised.value.errors[0].code == "reversed-period"


VAULT = Vault(b"k" * 32, b"i" * 32)


@given(st.binary(max_size=200), st.text(max_size=20))
def test_what_was_sealed_opens_for_its_purpose_alone(data: bytes, purpose: str):
    sealed = VAULT.seal(data, purpose)
    assert VAULT.open(sealed, purpose) == data
    with pytest.raises(VaultError):
        VAULT.open(sealed, purpose + "x")
    with pytest.raises(VaultError):
        Vault(b"K" * 32, b"i" * 32).open(sealed, purpose)


@given(st.integers(0, 40), st.integers(0, 7))
def test_a_changed_bit_is_found(at: int, bit: int):
    sealed = bytearray(VAULT.seal(b"Zhang San's number"))
    sealed[at % len(sealed)] ^= 1 << bit
    with pytest.raises(VaultError):
        VAULT.open(bytes(sealed))


@pytest.mark.parametrize("cut", [0, 1, 5, 13, 20])
def test_what_is_too_short_was_not_sealed(cut: int):
    with pytest.raises(VaultError):
        VAULT.open(VAULT.seal(b"x" * 30)[:cut])


def test_the_same_text_never_seals_alike_and_always_indexes_alike():
    assert VAULT.seal_text("李四") != VAULT.seal_text("李四")
    assert VAULT.open_text(VAULT.seal_text("李四", "name"), "name") == "李四"
    first = VAULT.blind_index("42010619900101123x")
    assert VAULT.blind_index("４２０１０６ 19900101 123X") == first
    assert VAULT.blind_index("420106199001011231") != first
    assert Vault(b"k" * 32, b"j" * 32).blind_index("42010619900101123x") != first


@pytest.mark.parametrize(
    ("key", "index"), [(b"short", b"i" * 32), (b"k" * 32, b""), (b"k" * 32, b"k" * 32)]
)
def test_a_vault_with_bad_keys_is_not_made(key: bytes, index: bytes):
    with pytest.raises(ValueError, match="key"):
        Vault(key, index)
