"""Tests time limits, retries, clients, headers and query of the caller. Invalid values are refused at construction."""

from datetime import timedelta
from importlib import import_module
from unittest.mock import MagicMock

import openai
import pytest
from pydantic import SecretStr, ValidationError
from wire import Wire, completion, http

from langchain_gemini_compat import ChatGeminiCompat, GeminiCompatEmbeddings
from langchain_gemini_compat._lazy import library_name
from langchain_gemini_compat._transport.timeouts import TimeLimits, resolve_timeouts

CANARY = "canary-0123456789abcdef"
GATEWAY = "http://gateway.test/v1"
CLASSES = [ChatGeminiCompat, GeminiCompatEmbeddings]
OTHER = {"httpx": "httpx2", "httpx2": "httpx"}[library_name()]


def build(make, **options):
    return make(model="m", base_url=GATEWAY, api_key="k", **options)


def foreign_timeout(*args, **kwargs):
    return pytest.importorskip(OTHER).Timeout(*args, **kwargs)


@pytest.mark.parametrize(
    ("make", "limits"),
    [
        (lambda: (3, 60), TimeLimits(3, 60, 60, write=60, pool=60)),
        (lambda: [3, 60.5], TimeLimits(3, 60.5, 60.5, write=60.5, pool=60.5)),
        (lambda: (3, None), TimeLimits(3, None, None, write=None, pool=None)),
        (lambda: (1, 2, 3, 4), TimeLimits(1, 2, 2, write=3, pool=4)),
        (lambda: (timedelta(seconds=3), timedelta(minutes=1)), TimeLimits(3, 60, 60, write=60, pool=60)),
        (lambda: timedelta(seconds=90), TimeLimits(30, 90, 90, write=90, pool=90)),
        (lambda: 5, TimeLimits(5, 5, 5, write=5, pool=5)),
        (lambda: 5.5, TimeLimits(5.5, 5.5, 5.5, write=5.5, pool=5.5)),
        (lambda: None, TimeLimits()),
        (lambda: {"connect": timedelta(seconds=2), "total": 9}, TimeLimits(connect=2, total=9)),
        (lambda: openai.Timeout(9, connect=1), TimeLimits(1, 9, 9, write=9, pool=9)),
        (lambda: http.Timeout(None), TimeLimits(None, None, None, write=None, pool=None)),
        (lambda: foreign_timeout(9, connect=1), TimeLimits(1, 9, 9, write=9, pool=9)),
    ],
)
async def test_time_limits_in_every_usual_form_are_accepted(make, limits):
    """A limit may be a `timedelta`, or have the form of the libraries requests, httpx or openai. Field case D8."""
    timeout = make()
    assert resolve_timeouts(timeout) == limits
    wire = Wire(*[completion()] * 2)
    model = build(ChatGeminiCompat, timeout=timeout, **wire.clients)
    assert model.invoke("hi").text == (await model.ainvoke("hi")).text
    assert wire.requests[0].extensions["timeout"]["connect"] == limits.connect
    assert build(GeminiCompatEmbeddings, request_timeout=timeout)._open_transport()._config.limits == limits


@pytest.mark.parametrize(
    "timeout",
    ["5", True, -1, float("nan"), (1,), (1, 2, 3), ("a", 5), (5, True), object(), {"read": 5}, {5: 5}, timedelta(-1)],
)
@pytest.mark.parametrize("make", CLASSES)
def test_invalid_time_limit_is_refused_at_construction(make, timeout):
    """The message names the accepted forms. Without this check, the first call would fail. Field case D8."""
    with pytest.raises(ValueError, match=r"number of seconds|Pass seconds|Valid keys are"):
        build(make, timeout=timeout)


@pytest.mark.parametrize("make", CLASSES)
def test_retries_of_none_are_the_default(make):
    """`ChatOpenAI` also treats `None` as the default. Field case D8."""
    assert build(make, max_retries=None).max_retries == build(make).max_retries == 2
    assert build(make, max_retries=0)._open_transport()._config.max_retries == 0
    for given in (-1, "many", 1.5):
        with pytest.raises(ValidationError, match="max_retries"):
            build(make, max_retries=given)


@pytest.mark.parametrize("make", CLASSES)
@pytest.mark.parametrize("way", ["construction", "change"])
def test_client_of_another_kind_is_refused(make, way):
    """The message names the right class of client. Field case D8."""
    library = import_module(library_name())
    cases = [
        ("http_client", library.AsyncClient(), f"`{library_name()}.Client`"),
        ("http_async_client", library.Client(), f"`{library_name()}.AsyncClient`"),
        ("http_client", library.Client, f"`{library_name()}.Client`"),
        ("http_client", object(), f"`{library_name()}.Client`"),
        ("http_async_client", MagicMock(), f"`{library_name()}.AsyncClient`"),
        ("http_client", openai.OpenAI(api_key=CANARY), f"`{library_name()}.Client`"),
    ]
    try:
        other = import_module(OTHER)
    except ModuleNotFoundError:
        other = None
    if other is not None:
        cases += [
            ("http_client", other.Client(), f"uses {library_name()}"),
            ("http_async_client", other.AsyncClient(), f"uses {library_name()}"),
        ]
    for name, client, text in cases:
        with pytest.raises(ValueError, match=text) as caught:
            use(build(make), name, client) if way != "construction" else build(make, **{name: client})
        assert f"`{name}` is" in str(caught.value)
        assert CANARY not in str(caught.value)


