"""`FakeGemini` from the user's side: scripts, functions, sync and async clients, HTTP, and recorded requests."""

from __future__ import annotations

import asyncio
import json
import pickle
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import openai
import pytest
from blockbuster import blockbuster_ctx

from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat.testing import Call, FakeGemini, FakeRequest, Fault, Raw, Reply, Usage
from langchain_gemini_compat.testing._server.quota import MinuteQuota

if TYPE_CHECKING:
    from collections.abc import Callable

MODELS = {"ai_studio": "gemini-3.8-flash", "vertex": "google/gemini-3.8-flash", "openai_compatible": "gemma-3-270m"}
SURFACES = tuple(MODELS)
USER = [{"role": "user", "content": "Hi"}]
ADD = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}},
}


def post(fake: FakeGemini, body: dict[str, Any] | None = None, token: str = "a-long-enough-token", **more: Any) -> Any:
    """Send one chat request with the fake's client, and return the raw response."""
    whole = {"model": MODELS[fake.surface], "messages": USER, **(body or {}), **more}
    url = f"{fake.connection()['base_url']}/chat/completions"
    return fake.http_client.post(url, json=whole, headers={"Authorization": f"Bearer {token}"})


def sdk(fake: FakeGemini) -> openai.OpenAI:
    """Return a client of the openai SDK that uses the fake's HTTP client, without retries."""
    settings = fake.connection()
    return openai.OpenAI(
        base_url=settings["base_url"], api_key="k" * 12, http_client=settings["http_client"], max_retries=0
    )


def text_of(response: Any) -> str:
    """Return the content of a whole reply."""
    return response.json()["choices"][0]["message"]["content"]


def test_script_answers_requests_in_order() -> None:
    """Each request gets the next reply. A reply may be a string, a `Call`, a list of calls or a `Reply`."""
    fake = FakeGemini(["one", Call("add", {"a": 1}), [Call("add"), Call("sub")], Reply("four")])
    assert text_of(post(fake)) == "one"
    first = post(fake).json()["choices"][0]["message"]["tool_calls"]
    assert [call["function"] for call in first] == [{"arguments": '{"a":1}', "name": "add"}]
    second = post(fake).json()["choices"][0]["message"]["tool_calls"]
    assert [call["function"]["name"] for call in second] == ["add", "sub"]
    assert text_of(post(fake)) == "four"


def test_function_gets_the_request() -> None:
    """The function returns the reply to each request."""
    fake = FakeGemini(lambda request: f"You said {request.prompt}, {len(request.tools)} tools")
    assert text_of(post(fake, tools=[ADD])) == "You said Hi, 1 tools"


def test_a_single_reply_answers_every_request() -> None:
    """A single text answers every request, and is not read as a list of characters."""
    fake = FakeGemini("Hello")
    assert [text_of(post(fake)), text_of(post(fake))] == ["Hello", "Hello"]


def test_fake_without_replies_echoes() -> None:
    """The reply is the newest user message, even if the request asks for JSON."""
    fake = FakeGemini()
    assert text_of(post(fake)) == "Hi"
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    assert text_of(post(fake, response_format=schema)) == "Hi"


def test_answer_with_starts_a_new_script() -> None:
    """The fixture creates the fake before the test runs, so the test passes its replies to `answer_with`."""
    fake = FakeGemini(["never played"])
    fake.answer_with(["played"])
    assert text_of(post(fake)) == "played"


def test_raw_body_is_sent_unchanged() -> None:
    """A recorded body keeps its bytes. The content type is derived from the body if the test does not set it."""
    events = 'data: {"choices":[]}\n\ndata: [DONE]\n\n'
    fake = FakeGemini([Raw(events), Raw({"b": 1, "a": 2}, status=418), Raw("<html>", content_type="text/plain")])
    response = post(fake)
    assert (response.text, response.headers["content-type"]) == (events, "text/event-stream")
    response = post(fake)
    assert (response.status_code, response.text) == (418, '{"a":2,"b":1}')
    assert post(fake).headers["content-type"] == "text/plain"


