"""`record` writes the exchanges of a program without secrets, and `replay` reproduces them without a network."""

import asyncio
import gzip
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import raw_server
import yaml
from cassette_files import FOLDER
from google.auth.credentials import AnonymousCredentials as Anonymous
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, ToolMessage
from loopback import listen
from transports import both_transports
from wire import Wire, chunk, completion, http, reply

from langchain_gemini_compat import ChatGeminiCompat, GeminiCompatEmbeddings, errors
from langchain_gemini_compat._transport.retry import Tries
from langchain_gemini_compat.testing import Call, FakeGemini, Fault, Raw, ReplayError, Reply, record, replay
from langchain_gemini_compat.testing._cassettes.file import append_interaction
from langchain_gemini_compat.testing._cassettes.layout import render_chunks

MODEL = "gemini-3.8-flash"
CANARIES = {
    "key": "canary-key-0123456789",
    "header": "canary-header-0123456789",
    "query": "canary-query-0123456789",
    "body": "canary-body-0123456789",
    "cookie": "canary-cookie-0123456789",
    "project": "canary-project",
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bug.yaml"


def studio(**kwargs):
    """Return a model that would reach Google's service if nothing replaced it."""
    return ChatGeminiCompat(**{"model": MODEL, "api_key": "k", **kwargs})


def served(*answers, **kwargs):
    """Return a model whose requests get `answers`."""
    return studio(**{"max_retries": 0, **Wire(*answers).clients, **kwargs})


def interactions(path):
    return yaml.safe_load(path.read_text())["interactions"]


def add_up(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def plain(state):
    """Return the messages of an agent's state without the ids of the run and the random part of waits."""
    found = [{**message.model_dump(), "id": None} for message in state["messages"]]
    for message in found:
        message["response_metadata"].pop("waited", None)
    return found


def refused_for_a_minute():
    error = {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED"}
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "60s"}
    return Raw([{"error": {**error, "details": [info]}}], status=429)


#: A fake server's answers to twelve requests: nine replies with a tool call, a final text, and two errors. After an
#: error, the client repeats its request.
SCRIPT = [
    Reply(thoughts="First.", calls=[Call("add_up", {"a": 0, "b": 1})]),
    refused_for_a_minute(),
    *[Reply(calls=[Call("add_up", {"a": n, "b": 1})]) for n in range(1, 5)],
    Fault.overloaded(),
    *[Reply(calls=[Call("add_up", {"a": n, "b": 1})]) for n in range(5, 9)],
    "The sum is nine.",
]


@pytest.fixture
def no_waits(monkeypatch):
    """Waits before retries take no time while a program is recorded."""

    def build(*args, **kwargs):
        return Tries(*args, **{**kwargs, "sleeps": False})

    monkeypatch.setattr("langchain_gemini_compat._transport.client.Tries", build)


def run_agent(model, mode):
    """Run an agent to its end. Return its state and what it streamed."""
    agent = create_agent(model, [add_up])
    start = {"messages": [HumanMessage("Count to nine.")]}
    if mode == "invoke":
        return plain(agent.invoke(start, {"recursion_limit": 50})), []
    if mode == "ainvoke":
        return plain(asyncio.run(agent.ainvoke(start, {"recursion_limit": 50}))), []
    seen = list(agent.stream(start, {"recursion_limit": 50}, stream_mode=["messages", "values"]))
    tokens = [part[0].text for kind, part in seen if kind == "messages"]
    return plain([part for kind, part in seen if kind == "values"][-1]), tokens


@pytest.mark.parametrize("surface", ["ai_studio", "vertex"])
@pytest.mark.parametrize("mode", ["invoke", "ainvoke", "stream"])
def test_agent_of_12_requests_replays_to_the_same_state(path, no_waits, mode, surface):
    """The run has streams, retries, and a 429 with a wait of a minute. The replay needs no key and does not wait."""
    fake = FakeGemini(SCRIPT, surface=surface)
    with record(path) as recording:
        told = run_agent(fake.chat_model(timeout={"retry_wait": 100}), mode)
    assert recording.exchanges == len(interactions(path)) == 12
    statuses = [one["response"]["status"]["code"] for one in interactions(path)]
    assert (statuses.count(429), statuses.count(503)) == (1, 1)
    begun = time.monotonic()
    with replay(path) as replayed:
        place = {"surface": surface, "base_url": fake.connection()["base_url"], "api_key": "another"}
        model = ChatGeminiCompat(model=MODEL, timeout={"retry_wait": 100}, **place)
        assert run_agent(model, mode) == told
    assert replayed.remaining == 0
    assert time.monotonic() - begun < 50


def test_replay_does_not_wait_for_the_time_that_a_429_names(path, no_waits):
    """The replay skips the wait but counts it: if the wait is longer than `retry_wait`, the 429 is raised."""
    fake = FakeGemini([refused_for_a_minute(), "Hello."])
    with record(path):
        fake.chat_model(timeout={"retry_wait": 100}).invoke("Hi")
    with replay(path) as replayed:
        answer = studio(timeout={"retry_wait": 100}).invoke("Hi")
        assert answer.text == "Hello."
        assert answer.response_metadata["retries"] == 1
        assert replayed.remaining == 0
    with replay(path), pytest.raises(errors.RateLimitError) as caught:
        studio(timeout={"retry_wait": 50}).invoke("Hi")
    assert caught.value.retry_after == 60


@both_transports
async def test_exchange_over_a_socket_is_recorded(path, async_transport):
    """The requests go to a real server on loopback. Async calls use httpx or aiohttp."""
    fake = FakeGemini(lambda request: f"You said {request.prompt}.")
    with fake.serve() as url, record(path):
        model = ChatGeminiCompat(model=MODEL, **fake.connection(url))
        texts = [
            (await model.ainvoke("one")).text,
            "".join([part.text async for part in model.astream("two")]),
            (await asyncio.to_thread(model.invoke, "three")).text,
        ]
    assert texts == ["You said one.", "You said two.", "You said three."]
    with replay(path):
        model = studio()
        assert (await model.ainvoke("one")).text == texts[0]
        assert "".join([part.text async for part in model.astream("two")]) == texts[1]
        assert (await asyncio.to_thread(model.invoke, "three")).text == texts[2]


def test_stream_is_replayed_event_by_event(path):
    events = [chunk(content="One "), chunk(content="two "), chunk(content="three."), chunk(finish="stop"), "[DONE]"]
    with record(path):
        recorded = [part.text for part in served(events).stream("Count.")]
    assert interactions(path)[0]["response"]["events"] == [*events[:-1], "[DONE]"]
    with replay(path):
        assert [part.text for part in studio().stream("Count.")] == recorded


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'data: {"choices":[{"delta":{"content":"a"}}]}\r\n\r\ndata: [DONE]\r\n\r\n', id="CRLF"),
        pytest.param(b': ping\n\ndata: {"choices":[{"delta":{"content":"a"}}]}\n\n', id="comment"),
        pytest.param(b'data: {"choices":[{"delta":{"content":"a","content":"b"}}]}\n\n', id="repeated key"),
        pytest.param(b'data: {"choices":[{"delta":{"content":"a\\ud83d"}}]}\n\n', id="half a pair"),
        pytest.param(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n{"error":{"code":500}}', id="bare error"),
        pytest.param(b'data: {"choices":[{"delta":{"content":"a\xff"}}]}\n\n', id="no UTF-8"),
        pytest.param(b"data: nonsense\n\n", id="no JSON"),
        pytest.param(
            'data: {"choices":[{"delta":{"content":"\x85\u2028\ufeff\'\U0001f600"}}]}\n\n'.encode(), id="marks"
        ),
        pytest.param(b"", id="nothing"),
    ],
)
def test_unusual_stream_is_replayed_byte_for_byte(path, body):
    answer = http.Response(200, content=body, headers={"content-type": "text/event-stream"})

    def outcome(model):
        try:
            return [part.text for part in model.stream("Hi")]
        except errors.GeminiCompatError as err:
            return type(err), str(err)

    with record(path):
        recorded = outcome(served(answer))
    assert b"".join(render_chunks(interactions(path)[0]["response"])) == body
    with replay(path):
        assert outcome(studio(max_retries=0)) == recorded


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(reply("<html><title>Gone</title></html>", 404, {"content-type": "text/html"}), id="page"),
        pytest.param(reply("plain text", 500), id="text"),
        pytest.param(reply(b"\xff\xfe\x00", 502), id="bytes"),
        pytest.param(reply("", 503), id="empty"),
        pytest.param(reply("", 302, {"location": "https://example.org/other"}), id="redirect"),
        pytest.param(reply([{"error": {"code": 400, "message": "No.", "status": "INVALID_ARGUMENT"}}], 400), id="400"),
        pytest.param(reply("{}", 429, {"retry-after": "7"}), id="retry-after"),
        pytest.param(
            reply(gzip.compress(b"not a reply"), 500, {"content-encoding": "gzip", "content-type": "text/plain"}),
            id="gzip",
        ),
    ],
)
def test_error_of_a_server_is_replayed(path, answer):
    with record(path), pytest.raises(errors.APIStatusError) as first:
        served(answer).invoke("Hi")
    with replay(path), pytest.raises(errors.APIStatusError) as second:
        studio(max_retries=0).invoke("Hi")
    assert type(first.value) is type(second.value)
    assert str(first.value) == str(second.value)
    assert first.value.retry_after == second.value.retry_after


