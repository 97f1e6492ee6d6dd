"""Tests that no text contains a secret: with five kinds of secrets, every fault of the fake, and four call methods."""

import asyncio
import base64
import html
import importlib
import json
import logging
import pickle
import re
import socket
import time
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

import cassette_files
import pytest
from cassette_files import cassette
from certificates import PRIVATE_KEY
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials as UserCredentials
from langchain_core.load import dumps
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler
from token_server import serve_tokens
from wire import Wire, chunk, completion, reply

from langchain_gemini_compat import ChatGeminiCompat, GeminiCompatEmbeddings, errors
from langchain_gemini_compat._lazy import library_name
from langchain_gemini_compat._transport import client as _transport
from langchain_gemini_compat._transport.rate_gate import Gate
from langchain_gemini_compat.testing import FAULTS, FakeGemini

KEY = "canary-api-key-0123456789abcdef"
CALLABLE_KEY = "canary-callable-key-0123456789abcdef"
REFRESH_TOKEN = "canary-refresh-token-0123456789abcdef"
CLIENT_SECRET = "canary-client-secret-0123456789abcdef"
BEARER = "canary-bearer-0123456789abcdef"
KINDS = ("api key", "callable key", "user credentials", "service account")
WAYS = ("invoke", "stream", "ainvoke", "astream")
REFUSED = "token refused"
CASES = ("success", *FAULTS)
#: Maximum wait before a retry, in seconds. The backoff is shorter. If the server asks for a longer wait, the call fails
#: at once.
TIMEOUT = {"retry_wait": 0.7}


@dataclass
class Evidence:
    """Texts in which the tests search for secrets, each with its origin, such as a log."""

    texts: list[tuple[str, str]] = field(default_factory=list)
    assertions: set[str] = field(default_factory=set)

    def add(self, place, *texts):
        self.texts.extend((place, text if isinstance(text, str) else repr(text)) for text in texts)

    def places(self):
        return {place.partition(":")[0] for place, _ in self.texts}

    def leaks(self):
        """Return where secrets were found: the origin of the text, and the secret with the text before it."""
        # Search for each line of the private key, and for each signed assertion, since an assertion can be exchanged
        # for a token.
        lines = [line for line in PRIVATE_KEY.splitlines() if len(line) == 64]
        pattern = re.compile("|".join(["canary-[a-z]+", "PRIVATE KEY", *map(re.escape, [*lines, *self.assertions])]))
        found = ((place, text, pattern.search(text)) for place, text in self.texts)
        return sorted(
            {(place, text[max(0, match.start() - 60) : match.end()]) for place, text, match in found if match}
        )


class Collector(logging.Handler):
    """Collects all log records, as text and with their attributes."""

    def __init__(self, evidence):
        super().__init__(logging.NOTSET)
        self.evidence = evidence
        self.setFormatter(logging.Formatter())

    def emit(self, record):
        self.evidence.add(f"log of {record.name}", self.format(record), vars(record))


@contextmanager
def everything_logged(evidence):
    """Collect the records of all loggers at DEBUG, including those that do not propagate."""
    root = logging.getLogger()
    known = [item for item in root.manager.loggerDict.values() if isinstance(item, logging.Logger)]
    levels = {logger: logger.level for logger in (root, *known)}
    collector = Collector(evidence)
    deaf = [root, *(logger for logger in known if not logger.propagate)]
    for logger in levels:
        logger.setLevel(logging.DEBUG if logger is root else logging.NOTSET)
    for logger in deaf:
        logger.addHandler(collector)
    try:
        yield
    finally:
        for logger in deaf:
            logger.removeHandler(collector)
        for logger, level in levels.items():
            logger.setLevel(level)


def credentials_of(kind, token_url):
    """Return the arguments of the model for a kind of credential."""
    if kind == "api key":
        return {"api_key": KEY}
    if kind == "callable key":
        return {"api_key": lambda: CALLABLE_KEY}
    if kind == "user credentials":
        secrets = {"refresh_token": REFRESH_TOKEN, "client_secret": CLIENT_SECRET}
        return {"credentials": UserCredentials(None, client_id="client", token_uri=token_url, **secrets)}
    mail = "robot@fake-project.iam.gserviceaccount.com"
    info = {"client_email": mail, "token_uri": token_url, "private_key": PRIVATE_KEY, "private_key_id": "1"}
    return {"credentials": service_account.Credentials.from_service_account_info(info)}


