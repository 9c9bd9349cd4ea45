"""The linear program of a level, solved over few columns and proven over all.

A city has 100,000 columns and a plan uses a few hundred. The program is solved over the opened
ones; its prices then judge every other column. One that would pay is opened and the program solved
again; when none would, the prices prove the bound for the whole model. Residents nobody looks at
cost nothing to judge: their own row has one column, so its price is read off. A room people live
in is judged as a whole: another use must pay for everybody it sends away.
"""

from dataclasses import dataclass

import numpy as np

from solver.planning.engine import TOLERANCE, Flags, Floats, Ints, solve
from solver.planning.face import Face, first_of_each, open_block
from solver.planning.model import SLOT_ARC, THROUGH_ARC

PAYS = 1e-5
"""How much a column must pay to be opened; less is the solver's own noise."""
_ROUNDS = 60
_ARCS_EACH = 4
_AT_ONCE = 1_500
_BLOCKS_AT_ONCE = 40
_NEVER = 1e12


@dataclass(frozen=True)
class Relaxed:
    """A solved linear program: the point (None: stopped before there was one), a proven bound
    over every column of the face, reduced costs of all columns, prices of the side rows."""

    x: Floats | None
    bound: float
    reduced: Floats
    row_prices: Floats
    timed_out: bool = False
    infeasible: bool = False


@dataclass(frozen=True)
class _Prices:
    """What every column would pay. ``short``: how far the bound may lie below the program's."""

    reduced: Floats
    arcs: Ints
    blocks: Ints
    short: float


def relax(face: Face, cost: Floats, *, seed: int, seconds: float) -> Relaxed:
    """Solve the level's linear program over all columns of the face."""
    model = face.model
    rows = len(face.rows)
    bound, nothing = -np.inf, np.zeros(model.columns)
    for turn in range(_ROUNDS):
        part = face.part(cost)
        answer = solve(part.program, part.cost, seed=seed, seconds=seconds)
        if answer.x is None or answer.reduced is None or answer.dual is None:
            return Relaxed(
                None, bound, nothing, np.zeros(rows), answer.timed_out, answer.infeasible
            )
        dual = np.zeros(len(model.matrix[3]))
        dual[part.rows] = answer.dual[: len(part.rows)]
        side = answer.dual[len(part.rows) :]
        prices = _price(face, cost, dual, side, part.rows)
        bound = max(bound, answer.bound + part.settled - prices.short)
        if turn == _ROUNDS - 1 or not (len(prices.arcs) or len(prices.blocks)):
            reduced = prices.reduced
            reduced[part.columns] = answer.reduced[: len(part.columns)]
            return Relaxed(face.whole(part, answer.x), bound, reduced, side)
        open_columns(face, prices.arcs, prices.blocks)
    raise AssertionError("the last turn returns")


def open_columns(face: Face, arcs: Ints, blocks: Ints) -> None:
    """Look at these arcs and rooms from now on."""
    model = face.model
    inside = model.block_of_class[model.owner[arcs]]
    for number in np.unique(np.concatenate([blocks, inside[inside >= 0]])):
        block = model.blocks[number]
        open_block(face, block.first, block.uses, block.classes, block.stays)
    face.opened[arcs] = True
    face.opened[model.present_arc[np.unique(model.owner[arcs])]] = True


def _price(face: Face, cost: Floats, dual: Floats, side: Floats, kept: Ints) -> _Prices:
    """Reduced costs of every column, and the closed ones that would pay."""
    model = face.model
    arcs, classes, nodes = model.arcs, len(model.classes), len(model.supply) - 1
    charged = cost.copy()
    for row, price in zip(face.rows, side, strict=True):
        charged[row.column] -= price * row.coefficient
    z = dual[nodes : nodes + len(model.coupled)]
    node = np.append(dual[:nodes], 0.0)
    coupled = np.append(z, 0.0)[model.coupling_of]
    q = charged[:arcs] + node[model.head] - coupled
    reduced = np.zeros(model.columns)
    reduced[:arcs] = q - node[model.tail]
    slack = arcs + model.uses
    reduced[slack:] = -z

    allowed = face.lower < face.upper
    seen = np.zeros(nodes, dtype=np.bool_)
    seen[kept[kept < nodes]] = True
    owner = np.where(model.owner >= 0, model.owner, classes)
    watched = np.append(seen[:classes], True)[owner]
    stay = np.append(q[model.present_arc], 0.0)
    moves = (model.meaning == SLOT_ARC) & allowed[:arcs]
    single = moves & ~watched & (np.append(model.block_of_class, -1)[owner] < 0)
    reduced[:arcs][~watched] = 0.0
    reduced[:arcs][single] = q[single] - stay[owner[single]]
    many = model.upper.astype(np.float64)

    hidden = ~face.opened[:arcs] & allowed[:arcs]
    paying = hidden & (reduced[:arcs] < -PAYS) & (watched | single) & (model.meaning == SLOT_ARC)
    found = _best(np.flatnonzero(paying), reduced, owner)
    least = np.zeros(classes + 1)
    np.minimum.at(least, owner[paying], (reduced[:arcs] * many)[paying])
    short = -float(least.sum())

    blocks, missing = _price_blocks(face, q, z, moves, reduced)
    return _Prices(reduced, found, blocks, short + missing)


