"""The HL7 v2 bed status letter, derived; never stored, since it mixes two facts in one code."""

from enum import StrEnum

from solver.codes import BedState


class BedLetter(StrEnum):
    """HL7 table 0116 (terminology.hl7.org/CodeSystem/v2-0116), the complete table."""

    CLOSED = "C"
    HOUSEKEEPING = "H"
    ISOLATED = "I"
    CONTAMINATED = "K"
    OCCUPIED = "O"
    UNOCCUPIED = "U"


def bed_letter(
    state: BedState, *, occupied: bool, isolated: bool = False, out_of_service: bool = False
) -> BedLetter:
    """The letter of a bed; the first that fits, in this order.

    ``O`` somebody's stay or leave is on it, or ``I`` if that person's care isolates the bed;
    ``C`` closed, or in an open out-of-service period; ``K`` contaminated; ``H`` housekeeping;
    ``I`` empty and kept empty by an isolation in its room; else ``U``. A bed on hold or promised
    is still ``U``: the table has no letter for that. A closing bed without its person is closed.
    """
    if occupied:
        return BedLetter.ISOLATED if isolated else BedLetter.OCCUPIED
    if out_of_service or state in (BedState.CLOSED, BedState.CLOSING):
        return BedLetter.CLOSED
    if state is BedState.CONTAMINATED:
        return BedLetter.CONTAMINATED
    if state is BedState.HOUSEKEEPING:
        return BedLetter.HOUSEKEEPING
    return BedLetter.ISOLATED if isolated else BedLetter.UNOCCUPIED
