"""Keys: a clinician's may name their hospital; no other role of the whole network has a place."""

from __future__ import annotations

import pytest

from service.access.caller import Role
from service.errors import Invalid
from service.workflow.keys import create_key, list_keys


def test_a_clinicians_key_may_name_a_hospital_or_none(world, ward):
    world.do(create_key, name="Dr Chen", role=Role.CLINICIAN, facility="hosp-1")
    world.do(create_key, name="Dr Gao", role=Role.CLINICIAN)
    assert sorted((it.name, it.facility) for it in world.do(list_keys)) == [
        ("Dr Chen", "hosp-1"),
        ("Dr Gao", None),
    ]


@pytest.mark.parametrize(
    ("role", "facility", "code"),
    [
        (Role.CLINICIAN, "hosp-9", "unknown-facility"),
        (Role.COORDINATOR, "hosp-1", "facility-out-of-place"),
        (Role.INTAKE_OFFICER, "hosp-1", "facility-out-of-place"),
        (Role.FACILITY_ADMIN, None, "facility-missing"),
    ],
)
def test_a_place_that_does_not_fit_the_role_is_refused(world, ward, role, facility, code):
    with world.refuses(Invalid, code):
        world.do(create_key, name="x", role=role, facility=facility)
