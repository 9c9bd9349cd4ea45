"""What one more bed or staffed place buys, as figures."""

from dataclasses import dataclass

from solver.codes import BedKind, Grade, Isolation, Sex, UnitKind, Zone
from solver.eligibility import Place


@dataclass(frozen=True, slots=True)
class Bought:
    """What the addition changes; more is better. ``levels``: how far levels 0 and 1 fall.
    ``placed``: how many more requests get a bed, by grade G0 to G5; a graver one may come in a
    lighter one's stead. ``righted``: how many more residents leave a place that is not fit."""

    levels: tuple[int, int] = (0, 0)
    placed: tuple[int, ...] = (0,) * len(Grade)
    righted: int = 0


@dataclass(frozen=True, slots=True)
class KindOfBed:
    """A bed as the rules see it, without the unit it stands in."""

    unit_kind: UnitKind
    zone: Zone
    bed_kind: BedKind
    features: tuple[BedKind, ...]
    sexes: tuple[Sex, ...]
    isolation: Isolation
    level_of_care: Grade
    minors_only: bool
    single: bool


@dataclass(frozen=True, slots=True)
class MoreBed:
    """One more bed. ``kinds``: the kinds that the same people could use; ``units``: where such
    beds stand today; ``tried_in``: where it was added, None where plans made for others settle
    what it buys."""

    kinds: tuple[KindOfBed, ...]
    units: tuple[str, ...]
    tried_in: str | None
    bought: Bought
    proven: bool


@dataclass(frozen=True, slots=True)
class MoreStaff:
    """One more person the unit's staff could look after."""

    unit: str
    unit_kind: UnitKind
    bought: Bought
    proven: bool


@dataclass(frozen=True, slots=True)
class Worth:
    """Best first, ties by unit. ``levels``: today's plan at levels 0 and 1; ``unplaced``: its
    requests without a bed, by grade. ``proven``: whether today's two levels are. ``plans``: how
    many were made; ``untried``: how many additions were left out for ``MOST_PLANS``."""

    levels: tuple[int, int]
    unplaced: tuple[int, ...]
    proven: bool
    beds: tuple[MoreBed, ...]
    staff: tuple[MoreStaff, ...]
    plans: int
    untried: int = 0

    @property
    def additions(self) -> tuple[MoreBed | MoreStaff, ...]:
        """The beds, then the staff."""
        return (*self.beds, *self.staff)


def kind_of_bed(here: Place) -> KindOfBed:
    """The place without its unit."""
    return KindOfBed(
        here.kind,
        here.zone,
        here.bed_kind,
        tuple(sorted(here.provides - {here.bed_kind})),
        tuple(sorted(here.sexes)),
        here.isolation,
        here.level_of_care,
        here.minors_only,
        here.single,
    )