def test_compressed_reply_is_written_as_text(path):
    body = gzip.compress(json.dumps(completion("Hello.")).encode())
    answer = http.Response(200, content=body, headers={"content-type": "application/json", "content-encoding": "gzip"})
    with record(path):
        served(answer).invoke("Hi")
    assert interactions(path)[0]["response"]["json"]["choices"][0]["message"]["content"] == "Hello."
    with replay(path):
        assert studio().invoke("Hi").text == "Hello."


def read_to_the_end(connection):
    """Read until the client closes the connection."""
    while connection.recv(65536):
        pass


@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
def test_failure_of_the_network_is_replayed(path, mode):
    """The replayed error has the same class, text and `is_retryable` as the recorded error."""

    def fail(model, kind):
        with pytest.raises(kind) as caught:
            asyncio.run(model.ainvoke("Hi")) if mode == "ainvoke" else model.invoke("Hi")
        return type(caught.value), str(caught.value), caught.value.is_retryable

    with listen(lambda client: None) as refused:
        pass
    silent = raw_server.start(read_to_the_end)
    closing = raw_server.start(lambda connection: None)
    with record(path), silent as (slow, _), closing as (closed, _):
        cases = [
            ({"base_url": f"http://{refused}/v1"}, errors.APIConnectionError),
            ({"base_url": f"http://{slow}/v1", "timeout": {"first_byte": 0.2}}, errors.RequestTimeoutError),
            ({"base_url": f"http://{closed}/v1"}, errors.APIConnectionError),
        ]
        recorded = [fail(studio(max_retries=0, **options), kind) for options, kind in cases]
    with replay(path):
        assert [fail(studio(max_retries=0, **options), kind) for options, kind in cases] == recorded


