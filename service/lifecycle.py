"""The states things pass through, and the steps between them that are possible.

One table a kind. Whoever changes a state asks ``advance`` first; anything that is not in the
table is a conflict that names the present state, the asked one, the possible ones and what to do
next. Steps back that only a correction of the past may take stand in a table of their own.
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


class TermState(StrEnum):
    """Where somebody under a compulsory term is 期限; always exactly one of the six.

    ``in_detention``: in the hands of police or a court and in no bed of the network, before
    admission too.
    """

    IN_BED = "in_bed"
    ON_LEAVE = "on_leave"
    OUT_MEDICAL = "out_medical"
    ESCAPED = "escaped"
    IN_DETENTION = "in_detention"
    CLOSED = "closed"


class ApprovalKind(StrEnum):
    """What an organ approves 审批; which organ may is the approver table's (rule L10)."""

    WARD_MOVE = "ward_move"  # 转所外医疗专区
    CENTRE_MOVE = "centre_move"  # police centre to justice centre
    OUT_MEDICAL = "out_medical"  # 所外就医
    OUT_MEDICAL_FILING = "out_medical_filing"  # 报决定机关备案
    EARLY_RELEASE = "early_release"  # 提前解除
    EXTENSION = "extension"  # 延长期限
    CHANGE_TO_COMMUNITY = "change_to_community"  # 变更社区戒毒
    PROTECTIVE_RESTRAINT = "protective_restraint"  # 保护性约束
    VOLUNTARY_IN_CENTRE = "voluntary_in_centre"  # 公安机关同意自愿入所
    COMMUNITY_REHAB = "community_rehab"  # 责令社区康复


class RunState(StrEnum):
    """Where a planning run 规划 stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SOLVED = "solved"
    APPLIED = "applied"
    SUPERSEDED = "superseded"
    FAILED = "failed"


class RunTrigger(StrEnum):
    """What called for a planning run: a coordinator, or what happened in the network.

    In the order of urgency: of several things that happened the first counts.
    """

    ASKED = "asked"
    EMERGENCY = "emergency"
    CLOSURE = "closure"  # a bed or a unit out of service
    ISOLATION = "isolation"  # a need changed
    ARRIVAL = "arrival"
    DISCHARGE = "discharge"
    FACTS = "facts"  # papers, statements, stops


class RunOutcome(StrEnum):
    """Why a plan gave way to the one before it."""

    UNCHANGED = "unchanged"  # it proposed nothing new
    YIELDED = "yielded"  # somebody was deciding on the one before it


class WorkState(StrEnum):
    """How far an answer beside a plan is."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"


