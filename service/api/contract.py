"""The API's contract, OpenAPI 3.1: what FastAPI writes, and what our routes do besides.

Keys, Idempotency-Key, the refusals every route may answer: each is done in one place, so each is
documented in one place, from the same declarations the routes run on.
"""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute

from service.api.calls import CallRoute
from service.api.idempotency import HEADER, REPLAYED
from service.api.problems import MEDIA_TYPE, Problem

_SCHEME: Final = "key"
_COMPONENTS: Final = "#/components"
_ANSWERS: Final[Mapping[int, str]] = {
    400: "The request cannot be read, its Idempotency-Key is missing, or a header is malformed.",
    401: "No key came with the request, or it is unknown, revoked or expired.",
    403: "The key's role or facility does not allow this.",
    404: "Nothing by that id, or nothing this caller may see.",
    409: "The present state does not allow this; `detail` says what does.",
    412: "Somebody else changed it since it was read, or If-Match names no version of it.",
    413: "The body is larger than this route reads.",
    415: "The body's media type is not one this route reads.",
    422: "A field is not valid; `errors` names each.",
    428: "If-Match is missing.",
    500: "A fault of the service; `error_id` stands in its log.",
    503: "The database cannot be reached or is too busy; repeat in a moment.",
}


def install(app: FastAPI) -> None:
    """Complete what ``app.openapi()`` says."""
    plain = app.openapi

    def complete() -> dict[str, Any]:
        schema = plain()
        if "Problem" not in schema.get("components", {}).get("schemas", {}):
            _complete(app, schema)
        return schema

    app.openapi = complete  # type: ignore[method-assign]


def _complete(app: FastAPI, schema: dict[str, Any]) -> None:
    parts = schema.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    problem = Problem.model_json_schema(ref_template=_COMPONENTS + "/schemas/{model}")
    schemas.update(problem.pop("$defs"))
    schemas["Problem"] = problem
    parts["responses"] = {f"Problem{status}": _response(status) for status in _ANSWERS}
    parts["securitySchemes"] = {
        _SCHEME: {
            "type": "http",
            "scheme": "bearer",
            "description": "A key made by `rehab-beds key create`.",
        }
    }
    parts["parameters"] = {"IdempotencyKey": _key_parameter()}
    for route in app.routes:
        if not isinstance(route, APIRoute) or not route.include_in_schema:
            continue
        for method in route.methods or ():
            operation = schema["paths"][route.path_format][method.lower()]
            _complete_operation(operation, route)


def _complete_operation(operation: dict[str, Any], route: APIRoute) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    asked = operation.get("parameters", [])
    statuses = {500}
    if any(parameter["in"] == "query" for parameter in asked):
        statuses.add(422)
    if any(parameter["in"] == "path" for parameter in asked):
        statuses |= {404, 422}
    if any(parameter["name"] == "If-Match" for parameter in asked):
        statuses |= {400, 409, 412, 428}
    if isinstance(route, CallRoute):
        operation["security"] = [{_SCHEME: []}]
        operation["x-roles"] = sorted(route.gate.roles)
        statuses |= {401, 403, 503}
        if route.methods != {"GET"}:
            statuses |= {404, 409, 422}
        if "requestBody" in operation or route.gate.streams:
            statuses |= {400, 413, 415, 422}
        if route.takes_key:
            statuses.add(400)
            operation.setdefault("parameters", []).append(
                {"$ref": f"{_COMPONENTS}/parameters/IdempotencyKey"}
            )
            _document_replay(responses)
    for status in sorted(statuses):
        responses.setdefault(str(status), {"$ref": f"{_COMPONENTS}/responses/Problem{status}"})


def _document_replay(responses: dict[str, Any]) -> None:
    for status, response in responses.items():
        if status.startswith("2"):
            response.setdefault("headers", {})[REPLAYED] = {
                "description": "`true` when this is the stored answer to a repeated request.",
                "schema": {"type": "string", "enum": ["true"]},
            }


def _key_parameter() -> dict[str, Any]:
    return {
        "name": HEADER,
        "in": "header",
        "required": True,
        "description": "A new random value for each new request, such as a UUID; the same one "
        "when the request is repeated: it takes effect once, for 24 hours.",
        "schema": {"type": "string", "minLength": 8, "maxLength": 200, "pattern": "^[!-~]+$"},
    }


def _response(status: int) -> dict[str, Any]:
    return {
        "description": _ANSWERS[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": f"{_COMPONENTS}/schemas/Problem"}}},
    }
