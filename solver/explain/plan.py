"""Every "why" of one plan."""

from solver.domain import Network, Plan
from solver.explain.afterwards import Afterwards
from solver.explain.answers import Explanations
from solver.explain.judged import Judge
from solver.explain.placed import Chosen
from solver.explain.removed import Counts


def explain_plan(network: Network, plan: Plan) -> Explanations:
    """Why each person the plan moves gets this bed, why each request without a bed has none, and
    why residents stay in a place that is not fit.

    Everything is recounted from the network; the plan's own figures are not read. The plan must
    be one ``check.violations`` finds clean. Raises: KeyError for an id the network does not have.
    Takes about a millisecond a person, whatever the size of the network.
    """
    after = Afterwards(network, plan)
    judge = Judge(after)
    chosen, counts = Chosen(after, judge), Counts(after, judge)
    placed = {move.request for move in plan.moves}
    waiting = [it for it in network.requests if it.id not in placed]
    here = [it for it in network.stays if not it.on_leave and it.person not in after.move_of]
    left = (counts.left(it) for it in sorted(here, key=lambda it: it.person))
    return Explanations(
        placed=tuple(chosen.explain(it) for it in plan.moves),
        unplaced=tuple(
            counts.unplaced(it) for it in sorted(waiting, key=lambda it: (it.since, it.id))
        ),
        left=tuple(it for it in left if it is not None),
    )
