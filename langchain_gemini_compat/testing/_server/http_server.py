"""Serve the answers of the fake over HTTP, with uvicorn in a thread.

After the `with` block, the thread has ended and the sockets are closed.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import closing, contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, TypeAlias

from langchain_gemini_compat.testing._server.answers import Break, Pause

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping

    from uvicorn import Server

    from langchain_gemini_compat.testing._server.answers import Answer

Respond: TypeAlias = "Callable[[str, str, Mapping[str, str], bytes], Answer]"
AsgiMessage: TypeAlias = "dict[str, object]"
Receive: TypeAlias = "Callable[[], Awaitable[AsgiMessage]]"
Send: TypeAlias = "Callable[[AsgiMessage], Awaitable[None]]"
_START_SECONDS = 10.0


@contextmanager
def serve(respond: Respond, path: str, port: int, host: str) -> Generator[str]:
    """Serve the answers of `respond`, and yield the base URL, which ends with `path`."""
    try:
        import uvicorn
    except ImportError as err:
        raise ImportError(
            "FakeGemini.serve() needs uvicorn: run `pip install uvicorn`. In process "
            "(`fake.chat_model()`, `fake.connection()`) the fake works without uvicorn."
        ) from err
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.create_server((host, port), family=family)) as listener:
        config = uvicorn.Config(
            build_app(respond),
            lifespan="off",
            ws="none",
            http="h11",
            loop="asyncio",
            log_config=None,
            # An idle connection stays open for a long time. If the server closed it while a client sends, the client
            # would see a network error.
            timeout_keep_alive=75,
            log_level="critical",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="fake-gemini", daemon=True)
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield f"http://{_name_host(host)}:{listener.getsockname()[1]}{path}"
        finally:
            server.should_exit = True
            thread.join()


def _name_host(host: str) -> str:
    """Return the host for the base URL. For all interfaces, such as 0.0.0.0, return the loopback address."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return host if address.version == 4 else f"[{host}]"


def build_app(respond: Respond) -> Callable[[Mapping[str, object], Receive, Send], Awaitable[None]]:
    """Return an ASGI application that sends the answers of `respond`."""

    async def app(scope: Mapping[str, object], receive: Receive, send: Send) -> None:
        content = await _read_all(receive)
        answer = respond(str(scope["method"]), _url(scope), _headers(scope), content)
        if answer.delay > 0:
            await asyncio.sleep(answer.delay)
        headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        for step in answer.steps:
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
            elif isinstance(step, Break):
                # If the application returns before the end of the body, uvicorn breaks the connection.
                return
            else:
                await send({"type": "http.response.body", "body": step, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


async def _read_all(receive: Receive) -> bytes:
    pieces: list[bytes] = []
    more: object = True
    while more:
        message = await receive()
        body = message.get("body", b"")
        pieces.append(body if isinstance(body, bytes) else b"")
        more = message.get("more_body", False)
    return b"".join(pieces)


def _url(scope: Mapping[str, object]) -> str:
    query = scope.get("query_string", b"")
    return f"{scope['path']}?{query.decode() if isinstance(query, bytes) else ''}"


def _headers(scope: Mapping[str, object]) -> dict[str, str]:
    pairs = scope.get("headers")
    if not isinstance(pairs, list):
        return {}
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}


def _wait_until_started(server: Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError(
                f"The server of FakeGemini did not start: its thread ended, or {_START_SECONDS:.0f} seconds passed."
            )
        time.sleep(0.005)
