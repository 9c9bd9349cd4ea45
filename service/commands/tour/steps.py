"""Steps that many scenes share: ask, read the ranking, decide, receive, move, look at clocks."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from service.access.caller import Role
from service.commands.tour.night import Caller, Json, Night, TourStopped
from service.commands.tour.people import here_now
from service.commands.tour.telling import hour, told

FOLLOWS_S: Final = 5.0
"""How far a ranking may be behind the log, at most."""
OFFICER: Final = "Officer on duty (synthetic)"
ESCORTS: Final = [
    {"name": "Officer one (synthetic)", "organ": "centre", "woman": False},
    {"name": "Officer two (synthetic)", "organ": "centre", "woman": True},
]


def facility_of(place: str) -> str:
    """The facility of a unit, room or bed: ids of places begin with it."""
    return place.partition(".")[0]


def admin_of(night: Night, place: str) -> Caller:
    """Whoever keeps the beds there."""
    return night.caller(Role.FACILITY_ADMIN, facility_of(place))


def request(
    night: Night,
    person: str,
    role: Role = Role.INTAKE_OFFICER,
    *,
    centre: str | None = None,
) -> str:
    """Ask for a bed; ``centre`` took the person in and answers for them. The request's id."""
    body = {"person": person} | ({"responsible_facility": centre} if centre else {})
    made: str = night.done(night.caller(role), "POST", "/placement-requests", body)["id"]
    return made


def candidates(
    night: Night, asked: str, role: Role = Role.INTAKE_OFFICER, *, inside: str | None = None
) -> Json:
    """Read the ranking, which must have a bed, and print its first beds with what each costs.

    ``inside``: print and keep only beds whose id begins with this.
    """
    ranking = _ranked(night, asked, role, inside, lambda it: bool(it["candidates"]))
    if not ranking["candidates"]:
        raise TourStopped(
            f"no bed is offered for {asked}, refused by {ranking['by_rule']}; run the tour on a "
            "fresh demo city"
        )
    for place, it in enumerate(ranking["candidates"][:3], start=1):
        priced = [f"{term['en']} {term['value']:+d}" for term in it["terms"]]
        night.say(f"      {place}. {it['bed']}  ({'; '.join(priced) or 'fits exactly'})")
    return ranking


def nowhere(night: Night, asked: str, *rules: str, role: Role = Role.INTAKE_OFFICER) -> Json:
    """Read a ranking that must be empty because of these rules; say them, each with its source."""

    def told(ranking: Json) -> bool:
        return not ranking["candidates"] and set(rules) <= set(ranking["by_rule"])

    ranking = _ranked(night, asked, role, None, told)
    if ranking["candidates"]:
        raise TourStopped(f"beds were offered that {', '.join(rules)} forbids")
    night.say(f"      beds refused, by rule: {ranking['by_rule']}")
    said = reasons(night, ranking, rules)
    if missing := set(rules) - said:
        raise TourStopped(f"no bed was refused by {', '.join(sorted(missing))}")
    return ranking


def full(night: Night, asked: str) -> Json:
    """Read a ranking that has no bed because every lawful one is taken; say by what."""
    ranking = _ranked(night, asked, Role.INTAKE_OFFICER, None, lambda it: not it["candidates"])
    if ranking["candidates"]:
        raise TourStopped("the ward was meant to be full; run the tour on a fresh demo city")
    for it in ranking["by_relation"]:
        night.say(f"      {it['beds']} lawful beds: {it['zh']} / {it['en']}")
    return ranking


def _ranked(
    night: Night,
    asked: str,
    role: Role,
    inside: str | None,
    ready: Callable[[Json], bool],
) -> Json:
    """Read the ranking, again for a moment until it is ``ready``: it follows the log, and what was
    recorded just now may not have reached it yet. Only a decision looks at the rows themselves."""
    path = f"/placement-requests/{asked}/candidates?limit={3 if inside is None else 100}"
    who = night.caller(role)
    known_by = time.monotonic() + FOLLOWS_S
    while True:
        answer = night.ask(who, "GET", path, show=False)
        if answer.is_error:
            raise TourStopped(f"GET {path} answered {told(answer)}")
        ranking: Json = answer.json()
        if inside is not None:
            ours = [it for it in ranking["candidates"] if it["bed"].startswith(inside)]
            ranking = {**ranking, "candidates": ours}
        if ready(ranking) or time.monotonic() > known_by:
            break
        time.sleep(0.1)
    night.show(who, "GET", path, None, answer)
    return ranking


