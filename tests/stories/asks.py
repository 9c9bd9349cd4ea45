"""What callers ask of the API in the stories: one function a request, the paths in one place.

``by`` names the caller: a role of the whole network, or a facility for its own admin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

COORDINATOR, OFFICER, CLINICIAN = "coordinator", "intake_officer", "clinician"
WHY = {"reason": "as agreed with the doctor"}
BY = {"officer": "officer Lin", "reason": "nearest lawful bed"}


@dataclass(frozen=True, slots=True)
class Ask:
    """One request; a POST gets a new Idempotency-Key unless ``headers`` has one."""

    method: str
    path: str
    body: Any = None
    by: str = COORDINATOR
    headers: Mapping[str, str] = field(default_factory=dict)

    def sent(self, keys: Mapping[str, str]) -> dict[str, Any]:
        """Arguments for an httpx request of whoever asks."""
        headers = {"Authorization": f"Bearer {keys[self.by]}"}
        if self.method == "POST":
            headers["Idempotency-Key"] = str(uuid4())
        parts: dict[str, Any] = {
            "method": self.method,
            "url": f"/api/v1{self.path}",
            "headers": headers | dict(self.headers),
        }
        return parts if self.body is None else parts | {"json": self.body}


def facility_of(bed_or_unit: str) -> str:
    """Ids of places begin with their facility's."""
    return bed_or_unit.split(".")[0]


def _request(request: str, verb: str, body: Any, by: str = COORDINATOR) -> Ask:
    return Ask("POST", f"/placement-requests/{request}/{verb}", body, by)


def submit(person: str) -> Ask:
    return Ask("POST", "/placement-requests", {"person": person})


def decide(request: str, bed: str, by: str = COORDINATOR) -> Ask:
    return _request(request, "decision", {"bed": bed, **BY}, by)


def release(request: str) -> Ask:
    return _request(request, "release", WHY)


def withdraw(request: str) -> Ask:
    return _request(request, "withdrawal", WHY)


def accept(request: str) -> Ask:
    return _request(request, "acceptance", {})


def decline(request: str, code: str = "papers_missing") -> Ask:
    return _request(request, "decline", {"code": code})


def admit(request: str, **body: Any) -> Ask:
    return _request(request, "admission", body)


def _stay(stay: str, verb: str, body: Any) -> Ask:
    return Ask("POST", f"/stays/{stay}/{verb}", body)


def discharge(stay: str, code: str = "released") -> Ask:
    return _stay(stay, "discharge", {"code": code, **WHY})


def begin_leave(stay: str, ends_at: str) -> Ask:
    return _stay(stay, "leave", {"ends_at": ends_at})


def end_leave(stay: str) -> Ask:
    return _stay(stay, "return", {})


def cancel_admission(stay: str) -> Ask:
    return _stay(stay, "admission-cancellation", WHY)


def cancel_discharge(stay: str) -> Ask:
    return _stay(stay, "discharge-cancellation", WHY)


def rescue(person: str, unit: str) -> Ask:
    return Ask("POST", f"/people/{person}/emergency", {"unit": unit, **BY})


def request_transfer(stay: str, to_bed: str) -> Ask:
    body = {"stay": stay, "to_bed": to_bed, "reason": "right_a_misplaced"}
    return Ask("POST", "/transfers", body)


def _transfer(transfer: str, verb: str, body: Any, by: str = COORDINATOR) -> Ask:
    return Ask("POST", f"/transfers/{transfer}/{verb}", body, by)


def approve_transfer(transfer: str) -> Ask:
    return _transfer(transfer, "approval", WHY)


def cancel_transfer(transfer: str) -> Ask:
    return _transfer(transfer, "cancellation", WHY)


def accept_transfer(transfer: str, by: str) -> Ask:
    return _transfer(transfer, "acceptance", {}, by)


def approval(person: str, kind: str, organ: str, transfer: str) -> Ask:
    given = {
        "kind": kind,
        "organ": organ,
        "granted": True,
        "approver": "head of the organ",
        "document": "No 12",
        "subject": {"type": "transfer", "id": transfer},
    }
    return Ask("POST", f"/people/{person}/approvals", given)


def write_handover(transfer: str) -> Ask:
    summary: dict[str, list[str]] = {"diagnoses": [], "medicines": [], "allergies": []}
    return Ask("PUT", f"/transfers/{transfer}/handover", {"clinical": summary}, CLINICIAN)


def depart(transfer: str, by: str) -> Ask:
    escorts = [
        {"name": "officer Zhou", "organ": "centre"},
        {"name": "officer He", "organ": "centre", "woman": True},
    ]
    return _transfer(transfer, "departure", {"escorts": escorts, "vehicle": "van 3"}, by)


def arrive(transfer: str, by: str) -> Ask:
    return _transfer(transfer, "arrival", {}, by)


def turn_back(transfer: str, by: str) -> Ask:
    return _transfer(transfer, "return", WHY, by)


def bed(bed: str) -> Ask:
    return Ask("GET", f"/beds/{bed}")


def record_state(bed: str, state: str, version: int, **body: Any) -> Ask:
    given = {"state": state, **body}
    return Ask("PUT", f"/beds/{bed}/state", given, headers={"If-Match": f'"v{version}"'})


def open_period(bed: str, **body: Any) -> Ask:
    return Ask("POST", f"/beds/{bed}/out-of-service-periods", {"reason": "repair", **body})


def end_period(period: str, version: int, state: str) -> Ask:
    return Ask(
        "PUT",
        f"/out-of-service-periods/{period}/end",
        {"state": state},
        headers={"If-Match": f'"v{version}"'},
    )
