"""A woman of 27 whose pregnancy nobody knows of: no compulsory place until tested."""

from dataclasses import dataclass

from service.access.caller import Role
from service.commands.tour import places
from service.commands.tour.night import Caller, Json, Night, TourStopped
from service.commands.tour.people import assess, held, police
from service.commands.tour.steps import (
    bed_of,
    candidates,
    clocks,
    decide,
    deciding,
    misplaced,
    nowhere,
    receive,
    request,
    say_refusal,
)
from service.commands.tour.telling import hour


@dataclass(frozen=True, slots=True)
class Pregnancy:
    """Both women: the one who is pregnant with her request, the other with her stay and what the
    list said of it once suspicion came back."""

    pregnant: str
    request: Json
    not_pregnant: str
    stay: Json
    misplaced: Json


def pregnancy(night: Night) -> Pregnancy:
    """Unknown blocks until tested, pregnant for good; not pregnant opens the women's part."""
    night.chapter(
        "Pregnancy is asked before, not after",
        "Two women of 27 with a compulsory decision. Whether either is pregnant nobody knows, and "
        "unknown is not no: no compulsory place takes them before a test.",
    )
    bed = places.centre(night, "c4", sex="female").beds[0]
    first = held(night, "Synthetic Zhao", "female", 27)
    assess(night, first, "G1", pregnant="unknown")
    asked = request(night, first)
    nowhere(night, asked, "P03")

    night.say("\n[bold]The test is positive.[/] Compulsory isolation never applies to her:")
    assess(night, first, "G1", pregnant="yes")
    nowhere(night, asked, "P01")
    night.say("\nThe officer tries all the same, and the coordinator tries to set it aside:")
    path = f"/placement-requests/{asked}/decision"
    no = deciding(bed, "no other place")
    _refused(night, night.caller(Role.INTAKE_OFFICER), path, no)
    over = {**no, "overrides": [{"rule": "P01", "reason": "she is wanted here"}]}
    answer = night.ask(night.caller(Role.COORDINATOR), "POST", path, over)
    if answer.is_success or "P01" not in answer.text:
        raise TourStopped("somebody set P01 aside")
    ended = night.done(
        police(night),
        "POST",
        f"/placement-requests/{asked}/no-lawful-bed",
        {"reason": "pregnant: the compulsory measure does not apply"},
    )
    for it in ended["alternatives"]:
        night.say(f"      instead: {it['zh']}\n               {it['en']} ({it['source']})")

    night.say("\n[bold]The other woman's test is negative.[/] The women's part takes her:")
    second = held(night, "Synthetic Qian", "female", 27)
    assess(night, second, "G1", pregnant="unknown")
    asked = request(night, second)
    nowhere(night, asked, "P03")
    assess(night, second, "G1", pregnant="no")
    ranking = candidates(night, asked)
    taken = ranking["candidates"][0]["bed"]
    decide(night, asked, taken, "women's part, tested", ranking)
    stay = receive(night, asked, taken)

    night.say("\n[bold]Weeks later a doctor suspects it after all.[/] Her place is judged anew:")
    assess(night, second, "G1", pregnant="unknown")
    wrong = misplaced(night, stay["id"])
    if wrong is None:
        raise TourStopped("suspicion came back and her place was not judged again")
    for it in wrong["rules"]:
        night.say(f"      [bold]{it['rule']}[/] {it['zh']} / {it['en']}")
    ways = ", ".join(it["way"] + (f" to {it['to']}" if it["to"] else "") for it in wrong["ways"])
    night.say(f"      put right by {hour(wrong['due_at'])}; ways out: {ways}")
    clocks(night, night.caller(Role.COORDINATOR), second, "misplaced")
    return Pregnancy(first, ended, second, {**stay, "bed": bed_of(stay)}, wrong)


def _refused(night: Night, who: Caller, path: str, body: Json) -> None:
    problem = night.refused(who, "POST", path, body, status=409, code="refused-by-rules")
    for it in problem["refusals"]:
        say_refusal(night, it)