def build(url, kind, token_url, **kwargs):
    options = {"surface": "ai_studio", "base_url": url, "max_retries": 1, "timeout": TIMEOUT, **kwargs}
    return ChatGeminiCompat(model="gemini-3.8-flash", **options, **credentials_of(kind, token_url))


def add_model(evidence, chat, place):
    evidence.add(f"repr:{place}", repr(chat), str(chat), repr(chat.bind(temperature=1)))
    evidence.add(f"dump:{place}", chat.model_dump(), chat.model_copy(), chat.to_json(), chat._identifying_params)
    evidence.add(f"dumps():{place}", dumps(chat), dumps(chat.bind(stop=["x"])), chat._get_llm_string())
    evidence.add(
        f"info:{place}",
        chat.endpoint_info(),
        chat._get_ls_params(),
        chat._open_transport(),
        chat._open_transport().tokens,
    )


def add_run(evidence, run, place):
    evidence.add(f"trace:{place}", run.dict() if hasattr(run, "dict") else vars(run), run)


def add_error(evidence, err, place):
    """Add an exception with its causes, in all forms in which a program may print it."""
    evidence.add(f"traceback:{place}", "".join(traceback.format_exception(type(err), err, err.__traceback__)))
    evidence.add(f"pickle:{place}", pickle.dumps(err).decode("latin-1"))
    behind, seen = [err], []
    while behind:
        one = behind.pop()
        if one is None or one in seen:
            continue
        seen.append(one)
        behind += [one.__cause__, one.__context__]
        evidence.add(f"error:{place}", str(one), repr(one), one.args, vars(one), getattr(one, "__notes__", ()))


def add_outcome(evidence, outcome, place):
    if isinstance(outcome, BaseException):
        add_error(evidence, outcome, place)
    else:
        evidence.add(f"message:{place}", repr(outcome), dumps(outcome), pickle.dumps(outcome).decode("latin-1"))


def call(chat, way, prompt, runs):
    """Return the message, the chunks or the error of a call."""
    try:
        if way == "invoke":
            return chat.invoke(prompt, {"callbacks": [runs]})
        return list(chat.stream(prompt, {"callbacks": [runs]}))
    except errors.GeminiCompatError as err:
        return err


async def acall(chat, way, prompt, runs):
    try:
        if way == "ainvoke":
            return await chat.ainvoke(prompt, {"callbacks": [runs]})
        return [chunk async for chunk in chat.astream(prompt, {"callbacks": [runs]})]
    except errors.GeminiCompatError as err:
        return err


def call_all(chat, evidence, kind, prompts):
    """Call each method with each prompt; async calls share one event loop."""
    cells = [(way, prompt, RunCollectorCallbackHandler()) for way in WAYS for prompt in prompts]

    async def acall_all():
        return await asyncio.gather(*(acall(chat, *cell) for cell in cells if cell[0][0] == "a"))

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda cell: call(chat, *cell), [cell for cell in cells if cell[0][0] != "a"]))
    outcomes += asyncio.run(acall_all())
    for (way, prompt, runs), outcome in zip(cells, outcomes, strict=True):
        place = f"{kind}, {way}, {prompt}"
        add_outcome(evidence, outcome, place)
        for run in runs.traced_runs:
            add_run(evidence, run, place)
    return outcomes


@pytest.fixture(scope="module")
def seen():
    """Make the calls that the tests check. Return the collected texts, the outcomes, the fake and the token server."""
    evidence, outcomes = Evidence(), {}
    fake = FakeGemini(lambda request: FAULTS[request.prompt]() if request.prompt in FAULTS else "Hello!")
    with (
        fake.serve() as url,
        serve_tokens(BEARER) as tokens,
        everything_logged(evidence),
        warnings.catch_warnings(record=True) as warned,
        pytest.MonkeyPatch.context() as patch,
    ):
        warnings.simplefilter("always")
        # If the calls shared a rate gate, most calls after a 429 would fail without a request.
        patch.setattr(_transport, "gate_of", lambda *_: Gate())
        for kind in KINDS:
            chat = build(url, kind, tokens.url)
            add_model(evidence, chat, f"{kind}, before")
            outcomes[kind] = call_all(chat, evidence, kind, CASES)
            add_model(evidence, chat, f"{kind}, after")
        tokens.refusing = True
        for kind in KINDS[2:]:
            chat = build(url, kind, tokens.url)
            outcomes[f"{kind}, {REFUSED}"] = call_all(chat, evidence, kind, [REFUSED])
    evidence.add("warning", *(str(item.message) for item in warned))
    evidence.add("url", *(f"{request.path} {request.query} {request.body}" for request in fake.requests))
    evidence.assertions = {form["assertion"] for form in tokens.forms if "assertion" in form}
    return evidence, outcomes, fake, tokens


