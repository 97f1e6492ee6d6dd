"""Parts of a request other than its body: credentials, headers, clients and retries."""

import asyncio
import gc
import os
import pickle
import threading
import warnings
import weakref
from copy import deepcopy
from datetime import datetime, timedelta, timezone

import pytest
from google.auth.credentials import Credentials
from open_files import open_files, wait_for_files
from wire import Wire, chunk, completion, google_error, http, reply

from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat._transport import client_factory
from langchain_gemini_compat._transport import retry as _retry
from langchain_gemini_compat.testing import FakeGemini


class FakeCredentials(Credentials):
    """Credentials that count refreshes. Each refresh gives a new token that is valid for an hour."""

    def __init__(self):
        super().__init__()
        self.refreshes = 0

    def refresh(self, request):
        self.refreshes += 1
        self.token = f"token-{self.refreshes}"
        self.expiry = datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(hours=1)


def model(wire, **kwargs):
    options = {"model": "gemini-3.8-flash", "max_retries": 0, **wire.clients, **kwargs}
    return ChatGeminiCompat(**options)


UNAUTHENTICATED = google_error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")


async def test_refused_token_is_refreshed_once_and_the_request_sent_again():
    """After a 401, the request is sent again with a new token, even with `max_retries=0`."""
    for run in ("invoke", "ainvoke", "stream", "astream"):
        credentials = FakeCredentials()
        good = [chunk(content="hi", finish="stop"), "[DONE]"] if "stream" in run else completion()
        wire = Wire(reply(UNAUTHENTICATED, 401), good)
        chat = model(wire, project="p", credentials=credentials)
        if run == "invoke":
            chat.invoke("hi")
        elif run == "ainvoke":
            await chat.ainvoke("hi")
        elif run == "stream":
            list(chat.stream("hi"))
        else:
            [part async for part in chat.astream("hi")]
        sent = [request.headers["authorization"] for request in wire.requests]
        assert sent == ["Bearer token-1", "Bearer token-2"]
        assert credentials.refreshes == 2


def test_second_refusal_is_an_error():
    wire = Wire(reply(UNAUTHENTICATED, 401))
    with pytest.raises(errors.AuthenticationError):
        model(wire, project="p", credentials=FakeCredentials()).invoke("hi")
    assert len(wire.requests) == 2


def test_token_is_renewed_once_in_a_call(monkeypatch):
    """`max_retries=2` allows three requests, plus one with a new token after a 401."""
    monkeypatch.setattr(_retry, "_FIRST_WAIT", 0.001)
    refused, busy = reply(UNAUTHENTICATED, 401), reply(google_error(503, "UNAVAILABLE", "Overloaded."), 503)
    wire = Wire(refused, busy, refused, busy, refused)
    with pytest.raises(errors.AuthenticationError):
        model(wire, project="p", credentials=FakeCredentials(), max_retries=2).invoke("hi")
    assert len(wire.requests) == 3


def test_static_key_is_not_tried_twice():
    """A second request with the same key would get the same answer."""
    wire = Wire(reply(UNAUTHENTICATED, 401))
    with pytest.raises(errors.AuthenticationError):
        model(wire, api_key="k").invoke("hi")
    assert len(wire.requests) == 1


def test_redirects_are_not_followed():
    """Credentials must not go to another server. The error names the target."""
    wire = Wire(http.Response(307, headers={"location": "https://elsewhere.example/v1/chat?key=x"}))
    with pytest.raises(errors.InvalidRequestError, match=r"redirects to https://elsewhere\.example/v1/chat") as caught:
        model(wire, api_key="k").invoke("hi")
    assert len(wire.requests) == 1
    assert "key=x" not in str(caught.value)


def test_openai_variables_of_the_environment_are_not_sent(monkeypatch):
    """Google must not get OpenAI's organization, project, key or custom headers."""
    monkeypatch.setenv("OPENAI_API_KEY", "canary-key")
    monkeypatch.setenv("OPENAI_ORG_ID", "canary-org")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "canary-project")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://canary.example/v1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Canary: canary-header")
    wire = Wire(completion())
    model(wire, api_key="k").invoke("hi")
    request = wire.requests[0]
    assert "canary" not in str(request.url) + str(request.headers)
    assert request.url.host == "generativelanguage.googleapis.com"
    assert not [
        name
        for name in request.headers
        if name.startswith("x-stainless") and "retry" not in name and "timeout" not in name
    ]


