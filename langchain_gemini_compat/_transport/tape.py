"""Hooks that record exchanges and replay them. `testing.record` and `testing.replay` set these hooks.

The hooks apply to every request of the package, with any HTTP client. A recorder or player applies to all models and
threads of the process. A player of `playing_here` applies only to the current thread or task. The environment variable
`GEMINI_COMPAT_RECORD` starts a recorder without a change of the program.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from langchain_gemini_compat._transport.process_lock import singleton_lock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

    import httpx2

    from langchain_gemini_compat._transport.deadlines import Limit
    from langchain_gemini_compat._transport.tokens import TokenSource

#: The environment variable with the path of the file to which a process records its exchanges. Child processes inherit
#: the variable, and append to the same file.
RECORD_VARIABLE = "GEMINI_COMPAT_RECORD"


class Take(Protocol):
    """Records one exchange, from the request to the end of the response."""

    def note_response(self, response: httpx2.Response, *, is_raw: bool) -> None:
        """Record status and headers. If `is_raw` is true, `note_piece` gets the bytes as sent, perhaps compressed."""
        ...

    def note_piece(self, data: bytes) -> None:
        """Record a piece of the body."""
        ...

    def note_end(self) -> None:
        """Record that the body ended without an error."""
        ...

    def note_failure(self, error: BaseException) -> None:
        """Record that the exchange ended with `error`."""
        ...

    def save(self, exceeded: Limit | None = None) -> None:
        """Write the exchange to the file. `exceeded` is the time limit that ended the exchange, or `None`."""
        ...


class Recorder(Protocol):
    """Records the exchanges of this process."""

    def start_take(self, request: httpx2.Request) -> Take:
        """Return the record of a new exchange. Call this before `request` is sent."""
        ...


class _RecorderModule(Protocol):
    """Describes the module `testing._cassettes.recorder` for type checkers, because the module is imported by name."""

    def build_environment_recorder(self, path: str) -> Recorder:
        """Return a recorder that writes to `path`, the value of `GEMINI_COMPAT_RECORD`."""
        ...


class Player(Protocol):
    """Answers requests in place of a server, for example from a cassette."""

    client: httpx2.Client
    async_client: httpx2.AsyncClient
    #: The source of tokens that is used in place of the models' credentials.
    tokens: TokenSource


class _Hooks:
    """The recorders and players of this process. Each tuple is replaced as a whole, so readers need no lock."""

    def __init__(self) -> None:
        self.recorders: tuple[Recorder, ...] = ()
        self.players: tuple[Player, ...] = ()
        self.has_read_environment = False


_hooks = _Hooks()
_player_here: ContextVar[Player | None] = ContextVar("_player_here", default=None)


def add_recorder(recorder: Recorder) -> None:
    """Record all exchanges that begin from now on."""
    with singleton_lock():
        _hooks.recorders += (recorder,)


def remove_recorder(recorder: Recorder) -> None:
    """Record no further exchanges with `recorder`."""
    with singleton_lock():
        _hooks.recorders = tuple(one for one in _hooks.recorders if one is not recorder)


def add_player(player: Player) -> None:
    """Answer all requests with `player` from now on. Of several players, the newest one answers."""
    with singleton_lock():
        _hooks.players += (player,)


def remove_player(player: Player) -> None:
    """Answer no further requests with `player`."""
    with singleton_lock():
        _hooks.players = tuple(one for one in _hooks.players if one is not player)


@contextmanager
def playing_here(player: Player) -> Generator[None]:
    """Answer the requests of this context with `player`. Other threads and tasks are not affected."""
    token = _player_here.set(player)
    try:
        yield
    finally:
        _player_here.reset(token)


def is_playing_here() -> bool:
    """Return whether a player of `playing_here` answers the requests of this context.

    Such a player gives every retry the same reply.
    """
    return _player_here.get() is not None


def current_player() -> Player | None:
    """Return the player that answers requests now, or `None` if servers answer them."""
    return _player_here.get() or (_hooks.players[-1] if _hooks.players else None)


def record_from_environment() -> None:
    """Start a recorder if `GEMINI_COMPAT_RECORD` is set. Only the first call in a process reads this variable."""
    if _hooks.has_read_environment:
        return
    _hooks.has_read_environment = True
    path = os.environ.get(RECORD_VARIABLE)
    if path:
        # The recorder is in `testing`, a higher layer. This module must not have an `import` statement for `testing`,
        # so it imports the recorder by name.
        module = cast("_RecorderModule", import_module("langchain_gemini_compat.testing._cassettes.recorder"))
        add_recorder(module.build_environment_recorder(path))


def start_take(request: httpx2.Request) -> Take | None:
    """Return the record of an exchange that is about to begin, or `None` if nothing is recorded."""
    if not _hooks.recorders:
        return None
    takes = [recorder.start_take(request) for recorder in _hooks.recorders]
    return _Takes(takes) if len(takes) > 1 else takes[0]


def note_pieces(take: Take, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield `pieces`, and record them."""
    try:
        for data in pieces:
            take.note_piece(data)
            yield data
    except Exception as err:
        take.note_failure(err)
        raise
    take.note_end()


async def note_pieces_async(take: Take, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Async version of `note_pieces`."""
    try:
        async for data in pieces:
            take.note_piece(data)
            yield data
    except Exception as err:
        take.note_failure(err)
        raise
    take.note_end()


class _Takes:
    """The records that several recorders make of one exchange."""

    def __init__(self, takes: list[Take]) -> None:
        self._takes = takes

    def note_response(self, response: httpx2.Response, *, is_raw: bool) -> None:
        for take in self._takes:
            take.note_response(response, is_raw=is_raw)

    def note_piece(self, data: bytes) -> None:
        for take in self._takes:
            take.note_piece(data)

    def note_end(self) -> None:
        for take in self._takes:
            take.note_end()

    def note_failure(self, error: BaseException) -> None:
        for take in self._takes:
            take.note_failure(error)

    def save(self, exceeded: Limit | None = None) -> None:
        for take in self._takes:
            take.save(exceeded)
