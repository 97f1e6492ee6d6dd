"""`FakeGemini` as a user meets it: scripts, rules, both clients, real HTTP, what it records."""

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

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.testing import Call, FakeGemini, FakeRequest, Fault, Raw, Reply, Usage

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
    """The raw response to one chat request, over the fake's own client."""
    whole = {"model": MODELS[fake.surface], "messages": USER, **(body or {}), **more}
    url = f"{fake.connection()['base_url']}/chat/completions"
    return fake.http_client.post(url, json=whole, headers={"Authorization": f"Bearer {token}"})


def sdk(fake: FakeGemini) -> openai.OpenAI:
    """The openai SDK on the fake's client, without retries."""
    settings = fake.connection()
    return openai.OpenAI(
        base_url=settings["base_url"], api_key="k" * 12, http_client=settings["http_client"], max_retries=0
    )


def text_of(response: Any) -> str:
    """The content of a whole answer."""
    return response.json()["choices"][0]["message"]["content"]


def test_a_script_is_played_in_order() -> None:
    """One reply for each request, in any of the short forms."""
    fake = FakeGemini(["one", Call("add", {"a": 1}), [Call("add"), Call("sub")], Reply("four")])
    assert text_of(post(fake)) == "one"
    first = post(fake).json()["choices"][0]["message"]["tool_calls"]
    assert [call["function"] for call in first] == [{"arguments": '{"a":1}', "name": "add"}]
    second = post(fake).json()["choices"][0]["message"]["tool_calls"]
    assert [call["function"]["name"] for call in second] == ["add", "sub"]
    assert text_of(post(fake)) == "four"


def test_a_rule_sees_the_request() -> None:
    """A function of the request answers each of them."""
    fake = FakeGemini(lambda request: f"You said {request.prompt}, {len(request.tools)} tools")
    assert text_of(post(fake, tools=[ADD])) == "You said Hi, 1 tools"


def test_a_single_reply_answers_every_request() -> None:
    """A text alone is no script of letters."""
    fake = FakeGemini("Hello")
    assert [text_of(post(fake)), text_of(post(fake))] == ["Hello", "Hello"]


def test_nothing_to_say_echoes() -> None:
    """Without replies the newest user message comes back, a request for JSON included."""
    fake = FakeGemini()
    assert text_of(post(fake)) == "Hi"
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    assert text_of(post(fake, response_format=schema)) == "Hi"


def test_answer_with_starts_a_new_script() -> None:
    """The fixture's fake gets its replies after it was made."""
    fake = FakeGemini(["never played"])
    fake.answer_with(["played"])
    assert text_of(post(fake)) == "played"


def test_raw_bodies_go_out_byte_for_byte() -> None:
    """A recording is replayed as it is, with the content type it looks like."""
    events = 'data: {"choices":[]}\n\ndata: [DONE]\n\n'
    fake = FakeGemini([Raw(events), Raw({"b": 1, "a": 2}, status=418), Raw("<html>", content_type="text/plain")])
    response = post(fake)
    assert (response.text, response.headers["content-type"]) == (events, "text/event-stream")
    response = post(fake)
    assert (response.status_code, response.text) == (418, '{"a":2,"b":1}')
    assert post(fake).headers["content-type"] == "text/plain"


def test_requests_are_kept_without_the_credential() -> None:
    """A test may look at everything that was sent, except at the token."""
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
    """A rule reads what the tools said without digging."""
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "tool", "content": "old"},
        {"role": "assistant"},
        {"role": "tool", "content": "3"},
        {"role": "tool", "content": [{"type": "text", "text": "4"}]},
    ]
    assert FakeRequest("POST", "/", body={"messages": messages}).results == ["3", "4"]


def test_a_request_without_credential_is_locked_out() -> None:
    """Google's surfaces want a bearer token, a server of one's own does not."""
    for surface, status in (("ai_studio", 401), ("vertex", 401), ("openai_compatible", 200)):
        fake = FakeGemini(surface=surface)
        url = f"{fake.connection()['base_url']}/chat/completions"
        response = fake.http_client.post(url, json={"model": MODELS[surface], "messages": USER})
        assert response.status_code == status


def test_only_valid_tokens_get_in_once_they_are_named() -> None:
    """Tokens expire: the rest is 401, and the script waits."""
    fake = FakeGemini(["welcome"], surface="vertex")
    fake.valid_tokens = {"the-new-token"}
    response = post(fake, token="the-old-token")
    assert response.status_code == 401
    assert response.json()[0]["error"]["status"] == "UNAUTHENTICATED"
    assert text_of(post(fake, token="the-new-token")) == "welcome"


