"""Where an example begins: steps far into the lifecycles, where steps at random seldom get."""

from __future__ import annotations

ADMITTED = ("submit", "decide", "accept", "admit")
TREATED = ("submit patient", "decide", "accept", "admit")
SCENES: dict[str, tuple[str, ...]] = {
    "nobody is placed": (),
    "somebody is admitted": ADMITTED,
    "somebody is on leave": (*ADMITTED, "leave"),
    "somebody is back": (*ADMITTED, "leave", "return"),
    "somebody has left": (*ADMITTED, "discharge"),
    "somebody never left, nor ever came": (
        *ADMITTED,
        *("discharge", "cancel discharge", "cancel admission"),
    ),
    "somebody is on the way": (*ADMITTED, "ask for transfer", *["go on"] * 3),
    "somebody has arrived": (*ADMITTED, "ask for transfer", *["go on"] * 4),
    "a patient took their word back": ("patient", *TREATED, "take back"),
    "a patient agreed again": ("patient", *TREATED, "take back", "agree"),
    "somebody was rescued": (*ADMITTED, "rescue"),
    "somebody is back from the hospital": (*ADMITTED, "rescue", "discharge", "return"),
    "somebody on the way was rescued": (*ADMITTED, "ask for transfer", *["go on"] * 3, "rescue"),
    "somebody escaped and was found": (*ADMITTED, "escape", "found"),
    "somebody was let go": (*ADMITTED, "let go"),
    "two records are one person's": (*ADMITTED, "unnamed", "merge"),
}
