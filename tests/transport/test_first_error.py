"""The first error of a process imports openai.

In async calls, another thread does the import. The time for the import does not count against time limits.
"""

import asyncio
import gc
import inspect
import json
import os
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import google.auth.credentials
import openai
import pytest
from langchain_core.messages import HumanMessage
from pydantic import BaseModel, SecretStr
from wire import Wire, call, chunk, completion, http, reply

from langchain_gemini_compat import ChatGeminiCompat, GeminiCompatEmbeddings, errors
from langchain_gemini_compat._errors import api, pending
from langchain_gemini_compat._model import call as _call
from langchain_gemini_compat._request.repair import Repair
from langchain_gemini_compat._transport.rate_gate import Gate
from langchain_gemini_compat._transport.retry import Tries
from langchain_gemini_compat._transport.timeouts import TimeLimits
from langchain_gemini_compat.testing import FakeGemini, Fault

ROOT = Path(__file__).parents[2]


class UnfinishedImport(pending._Import):
    """Simulates that openai is not imported yet.

    `threads` and `names` list the ids and the names of the threads that imported openai.
    """

    def __init__(self, seconds=0.0):
        super().__init__()
        self.threads, self.names = [], []
        self.duration = seconds

    def run(self):
        if not self.is_done:
            self.threads.append(threading.get_ident())
            self.names.append(threading.current_thread().name)
            self.seconds, self.is_done = self.duration, True
        return api


@pytest.fixture
def unfinished(monkeypatch):
    """Simulate a process that has not imported openai yet. Return the simulated state of the import."""
    state = UnfinishedImport()
    forget_classes(monkeypatch, state)
    return state


def forget_classes(monkeypatch, state):
    monkeypatch.setattr(pending, "_import", state)
    for name in errors.__all__:
        if hasattr(api, name) and name != "GeminiCompatError":
            monkeypatch.delitem(vars(errors), name, raising=False)


def refuse(code, status):
    return lambda: reply({"error": {"code": code, "message": "No.", "status": status}}, code)


def lost(kind):
    return lambda: getattr(http, kind)("lost")


INVALID_CALL = {"finish": "tool_calls", "tool_calls": [call(args="{")]}
#: Each case has a function that builds the server's answer, and the class of the expected error. The cases apply to
#: calls with and without streaming.
WHOLE = {
    "429": (refuse(429, "RESOURCE_EXHAUSTED"), api.RateLimitError),
    "503": (refuse(503, "UNAVAILABLE"), api.ServerError),
    "400": (refuse(400, "INVALID_ARGUMENT"), api.InvalidRequestError),
    "401": (refuse(401, "UNAUTHENTICATED"), api.AuthenticationError),
    "redirect": (lambda: reply("", 302, {"location": "http://other"}), api.InvalidRequestError),
    "page": (lambda: reply("<html>", 404), api.ModelNotFoundError),
    "long body": (lambda: reply("x" * (2**20 + 1), 500), api.ServerError),
    "unknown encoding": (lambda: reply("x", 200, {"content-encoding": "lzma"}), api.InvalidReplyError),
    "error in a reply": (lambda: {"error": {"code": 503, "message": "No."}}, api.ServerError),
    "detail": (lambda: {"detail": "Not here."}, api.InvalidReplyError),
    "detail with a cause": (lambda: {"detail": "The prompt exceeds the context window."}, api.ContextOverflowError),
    "no JSON": (lambda: "Hello", api.InvalidReplyError),
    "cut JSON": (lambda: "{", api.InvalidReplyError),
    "list": (lambda: "[1]", api.InvalidReplyError),
    "no reply": (lambda: {"x": 1}, api.InvalidReplyError),
    "empty": (lambda: completion(""), api.EmptyReplyError),
    "invalid call": (lambda: completion("", **INVALID_CALL), api.MalformedToolCallError),
    "blocked": (
        lambda: completion("", finish="content_filter", tool_calls=[call()]),
        api.BlockedError,
    ),
    "refused connection": (lost("ConnectError"), api.APIConnectionError),
    "no connection in time": (lost("ConnectTimeout"), api.RequestTimeoutError),
    "no free connection": (lost("PoolTimeout"), api.RequestTimeoutError),
    "no answer in time": (lost("ReadTimeout"), api.RequestTimeoutError),
    "closed connection": (lost("RemoteProtocolError"), api.APIConnectionError),
}
STREAMED = {
    **{name: WHOLE[name] for name in ("429", "503", "refused connection", "no answer in time", "unknown encoding")},
    "error in a stream": (lambda: [chunk(content="Hel"), {"error": {"code": 503, "message": "No."}}], api.ServerError),
    "no JSON": (lambda: [chunk(content="Hel"), "{"], api.InvalidReplyError),
    "no object": (lambda: [chunk(content="Hel"), "1"], api.InvalidReplyError),
    "cut": (lambda: [chunk(content="Hel")], api.TruncatedStreamError),
    "empty": (lambda: [chunk(content="", finish="stop")], api.EmptyReplyError),
    "invalid call": (lambda: [chunk(tool_calls=[call(args="{")]), chunk(finish="stop")], api.MalformedToolCallError),
}