def test_requests_are_kept_without_the_credential() -> None:
    """A test can check all parts of a request except the token."""
    fake = FakeGemini()
    post(fake, tools=[ADD], token="ya-secret-token-1234")
    request = fake.requests[0]
    assert isinstance(request, FakeRequest)
    assert (request.method, request.path) == ("POST", "/v1beta/openai/chat/completions")
    assert request.headers["authorization"] == "Bearer …1234"
    assert "secret" not in repr(request)
    assert (request.model, request.prompt, request.stream) == ("gemini-3.8-flash", "Hi", False)
    assert request.messages == USER
    assert request.tools == [ADD]


def test_results_are_those_of_the_newest_step() -> None:
    """`FakeRequest.results` has only the tool results after the newest assistant message."""
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "tool", "content": "old"},
        {"role": "assistant"},
        {"role": "tool", "content": "3"},
        {"role": "tool", "content": [{"type": "text", "text": "4"}]},
    ]
    assert FakeRequest("POST", "/", body={"messages": messages}).results == ["3", "4"]


def test_request_without_credential_is_refused() -> None:
    """Google's surfaces require a bearer token. Compatible servers do not."""
    for surface, status in (("ai_studio", 401), ("vertex", 401), ("openai_compatible", 200)):
        fake = FakeGemini(surface=surface)
        url = f"{fake.connection()['base_url']}/chat/completions"
        response = fake.http_client.post(url, json={"model": MODELS[surface], "messages": USER})
        assert response.status_code == status


def test_valid_tokens_are_the_only_ones_accepted() -> None:
    """A request with another bearer token gets a 401, and does not use up a reply of the fake."""
    fake = FakeGemini(["welcome"], surface="vertex")
    fake.valid_tokens = {"the-new-token"}
    response = post(fake, token="the-old-token")
    assert response.status_code == 401
    assert response.json()[0]["error"]["status"] == "UNAUTHENTICATED"
    assert text_of(post(fake, token="the-new-token")) == "welcome"


def test_quota_refuses_further_requests_of_the_same_minute() -> None:
    """Each model has its own quota.

    A request over the quota gets a 429 with the quota and the wait. This request uses up no reply and no quota.
    """
    now = [0.0]
    fake = FakeGemini(["one", "two", "three", "four"], requests_per_minute=2)
    fake._quota = MinuteQuota(lambda: now[0])
    assert text_of(post(fake)) == "one"
    now[0] = 20.0
    assert text_of(post(fake)) == "two"
    now[0] = 50.0
    for _ in range(2):
        response = post(fake)
        assert response.status_code == 429
        details = response.json()[0]["error"]["details"]
        assert details[1]["violations"][0]["quotaValue"] == "2"
        assert "PerMinute" in details[1]["violations"][0]["quotaId"]
        assert details[2]["retryDelay"] == "10.000s"
    assert text_of(post(fake, model="gemini-2.5-flash")) == "three"
    now[0] = 60.0
    assert text_of(post(fake)) == "four"
    assert post(fake).status_code == 429


def test_quota_is_reported_as_a_rate_limit_with_its_wait() -> None:
    fake = FakeGemini(requests_per_minute=1)
    model = fake.chat_model(max_retries=0)
    assert model.invoke("Hi").text == "Hi"
    with pytest.raises(errors.RateLimitError, match="limit: 1,") as caught:
        model.invoke("Hi")
    assert caught.value.retry_after is not None
    assert 30 < caught.value.retry_after <= 60
    assert not isinstance(caught.value, errors.QuotaExhaustedError)


def test_a_refused_request_does_not_use_up_the_script() -> None:
    """The refusal names the rule that the request broke. The next request gets the reply of the script."""
    fake = FakeGemini(["one"])
    response = post(fake, store=True)
    assert response.status_code == 400
    assert response.headers["x-fake-gemini-rule"] == "unknown-field"
    assert [violation.rule for violation in fake.refusals] == ["unknown-field"]
    assert text_of(post(fake)) == "one"


def test_without_strict_nothing_is_refused() -> None:
    """With `strict=False`, no rule is checked."""
    fake = FakeGemini(strict=False)
    assert post(fake, store=True, messages=[]).status_code == 200
    assert not fake.refusals