def test_a_refused_request_does_not_use_up_the_script() -> None:
    """What was refused was not answered, and says which rule it broke."""
    fake = FakeGemini(["one"])
    response = post(fake, store=True)
    assert response.status_code == 400
    assert response.headers["x-fake-gemini-rule"] == "unknown-field"
    assert [violation.rule for violation in fake.refusals] == ["unknown-field"]
    assert text_of(post(fake)) == "one"


def test_without_strict_nothing_is_refused() -> None:
    """For tests of other things the referee can be sent home."""
    fake = FakeGemini(strict=False)
    assert post(fake, store=True, messages=[]).status_code == 200
    assert not fake.refusals


@pytest.mark.parametrize("surface", SURFACES)
def test_replies_are_the_same_for_the_same_test(surface: Any) -> None:
    """No randomness: ids, signatures and times repeat, and differ between replies."""
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
    """Ids come from the messages too, so that a restarted test process does not repeat those in its history."""
    ids = set()
    for text in ("one", "two"):
        message = post(FakeGemini([Call("add")]), messages=[{"role": "user", "content": text}]).json()
        ids.add(message["choices"][0]["message"]["tool_calls"][0]["id"])
    assert len(ids) == 2


def test_usage_counts_thoughts_as_each_surface_does() -> None:
    """Hidden in the total, itemised, or part of the completion."""
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
    """AI Studio lists them with their prefix and without `created`."""
    fake = FakeGemini()
    base, headers = fake.connection()["base_url"], {"Authorization": "Bearer k"}
    listed = fake.http_client.get(f"{base}/models", headers=headers).json()
    assert listed["data"][0]["id"] == "models/gemini-3.8-flash"
    assert "created" not in listed["data"][0]
    one = fake.http_client.get(f"{base}/models/gemini-3.8-flash", headers=headers)
    assert one.json() == listed["data"][0]
    assert fake.http_client.get(f"{base}/models/none", headers=headers).status_code == 404


def test_embeddings_are_one_vector_for_each_text() -> None:
    """Deterministic, and as bare as AI Studio's."""
    fake = FakeGemini()
    url = f"{fake.connection()['base_url']}/embeddings"
    body = {"model": "gemini-embedding-001", "input": ["a", "b", "a"]}
    data = fake.http_client.post(url, json=body, headers={"Authorization": "Bearer k"}).json()["data"]
    one, two, three = (item["embedding"] for item in data)
    assert one == three != two
    assert set(data[0]) == {"object", "embedding"}


def test_another_path_is_a_page_for_people() -> None:
    """A wrong URL gets HTML, as at Google."""
    fake = FakeGemini(surface="vertex")
    response = fake.http_client.get("https://gemini.invalid/v1/models", headers={"Authorization": "Bearer k"})
    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html")


def test_a_deployed_endpoint_speaks_plain_openai() -> None:
    """Google's rules end where a model of one's own begins."""
    fake = FakeGemini([Call("add")], surface="vertex")
    url = "https://gemini.invalid/v1/projects/p/locations/us-central1/endpoints/123/chat/completions"
    response = fake.http_client.post(
        url, json={"model": "gemma", "messages": USER, "store": True}, headers={"Authorization": "Bearer k"}
    )
    assert response.json()["choices"][0]["message"]["tool_calls"][0]["id"].startswith("chatcmpl-tool-")


@pytest.mark.parametrize("surface", SURFACES)
def test_the_openai_sdk_reads_whole_and_streamed_replies(surface: Any) -> None:
    """The clients belong to the library under the SDK, and the frames are its chunks."""
    client = sdk(FakeGemini("one two three four", surface=surface))
    whole = client.chat.completions.create(model=MODELS[surface], messages=USER)
    assert whole.choices[0].message.content == "one two three four"
    stream = client.chat.completions.create(model=MODELS[surface], messages=USER, stream=True)
    texts = [chunk.choices[0].delta.content or "" for chunk in stream]
    assert "".join(texts) == "one two three four"
    assert len(texts) > 2


def test_the_openai_sdk_keeps_the_reason_of_an_error_out_of_its_fields() -> None:
    """Google's list is no object: what ChatOpenAI stands on has no code, and late versions of openai 3 no text either."""
    client = sdk(FakeGemini([Fault.context_overflow()]))
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="gemini-3.8-flash", messages=USER)
    assert caught.value.code is None
    assert isinstance(caught.value.body, list)
    assert str(caught.value).startswith("Error code: 400")


async def test_the_async_client_plays_the_same() -> None:
    """Sync and async see one script."""
    fake = FakeGemini(["one", "two"])
    settings = fake.connection()
    client = openai.AsyncOpenAI(
        base_url=settings["base_url"], api_key="k", http_client=settings["http_async_client"], max_retries=0
    )
    one = await client.chat.completions.create(model="gemini-3.8-flash", messages=USER)
    stream = await client.chat.completions.create(model="gemini-3.8-flash", messages=USER, stream=True)
    two = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert (one.choices[0].message.content, "".join(two)) == ("one", "two")


