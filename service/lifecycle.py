"""The states things pass through, and the steps between them that are possible.

One table a kind. Whoever changes a state asks ``advance`` first; anything that is not in the
table is a conflict that names the present state, the asked one and the possible ones. Steps back
that only a correction of the past may take stand in a table of their own.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

from service.errors import Conflict
from solver.codes import BedState

State = TypeVar("State", bound=StrEnum)


class RequestState(StrEnum):
    """Where a placement request 收治申请 stands."""

    WAITING = "waiting"
    HELD = "held"
    ACCEPTED = "accepted"
    ADMITTED = "admitted"
    NOT_ARRIVED = "not_arrived"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"  # by the person: triggers nothing
    NO_LAWFUL_BED = "no_lawful_bed"


class TransferState(StrEnum):
    """Where a transfer 转院/转所 stands; the origin bed is kept until arrival."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    ACCEPTED = "accepted"
    IN_TRANSIT = "in_transit"
    COMPLETED = "completed"
    REJECTED = "rejected"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    TURNED_BACK = "turned_back"
    DIVERTED = "diverted"
    ESCAPED = "escaped"
    DIED = "died"


class StayState(StrEnum):
    """Where an episode at a facility stands."""

    ACTIVE = "active"
    ON_LEAVE = "on_leave"
    DISCHARGE_DUE = "discharge_due"
    ENDED = "ended"


class RunState(StrEnum):
    """Where a planning run 规划 stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SOLVED = "solved"
    APPLIED = "applied"
    SUPERSEDED = "superseded"
    FAILED = "failed"


class ProposalState(StrEnum):
    """What a named human said of one proposed move."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


LIVE_REQUEST_STATES: Final = (RequestState.WAITING, RequestState.HELD, RequestState.ACCEPTED)

LIVE_TRANSFER_STATES: Final = (
    TransferState.PROPOSED,
    TransferState.APPROVED,
    TransferState.ACCEPTED,
    TransferState.IN_TRANSIT,
)

_R, _T, _S, _B = RequestState, TransferState, StayState, BedState

STEPS: Final[Mapping[type[StrEnum], Mapping[StrEnum, frozenset[StrEnum]]]] = {
    RequestState: {
        _R.WAITING: frozenset({_R.HELD, _R.WITHDRAWN, _R.REFUSED, _R.NO_LAWFUL_BED}),
        # Back to waiting: declined, released or lapsed.
        _R.HELD: frozenset({_R.ACCEPTED, _R.WAITING, _R.WITHDRAWN, _R.REFUSED}),
        _R.ACCEPTED: frozenset({_R.ADMITTED, _R.WAITING, _R.NOT_ARRIVED, _R.WITHDRAWN, _R.REFUSED}),
    },
    TransferState: {
        _T.PROPOSED: frozenset(
            {_T.APPROVED, _T.REJECTED, _T.CANCELLED, _T.SUPERSEDED, _T.EXPIRED, _T.ESCAPED, _T.DIED}
        ),
        _T.APPROVED: frozenset(
            {_T.ACCEPTED, _T.DECLINED, _T.CANCELLED, _T.SUPERSEDED, _T.EXPIRED, _T.ESCAPED, _T.DIED}
        ),
        _T.ACCEPTED: frozenset(
            {
                _T.IN_TRANSIT,
                _T.DECLINED,
                _T.CANCELLED,
                _T.SUPERSEDED,
                _T.EXPIRED,
                _T.ESCAPED,
                _T.DIED,
            }
        ),
        _T.IN_TRANSIT: frozenset({_T.COMPLETED, _T.TURNED_BACK, _T.DIVERTED, _T.ESCAPED, _T.DIED}),
    },
    StayState: {
        _S.ACTIVE: frozenset({_S.ON_LEAVE, _S.DISCHARGE_DUE, _S.ENDED}),
        _S.ON_LEAVE: frozenset({_S.ACTIVE, _S.ENDED}),
        _S.DISCHARGE_DUE: frozenset({_S.ACTIVE, _S.ON_LEAVE, _S.ENDED}),
    },
    BedState: {
        _B.IN_SERVICE: frozenset({_B.HOUSEKEEPING, _B.CONTAMINATED, _B.CLOSING, _B.CLOSED}),
        _B.HOUSEKEEPING: frozenset({_B.IN_SERVICE, _B.CONTAMINATED, _B.CLOSING, _B.CLOSED}),
        _B.CONTAMINATED: frozenset({_B.IN_SERVICE, _B.HOUSEKEEPING, _B.CLOSED}),
        _B.CLOSING: frozenset({_B.IN_SERVICE, _B.CLOSED}),
        _B.CLOSED: frozenset({_B.IN_SERVICE, _B.HOUSEKEEPING, _B.CONTAMINATED}),
    },
    RunState: {
        # A run whose worker died is queued again.
        RunState.QUEUED: frozenset({RunState.RUNNING, RunState.FAILED}),
        RunState.RUNNING: frozenset({RunState.SOLVED, RunState.FAILED, RunState.QUEUED}),
        RunState.SOLVED: frozenset({RunState.APPLIED, RunState.SUPERSEDED}),
    },
    ProposalState: {
        ProposalState.PROPOSED: frozenset(
            {ProposalState.APPROVED, ProposalState.REJECTED, ProposalState.SUPERSEDED}
        ),
    },
}

CORRECTIONS: Final[Mapping[type[StrEnum], Mapping[StrEnum, frozenset[StrEnum]]]] = {
    RequestState: {_R.ADMITTED: frozenset({_R.WAITING, _R.WITHDRAWN})},
    TransferState: {_T.COMPLETED: frozenset({_T.CANCELLED})},
    StayState: {_S.ENDED: frozenset({_S.ACTIVE, _S.ON_LEAVE})},
    # Whoever left it did not leave: it is closed only once they do.
    BedState: {_B.CLOSED: frozenset({_B.CLOSING})},
}

KINDS: Final[Mapping[str, type[StrEnum]]] = {
    "request": RequestState,
    "transfer": TransferState,
    "stay": StayState,
    "bed": BedState,
    "run": RunState,
    "proposal": ProposalState,
}


def possible(kind: str, state: str, *, correcting: bool = False) -> tuple[StrEnum, ...]:
    """The states that may follow this one, in alphabetical order; none for a final state.

    ``kind`` is a key of ``KINDS``. Raises ValueError for a state that the kind does not have.
    """
    states = KINDS[kind]
    tables = CORRECTIONS if correcting else STEPS
    return tuple(sorted(tables.get(states, {}).get(states(state), frozenset())))


def advance(kind: str, present: str, asked: State, *, correcting: bool = False) -> State:
    """Return ``asked`` if a ``kind`` that is ``present`` may become it.

    ``correcting``: look in the table of corrections of the past instead.

    Raises:
        Conflict: ``illegal-step``, naming the present state, the asked one and what is possible.
    """
    steps = possible(kind, present, correcting=correcting)
    if asked in steps:
        return asked
    ways = ", ".join(steps) if steps else "nothing, this is a final state"
    raise Conflict(
        "illegal-step",
        f"a {kind} that is {present} cannot become {asked}; from here it can become: {ways}",
        kind=kind,
        present=str(present),
        asked=str(asked),
        possible=[str(step) for step in steps],
    )
