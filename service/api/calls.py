"""One request: who calls, what they may do, and the transaction their use case runs in.

A route names its roles and gets a ``Call``::

    router = resource("beds")

    @router.post("/beds/{bed_id}/holds", status_code=201)
    async def hold_bed(
        bed_id: str, body: NewHold, call: Annotated[Call, calling(Role.INTAKE_OFFICER)]
    ) -> Hold:
        return await call.write(hold, bed_id, body)

Deny by default: a route of ``resource`` that names no role does not load. Key and role are looked
at before the body is read. ``write`` has committed when it returns, except in a POST that takes
an ``Idempotency-Key``: there the answer is stored with the effect and both are committed together
before the first byte of the answer is sent.
"""

import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy import Connection
from starlette.types import Receive, Scope, Send

from service.access.caller import Actor, Role
from service.api.bodies import BODY_LIMIT, JSON, check_body, check_parameters, limited
from service.api.idempotency import Once, fingerprint, key_of
from service.api.state import State
from service.errors import Forbidden
from service.store.engine import run_async
from service.workflow.context import Context
from service.workflow.privacy import visibility

P = ParamSpec("P")
T = TypeVar("T")

_SCOPE: Final = "rehab_beds.call"
_HIDES: Final = {
    "request_id": visibility.require_request,
    "stay_id": visibility.require_stay,
    "transfer_id": visibility.require_transfer,
}
"""Parts of a path that may name what is invisible to the police side."""
_BEARER: Final = re.compile(r"bearer +([!-~]+)", re.IGNORECASE)


@dataclass(slots=True)
class Call:
    """One request of one caller.

    ``headers`` are set on the answer. ``once`` is the transaction of a keyed POST, None for any
    other request.
    """

    request: Request
    state: State
    context: Context
    once: Once | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def actor(self) -> Actor:
        """Who calls."""
        return self.context.actor

    async def read(
        self,
        use_case: Callable[Concatenate[Connection, Context, P], T],
        *args: P.args,
        **kw: P.kwargs,
    ) -> T:
        """Run a use case that changes nothing: ``use_case(conn, context, *args, **kw)``."""
        return await self._run(use_case, *args, **kw)

    async def write(
        self,
        use_case: Callable[Concatenate[Connection, Context, P], T],
        *args: P.args,
        **kw: P.kwargs,
    ) -> T:
        """Run a use case that changes something, looking a second time when a race was lost.

        Whatever it raises undoes the whole of it.
        """
        return await self._run(use_case, *args, **kw)

    async def _run(
        self,
        use_case: Callable[Concatenate[Connection, Context, P], T],
        *args: P.args,
        **kw: P.kwargs,
    ) -> T:
        if self.once is not None:
            return await self.once.run(use_case, self.context, *args, **kw)
        return await run_async(self.state.engine, use_case, self.context, *args, **kw)

    async def check_key(self) -> None:
        """Raise Unauthenticated if the key was revoked since: for answers that go on for long."""
        await self.state.keyring.actor(_bearer(self.request))

    def created(self, path: str) -> None:
        """Say where what was made can be read: ``Location: /api/v1/...``."""
        self.headers["Location"] = path


@dataclass(frozen=True, slots=True)
class Calling:
    """What a route asks of its callers; as a dependency it gives the ``Call``."""

    roles: frozenset[Role]
    keyed: bool
    accepts: tuple[str, ...]

    async def __call__(self, request: Request) -> Call:
        """The call, admitted before the body was read. What its path names is there for this
        caller, or the answer is that there is no such thing."""
        call: Call = request.scope[_SCOPE]
        if call.actor.role is Role.INTAKE_OFFICER or call.actor.facility is not None:
            for name, require in _HIDES.items():
                if name in request.path_params:
                    await call.read(require, request.path_params[name])
        return call

    @property
    def streams(self) -> bool:
        """Whether the route reads its body by itself, piece by piece."""
        return self.accepts != (JSON,)


ALL_ROLES: Final = tuple(Role)