@pytest.mark.parametrize("stalls", [False, True], ids=["broken", "silent"])
def test_stream_that_breaks_off_is_replayed(path, stalls):
    def answer(connection):
        connection.sendall(raw_server.STREAM + raw_server.chunk())
        if stalls:
            read_to_the_end(connection)

    def outcome(model):
        texts = []
        with pytest.raises(errors.GeminiCompatError) as caught:
            texts.extend(part.text for part in model.stream("Hi"))
        return type(caught.value), str(caught.value), caught.value.partial

    with record(path), raw_server.start(answer) as (url, _):
        options = {"max_retries": 0, "base_url": f"http://{url}/v1", "timeout": {"between_chunks": 0.3}}
        recorded = outcome(studio(**options))
    with replay(path):
        assert outcome(studio(**options)) == recorded


def test_stream_that_the_program_leaves_is_marked(path):
    """The cassette marks a stream that the program closed before its end."""
    events = [chunk(content="One "), chunk(content="two."), chunk(finish="stop"), "[DONE]"]
    with record(path):
        stream = served(events).stream("Hi")
        next(stream)
        stream.close()
        list(served(events).stream("Ho"))
    stopped, whole = (one["response"] for one in interactions(path))
    assert "stopped" not in whole
    with replay(path):
        assert next(studio().stream("Hi")).text == "One "
    assert stopped["events"][0] == events[0]


def test_renewed_token_is_replayed(path):
    """In the recorded run, a 401 leads to one new token. The replay does not call the function that returns tokens."""
    tokens = iter(["first-token", "second-token"])
    model = served(reply("{}", 401), completion("Hello."), api_key=lambda: next(tokens))
    with record(path):
        assert model.invoke("Hi").text == "Hello."
    with replay(path) as replayed:
        assert studio(api_key=lambda: pytest.fail("asked for a key"), max_retries=0).invoke("Hi").text == "Hello."
    assert replayed.remaining == 0


