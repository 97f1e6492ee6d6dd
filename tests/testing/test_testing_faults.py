"""Faults of `FakeGemini`: errors, cut streams, broken connections, unusual endings."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from captures import read_capture

from langchain_gemini_compat.errors import RequestTimeoutError
from langchain_gemini_compat.testing import FAULTS, Call, FakeGemini, Fault, Reply

MODELS = {"ai_studio": "gemini-3.8-flash", "vertex": "google/gemini-3.8-flash", "openai_compatible": "gemma-3-270m"}
SURFACES = tuple(MODELS)
HEADERS = {"Authorization": "Bearer a-long-enough-token"}


def body_for(surface: str, *, stream: bool) -> dict[str, Any]:
    """Return a good request."""
    return {"model": MODELS[surface], "messages": [{"role": "user", "content": "Hi"}], "stream": stream}


def send(fault: Fault, surface: Any = "ai_studio", *, stream: bool = False) -> Any:
    """Send a request to a new fake with `fault`, and return the raw response."""
    fake = FakeGemini([fault], surface=surface)
    url = f"{fake.connection()['base_url']}/chat/completions"
    return fake.http_client.post(url, json=body_for(surface, stream=stream), headers=HEADERS, follow_redirects=False)


def error_of(response: Any) -> dict[str, Any]:
    """Return the error object. The body of Google's error response is a list with one item."""
    return response.json()[0]["error"]


def broken_pipe(fake: FakeGemini) -> type[Exception]:
    """Return the exception that the SDK's HTTP library raises when the server closes the connection."""
    module = __import__(type(fake.http_client).__module__.split(".")[0])
    return module.RemoteProtocolError


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("stream", [False, True])
def test_every_fault_answers_and_the_next_reply_is_good(name: str, surface: Any, stream: bool) -> None:
    """A fault uses up one reply of the script, so the next request gets the next reply."""
    fake = FakeGemini([FAULTS[name](), "fine"], surface=surface)
    url = f"{fake.connection()['base_url']}/chat/completions"
    body = body_for(surface, stream=stream)
    try:
        status = fake.http_client.post(url, json=body, headers=HEADERS, follow_redirects=False).status_code
        assert 200 <= status < 600
    except broken_pipe(fake):
        assert FAULTS[name]().ending in ("cut", "dropped")
    again = fake.http_client.post(url, json=body_for(surface, stream=False), headers=HEADERS).json()
    assert again["choices"][0]["message"]["content"] == "fine"


