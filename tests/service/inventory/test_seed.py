"""The seeded city in rows is the synthetic city: nothing lost, nothing added, nothing readable."""

from dataclasses import replace
from datetime import UTC, timedelta

import pytest
from sqlalchemy import Connection, Engine, func, select

from service.access.caller import SYSTEM
from service.commands.seed import seed_city
from service.errors import Conflict
from service.policy import default_policy
from service.store.engine import now, run
from service.store.network import load_network
from service.store.tables import core
from service.workflow.context import Context
from service.workflow.seeds.seed import seed_network
from solver.codes import Tri
from solver.domain import Bed, Network
from solver.synthetic import city
from tests.service.inventory.places import context


@pytest.fixture
def ctx() -> Context:
    return context(SYSTEM)


def test_a_seeded_city_reads_back_as_the_network_that_was_drawn(engine: Engine, ctx: Context):
    drawn = city(7, 0.9, 200, 1, run(engine, now).replace(second=0, microsecond=0))
    run(engine, seed_network, ctx, drawn)
    with engine.connect() as conn:
        read = load_network(conn, default_policy(), now=drawn.now + timedelta(minutes=1))
    assert len(read.beds) == 4_000
    for part in ("facilities", "units", "rooms"):
        assert dict(getattr(read, part)) == dict(getattr(drawn, part)), part
    assert dict(read.beds) == _with_departures(drawn)
    assert _people(read) == _people(drawn)
    assert {_of_stay(it) for it in read.stays} == {_of_stay(it) for it in drawn.stays}
    assert {it.id: it for it in read.requests} == {it.id: it for it in drawn.requests}


def _with_departures(drawn: Network) -> dict[str, Bed]:
    """A bed with somebody in it is expected to be free when they are expected to leave."""
    leaves = {it.bed: it.expected_end for it in drawn.stays}
    return {
        id_: replace(it, expected_free=leaves[id_]) if id_ in leaves else it
        for id_, it in drawn.beds.items()
    }


def _people(network: Network) -> dict[str, object]:
    """Consents as a set: the rows have no order that means anything. Capacity is found of people
    who are asked for their consent."""
    return {
        id_: replace(
            it,
            consents=tuple(sorted(it.consents, key=repr)),
            capable=it.capable if it.consents else Tri.UNKNOWN,
        )
        for id_, it in network.persons.items()
    }


def _of_stay(it):
    return replace(
        it,
        since=it.since.astimezone(UTC),
        expected_end=it.expected_end.astimezone(UTC) if it.expected_end else None,
    )


def test_many_cities_are_seeded_portion_by_portion_with_one_event(engine: Engine, ctx: Context):
    done = seed_city(engine, ctx, seed=3, occupancy=0.05, waiting=2, cities=2)
    assert (done.facilities, done.beds, done.requests) == (24, 8_000, 4)
    with engine.connect() as conn:
        operations = conn.execute(select(core.event.c.operation)).scalars().all()
        claims = conn.execute(select(func.count()).select_from(core.bed_claim)).scalar_one()
    assert operations == ["network.seeded"]
    assert claims == done.stays


def test_a_database_with_anything_in_it_is_not_seeded(engine: Engine, ctx: Context):
    small = city(1, 0.0, 1)
    run(engine, seed_network, ctx, small)
    with engine.connect() as conn:
        before = _counts(conn)
    with pytest.raises(Conflict) as refused:
        seed_city(engine, ctx, seed=1, occupancy=0.5)
    assert refused.value.code == "database-not-empty"
    assert "make clean-data" in refused.value.detail
    with engine.connect() as conn:
        assert _counts(conn) == before


def _counts(conn: Connection) -> dict[str, int]:
    tables = (core.facility, core.bed, core.person, core.bed_claim, core.event)
    return {
        it.name: conn.execute(select(func.count()).select_from(it)).scalar_one() for it in tables
    }


def test_identities_are_made_up_and_encrypted_and_unit_names_tell_nothing(
    engine: Engine, ctx: Context
):
    run(engine, seed_network, ctx, city(5, 0.02, 3))
    with engine.connect() as conn:
        people = conn.execute(select(core.person)).mappings().all()
        units = conn.execute(select(core.unit.c.name)).scalars().all()
        phones = conn.execute(select(core.facility.c.duty_phone)).scalars().all()
    assert people
    for row in people:
        assert "虚构".encode() not in row["identity"]
        opened = ctx.vault.open_text(row["identity"], f"person.identity {row['id']}")
        assert "虚构" in opened
        assert ctx.vault.blind_index(f"SYN{row['id'][2:].upper()}") == row["document_index"]
    for unit in units:
        assert not any(word in unit for word in ("病残", "传染", "艾滋", "结核", "精神"))
    assert all(phones)