def test_refused_key_is_replayed(path):
    with record(path), pytest.raises(errors.AuthenticationError):
        served(reply("{}", 401)).invoke("Hi")
    with replay(path), pytest.raises(errors.AuthenticationError):
        studio(max_retries=0).invoke("Hi")


def test_replay_looks_up_no_credentials(path, monkeypatch):
    """On Vertex AI, a replay works with another project and without a project. It does not call google-auth."""
    fake = FakeGemini(["Hello.", "Hello."], surface="vertex")
    with record(path):
        fake.chat_model().invoke("Hi")
        fake.chat_model().invoke("Hi")
    monkeypatch.setattr("google.auth.default", lambda *_, **__: pytest.fail("looked up credentials"))
    with replay(path):
        assert ChatGeminiCompat(model=MODEL, project="another", location="global").invoke("Hi").text == "Hello."
        assert ChatGeminiCompat(model=MODEL).invoke("Hi").text == "Hello."


def test_embeddings_are_replayed(path):
    with record(path):
        vector = FakeGemini().embeddings(dimensions=8).embed_query("Hi")
    with replay(path):
        assert (
            GeminiCompatEmbeddings(model="gemini-embedding-001", api_key="k", dimensions=8).embed_query("Hi") == vector
        )


def leaky_server():
    """Return answers that repeat the secrets in `CANARIES`: in an error, in its headers, in a stream and in a reply."""
    told = " ".join(CANARIES.values())
    error = {"error": {"code": 503, "message": told, "status": "UNAVAILABLE", "metadata": {"user_id": "user_1234567"}}}
    headers = {
        "set-cookie": told,
        "x-request-id": told,
        "location": f"https://x/{CANARIES['query']}",
        "retry-after": "0",
    }
    cut = [chunk(content=told), chunk(finish="stop"), "[DONE]"]
    return [
        reply([error], 503, headers),
        reply(f"<html>{told}</html>", 502, headers),
        completion(told),
        cut,
        http.Response(
            200,
            content=iter([b": " + told.encode()[:30], told.encode()[30:], b'\n\ndata: {"error":{"code":400}}\n\n']),
            headers={"content-type": "text/event-stream"},
        ),
        http.ConnectError(f"cannot reach {told}"),
    ]


def test_canaries_are_not_in_the_file(path):
    """The file contains no secret, wherever the program sent it and wherever the server repeated it."""
    model = served(
        *leaky_server(),
        surface="vertex",
        base_url=f"https://gate.example.com/v1/projects/{CANARIES['project']}/locations/global/endpoints/openapi",
        api_key=CANARIES["key"],
        quota_project_id=CANARIES["project"],
        default_headers={
            "X-Gate": CANARIES["header"],
            "Cookie": f"session={CANARIES['cookie']}",
            "User-Agent": "me@host",
        },
        default_query={"key": CANARIES["query"]},
        extra_body={"gateway": {"api_key": CANARIES["body"]}, "user": "jane.doe@example.com"},
        max_retries=2,
    )
    with record(path) as recording:
        assert "canary" in model.invoke("Hi").text
        list(model.stream("Ho"))
        with pytest.raises(errors.GeminiCompatError):
            list(model.stream("Hu"))
        with suppress(errors.GeminiCompatError):
            model.invoke("He")
    assert recording.exchanges >= 6
    text = path.read_text()
    for name, canary in CANARIES.items():
        assert canary not in text, name
    assert not re.search(
        "canary|jane|me@host|user_1234567|user-agent|authorization|x-request-id|cookie", text, re.IGNORECASE
    )
    # In the file, a marker replaces each secret.
    assert "[hidden]" in text
    assert "projects/PROJECT_ID/locations/global" in text


KEY = "CANARYKEY0123456789"


def delta(index=0, **fields):
    return {"id": "1", "object": "chat.completion.chunk", "choices": [{"index": index, "delta": fields}]}


def call_delta(arguments, **rest):
    return delta(tool_calls=[{"index": 0, "function": {"arguments": arguments}, **rest}])


SPLIT = {
    "text": [delta(content=piece, role="assistant") for piece in ("Your key is CANARYK", "EY0123", "456789", ". Bye.")],
    "reasoning": [delta(reasoning_content="CANARYKEY01"), delta(reasoning_content="23456789")],
    "refusal": [delta(refusal="No CANARYKEY01"), delta(refusal="23456789")],
    "parts": [delta(content=[{"type": "text", "text": piece}]) for piece in ("CANARYKEY", "0123456789")],
    "arguments": [call_delta('{"a": "CANARY', id="c1", type="function"), call_delta('KEY0123456789"}')],
    "choices": [delta(index, content=piece) for piece in ("CANARYKEY01", "23456789") for index in (0, 1)],
    "Google": [delta(content="AI"), delta(content="zaSyA1234567890abcdefghi"), delta(content="jklmnopqrstu")],
    "OpenAI": [delta(content="sk-proj-abcdefghijklmnop"), delta(content="CANARY")],
}