@pytest.mark.parametrize(
    ("fault", "surface", "status", "word", "text"),
    [
        (Fault.overloaded(), "ai_studio", 503, "UNAVAILABLE", "This model is currently experiencing high demand."),
        (Fault.bad_key(), "ai_studio", 400, "INVALID_ARGUMENT", "Please pass a valid API key"),
        (Fault.bad_key(), "vertex", 401, "UNAUTHENTICATED", "API keys are not supported by this API."),
        (Fault.expired_token(), "vertex", 401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
        (Fault.forged_token(), "vertex", 401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
        (Fault.permission_denied(), "ai_studio", 403, "PERMISSION_DENIED", "Your project has been denied access."),
        (
            Fault.model_not_found(),
            "ai_studio",
            404,
            "NOT_FOUND",
            "models/gemini-3.8-flash is not found for API version",
        ),
        (Fault.model_not_found("x"), "vertex", 404, "NOT_FOUND", "Publisher Model `projects/fake-project/"),
        (Fault.context_overflow(), "ai_studio", 400, "INVALID_ARGUMENT", "The input token count (1200000) exceeds"),
        (Fault.context_overflow(9, 8), "vertex", 400, "INVALID_ARGUMENT", "Unable to submit request because the input"),
        (Fault.internal(), "ai_studio", 500, "INTERNAL", "Internal error encountered."),
        (Fault.rate_limit(), "vertex", 429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later."),
    ],
)
def test_errors_have_googles_status_and_text(fault: Fault, surface: str, status: int, word: str, text: str) -> None:
    """On AI Studio and on Vertex AI, the body is a list with one object."""
    response = send(fault, surface)
    error = error_of(response)
    assert (response.status_code, error["code"], error["status"]) == (status, status, word)
    assert error["message"].startswith(text)


def test_rate_limit_has_the_captured_form() -> None:
    """The delay and the quota are in the body and not in the headers."""
    real = json.loads(read_capture("ais-err-429-per-minute-free-tier")["response"]["body"])
    text = json.dumps(real).replace("34.536139291s", "34s").replace("gemini-3.5-flash", "gemini-3.8-flash")
    response = send(Fault.rate_limit("34s"))
    assert response.json() == json.loads(text)
    assert "retry-after" not in response.headers


def test_daily_rate_limit_differs_only_in_the_quota() -> None:
    """The errors for a quota per day and a quota per minute differ only in the quota.

    The error for a spending cap has no details.
    """
    failure = error_of(send(Fault.rate_limit("39043s", per="day")))["details"][1]
    assert failure["violations"][0]["quotaId"] == "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
    assert "details" not in error_of(send(Fault.rate_limit(None)))


def test_bad_key_has_the_captured_body() -> None:
    """The body differs from the capture only in one line break, which Google adds before a bracket."""
    assert send(Fault.bad_key()).json() == json.loads(read_capture("ais-err-400-bad-key")["response"]["body"])


def test_compatible_server_has_the_error_format_of_openai() -> None:
    """The body is an object and not a list."""
    error = send(Fault.overloaded(), "openai_compatible").json()["error"]
    assert (error["code"], error["type"]) == (503, "unavailable")


def test_pages_and_redirects_are_html() -> None:
    """Error pages have the content type of HTML, and a redirect has a location."""
    page = send(Fault.html_404())
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=UTF-8")
    redirect = send(Fault.redirect("https://elsewhere.invalid/x"))
    assert (redirect.status_code, redirect.headers["location"]) == (307, "https://elsewhere.invalid/x")


@pytest.mark.parametrize(
    ("shape", "start"),
    [
        ("bare_object", '{\n  "error": {\n    "code": 503,'),
        ("bare_array", '[\n  {\n    "error": {\n      "code": 503,'),
        ("data_object", 'data: {"error":{"code":503,'),
        ("data_array", 'data: [{"error":{"code":503,'),
    ],
)
def test_errors_in_a_stream_come_in_four_shapes(shape: Any, start: str) -> None:
    """A stream has status 200, and ends with the error instead of `[DONE]`. A whole reply has an error status."""
    response = send(Fault.error_in_stream(shape, after="Once "), stream=True)
    first, _, rest = response.text.partition("\n\n")
    assert response.status_code == 200
    assert json.loads(first.removeprefix("data: "))["choices"][0]["delta"]["content"] == "Once "
    assert rest.startswith(start)
    assert "[DONE]" not in rest
    assert send(Fault.error_in_stream(shape)).status_code == 503
    assert '"status": "CANCELLED"' in send(Fault.error_in_stream(code=499), stream=True).text


def test_cut_stream_has_no_ending() -> None:
    """The stream ends after text and the start of a call, without finish reason, `[DONE]` or error."""
    response = send(Fault.cut_stream("Once ", [Call("add", '{"a": 1')]), stream=True)
    assert "Once " in response.text
    assert '{\\"a\\": 1' in response.text
    assert "[DONE]" not in response.text
    assert "finish_reason" not in response.text


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("stream", [False, True])
def test_a_dropped_connection_breaks_in_process(surface: Any, stream: bool) -> None:
    """The client receives some bytes, and then raises the usual exception of the HTTP library."""
    fake = FakeGemini([Fault.dropped_connection("Once ")], surface=surface)
    url = f"{fake.connection()['base_url']}/chat/completions"
    got: list[bytes] = []
    with fake.http_client.stream("POST", url, json=body_for(surface, stream=stream), headers=HEADERS) as response:
        assert response.status_code == 200
        with pytest.raises(broken_pipe(fake), match="incomplete chunked read"):
            got.extend(response.iter_bytes())
    assert got


async def test_a_dropped_connection_breaks_async() -> None:
    """A dropped connection raises the same error with the async client."""
    fake = FakeGemini([Fault.dropped_connection()])
    url = f"{fake.connection()['base_url']}/chat/completions"
    with pytest.raises(broken_pipe(fake)):
        await fake.http_async_client.post(url, json=body_for("ai_studio", stream=True), headers=HEADERS)


def test_a_dropped_connection_breaks_over_http() -> None:
    """The socket closes in the middle of a chunked body, and the next request is answered."""
    fake = FakeGemini([Fault.dropped_connection(), "fine"])
    with fake.serve() as url, type(fake.http_client)() as client:
        with pytest.raises(broken_pipe(fake), match="incomplete chunked read"):
            client.post(f"{url}/chat/completions", json=body_for("ai_studio", stream=True), headers=HEADERS)
        good = client.post(f"{url}/chat/completions", json=body_for("ai_studio", stream=False), headers=HEADERS)
        assert good.status_code == 200


def test_empty_reply_has_no_content() -> None:
    """An empty reply has a role, the finish reason `stop` and no tokens, streamed or not."""
    choice = send(Fault.empty_reply()).json()["choices"][0]
    assert choice == {"finish_reason": "stop", "index": 0, "message": {"role": "assistant"}}
    events = send(Fault.empty_reply(), stream=True).text.split("\n\n")
    assert json.loads(events[0].removeprefix("data: "))["choices"] == [
        {"delta": {"role": "assistant"}, "finish_reason": "stop", "index": 0}
    ]


def test_malformed_call_has_its_finish_reason() -> None:
    """The status is 200, and there is no call."""
    choice = send(Fault.malformed_call()).json()["choices"][0]
    assert choice["finish_reason"] == "function_call_filter: MALFORMED_FUNCTION_CALL"
    assert choice["message"] == {"role": "assistant"}


def test_a_blocked_prompt_has_no_message() -> None:
    """The reply to a blocked prompt has no key `message`. A reply that was blocked after some text has this key."""
    assert send(Fault.blocked()).json()["choices"] == [
        {"finish_reason": "content_filter: PROHIBITED_CONTENT", "index": 0}
    ]
    later = send(Fault.blocked("RECITATION", after="Once")).json()["choices"][0]
    assert later["finish_reason"] == "content_filter: RECITATION"
    assert later["message"] == {"content": "Once", "role": "assistant"}


def test_no_choices_is_an_empty_list() -> None:
    """The list `choices` is empty, streamed or not."""
    assert send(Fault.no_choices()).json()["choices"] == []
    assert '"choices":[],' in send(Fault.no_choices(), stream=True).text


def test_length_cuts_the_text_short() -> None:
    """The reply has the text and the finish reason."""
    choice = send(Fault.length("The answer is")).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("The answer is", "length")


TOO_SLOW = [
    (Fault.slow(first_byte=30), False),
    (Fault.slow(first_byte=30), True),
    (Fault.slow(between=30), True),
]


@pytest.mark.parametrize(("fault", "stream"), TOO_SLOW)
async def test_read_timeout_works_in_process(fault: Fault, stream: bool) -> None:
    """A slow fault raises the HTTP library's own timeout error, sync and async, without a socket."""
    fake = FakeGemini([fault, fault])
    url = f"{fake.connection()['base_url']}/chat/completions"
    body = body_for("ai_studio", stream=stream)
    library = __import__(type(fake.http_client).__module__.split(".")[0])
    limits = library.Timeout(5, read=0.05)
    start = time.perf_counter()
    with pytest.raises(library.ReadTimeout) as late:
        fake.http_client.post(url, json=body, headers=HEADERS, timeout=limits)
    assert late.value.request.url == url
    with pytest.raises(library.ReadTimeout):
        await fake.http_async_client.post(url, json=body, headers=HEADERS, timeout=limits)
    assert 0.1 <= time.perf_counter() - start < 30


async def test_timeout_of_the_model_works_in_process() -> None:
    """The model raises this package's timeout error."""
    fake = FakeGemini([Fault.slow(first_byte=30)] * 2)
    model = fake.chat_model(timeout=0.05, max_retries=0)
    with pytest.raises(RequestTimeoutError, match=r"No answer within 0\.05 seconds"):
        model.invoke("Hi")
    with pytest.raises(RequestTimeoutError, match=r"No answer within 0\.05 seconds"):
        await model.ainvoke("Hi")


@pytest.mark.parametrize("limit", [None, 5.0])
def test_slow_reply_within_the_timeout_arrives(limit: float | None) -> None:
    """The reply arrives without a timeout, and with a timeout that does not expire."""
    fake = FakeGemini([Fault.slow(0.02, 0.01)])
    url = f"{fake.connection()['base_url']}/chat/completions"
    response = fake.http_client.post(url, json=body_for("ai_studio", stream=True), headers=HEADERS, timeout=limit)
    assert "[DONE]" in response.text


def test_slow_waits_before_the_first_byte_and_between_frames() -> None:
    """The reply is complete."""
    start = time.perf_counter()
    response = send(Fault.slow(0.05, 0.02, Reply("abc", chunks=1)), stream=True)
    assert time.perf_counter() - start >= 0.05 + 4 * 0.02
    assert "[DONE]" in response.text