def test_own_headers_and_query_are_sent():
    """Some gateways need additional headers and query parameters."""
    wire = Wire(completion())
    model(wire, api_key="k", default_headers={"X-Team": "blue"}, default_query={"trace": "1"}).invoke("hi")
    assert wire.requests[0].headers["x-team"] == "blue"
    assert wire.requests[0].url.params["trace"] == "1"


def test_server_without_credentials_gets_none(monkeypatch):
    """A local server needs no key, and must not get the key of the environment."""
    monkeypatch.setenv("GOOGLE_API_KEY", "canary")
    wire = Wire(completion())
    model(wire, base_url="http://127.0.0.1:8080/v1").invoke("hi")
    assert "authorization" not in wire.requests[0].headers


def test_quota_project_is_sent_as_a_header():
    """User credentials need the header. google-auth sends it only with its own requests."""
    wire = Wire(completion())
    model(wire, project="p", credentials=FakeCredentials(), quota_project_id="billing").invoke("hi")
    assert wire.requests[0].headers["x-goog-user-project"] == "billing"


async def test_callable_key_is_called_for_every_request():
    """Blocking and async callables return bearer tokens."""
    tokens = iter(["one", "two", "three"])
    wire = Wire(completion())
    chat = model(wire, project="p", api_key=lambda: next(tokens))
    chat.invoke("hi")
    await chat.ainvoke("hi")

    async def later():
        return next(tokens)

    await model(wire, project="p", api_key=later).ainvoke("hi")
    assert [request.headers["authorization"] for request in wire.requests] == [
        "Bearer one",
        "Bearer two",
        "Bearer three",
    ]
    with pytest.raises(errors.CredentialsError, match="async"):
        model(wire, project="p", api_key=later).invoke("hi")


def test_project_is_taken_from_the_credentials():
    """`location` alone means Vertex AI. The first call looks up the project."""
    credentials = FakeCredentials()
    credentials.project_id = "theirs"
    wire = Wire(completion())
    chat = model(wire, location="eu", credentials=credentials)
    assert "{project}" in chat.endpoint_info()["base_url"]
    chat.invoke("hi")
    assert "/projects/theirs/locations/eu/" in str(wire.requests[0].url)
    asyncio.run(chat.ainvoke("hi"))
    assert "/projects/theirs/" in str(wire.requests[1].url)


def test_missing_project_raises_with_a_remedy():
    with pytest.raises(errors.CredentialsError, match="GOOGLE_CLOUD_PROJECT"):
        model(Wire(completion()), location="eu", credentials=FakeCredentials()).invoke("hi")


def test_each_event_loop_has_its_own_client():
    """The loops run one after the other, or in different threads."""
    chat = model(Wire(completion()), api_key="k")
    assert asyncio.run(chat.ainvoke("one")).text == asyncio.run(chat.ainvoke("two")).text == "Hello."
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(asyncio.run(chat.ainvoke("hi")).text)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["Hello."] * 4


def test_sockets_end_with_their_event_loop():
    """Ten loops leave no socket open. If a loop is closed without a shutdown, Python issues a warning."""
    fake = FakeGemini("hi")
    with fake.serve() as url:
        chat = ChatGeminiCompat(model="gemini-3.8-flash", max_retries=0, **fake.connection(url))
        asyncio.run(chat.ainvoke("hi"))
        before = open_files()
        for _ in range(10):
            asyncio.run(chat.ainvoke("hi"))
        gc.collect()
        assert len(chat._link.transport._clients._by_loop) == 0
        assert wait_for_files(before) <= before
        loop = asyncio.new_event_loop()
        loop.run_until_complete(chat.ainvoke("hi"))
        loop.close()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            assert asyncio.run(chat.ainvoke("hi")).text == "hi"
            closed, loop = weakref.ref(loop), None
            gc.collect()
            assert closed() is None


def test_pickled_model_connects_anew():
    """Clients are not pickled, but arguments are."""
    chat = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", temperature=0.3)
    chat.endpoint_info()
    copy = pickle.loads(pickle.dumps(chat))
    assert (copy.temperature, copy.api_key.get_secret_value()) == (0.3, "k")
    assert copy._link.transport is None
    assert copy.endpoint_info() == chat.endpoint_info()