def test_no_secret_is_in_any_text(seen):
    """The searched texts are from models, messages, errors, tracebacks, pickles, traces, logs, warnings and URLs."""
    leaks = seen[0].leaks()
    assert leaks == [], f"{len(leaks)} places"


def test_search_for_secrets_covers_all_places(seen):
    """The search can find leaks: each secret was sent, texts of each kind were collected, and faults caused errors."""
    evidence, outcomes, fake, tokens = seen
    assert {request.headers["authorization"][:6] for request in fake.requests} == {"Bearer"}
    sent = {key for form in tokens.forms for key in form}
    assert {"refresh_token", "client_secret", "assertion"} <= sent
    assert len(evidence.assertions) >= 1
    assert {"repr", "dump", "dumps()", "traceback", "pickle", "error", "message", "trace", "url"} <= evidence.places()
    loggers = {place.removeprefix("log of ") for place in evidence.places() if place.startswith("log of ")}
    assert "langchain_gemini_compat" in loggers
    assert any(name.startswith("httpcore") for name in loggers)
    for kind in KINDS:
        failed = [outcome for outcome in outcomes[kind] if isinstance(outcome, Exception)]
        assert len({type(error) for error in failed}) > 8
        assert len(failed) < len(outcomes[kind])
        assert len(outcomes[kind]) == len(WAYS) * len(CASES)
    refused = [outcome for kind in KINDS[2:] for outcome in outcomes[f"{kind}, {REFUSED}"]]
    assert {type(error) for error in refused} == {errors.CredentialsError}


def test_request_of_an_error_has_no_credential(seen):
    """Programs may log the headers of `error.request` or of `error.response.request`."""
    evidence = Evidence(assertions=seen[0].assertions)
    for kind, outcomes in seen[1].items():
        for error in outcomes:
            for behind in (error, getattr(error, "__cause__", None)):
                for request in requests_of(behind):
                    evidence.add(f"{kind}: {type(error).__name__}", f"{dict(request.headers)} {request.headers.raw}")
    assert len(evidence.texts) > 100
    assert evidence.leaks() == []


async def fail_with_each_method(chat, prompt):
    """Return the errors of `invoke`, `stream`, `ainvoke` and `astream`."""
    found = []
    for call in (lambda: chat.invoke(prompt), lambda: list(chat.stream(prompt))):
        with pytest.raises(errors.GeminiCompatError) as caught:
            call()
        found.append(caught.value)
    with pytest.raises(errors.GeminiCompatError) as caught:
        await chat.ainvoke(prompt)
    found.append(caught.value)
    with pytest.raises(errors.GeminiCompatError) as caught:
        [part async for part in chat.astream(prompt)]
    return [*found, caught.value]


def add_failure(evidence, error, place):
    """Return an error as text, with its requests, responses and bodies."""
    add_error(evidence, error, place)
    for one in (error, error.__cause__):
        for request in requests_of(one):
            evidence.add(f"request:{place}", request, str(request.url), f"{request.headers.raw}")
        response = getattr(one, "response", None)
        if response is not None:
            evidence.add(f"response:{place}", response.text, f"{response.headers.raw}", one.body)


OWN = {
    "default_headers": {"X-Gateway-Key": "canary-header-0123456789abcdef", "Cookie": "session=canary-cookie"},
    "default_query": {"key": "canary-query-0123456789abcdef"},
}


async def test_request_of_an_error_has_no_secret_header_or_query():
    """The test covers the error of each fault, and the error for an address without a server."""
    evidence = Evidence()
    fake = FakeGemini(lambda request: FAULTS[request.prompt]())
    with fake.serve() as url:
        chat = build(url, "api key", "", **{**OWN, "max_retries": 0, "timeout": {"between_chunks": 0.5}})
        add_model(evidence, chat, "own")
        failed = 0
        for prompt in FAULTS:
            for way in ("invoke", "stream"):
                outcome = call(chat, way, prompt, RunCollectorCallbackHandler())
                if isinstance(outcome, Exception):
                    failed += 1
                    add_failure(evidence, outcome, prompt)
    assert failed > 10
    assert any("canary" in str(request.query) for request in fake.requests)
    assert {"x-gateway-key", "cookie"} <= fake.requests[0].headers.keys()
    for error in await fail_with_each_method(build(url, "api key", "", **{**OWN, "max_retries": 0}), "hi"):
        assert isinstance(error.__cause__.request.headers["user-agent"], str)
        add_failure(evidence, error, "nobody listens")
    assert "request" in evidence.places()
    assert evidence.leaks() == []


