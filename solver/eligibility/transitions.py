"""Between which kinds of unit a resident may be moved at all (the transitions table of the law).

Anything else, from a consensual stay into custody above all, needs a new legal basis of its own
and is a placement, not a move.
"""

from solver.codes import UnitKind

_ALLOWED = frozenset(
    {
        (UnitKind.PSC, UnitKind.JSC),  # Regulations art. 27
        (UnitKind.PSC, UnitKind.OMW),
        (UnitKind.JSC, UnitKind.OMW),
        (UnitKind.OMW, UnitKind.PSC),  # with a doctor's fitness statement
        (UnitKind.OMW, UnitKind.JSC),
    }
)
_BACK_FROM_HOSPITAL = frozenset({UnitKind.SEC, UnitKind.AKH, UnitKind.EXT})


def transition_allowed(from_kind: UnitKind, to_kind: UnitKind) -> bool:
    """Whether a move between these kinds of unit can be a transfer within one legal status.

    Within one kind always; back from a hospital that took somebody in (rule X03) to any kind of
    the network, where the other rules decide; never into a hospital outside the network.
    """
    if to_kind is UnitKind.EXT:
        return False
    return (
        from_kind is to_kind or from_kind in _BACK_FROM_HOSPITAL or (from_kind, to_kind) in _ALLOWED
    )
