"""Claims written straight to the tables, so that a test of places rests on no other use case."""

from datetime import date, datetime, timedelta

from sqlalchemy import Connection, insert, select
from sqlalchemy.dialects.postgresql import Range

from service.store.engine import now
from service.store.ids import new_id
from service.store.tables import core


def person(conn: Connection, person_id: str = "p-1", sex: str = "male") -> str:
    conn.execute(
        insert(core.person).values(
            id=person_id, sex=sex, birth_date=date(1990, 1, 1), created_at=now(conn), version=1
        )
    )
    return person_id


def papers(conn: Connection, person_id: str) -> None:
    """A compulsory decision in force and served, and a finding that asks for nothing."""
    at = now(conn)
    conn.execute(
        insert(core.legal_basis).values(
            id=new_id("lb"),
            person_id=person_id,
            kind="compulsory",
            body="city_police",
            ground="relapse_after",
            served_at=at - timedelta(days=1),
            starts_on=at.date() - timedelta(days=2),
            ends_on=at.date() + timedelta(days=300),
            under_16_reasons=False,
            recorded_by="test",
            recorded_at=at,
            version=1,
        )
    )
    conn.execute(
        insert(core.assessment).values(
            id=new_id("as"),
            person_id=person_id,
            dimensions={},
            grade=1,
            needs=[],
            isolation="none",
            observation="none",
            pregnant="no",
            nursing="no",
            assessed_at=at,
            assessed_by="doctor",
            recorded_at=at,
        )
    )


def claim(
    conn: Connection,
    bed: str,
    *,
    kind: str = "stay",
    person_id: str = "p-1",
    key: str = "male",
    until: timedelta | None = None,
) -> str:
    """A claim on the bed from an hour ago; its id."""

    def write(conn: Connection) -> str:
        at = now(conn)
        person(conn, person_id)
        place = conn.execute(select(core.bed).where(core.bed.c.id == bed)).one()
        common = {"recorded_at": at, "recorded_by": "test"}
        stay = None
        if kind != "hold":
            stay = new_id("st")
            conn.execute(
                insert(core.stay).values(
                    id=stay,
                    person_id=person_id,
                    facility_id=place.facility_id,
                    state="active",
                    admitted_at=at - timedelta(hours=1),
                    version=1,
                    **common,
                )
            )
        claim_id = new_id("cl")
        conn.execute(
            insert(core.bed_claim).values(
                id=claim_id,
                bed_id=bed,
                room_id=place.room_id,
                unit_id=place.unit_id,
                facility_id=place.facility_id,
                person_id=person_id,
                kind=kind,
                during=Range(at - timedelta(hours=1), at + until if until else None, bounds="[)"),
                mix_key=key,
                emergency=False,
                stay_id=stay,
                occurred_at=at,
                **common,
            )
        )
        return claim_id

    return write(conn)


def promise(conn: Connection, bed: str, *, person_id: str = "p-2") -> str:
    """A live promise of the bed to a waiting person with papers; the request's id."""

    def write(conn: Connection) -> str:
        at: datetime = now(conn)
        person(conn, person_id)
        papers(conn, person_id)
        request = new_id("rq")
        conn.execute(
            insert(core.placement_request).values(
                id=request,
                person_id=person_id,
                state="waiting",
                emergency=False,
                waiting_since=at,
                requested_by="test",
                recorded_at=at,
                version=1,
            )
        )
        conn.execute(
            insert(core.bed_next).values(
                id=new_id("nx"),
                bed_id=bed,
                person_id=person_id,
                request_id=request,
                state="live",
                created_at=at,
                created_by="test",
            )
        )
        return request

    return write(conn)