def _best(paying: Ints, reduced: Floats, owner: Ints) -> Ints:
    """Of the arcs that pay, each class's best few, the best of all first."""
    order = paying[np.lexsort((paying, reduced[paying], owner[paying]))]
    few = first_of_each(order, owner, _ARCS_EACH)
    return few[np.lexsort((few, reduced[few]))][:_AT_ONCE]


def _price_blocks(
    face: Face, q: Floats, z: Floats, moves: Flags, reduced: Floats
) -> tuple[Ints, float]:
    """The closed rooms that would pay for another use, the best first, and by how much the bound
    falls short for all of them; fills in the reduced costs of the others' columns.

    A resident's price ``y`` may be anything from what staying costs to their best move: in a room
    where another use pays before those it sends away are paid for, it is their best move, and
    they are bound to stay while the room is used as it is.
    """
    model, pairs = face.model, face.model.residents
    arcs, first_slack = model.arcs, model.arcs + model.uses
    closed = ~face.opened[arcs + pairs.first]
    if not pairs.first.size or not closed.any():
        return np.zeros(0, dtype=np.int64), 0.0
    best_move = np.full(len(model.classes), _NEVER)
    np.minimum.at(best_move, model.owner[:arcs][moves], q[moves])
    coupling, use, much = model.lending
    through = model.meaning[model.coupled[coupling]] == THROUGH_ARC
    lent = np.bincount(use[through], weights=(much * z[coupling])[through], minlength=model.uses)
    here = pairs.arc >= 0
    staying = np.where(here, q[pairs.arc], _NEVER)
    now = q[model.present_arc][pairs.who]
    slack = first_slack + model.coupling_of[pairs.arc]
    bound_to = here & (face.upper[slack] <= TOLERANCE)
    many = model.upper[model.present_arc][pairs.who].astype(np.float64)
    block_of_use = model.block_of_use
    usable = face.upper[arcs : arcs + model.uses] > 0

    def gains(price: Floats) -> Floats:
        """What each use costs more than the present one, a resident's staying or going priced."""
        each = np.where(bound_to, staying, np.minimum(staying, price)) - now
        more = lent.astype(np.float64)
        np.add.at(more, pairs.use, many * each)
        more -= np.append(lent[pairs.first], 0.0)[block_of_use]
        more[~usable | (block_of_use < 0)] = _NEVER
        return more

    going = best_move[pairs.who]
    dearest = gains(going)
    worst = np.full(len(model.blocks), _NEVER)
    inside = np.flatnonzero(block_of_use >= 0)
    np.minimum.at(worst, block_of_use[inside], dearest[inside])
    paying = np.flatnonzero(closed & (worst < -PAYS))
    short = -float(worst[paying].sum())

    # Where no other use pays even if those it sends away cost nothing, staying is the price.
    free = gains(np.minimum(now, going))
    least = np.full(len(model.blocks), _NEVER)
    others = inside[~np.isin(inside, pairs.first)]
    np.minimum.at(least, block_of_use[others], free[others])
    calm = least >= 0
    price = np.where(calm[pairs.block], np.minimum(now, going), going)
    settled = closed & (worst >= -PAYS)
    uses = inside[settled[block_of_use[inside]]]
    reduced[arcs + uses] = np.where(calm[block_of_use[uses]], free[uses], dearest[uses])
    reduced[arcs + pairs.first[settled]] = 0.0
    mine = settled[pairs.block] & here
    reduced[pairs.arc[mine]] = np.maximum(0.0, staying - price)[mine]
    reduced[slack[mine]] = np.maximum(0.0, price - staying)[mine]
    price_of = np.full(len(model.classes), np.nan)
    price_of[pairs.who[settled[pairs.block]]] = price[settled[pairs.block]]
    theirs = np.flatnonzero(moves)
    theirs = theirs[~np.isnan(price_of[model.owner[theirs]])]
    reduced[theirs] = q[theirs] - price_of[model.owner[theirs]]
    return paying[np.lexsort((paying, worst[paying]))][:_BLOCKS_AT_ONCE], short