def build(answer=None, **options):
    clients = Wire(completion("Hello.") if answer is None else answer()).clients
    given = {"surface": "ai_studio", "api_key": "k", "max_retries": 0, **clients, **options}
    return ChatGeminiCompat(model="gemini-3.8-flash", **given)


async def fail_async(model):
    await model.ainvoke("hi")


async def fail_astream(model):
    async for _ in model.astream("hi"):
        pass


async def fail_sync_in_loop(model):
    """Call a sync method in the thread of a running event loop, as notebooks do."""
    model.invoke("hi")


async def fail_stream_in_loop(model):
    for _ in model.stream("hi"):
        pass


#: Attributes of errors that are not compared, because their values have no comparable text.
HIDDEN = ("request", "response", "reply")


def describe(error):
    """Return what a caller can see of an error."""
    state = {key: value for key, value in vars(error).items() if key not in HIDDEN and (key, value) != ("partial", "")}
    return type(error), str(error), repr(state), type(error.__cause__), error.__suppress_context__


def catch(work, model, expected):
    with pytest.raises(expected) as caught:
        asyncio.run(work(model))
    assert type(caught.value) is expected
    return caught.value


@pytest.mark.parametrize(
    ("work", "answer", "expected"),
    [
        pytest.param(work, answer, expected, id=f"{work.__name__}-{name}")
        for works, cases in (
            ((fail_async, fail_sync_in_loop), WHOLE),
            ((fail_astream, fail_stream_in_loop), STREAMED),
        )
        for work in works
        for name, (answer, expected) in cases.items()
    ],
)
def test_first_error_in_an_event_loop_is_the_same_as_a_later_one(work, answer, expected, unfinished):
    """The first error and a later error have the same class, text, attributes and cause.

    An async call imports openai in another thread.
    """
    first = catch(work, build(answer), expected)
    assert len(unfinished.threads) == 1
    is_async = work in (fail_async, fail_astream)
    assert (unfinished.threads[0] != threading.get_ident()) is is_async
    later = catch(work, build(answer), expected)
    assert len(unfinished.threads) == 1
    assert describe(first)[:4] == describe(later)[:4]


async def raise_error():
    raise ValueError("no key")


async def give_nothing():
    return ""


def give_two_lines():
    return "a\nb"


async def take_long():
    await asyncio.sleep(60)


TOKEN_CASES = {
    "raises": ({"api_key": raise_error}, api.CredentialsError),
    "empty": ({"api_key": give_nothing}, api.CredentialsError),
    "late": ({"api_key": take_long, "timeout": {"total": 0.05}}, api.RequestTimeoutError),
    "line break": ({"api_key": give_two_lines}, api.CredentialsError),
}


@pytest.mark.parametrize(("options", "expected"), TOKEN_CASES.values(), ids=TOKEN_CASES)
def test_first_error_about_a_token_imports_openai_in_another_thread(options, expected, unfinished):
    error = catch(fail_async, build(**options), expected)
    assert str(error)
    assert unfinished.threads
    assert threading.get_ident() not in unfinished.threads