def joined_texts(path):
    """Return the values in the events of a recorded stream. Values with the same path in several events are joined."""
    response = interactions(path)[0]["response"]
    texts = {}

    def note(value, at):
        if isinstance(value, dict):
            for key, inner in value.items():
                note(inner, (*at, value.get("index"), key))
        elif isinstance(value, list):
            for inner in value:
                note(inner, at)
        else:
            texts.setdefault(at, []).append(str(value))

    for line in b"".join(render_chunks(response)).decode(errors="replace").splitlines():
        if line.startswith("data: {"):
            note(json.loads(line[6:]), ())
    return ["".join(found) for found in texts.values()]


@pytest.mark.parametrize("form", ["events", "chunks", "base64"])
@pytest.mark.parametrize("events", SPLIT.values(), ids=SPLIT)
def test_secret_in_several_deltas_is_hidden(path, events, form):
    """The secret is hidden in each form of a body: events, a stream with comments, and a stream that is not UTF-8."""
    start = {"events": b"", "chunks": b": ping\n\n", "base64": b": \xff\n\n"}[form]
    body = start + b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in [*events, chunk(finish="stop")])
    answer = http.Response(200, content=body, headers={"content-type": "text/event-stream"})
    with record(path), suppress(errors.GeminiCompatError):
        list(served(answer, api_key=KEY).stream("Hi"))
    assert form in interactions(path)[0]["response"]
    texts = joined_texts(path)
    assert any("[hidden]" in text for text in texts)
    assert not re.search("CANARY|23456789|AIza|jklmnop", " ".join(texts))


def test_deltas_around_a_split_secret_stay(path):
    pieces = ["Your ", "key is CANARYK", "EY0123", "456789", " now. ", "Bye."]
    with record(path):
        events = [*[chunk(content=piece) for piece in pieces], chunk(finish="stop"), "[DONE]"]
        told = [part.text for part in served(events, api_key=KEY).stream("Hi")]
    assert "".join(told) == f"Your key is {KEY} now. Bye."
    events = interactions(path)[0]["response"]["events"]
    found = [event["choices"][0]["delta"].get("content") for event in events[: len(pieces)]]
    assert found == ["Your ", "key is [hidden]", "", "", " now. ", "Bye."]


WORDS = {
    "x-app": "assistant",
    "x-team": "messages",
    "x-model": "gemini-3.8-flash-preview-09-2026",
    "x-title": "my customer service",
    "x-mode": "function",
}


def test_headers_that_are_ordinary_words_change_no_body(path):
    """Bodies keep a word that is also a header value, unless it looks like a secret."""
    prompt = f"You are an assistant. {' '.join(WORDS.values())}"
    with record(path):
        served(completion(prompt), default_headers=WORDS, default_query={"mode": "assistant"}).invoke(prompt)
    (found,) = interactions(path)
    assert found["request"]["json"]["messages"][0]["content"] == prompt
    assert found["response"]["json"]["choices"][0]["message"]["role"] == "assistant"
    assert "[hidden]" not in path.read_text()
    with replay(path):
        assert studio().invoke(prompt).text == prompt


@pytest.mark.parametrize(
    "headers",
    [
        {"x-gate": "a1b2c3d4e5f6a7b8c9d0"},
        {"x-gate": "Token 3f1c9b7e-1d2a-4c5b-8e9f-0a1b2c3d4e5f"},
        {"x-session": "abcdefgh"},
        {"x-password": "ordinaryword"},
        {"x-user": "jane.doe@example.com"},
        {"x-config": '{"mode": "assistant", "key": "pk1234567890abcdef"}'},
    ],
    ids=["letters and digits", "UUID", "session", "password", "address", "JSON"],
)
def test_headers_with_the_name_or_form_of_a_secret_are_hidden(path, headers):
    (secret,) = (re.split(r'[ "]', value.rstrip('"}'))[-1] for value in headers.values())
    with record(path):
        served(completion(f"It is {secret}, assistant."), default_headers=headers).invoke("Hi")
    assert secret not in path.read_text()
    assert "It is [hidden], assistant." in path.read_text()


