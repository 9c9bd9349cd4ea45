"""The scenes of the tour, one a module, in the order of the night; each plays by itself."""

from collections.abc import Callable
from typing import Final

from service.commands.tour.night import Night
from service.commands.tour.scenes.agreed import agreed
from service.commands.tour.scenes.evacuation import evacuation
from service.commands.tour.scenes.full_ward import full_ward
from service.commands.tour.scenes.leg_ulcer import leg_ulcer
from service.commands.tour.scenes.pregnancy import pregnancy
from service.commands.tour.scenes.relapse import relapse
from service.commands.tour.scenes.screening import night_screening
from service.commands.tour.scenes.swallowed import swallowed
from service.commands.tour.scenes.withdrawal import withdrawal

SCENES: Final[tuple[Callable[[Night], object], ...]] = (
    night_screening,
    leg_ulcer,
    agreed,
    relapse,
    pregnancy,
    swallowed,
    withdrawal,
    evacuation,
    full_ward,
)
"""Every scene, played one after another by the command."""