ODD_KEY = "canary-odd/key+with=signs.0123456789"
SAID = f"Incorrect API key provided: {ODD_KEY}. Find yours."
ESCAPED = json.dumps({"error": {"message": SAID}}).replace("=", r"\u003d").replace("/", r"\/").replace("+", r"\u002B")
ECHOES = {
    "error object": (401, json.dumps([{"error": {"message": SAID, "status": "UNAUTHENTICATED"}}])),
    "characters as numbers": (400, ESCAPED),
    "detail": (422, json.dumps({"detail": [{"loc": ["header", "authorization"], "msg": SAID}]})),
    "details": (403, json.dumps({"error": {"message": "No.", "details": [{"sent": f"Bearer {ODD_KEY}"}]}})),
    "text": (403, SAID),
    "page": (404, f"<html><title>{SAID}</title></html>"),
    "upper case": (404, SAID.upper()),
    "address": (404, "No place /v1?key=" + ODD_KEY.replace("/", "%2F").replace("+", "%2b").replace("=", "%3D")),
    "whole reply": (200, json.dumps({"error": {"message": SAID}})),
    "stream": (200, f"data: {json.dumps(chunk(content='Half'))}\n\ndata: {json.dumps({'error': SAID})}\n\n"),
}


@pytest.mark.parametrize("shape", ECHOES)
async def test_key_that_a_server_repeats_is_hidden(shape):
    """A key in the reply is hidden in the text, body and details of the error, in each JSON spelling."""
    status, body = ECHOES[shape]
    evidence = Evidence()
    wire = Wire(reply(body.encode(), status))
    chat = ChatGeminiCompat(
        model="m", base_url="http://gateway.test/v1", api_key=ODD_KEY, max_retries=0, **wire.clients
    )
    with pytest.raises(errors.GeminiCompatError) as caught:
        list(chat.stream("hi"))
    assert wire.requests[0].headers["authorization"] == f"Bearer {ODD_KEY}"
    assert "[hidden]" in f"{caught.value} {caught.value.body}"
    add_failure(evidence, caught.value, shape)
    found = [(place, text) for place, text in evidence.texts if "canary-odd" in text.lower()]
    assert found == []


def test_short_key_is_not_hidden():
    """A short key, such as `key`, is often an ordinary word. Hiding it would make error messages unreadable."""
    wire = Wire(reply({"error": {"message": "this key is not known"}}, 403))
    chat = ChatGeminiCompat(model="m", base_url="http://gateway.test/v1", api_key="key", max_retries=0, **wire.clients)
    with pytest.raises(errors.PermissionDeniedError, match="this key is not known"):
        chat.invoke("hi")


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://me:canary@login.example/v1?key=canary#canary", "redirects to https://login.example/v1. "),
        ("//me:canary@login.example/v1", "redirects to http://login.example/v1. "),
        ("/elsewhere?key=canary", "redirects to http://gateway.test/elsewhere. "),
        ("http://[me:canary@login", "The server redirects without a target."),
    ],
)
async def test_redirect_is_named_without_secrets(location, shown):
    """The error message does not contain user, password, query or fragment of the URL."""
    wire = Wire(*(reply("", 302, {"location": location}) for _ in range(4)))
    chat = ChatGeminiCompat(model="m", base_url="http://gateway.test/v1", max_retries=0, **wire.clients)
    for error in await fail_with_each_method(chat, "hi"):
        assert shown in str(error)
        assert "canary" not in str(error)


@pytest.mark.parametrize(
    "proxy",
    ["http://me:canary@proxy.example:canary", "http://me:canary#x@proxy.example", "ftp://me:canary@proxy.example"],
)
@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"])
async def test_invalid_proxy_settings_are_named_without_the_password(monkeypatch, name, proxy):
    """The error names the variables and is not retried. The HTTP library's error would show parts of the password."""
    for other in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(other, raising=False)
        monkeypatch.delenv(other.lower(), raising=False)
    monkeypatch.setenv(name, proxy)
    chat = ChatGeminiCompat(model="m", base_url="http://gateway.test/v1")
    evidence = Evidence()
    for error in await fail_with_each_method(chat, "hi"):
        assert type(error) is errors.APIConnectionError
        assert name in str(error)
        assert not error.is_retryable
        assert error.tries == 1
        add_failure(evidence, error, proxy)
    assert evidence.leaks() == []
    assert not [text for _, text in evidence.texts if "canary" in text]


