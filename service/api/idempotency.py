"""A repeated POST has one effect and one answer (IETF draft Idempotency-Key, -07).

The key, its caller and a hash of the request are written first, then the effect in a savepoint,
then the answer, sealed; one commit for all. So whoever repeats a request finds either nothing of
it or all of it, whatever broke in between. A repeat that arrives while the first is at work waits
for its row and gets its answer.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Concatenate, Final, ParamSpec, TypeVar

from fastapi import Request, Response
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from service.access.vault import Vault
from service.api.problems import problem_for, problem_response
from service.errors import Invalid, Malformed
from service.store.engine import in_savepoint
from service.store.idempotency import StoredAnswer, claim, keep
from service.store.postgres_errors import Busy, translated

P = ParamSpec("P")
T = TypeVar("T")

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
_KEY: Final = re.compile(r"[!-~]{8,200}")
_KEPT_HEADERS: Final = ("content-type", "location", "etag", "link")
_DECISIONS: Final = frozenset({404, 409, 410, 422})
"""Refusals that are answers. 401 and 403 speak of the key, 412 and 428 of what was read before,
429 and 5xx of the moment: after those the same key may be used again."""
_PURPOSE: Final = "idempotency_record.body"


class Replay(Exception):
    """The key was used before: here is what was answered. Never leaves this module."""

    def __init__(self, answer: StoredAnswer) -> None:
        super().__init__()
        self.answer = answer


def key_of(request: Request) -> str:
    """The request's Idempotency-Key. Raises Malformed if there is none, or it is no key."""
    given = request.headers.get(HEADER)
    if given is None:
        raise Malformed(
            "idempotency-key-missing",
            f"send a new random {HEADER} (such as a UUID) with each new POST, and the same one "
            "when you repeat it: then a repeat can do no harm",
        )
    key = given.strip().strip('"')
    if not _KEY.fullmatch(key):
        raise Malformed(
            "idempotency-key-malformed",
            f"{HEADER} must be 8 to 200 visible ASCII characters, such as a UUID",
            received=given[:60],
        )
    return key


async def fingerprint(request: Request) -> str:
    """A hash of all that says what is asked: method, path, query and body."""
    digest = hashlib.sha256()
    query = request.scope["query_string"].decode("latin-1")
    digest.update(f"{request.method} {request.url.path}?{query}\n".encode())
    digest.update(await request.body())
    return digest.hexdigest()


class Once:
    """The one transaction of a keyed POST: key, effect and answer."""

    def __init__(
        self, engine: AsyncEngine, vault: Vault, caller: str, key: str, asked: str
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._caller = caller
        self._key = key
        self._asked = asked
        self._conn: AsyncConnection | None = None

    async def run(
        self,
        use_case: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kw: P.kwargs,
    ) -> T:
        """Run a use case in a savepoint; the first of them claims the key."""
        conn = self._conn or await self._claimed()
        return await conn.run_sync(lambda sync: in_savepoint(sync, use_case, *args, **kw))

    async def answer(
        self, request: Request, respond: Callable[[], Awaitable[Response]]
    ) -> Response:
        """What ``respond`` answers, stored and committed with its effect, or the stored answer.

        A refusal that is a decision is stored too. Anything else rolls back and passes through.
        """
        try:
            try:
                response = await respond()
            except Replay as replay:
                return self._replayed(replay.answer)
            except Reused:
                raise
            except Exception as error:
                problem = problem_for(error)
                if self._conn is None or problem is None or problem.status not in _DECISIONS:
                    raise
                response = problem_response(problem, request)
            if self._conn is not None and _is_answer(response.status_code):
                await self._keep(self._conn, response)
            return response
        finally:
            if self._conn is not None:
                await self._conn.close()

    async def _claimed(self) -> AsyncConnection:
        try:
            self._conn = conn = await self._engine.connect()
            found = await conn.run_sync(claim, self._caller, self._key, self._asked)
        except (DBAPIError, PoolTimeout) as error:
            raise _typed(error) from None
        if found is None:
            return conn
        if found.request_hash != self._asked:
            raise Reused()
        raise Replay(found)

    async def _keep(self, conn: AsyncConnection, response: Response) -> None:
        headers = {
            name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers
        }
        sealed = self._vault.seal(bytes(response.body), _PURPOSE)
        try:
            await conn.run_sync(
                lambda sync: keep(
                    sync,
                    self._caller,
                    self._key,
                    status=response.status_code,
                    headers=headers,
                    body=sealed,
                )
            )
            await conn.commit()
        except DBAPIError as error:
            raise _typed(error) from None

    def _replayed(self, answer: StoredAnswer) -> Response:
        body = self._vault.open(answer.body, _PURPOSE)
        response = Response(body, answer.status, dict(answer.headers))
        response.headers[REPLAYED] = "true"
        return response


class Reused(Invalid):
    """The key came before, with another request."""

    title = "Idempotency-Key used before"

    def __init__(self) -> None:
        super().__init__(
            "idempotency-key-reused",
            f"this {HEADER} was used for another request in the last 24 hours; nothing was "
            "changed. Send a new key with a new request",
        )


def _is_answer(status: int) -> bool:
    return 200 <= status < 300 or status in _DECISIONS


def _typed(error: DBAPIError | PoolTimeout) -> Exception:
    if isinstance(error, PoolTimeout):
        return Busy("every database connection is in use; nothing was changed, try again")
    return translated(error) or error