@pytest.mark.parametrize("surface", SURFACES)
def test_replies_are_the_same_for_the_same_test(surface: Any) -> None:
    """Two runs of a test get equal replies, with equal ids. Within a run, each reply has different ids."""
    runs = []
    for _ in range(2):
        fake = FakeGemini([Call("add"), Call("add")], surface=surface)
        runs.append([post(fake).content, post(fake).content])
    assert runs[0] == runs[1]
    first, second = (json.loads(content) for content in runs[0])
    calls = [reply["choices"][0]["message"]["tool_calls"][0] for reply in (first, second)]
    assert first["id"] != second["id"]
    assert calls[0]["id"] != calls[1]["id"]


def test_another_conversation_gets_other_ids() -> None:
    """The ids of tool calls depend on the messages.

    So if a test process restarts, its new calls do not repeat ids of a stored history.
    """
    ids = set()
    for text in ("one", "two"):
        message = post(FakeGemini([Call("add")]), messages=[{"role": "user", "content": text}]).json()
        ids.add(message["choices"][0]["message"]["tool_calls"][0]["id"])
    assert len(ids) == 2


def test_usage_counts_thoughts_as_each_surface_does() -> None:
    """AI Studio counts thoughts in the total only. Vertex AI also lists them. Other servers count them as output."""
    reply = Reply("Hi", usage=Usage(10, 5, thoughts=7, cached=3))
    usages = {surface: post(FakeGemini(reply, surface=surface)).json()["usage"] for surface in SURFACES}
    common = {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 3}, "total_tokens": 22}
    assert usages["ai_studio"] == common | {"completion_tokens": 5}
    assert usages["openai_compatible"] == common | {"completion_tokens": 12}
    assert usages["vertex"] == common | {
        "completion_tokens": 5,
        "completion_tokens_details": {"reasoning_tokens": 7},
        "extra_properties": {"google": {"traffic_type": "ON_DEMAND"}},
    }


def test_models_are_listed_where_they_are_documented() -> None:
    """AI Studio lists models with a prefix and without `created`."""
    fake = FakeGemini()
    base, headers = fake.connection()["base_url"], {"Authorization": "Bearer k"}
    listed = fake.http_client.get(f"{base}/models", headers=headers).json()
    assert listed["data"][0]["id"] == "models/gemini-3.8-flash"
    assert "created" not in listed["data"][0]
    one = fake.http_client.get(f"{base}/models/gemini-3.8-flash", headers=headers)
    assert one.json() == listed["data"][0]
    assert fake.http_client.get(f"{base}/models/none", headers=headers).status_code == 404


def test_embeddings_are_one_vector_for_each_text() -> None:
    """The vectors are deterministic, and the reply has only the fields that AI Studio sends."""
    fake = FakeGemini()
    url = f"{fake.connection()['base_url']}/embeddings"
    body = {"model": "gemini-embedding-001", "input": ["a", "b", "a"]}
    data = fake.http_client.post(url, json=body, headers={"Authorization": "Bearer k"}).json()["data"]
    one, two, three = (item["embedding"] for item in data)
    assert one == three != two
    assert set(data[0]) == {"object", "embedding"}


def test_unknown_path_returns_html() -> None:
    """Google answers a wrong URL with HTML."""
    fake = FakeGemini(surface="vertex")
    response = fake.http_client.get("https://gemini.invalid/v1/models", headers={"Authorization": "Bearer k"})
    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html")


def test_self_deployed_endpoint_has_the_format_of_openai() -> None:
    """Google's rules do not apply to self-deployed models."""
    fake = FakeGemini([Call("add")], surface="vertex")
    url = "https://gemini.invalid/v1/projects/p/locations/us-central1/endpoints/123/chat/completions"
    response = fake.http_client.post(
        url, json={"model": "gemma", "messages": USER, "store": True}, headers={"Authorization": "Bearer k"}
    )
    assert response.json()["choices"][0]["message"]["tool_calls"][0]["id"].startswith("chatcmpl-tool-")


