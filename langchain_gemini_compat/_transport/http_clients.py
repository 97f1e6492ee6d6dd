"""The HTTP clients of one model: clients that the caller passed, or clients that several models share."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from langchain_gemini_compat._transport.client_factory import digest_environment
from langchain_gemini_compat._transport.loop_clients import drop_closed_loops, take_loop_client
from langchain_gemini_compat._transport.shared_clients import take_client
from langchain_gemini_compat._transport.tape import current_player

if TYPE_CHECKING:
    from collections.abc import Hashable

    import httpx2

    from langchain_gemini_compat._transport.shared_clients import Share


class Clients:
    """The HTTP clients of one model.

    While this object exists, the clients of the model stay open. A reply that is being read refers to this object, so
    the connection of the reply stays open.

    Args:
        client: The caller's client for blocking calls, or `None`. The caller closes it.
        async_client: The caller's client for async calls, or `None`. The caller closes it.
        place: The server and the account. Models share a client only if they have the same server, the same account,
            and the same network settings in the environment.
    """

    def __init__(self, client: httpx2.Client | None, async_client: httpx2.AsyncClient | None, place: Hashable) -> None:
        self._given = client
        self._given_async = async_client
        self._place = place
        self._share: Share[httpx2.Client] | None = None
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Share[httpx2.AsyncClient]] = WeakKeyDictionary()

    def sync_client(self) -> httpx2.Client:
        """Return the client for blocking calls. The first call opens a client, or shares one that is already open.

        If a player (see `tape`) answers the requests in place of a server, return the player's client.
        """
        player = current_player()
        if player is not None:
            return player.client
        if self._given is not None:
            return self._given
        share = self._share
        # When Python exits, an `atexit` function of this package closes the clients. If an `atexit` function of the
        # program makes a call after that, the call gets a new client.
        if share is None or share.pid != os.getpid() or share.client.is_closed:
            share = self._share = take_client((self._place, digest_environment()))
        return share.client

    async def async_client(self) -> httpx2.AsyncClient:
        """Return the client of the running event loop. The first call on a loop opens a client, or shares an open one.

        If a player (see `tape`) answers the requests in place of a server, return the player's client.
        """
        player = current_player()
        if player is not None:
            return player.async_client
        if self._given_async is not None:
            return self._given_async
        loop = asyncio.get_running_loop()
        share = self._by_loop.get(loop)
        if share is None or share.pid != os.getpid() or share.client.is_closed:
            drop_closed_loops(self._by_loop)
            environment = await asyncio.to_thread(digest_environment)
            share = self._by_loop[loop] = await take_loop_client((self._place, environment))
        return share.client