@pytest.mark.parametrize("key", [give_two_lines, raise_error], ids=["line break", "async function"])
def test_first_error_about_a_token_is_complete_in_a_sync_call(key, unfinished):
    error = catch(fail_sync_in_loop, build(api_key=key), api.CredentialsError)
    assert str(error)


async def test_error_of_an_api_key_function_keeps_its_class(unfinished):
    """The function may raise an error of this package, which it has imported."""

    def read_key():
        raise api.CredentialsError("no login")

    unfinished.is_done = True
    with pytest.raises(api.CredentialsError, match=r"^no login$"):
        await build(api_key=read_key).ainvoke("hi")


@pytest.mark.parametrize("work", [fail_async, fail_astream, fail_sync_in_loop])
def test_error_about_the_request_does_not_import_openai(work, unfinished):
    """No request is sent. So neither retries nor the rate gate need the error classes, which need openai."""
    model = build().bind(extra_body={"x": object()})
    error = catch(work, model, errors.UnsupportedParameterError)
    assert (error.tries, unfinished.threads) == (1, [])


def test_first_error_keeps_the_partial_text_and_the_cause(unfinished):
    error = catch(fail_astream, build(lambda: [chunk(content="Hel")]), api.TruncatedStreamError)
    assert error.partial == "Hel"
    error = catch(fail_async, build(lost("ConnectError")), api.APIConnectionError)
    assert isinstance(error.__cause__, http.ConnectError)


def find_placeholders(error):
    """Return each `PendingError` among an error and all its causes and contexts."""
    seen, found = [error], []
    while seen:
        one = seen.pop()
        if one is not None and one not in found:
            found.append(one)
            seen += [one.__context__, one.__cause__]
    return [one for one in found if isinstance(one, pending.PendingError)]


@pytest.mark.parametrize("work", [fail_async, fail_astream, fail_sync_in_loop, fail_stream_in_loop])
@pytest.mark.parametrize("name", ["400", "no answer in time"])
def test_placeholder_is_not_the_context_of_its_error(work, name, unfinished):
    """The exception that a user gets has no `PendingError` as its `__context__`.

    Tools that report errors also show the `__context__`, and a `PendingError` is only a placeholder.
    """
    answer, expected = WHOLE[name]
    error = catch(work, build(answer), expected)
    assert unfinished.threads
    assert find_placeholders(error) == []
    assert pickle.loads(pickle.dumps(error)).args == error.args
    later = catch(work, build(answer), expected)
    assert type(error.__context__) is type(later.__context__)


def test_placeholder_is_not_the_context_of_a_cancellation(monkeypatch):
    """A caller is cancelled while its first error imports openai. The `CancelledError` has no `PendingError` as context."""
    forget_classes(monkeypatch, UnfinishedImport())

    async def cancel(*_):
        raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "to_thread", cancel)

    async def main():
        model = build(refuse(400, "INVALID_ARGUMENT"))
        model._open_transport()
        with pytest.raises(asyncio.CancelledError) as caught:
            await fail_astream(model)
        return caught.value

    assert find_placeholders(asyncio.run(main())) == []


def answer_uneven():
    """Return the client of a server whose second vector is longer than the first."""
    return Wire(*({"data": [{"index": 0, "embedding": [0.5] * size}]} for size in (2, 3))).clients


def raise_key_error():
    raise ValueError("no key")


class City(BaseModel):
    name: str


async def consume(chunks):
    return [one async for one in chunks]