def test_the_async_client_works_in_one_loop_after_another() -> None:
    """It holds no event loop."""
    fake = FakeGemini("again")

    async def ask() -> int:
        url = f"{fake.connection()['base_url']}/chat/completions"
        body = {"model": "gemini-3.8-flash", "messages": USER}
        response = await fake.http_async_client.post(url, json=body, headers={"Authorization": "Bearer k"})
        return response.status_code

    assert [asyncio.run(ask()), asyncio.run(ask())] == [200, 200]


@pytest.mark.parametrize("surface", SURFACES)
def test_real_http_gives_the_same_bytes(surface: Any) -> None:
    """In process and over a socket the answers are equal."""
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
    """After the `with` the port is free again, even with a client still connected."""
    before = threading.active_count()
    fake = FakeGemini()
    with new_client() as client:
        with fake.serve() as url:
            client.post(f"{url}/chat/completions", json={}, headers={"Authorization": "Bearer k"})
        assert threading.active_count() == before
        with fake.serve(port=int(url.split(":")[2].split("/")[0])) as again:
            assert again == url


def test_a_slow_reply_sends_its_frames_one_by_one() -> None:
    """Over real HTTP the first frame is there long before the last."""
    fake = FakeGemini([Fault.slow(between=0.05, reply=Reply("a b c", chunks=2))])
    with fake.serve() as url, new_client() as client:
        body = {"model": "gemini-3.8-flash", "messages": USER, "stream": True}
        with client.stream("POST", f"{url}/chat/completions", json=body, headers={"Authorization": "Bearer k"}) as got:
            assert len(list(got.iter_bytes())) >= 4


def test_serving_without_uvicorn_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to install, and that in process nothing is needed."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ImportError, match="`pip install uvicorn`"), FakeGemini().serve():
        pass


def test_the_chat_model_is_wired_to_the_fake() -> None:
    """One line gives a model that needs no key and no network; arguments pass through."""
    fake = FakeGemini(["Hello!"])
    model = fake.chat_model("gemini-3.8-flash", temperature=0.5)
    assert model.invoke("Hi").content == "Hello!"
    assert fake.requests[0].body["temperature"] == 0.5
    assert not fake.refusals


def test_a_model_of_a_served_fake_survives_pickling() -> None:
    """As the page on testing says: what is over HTTP may travel to another process."""
    fake = FakeGemini(lambda request: f"You said {request.prompt}")
    with fake.serve() as url:
        model = ChatGeminiCompat(model="gemini-3.8-flash", **fake.connection(url))
        model.invoke("one")
        copy = pickle.loads(pickle.dumps(model))
        assert copy.invoke("two").content == "You said two"
    assert len(fake.requests) == 2


def test_connection_to_a_url_has_no_clients() -> None:
    """What `serve()` gives is reached over the network."""
    assert FakeGemini().connection("http://127.0.0.1:1/v1beta/openai") == {
        "surface": "ai_studio",
        "base_url": "http://127.0.0.1:1/v1beta/openai",
        "api_key": "fake-key-for-tests",
    }


def test_the_fixture_is_a_fresh_fake(fake_gemini: FakeGemini) -> None:
    """Every test has its own, and it echoes."""
    assert fake_gemini.requests == []
    assert text_of(post(fake_gemini)) == "Hi"


@pytest.mark.parametrize("fake_gemini", [{"surface": "vertex", "replies": ["one"]}], indirect=True)
def test_the_fixture_takes_arguments(fake_gemini: FakeGemini) -> None:
    """Indirect parameters are the fake's own."""
    assert fake_gemini.surface == "vertex"
    assert text_of(post(fake_gemini)) == "one"


def test_the_plugin_loads_no_fake() -> None:
    """Test suites that never ask for it pay nothing for it."""
    code = "import sys, langchain_gemini_compat.testing.pytest_plugin as p; print(p.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("pytest_plugin")


def test_importing_the_fake_needs_no_http_library() -> None:
    """The referee and the renderer are plain Python; clients are made when asked for."""
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import langchain_gemini_compat\n"
        "own = set(sys.modules)\n"
        "import langchain_gemini_compat.testing\n"
        "print(sorted(name for name in set(sys.modules) - own if name.split('.')[0] in ('httpx', 'httpx2', 'uvicorn')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def new_client() -> Any:
    """A client of the SDK's HTTP library that uses the network."""
    make: Callable[[], Any] = type(FakeGemini().http_client)
    return make()


async def test_fake_without_a_delay_does_not_sleep():
    """Field case H7: a sleep of no time sets off detectors of blocking calls, and costs a turn of the event loop."""
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
