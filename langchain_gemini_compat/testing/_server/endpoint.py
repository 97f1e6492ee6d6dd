"""The fake endpoint, which takes requests as bytes and returns answers as values, without a network.

A request that Google would refuse gets a refusal and does not use up a reply of the script.
"""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, cast, get_args
from urllib.parse import urlsplit

from langchain_gemini_compat._lazy import LazyHttpLibrary
from langchain_gemini_compat._request.known_refusals import forget_refusals
from langchain_gemini_compat.chat_models import ChatGeminiCompat
from langchain_gemini_compat.embeddings import GeminiCompatEmbeddings
from langchain_gemini_compat.testing._model.faults import Fault, GoogleError
from langchain_gemini_compat.testing._model.json_values import JsonObject, Surface
from langchain_gemini_compat.testing._model.replies import Call, Raw, Reply
from langchain_gemini_compat.testing._render.context import build_context
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
from langchain_gemini_compat.testing._server.batches import FakeBatches
from langchain_gemini_compat.testing._server.embeddings import answer_embedding, check_embedding
from langchain_gemini_compat.testing._server.quota import MinuteQuota
from langchain_gemini_compat.testing._server.requests import FakeRequest, read_request

if TYPE_CHECKING:
    import httpx2
else:
    httpx2 = LazyHttpLibrary()

Rule: TypeAlias = Callable[[FakeRequest], AnyReply]
Replies: TypeAlias = Sequence[AnyReply] | Rule | AnyReply | None

#: Matches the location in the path of a Vertex AI URL.
_LOCATION = re.compile(r"/locations/(?P<name>[^/]+)/")
#: The path of the base URL of each surface, without `/chat/completions`.
BASE_PATHS: Mapping[Surface, str] = {
    "vertex": "/v1/projects/fake-project/locations/global/endpoints/openapi",
    "ai_studio": "/v1beta/openai",
    "openai_compatible": "/v1",
}
#: The domain `.invalid` never resolves (RFC 2606), so a request that bypasses the fake reaches no server.
_HOST = "https://gemini.invalid"
_KEY = "fake-key-for-tests"
_MODELS = ("gemini-3.8-flash", "gemini-3.5-flash-lite", "gemini-3.1-pro-preview", "gemini-2.5-flash")
_logger = logging.getLogger("langchain_gemini_compat")