#: Each public method of the chat model that reads options, builds a request or sends it, with a function that calls the
#: method.
CHAT_METHODS = {
    "invoke": lambda model: model.invoke("hi"),
    "stream": lambda model: list(model.stream("hi")),
    "batch": lambda model: model.batch(["hi"]),
    "generate": lambda model: model.generate([[HumanMessage("hi")]]),
    "generate_prompt": lambda model: model.generate_prompt([model._convert_input("hi")]),
    "stream_events": lambda model: list(model.stream_events("hi", version="v3")),
    "structured": lambda model: model.with_structured_output(City).invoke("hi"),
    "structured raw": lambda model: model.with_structured_output(City, include_raw=True).invoke("hi"),
    "ainvoke": lambda model: model.ainvoke("hi"),
    "abatch": lambda model: model.abatch(["hi"]),
    "agenerate": lambda model: model.agenerate([[HumanMessage("hi")]]),
    "astream": lambda model: consume(model.astream("hi")),
    "astream_events": lambda model: consume(model.astream_events("hi", version="v2")),
    "astructured": lambda model: model.with_structured_output(City).ainvoke("hi"),
    "astructured call": lambda model: model.with_structured_output(City, method="function_calling").ainvoke("hi"),
    "preview": lambda model: model.preview("hi"),
    "bind_tools": lambda model: model.bind_tools([City], tool_choice="any").invoke("hi"),
    "get_num_tokens": lambda model: model.get_num_tokens("hi"),
    "get_num_tokens_from_messages": lambda model: model.get_num_tokens_from_messages([HumanMessage("hi")], [City]),
    "endpoint_info": lambda model: model.endpoint_info(),
    "close": lambda model: model.close(),
    "aclose": lambda model: model.aclose(),
}
CHAT_MODELS = {
    "key": lambda: build(api_key=SecretStr("a\nb")),
    "function": lambda: build(api_key=raise_key_error),
    "function with a deadline": lambda: build(api_key=raise_key_error, timeout={"total": 30.0}),
    "refusal": lambda: build(refuse(429, "RESOURCE_EXHAUSTED")),
    "no answer": lambda: build(lost("ReadTimeout")),
    "invalid tool call": lambda: build(lambda: completion("", **INVALID_CALL)),
    "empty reply": lambda: build(lambda: completion("")),
    "no JSON": lambda: build(lambda: completion("Hello.")),
}
#: Methods that need no test of their own: they return another runnable, whose methods call the tested methods.
BINDING_METHODS = {
    "bind", "configurable_alternatives", "configurable_fields", "with_alisteners", "with_config", "with_fallbacks",
    "with_listeners", "with_retry", "with_structured_output", "with_types",
}  # fmt: skip
EMBEDDING_METHODS = {
    "embed_documents": lambda model: model.embed_documents(["a", "b"]),
    "embed_query": lambda model: model.embed_query("a"),
    "aembed_documents": lambda model: model.aembed_documents(["a", "b"]),
    "aembed_query": lambda model: model.aembed_query("a"),
    "preview": lambda model: model.preview(["a"]),
    "endpoint_info": lambda model: model.endpoint_info(),
    "close": lambda model: model.close(),
    "aclose": lambda model: model.aclose(),
}


def build_embeddings(clients=None, **options):
    given = {"model": "m", "api_key": "k", "base_url": "http://server/v1", "batch_size": 1, "max_retries": 0}
    return GeminiCompatEmbeddings(**{**given, **(clients or {}), **options})


EMBEDDING_MODELS = {
    "uneven vectors": lambda: build_embeddings(answer_uneven(), max_concurrency=1),
    "key": lambda: build_embeddings(api_key=SecretStr("a\nb")),
    "function": lambda: build_embeddings(api_key=raise_key_error),
    "refusal": lambda: build_embeddings(Wire(refuse(429, "RESOURCE_EXHAUSTED")()).clients),
    "few vectors": lambda: build_embeddings(Wire({"data": []}).clients),
    "dimensions": lambda: build_embeddings(answer_uneven(), dimensions=7),
}


@pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
@pytest.mark.parametrize(
    ("make", "method"),
    [
        pytest.param(make, method, id=f"{kind}-{name}-{fault}")
        for kind, makes, methods in (
            ("chat", CHAT_MODELS, CHAT_METHODS),
            ("embeddings", EMBEDDING_MODELS, EMBEDDING_METHODS),
        )
        for fault, make in makes.items()
        for name, method in methods.items()
    ],
)
def test_no_public_method_raises_a_placeholder(make, method, unfinished):
    """Each method runs in the thread of an event loop, before openai is imported."""

    async def call():
        result = method(make())
        return await result if inspect.isawaitable(result) else result

    async def main():
        (result,) = await asyncio.gather(call(), return_exceptions=True)
        return result if isinstance(result, Exception) else None

    assert find_placeholders(asyncio.run(main())) == []


