"""The four scenes of the tour."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from service.access.caller import Role
from service.commands.tour.night import Json, Night, TourStopped
from service.commands.tour.people import (
    assess,
    candidates,
    decide,
    facility_of,
    place,
    receive,
    register,
    request,
    today,
)


def three_are_placed(night: Night) -> None:
    """An officer and a doctor place three people."""
    night.chapter(
        1,
        "Three people get a bed",
        "One in the morning. Each person is registered under a pseudonym, with the paper that lets "
        "them be held or treated, and a doctor's finding. The service ranks every free bed that is "
        "lawful and safe; a named human decides; the receiving side accepts.",
    )
    night.say("\n[bold]A healthy man with a compulsory decision[/] goes to a centre.")
    first = register(night, "Synthetic Zhang", "male", 34)
    assess(night, first, "G0")
    place(night, first, "nearest centre with room")
    night.say("\n[bold]A man too ill for a centre[/] (grade G3) goes to the off-site ward.")
    second = register(night, "Synthetic Li", "male", 51)
    assess(night, second, "G3", needs=["NUR"], observation="frequent")
    place(night, second, "leg ulcers need a nursing bed")
    night.say(
        "\n[bold]A woman who chose constrained treatment[/] goes to a hospital. Her consent and "
        "her family's are recorded apart; police keys cannot see that she is there."
    )
    third = register(night, "Synthetic Wang", "female", 29, custodial=False)
    assess(night, third, "G2")
    place(night, third, "agreed course of about a month", Role.CLINICIAN)


def one_is_refused(night: Night) -> None:
    """Nowhere is lawful: every rule says so, and deciding anyway is refused too."""
    night.chapter(
        2,
        "One is refused, and told why",
        "A pregnant woman has a compulsory decision. Compulsory isolation never applies to her, so "
        "no bed is offered; every rule that says no is named with its source.",
    )
    person = register(night, "Synthetic Zhao", "female", 26)
    assess(night, person, "G1", pregnant="yes")
    asked = request(night, person)
    ranking = candidates(night, asked)
    if ranking["candidates"]:
        raise TourStopped("a pregnant woman was offered a compulsory bed")
    night.say(f"\nBeds refused, by rule: {ranking['by_rule']}")
    words = {no["rule"]: no for group in ranking["refused"] for no in group["refusals"]}
    for rule in ("P01", "L07"):
        if rule in words:
            no = words[rule]
            night.say(f"  [bold]{rule}[/] {no['zh']}\n      {no['en']} ({no['citation']})")
    bed = _a_free_bed(night, "psc")
    night.say("\nThe officer tries all the same. The decision is judged again under lock:")
    answer = night.ask(
        night.caller(Role.INTAKE_OFFICER),
        "POST",
        f"/placement-requests/{asked}/decision",
        {"bed": bed, "officer": "Officer on duty (synthetic)", "reason": "no other place known"},
    )
    if answer.status_code != 409:
        raise TourStopped(f"a refused decision answered {answer.status_code}")
    night.done(
        night.caller(Role.INTAKE_OFFICER),
        "POST",
        f"/placement-requests/{asked}/no-lawful-bed",
        {"reason": "pregnant: community treatment is the lawful way"},
    )


def two_race(night: Night) -> None:
    """Two officers decide for the same bed at the same moment: one gets it."""
    night.chapter(
        3,
        "Two officers race for one bed",
        "Both see the same first candidate and decide at the same moment. The database lets one of "
        "them have it; the other is told, with the next candidates beside it.",
    )
    people = [register(night, f"Synthetic Racer {n}", "male", 30 + n) for n in (1, 2)]
    for person in people:
        assess(night, person, "G0")
    requests = [request(night, person) for person in people]
    rankings = [candidates(night, it) for it in requests]
    bed = rankings[0]["candidates"][0]["bed"]
    officer = night.caller(Role.INTAKE_OFFICER)
    body = {"bed": bed, "officer": "Officer on duty (synthetic)", "reason": "first candidate"}
    with ThreadPoolExecutor(2) as both:
        answers = list(
            both.map(
                lambda it: night.ask(
                    officer, "POST", f"/placement-requests/{it}/decision", body, show=False
                ),
                requests,
            )
        )
    for asked, answer in zip(requests, answers, strict=True):
        told = answer.json()
        if answer.is_success:
            night.say(f"  {asked}: [green]{answer.status_code}[/] the bed is held")
        else:
            rest = [it["bed"] for it in told.get("candidates", [])]
            night.say(
                f"  {asked}: [red]{answer.status_code}[/] {told['code']}: {told['detail']}\n"
                f"      next candidates: {', '.join(rest) or 'none'}"
            )
    if sorted(it.status_code for it in answers) != [201, 409]:
        raise TourStopped("the race did not end with one winner and one 409")
    winner = requests[[it.status_code for it in answers].index(201)]
    receive(night, winner, bed)
    loser = requests[[it.status_code for it in answers].index(409)]
    night.say("\nThe other officer takes the next one:")
    ranking = candidates(night, loser)
    # The ranking follows the log by a moment and may still show the bed that is gone.
    bed = next(it["bed"] for it in ranking["candidates"] if it["bed"] != bed)
    decide(night, loser, bed, "the first was gone", ranking)
    receive(night, loser, bed)


def a_full_ward(night: Night) -> None:
    """A ward is full until an approved plan moves two people back."""
    ward = _a_small_ward(night)
    night.chapter(
        4,
        "A full ward, and a plan",
        f"A special-care ward ({ward}) opens with two beds and is full at once. Both people in it "
        "get better and a doctor says they may go back to a centre. Two more people need just such "
        "a bed. No bed is free, so the coordinator asks for a plan.",
    )
    care = {"needs": ["NUR", "ACC", "OBS"], "observation": "constant"}
    residents = []
    for number in (1, 2):
        person = register(night, f"Synthetic Resident {number}", "male", 40 + number)
        assess(night, person, "G3", **care)
        place(night, person, "needs constant watch in an accessible nursing bed")
        residents.append(person)
    night.say("\n[bold]Some weeks later[/] both are better, and a doctor says where they may go.")
    for person in residents:
        assess(night, person, "G1")
        night.done(
            night.caller(Role.CLINICIAN),
            "POST",
            f"/people/{person}/fitness-statements",
            {"kinds": ["PSC", "JSC"], "ends_on": (today() + timedelta(days=7)).isoformat()},
        )
    night.say("\n[bold]Two people need the ward.[/] There is no bed; the answer says why.")
    waiting = {}
    for number in (1, 2):
        person = register(night, f"Synthetic Patient {number}", "male", 50 + number)
        assess(night, person, "G3", **care)
        waiting[person] = request(night, person)
    ranking = candidates(night, next(iter(waiting.values())))
    if ranking["candidates"]:
        raise TourStopped("the ward was meant to be full; run the tour on a fresh demo city")
    for it in ranking["by_relation"]:
        night.say(f"      {it['beds']} lawful beds: {it['zh']} / {it['en']}")
    moves = _planned(night, [*residents, *waiting])
    _approve(night, moves)
    _carry_out(night, moves, waiting)


def _a_small_ward(night: Night) -> str:
    """A new two-bed ward with beds that no other ward of the demo city has."""
    coordinator = night.caller(Role.COORDINATOR)
    site = f"tour-{night.mark}"
    unit, room = f"{site}.w1", f"{site}.w1.r01"
    night.say("\nBefore the last scene the coordinator opens a small special-care ward:")
    night.done(
        coordinator,
        "POST",
        "/facilities",
        {"id": site, "name": "Tour ward", "operator": "justice", "duty_phone": "027-0000-0199"},
    )
    night.done(
        coordinator,
        "POST",
        "/units",
        {
            "id": unit,
            "facility": site,
            "name": "Special care",
            "kind": "OMW",
            "sex": "male",
            "level_of_care": 3,
            "security": 2,
            "observation": "constant",
            "licences": ["drug_treatment"],
            "bases": ["compulsory"],
            "security_owner": "justice",
        },
    )
    night.done(coordinator, "POST", "/rooms", {"id": room, "unit": unit})
    for number in (1, 2):
        night.done(
            coordinator,
            "POST",
            "/beds",
            {
                "id": f"{room}.b{number}",
                "room": room,
                "kind": "NUR",
                "features": ["ACC", "OBS"],
            },
        )
    return unit


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


def _approve(night: Night, moves: list[Json]) -> None:
    night.say("\n[bold]The coordinator approves move by move[/], each with a reason:")
    for it in moves:
        done = night.done(
            night.caller(Role.COORDINATOR),
            "POST",
            f"/proposals/{it['id']}/approval",
            {"officer": "Coordinator on duty (synthetic)", "reason": "fit to go; two are waiting"},
        )
        it["transfer"] = done["transfer"]


def _carry_out(night: Night, moves: list[Json], waiting: dict[str, str]) -> None:
    night.say("\n[bold]Two people go back[/]; the beds they leave are cleaned:")
    for it in (it for it in moves if it["from_bed"] is not None):
        there = night.caller(Role.FACILITY_ADMIN, facility_of(it["to_bed"]))
        here = night.caller(Role.FACILITY_ADMIN, facility_of(it["from_bed"]))
        transfer = f"/transfers/{it['transfer']}"
        night.done(there, "POST", f"{transfer}/acceptance", {})
        night.done(here, "POST", f"{transfer}/departure", {})
        night.done(there, "POST", f"{transfer}/arrival", {})
    night.say("\n[bold]A bed recorded fit becomes the hold that was promised[/], and two come in:")
    for it in (it for it in moves if it["from_bed"] is None):
        bed = it["to_bed"]
        here = night.caller(Role.FACILITY_ADMIN, facility_of(bed))
        read = night.ask(here, "GET", f"/beds/{bed}", show=False)
        if read.json()["state"] != "in_service":
            night.done(
                here,
                "PUT",
                f"/beds/{bed}/state",
                {"state": "in_service"},
                etag=read.headers["ETag"],
            )
        receive(night, waiting[it["person"]], bed)
    night.done(night.caller(Role.DASHBOARD), "GET", "/occupancy", show=False)
    night.say("\nBoth are in the ward, both who left are in a centre, nobody was without a bed.")


def _a_free_bed(night: Night, kind: str) -> str:
    """Some bed in service of a centre, for a decision that must be refused whoever is in it."""
    found = night.done(
        night.caller(Role.COORDINATOR), "GET", f"/beds?facility={kind}-1&limit=1", show=False
    )
    bed: str = found["items"][0]["id"]
    return bed


SCENES = (three_are_placed, one_is_refused, two_race, a_full_ward)
