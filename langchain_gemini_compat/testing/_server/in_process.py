"""HTTP clients whose requests never leave the process.

The clients use the documented mock transport of the HTTP library that the installed openai SDK uses. A pause longer
than the read timeout of a request raises the library's timeout error, as on a socket.
"""

from __future__ import annotations

import asyncio
import math
import time
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias, cast

from langchain_gemini_compat._lazy import library_name
from langchain_gemini_compat.testing._server.answers import Break, Pause

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
    from types import ModuleType

    import httpx2

    from langchain_gemini_compat.testing._server.answers import Answer, Step

Respond: TypeAlias = "Callable[[str, str, Mapping[str, str], bytes], Answer]"
_BROKEN = "peer closed connection without sending complete message body (incomplete chunked read)"


def build_client(respond: Respond) -> httpx2.Client:
    """Return a sync client whose requests are answered by `respond`."""
    library = _library()

    def answer(request: httpx2.Request) -> httpx2.Response:
        found = respond(request.method, str(request.url), request.headers, request.content)
        _sleep(library, request, found.delay)
        return _response(library, found, _stream_steps(library, request, found.steps))

    transport = library.MockTransport(answer)
    return cast("type[httpx2.Client]", library.Client)(transport=cast("httpx2.MockTransport", transport))


def build_async_client(respond: Respond) -> httpx2.AsyncClient:
    """Return an async client whose requests are answered by `respond`. It works in any event loop."""
    library = _library()

    async def answer(request: httpx2.Request) -> httpx2.Response:
        found = respond(request.method, str(request.url), request.headers, request.content)
        await _sleep_async(library, request, found.delay)
        return _response(library, found, _stream_steps_async(library, request, found.steps))

    transport = library.MockTransport(answer)
    return cast("type[httpx2.AsyncClient]", library.AsyncClient)(transport=cast("httpx2.MockTransport", transport))


def _library() -> ModuleType:
    return import_module(library_name())


def _response(library: ModuleType, answer: Answer, content: Iterator[bytes] | AsyncIterator[bytes]) -> httpx2.Response:
    response = cast("type[httpx2.Response]", library.Response)
    return response(answer.status, headers=dict(answer.headers), content=content)


def _stream_steps(library: ModuleType, request: httpx2.Request, steps: Sequence[Step]) -> Iterator[bytes]:
    for step in steps:
        if isinstance(step, Pause):
            _sleep(library, request, step.seconds)
        elif isinstance(step, Break):
            raise _connection_broken(library)
        else:
            yield step


async def _stream_steps_async(
    library: ModuleType, request: httpx2.Request, steps: Sequence[Step]
) -> AsyncIterator[bytes]:
    for step in steps:
        if isinstance(step, Pause):
            await _sleep_async(library, request, step.seconds)
        elif isinstance(step, Break):
            raise _connection_broken(library)
        else:
            yield step


def _sleep(library: ModuleType, request: httpx2.Request, seconds: float) -> None:
    if seconds <= 0:
        # `time.sleep(0)` is not called, because tools such as blockbuster report it as a blocking call in an event
        # loop.
        return
    limit = _read_limit(request)
    time.sleep(min(seconds, limit))
    if seconds > limit:
        raise _read_timeout(library, request)


async def _sleep_async(library: ModuleType, request: httpx2.Request, seconds: float) -> None:
    if seconds <= 0:
        return
    limit = _read_limit(request)
    await asyncio.sleep(min(seconds, limit))
    if seconds > limit:
        raise _read_timeout(library, request)


def _read_limit(request: httpx2.Request) -> float:
    """Return the read timeout in seconds. Call this before each pause: the timeout can change during the reply."""
    limits = cast("Mapping[str, float | None]", request.extensions.get("timeout") or {})
    limit = limits.get("read")
    return math.inf if limit is None else limit


def _read_timeout(library: ModuleType, request: httpx2.Request) -> Exception:
    return cast("type[httpx2.ReadTimeout]", library.ReadTimeout)("The read operation timed out", request=request)


def _connection_broken(library: ModuleType) -> Exception:
    return cast("type[httpx2.RemoteProtocolError]", library.RemoteProtocolError)(_BROKEN)
