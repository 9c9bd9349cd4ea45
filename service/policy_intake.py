"""The part of the policy for intake and offers: the screening, the queue, who is alarmed when.

Loaded and versioned with the rest (``service.policy``).
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from solver.codes import Tri

Minutes = Annotated[int, Field(gt=0, le=60 * 24 * 30)]


class Strict(BaseModel):
    """Read once, changed never; a field nobody knows is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Awake = Literal["alert", "drowsy", "confused", "unresponsive", "unknown"]
LastTaken = Literal["never", "over_72h", "within_72h", "within_24h", "unknown"]
ByGrade = Annotated[list[Minutes], Field(min_length=6, max_length=6)]


class Offers(Strict):
    """How soon an offer must be answered and a request placed, by grade G0 to G5, and whom to
    ring when it is not."""

    on_call_phone: Annotated[str, Field(min_length=3, max_length=40)]
    answer_minutes: ByGrade
    alarm_minutes: ByGrade
    most_fallbacks: Annotated[int, Field(ge=0, le=20)]

    @model_validator(mode="after")
    def _graver_is_sooner(self) -> Self:
        for name in ("answer_minutes", "alarm_minutes"):
            minutes: list[int] = getattr(self, name)
            if sorted(minutes, reverse=True) != minutes:
                raise ValueError(f"{name} must not rise from G0 to G5")
        return self


class Queue(Strict):
    """How much longer somebody of the same grade must have waited not to be passed over."""

    margin_minutes: Annotated[int, Field(ge=0, le=60 * 24 * 30)]


class ScreeningAnswers(Strict):
    """Answers to the five questions of a screening; a question left out is not looked at."""

    consciousness: frozenset[Awake] = frozenset()
    bleeding: frozenset[Tri] = frozenset()
    cough_or_fever: frozenset[Tri] = frozenset()
    self_harm: frozenset[Tri] = frozenset()
    last_alcohol_or_sedative: frozenset[LastTaken] = frozenset()

    def named(self) -> dict[str, frozenset[str]]:
        """The questions looked at and the answers meant."""
        return {name: codes for name in type(self).model_fields if (codes := getattr(self, name))}


class ScreeningRules(Strict):
    """What an officer's screening comes to.

    ``red_flags``: each is met when every question it names has one of its answers; one opens the
    emergency lane. ``caution``: met when any question has one of its answers.
    """

    red_flags: Annotated[list[ScreeningAnswers], Field(min_length=1)]
    caution: ScreeningAnswers

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not all(flag.named() for flag in self.red_flags):
            raise ValueError("each of red_flags must name a question and its answers")
        unasked = [
            name
            for name in ScreeningAnswers.model_fields
            if "unknown" not in getattr(self.caution, name)
        ]
        if unasked:
            raise ValueError(f"caution must count 'unknown' for {', '.join(unasked)}")
        return self