def reasons(night: Night, ranking: Json, rules: Sequence[str]) -> set[str]:
    """Say why beds were refused, in both languages with the source; the rules that were said."""
    words = {no["rule"]: no for group in ranking["refused"] for no in group["refusals"]}
    for rule in rules:
        if rule in words:
            say_refusal(night, words[rule])
    return set(rules) & set(words)


def say_refusal(night: Night, no: Json) -> None:
    """One rule's no, in words."""
    lifted = no.get("lifted_by")
    who = f"may be set aside by: {lifted}" if lifted else "nobody may set it aside"
    source = no.get("citation") or no.get("source") or ""
    night.say(f"      [bold]{no['rule']}[/] {no['zh']}\n         {no['en']} ({source}; {who})")


def deciding(bed: str, reason: str, ranking: Json | None = None, **more: Any) -> Json:
    """The body of a decision: by name, with a reason, and with what was on the screen."""
    body: Json = {"bed": bed, "officer": OFFICER, "reason": reason, **more}
    if ranking is not None:
        body["alternatives"] = [it["bed"] for it in ranking["candidates"]][:20]
        body["position"] = ranking["position"]
    return body


def decide(
    night: Night,
    asked: str,
    bed: str,
    reason: str,
    ranking: Json,
    role: Role = Role.INTAKE_OFFICER,
) -> Json:
    """A named human decides for a bed. Where that would pass over somebody sicker or waiting
    longer, the service says so by rank, and only the coordinator goes past, with a reason."""
    path, body = f"/placement-requests/{asked}/decision", deciding(bed, reason, ranking)
    answer = night.ask(night.caller(role), "POST", path, body)
    if answer.status_code == 409 and answer.json()["code"] == "passes-over":
        night.say("      Somebody in the queue is passed over; the coordinator answers for that:")
        past = {**body, "past_reason": "set up for this person; who is passed over is next"}
        return night.done(night.caller(Role.COORDINATOR), "POST", path, past)
    if answer.is_error:
        raise TourStopped(f"POST {path} answered {told(answer)}")
    done: Json = answer.json()
    return done


def receive(
    night: Night,
    asked: str,
    bed: str,
    *,
    arrived: datetime | None = None,
    leaves: datetime | None = None,
) -> Json:
    """The receiving side accepts and, when the person is there, admits; the stay."""
    admin = admin_of(night, bed)
    night.done(admin, "POST", f"/placement-requests/{asked}/acceptance", {})
    body = {"occurred_at": arrived, "expected_end": leaves}
    return night.done(
        admin,
        "POST",
        f"/placement-requests/{asked}/admission",
        {name: at.isoformat() for name, at in body.items() if at is not None},
    )


def place(
    night: Night,
    person: str,
    reason: str,
    role: Role = Role.INTAKE_OFFICER,
    *,
    inside: str | None = None,
    arrived: datetime | None = None,
) -> Json:
    """The whole way from request to stay, to the first bed of the ranking; the stay."""
    asked = request(night, person, role)
    ranking = candidates(night, asked, role, inside=inside)
    bed = ranking["candidates"][0]["bed"]
    decide(night, asked, bed, reason, ranking, role)
    return receive(night, asked, bed, arrived=arrived)


def bed_of(stay: Json) -> str:
    """Where the person of a stay lies, or which bed is kept for them."""
    bed: str = stay["segments"][-1]["bed"]
    return bed