class ScenarioState(StrEnum):
    """Where a comparison of scenarios stands; nothing is ever applied of it."""

    QUEUED = "queued"
    RUNNING = "running"
    SOLVED = "solved"
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
    ScenarioState: {
        # One whose worker died is taken up again as it stands.
        ScenarioState.QUEUED: frozenset({ScenarioState.RUNNING, ScenarioState.FAILED}),
        ScenarioState.RUNNING: frozenset({ScenarioState.SOLVED, ScenarioState.FAILED}),
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

_P, _N = ProposalState, RunState
_NEW_REQUEST: Final = "submit a new request if the person needs a bed"
_NEW_TRANSFER: Final = "ask for a new transfer if one is still wanted"
_NEW_RUN: Final = "start a new planning run"

NEXT_ACTION: Final[Mapping[str, Mapping[StrEnum, str]]] = {
    "request": {
        _R.WAITING: "decide for a candidate, withdraw the request, or record the person's refusal "
        "or that there is no lawful bed",
        _R.HELD: "the receiving facility accepts the person or declines; or release the hold to "
        "decide for another bed, withdraw the request, or record the person's refusal",
        _R.ACCEPTED: "record the admission, or that the person did not arrive; or the receiving "
        "facility declines; or release the hold, withdraw the request, or record the person's "
        "refusal",
        _R.ADMITTED: "go on with the stay; cancel the admission if it was recorded in error",
        _R.NOT_ARRIVED: _NEW_REQUEST,
        _R.WITHDRAWN: _NEW_REQUEST,
        _R.REFUSED: "submit a new request if the person comes to want a bed",
        _R.NO_LAWFUL_BED: _NEW_REQUEST,
    },
    "transfer": {
        _T.PROPOSED: "approve or reject it, or cancel it",
        _T.APPROVED: "the receiving facility accepts the person or declines; or cancel the "
        "transfer",
        _T.ACCEPTED: "record the departure; or the receiving facility declines; or cancel the "
        "transfer",
        _T.IN_TRANSIT: "record the arrival, or the return to the origin bed",
        _T.COMPLETED: "go on with the stay; cancel the arrival if it was recorded in error",
        _T.REJECTED: _NEW_TRANSFER,
        _T.DECLINED: _NEW_TRANSFER,
        _T.CANCELLED: _NEW_TRANSFER,
        _T.SUPERSEDED: _NEW_TRANSFER,
        _T.EXPIRED: _NEW_TRANSFER,
        _T.TURNED_BACK: _NEW_TRANSFER,
        _T.DIVERTED: "go on with the leave or the stay the emergency began",
        _T.ESCAPED: _NEW_REQUEST,
        _T.DIED: "nothing more is recorded of it",
    },
    "stay": {
        _S.ACTIVE: "begin a leave, record that a discharge is due, or record the discharge; "
        "another bed takes a transfer",
        _S.ON_LEAVE: "record the return, or the discharge",
        _S.DISCHARGE_DUE: "record the discharge, or begin a leave; another bed takes a transfer",
        _S.ENDED: f"{_NEW_REQUEST}; cancel the discharge if it was recorded in error",
    },
    "bed": {
        _B.IN_SERVICE: "report it as housekeeping, contaminated, closing or closed",
        _B.HOUSEKEEPING: "report it as in service, contaminated, closing or closed",
        _B.CONTAMINATED: "report it as in service, housekeeping or closed",
        _B.CLOSING: "report it as in service or closed",
        _B.CLOSED: "report it as in service, housekeeping or contaminated",
    },
    "run": {
        _N.QUEUED: "wait until it is solved, or has failed",
        _N.RUNNING: "wait until it is solved, or has failed",
        _N.SOLVED: "approve or reject its proposals; a newer run supersedes it",
        _N.APPLIED: _NEW_RUN,
        _N.SUPERSEDED: "decide on the newest run's proposals",
        _N.FAILED: _NEW_RUN,
    },
    "scenario": {
        ScenarioState.QUEUED: "wait until it is solved, or has failed",
        ScenarioState.RUNNING: "wait until it is solved, or has failed",
        ScenarioState.SOLVED: "read its answers; ask again for those of a newer snapshot",
        ScenarioState.FAILED: "ask again",
    },
    "proposal": {
        _P.PROPOSED: "approve or reject it; a newer run supersedes it",
        _P.APPROVED: "go on with the transfer it made, or cancel that",
        _P.REJECTED: _NEW_RUN,
        _P.SUPERSEDED: "decide on the newest run's proposals",
    },
}
"""What whoever finds a thing in this state can do with it, in words."""

KINDS: Final[Mapping[str, type[StrEnum]]] = {
    "request": RequestState,
    "transfer": TransferState,
    "stay": StayState,
    "bed": BedState,
    "run": RunState,
    "scenario": ScenarioState,
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
        Conflict: ``illegal-step``, naming the present state and the asked one, what is possible
            and, in words, what to do next.
    """
    steps = possible(kind, present, correcting=correcting)
    if asked in steps:
        return asked
    words = NEXT_ACTION[kind][KINDS[kind](present)]
    raise Conflict(
        "illegal-step",
        f"a {kind} that is {present} cannot become {asked}; what can be done now: {words}",
        kind=kind,
        present=str(present),
        asked=str(asked),
        possible=[str(step) for step in steps],
        next=words,
    )