@pytest.mark.parametrize("key", ["assistant", "messages", "tool_calls", "arguments"])
def test_words_of_the_protocol_stay_even_if_a_key_is_one(path, key):
    with record(path):
        served(completion("Hello."), api_key=key).invoke("Hi")
    (found,) = interactions(path)
    assert found["request"]["json"]["messages"] == [{"role": "user", "content": "Hi"}]
    assert found["response"]["json"]["choices"][0]["message"]["role"] == "assistant"
    with replay(path):
        assert studio().invoke("Hi").text == "Hello."


@pytest.mark.parametrize(
    ("location", "kept"),
    [
        ("https://sso.example/cb?code=SSOSECRET1234567&session=abc#token=SSOSECRET99", "https://sso.example/cb"),
        ("https://jane:SSOSECRET@sso.example:8443/cb", "https://sso.example:8443/cb"),
        ("/cb?code=SSOSECRET1234567", "/cb"),
        ("https://[sso?code=SSOSECRET1234567", "[hidden]"),
    ],
    ids=["query", "user", "relative", "broken"],
)
def test_redirect_keeps_scheme_host_and_path(path, location, kept):
    page = reply(f"<a href='{location}'>here</a>" if kept != "[hidden]" else "", 302, {"location": location})
    with record(path), pytest.raises(errors.APIStatusError):
        served(page).invoke("Hi")
    assert interactions(path)[0]["response"]["headers"]["location"] == [kept]
    assert "SSOSECRET" not in path.read_text()


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("AIzaSyA1234567890abcdefghijklmnopqrstu", "[hidden]"),
        ("token ya29.a0AfH6SMBx-long_token", "token [hidden]"),
        ("Incorrect API key sk-proj-abcdefghijklmnop1234", "Incorrect API key [hidden]"),
        ("bot@my-project.iam.gserviceaccount.com lacks it", "SERVICE_ACCOUNT lacks it"),
        ("denied on projects/other-project/locations/x", "denied on projects/PROJECT_ID/locations/x"),
        ("consumer 'project_number:123456789012'", "consumer 'project_number:PROJECT_NUMBER'"),
        ("API not used in project 123456789012 before", "API not used in project PROJECT_NUMBER before"),
        ("the project of 12 people", "the project of 12 people"),
    ],
)
def test_well_known_forms_are_removed(path, told, kept):
    error = {"error": {"code": 403, "message": told, "status": "PERMISSION_DENIED"}}
    with record(path), pytest.raises(errors.APIStatusError):
        served(reply([error], 403)).invoke("Hi")
    assert interactions(path)[0]["response"]["json"][0]["error"]["message"] == kept


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        (
            "https://gateway.example.com/v1/0123456789abcdef0123456789abcdef/my-gate",
            "https://gateway.example.com/v1/[hidden]/my-gate",
        ),
        (
            (
                "https://123.us-central1-987654321.prediction.vertexai.goog/v1/projects/my-own-project/locations/us-central1/"
                "endpoints/123"
            ),
            (
                "https://ENDPOINT.us-central1-PROJECT_NUMBER.prediction.vertexai.goog/v1/projects/PROJECT_ID/locations/"
                "us-central1/endpoints/123"
            ),
        ),
    ],
    ids=["account", "dedicated host"],
)
def test_accounts_and_projects_are_not_in_urls(path, url, kept):
    with record(path):
        served(completion(), base_url=url, surface="openai_compatible").invoke("Hi")
    assert interactions(path)[0]["request"]["uri"] == f"{kept}/chat/completions"
    with replay(path):
        studio(base_url=url, surface="openai_compatible").invoke("Hi")


def test_project_is_removed_where_the_server_names_it_alone(path):
    refusal = reply(
        [{"error": {"code": 403, "message": "my-own-project has no access.", "status": "PERMISSION_DENIED"}}], 403
    )
    with record(path), pytest.raises(errors.APIStatusError):
        served(refusal, api_key=None, project="my-own-project", location="global", credentials=Anonymous()).invoke("Hi")
    assert "my-own" not in path.read_text()
    assert "PROJECT_ID has no access." in path.read_text()


