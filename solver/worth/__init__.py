"""What one more bed of each kind, or one more staffed place in each unit, would buy.

Every figure is the difference of two plans: today's, and one made anew for the network with that
bed or place in it; no dual price is taken for an answer. Kinds of bed that the same people could
use buy the same and are tried once. A kind buys no more than one tried before that all its users
could use too, and no less than placing one of those left out: where the two meet, that is its
worth, and no plan of its own is made.

One more bed comes with the staff to look after whoever lies in it, in a room of its own, so that
the company of today's rooms decides nothing. One more staffed place makes an empty bed usable.
"""

from solver.worth.additions import with_one_more_bed, with_one_more_staffed
from solver.worth.answers import Bought, KindOfBed, MoreBed, MoreStaff, Worth
from solver.worth.sentences import worth_document, worth_lines
from solver.worth.trial import MOST_PLANS, WorseError, worth

__all__ = [
    "MOST_PLANS",
    "Bought",
    "KindOfBed",
    "MoreBed",
    "MoreStaff",
    "WorseError",
    "Worth",
    "with_one_more_bed",
    "with_one_more_staffed",
    "worth",
    "worth_document",
    "worth_lines",
]
