"""Claims on beds and promises of beds: all SQL on ``bed_claim`` and ``bed_next``.

``rows`` writes and weighs claims, ``keys`` says who may share a room, ``promises`` turns a bed
that somebody still uses into somebody else's next.
"""

from service.store.claims.keys import Rekeyed, isolated, key_of, rekey
from service.store.claims.promises import Promise, people_promised, promote_next
from service.store.claims.rows import Claim

__all__ = [
    "Claim",
    "Promise",
    "Rekeyed",
    "isolated",
    "key_of",
    "people_promised",
    "promote_next",
    "rekey",
]
