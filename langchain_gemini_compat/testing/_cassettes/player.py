"""Replays a cassette: answers the requests of this process with recorded exchanges, without a network."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import AsyncIterator, Generator, Hashable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from langchain_gemini_compat._lazy import library_name
from langchain_gemini_compat._request.known_refusals import forget_refusals
from langchain_gemini_compat._transport.tape import add_player, remove_player
from langchain_gemini_compat._transport.tokens import AuthInfo
from langchain_gemini_compat.testing._cassettes.errors import ReplayError
from langchain_gemini_compat.testing._cassettes.failures import build_failure
from langchain_gemini_compat.testing._cassettes.file import Cassette, read_cassette
from langchain_gemini_compat.testing._cassettes.layout import describe_request, read_headers, render_chunks
from langchain_gemini_compat.testing._cassettes.scrub import PROJECT, Scrubber
from langchain_gemini_compat.testing._model.json_values import as_object, as_text, dump, read_path
from langchain_gemini_compat.testing._server.difference import encode_body, find_difference

if TYPE_CHECKING:
    from types import ModuleType

    import httpx2

    from langchain_gemini_compat._transport.tokens import TokenSource
    from langchain_gemini_compat.testing._model.json_values import JsonObject
    from langchain_gemini_compat.testing._server.difference import Difference

#: Ids that the package generates for calls to which the server gave no id. These ids differ in each run.
_OWN_ID = re.compile(r"call_[0-9a-f]{20}")
_UNAUTHENTICATED = 401
#: The environment variables that select the surface of a model if its arguments do not select one.
_KEYS = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
_PLACE = ("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION")


class Replay:
    """A running replay, as `replay` returns it.

    Attributes:
        remaining: The number of exchanges that were not replayed yet.

    Examples:
        >>> import tempfile
        >>> from langchain_gemini_compat.testing import FakeGemini, record, replay
        >>> path = f"{tempfile.mkdtemp()}/bug.yaml"
        >>> with record(path):
        ...     reply = FakeGemini("Hello!").chat_model().invoke("Hi")
        >>> with replay(path) as replayed:
        ...     replayed.remaining
        1
    """

    def __init__(self, cassette: Cassette, path: Path, *, ignore_bodies: bool) -> None:
        self._path = path
        self._max_body = cassette.max_body
        self._ignore_bodies = ignore_bodies
        self._exchanges = cassette.interactions
        self._keys = [_key_of(as_object(one.get("request")), ignore_bodies=ignore_bodies) for one in self._exchanges]
        self._unused = [*range(len(self._exchanges))]
        self._lock = threading.Lock()
        self._errors: list[ReplayError] = []
        self._tokens = _ReplayTokens()
        self.tokens: TokenSource = self._tokens
        library = import_module(library_name())
        self.client: httpx2.Client = library.Client(transport=library.MockTransport(self._answer))
        self.async_client: httpx2.AsyncClient = library.AsyncClient(transport=library.MockTransport(self._answer_async))

    @property
    def remaining(self) -> int:
        """The number of exchanges that were not replayed yet."""
        return len(self._unused)

    def raise_first_error(self) -> None:
        """Raise the first error of this replay again, if any, because the program may have caught the error."""
        if self._errors:
            raise self._errors[0]

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        response = self._find(request)
        return _build_response(response, _stream(response))

    async def _answer_async(self, request: httpx2.Request) -> httpx2.Response:
        response = self._find(request)
        return _build_response(response, _stream_async(response))

    def _find(self, request: httpx2.Request) -> JsonObject:
        """Return the recorded response for `request`. If the recorded request failed, raise its failure."""
        asked = describe_request(request, request.content, Scrubber(request), self._max_body)
        key = _key_of(asked, ignore_bodies=self._ignore_bodies)
        with self._lock:
            number = self._choose(key, asked)
            if number is None:
                raise self._note(*self._describe_mismatch(asked))
            self._unused.remove(number)
        response = as_object(self._exchanges[number].get("response"))
        if "cut" in response:
            raise self._note(
                f"The reply of exchange {number + 1} of {self._path} was cut when it was recorded (`max_body`), so it "
                "cannot be replayed. Record the program again with a larger `max_body`."
            )
        self._tokens.note_response(request, response)
        if response.keys() == {"stopped"}:
            where = f"exchange {number + 1} of {self._path}"
            raise self._note(
                f"The recorded program ended the request of {where} before an answer came, so nothing can be replayed."
            )
        if "status" not in response:
            raise build_failure(as_object(response.get("failure")), has_begun=False)
        return response

    def _choose(self, key: tuple[str, ...], asked: JsonObject) -> int | None:
        """Return the number of the first unused exchange with this `key`, if possible with the host of `asked`."""
        found = [number for number in self._unused if self._keys[number] == key]
        host = _host_of(asked)
        same = (number for number in found if _host_of(as_object(self._exchanges[number].get("request"))) == host)
        return next(same, next(iter(found), None))

    def _note(self, message: str, difference: Difference | None = None) -> ReplayError:
        """Store an error and return it. The end of the replay raises the stored error again."""
        error = ReplayError(message, difference)
        self._errors.append(error)
        return error

    def _describe_mismatch(self, asked: JsonObject) -> tuple[str, Difference | None]:
        """Return the error message for a request without a recorded reply, and its difference from the nearest one."""
        count = len(self._exchanges)
        if any(key == _key_of(asked, ignore_bodies=self._ignore_bodies) for key in self._keys):
            text = "The program sent a request more often than the recorded run, so no recorded reply is left for it."
            return f"{text} Record the program again: {self._path}", None
        body = as_object(asked.get("json"))
        numbers = self._unused or range(count)
        ranked = [(self._rank(number, asked), -number) for number in numbers]
        if not ranked:
            return f"{self._path} contains no exchange. Record the program again.", None
        number = -max(ranked)[1]
        nearest = as_object(self._exchanges[number].get("request"))
        lines = [f"No exchange in {self._path} matches this request. The nearest is number {number + 1} of {count}."]
        paths = [urlsplit(as_text(one.get("uri"))).path for one in (nearest, asked)]
        if paths[0] != paths[1]:
            lines.append(f"recorded path {paths[0]}\nsent path     {paths[1]}")
        difference = find_difference(as_object(nearest.get("json")), body)
        if difference is not None:
            lines.append(f"{difference}\n(first the recorded request, then the request that was sent)")
        lines.append(
            "Likely cause: the program, its input or a tool's result differs from the recorded run. For prompts with "
            "times or random ids, pass `ignore_bodies=True`."
        )
        return "\n".join(lines), difference

    def _rank(self, number: int, asked: JsonObject) -> tuple[bool, int]:
        """Return how similar a recorded request is to `asked`.

        The result says whether the paths are equal, and how many bytes of the bodies are equal before their first
        difference.
        """
        recorded = as_object(self._exchanges[number].get("request"))
        is_same_path = _path_of(recorded) == _path_of(asked)
        difference = find_difference(as_object(recorded.get("json")), as_object(asked.get("json")))
        return is_same_path, len(encode_body(asked.get("json"))) if difference is None else difference.position


class _ReplayTokens:
    """Replaces the credentials of the models. `token` always returns a new token, so a token identifies its request."""

    info = AuthInfo("none", "replay")
    account: Hashable = "replay"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._refused: set[str] = set()

    def token(self, deadline: float | None = None) -> str:
        del deadline
        with self._lock:
            self._count += 1
            return f"replay-{self._count}"

    async def atoken(self, deadline: float | None = None) -> str:
        return self.token(deadline)

    def note_response(self, request: httpx2.Request, response: JsonObject) -> None:
        """Store the token of `request` if `response` is a 401 whose body was not read.

        The recorded program did not read this body, because it sent the request again with a new token. `reject`
        returns true for a stored token, so that the model also sends the request again in the replay.
        """
        if read_path(response, "status", "code") == _UNAUTHENTICATED and "stopped" in response:
            with self._lock:
                self._refused.add(str(request.headers.get("authorization", "")).removeprefix("Bearer "))

    def reject(self, token: str) -> bool:
        with self._lock:
            return token in self._refused

    def headers(self) -> Mapping[str, str]:
        return {}

    def apply(self, token: str) -> Mapping[str, str]:
        return {"authorization": f"Bearer {token}"}

    def project(self, deadline: float | None = None) -> str | None:
        del deadline
        return PROJECT

    async def aproject(self, deadline: float | None = None) -> str | None:
        return self.project(deadline)


@contextmanager
def replay(path: str | os.PathLike[str], *, ignore_bodies: bool = False) -> Generator[Replay]:
    """Answer the requests of all models of this process from a cassette until the `with` block ends.

    No network, key or credentials are needed. Retries do not wait. Streams have the recorded events. Errors of servers
    and of the network come in the recorded order. In the `with` block, environment variables are set so that a model
    without connection arguments uses the surface of the cassette.

    A recorded exchange answers the first request with the same path and body. Projects and hosts may differ, and so may
    ids of calls that the package generates. An exchange is used once. A cassette does not contain calls that the
    package refuses without a request, for example during the wait after a 429.

    Args:
        path: The cassette, from `record` or from the folder `cassettes` of the repository.
        ignore_bodies: Whether to answer in the recorded order without comparing bodies, for prompts with times or
            random ids. Default: `False`.

    Yields:
        The `Replay`.

    Raises:
        ReplayError: A request is not in the cassette. The call raises the error. If the program catches the error, the
            end of the block raises it again.
        ValueError: The file is not a cassette.
        OSError: The file cannot be read.

    Examples:
        >>> import tempfile
        >>> from langchain_gemini_compat import ChatGeminiCompat
        >>> from langchain_gemini_compat.testing import FakeGemini, record, replay
        >>> path = f"{tempfile.mkdtemp()}/bug.yaml"
        >>> with record(path):
        ...     reply = FakeGemini("Hello!").chat_model().invoke("Hi")
        >>> with replay(path):
        ...     ChatGeminiCompat(model="gemini-3.8-flash", api_key="any").invoke("Hi").text
        'Hello!'
    """
    file = Path(path)
    cassette = read_cassette(file)
    player = Replay(cassette, file, ignore_bodies=ignore_bodies)
    with _environment_of(cassette):
        # The package remembers what servers have refused. The recorded program began without this memory, so the replay
        # does too. The refusals of the replay are forgotten at its end, because no server sent them.
        forget_refusals()
        add_player(player)
        try:
            yield player
        finally:
            remove_player(player)
            forget_refusals()
            player.client.close()
    player.raise_first_error()


@contextmanager
def _environment_of(cassette: Cassette) -> Generator[None]:
    """Until the block ends, let the environment variables select only the surfaces of the cassette."""
    uris = [as_text(read_path(one, "request", "uri")) for one in cassette.interactions]
    places = [place for uri in uris if (place := re.search("/locations/([^/]+)/", uri))]
    wanted: dict[str, str] = {}
    if any("/v1beta/openai/" in uri for uri in uris):
        wanted[_KEYS[0]] = os.environ.get(_KEYS[0]) or "replay"
    if places:
        wanted |= dict(zip(_PLACE, (os.environ.get(_PLACE[0]) or "replay-project", places[0][1]), strict=True))
    names = (*_KEYS, *_PLACE) if wanted else ()
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(before)


def _key_of(request: JsonObject, *, ignore_bodies: bool) -> tuple[str, ...]:
    """Return the parts of a request that a replay compares: method, path and body.

    The ids that the package generated for tool calls are replaced. With `ignore_bodies`, the body is left out.
    """
    method, path = as_text(request.get("method")), _path_of(request)
    if ignore_bodies:
        return method, path
    body: JsonObject = {name: request[name] for name in ("json", "text", "cut") if name in request}
    return method, path, _OWN_ID.sub("call_own", dump(body))


def _path_of(request: JsonObject) -> str:
    return urlsplit(as_text(request.get("uri"))).path


def _host_of(request: JsonObject) -> str:
    return urlsplit(as_text(request.get("uri"))).hostname or ""


def _build_response(response: JsonObject, content: Iterator[bytes] | AsyncIterator[bytes]) -> httpx2.Response:
    library: ModuleType = import_module(library_name())
    build = cast("type[httpx2.Response]", library.Response)
    code = read_path(response, "status", "code")
    return build(code if isinstance(code, int) else 200, headers=read_headers(response), content=content)


def _stream(response: JsonObject) -> Iterator[bytes]:
    yield from render_chunks(response)
    failure = as_object(response.get("failure"))
    if failure:
        raise build_failure(failure, has_begun=True)


async def _stream_async(response: JsonObject) -> AsyncIterator[bytes]:
    for piece in _stream(response):
        yield piece