@pytest.mark.parametrize("surface", SURFACES)
def test_the_openai_sdk_reads_whole_and_streamed_replies(surface: Any) -> None:
    """The client is from the HTTP library that the SDK uses, and the SDK parses the frames."""
    client = sdk(FakeGemini("one two three four", surface=surface))
    whole = client.chat.completions.create(model=MODELS[surface], messages=USER)
    assert whole.choices[0].message.content == "one two three four"
    stream = client.chat.completions.create(model=MODELS[surface], messages=USER, stream=True)
    texts = [chunk.choices[0].delta.content or "" for chunk in stream]
    assert "".join(texts) == "one two three four"
    assert len(texts) > 2


def test_openai_sdk_does_not_parse_googles_error_list() -> None:
    """Google's error is a list, so the SDK finds no code in it. Later versions of openai 3 find no text either."""
    client = sdk(FakeGemini([Fault.context_overflow()]))
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="gemini-3.8-flash", messages=USER)
    assert caught.value.code is None
    assert isinstance(caught.value.body, list)
    assert str(caught.value).startswith("Error code: 400")


async def test_async_client_uses_the_same_script() -> None:
    """Sync and async requests share one script."""
    fake = FakeGemini(["one", "two"])
    settings = fake.connection()
    client = openai.AsyncOpenAI(
        base_url=settings["base_url"], api_key="k", http_client=settings["http_async_client"], max_retries=0
    )
    one = await client.chat.completions.create(model="gemini-3.8-flash", messages=USER)
    stream = await client.chat.completions.create(model="gemini-3.8-flash", messages=USER, stream=True)
    two = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert (one.choices[0].message.content, "".join(two)) == ("one", "two")


def test_async_client_works_in_several_event_loops() -> None:
    """The client is not bound to one event loop."""
    fake = FakeGemini("again")

    async def ask() -> int:
        url = f"{fake.connection()['base_url']}/chat/completions"
        body = {"model": "gemini-3.8-flash", "messages": USER}
        response = await fake.http_async_client.post(url, json=body, headers={"Authorization": "Bearer k"})
        return response.status_code

    assert [asyncio.run(ask()), asyncio.run(ask())] == [200, 200]


@pytest.mark.parametrize("surface", SURFACES)
def test_http_server_sends_the_same_bytes(surface: Any) -> None:
    """A reply over HTTP has the same bytes as a reply to the fake's own client, which needs no network."""
    here, there = (FakeGemini(["Hello there", Call("add")], surface=surface) for _ in range(2))
    local = [post(here).content, post(here, stream=True).content]
    body = {"model": MODELS[surface], "messages": USER}
    with there.serve() as url, new_client() as client:
        assert url.startswith("http://127.0.0.1:")
        headers = {"Authorization": "Bearer a-long-enough-token"}
        remote = [
            client.post(f"{url}/chat/completions", json=more, headers=headers).content
            for more in (body, body | {"stream": True})
        ]
    assert local == remote
    assert [request.path for request in there.requests] == [request.path for request in here.requests]


def test_serving_leaves_no_thread_and_no_socket() -> None:
    """After the `with` block the port is free, even if a client is still connected."""
    # Some of these threads may belong to earlier tests and end during this test. So the comparison after the `with`
    # block is `<=` and not `==`.
    before = set(threading.enumerate())
    fake = FakeGemini()
    with new_client() as client:
        with fake.serve() as url:
            client.post(f"{url}/chat/completions", json={}, headers={"Authorization": "Bearer k"})
            assert set(threading.enumerate()) > before
        assert set(threading.enumerate()) <= before
        with fake.serve(port=int(url.split(":")[2].split("/")[0])) as again:
            assert again == url


def test_a_slow_reply_sends_its_frames_one_by_one() -> None:
    """Over HTTP the first frame arrives long before the last."""
    fake = FakeGemini([Fault.slow(between=0.05, reply=Reply("a b c", chunks=2))])
    with fake.serve() as url, new_client() as client:
        body = {"model": "gemini-3.8-flash", "messages": USER, "stream": True}
        with client.stream("POST", f"{url}/chat/completions", json=body, headers={"Authorization": "Bearer k"}) as got:
            assert len(list(got.iter_bytes())) >= 4


