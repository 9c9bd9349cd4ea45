"""The application with a hello-world beside it, for the benchmarks alone.

``python -m tests.benchmarks.served`` prints its port and serves as ``rehab-beds serve`` does with
one worker: the same uvicorn settings, loop and parser. ``/hello`` is a bare FastAPI application
without our middleware; every other path is the service.
"""

import socket

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from service import logs
from service.app import create_app
from service.commands.serve import uvicorn_options
from service.settings import load_settings


def hello_world() -> FastAPI:
    """The smallest FastAPI application: what one request costs before anything is done."""
    app = FastAPI()

    @app.get("/hello")
    async def hello() -> dict[str, str]:
        return {"hello": "world"}

    return app


def with_hello(app: ASGIApp) -> ASGIApp:
    """``app``, and a hello-world at ``/hello`` in the same process."""
    hello = hello_world()

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        await (hello if scope.get("path") == "/hello" else app)(scope, receive, send)

    return either


def main() -> None:
    """Serve until told to end."""
    settings = load_settings()
    logs.configure()
    app = with_hello(create_app(settings))
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        print(listening.getsockname()[1], flush=True)
        config = uvicorn.Config(app, **uvicorn_options(settings))
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