def carry(night: Night, transfer: str, from_bed: str, to_bed: str, *, first: bool = False) -> Json:
    """The way between two facilities: accepted, papers written, on the way, checked on arrival.

    ``first``: show what is refused on the way, papers and escorts missing.
    """
    there, here = admin_of(night, to_bed), admin_of(night, from_bed)
    path = f"/transfers/{transfer}"
    leaving = {"escorts": ESCORTS, "vehicle": "van 3 (synthetic)"}
    night.done(there, "POST", f"{path}/acceptance", {})
    if first:
        night.refused(
            here, "POST", f"{path}/departure", leaving, status=409, code="handover-missing"
        )
    night.done(
        night.caller(Role.CLINICIAN),
        "PUT",
        f"{path}/handover",
        {
            "care_flags": ["falls", "medicine_on_the_way"],
            "clinical": {
                "diagnoses": ["written for the receiving doctor alone (synthetic)"],
                "medicines": [
                    {
                        "name": "synthetic tablets",
                        "dose": "one at night",
                        "prescriber": "Doctor on duty (synthetic)",
                    }
                ],
                "allergies": [],
            },
        },
    )
    if first:
        night.refused(
            here,
            "POST",
            f"{path}/departure",
            {"escorts": ESCORTS[:1]},
            status=422,
            code="invalid-field",
        )
    night.done(here, "POST", f"{path}/departure", leaving)
    check = {"identity": True, "papers": True, "medicines": True, "condition": "as_described"}
    return night.done(there, "POST", f"{path}/arrival", {"check": check})


def clocks(night: Night, who: Caller, person: str, *kinds: str) -> list[Json]:
    """The clocks that run about somebody, as this caller's due list shows them: those of ``kinds``,
    which must be among them, and whatever else is due within a week."""
    found: list[Json] = night.done(who, "GET", f"/due?person={person}", show=False)["items"]
    soon = (here_now() + timedelta(days=7)).astimezone(UTC)
    said = [
        it for it in found if it["kind"] in kinds or datetime.fromisoformat(it["due_at"]) <= soon
    ]
    for it in said:
        late = " [red]overdue[/]" if it["overdue"] else ""
        to = f" to {it['recipient']}" if it["recipient"] else ""
        paper = f" {it['subject'].rpartition(':')[2]}" if it["subject_type"] == "paper" else ""
        night.say(
            f"      [yellow]clock[/] {hour(it['due_at'])}{late}  {it['zh']} / {it['en']}{paper}: "
            f"due from {it['owner']}{to} ({it['source']})"
        )
    if len(found) > len(said):
        night.say(f"      [yellow]clock[/] and {len(found) - len(said)} further off")
    if missing := set(kinds) - {it["kind"] for it in found}:
        raise TourStopped(f"no clock runs for {', '.join(sorted(missing))}")
    return found


def term_of(night: Night, person: str) -> Json:
    """The person's compulsory term, said in one line."""
    found = night.done(night.caller(Role.INTAKE_OFFICER), "GET", f"/terms?person={person}")
    if len(found["items"]) != 1:
        raise TourStopped(f"{len(found['items'])} terms of {person}, not one")
    term: Json = found["items"][0]
    night.say(
        f"      [bold]term[/] {term['state']}: decided {term['decided_on']}, last day "
        f"{term['ends_on']}; {term['responsible_facility']} answers for it"
    )
    return term


def stay_of(night: Night, stay: str, show: bool = False) -> Json:
    """A stay as it stands."""
    return night.done(night.caller(Role.COORDINATOR), "GET", f"/stays/{stay}", show=show)


def bed_state(night: Night, bed: str) -> str:
    """A bed's own state, said in one line."""
    found = night.done(night.caller(Role.COORDINATOR), "GET", f"/beds/{bed}", show=False)
    night.say(f"      bed {bed} is {found['state']}")
    state: str = found["state"]
    return state


def make_ready(night: Night, bed: str) -> None:
    """The ward records a cleaned bed as fit."""
    admin = admin_of(night, bed)
    read = night.ask(admin, "GET", f"/beds/{bed}", show=False)
    if read.json()["state"] != "in_service":
        body = {"state": "in_service"}
        night.done(admin, "PUT", f"/beds/{bed}/state", body, etag=read.headers["ETag"])


def misplaced(night: Night, stay: str) -> Json | None:
    """Whether the stay is on the list of wrong places, and what the list says of it."""
    path = "/stays/misplaced?free_beds=true&limit=100"
    coordinator = night.caller(Role.COORDINATOR)
    while True:
        answer = night.ask(coordinator, "GET", path, show=False)
        for it in answer.json()["items"]:
            if it["stay"] == stay:
                found: Json = it
                return found
        following = answer.links.get("next")
        if following is None:
            return None
        path = following["url"].partition("/api/v1")[2]