def calling(*roles: Role, keyed: bool = True, accepts: tuple[str, ...] = (JSON,)) -> Any:
    """The dependency that admits callers of these roles.

    ``keyed=False`` is for a POST that takes no Idempotency-Key: the emergency lane, where nothing
    may stand before the act, and a POST that changes nothing.
    ``accepts`` names the media types of a body that the route reads by itself, piece by piece,
    from ``call.request.stream()``; such a body is too large to be remembered with a key.
    """
    if not roles:
        raise ValueError("name the roles that may call this; none means nobody")
    if keyed and accepts != (JSON,):
        raise ValueError("a streamed body takes no Idempotency-Key: say keyed=False")
    return Depends(Calling(frozenset(roles), keyed, accepts))


class CallRoute(APIRoute):
    """A route that admits, runs and answers a ``Call``.

    ``max_body_size`` is kept from Starlette's own limiter, which answers in plain text.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        max_body_size: int | None = None,
        **options: Any,
    ) -> None:
        self.body_limit = max_body_size if max_body_size is not None else BODY_LIMIT
        super().__init__(path, endpoint, **options)

    @cached_property
    def gate(self) -> Calling:
        """What the route asks of its callers. Raises RuntimeError if it names no role."""
        gate = calling_of(self.dependant)
        if gate is None:
            raise RuntimeError(f"{self.path} names no roles: give it calling(Role....)")
        return gate

    @property
    def takes_key(self) -> bool:
        """Whether a request must carry an Idempotency-Key."""
        return self.gate.keyed and "POST" in (self.methods or ())

    async def admitted(self, request: Request) -> Call:
        """The call, if its caller may make it; nothing of the body was read."""
        state: State = request.app.state.service
        actor = await state.keyring.actor(_bearer(request))
        if actor.role not in self.gate.roles:
            raise _not_for(actor, self.gate)
        request = limited(request, self.body_limit)
        check_parameters(request)
        return Call(request, state, Context(actor, state.policy, state.vault))

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler: first who calls, then what they sent, then the use case."""
        gate = self.gate
        takes_key = self.takes_key
        has_body = self.body_field is not None
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            call = await self.admitted(request)
            request, state = call.request, call.state
            request.scope[_SCOPE] = call
            if has_body or gate.streams:
                await check_body(request, gate.accepts, whole=not gate.streams)

            async def answered() -> Response:
                response = await handler(request)
                response.headers.update(call.headers)
                return response

            if not takes_key:
                return await answered()
            key = key_of(request)
            asked = await fingerprint(request)
            call.once = Once(state.engine, state.vault, call.actor.id, key, asked)
            return await call.once.answer(request, answered)

        return handle


class PollRoute(CallRoute):
    """A GET that is answered from memory, by a function of ``call``, ``if_none_match`` and the
    path's parameters as text; it returns the Response.

    It is admitted as any call and then asked directly. FastAPI reads the signature for the
    contract; solving it anew for each poll costs more than the answer does.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; another method than GET is refused as on every route."""
        if scope["method"] != "GET":
            await super().handle(scope, receive, send)
            return
        call = await self.admitted(Request(scope, receive, send))
        response: Response = await self.endpoint(
            call=call,
            if_none_match=call.request.headers.get("if-none-match"),
            **scope["path_params"],
        )
        await response(scope, receive, send)


def calling_of(dependant: Dependant) -> Calling | None:
    """What a route asks of its callers, None if it asks nothing."""
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, Calling):
            return dependency.call
        found = calling_of(dependency)
        if found is not None:
            return found
    return None


def resource(tag: str, route_class: type[CallRoute] = CallRoute) -> APIRouter:
    """The router of one resource under ``/api/v1``; an operation's id is its function's name."""
    return APIRouter(
        prefix="/api/v1",
        tags=[tag],
        route_class=route_class,
        generate_unique_id_function=lambda route: route.name,
    )


def _bearer(request: Request) -> str | None:
    found = _BEARER.fullmatch(request.headers.get("authorization", "").strip())
    return found[1] if found else None


def _not_for(actor: Actor, gate: Calling) -> Forbidden:
    needed = sorted(gate.roles)
    return Forbidden(
        "role-not-allowed",
        f"a key of role {actor.role} may not do this; it needs one of: {', '.join(needed)}",
        roles=needed,
    )
