"""Requests as bytes to answers as values: a whole endpoint without a network.

Its one rule: what Google would refuse is refused, and nothing is said before the request was judged, so a script is
played only by requests that would have been answered.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, cast, get_args

from langchain_gemini_compat._lazy import LazyHttpLibrary
from langchain_gemini_compat.chat_models import ChatGeminiCompat
from langchain_gemini_compat.embeddings import GeminiCompatEmbeddings
from langchain_gemini_compat.testing._model.faults import Fault, GoogleError
from langchain_gemini_compat.testing._model.json_values import JsonObject, Surface
from langchain_gemini_compat.testing._model.replies import Call, Raw, Reply
from langchain_gemini_compat.testing._render.setting import build_setting
from langchain_gemini_compat.testing._rules.judge import judge_request
from langchain_gemini_compat.testing._rules.violations import Violation
from langchain_gemini_compat.testing._server.answers import (
    Answer,
    AnyReply,
    answer_error,
    answer_raw,
    answer_reply,
    answer_violation,
    build_reply,
)
from langchain_gemini_compat.testing._server.embeddings import answer_embedding, check_embedding
from langchain_gemini_compat.testing._server.requests import FakeRequest, read_request

if TYPE_CHECKING:
    import httpx2
else:
    httpx2 = LazyHttpLibrary()

Rule: TypeAlias = Callable[[FakeRequest], AnyReply]
Replies: TypeAlias = Sequence[AnyReply] | Rule | AnyReply | None

#: Up to and without `/chat/completions`; the host stands before it.
BASE_PATHS: Mapping[Surface, str] = {
    "vertex": "/v1/projects/fake-project/locations/global/endpoints/openapi",
    "ai_studio": "/v1beta/openai",
    "openai_compatible": "/v1",
}
#: `.invalid` names no host anywhere: a request that goes around the fake's own clients reaches nobody.
_HOST = "https://gemini.invalid"
_KEY = "fake-key-for-tests"
_MODELS = ("gemini-3.8-flash", "gemini-3.5-flash-lite", "gemini-3.1-pro-preview", "gemini-2.5-flash")
_logger = logging.getLogger("langchain_gemini_compat")


class FakeGemini:
    """An offline endpoint that talks like Google's and refuses what Google refuses.

    `replies` is a script, a list played in order, one for each request; or a function of the request; or one reply
    for every request; or nothing, and then the newest user message comes back. A reply is a text, a `Call`, a list
    of `Call`s, a `Reply`, a `Raw` body or a `Fault`.

    A request after the end of the script raises `AssertionError`, a reply that is none `TypeError`, and what a
    function raises comes out as it is, all past the chat model and its retries. Over `serve()` that is a 400.

    `surface` is the dialect: `"ai_studio"`, `"vertex"` or `"openai_compatible"`. With `strict=False` nothing is
    refused. `valid_tokens`, when set, are the only bearer tokens that are let in.

    Requests for embeddings get vectors. A `Fault` strikes them too, where it comes next in the script or is the one
    reply for every request; all else is for chat, functions too. `embedding_rule`, when set, alone says which strike.

    Examples:
        >>> fake = FakeGemini(["Hello!"])
        >>> client = fake.http_client
        >>> body = {"model": "gemini-3.8-flash", "messages": [{"role": "user", "content": "Hi"}]}
        >>> url = fake.connection()["base_url"] + "/chat/completions"
        >>> reply = client.post(url, json=body, headers={"Authorization": "Bearer x"}).json()
        >>> reply["choices"][0]["message"]["content"]
        'Hello!'
    """

    def __init__(self, replies: Replies = None, *, surface: Surface = "ai_studio", strict: bool = True) -> None:
        if surface not in get_args(Surface):
            raise ValueError(f"`surface` is one of {', '.join(get_args(Surface))}, not {surface!r}.")
        self.surface: Surface = surface
        self.strict = strict
        self.valid_tokens: set[str] | None = None
        #: Of a request for embeddings the fault that strikes it, or `None`; where it is set, no reply does.
        self.embedding_rule: Callable[[FakeRequest], Fault | None] | None = None
        #: Every request that came, the refused ones too.
        self.requests: list[FakeRequest] = []
        #: Every rule that a refused request broke; the first one of a request was its answer.
        self.refusals: list[Violation] = []
        #: Paths of the keys that Vertex passed over in silence.
        self.ignored: list[str] = []
        #: How many calls came with Google's stand-in instead of a signature.
        self.stand_ins = 0
        self._numbers = count(1)
        self._script: deque[AnyReply] = deque()
        #: The reply for every request.
        self._always: AnyReply | None = None
        self._rule: Rule = _echo
        self.answer_with(replies)

    def answer_with(self, replies: Replies) -> None:
        """Play `replies` from now on, in any of the constructor's forms; what was left of a script is dropped."""
        self._script, self._always = deque(), None
        if replies is None:
            self._rule = _echo
        elif isinstance(replies, (str, Call, Reply, Raw, Fault)):
            self._always = replies
            self._rule = lambda _: replies
        elif callable(replies):
            self._rule = replies
        else:
            script = list(_check_script(replies))
            self._script = deque(script)
            self._rule = lambda _: _raise_script_exhausted(script)

    def connection(self, url: str | None = None) -> dict[str, Any]:
        """Arguments for `ChatGeminiCompat` that lead here: in process, or to the `url` that `serve()` gave."""
        if url is not None:
            return {"surface": self.surface, "base_url": url, "api_key": _KEY}
        return {
            "surface": self.surface,
            "base_url": _HOST + BASE_PATHS[self.surface],
            "api_key": _KEY,
            "http_client": self.http_client,
            "http_async_client": self.http_async_client,
        }

    def chat_model(self, model: str = "gemini-3.8-flash", **kwargs: object) -> ChatGeminiCompat:
        """A `ChatGeminiCompat` that talks to this fake in process; `kwargs` are its own."""
        return ChatGeminiCompat.model_validate({"model": model, **self.connection(), **kwargs})

    def embeddings(self, model: str = "gemini-embedding-001", **kwargs: object) -> GeminiCompatEmbeddings:
        """A `GeminiCompatEmbeddings` that talks to this fake in process; `kwargs` are its own.

        The vectors are hashes of words and of pieces of words: good enough to find a passage by the words it shares
        with a question, and blind to synonyms.
        """
        return GeminiCompatEmbeddings.model_validate({"model": model, **self.connection(), **kwargs})

    @cached_property
    def http_client(self) -> httpx2.Client:
        """A client of the HTTP library under the installed openai SDK; all it sends comes here."""
        from langchain_gemini_compat.testing._server.in_process import build_client

        return build_client(self.respond)

    @cached_property
    def http_async_client(self) -> httpx2.AsyncClient:
        """The same, async."""
        from langchain_gemini_compat.testing._server.in_process import build_async_client

        return build_async_client(self.respond)

    def serve(self, port: int = 0) -> AbstractContextManager[str]:
        """A real HTTP server on 127.0.0.1 for as long as the `with` lasts; gives the base URL.

        Port 0 takes a free one. Needs the extra `server`; raises `ImportError` without it.
        """
        from langchain_gemini_compat.testing._server.http_server import serve

        return serve(self._respond_over_http, BASE_PATHS[self.surface], port)

    def respond(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Answer:
        """The answer to one request, which is recorded. Both kinds of client and the server come through here."""
        request = read_request(method, url, headers, content)
        self.requests.append(request)
        refusal = self._refuse_credential(headers)
        if refusal is not None:
            return refusal
        route = request.path.rpartition("/")[2]
        if method == "POST" and request.path.endswith("/chat/completions"):
            return self._complete(request)
        if method == "POST" and route == "embeddings" and self.surface != "vertex":
            return self._embed(request)
        if method == "GET" and "/models" in request.path and self.surface != "vertex":
            return _answer_models("" if route == "models" else route, self.surface)
        return answer_reply(Fault.html_404(), build_setting({}, self.surface, 0))

    def _respond_over_http(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Answer:
        """`respond`; a mistake of the test becomes an answer that no client asks again for."""
        try:
            return self.respond(method, url, headers, content)
        except Exception as err:
            _logger.exception("FakeGemini could not answer.")
            text = f"FakeGemini could not answer, the mistake is in the test: {type(err).__name__}: {err}"
            return answer_violation(Violation("test-code", text, status="FAILED_PRECONDITION"), self.surface)

    def _complete(self, request: FakeRequest) -> Answer:
        surface = self._surface_of(request)
        if not request.body:
            return answer_violation(Violation("json", "Invalid JSON payload received."), surface)
        if self.strict:
            verdict = judge_request(request.body, surface)
            self.ignored.extend(verdict.ignored)
            self.stand_ins += verdict.placeholders
            if verdict.violations:
                self.refusals.extend(verdict.violations)
                return answer_violation(verdict.violations[0], surface)
        reply = self._script.popleft() if self._script else self._rule(request)
        return answer_reply(build_reply(reply), build_setting(request.body, surface, next(self._numbers)))

    def _embed(self, request: FakeRequest) -> Answer:
        """Vectors come of the texts alone; of all replies only faults are for embeddings too."""
        violations = [*check_embedding(request.body, self.surface)] if self.strict else []
        if violations:
            self.refusals.extend(violations)
            return answer_violation(violations[0], self.surface)
        return answer_embedding(request.body, self.surface, self._take_fault(request))

    def _take_fault(self, request: FakeRequest) -> Fault | None:
        """The fault that strikes `request`, which is for embeddings; a script that has run out has none left."""
        if self.embedding_rule is not None:
            said = cast("object", self.embedding_rule(request))
            if said is None or isinstance(said, Fault):
                return said
            raise TypeError(f"`embedding_rule` has to return a Fault or None, not {said!r}.")
        reply = self._script[0] if self._script else self._always
        if not isinstance(reply, Fault):
            return None
        if self._script:
            self._script.popleft()
        return reply

    def _surface_of(self, request: FakeRequest) -> Surface:
        """A model deployed to an endpoint of its own speaks plain OpenAI, on Vertex too."""
        own = self.surface == "vertex" and "/endpoints/" in request.path and "/endpoints/openapi/" not in request.path
        return "openai_compatible" if own else self.surface

    def _refuse_credential(self, headers: Mapping[str, str]) -> Answer | None:
        given = {name.lower(): value for name, value in headers.items()}.get("authorization", "")
        token = given.removeprefix("Bearer ")
        if self.valid_tokens is not None:
            fault = None if token in self.valid_tokens else Fault.expired_token()
        else:
            fault = None if token or self.surface == "openai_compatible" or not self.strict else _MISSING_CREDENTIAL
        return None if fault is None else answer_reply(fault, build_setting({}, self.surface, 0))


_MISSING_CREDENTIAL = Fault.missing_credential()


def _echo(request: FakeRequest) -> str:
    return request.prompt or "(nothing to echo)"


def _check_script(replies: Sequence[AnyReply]) -> Sequence[AnyReply]:
    """A script is a list; its replies are looked at when they are played."""
    if not isinstance(cast("object", replies), Iterable):
        build_reply(replies)
    return replies


def _raise_script_exhausted(script: Sequence[AnyReply]) -> NoReturn:
    last = script[-1] if script else None
    remedy = (
        f"The last one was Fault.{last.name}(), after which a client may ask again, and a retry is a request too: put "
        "a reply after it, or pass `max_retries=0`."
        if isinstance(last, Fault)
        else "Give it one for every request; a retry is a request too."
    )
    count_of = f"request {len(script) + 1} came for {len(script)} replies"
    raise AssertionError(f"The script of this FakeGemini is at its end: {count_of}. {remedy}")


def _answer_models(name: str, surface: Surface) -> Answer:
    """Ids have the prefix `models/`, and there is no `created` (captures of AI Studio)."""
    prefix = "models/" if surface == "ai_studio" else ""
    models: list[JsonObject] = [
        {"id": f"{prefix}{model}", "object": "model", "owned_by": "google", "display_name": model}
        for model in _MODELS
        if name in ("", model)
    ]
    if name and models:
        return answer_raw(Raw(models[0]))
    if name:
        error = Fault.model_not_found(name).error
        return answer_error(error or GoogleError(404, "NOT_FOUND", ""), surface, name)
    return answer_raw(Raw({"object": "list", "data": [*models]}))