def test_public_methods_are_all_tested_for_placeholders():
    """Methods that LangChain defines need no test of their own, because they call methods that are tested."""
    for kind, methods, others in (
        (ChatGeminiCompat, CHAT_METHODS, BINDING_METHODS),
        (GeminiCompatEmbeddings, EMBEDDING_METHODS, set()),
    ):
        own = [base for base in kind.__mro__ if base.__module__.startswith("langchain_gemini_compat")]
        public = {
            name for base in own for name, value in vars(base).items() if inspect.isfunction(value) and name[0] != "_"
        }
        pydantic_methods = {"copy", "model_copy", "model_post_init", "redacted_fields", "routing_digest"}
        assert public - pydantic_methods - others <= methods.keys()


@pytest.mark.parametrize("method", ["aembed_documents", "embed_documents"])
def test_first_error_about_uneven_vectors_is_complete(method, unfinished):
    async def main():
        result = getattr(build_embeddings(answer_uneven(), max_concurrency=1), method)(["a", "b"])
        return await result if inspect.isawaitable(result) else result

    with pytest.raises(api.InvalidReplyError, match="different lengths: 2 for"):
        asyncio.run(main())
    # An async call imports openai in another thread, and a sync call imports it in its own thread.
    assert (threading.get_ident() in unfinished.threads) is (method == "embed_documents")


class UselessToken(google.auth.credentials.Credentials):
    """Credentials whose refresh gives no token, or a token that no header can carry."""

    def __init__(self, token):
        super().__init__()
        self._given = token

    def refresh(self, request):
        self.token = self._given


class ExternalToken(UselessToken):
    """Credentials of an external account. google-auth has to request their project, and here this request fails."""

    def get_project_id(self, request):
        raise ValueError("no project")


#: Cases in which getting a bearer token fails in another thread, while the caller waits. Each case has the model's
#: arguments and a part of the error's text.
THREAD_CASES = {
    "function": ({"api_key": raise_key_error}, "no key"),
    "no token": ({"credentials": UselessToken("")}, "returned no token"),
    "token with a line break": (
        {"credentials": UselessToken("a\nb")},
        "characters that are not allowed in HTTP headers",
    ),
    "project": ({"credentials": ExternalToken("token")}, "no project"),
}


@pytest.mark.parametrize(
    "fail",
    [lambda model: asyncio.run(fail_async(model)), lambda model: model.invoke("hi")],
    ids=["async", "sync"],
)
@pytest.mark.parametrize(("options", "text"), THREAD_CASES.values(), ids=THREAD_CASES)
def test_token_thread_does_not_import_openai(options, text, fail, unfinished):
    """The import would use up the time of the caller, and the call would end with a timeout."""
    if "credentials" in options:
        options = {**options, "surface": "vertex", "api_key": None, "location": "global"}
    with pytest.raises(api.CredentialsError, match=text):
        fail(build(**options, timeout={"total": 30.0}))
    assert len(unfinished.names) == 1
    assert not unfinished.names[0].startswith("gemini-compat")


@pytest.mark.parametrize("is_imported", [False, True], ids=["first error", "later error"])
@pytest.mark.parametrize("work", [fail_async, fail_astream, fail_sync_in_loop])
def test_retryable_error_of_an_api_key_function_is_retried(work, is_imported, unfinished):
    """A plain `GeminiCompatError` has no base class of openai, so its retries do not import openai."""
    calls = []

    def read_key():
        calls.append(1)
        error = errors.GeminiCompatError("vault busy")
        error.is_retryable, error.retry_after = True, 0.0
        raise error

    unfinished.is_done = is_imported
    error = catch(work, build(api_key=read_key, max_retries=2), errors.GeminiCompatError)
    assert (len(calls), error.tries, unfinished.threads) == (3, 3, [])


