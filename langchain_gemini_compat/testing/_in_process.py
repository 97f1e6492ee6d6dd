"""Clients of the SDK's HTTP library whose requests never leave the process.

Its one rule: the library is the one under the installed openai SDK, and nothing else is asked of it than its
documented mock transport.
"""

from __future__ import annotations

import asyncio
import time
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias, cast

from langchain_gemini_compat._http import library_name
from langchain_gemini_compat.testing._answers import Break, Pause

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
    from types import ModuleType

    import httpx2

    from langchain_gemini_compat.testing._answers import Answer, Step

Respond: TypeAlias = "Callable[[str, str, Mapping[str, str], bytes], Answer]"
_BROKEN = "peer closed connection without sending complete message body (incomplete chunked read)"


def build_client(respond: Respond) -> httpx2.Client:
    """A sync client whose every request `respond` answers."""
    library = _library()

    def answer(request: httpx2.Request) -> httpx2.Response:
        found = respond(request.method, str(request.url), request.headers, request.content)
        time.sleep(found.delay)
        return _response(library, found, _play(library, found.steps))

    transport = library.MockTransport(answer)
    return cast("type[httpx2.Client]", library.Client)(transport=cast("httpx2.MockTransport", transport))


def build_async_client(respond: Respond) -> httpx2.AsyncClient:
    """An async client whose every request `respond` answers; it holds no event loop."""
    library = _library()

    async def answer(request: httpx2.Request) -> httpx2.Response:
        found = respond(request.method, str(request.url), request.headers, request.content)
        await asyncio.sleep(found.delay)
        return _response(library, found, _aplay(library, found.steps))

    transport = library.MockTransport(answer)
    return cast("type[httpx2.AsyncClient]", library.AsyncClient)(transport=cast("httpx2.MockTransport", transport))


def _library() -> ModuleType:
    return import_module(library_name())


def _response(library: ModuleType, answer: Answer, content: Iterator[bytes] | AsyncIterator[bytes]) -> httpx2.Response:
    response = cast("type[httpx2.Response]", library.Response)
    return response(answer.status, headers=dict(answer.headers), content=content)


def _play(library: ModuleType, steps: Sequence[Step]) -> Iterator[bytes]:
    for step in steps:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
        elif isinstance(step, Break):
            raise _broken(library)
        else:
            yield step


async def _aplay(library: ModuleType, steps: Sequence[Step]) -> AsyncIterator[bytes]:
    for step in steps:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
        elif isinstance(step, Break):
            raise _broken(library)
        else:
            yield step


def _broken(library: ModuleType) -> Exception:
    return cast("type[httpx2.RemoteProtocolError]", library.RemoteProtocolError)(_BROKEN)
