"""``GET /problems/{code}``: what each ``type`` of problem means, in Chinese and English.

The texts are in ``problems.toml``, which can be reviewed without Python. Open to everybody: they
say nothing about anybody.
"""

import tomllib
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from pydantic import BaseModel

from service.errors import NotFound

TEXTS: Final = Path(__file__).with_name("problems.toml")

router = APIRouter(tags=["operation"], generate_unique_id_function=lambda route: route.name)


class ProblemText(BaseModel):
    """What a problem means and what to do about it."""

    code: str
    zh: str
    en: str


def load_texts() -> dict[str, ProblemText]:
    """The texts by code."""
    raw = tomllib.loads(TEXTS.read_text(encoding="utf-8"))
    return {code: ProblemText(code=code, **text) for code, text in raw.items()}


_TEXTS: Final = load_texts()


@router.get("/problems/{code}")
async def explain_problem(code: str) -> ProblemText:
    """What a problem's ``type`` means and what to do about it."""
    text = _TEXTS.get(code)
    if text is None:
        raise NotFound("no-such-problem", "no problem has this code; /problems lists them all")
    return text


@router.get("/problems")
async def list_problems() -> list[ProblemText]:
    """Every problem this service may answer with."""
    return list(_TEXTS.values())