def requests_of(error):
    """Yield the request of an error, and the request of its response, if they are set.

    The HTTP library raises `RuntimeError` when a request that was not set is read.
    """
    response = getattr(error, "response", None)
    for holder, name in ((error, "request"), (response, "request")):
        try:
            request = getattr(holder, name, None)
        except RuntimeError:
            request = None
        if request is not None:
            yield request


@pytest.mark.parametrize(
    "secret",
    [KEY, f"{BEARER}-7", REFRESH_TOKEN, CLIENT_SECRET, PRIVATE_KEY.splitlines()[3], PRIVATE_KEY, "a.b.c"],
    ids=["key", "token", "refresh token", "client secret", "line of a key", "private key", "signed token"],
)
def test_leaked_secret_is_found(secret):
    """The search finds a secret that the test puts into a log, an error, the cause of an error, or a message."""
    for put in (put_into_log, put_into_error, put_behind_error, put_into_message):
        evidence = Evidence(assertions={"a.b.c"})
        put(evidence, secret)
        assert evidence.leaks(), put.__name__


def put_into_log(evidence, secret):
    logger = logging.getLogger("some.library")
    logger.propagate = False
    with everything_logged(evidence):
        logger.debug("sent %s", {"headers": {"authorization": secret}})
    logger.propagate = True


def put_into_error(evidence, secret):
    add_outcome(evidence, errors.InvalidReplyError(f"The server said {secret}."), "")


def put_behind_error(evidence, secret):
    error = errors.APIConnectionError("No.")
    error.__cause__ = ValueError("x", {"headers": [secret]})
    add_outcome(evidence, error, "")


def put_into_message(evidence, secret):
    add_outcome(evidence, FakeGemini(f"Well, {secret}").chat_model().invoke("hi"), "")


@pytest.mark.parametrize("kind", KINDS)
async def test_no_secret_is_in_a_cassette(kind, monkeypatch, tmp_path):
    """The cassette contains sync and async calls and the refresh of a token."""
    monkeypatch.setattr(cassette_files, "FOLDER", tmp_path)
    resolve = socket.getaddrinfo

    def resolve_here(host, *args, **kwargs):
        name = host.decode() if isinstance(host, bytes) else host
        return resolve("127.0.0.1" if name.endswith("googleapis.com") else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_here)
    # The test reaches a local server under Google's host name and without TLS. Switch off the check that would refuse
    # this.
    monkeypatch.setattr("langchain_gemini_compat._settings.connection.is_encrypted_or_loopback", lambda base_url: True)
    name = "secrets/gemini-3.8-flash/all"
    with FakeGemini("Hello!").serve() as url, serve_tokens(BEARER) as tokens:
        base_url = url.replace("127.0.0.1", "generativelanguage.googleapis.com")
        chat = build(base_url, kind, tokens.url.replace("127.0.0.1", "oauth2.googleapis.com"))
        with cassette(name, record=True) as tape:
            assert chat.invoke("one").text == "Hello!"
            assert "".join(chunk.text for chunk in chat.stream("two")) == "Hello!"
            assert (await chat.ainvoke("three")).text == "Hello!"
        assert len(tape) == 3
        assertions = {form["assertion"] for form in tokens.forms if "assertion" in form}
    text = (tmp_path / f"{name}.yaml").read_text()
    assert "three" in text
    evidence = Evidence(assertions=assertions)
    evidence.add("cassette", text)
    assert evidence.leaks() == []
    assert "authorization" not in text.lower()


@pytest.mark.parametrize("way", ["invoke", "stream", "ainvoke", "astream"])
@pytest.mark.parametrize("kind", ["user credentials", "callable key"])
def test_wait_for_a_token_ends_at_the_total_limit(kind, way):
    """A call that waits for a token ends at its total limit, and is not retried."""
    with FakeGemini("Hello!").serve() as url, serve_tokens(BEARER) as tokens:
        tokens.seconds = 60
        chat = build(url, kind, tokens.url, timeout={"total": 0.5})
        if kind == "callable key":
            chat.api_key = lambda: time.sleep(60) or "k"

        async def astream():
            return [part async for part in chat.astream("hi")]

        calls = {
            "invoke": lambda: chat.invoke("hi"),
            "stream": lambda: list(chat.stream("hi")),
            "ainvoke": lambda: asyncio.run(chat.ainvoke("hi")),
            "astream": lambda: asyncio.run(astream()),
        }
        chat._open_transport()
        began = time.monotonic()
        with pytest.raises(errors.RequestTimeoutError) as caught:
            calls[way]()
        assert 0.5 <= time.monotonic() - began < 30
        assert (caught.value.limit, caught.value.tries) == ("total", 1)


