"""The transport of async clients over aiohttp. This module can be imported only with the extra `aiohttp`.

This module uses the transport of httpx-aiohttp. openai's `DefaultAioHttpClient` contains a copy of that transport, but
importing openai takes half a second.
"""

from __future__ import annotations

import asyncio
import sys
import warnings
from functools import partial
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, cast

import aiohttp

from langchain_gemini_compat._lazy import library_name

if TYPE_CHECKING:
    import ssl

    import httpx2
    from httpx_aiohttp.httpx2 import AiohttpTransport

#: Maximum length of a header in bytes. The default of aiohttp is 8190. httpx accepts 100 kB of headers.
_MAX_HEADER = 2**16
#: Minimum size in bytes of a body that is sent in pieces.
_LARGE_BODY = 2**20


#: The module of httpx-aiohttp whose transport works with the installed HTTP library (httpx or httpx2).
_adapter = import_module("httpx_aiohttp.httpx2" if library_name() == "httpx2" else "httpx_aiohttp")
_Transport = cast("type[AiohttpTransport]", _adapter.AiohttpTransport)


def build_transport(context: ssl.SSLContext, limits: httpx2.Limits) -> httpx2.AsyncBaseTransport:
    """Return a transport without cookies. Its session belongs to the event loop that sends the first request."""
    return _Transport(verify=context, client=partial(_open_session, context, limits))


def _open_session(context: ssl.SSLContext, limits: httpx2.Limits) -> aiohttp.ClientSession:
    connector = _Connector(ssl=context, limit=limits.max_connections or 0, keepalive_timeout=limits.keepalive_expiry)
    return aiohttp.ClientSession(
        connector=connector,
        request_class=_Request,
        cookie_jar=aiohttp.DummyCookieJar(),
        max_line_size=_MAX_HEADER,
        max_field_size=_MAX_HEADER,
    )


class _Request(aiohttp.ClientRequest):
    """A request that sends a large body in pieces, because aiohttp warns about a body that blocks the event loop."""

    def update_body_from_data(self, body: object, _stacklevel: int = 3) -> None:
        """Set the body of the request. This method overrides a method of aiohttp.

        If a release of aiohttp renames the overridden method, `test_large_request_is_sent_without_a_warning` fails.
        """
        super().update_body_from_data(
            BytesIO(body) if isinstance(body, bytes) and len(body) > _LARGE_BODY else body, _stacklevel
        )


class _Connector(aiohttp.TCPConnector):
    """A connector of aiohttp that counts as closed if its event loop can no longer close it.

    So aiohttp does not log "Unclosed client session" if a program closes the event loop before the client.
    """

    def __init__(self, *, ssl: ssl.SSLContext, limit: int, keepalive_timeout: float | None) -> None:
        super().__init__(ssl=ssl, limit=limit, keepalive_timeout=keepalive_timeout)
        self._of_loop = asyncio.get_running_loop()

    @property
    def closed(self) -> bool:
        """Whether the connector is closed, or cannot be closed any more: its event loop is closed, or Python exits."""
        return super().closed or self._of_loop.is_closed() or sys.is_finalizing()

    def __del__(self, _warnings: object = warnings) -> None:
        if not self.closed:
            super().__del__(_warnings)