def test_retry_follows_the_first_error(unfinished):
    """Whether a call is retried depends on the class of the error, so openai is imported before the retry."""
    wire = Wire(reply({"error": {"code": 503, "message": "No.", "status": "UNAVAILABLE"}}, 503), completion("Hello."))
    model = build(max_retries=1, **wire.clients)
    assert asyncio.run(model.ainvoke("hi")).text == "Hello."
    assert len(wire.requests) == 2


def test_import_does_not_count_against_the_time_of_a_call(unfinished):
    tries = Tries(2, TimeLimits(total=30.0), Gate())
    before = tries.deadline
    unfinished.duration = 1000.0
    error = pending.make_error(lambda: errors.ServerError("No. (503)"))
    assert tries.record_failure(error) is not None
    assert tries.deadline == before + 1000
    # The 1000 seconds of the import are not added again for the same error, and not to the deadline of another call.
    assert tries.record_failure(error) is not None
    assert tries.deadline == before + 1000
    assert Tries(2, TimeLimits(total=30.0), Gate()).deadline <= time.monotonic() + 30


def test_import_does_not_count_against_the_time_for_tokens(unfinished):
    """Building the error imports openai while the time limit for getting a bearer token runs."""
    tries = Tries(2, TimeLimits(first_byte=30.0), Gate())

    def fail():
        with tries.waiting_for_token():
            unfinished.duration = time.monotonic()
            raise pending.make_error(lambda: errors.CredentialsError("no token"))

    with pytest.raises(api.CredentialsError):
        fail()
    assert tries._token_budget >= 30


def test_import_does_not_count_against_the_time_of_embeddings(unfinished):
    model = GeminiCompatEmbeddings(model="gemini-embedding-001", api_key="k", timeout={"total": 30.0})
    find_deadline = model._deadline()
    before = find_deadline()
    unfinished.duration = 1000.0
    pending.import_classes()
    assert find_deadline() == before + 1000
    assert GeminiCompatEmbeddings(model="gemini-embedding-001", api_key="k")._deadline()() is None


def test_expired_limit_is_decided_before_the_import(monkeypatch):
    """The limit `first_byte` expires first, and `total` expires during the import. The error names `first_byte`."""

    class Slow(UnfinishedImport):
        def run(self):
            if not self.is_done:
                time.sleep(0.6)
            return super().run()

    for work in (fail_async, fail_sync_in_loop):
        forget_classes(monkeypatch, Slow())
        error = catch(work, build(lost("ReadTimeout"), timeout={"total": 0.5}), api.RequestTimeoutError)
        assert error.limit == "first_byte"