SENT = {
    "x-api-key": "canary-header/0123+456789=",
    "Cookie": "theme=dark; session=canary-cookie-0123456789",
    "Proxy-Authorization": "Basic " + base64.b64encode(b"canary-user-0123:canary-pass-0123").decode(),
    "x-portkey-config": json.dumps({"targets": [{"api_key": "canary-config-0123456789"}]}),
    "x-odd": "  canary-odd with space\t",
}
QUERY = {"key": "canary-query-0123&456", "code": "canary-code-0123456789"}
#: The secret parts of the values in `SENT` and `QUERY`. A server may repeat such a part without the rest of the value.
PARTS = (
    "canary-header/0123+456789=",
    "canary-cookie-0123456789",
    SENT["Proxy-Authorization"].split()[1],
    "canary-user-0123:canary-pass-0123",
    "canary-pass-0123",
    "canary-config-0123456789",
    "canary-odd with space",
    *QUERY.values(),
)
SPELLINGS = {
    "plain": str,
    "JSON": lambda value: json.dumps(value)[1:-1],
    "JSON with numbers": lambda value: "".join(
        letter if letter.isalnum() else f"\\u{ord(letter):04X}" for letter in value
    ),
    "JSON twice": lambda value: json.dumps(json.dumps(value)),
    "address": lambda value: quote(value, safe=""),
    "address twice": lambda value: quote(quote(value, safe=""), safe=""),
    "form": quote_plus,
    "HTML": html.escape,
    "HTML with numbers": lambda value: "".join(letter if letter.isalnum() else f"&#{ord(letter)};" for letter in value),
    "Python": lambda value: repr(value.encode()),
    "upper case": str.upper,
    "with spaces": lambda value: f" {value}\n",
}
FORMS = {
    "error object": lambda said: reply([{"error": {"code": 403, "message": said, "details": [{"sent": said}]}}], 403),
    "text": lambda said: reply(f"Not you: {said}", 401),
    "page": lambda said: reply(f"<html><title>{said}</title></html>", 404),
    "error in a reply": lambda said: reply({"error": {"message": said}}),
    "no reply": lambda said: reply({"seen": said}),
    "no JSON": lambda said: reply(f"{said} is what you sent"),
    "event": lambda said: reply(f"event: error\ndata: {said.splitlines()[0]}\n\n"),
    "choice": lambda said: reply({"choices": [{"index": 0, "error": {"code": 401, "message": said}}]}),
    "wrapped": lambda said: reply({"error": {"message": "x", "metadata": {"raw": json.dumps({"error": said})}}}, 500),
    "limit": lambda said: reply({"error": {"message": said}}, 429, {"retry-after": "1"}),
    "header": lambda said: reply("no", 500, {"x-seen": " ".join(said.split()), "set-cookie": "a=canary-server"}),
    "redirect": lambda said: reply("", 307, {"location": f"https://login.test/{' '.join(said.split())}?q={QUERY['code']}"}),
}  # fmt: skip


async def fail_at_each_entry_point(wire):
    """Return one error for each entry point."""
    options = {
        "base_url": "http://gateway.test/v1",
        "api_key": ODD_KEY,
        "default_headers": SENT,
        "default_query": QUERY,
    }
    chat = ChatGeminiCompat(model="m", max_retries=0, **options, **wire.clients)
    vectors = GeminiCompatEmbeddings(model="m", max_retries=0, **options, **wire.clients)
    found = await fail_with_each_method(chat, "hi")
    schema = {"title": "Answer", "description": "x", "type": "object", "properties": {"a": {"type": "string"}}}
    calls = (
        lambda: chat.with_structured_output(schema).invoke("hi"),
        lambda: chat.bind_tools([schema]).invoke("hi"),
        lambda: chat.batch(["hi"]),
        lambda: list(chat.with_structured_output(schema).stream("hi")),
        lambda: vectors.embed_query("hi"),
        lambda: vectors.embed_documents(["hi"]),
    )
    for call in calls:
        with pytest.raises(errors.GeminiCompatError) as caught:
            call()
        found.append(caught.value)
    with pytest.raises(errors.GeminiCompatError) as caught:
        await vectors.aembed_query("hi")
    return [*found, caught.value]


