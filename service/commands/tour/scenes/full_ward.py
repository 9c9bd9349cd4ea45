"""A full ward: two officers race for its last bed, then a plan returns two who are fit to go."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import httpx

from service.access.caller import Role
from service.commands.tour import places
from service.commands.tour.night import Json, Night, TourStopped
from service.commands.tour.people import assess, fit_for, held, police
from service.commands.tour.places import Site
from service.commands.tour.steps import (
    candidates,
    carry,
    clocks,
    deciding,
    full,
    make_ready,
    place,
    receive,
    request,
)

CARE: Final[Json] = {"needs": ["NUR", "ACC", "OBS"], "observation": "constant"}


@dataclass(frozen=True, slots=True)
class Race:
    """Who won the last bed and who still waits, by person and request; the loser's answer."""

    ward: Site
    residents: tuple[str, ...]
    winner: tuple[str, str]
    loser: tuple[str, str]
    bed: str
    lost: Json


@dataclass(frozen=True, slots=True)
class Planned:
    """The run's moves that concern the ward, in their order, and who got in."""

    moves: tuple[Json, ...]
    admitted: tuple[Json, ...]


def full_ward(night: Night) -> None:
    """The whole story."""
    a_plan_returns_two(night, race_for_the_last_bed(night))


def race_for_the_last_bed(night: Night) -> Race:
    """Two officers decide for the last nursing bed at the same moment; the database lets one."""
    night.chapter(
        "The last bed of a ward, and a plan",
        "A special-care ward has three beds and one is left. Two officers decide for it at the "
        "same moment: one has it, the other is told, with what is next.",
    )
    ward = places.ward(night, "w7", beds=3, features=["ACC", "OBS"])
    residents = []
    for number in (1, 2):
        person = _patient(night, f"Synthetic Resident {number}", 40 + number)
        place(night, person, "constant watch in an accessible nursing bed", inside=ward.unit)
        residents.append(person)
    people = [_patient(night, f"Synthetic Racer {number}", 30 + number) for number in (1, 2)]
    asked = [request(night, person) for person in people]
    rankings = [candidates(night, it, inside=ward.unit) for it in asked]
    bed = rankings[0]["candidates"][0]["bed"]
    answers = _both_decide(night, asked, deciding(bed, "the last bed of its kind"))
    for it, answer in zip(asked, answers, strict=True):
        _say_race(night, it, answer)
    if sorted(it.status_code for it in answers) != [201, 409]:
        raise TourStopped("the race did not end with one winner and one 409")
    won = [it.status_code for it in answers].index(201)
    night.say("\nWhat is next for the other: the request waits on, and not without end:")
    clocks(night, police(night), people[1 - won], "offer_alarm")
    receive(night, asked[won], bed)
    return Race(
        ward,
        tuple(residents),
        (people[won], asked[won]),
        (people[1 - won], asked[1 - won]),
        bed,
        answers[1 - won].json(),
    )


def a_plan_returns_two(night: Night, race: Race) -> Planned:
    """Two residents were found fit by doctors; the plan moves them back and two get in."""
    night.say("\n[bold]The ward is full.[/] One who lost the race waits, and one more comes:")
    other = _patient(night, "Synthetic Patient", 51)
    waiting = dict([race.loser, (other, request(night, other))])
    full(night, waiting[other])
    night.say("\n[bold]Two of its people are better[/], and doctors say where they may go.")
    for person in race.residents:
        assess(night, person, "G1")
        fit_for(night, person, ["PSC", "JSC"])
    moves = _planned(night, [*race.residents, *waiting])
    night.say("\n[bold]The coordinator approves move by move[/], each with a reason:")
    for it in moves:
        it["transfer"] = night.done(
            night.caller(Role.COORDINATOR),
            "POST",
            f"/proposals/{it['id']}/approval",
            {"officer": "Coordinator on duty (synthetic)", "reason": "fit to go; two are waiting"},
        )["transfer"]
    night.say("\n[bold]Two people go back[/]; the beds they leave are cleaned:")
    for it in (it for it in moves if it["from_bed"] is not None):
        carry(night, it["transfer"], it["from_bed"], it["to_bed"])
    night.say("\n[bold]A bed recorded fit becomes the hold that was promised[/], and two come in:")
    admitted = []
    for it in (it for it in moves if it["from_bed"] is None):
        make_ready(night, it["to_bed"])
        admitted.append(receive(night, waiting[it["person"]], it["to_bed"]))
    night.say("\nBoth are in the ward, both who left are in a centre, nobody was without a bed.")
    return Planned(tuple(moves), tuple(admitted))


def _patient(night: Night, name: str, years: int) -> str:
    person = held(night, name, "male", years)
    assess(night, person, "G3", **CARE)
    return person


def _both_decide(night: Night, asked: list[str], body: Json) -> list[httpx.Response]:
    def decided(it: str) -> httpx.Response:
        path = f"/placement-requests/{it}/decision"
        return night.ask(police(night), "POST", path, body, show=False)

    with ThreadPoolExecutor(2) as both:
        return list(both.map(decided, asked))


def _say_race(night: Night, asked: str, answer: httpx.Response) -> None:
    told: Any = answer.json()
    if answer.is_success:
        night.say(f"  {asked}: [green]{answer.status_code}[/] the bed is held")
        return
    rest = [it["bed"] for it in told.get("candidates", [])]
    night.say(
        f"  {asked}: [red]{answer.status_code}[/] {told['code']}: {told['detail']}\n"
        f"      next candidates: {', '.join(rest) or 'none; the request waits on'}"
    )


def _planned(night: Night, people: list[str]) -> list[Json]:
    """A plan of the whole city, and the moves of it that concern these people."""
    coordinator = night.caller(Role.COORDINATOR)
    run = night.done(coordinator, "POST", "/planning-runs", {"seed": 0})["id"]
    found = night.until(
        lambda: night.done(coordinator, "GET", f"/planning-runs/{run}", show=False),
        lambda it: it["state"] in ("solved", "failed"),
        "the plan",
    )
    if found["state"] == "failed":
        raise TourStopped(f"the planning run failed: {found['failure']}")
    seconds = sum(found["seconds"].values())
    night.say(f"\nThe plan of the whole city is {found['status']}, after {seconds:.1f} s:")
    for level in found["levels"]:
        night.say(
            f"  level {level['level']}: value {level['value']}, proven bound "
            f"{level['bound']:.1f}, gap {level['gap']:.2%}"
        )
    moves: list[Json] = night.ask(coordinator, "GET", f"/planning-runs/{run}/proposals").json()
    ours = [it for it in moves if it["person"] in people]
    night.say(f"Of its {len(moves)} moves these concern the ward, in an order that works:")
    for it in ours:
        after = f", after {len(it['after'])} other" if it["after"] else ""
        night.say(
            f"  {it['person']}: {it['from_bed'] or 'waiting'} -> {it['to_bed']}{after}\n"
            f"      {it['reason_zh']} / {it['reason_en']}"
        )
    if {it["person"] for it in ours} != set(people):
        raise TourStopped("the plan does not solve the ward; run the tour on a fresh demo city")
    return ours