class FakeGemini:
    """An offline endpoint for tests, which answers in Google's dialect and refuses what Google refuses.

    A mistake in a test raises an exception that the chat model neither retries nor wraps. Over `serve()`, the answer is
    a 400 that describes the mistake.

    - A request after the end of a script raises `AssertionError`.
    - A value that is not a reply raises `TypeError`.
    - An exception of a function in `replies` is raised unchanged.

    Requests for embeddings get vectors and do not use up a reply, with one exception. A `Fault` that is next in the
    script, or that is the reply to every request, also applies to embeddings. If `embedding_rule` is set, only the
    faults that it returns apply to embeddings.

    Args:
        replies: What the fake answers. A list is a script, with one reply for each request in order. A function takes
            the `FakeRequest` and returns a reply. A single reply answers every request. `None` (the default) returns
            the newest user message. A reply is a text, a `Call`, a list of `Call`s, a `Reply`, a `Raw` or a `Fault`.
        surface: The dialect: `"ai_studio"` (the default), `"vertex"` or `"openai_compatible"`.
        strict: Whether to refuse what Google refuses. Default: `True`.
        requests_per_minute: The quota of each model. Further requests of the same 60 seconds get a 429, and do
            not use up a reply. On AI Studio, the 429 has Google's details: the exceeded quota and the time to wait.
            `None` (the default) means no quota.

    Attributes:
        surface: The dialect.
        strict: Whether requests are checked.
        requests_per_minute: The quota of each model, or `None`.
        valid_tokens: The bearer tokens that are accepted. `None` (the default) accepts every token.
        embedding_rule: A function that gets a request for embeddings and returns a `Fault`, or `None` for vectors.
        batches: The batches that clients created on AI Studio, with the rules for batches and files.
        requests: Every request so far, refused ones included. The requests inside a batch are in `batches`.
        refusals: Every rule that a request broke. The fake answers with the first rule that the request broke.
        ignored: The paths of the keys that Vertex AI ignores.
        stand_ins: The number of calls that came with Google's placeholder instead of a signature.

    Raises:
        ValueError: `surface` is unknown.
        TypeError: `replies` is not a reply, a list or a function.

    Examples:
        >>> fake = FakeGemini(["Hello!"])
        >>> client = fake.http_client
        >>> body = {"model": "gemini-3.8-flash", "messages": [{"role": "user", "content": "Hi"}]}
        >>> url = fake.connection()["base_url"] + "/chat/completions"
        >>> reply = client.post(url, json=body, headers={"Authorization": "Bearer x"}).json()
        >>> reply["choices"][0]["message"]["content"]
        'Hello!'
    """

    def __init__(
        self,
        replies: Replies = None,
        *,
        surface: Surface = "ai_studio",
        strict: bool = True,
        requests_per_minute: int | None = None,
    ) -> None:
        if surface not in get_args(Surface):
            raise ValueError(f"`surface` has to be one of {', '.join(get_args(Surface))}, not {surface!r}.")
        self.surface: Surface = surface
        self.strict = strict
        self.requests_per_minute = requests_per_minute
        self._quota = MinuteQuota()
        self.valid_tokens: set[str] | None = None
        self.embedding_rule: Callable[[FakeRequest], Fault | None] | None = None
        self.batches: FakeBatches = FakeBatches(self._complete)
        self.requests: list[FakeRequest] = []
        self.refusals: list[Violation] = []
        self.ignored: list[str] = []
        self.stand_ins: int = 0
        self._numbers = count(1)
        self._script: deque[AnyReply] = deque()
        #: The single reply that answers every request, or `None`.
        self._always: AnyReply | None = None
        self._rule: Rule = _echo
        # Chat models remember what a host refused, and all fakes have the same host. Forget the refusals of earlier
        # fakes.
        forget_refusals(urlsplit(_HOST).netloc)
        self.answer_with(replies)

    def answer_with(self, replies: Replies) -> None:
        """Replace the replies. The rest of the old script is dropped.

        Args:
            replies: The new replies, in any form that the constructor takes.

        Raises:
            TypeError: `replies` is not a reply, a list or a function.

        Examples:
            >>> fake = FakeGemini(["never used"])
            >>> fake.answer_with("Hello!")
            >>> fake.chat_model().invoke("Hi").text
            'Hello!'
        """
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
        """Return the arguments that connect a `ChatGeminiCompat` to this fake.

        Args:
            url: The URL that `serve()` gave. `None` (the default) connects in process.

        Returns:
            `surface`, `base_url` and `api_key`, and in process also the two HTTP clients.

        Examples:
            >>> FakeGemini().connection("http://127.0.0.1:8000/v1beta/openai")["surface"]
            'ai_studio'
        """
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
        """Return a chat model that sends its requests to this fake, in process.

        Args:
            model: The name of the model.
            **kwargs: Any other parameter of `ChatGeminiCompat`.

        Returns:
            The chat model.

        Raises:
            ValueError: A parameter is not valid (pydantic's `ValidationError`).

        Examples:
            >>> FakeGemini("Hello!").chat_model(temperature=0).invoke("Hi").text
            'Hello!'
        """
        return ChatGeminiCompat.model_validate({"model": model, **self.connection(), **kwargs})

    def embeddings(self, model: str = "gemini-embedding-001", **kwargs: object) -> GeminiCompatEmbeddings:
        """Return an embeddings model that sends its requests to this fake, in process.

        The vectors are built from hashes of words and of parts of words. A search finds a passage by the words that the
        passage shares with the question. A search does not find synonyms.

        Args:
            model: The name of the model.
            **kwargs: Any other parameter of `GeminiCompatEmbeddings`.

        Returns:
            The embeddings model.

        Raises:
            ValueError: A parameter is not valid (pydantic's `ValidationError`).

        Examples:
            >>> len(FakeGemini().embeddings(dimensions=64).embed_query("Hi"))
            64
        """
        return GeminiCompatEmbeddings.model_validate({"model": model, **self.connection(), **kwargs})

    @cached_property
    def http_client(self) -> httpx2.Client:
        """A sync client of the HTTP library that the openai SDK uses. All its requests go to this fake."""
        from langchain_gemini_compat.testing._server.in_process import build_client

        return build_client(self.respond)

    @cached_property
    def http_async_client(self) -> httpx2.AsyncClient:
        """An async HTTP client whose requests all go to this fake. It works in any event loop."""
        from langchain_gemini_compat.testing._server.in_process import build_async_client

        return build_async_client(self.respond)

    def serve(self, port: int = 0, *, host: str = "127.0.0.1") -> AbstractContextManager[str]:
        """Serve this fake over HTTP until the `with` block ends.

        Args:
            port: The port. 0 (the default) picks a free one.
            host: The address to listen on. The default, 127.0.0.1, accepts connections of this machine only.

        Returns:
            A context manager that yields the base URL.

        Raises:
            ImportError: The extra `server` (uvicorn) is not installed.
            OSError: The port is in use, or the address is not one of this machine.
            RuntimeError: The server did not start.

        Examples:
            >>> fake = FakeGemini("Hello!")
            >>> with fake.serve() as url:
            ...     ChatGeminiCompat(model="gemini-3.8-flash", **fake.connection(url)).invoke("Hi").text
            'Hello!'
        """
        from langchain_gemini_compat.testing._server.http_server import serve

        return serve(self._respond_over_http, BASE_PATHS[self.surface], port, host)

    def respond(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Answer:
        """Record one request and return its answer. The HTTP clients and the server call this method.

        Args:
            method: The HTTP method.
            url: The whole URL, or its path.
            headers: The headers of the request.
            content: The body of the request.

        Returns:
            The answer: `status`, `headers`, and the steps of the body.

        Raises:
            AssertionError: The script has no reply left.
            TypeError: The value is not a reply, or the fault does not apply to embeddings.
            ValueError: The `chunks` of the reply, joined together, differ from its `text`.

        Examples:
            >>> fake = FakeGemini()
            >>> fake.respond("GET", "/v1beta/openai/models", {"Authorization": "Bearer x"}, b"").status
            200
        """
        request = read_request(method, url, headers, content)
        self.requests.append(request)
        is_batch = self.surface == "ai_studio" and self.batches.has_path(request.path)
        header = self.batches.find_credential_header(request) if is_batch else "authorization"
        refusal = self._refuse_credential(headers, header) if header else None
        if refusal is None and not is_batch:
            refusal = self._refuse_over_quota(request)
        if refusal is not None:
            return refusal
        if is_batch:
            return self.batches.answer(request, url, content)
        route = request.path.rpartition("/")[2]
        if method == "POST" and request.path.endswith("/chat/completions"):
            return self._complete(request)
        if method == "POST" and route == "embeddings" and self.surface != "vertex":
            return self._embed(request)
        if method == "GET" and "/models" in request.path and self.surface != "vertex":
            return _answer_models("" if route == "models" else route, self.surface)
        return answer_reply(Fault.html_404(), build_context({}, self.surface, 0))

    def _respond_over_http(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Answer:
        """Return the answer of `respond`. An exception becomes a 400, which clients do not retry."""
        try:
            return self.respond(method, url, headers, content)
        except Exception as err:
            _logger.exception("FakeGemini could not answer.")
            text = f"FakeGemini could not answer because of a mistake in the test: {type(err).__name__}: {err}"
            return answer_violation(Violation("test-code", text, status="FAILED_PRECONDITION"), self.surface)

    def _complete(self, request: FakeRequest) -> Answer:
        surface = self._surface_of(request)
        if not request.body:
            return answer_violation(Violation("json", "Invalid JSON payload received."), surface)
        if self.strict:
            location = _LOCATION.search(request.path) if surface == "vertex" else None
            verdict = judge_request(
                request.body,
                surface,
                needs_model=surface == self.surface,
                location=location["name"] if location else "",
            )
            self.ignored.extend(verdict.ignored)
            self.stand_ins += verdict.placeholders
            if verdict.violations:
                self.refusals.extend(verdict.violations)
                return answer_violation(verdict.violations[0], surface)
        reply = self._script.popleft() if self._script else self._rule(request)
        context = build_context(request.body, surface, next(self._numbers), request.headers)
        return answer_reply(build_reply(reply), context)

    def _embed(self, request: FakeRequest) -> Answer:
        """Return the answer to a request for embeddings: a refusal, a fault or vectors."""
        violations = [*check_embedding(request.body, self.surface)] if self.strict else []
        if violations:
            self.refusals.extend(violations)
            return answer_violation(violations[0], self.surface)
        return answer_embedding(request.body, self.surface, self._take_fault(request))

    def _take_fault(self, request: FakeRequest) -> Fault | None:
        """Return the fault that answers a request for embeddings, or `None`.

        If the fault comes from the script, remove it from the script.
        """
        if self.embedding_rule is not None:
            fault = cast("object", self.embedding_rule(request))
            if fault is None or isinstance(fault, Fault):
                return fault
            raise TypeError(f"`embedding_rule` has to return a Fault or None, not {fault!r}.")
        reply = self._script[0] if self._script else self._always
        if not isinstance(reply, Fault):
            return None
        if self._script:
            self._script.popleft()
        return reply

    def _surface_of(self, request: FakeRequest) -> Surface:
        """Return the dialect of the answer. Self-deployed models on Vertex AI use the format of OpenAI."""
        own = self.surface == "vertex" and "/endpoints/" in request.path and "/endpoints/openapi/" not in request.path
        return "openai_compatible" if own else self.surface

    def _refuse_credential(self, headers: Mapping[str, str], header: str) -> Answer | None:
        """Return a 401 if the token in `header` is missing or not valid, else `None`."""
        given = {name.lower(): value for name, value in headers.items()}.get(header, "")
        token = given.removeprefix("Bearer ")
        fault = None
        if self.valid_tokens is not None:
            fault = None if token in self.valid_tokens else Fault.expired_token()
        elif not token and self.strict and self.surface != "openai_compatible":
            fault = Fault.missing_credential()
        return None if fault is None else answer_reply(fault, build_context({}, self.surface, 0))

    def _refuse_over_quota(self, request: FakeRequest) -> Answer | None:
        """Return a 429 if the quota of the model is used up, else `None`."""
        if self.requests_per_minute is None or not request.body:
            return None
        name = str(request.body.get("model", ""))
        fault = self._quota.take(name, self.requests_per_minute)
        surface = self._surface_of(request)
        return None if fault is None else answer_reply(fault, build_context(request.body, surface, 0))


def _echo(request: FakeRequest) -> str:
    return request.prompt or "(nothing to echo)"


def _check_script(replies: Sequence[AnyReply]) -> Sequence[AnyReply]:
    """Raise `TypeError` unless `replies` is a list. The replies in the list are checked when they are used."""
    if not isinstance(cast("object", replies), Iterable):
        build_reply(replies)
    return replies


def _raise_script_exhausted(script: Sequence[AnyReply]) -> NoReturn:
    last = script[-1] if script else None
    remedy = (
        f"The last reply is Fault.{last.name}(), which the client may retry. Add a reply after it, or pass "
        "`max_retries=0`."
        if isinstance(last, Fault)
        else "Add one reply per request, and count each retry as a request."
    )
    raise AssertionError(
        f"FakeGemini has no reply for request {len(script) + 1}: its script has {len(script)}. {remedy}"
    )


def _answer_models(name: str, surface: Surface) -> Answer:
    """Return the list of models, or one model. Ids start with `models/` (captures of AI Studio)."""
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
