"""Decisions that were recorded before terms were: each gets its term when the schema is raised."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from service.store import schema
from tests.service.law.cases import today

NOW = datetime.now(UTC)


def add(conn: Connection, person: str, first: date, last: date) -> None:
    conn.execute(
        text(
            "INSERT INTO person (id, sex, birth_date, created_at, version)"
            " VALUES (:p, 'male', '1990-01-01', :n, 1)"
        ),
        {"p": person, "n": NOW},
    )
    conn.execute(
        text(
            "INSERT INTO legal_basis (id, person_id, kind, body, ground, starts_on, ends_on,"
            " under_16_reasons, recorded_by, recorded_at, version) VALUES (:b, :p, 'compulsory',"
            " 'city_police', 'relapse_after', :first, :last, false, 'test', :n, 1)"
        ),
        {"b": f"lb-{person}", "p": person, "first": first, "last": last, "n": NOW},
    )


@pytest.fixture
def raised(empty_database_url: str) -> Iterator[Connection]:
    engine = create_engine(empty_database_url, poolclass=NullPool)
    with engine.connect() as conn:
        schema.upgrade(conn, "0005")
        add(conn, "p-runs", today() - timedelta(days=30), today() + timedelta(days=600))
        add(conn, "p-over", today() - timedelta(days=900), today() - timedelta(days=200))
        first = date(today().year - 2, 3, 1)
        add(conn, "p-long", first, date(first.year + 3, 2, 28))
        conn.commit()
        schema.upgrade(conn)
        yield conn


def test_every_earlier_decision_has_its_term(raised: Connection):
    found = {
        row.person_id: row
        for row in raised.execute(
            text("SELECT person_id, ends_on, extension_days, end_code, closed_at FROM term")
        )
    }
    assert set(found) == {"p-runs", "p-over", "p-long"}
    assert (found["p-runs"].end_code, found["p-runs"].extension_days) == (None, 0)
    assert found["p-over"].end_code == "expired"
    assert found["p-over"].closed_at < NOW
    assert found["p-long"].extension_days in (365, 366)