def use(model, name, value):
    """Set a field in a copy of the model and in the model itself. Pydantic does not validate these changes.

    Raise `ValueError` only if neither the copy nor the model can open its transport.
    """
    copy = model.model_copy(update={name: value})
    setattr(model, name, value)
    try:
        copy._open_transport()
    except ValueError:
        model._open_transport()


@pytest.mark.parametrize("make", CLASSES)
def test_client_of_the_right_kind_is_accepted(make):
    """The model accepts clients of the HTTP library and of openai, and test doubles of clients. Field case D8."""
    library = import_module(library_name())
    for client in (library.Client(), openai.DefaultHttpxClient(), MagicMock()):
        assert build(make, http_client=client).http_client is client
    for client in (library.AsyncClient(), openai.DefaultAsyncHttpxClient()):
        assert build(make, http_async_client=client).http_async_client is client


@pytest.mark.parametrize("make", CLASSES)
@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"x-api-key": f"{CANARY}é"}, "'x-api-key' in `default_headers`"),
        ({"x-api-key": f"{CANARY}\r\nx-evil: 1"}, "'x-api-key' in `default_headers`"),
        ({"x-api-key": f"{CANARY}\x00"}, "'x-api-key' in `default_headers`"),
        ({"x-api-key": SecretStr(f"a\n{CANARY}")}, "'x-api-key' in `default_headers`"),
        ({f"x {CANARY}": "v"}, "invalid header name"),
        ({f"x\n{CANARY}": "v"}, "invalid header name"),
        ({"": "v"}, "invalid header name"),
        ({5: CANARY}, "invalid header name"),
        ({"x-list": [CANARY]}, "has a list for 'x-list'"),
        ({"x-none": None}, "has a NoneType for 'x-none'"),
        (CANARY, "is a str and not a dict"),
        ([("a", CANARY)], "is a list and not a dict"),
    ],
)
def test_illegal_header_is_refused_at_construction(make, headers, text):
    """Aliases of `default_headers` are checked, too. The error message does not contain the value. Field case D8."""
    for name in ("default_headers", "additional_headers", "headers"):
        with pytest.raises(ValueError, match=text) as caught:
            build(make, **{name: headers})
        assert CANARY not in f"{caught.value!r} {caught.value}"
    model = build(make).model_copy(update={"default_headers": headers})
    with pytest.raises(ValueError, match=text) as caught:
        model._open_transport()
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("key", [f"{CANARY}ä", f"{CANARY}\u200b", f"{CANARY}\nx: y", f"\x00{CANARY}"])
@pytest.mark.parametrize("name", ["api_key", "openai_api_key"])
@pytest.mark.parametrize("make", [ChatGeminiCompat, GeminiCompatEmbeddings])
def test_key_that_is_not_allowed_in_headers_is_refused_at_construction(make, key, name):
    """A copied key may have an invisible character. The error message does not contain the key. Field case D8."""
    with pytest.raises(ValueError, match="`api_key` has characters that are not allowed in HTTP headers") as caught:
        make(model="m", base_url=GATEWAY, **{name: key})
    assert CANARY not in f"{caught.value!r} {caught.value}"
    assert make(model="m", base_url=GATEWAY, **{name: f" {CANARY}\n"}).model == "m"


async def test_headers_and_query_of_other_types_are_sent_as_text():
    """Values may be numbers, secrets or bytes. A line break at the end of a value is removed. Field case D8."""
    wire = Wire(*[completion()] * 2)
    model = build(
        ChatGeminiCompat,
        default_headers={"x-api-key": f"{CANARY}\n", "x-number": 5, "x-secret": SecretStr("s"), "x-bytes": b"b"},
        default_query={"api-version": 2, "debug": True, "ratio": 0.5, "key": SecretStr("q"), "name": "ä"},
        **wire.clients,
    )
    model.invoke("hi")
    await model.ainvoke("hi")
    for request in wire.requests:
        sent = {name: request.headers[name] for name in ("x-api-key", "x-number", "x-secret", "x-bytes")}
        assert sent == {"x-api-key": CANARY, "x-number": "5", "x-secret": "s", "x-bytes": "b"}
        assert dict(request.url.params) == {
            "api-version": "2",
            "debug": "true",
            "ratio": "0.5",
            "key": "q",
            "name": "ä",
        }
    for query in ({"a": [1]}, {"a": None}, {"a": {}}, {("a",): 1}, {"a\n": "b"}, {"a": "\x00b"}, "a=1", [("a", 1)]):
        with pytest.raises(ValueError, match="`default_query`"):
            build(ChatGeminiCompat, default_query=query)
