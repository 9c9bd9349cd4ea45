"""Why this bed, why none, and the words for every code the decision core speaks.

``explain_plan`` answers for a whole plan, in codes and figures; ``answer_lines`` says an answer in
Chinese or English, ``explanations_document`` writes all of them as JSON. What an explanation may
say is bound: nothing of another resident, and nothing that teaches anybody to change a clinical
finding, a consent or a legal ground.
"""

from solver.explain.answers import (
    Amount,
    Cause,
    Decided,
    Difference,
    Expected,
    Explanations,
    Nature,
    NotPlaced,
    OtherBed,
    Placed,
    Removed,
)
from solver.explain.broken import violation_words
from solver.explain.document import answer_document, explanations_document
from solver.explain.plan import explain_plan
from solver.explain.sentences import answer_lines, removed_title, removed_words
from solver.explain.words import (
    approver_words,
    cause_words,
    move_words,
    reason_words,
    relation_words,
    term_words,
    unplaced_words,
)

__all__ = [
    "Amount",
    "Cause",
    "Decided",
    "Difference",
    "Expected",
    "Explanations",
    "Nature",
    "NotPlaced",
    "OtherBed",
    "Placed",
    "Removed",
    "answer_document",
    "answer_lines",
    "approver_words",
    "cause_words",
    "explain_plan",
    "explanations_document",
    "move_words",
    "reason_words",
    "relation_words",
    "removed_title",
    "removed_words",
    "term_words",
    "unplaced_words",
    "violation_words",
]