def test_deep_copy_of_a_connected_model_connects_anew():
    """Some programs copy whole agents."""
    fake = FakeGemini(["hi", "hi"])
    with fake.serve() as url:
        chat = ChatGeminiCompat(model="gemini-3.8-flash", **fake.connection(url))
        chat.invoke("hi")
        copy = deepcopy(chat)
        assert copy._link.transport is None
        assert copy.endpoint_info() == chat.endpoint_info()
        assert copy.invoke("hi").text == "hi"


def test_deep_copy_shares_the_callers_objects():
    """A deep copy has the same clients and credentials, because they cannot be copied."""
    credentials = FakeCredentials()
    chat = model(Wire(completion()), project="p", credentials=credentials, temperature=0.1)
    copy = deepcopy(chat)
    assert (copy.http_client, copy.credentials) == (chat.http_client, credentials)
    assert copy.model_kwargs is not chat.model_kwargs
    assert copy.invoke("hi").text == chat.invoke("hi").text


def test_copy_with_other_options_keeps_the_source_of_the_key(monkeypatch):
    """Error messages about the API key say where the key comes from, such as `GOOGLE_API_KEY`."""
    monkeypatch.setenv("GOOGLE_API_KEY", "k")
    chat = ChatGeminiCompat(model="gemini-3.8-flash")
    copy = chat.model_copy(update={"max_retries": 1})
    assert copy.endpoint_info() == chat.endpoint_info()
    assert copy.endpoint_info()["auth"]["source"] == "environment GOOGLE_API_KEY"
    assert copy._open_transport() is not chat._open_transport()
    assert chat.model_copy(update={"model_name": "gemini-2.5-pro"}).endpoint_info()["model"] == "gemini-2.5-pro"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_forked_child_makes_clients_of_its_own():
    """The child must not use the sockets of its parent."""
    chat = ChatGeminiCompat(model="m", base_url="http://127.0.0.1:9/v1")
    transport = chat._open_transport()
    parents = transport._clients.sync_client()
    pid = os.fork()
    if pid == 0:
        os._exit(0 if transport._clients.sync_client() is not parents else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert transport._clients.sync_client() is parents


def test_nothing_is_looked_up_at_construction(monkeypatch):
    """Construction does not look up credentials, read files, or import google-auth and openai."""
    monkeypatch.setattr("google.auth.default", lambda **_: pytest.fail("looked up"))
    monkeypatch.setattr(client_factory, "build_client", lambda **_: pytest.fail("connected"))
    chat = ChatGeminiCompat(model="gemini-3.8-flash", project="p")
    assert chat.endpoint_info()["auth"] == {"kind": "application_default", "source": "application default credentials"}


def test_abandoned_stream_closes_its_response():
    """If the caller closes a stream before its end, the response is closed at once."""
    closed = []

    class Body(http.SyncByteStream):
        def __iter__(self):
            for _ in range(1000):
                yield b'data: {"choices": [{"index": 0, "delta": {"content": "x"}}]}\n\n'

        def close(self):
            closed.append(True)

    stream = model(Wire(http.Response(200, stream=Body())), api_key="k").stream("hi")
    next(stream)
    stream.close()
    assert closed == [True]


async def test_async_calls_leave_no_garbage_with_open_responses():
    """Streams that are read to their end are closed without the garbage collector."""
    chat = model(Wire([chunk(content="hi", finish="stop"), "[DONE]"]), api_key="k")
    for _ in range(3):
        assert "".join([part.text async for part in chat.astream("hi")]) == "hi"
    gc.collect()


async def test_abandoned_async_stream_closes_its_response_at_once():
    """`aclose()` on the stream closes the connection without the garbage collector."""
    closed = []

    class Body(http.AsyncByteStream):
        async def __aiter__(self):
            for _ in range(1000):
                yield b'data: {"choices": [{"index": 0, "delta": {"content": "x"}}]}\n\n'

        async def aclose(self):
            closed.append(True)

    stream = model(Wire(http.Response(200, stream=Body())), api_key="k").astream("hi")
    await anext(stream)
    await stream.aclose()
    assert closed == [True]