@pytest.mark.parametrize("form", FORMS)
async def test_header_and_query_that_a_server_repeats_are_hidden(form):
    """The values are hidden in the text, body and headers of the error, for each entry point. Field case E13."""
    found = []
    for part in PARTS:
        wire = Wire(*(FORMS[form](part) for _ in range(20)))
        for error in await fail_at_each_entry_point(wire):
            evidence = Evidence()
            add_failure(evidence, error, form)
            needle = part.lower()
            found += [(place, text) for place, text in evidence.texts if needle in text.lower() or "canary-" in text]
        assert any(name == "x-api-key" for name in wire.requests[0].headers)
    assert found == []


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_secret_is_hidden_in_every_spelling(spelling):
    """A server may quote, escape or URL-encode the secret, or add white space around it. Field case E13."""
    for part in PARTS:
        said = f"You sent {SPELLINGS[spelling](part)} just now"
        for answer in (
            reply(said, 401),
            reply({"error": {"message": said}}, 400),
            reply({"detail": [{"msg": said}]}, 422),
        ):
            chat = ChatGeminiCompat(
                model="m",
                base_url="http://gateway.test/v1",
                api_key=ODD_KEY,
                max_retries=0,
                default_headers=SENT,
                default_query=QUERY,
                **Wire(answer).clients,
            )
            with pytest.raises(errors.GeminiCompatError) as caught:
                chat.invoke("hi")
            shown = f"{caught.value} {caught.value.body} {caught.value.response.text}"
            assert "[hidden]" in shown
            assert "canary-" not in shown.lower().replace("\\u002d", "-").replace("%2d", "-").replace("&#45;", "-")
            assert "just now" in shown


def built_or_refused(**options):
    """Return the model, or the error of its constructor. Both are correct for an invalid header."""
    try:
        return ChatGeminiCompat(model="gemini-3.8-flash", **options)
    except ValueError as error:
        return error


def own_clients(headers):
    """Return a sync and an async client of the installed HTTP library."""
    library = importlib.import_module(library_name())
    return {"http_client": library.Client(headers=headers), "http_async_client": library.AsyncClient(headers=headers)}


@pytest.mark.parametrize("value", ["canary-line-0123456789\n", "canary-line-0123\r\nx: canary-more-0123", "canary-ünicode-0123456789"])  # fmt: skip
@pytest.mark.parametrize("where", ["default_headers", "default_query", "client"])
async def test_invalid_header_is_not_shown(where, value):
    """HTTP libraries quote the value that they refuse. The test uses a real server. Field case E13."""
    options = {"default_headers": {"x-api-key": value}} if where == "default_headers" else {}
    if where == "default_query":
        options = {"default_query": {"key": value}}
    with FakeGemini(lambda request: FAULTS["internal"]()).serve() as url:
        base = {"surface": "ai_studio", "base_url": url, "api_key": KEY, "max_retries": 1}
        if where == "client":
            # The package does not check the headers of the caller's own client. Only the HTTP library checks them.
            options = own_clients({"x-api-key": value.encode()})
        chat = built_or_refused(**base, **options)
        if isinstance(chat, ValueError):
            assert "canary" not in str(chat)
            return
        for error in await fail_with_each_method(chat, "hi"):
            evidence = Evidence()
            add_failure(evidence, error, where)
            assert [text for _, text in evidence.texts if "canary-" in text] == []
        if where == "client":
            options["http_client"].close()
            await options["http_async_client"].aclose()


def test_words_without_secrets_stay_in_the_text():
    """Project, version and short words stay, so that the error is readable."""
    said = "Project team-project-1234 may not use version 2026-01-01 of app My Program: no key"
    chat = ChatGeminiCompat(
        model="m",
        base_url="http://gateway.test/v1",
        max_retries=0,
        default_headers={"x-goog-user-project": "team-project-1234", "X-Title": "My Program", "x-env": "key"},
        default_query={"api-version": "2026-01-01"},
        **Wire(reply({"error": {"message": said}}, 403)).clients,
    )
    with pytest.raises(errors.PermissionDeniedError, match=f"^{said}"):
        chat.invoke("hi")


