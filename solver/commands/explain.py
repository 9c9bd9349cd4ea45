"""``explain``: why each person of a plan gets this bed or none; what one more bed would buy."""

import json
from argparse import Namespace, _SubParsersAction
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solver.check import violations
from solver.commands.files import read_network, read_plan
from solver.commands.outcome import CLEAN, DIRTY, violation_lines
from solver.domain import Network, Plan
from solver.eligibility.registry import Language
from solver.explain import (
    Explanations,
    NotPlaced,
    Placed,
    answer_document,
    answer_lines,
    explain_plan,
    explanations_document,
    removed_title,
)
from solver.instance import InstanceError
from solver.worth import worth, worth_document, worth_lines

if TYPE_CHECKING:
    from argparse import ArgumentParser


def add(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Declare ``explain`` and its arguments."""
    parser = commands.add_parser("explain", help="why this bed, why none, what one more would buy")
    parser.add_argument("network", type=Path, metavar="NETWORK.json")
    parser.add_argument("plan", type=Path, metavar="PLAN.json")
    about = parser.add_mutually_exclusive_group()
    about.add_argument("--person", metavar="ID", help="one person only")
    about.add_argument("--request", metavar="ID", help="one request only")
    parser.add_argument("--worth", action="store_true", help="try one more bed of each kind")
    parser.add_argument("--lang", choices=("zh", "en"), default="en")
    parser.add_argument("--out", type=Path, metavar="WHY.json", help="the answers as JSON")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Read both, refuse a plan that breaks a rule, print the answers, write them where asked."""
    network, plan = read_network(args.network), read_plan(args.plan)
    language: Language = args.lang
    broken = violations(network, plan)
    if broken:
        print(*violation_lines(broken), sep="\n")
        print(f"{len(broken)} violations; a plan that breaks a rule is not explained")
        return DIRTY
    found = explain_plan(network, plan)
    document: dict[str, Any]
    if args.person is None and args.request is None:
        for answer in found:
            _print(answer, language)
        for line in _summary(found, language):
            print(line)
        document = explanations_document(found)
    else:
        only = _only(network, plan, found, args.person, args.request)
        _print(only, language)
        document = answer_document(only)
    if args.worth:
        bought = worth(network)
        for line in worth_lines(bought, language):
            print(line)
        document["worth"] = worth_document(bought)
    if args.out is not None:
        text = json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
        args.out.write_text(text, encoding="utf-8")
    return CLEAN


def _only(
    network: Network, plan: Plan, found: Explanations, person: str | None, request: str | None
) -> Placed | NotPlaced:
    """The one answer asked for. Raises InstanceError where there is none."""
    if person is not None:
        answer = found.of_person(person)
        if answer is not None:
            return answer
        way_out = "give the id of somebody the plan moves or leaves without a fit bed"
        if person not in network.persons:
            way_out = "no such id in persons"
        raise InstanceError("--person", person, way_out)
    answer = found.of_request(request or "")
    if answer is None:
        raise InstanceError("--request", request, "give the id of a waiting request")
    return answer


def _print(answer: Placed | NotPlaced, language: Language) -> None:
    first, *others = answer_lines(answer, language)
    print(first)
    for line in others:
        print(f"    {line}")


def _summary(found: Explanations, language: Language) -> list[str]:
    """The whole plan in a few lines: how many, and what removed most beds for how many."""
    placed, unplaced, left = len(found.placed), len(found.unplaced), len(found.left)
    lines = [
        f"{placed} moves, {unplaced} without a bed, {left} left in a place that is not fit"
        if language == "en"
        else f"调整{placed}人，未安置{unplaced}人，留在不合规原处{left}人"
    ]
    most = [answer.removed[0] for answer in found.unplaced if answer.removed]
    times = Counter(it.code for it in most)
    titles = {it.code: removed_title(it, language) for it in most}
    for code, n in sorted(times.items(), key=lambda it: (-it[1], it[0])):
        lines.append(
            f"removed most beds for {n}: {titles[code]}"
            if language == "en"
            else f"对其中{n}人排除床位最多：{titles[code]}"
        )
    return lines