def test_long_text_is_cleaned_at_once(path):
    """With a slow regular expression, cleaning these texts would take minutes."""
    texts = ["x" * 200_000, "1" * 200_000, "a.b-" * 50_000, "projects " * 20_000, "/" * 200_000]
    begun = time.monotonic()
    with record(path):
        served(completion("Hello.")).invoke(texts[0])
        served(completion(" ".join(texts))).invoke("Hi")
    assert time.monotonic() - begun < 20


def test_key_in_a_prompt_is_removed_and_the_rest_replays(path):
    prompt = "My key is AIzaSyA1234567890abcdefghijklmnopqrstu."
    with record(path):
        served(completion("Keep it secret.")).invoke(prompt)
    assert "AIza" not in path.read_text()
    with replay(path):
        assert studio().invoke(prompt).text == "Keep it secret."


def test_threads_and_models_record_and_replay_at_once(path):
    """Each thread gets the answers to its own requests."""

    def ask(model, number):
        texts = [model.invoke(f"{model.model} {number}").text]
        return [*texts, "".join(part.text for part in model.stream(f"stream {model.model} {number}"))]

    fake = FakeGemini(lambda request: f"Answer to {request.prompt}.")
    names = (MODEL, "gemini-2.5-flash")
    jobs = [(name, number) for number in range(10) for name in names]
    with record(path) as recording, ThreadPoolExecutor(8) as threads:
        models = {name: fake.chat_model(name) for name in names}
        recorded = list(threads.map(lambda job: ask(models[job[0]], job[1]), jobs))
    assert recording.exchanges == 40
    assert set(yaml.safe_load(path.read_text())["provenance"]["model"].split(", ")) == set(names)
    with replay(path) as replayed, ThreadPoolExecutor(8) as threads:
        models = {name: studio(model=name) for name in names}
        assert list(threads.map(lambda job: ask(models[job[0]], job[1]), jobs)) == recorded
    assert replayed.remaining == 0


def test_writers_do_not_destroy_what_others_write(path):
    """Eight threads write to one cassette. Each model name is new, so each write changes the head of the file."""

    def append(number):
        request = {"uri": "https://gate.example.com/v1", "json": {"model": f"model-{number}", "text": "x" * 9000}}
        append_interaction(path, {"request": request, "response": {}}, None)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(append, range(60)))
    found = {one["request"]["json"]["model"] for one in interactions(path)}
    assert found == {f"model-{number}" for number in range(60)}
    assert len(interactions(path)) == 60


def test_text_survives_without_libyaml(path, monkeypatch):
    """PyYAML's Python code writes the character U+0085 unescaped, and would read it as a line end."""
    monkeypatch.setattr("langchain_gemini_compat.testing._cassettes.file._Dumper", yaml.SafeDumper)
    monkeypatch.setattr("langchain_gemini_compat.testing._cassettes.file._Loader", yaml.SafeLoader)
    text = "one\x85two\u2028three \U0001f600"
    with record(path):
        served(completion(text)).invoke("Hi")
    with replay(path):
        assert studio().invoke("Hi").text == text


def test_two_recordings_at_once_have_all_exchanges(tmp_path):
    with record(tmp_path / "outer.yaml") as outer:
        served(completion()).invoke("one")
        with record(tmp_path / "inner.yaml") as inner:
            served(completion()).invoke("two")
    served(completion()).invoke("three")
    assert (outer.exchanges, inner.exchanges) == (2, 1)