@pytest.mark.parametrize(
    "alias", ["api_key", "openai_api_key", "google_api_key", "gemini_api_key", "apikey", "api_token"]
)
@pytest.mark.parametrize("form", FORMS)
async def test_key_under_any_name_is_hidden(form, alias):
    """Errors, repr, dumps and bodies do not contain the key, under any alias. Field case E13."""
    key = f"{ODD_KEY}\n"
    wire = Wire(*(FORMS[form](ODD_KEY) for _ in range(4)))
    options = {"base_url": "http://gateway.test/v1", "surface": "openai_compatible", "max_retries": 0, **wire.clients}
    chat = built_or_refused(**options, **{alias: key})
    if isinstance(chat, ValueError):
        assert ODD_KEY not in str(chat)
        return
    evidence = Evidence()
    add_model(evidence, chat, alias)
    for error in await fail_with_each_method(chat, "hi"):
        add_failure(evidence, error, form)
    evidence.add("body", *(request.content.decode() for request in wire.requests))
    assert {request.headers["authorization"] for request in wire.requests} == {f"Bearer {ODD_KEY}"}
    assert [text for _, text in evidence.texts if "canary-odd" in text] == []


BODY_SECRETS = {
    "extra_body": {"extra_body": {"api_key": "canary-body"}},
    "nested": {"extra_body": {"router": [{"headers": {"Authorization": "Bearer canary-body"}}]}},
    "model_kwargs": {"model_kwargs": {"metadata": {"api_key": "canary-body"}}},
    "mcp": {"extra_body": {"tools": [{"type": "mcp", "authorization": "canary-body"}]}},
}


@pytest.mark.parametrize("given", BODY_SECRETS.values(), ids=BODY_SECRETS)
def test_secret_in_the_body_is_sent_and_not_shown(given):
    """A key in the request body is sent, but texts, cache keys and traces do not contain it."""
    wire = Wire(completion())
    chat = ChatGeminiCompat(model="m", base_url="http://gateway.test/v1", **given, **wire.clients)
    shown = [repr(chat), str(chat), dumps(chat), chat._get_llm_string(), str(chat._identifying_params)]
    runs = RunCollectorCallbackHandler()
    chat.invoke("hi", config={"callbacks": [runs]})
    shown += [str(run.model_dump()) for run in runs.traced_runs]
    assert [text for text in shown if "canary" in text] == []
    assert "[hidden]" in shown[0]
    assert "canary-body" in json.dumps(chat.preview("hi")[0])
    assert "canary-body" in json.dumps(wire.bodies)


def test_secret_in_the_body_of_one_call_is_not_traced():
    """Traces and the cache key contain the options of a call, but not the secret."""
    wire, runs = Wire(completion()), RunCollectorCallbackHandler()
    chat = ChatGeminiCompat(model="m", base_url="http://gateway.test/v1", **wire.clients)
    keys = [{"extra_body": {"api_key": key}} for key in ("canary-one", "canary-two")]
    chat.invoke("hi", config={"callbacks": [runs]}, **keys[0])
    assert "canary" not in str([run.model_dump() for run in runs.traced_runs])
    assert "canary-one" in json.dumps(wire.bodies)
    one, two = (chat._get_llm_string(**key) for key in keys)
    assert one != two
    assert "canary" not in one


def test_models_with_different_keys_in_the_body_share_no_cached_answer():
    """LangChain's cache key differs for different API keys, but does not contain them.

    The repr of a model shows a number in the body, because a number is not a secret.
    """
    bodies = ({"api_key": "one"}, {"api_key": "two"}, {"min_tokens": 5})
    chats = [ChatGeminiCompat(model="m", base_url="http://gateway.test/v1", extra_body=body) for body in bodies]
    assert len({chat._get_llm_string() for chat in chats}) == 3
    assert "'min_tokens': 5" in repr(chats[2])


def test_members_of_a_schema_are_not_hidden():
    """A parameter of a tool may have the name `token`. Its schema contains no secret."""
    tool = {"type": "function", "function": {"name": "f", "parameters": {"properties": {"token": {"type": "string"}}}}}
    chat = ChatGeminiCompat(model="m", base_url="http://gateway.test/v1")
    assert chat._get_invocation_params(tools=[tool])["tools"] == [tool]


def test_deep_body_is_shown_without_an_endless_walk():
    """The repr of a model also works for a deeply nested body."""
    body = {}
    body["a"] = {"b": [body]}
    assert "[hidden]" in repr(ChatGeminiCompat(model="m", base_url="http://gateway.test/v1", extra_body=body))