def test_cancelled_caller_does_not_break_the_import(monkeypatch):
    waiting, go_on = threading.Event(), threading.Event()

    class Slow(UnfinishedImport):
        def run(self):
            waiting.set()
            go_on.wait(30)
            return super().run()

    forget_classes(monkeypatch, Slow())

    async def main():
        model = build(refuse(429, "RESOURCE_EXHAUSTED"))
        task = asyncio.create_task(model.ainvoke("hi"))
        await asyncio.to_thread(waiting.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        with pytest.raises(api.RateLimitError):
            await model.ainvoke("hi")

    asyncio.run(main())


def test_import_without_a_free_thread_happens_at_once(unfinished, monkeypatch):
    """If no thread can be started, as at the end of a program, the thread of the event loop imports openai."""

    async def refuse_thread(*_):
        raise RuntimeError("cannot schedule new futures after shutdown")

    error = pending.PendingError(lambda: errors.ServerError("No. (503)"))
    monkeypatch.setattr(asyncio, "to_thread", refuse_thread)
    assert type(asyncio.run(pending.acomplete_error(error))) is api.ServerError


def test_error_in_a_finally_block_of_a_closed_stream_is_complete(unfinished):
    """A call in the `finally` block of a closed generator fails, and its error imports openai."""

    async def stream(model):
        try:
            yield 1
        finally:
            await model.ainvoke("hi")

    async def main():
        generator = stream(build(refuse(429, "RESOURCE_EXHAUSTED")))
        await anext(generator)
        with pytest.raises(api.RateLimitError):
            await generator.aclose()

    asyncio.run(main())
    assert threading.get_ident() not in unfinished.threads


def test_first_error_is_freed_without_the_garbage_collector(unfinished):
    """No frame in the error's traceback refers back to the error, so there is no reference cycle."""
    alive = []

    class Kept(api.RateLimitError):
        def __del__(self):
            alive.remove(id(self))

    def make():
        error = Kept("No. (429)")
        alive.append(id(error))
        return error

    def answer(*_):
        raise pending.make_error(make)

    async def main():
        transport = SimpleNamespace(begin=lambda *_, **__: Tries(0, TimeLimits(), Gate()), complete=answer)
        try:
            _call.ask("m", Repair({}, None, strict=False), transport, None)
        except openai.RateLimitError:
            return len(alive)

    gc.disable()
    try:
        assert asyncio.run(main()) == 1
        assert alive == []
    finally:
        gc.enable()


FIRST_ERRORS = """
import asyncio, importlib.abc, json, sys, threading
from langchain_gemini_compat import ChatGeminiCompat

threads = []

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "openai":
            threads.append(threading.current_thread() is threading.main_thread())

def is_loaded():
    return "openai" in sys.modules

sys.meta_path.insert(0, Finder())
url, mode = sys.argv[1:]
model = ChatGeminiCompat(model="gemini-3.8-flash", surface="ai_studio", api_key="k", base_url=url, max_retries=0)
ticks = []

async def tick():
    while True:
        ticks.append(is_loaded())
        await asyncio.sleep(0)

async def ask(prompt):
    ticking = asyncio.create_task(tick())
    try:
        if mode == "astream":
            return "".join([piece.text async for piece in model.astream(prompt)])
        return (await model.ainvoke(prompt)).text
    finally:
        ticking.cancel()

def run(prompt):
    if mode == "invoke":
        return model.invoke(prompt).text
    if mode == "stream":
        return "".join(piece.text for piece in model.stream(prompt))
    return asyncio.run(ask(prompt))

text, before = run("one"), is_loaded()
ticks.clear()
try:
    run("fail")
except Exception as err:
    import openai
    caught = isinstance(err, openai.RateLimitError) and str(err)
# The number of turns of the loop while openai was being imported.
print(json.dumps([text, before, is_loaded(), threads[:1], caught, ticks.count(True)]))
"""


@pytest.mark.parametrize("mode", ["invoke", "stream", "ainvoke", "astream"])
def test_process_imports_openai_with_its_first_error(mode):
    """A successful call does not import openai. In async code, the import does not block the event loop."""
    with FakeGemini(["one", Fault.rate_limit()]).serve() as url:
        command = [sys.executable, "-c", FIRST_ERRORS, url, mode]
        run = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert run.stdout, run.stderr
    text, before, after, threads, caught, turns = json.loads(run.stdout)
    assert (text, before, after) == ("one", False, True)
    assert "429" in caught
    is_async = mode.startswith("a")
    assert threads == [not is_async]
    assert (turns > 50) is is_async


def test_two_threads_with_a_first_error_import_openai_once(monkeypatch):
    state = pending._Import()
    forget_classes(monkeypatch, state)
    barrier = threading.Barrier(8)

    def fail(_):
        barrier.wait()
        with pytest.raises(api.RateLimitError):
            build(refuse(429, "RESOURCE_EXHAUSTED")).invoke("hi")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fail, range(8)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_waits_for_a_running_import():
    """If a process forked during an import, the child would wait forever for the lock of the unfinished module."""
    code = """
import os, sys, threading, time, types, warnings
warnings.simplefilter("ignore")
from langchain_gemini_compat._errors import pending

started = threading.Event()

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "openai":
            started.set()
            time.sleep(0.3)

sys.meta_path.insert(0, Slow())
thread = threading.Thread(target=pending.import_classes)
thread.start()
started.wait()
pid = os.fork()
if pid == 0:
    sys.exit(0 if pending.make_error(lambda: pending.import_classes().ServerError("No.")).is_retryable else 1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert run.stdout.split() == ["0"], run.stderr