def test_long_texts_are_cut(path):
    """In the replay, a request that was cut in the cassette still matches, and a reply that was cut raises an error."""
    image = "data:image/png;base64," + "A" * 5000
    message = HumanMessage(
        [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": image}}]
    )
    with record(path, max_body=2000):
        served(completion("A cat.")).invoke([message])
        served(completion("B" * 5000)).invoke("Long, please.")
        served(completion("short")).invoke([HumanMessage(f"{n} " * 60) for n in range(300)])
    assert path.stat().st_size < 6000
    first, second, third = interactions(path)
    assert first["request"]["json"]["messages"][0]["content"][1]["image_url"]["url"].endswith(
        "… [cut: 5022 characters]"
    )
    assert second["response"]["cut"] > 5000
    assert "json" not in third["request"]
    with replay(path) as replayed:
        assert studio().invoke([message]).text == "A cat."
        assert studio().invoke([HumanMessage(f"{n} " * 60) for n in range(300)]).text == "short"
        assert replayed.remaining == 1
    with pytest.raises(ReplayError, match=r"exchange 2 of .* was cut .*`max_body`"), replay(path):
        studio().invoke("Long, please.")


def test_request_that_is_not_in_the_cassette_shows_the_nearest(path):
    with record(path):
        served(completion()).invoke("What is the weather in Rome?")
        served(completion()).invoke("What is the weather in Paris?")
    with pytest.raises(ReplayError) as caught, replay(path):
        studio().invoke("What is the weather in Parma?")
    text = str(caught.value)
    assert "nearest is number 2 of 2" in text
    assert "first difference at byte" in text
    assert "in Par▶is?" in text
    assert "in Par▶ma?" in text
    assert caught.value.difference.pointer == "/messages/0/content"


def test_path_that_differs_is_shown(path):
    with record(path):
        served(completion()).invoke("Hi")
    with (
        pytest.raises(ReplayError, match="recorded path /v1beta/openai/chat/completions\nsent path     /v1/chat"),
        replay(path),
    ):
        studio(base_url="https://gate.example.com/v1").invoke("Hi")


def test_repeated_request_names_the_cause(path):
    with record(path):
        served(completion()).invoke("Hi")
    with pytest.raises(ReplayError, match="more often than the recorded run"), replay(path):
        studio().batch(["Hi", "Hi"])


def test_error_that_the_program_catches_is_raised_at_the_end(path):
    """The error of the replay is raised again at the end of the `with` block, so that a fallback cannot hide it."""
    with record(path):
        served(completion()).invoke("Hi")
    with pytest.raises(ReplayError, match="No exchange"), replay(path), suppress(Exception):
        studio().invoke("Ho")


def test_ignore_bodies_replays_in_the_recorded_order(path):
    with record(path):
        served(completion("First.")).invoke("It is 10:15.")
        served(completion("Second.")).invoke("It is 10:16.")
    with replay(path, ignore_bodies=True):
        assert [studio().invoke(f"It is 11:{n}.").text for n in (15, 16)] == ["First.", "Second."]


def test_replay_ends_with_its_block(path):
    with record(path):
        served(completion("Recorded.")).invoke("Hi")
    model = served(completion("Live."))
    with replay(path):
        assert model.invoke("Hi").text == "Recorded."
    assert model.invoke("Hi").text == "Live."


@pytest.mark.parametrize("name", ["tool_loop/gemini-3.8-flash/stream", "tool_loop/gemini-3.8-flash/complete"])
def test_cassettes_of_the_repository_replay(name):
    def get_weather(city: str) -> str:
        """Weather of a city."""
        return f"Sunny in {city}."

    with replay(FOLDER / f"{name}.yaml") as replayed:
        model = ChatGeminiCompat(model=MODEL).bind_tools([get_weather])
        history = [HumanMessage("What is the weather in Paris? Use the tool.")]
        for _ in range(2):
            parts = list(model.stream(history)) if name.endswith("stream") else [model.invoke(history)]
            message = parts[0]
            for part in parts[1:]:
                message += part
            history.append(message)
            history += [
                ToolMessage(get_weather(**call["args"]), tool_call_id=call["id"]) for call in message.tool_calls
            ]
    assert "sunny" in history[-1].text.lower()
    assert replayed.remaining == 0


def test_file_that_is_not_a_cassette_is_kept(path):
    path.write_text("print('my program')\n")
    with pytest.raises(FileExistsError, match="not a cassette"), record(path):
        pass
    assert path.read_text() == "print('my program')\n"
    with pytest.raises(ValueError, match="not a cassette"), replay(path):
        pass


def test_older_cassette_is_replaced(path):
    for text in ("one", "two"):
        with record(path):
            served(completion()).invoke(text)
    assert [one["request"]["json"]["messages"][0]["content"] for one in interactions(path)] == ["two"]


def test_file_that_cannot_be_written_does_not_stop_the_program(path):
    model = served(completion("Hello."))
    with record(path):
        path.unlink()
        path.mkdir()
        with pytest.warns(match="could not be recorded"):
            answer = model.invoke("Hi")
    assert answer.text == "Hello."


def test_only_answers_of_google_count_as_recorded(path):
    with record(path):
        served(completion()).invoke("Hi")
    assert yaml.safe_load(path.read_text())["provenance"]["kind"] == "recorded"
    with record(path):
        served(completion()).invoke("Hi")
        served(completion(), base_url="https://gate.example.com/v1").invoke("Hi")
    provenance = yaml.safe_load(path.read_text())["provenance"]
    assert provenance["kind"] == "composed"
    assert "gate.example.com" in provenance["source"]
