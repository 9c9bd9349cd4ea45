"""A hospital of consensual beds and somebody treated there, on a database emptied each time."""

from __future__ import annotations

import pytest

from service.workflow.views import StayView
from solver.codes import LegalBasis, UnitKind
from tests.service.consent.words import Agreed
from tests.service.workflow.conftest import shared_engine, soon, world
from tests.service.workflow.world import World

__all__ = ["shared_engine", "soon", "world"]


@pytest.fixture
def ward(world: World) -> list[str]:
    """Three beds of a hospital's consensual ward."""
    bases = (LegalBasis.CONSTRAINED, LegalBasis.VOLUNTARY, LegalBasis.INVOLUNTARY_PSYCHIATRIC)
    return world.unit("hosp-1.w1", rooms=(1, 1, 1), kind=UnitKind.CTH, bases=bases)


@pytest.fixture
def patient(world: World, ward: list[str]) -> Agreed:
    """Somebody admitted there on their own and their family's consent."""
    person = world.person(basis=LegalBasis.CONSTRAINED)
    own, family = world.consents(person, UnitKind.CTH)
    stay: StayView = world.admitted(ward[0], person)
    return Agreed(person, stay.id, own, family)
