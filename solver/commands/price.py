"""``price``: what a plan costs and breaks, also one written by hand; exit status 0 if nothing."""

import json
from argparse import Namespace, _SubParsersAction
from pathlib import Path
from typing import TYPE_CHECKING

from solver.commands.files import read_network, read_text
from solver.commands.outcome import CLEAN, DIRTY, violation_lines
from solver.cost import LEVELS, level_of
from solver.explain import term_words
from solver.hand_plans import hand_plan_from_json
from solver.pricing import Priced, price_plan, priced_document

if TYPE_CHECKING:
    from argparse import ArgumentParser


def add(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Declare ``price`` and its arguments."""
    parser = commands.add_parser("price", help="price a plan, also one edited by hand")
    parser.add_argument("network", type=Path, metavar="NETWORK.json")
    parser.add_argument("plan", type=Path, metavar="PLAN.json", help="moves are enough")
    parser.add_argument("--lang", choices=("zh", "en"), default="en")
    parser.add_argument("--out", type=Path, metavar="PRICE.json", help="the price as JSON")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Read both, print every cost, every violation and every figure that is not the stated one."""
    network = read_network(args.network)
    priced = price_plan(network, hand_plan_from_json(read_text(args.plan), network))
    if args.out is not None:
        text = json.dumps(priced_document(priced), ensure_ascii=False, sort_keys=True, indent=1)
        args.out.write_text(text + "\n", encoding="utf-8")
    for line in _lines(priced, args.lang):
        print(line)
    return DIRTY if priced.violations else CLEAN


def _lines(priced: Priced, language: str) -> list[str]:
    lines = []
    for level in range(LEVELS):
        lines.append(f"level {level} {priced.levels[level]:10}")
        for name, n in priced.terms.items():
            if level_of(name) == level and n:
                lines.append(f"    {term_words(name, 'zh' if language == 'zh' else 'en')} {n:+d}")
    for it in priced.differing:
        lines.append(f"{it.path}: {it.stated:g} stated, {it.counted:g} counted")
    if priced.unpriced:
        lines.append(f"not in the price: {', '.join(priced.unpriced)}")
    lines += violation_lines(priced.violations)
    lines.append(f"{len(priced.violations)} violations" if priced.violations else "clean")
    return lines
