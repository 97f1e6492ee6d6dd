"""Error responses, errors in streams and unusable replies: their classes, texts and attributes."""

import json
import pickle

import openai
import pytest
from captures import read_capture
from langchain_core import exceptions as core
from wire import Wire, chunk, google_error, http, reply

from langchain_gemini_compat import ChatGeminiCompat, errors

QUOTA = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaMetric": "generate_requests", "quotaId": "GenerateRequestsPerDayPerProjectPerModel"}],
}
MINUTE = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaMetric": "generate_requests", "quotaId": "GenerateRequestsPerMinutePerProject"}],
}
RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "39.5s"}

BODIES = [
    (400, google_error(400, "INVALID_ARGUMENT", "Please pass a valid API key"), "AuthenticationError", False),
    (400, google_error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."), "AuthenticationError", False),
    (400, google_error(400, "INVALID_ARGUMENT", 'Invalid JSON payload received. Unknown name "store": Cannot find field.'), "InvalidRequestError", False),
    (400, google_error(400, "INVALID_ARGUMENT", "Request contains an invalid argument."), "InvalidRequestError", False),
    (400, google_error(400, "INVALID_ARGUMENT", "Function call is missing a thought_signature in functionCall parts."), "MissingSignatureError", False),
    (400, google_error(400, "INVALID_ARGUMENT", "Unable to submit request because function call `default_api:f` in the 2. content block is missing a `thought_signature`."), "MissingSignatureError", False),
    (400, google_error(400, "INVALID_ARGUMENT", "Corrupted thought signature."), "InvalidSignatureError", False),
    (400, google_error(400, "INVALID_ARGUMENT", "Invalid thought signature."), "InvalidSignatureError", False),
    (400, google_error(400, "INVALID_ARGUMENT", "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."), "ContextOverflowError", False),
    (400, google_error(400, "INVALID_ARGUMENT", "Invalid JSON payload received. Unknown name \"const\" at 'tools[0].function_declarations[0].parameters': Cannot find field."), "SchemaRejectedError", False),
    (400, google_error(400, "FAILED_PRECONDITION", "User location is not supported for the API use."), "InvalidRequestError", False),
    (400, google_error(400, "FAILED_PRECONDITION", "Publisher model 'x' in region 'us-central1' is only available via global endpoint."), "InvalidRequestError", False),
    (401, google_error(401, "UNAUTHENTICATED", "API keys are not supported by this API. Expected OAuth2 access token"), "AuthenticationError", False),
    (401, {"error": {"code": 401, "message": "Request had invalid authentication credentials.", "status": "UNAUTHENTICATED"}}, "AuthenticationError", False),
    (403, google_error(403, "PERMISSION_DENIED", "Your project has been denied access."), "PermissionDeniedError", False),
    (403, google_error(403, "PERMISSION_DENIED", "This API method requires billing to be enabled."), "PermissionDeniedError", False),
    (403, google_error(403, "PERMISSION_DENIED", "Your API key was reported as leaked."), "AuthenticationError", False),
    (404, google_error(404, "NOT_FOUND", "models/x is not found for API version v1main"), "ModelNotFoundError", False),
    (404, "<!DOCTYPE html><html><title>Error 404 (Not Found)!!1</title></html>", "ModelNotFoundError", False),
    (409, {"error": {"message": "conflict"}}, "InvalidRequestError", False),
    (422, {"error": {"message": "unprocessable"}}, "InvalidRequestError", False),
    (429, google_error(429, "RESOURCE_EXHAUSTED", "Quota exceeded. Please retry in 34.536139291s.", [MINUTE, RETRY]), "RateLimitError", True),
    (429, google_error(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", [QUOTA, RETRY]), "QuotaExhaustedError", False),
    (429, google_error(429, "RESOURCE_EXHAUSTED", "Your project has exceeded its monthly spending cap."), "QuotaExhaustedError", False),
    (429, google_error(429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later."), "RateLimitError", True),
    (500, google_error(500, "INTERNAL", "An internal error has occurred."), "ServerError", True),
    (503, google_error(503, "UNAVAILABLE", "This model is currently experiencing high demand."), "ServerError", True),
    (504, google_error(504, "DEADLINE_EXCEEDED", "Deadline expired."), "ServerError", True),
    (500, {"error": {"code": 400, "message": "request (300 tokens) exceeds the available context size (256 tokens)", "type": "exceed_context_size_error"}}, "ContextOverflowError", False),
]  # fmt: skip


def model(*answers, **kwargs):
    wire = Wire(*answers)
    return ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", max_retries=0, **wire.clients, **kwargs)


@pytest.mark.parametrize(("status", "body", "name", "retryable"), BODIES)
async def test_error_body_becomes_one_exception_of_three_families(status, body, name, retryable):
    """The exception derives from a class of this package, of openai and of langchain_core, and has Google's text."""
    broken = model(reply(body, status))
    with pytest.raises(errors.GeminiCompatError) as caught:
        broken.invoke("hi")
    error = caught.value
    assert type(error) is getattr(errors, name)
    assert isinstance(error, openai.OpenAIError)
    assert isinstance(error, core.ModelError)
    assert error.is_retryable is retryable
    if isinstance(body, list):
        assert body[0]["error"]["message"] in str(error)
        assert error.status == body[0]["error"]["status"]
    with pytest.raises(type(error)):
        await model(reply(body, status)).ainvoke("hi")


@pytest.mark.parametrize(("status", "body", "name", "retryable"), BODIES)
def test_exception_pickles_without_its_http_objects(status, body, name, retryable):
    with pytest.raises(errors.GeminiCompatError) as caught:
        model(reply(body, status)).invoke("hi")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), str(copy), copy.status_code) == (
        type(caught.value),
        str(caught.value),
        caught.value.status_code,
    )


def test_rate_limit_has_the_wait_and_the_quota():
    """`retry_after` is the wait in the message. Without it, `RetryInfo` is used, and then the header `retry-after`."""
    spoken = google_error(429, "RESOURCE_EXHAUSTED", "Please retry in 10h50m43.651927829s.", [MINUTE, RETRY])
    listed = google_error(429, "RESOURCE_EXHAUSTED", "Slow down.", [MINUTE, RETRY])
    seen = []
    for answer in (reply(spoken, 429), reply(listed, 429), reply({"error": {}}, 429, {"retry-after": "7"})):
        with pytest.raises(errors.RateLimitError) as caught:
            model(answer).invoke("hi")
        seen.append((caught.value.retry_after, caught.value.quota_id))
    assert seen == [
        (pytest.approx(39043.651927829), "GenerateRequestsPerMinutePerProject"),
        (39.5, "GenerateRequestsPerMinutePerProject"),
        (7.0, None),
    ]


ERROR = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
IN_STREAM = {
    "data object": "data: " + json.dumps(ERROR) + "\n\n",
    "data array": "data: " + json.dumps([ERROR]) + "\n\n",
    "bare object": json.dumps(ERROR, indent=2) + "\n",
    "bare array": json.dumps([ERROR], indent=2) + "\n",
    "bare array at the very end": json.dumps([ERROR]),
}


@pytest.mark.parametrize("shape", IN_STREAM)
async def test_error_inside_a_stream_raises(shape):
    """The caller first gets the text that the stream sent, and then an exception with the status of the error."""
    body = "data: " + json.dumps(chunk(content="par")) + "\n\n" + IN_STREAM[shape]
    seen = []
    with pytest.raises(errors.ServerError, match="overloaded") as caught:
        seen.extend(part.text for part in model(body).stream("hi"))
    assert (seen, caught.value.status_code, caught.value.status) == (["par"], 503, "UNAVAILABLE")
    with pytest.raises(errors.ServerError):
        [part async for part in model(body).astream("hi")]


@pytest.mark.parametrize(
    "body",
    [
        {"error": "boom"},
        {"error": {"message": "boom"}},
        {"error": {"message": "boom", "code": 200}},
        [{"error": "boom"}],
    ],
)
async def test_error_in_a_stream_without_a_status_is_a_server_error(body):
    """The HTTP status of the stream is 200, so it does not show the kind of the error."""
    for text in (f"data: {json.dumps(body)}\n\n", json.dumps(body)):
        with pytest.raises(errors.ServerError, match=r"^boom \(500\) ") as caught:
            list(model(text).stream("hi"))
        assert (caught.value.status_code, caught.value.is_retryable) == (500, True)
    with pytest.raises(errors.ServerError, match=r"^boom \(500\) "):
        await model(body if isinstance(body, dict) else json.dumps(body)).ainvoke("hi")


REASONS = [
    ({"detail": "Not authenticated"}, "Not authenticated"),
    ({"detail": [{"loc": ["body", "messages", 0], "msg": "Field required"}, {"loc": ["body"], "msg": "Bad"}]}, "body.messages.0: Field required; body: Bad"),
    ({"detail": {"error": {"message": "inside"}}}, "inside"),
    ({"detail": []}, "The server gave no reason."),
    ({"errors": ["one", "two"]}, "one; two"),
    ({"error": ["one", {"message": "two"}]}, "one; two"),
    ({"error": 7}, "7"),
    ({"errors": [{"message": "one"}, {"code": 7, "detail": "two"}, 3]}, "one; two"),
    ({"fault": {"faultstring": "Invalid ApiKey", "detail": {"errorcode": "x"}}}, "Invalid ApiKey"),
    ({"message": "plain", "detail": "more"}, "plain"),
    ({"message": {"text": "no text"}}, "The server gave no reason."),
    ({"error": None}, "The server gave no reason."),
]  # fmt: skip


@pytest.mark.parametrize(("body", "said"), REASONS)
def test_message_is_read_from_every_known_key(body, said):
    """The server's error text is read from the keys that FastAPI, Apigee and lists of errors use.

    If none of these keys has a text, the error says that the server gave no reason.
    """
    with pytest.raises(errors.InvalidRequestError) as caught:
        model(reply(body, 422)).invoke("hi")
    assert str(caught.value).startswith(f"{said} (422) ")


@pytest.mark.parametrize(("status", "headers"), [(304, {}), (302, {}), (307, {"location": ""}), (300, {})])
def test_redirect_without_a_target_names_no_target(status, headers):
    with pytest.raises(
        errors.InvalidRequestError, match=rf"^The server redirects without a target\. \({status}\)"
    ) as caught:
        model(reply("", status, headers)).invoke("hi")
    assert "nowhere" not in str(caught.value)
    assert "`base_url`" in caught.value.remedy


async def test_stream_without_its_end_raises_with_the_partial_text():
    """The stream has neither a finish reason nor `[DONE]`."""
    body = "data: " + json.dumps(chunk(content="par")) + "\n\n"
    with pytest.raises(errors.TruncatedStreamError) as caught:
        list(model(body).stream("hi"))
    assert caught.value.partial == "par"
    assert caught.value.is_retryable
    with pytest.raises(errors.TruncatedStreamError):
        [part async for part in model(body).astream("hi")]


@pytest.mark.parametrize(
    ("raised", "name"),
    [
        (http.ConnectError("refused"), "APIConnectionError"),
        (http.ConnectTimeout("slow"), "RequestTimeoutError"),
        (http.ReadTimeout("slow"), "RequestTimeoutError"),
        (http.RemoteProtocolError("closed"), "APIConnectionError"),
    ],
)
async def test_network_failure_raises_a_connection_error(raised, name):
    """The error message says what to check."""
    with pytest.raises(getattr(errors, name)) as caught:
        model(raised).invoke("hi")
    assert isinstance(caught.value, core.ModelConnectionError)
    with pytest.raises(getattr(errors, name)):
        await model(raised).ainvoke("hi")


def test_connection_that_breaks_in_the_body_raises():
    """If the HTTP library reports a broken connection, the stream must not look complete."""

    class Broken(http.SyncByteStream):
        def __iter__(self):
            yield b"data: " + json.dumps(chunk(content="par")).encode() + b"\n\n"
            raise http.RemoteProtocolError("peer closed connection without sending complete message body")

    with pytest.raises(errors.TruncatedStreamError) as caught:
        list(model(http.Response(200, stream=Broken())).stream("hi"))
    assert caught.value.partial == "par"


def test_reply_that_is_not_json_raises():
    """The reply is a web page with status 200, or a stream with an event that is not JSON."""
    for answer in ("<html>login</html>", b"data: {nonsense\n\n"):
        with pytest.raises(errors.InvalidReplyError):
            model(answer).invoke("hi")
        with pytest.raises(errors.InvalidReplyError):
            list(model(answer).stream("hi"))


def test_unusable_reply_raises_with_the_message():
    """The reply is empty or malformed. The message in the error has the token usage."""
    usage = {"prompt_tokens": 5, "completion_tokens": 0, "total_tokens": 5}
    for reason, name in (
        ("stop", "EmptyReplyError"),
        ("length", "EmptyReplyError"),
        ("function_call_filter: MALFORMED_FUNCTION_CALL", "MalformedToolCallError"),
    ):
        choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant"}}
        with pytest.raises(getattr(errors, name), match="tokens") as caught:
            model({"choices": [choice], "usage": usage}).invoke("hi")
        assert caught.value.reply.usage_metadata["input_tokens"] == 5
        assert caught.value.is_retryable == (reason != "length")


def test_call_cut_off_by_max_tokens_is_an_error():
    """LangChain would repair the truncated JSON, and the tool would run with incomplete arguments."""
    cut = {"id": "c", "function": {"name": "pay", "arguments": '{"amount": 1'}}
    with pytest.raises(errors.MalformedToolCallError, match="max_tokens"):
        list(model([chunk(tool_calls=[cut]), chunk(finish="length"), "[DONE]"]).stream("hi"))


async def test_blocked_reply_is_a_message_with_a_refusal_block():
    """The server's choice has a finish reason and no `message`."""
    blocked = {"choices": [{"index": 0, "finish_reason": "content_filter: PROHIBITED_CONTENT"}]}
    for message in (model(blocked).invoke("hi"), await model(blocked).ainvoke("hi")):
        assert message.response_metadata["finish_reason"] == "content_filter"
        assert message.response_metadata["native_finish_reason"] == "content_filter: PROHIBITED_CONTENT"
        assert [block["type"] for block in message.content_blocks] == ["refusal"]


def test_every_exception_is_exported_and_documented():
    """The tree in the module's docstring names every class, and every class can be imported."""
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), Exception)
        assert name in errors.__doc__ or name == "GeminiCompatWarning"
    with pytest.raises(AttributeError):
        _ = errors.NoSuchError


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("ais-07-intellyrouter-404-error", "ModelNotFoundError"),
        ("ais-err-400-bad-key", "AuthenticationError"),
        ("ais-err-400-missing-thought-signature", "MissingSignatureError"),
        ("ais-err-429-per-minute-free-tier", "RateLimitError"),
        ("ais-N6-gemma4-26b-500-internal", "ServerError"),
        ("ais-N7-frequency_penalty-400", "InvalidRequestError"),
        ("ais-N8-gemma4-reasoning_effort-400", "InvalidRequestError"),
    ],
)
def test_recorded_error_body_raises_its_class(file, name):
    response = read_capture(file)["response"]
    with pytest.raises(getattr(errors, name)) as caught:
        model(reply(response["body"], response["status"])).invoke("hi")
    if name == "RateLimitError":
        assert caught.value.retry_after == pytest.approx(34.536139291)