def test_serving_without_uvicorn_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the package, and says that the fake works in process without it."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ImportError, match="`pip install uvicorn`"), FakeGemini().serve():
        pass


def test_chat_model_sends_its_requests_to_the_fake() -> None:
    """`chat_model` needs no key and no network, and accepts any parameter of the model."""
    fake = FakeGemini(["Hello!"])
    model = fake.chat_model("gemini-3.8-flash", temperature=0.5)
    assert model.invoke("Hi").content == "Hello!"
    assert fake.requests[0].body["temperature"] == 0.5
    assert not fake.refusals


def test_a_model_of_a_served_fake_survives_pickling() -> None:
    """A model that has the URL of the fake works in another process."""
    fake = FakeGemini(lambda request: f"You said {request.prompt}")
    with fake.serve() as url:
        model = ChatGeminiCompat(model="gemini-3.8-flash", **fake.connection(url))
        model.invoke("one")
        copy = pickle.loads(pickle.dumps(model))
        assert copy.invoke("two").content == "You said two"
    assert len(fake.requests) == 2


def test_connection_to_a_url_has_no_clients() -> None:
    """With a URL, `connection` returns no HTTP clients, because requests to the URL go over the network."""
    assert FakeGemini().connection("http://127.0.0.1:1/v1beta/openai") == {
        "surface": "ai_studio",
        "base_url": "http://127.0.0.1:1/v1beta/openai",
        "api_key": "fake-key-for-tests",
    }


def test_fixture_is_a_new_fake(fake_gemini: FakeGemini) -> None:
    """Each test has its own fake, which echoes the user message."""
    assert fake_gemini.requests == []
    assert text_of(post(fake_gemini)) == "Hi"


@pytest.mark.parametrize("fake_gemini", [{"surface": "vertex", "replies": ["one"]}], indirect=True)
def test_the_fixture_takes_arguments(fake_gemini: FakeGemini) -> None:
    """With `indirect=True`, the fixture gets the test's parameters and passes them to `FakeGemini`."""
    assert fake_gemini.surface == "vertex"
    assert text_of(post(fake_gemini)) == "one"


def test_plugin_imports_nothing_but_itself() -> None:
    """Pytest loads the plugin in every run where the package is installed. Field case D12."""
    code = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        "import langchain_gemini_compat.testing.pytest_plugin\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [
        "langchain_gemini_compat",
        "langchain_gemini_compat._lazy",
        "langchain_gemini_compat.testing",
        "langchain_gemini_compat.testing.pytest_plugin",
    ]


def test_importing_the_fake_needs_no_http_library() -> None:
    """Rules and rendering are plain Python. HTTP clients are created on first use."""
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from langchain_gemini_compat import ChatGeminiCompat\n"
        "own = set(sys.modules)\n"
        "from langchain_gemini_compat.testing import FakeGemini\n"
        "print(sorted(name for name in set(sys.modules) - own if name.split('.')[0] in ('httpx', 'httpx2', 'uvicorn')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def new_client() -> Any:
    """Return a client of the SDK's HTTP library that uses the network."""
    make: Callable[[], Any] = type(FakeGemini().http_client)
    return make()


async def test_fake_without_a_delay_does_not_sleep():
    """A fake without a delay calls no sleep function.

    Tools that detect blocking calls report even a sleep of 0 seconds.

    Field case H7.
    """
    fake = FakeGemini("Hello!")
    chat, vectors = fake.chat_model(), fake.embeddings()
    chat.invoke("load what the first call loads")
    await chat.ainvoke("and the async client")
    with blockbuster_ctx("langchain_gemini_compat.testing"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "sleep", None)
        assert chat.invoke("hi").text == "Hello!"
        assert "".join(chunk.text for chunk in chat.stream("hi")) == "Hello!"
        assert (await chat.ainvoke("hi")).text == "Hello!"
        assert "".join([chunk.text async for chunk in chat.astream("hi")]) == "Hello!"
        assert len(vectors.embed_documents(["a", "b"])) == 2
