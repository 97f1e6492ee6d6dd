"""Tests of errors that gateways have wrapped: the server's own error selects the exception class.

The search for the server's own error in the gateway's error must end soon, whatever the gateway sends.
"""

import copy
import itertools
import json
import pickle
import time

import pytest
from wire import Wire, chunk, google_error, http, reply

from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat._transport.error_bodies import read_error
from langchain_gemini_compat._transport.error_detection import is_error_body
from langchain_gemini_compat.testing import FakeGemini, Raw

MODES = ["invoke", "ainvoke", "stream", "astream"]
DAY = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaMetric": "requests", "quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}],
}
DELAY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "39043s"}
ERROR = google_error(429, "RESOURCE_EXHAUSTED", 'Quota "exceeded".\nPlease wait.', [DAY, DELAY])[0]
TEXT = json.dumps(ERROR, indent=2)


def message(text, **more):
    """Return an error in OpenAI's form."""
    return {"error": {"message": text, **more}}


def printed(value):
    """Return a body, or its parsed value, as an f-string prints it."""
    return f"{value}"


WRAPPED = {
    "list": [ERROR],
    "list in a list": [[ERROR]],
    "OpenRouter, text": message("Provider returned error", code=429, metadata={"raw": TEXT, "provider_name": "Google"}),
    "OpenRouter, object": message("Provider returned error", code=429, metadata={"raw": ERROR}),
    "OpenRouter, list": message("Provider returned error", code=429, metadata={"raw": json.dumps([ERROR])}),
    "OpenRouter, encoded twice": message("Provider returned error", metadata={"raw": json.dumps(TEXT)}),
    "number as a key": {"0": ERROR},
    "number as a key, in a list": [{"0": [ERROR]}],
    "numbers in an error": {"error": {"0": ERROR}},
    "text": message(f"GeminiException - {TEXT}"),
    "text with a list": message(f"Invalid response received from google: {json.dumps([ERROR])}"),
    "LiteLLM": message(
        f"litellm.RateLimitError: litellm.RateLimitError: geminiException - {printed(TEXT.encode())}. Received Model "
        "Group=g\nAvailable Model Group Fallbacks=None",
        type="throttling_error",
        param=None,
        code="429",
    ),
    "LiteLLM on Vertex": message(
        f"litellm.RateLimitError: Vertex_ai_betaException - {printed(json.dumps([ERROR]).encode())}", code="429"
    ),
    "SDK": message(f"Error code: 429 - {printed(ERROR)}"),
    "SDK, list": message(f"Error code: 429 - {printed([ERROR])}"),
    "FastAPI": {"detail": TEXT},
    "FastAPI, object": {"detail": ERROR},
    "FastAPI, text": {"detail": f"429: {printed(ERROR)}"},
    "bytes in bytes": message(f"b{printed(printed(TEXT.encode()))}"),
    "escaped": message("upstream said " + json.dumps(TEXT)[1:-1]),
    "encoded thrice": message(json.dumps(json.dumps(TEXT))),
    "seven deep": message(json.dumps(message(json.dumps(message(json.dumps(message(TEXT))))))),
    "cause": message("Bad gateway", cause=ERROR),
    "plain text": f"upstream error: {TEXT}",
    "after another object": message(f"request {{'model': 'g', 'n': 1}} failed: {printed(ERROR)}"),
}


def model(*answers, **kwargs):
    """Return a model whose server gives these answers."""
    wire = Wire(*answers)
    return ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", max_retries=0, **wire.clients, **kwargs)


async def fail(body, status, mode="invoke", **kwargs):
    """Return the error of a call whose answer is `body`.

    A streaming call with status 200 gets `body` as an event of the stream.
    """
    if status == 200 and "stream" in mode:
        said = f"data: {json.dumps(chunk(content='par'))}\n\n"
        body = f"{said}data: {json.dumps(body)}\n\ndata: [DONE]\n\n"
    elif not isinstance(body, (str, bytes)):
        body = json.dumps(body)
    return await fail_of(model(reply(body, status), **kwargs), mode)


async def ask(chat, mode):
    """Call the model with `invoke`, `ainvoke`, `stream` or `astream`."""
    if mode == "invoke":
        chat.invoke("hi")
    elif mode == "ainvoke":
        await chat.ainvoke("hi")
    elif mode == "stream":
        list(chat.stream("hi"))
    else:
        [part async for part in chat.astream("hi")]


async def fail_of(chat, mode):
    """Return the error of one call."""
    with pytest.raises(errors.GeminiCompatError) as caught:
        await ask(chat, mode)
    return caught.value


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", WRAPPED)
async def test_wrapped_error_is_typed_by_the_servers_own_error(shape, mode):
    """Google's error for a daily quota gives the same class and `body`, even if a gateway has wrapped it.

    Field cases E21, G4.
    """
    for status in (429, 500) if shape == "plain text" else (429, 500, 200):
        error = await fail(WRAPPED[shape], status, mode)
        assert type(error) is errors.QuotaExhaustedError
        assert not error.is_retryable
        assert (error.status_code, error.status) == (429, "RESOURCE_EXHAUSTED")
        assert error.quota_id == "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
        assert error.retry_after == 39043
        assert str(error).startswith('Quota "exceeded".\nPlease wait. (RESOURCE_EXHAUSTED 429) ')
        assert error.body == ERROR["error"]
        assert error.body["message"] == ERROR["error"]["message"]


@pytest.mark.parametrize("wraps", [*itertools.product(["text", "raw", "0", "bytes", "list", "printed"], repeat=3)])
def test_nested_wrappings_are_unwrapped(wraps):
    """A gateway behind another gateway wraps the error twice. Field case G4."""
    value = ERROR
    for kind in wraps:
        value = {
            "text": lambda value: message(f"Upstream: {json.dumps(value)}."),
            "raw": lambda value: message("Provider returned error", metadata={"raw": json.dumps(value)}),
            "0": lambda value: {"0": value},
            "bytes": lambda value: message(f"Exception - {json.dumps(value).encode()}"),
            "list": lambda value: [value],
            "printed": lambda value: message(f"Error code: 429 - {value}"),
        }[kind](value)
    error, body = read_error(value, default_code=500)
    assert (error.code, error.status, body) == (429, "RESOURCE_EXHAUSTED", ERROR["error"])


def test_error_body_is_the_error_object_as_in_the_sdk():
    """`error.body` is the error object, even if the response is a list or has no key `error`. Field case E21."""
    for body, said in (
        (google_error(400, "INVALID_ARGUMENT", "No."), "No."),
        ({"error": {"message": "No.", "code": None}}, "No."),
        ({"message": "No.", "object": "error", "type": "BadRequestError", "code": 400}, "No."),
    ):
        with pytest.raises(errors.InvalidRequestError) as caught:
            model(reply(body, 400)).invoke("hi")
        assert caught.value.body["message"] == said


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("litellm.RateLimitError: Resource has been exhausted, quotaId: GenerateRequestsPerDayPerProject", "QuotaExhaustedError"),
        ('GeminiException - {"error": {"code": 429, "details": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel"', "QuotaExhaustedError"),
        ("Rate limit exceeded: free-models-per-day", "QuotaExhaustedError"),
        ("Rate limit exceeded: free-models-per-day-high-balance", "QuotaExhaustedError"),
        ("Daily request limit reached", "QuotaExhaustedError"),
        ("Rate limit reached on tokens per day (TPD): Limit 100000", "QuotaExhaustedError"),
        ("Rate limit exceeded: free-models-per-min", "RateLimitError"),
        ("10 requests per minute and 200 requests per day are allowed; 10 per minute are used", "RateLimitError"),
        ("GeminiException - Please retry in 39043s.", "RateLimitError"),
    ],
)  # fmt: skip
def test_quota_is_read_from_the_text_without_details(text, kind):
    """The name of a quota shows whether it is daily or per minute. Field case G4."""
    with pytest.raises(errors.RateLimitError) as caught:
        model(reply(message(text), 429)).invoke("hi")
    assert type(caught.value) is getattr(errors, kind)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Please retry in 2h3m4.5s.", 7384.5),
        ("Please try again in 7m12.5s. Visit", 432.5),
        ("Please try again in 250ms.", 0.25),
        ("Please retry after 26 seconds.", 26),
        ("Try again in 3m", 180),
        ('\\"retryDelay\\": \\"41s\\"', 41),
        ("Please retry in -5s.", None),
        ("Please retry in NaNs.", None),
        ("Please retry in a while.", None),
        ("Please retry in 1e999s.", None),
        ("Please retry in 99999999999999999999s.", None),
    ],
)  # fmt: skip
def test_wait_is_read_from_the_text(text, seconds):
    """Servers write the wait in several forms. A wait that is not a number of seconds is ignored. Field case G4."""
    with pytest.raises(errors.RateLimitError) as caught:
        model(reply(message(text), 429)).invoke("hi")
    assert caught.value.retry_after == (None if seconds is None else pytest.approx(seconds))


HOSTILE = {
    "open brackets": "[" * 200_000,
    "open braces": '{"a":' * 50_000,
    "objects in lists": '[{"error":' * 30_000,
    "bytes that do not end": "b'" * 100_000,
    "quotation marks": "{" + "'\"" * 100_000,
    "escaped quotation marks": "{" + "\\'" * 100_000,
    "backslashes": '{\\"' + "\\" * 200_000,
    "calls": "{'a': " + "(" * 5_000 + "}",
    "signs": "{'a': " + "-" * 8_000 + "1}",
    "digits": '{"error": {"message": ' + "9" * 100_000 + "}}",
    "flags": "--a" * 50_000,
    "spaces": "[" + " " * 200_000 + "[ " * 50_000,
    "many objects": '{"message": 1} ' * 20_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_read_in_bounded_time(name):
    """The search does not raise a recursion error, and does not take quadratic time. Field case G4."""
    text = HOSTILE[name]
    deep = message(text, metadata={"raw": text}, detail=text, cause=text, body=text)
    began = time.process_time()
    for body in (text, message(text), [text], {"0": text}, deep, {"error": text}):
        error, _ = read_error(body, default_code=500)
        assert error.code == 500
        assert len(error.message) < 3000
        with pytest.raises(errors.ServerError):
            model(reply(json.dumps(body), 500)).invoke("hi")
    assert time.process_time() - began < 30


def test_endless_wrapping_is_read_to_a_bounded_depth():
    """If errors are nested too deep, the HTTP status is the error's code. Field case G4."""
    body = {"message": "inside"}
    for _ in range(300):
        body = {"error": body}
    error, _ = read_error(body, default_code=503)
    assert error.code == 503
    text = "x"
    for _ in range(12):
        text = json.dumps(message(text))
    assert read_error(text, default_code=503)[0].code == 503


@pytest.mark.parametrize(
    "text",
    [
        "Invalid schema: {'type': 'object', 'properties': {'code': {'type': 'string'}}}",
        'Bad message {"role": "user", "content": "hi", "type": "text"}',
        "The field {name} is missing",
        "Expected {'message': 'x'} here",
    ],
)
def test_json_in_a_text_is_kept_if_it_is_not_an_error(text):
    """JSON in the text of an error may be a quotation of the request. It is not taken for the server's error."""
    with pytest.raises(errors.InvalidRequestError) as caught:
        model(reply(message(text), 400)).invoke("hi")
    assert str(caught.value).startswith(f"{text} (400) ")


CHOICE = {
    "daily": ({"code": 429, "message": "Rate limit exceeded: free-models-per-day"}, "QuotaExhaustedError", False),
    "minute": ({"code": 429, "message": "Rate limit exceeded: free-models-per-min"}, "RateLimitError", True),
    "provider": ({"code": 502, "message": "Provider disconnected."}, "ServerError", True),
    "word": ({"code": "invalid_api_key", "message": "No."}, "AuthenticationError", False),
    "wrapped": ({"code": 429, "message": "Provider returned error", "metadata": {"raw": TEXT}}, "QuotaExhaustedError", False),
    "text": ("The model broke.", "ServerError", True),
}  # fmt: skip
PLACES = ("choice", "choice without a reason", "top", "second choice")


def failed_chunk(error, place, *, whole):
    """Return a chunk or a whole reply with `error`. `place` is one of `PLACES`, and says which part has the error."""
    part = {"role": "assistant", "content": ""}
    choice = {"index": 0, "message" if whole else "delta": part, "finish_reason": "error"}
    kind = "chat.completion" if whole else "chat.completion.chunk"
    body = {"id": "gen-1", "object": kind, "model": "m", "choices": [choice]}
    if place == "top":
        return body | {"error": error}
    if place == "second choice":
        return body | {"choices": [choice | {"finish_reason": None}, choice | {"index": 1, "error": error}]}
    reason = None if place == "choice without a reason" else "error"
    return body | {"choices": [choice | {"error": error, "finish_reason": reason}]}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", CHOICE)
async def test_error_in_a_choice_is_raised(name, place, mode):
    """OpenRouter answers 200 with the error in the choice and `finish_reason: "error"`. Field case G11."""
    error, kind, is_retryable = CHOICE[name]
    caught = await fail(failed_chunk(error, place, whole="invoke" in mode), 200, mode)
    assert type(caught) is getattr(errors, kind)
    assert caught.is_retryable is is_retryable
    assert caught.partial == ("par" if "stream" in mode else "")


def test_daily_quota_in_a_choice_is_not_retried():
    """Field case G11."""
    error = CHOICE["daily"][0]
    fake = FakeGemini([Raw(failed_chunk(error, "choice", whole=True)), "Hello."])
    with pytest.raises(errors.QuotaExhaustedError, match="free-models-per-day"):
        fake.chat_model(max_retries=3).invoke("hi")
    assert len(fake.requests) == 1


def openai(code, kind="invalid_request_error", text="Whatever it says."):
    """Return an error in OpenAI's form, with a word as its code."""
    return {"error": {"message": text, "type": kind, "param": None, "code": code}}


WORDS = [
    (400, openai("context_length_exceeded"), "ContextOverflowError"),
    (200, openai("context_length_exceeded"), "ContextOverflowError"),
    (413, openai("tokens_limit_reached"), "ContextOverflowError"),
    (500, openai("context_length_exceeded"), "ContextOverflowError"),
    (400, openai(None, "exceed_context_size_error"), "ContextOverflowError"),
    (400, openai("400", "exceed_context_size_error"), "ContextOverflowError"),
    (400, openai(None, None, "litellm.ContextWindowExceededError: x"), "ContextOverflowError"),
    (400, openai(400, "BadRequestError", "The decoder prompt (length 9000) is longer than the maximum model length of 4096."), "ContextOverflowError"),
    (400, openai(400, "BadRequestError", "This model's maximum context length is 4096 tokens."), "ContextOverflowError"),
    (400, openai(None, "invalid_request_error", "prompt is too long: 212345 tokens > 200000 maximum"), "ContextOverflowError"),
    (400, openai(None, None, "Input is too long for requested model."), "ContextOverflowError"),
    (422, {"error": "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000", "error_type": "validation"}, "ContextOverflowError"),
    (429, openai("insufficient_quota", "insufficient_quota"), "QuotaExhaustedError"),
    (403, openai("insufficient_quota"), "QuotaExhaustedError"),
    (200, openai("insufficient_quota"), "QuotaExhaustedError"),
    (400, openai("billing_hard_limit_reached"), "QuotaExhaustedError"),
    (400, openai("invalid_api_key"), "AuthenticationError"),
    (401, openai("invalid_api_key"), "AuthenticationError"),
    (200, openai("invalid_api_key"), "AuthenticationError"),
    (500, openai(None, "AuthenticationError"), "AuthenticationError"),
    (400, openai("model_not_found"), "ModelNotFoundError"),
    (404, openai("model_not_found"), "ModelNotFoundError"),
    (503, openai("model_not_found", "new_api_error"), "ModelNotFoundError"),
    (200, openai("model_not_found"), "ModelNotFoundError"),
    (400, openai("rate_limit_exceeded"), "RateLimitError"),
    (503, openai("rate_limit_exceeded", "tokens"), "RateLimitError"),
    (200, openai("rate_limit_exceeded"), "RateLimitError"),
    (200, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "ServerError"),
    (200, {"type": "error", "error": {"type": "rate_limit_error", "message": "No."}}, "RateLimitError"),
    (400, openai("content_policy_violation"), "InvalidRequestError"),
    (200, openai("content_policy_violation"), "InvalidRequestError"),
    (200, openai(None, "server_error"), "ServerError"),
    (200, openai(None, "invalid_request_error"), "InvalidRequestError"),
    (500, openai(None, "invalid_request_error"), "ServerError"),
    (404, openai(None, "invalid_request_error"), "ModelNotFoundError"),
    (500, {"error": {"status": "INVALID_ARGUMENT", "message": "No."}}, "InvalidRequestError"),
    (502, {"error": {"status": "RESOURCE_EXHAUSTED", "message": "No."}}, "RateLimitError"),
    (400, {"error": {"status": "INVALID_ARGUMENT", "code": 400, "message": "No.", "details": [{"reason": "API_KEY_INVALID"}]}}, "AuthenticationError"),
    (400, {"error": {"status": "INVALID_ARGUMENT", "code": 400, "message": "Request contains an invalid argument.", "details": [{"fieldViolations": [{"field": "tools[0].function_declarations[0].parameters", "description": "bad"}]}]}}, "SchemaRejectedError"),
    (400, google_error(400, "INVALID_ARGUMENT", "The specified schema produces a constraint that has too many states for serving."), "SchemaRejectedError"),
    (400, google_error(400, "INVALID_ARGUMENT", "A schema in GenerationConfig in the request exceeds the maximum allowed nesting depth."), "SchemaRejectedError"),
    (400, openai(400, "invalid_request_error", "/chat/completions: Invalid model name passed in model=gemini-9. Call `/v1/models` to view available models for your key."), "ModelNotFoundError"),
    (400, {"error": {"message": "{'error': '/chat/completions: Invalid model name passed in model=nope. Call `/v1/models`'}", "type": "None", "param": "None", "code": "400"}}, "ModelNotFoundError"),
    (400, openai(400, None, "google/gemini-9 is not a valid model ID"), "ModelNotFoundError"),
    (400, openai(None, None, "Model Not Exist"), "ModelNotFoundError"),
    (400, openai(400, "NotFoundError", "The model `x` does not exist."), "ModelNotFoundError"),
]  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("status", "body", "kind"), WORDS)
async def test_words_of_compatible_servers_select_the_class(status, body, kind, mode):
    """The code, type or text of an error selects its class if the HTTP status is ambiguous.

    Field cases C6, G10, H3.
    """
    if status == 200 and "stream" not in mode:
        # If the status is 200, only `is_error_body` shows that a whole reply is an error.
        assert is_error_body(body)
    error = await fail(body, status, mode)
    assert type(error) is getattr(errors, kind)


@pytest.mark.parametrize("mode", MODES)
async def test_failed_generation_of_tgi_is_retried(mode):
    """Status 424 means that the server failed, and not that the request is invalid. Field case E22."""
    body = {"error": "Request failed during generation: Server error: CUDA out of memory.", "error_type": "generation"}
    for status in (424, 500, 200):
        error = await fail(body, status, mode)
        assert type(error) is errors.ServerError
        assert error.is_retryable
        assert error.status == "generation"
        assert "preview()" not in error.remedy
        assert "memory" in error.remedy
    fake = FakeGemini([Raw(body, 424), "Hello."])
    assert fake.chat_model(max_retries=1).invoke("hi").text == "Hello."


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', ["--enable-auto-tool-choice", "--tool-call-parser"]),
        ("tools param requires --jinja flag", ["--jinja"]),
        ("At most 0 image(s) may be provided in one request. Set `--limit-mm-per-prompt` to increase it.", ["--limit-mm-per-prompt"]),
    ],
)  # fmt: skip
def test_remedy_names_the_flags_of_the_server(text, flags):
    """If the error names a flag of the server, the remedy tells the user to set the flag. Field case E22."""
    for body, status in ((message(text, type="BadRequestError", code=400), 400), ({"object": "error", "message": text, "code": 400}, 400), (message(text), 200)):  # fmt: skip
        with pytest.raises(errors.APIStatusError) as caught:
            model(reply(body, status), base_url="http://vllm.test/v1").invoke("hi")
        if status == 400:
            assert type(caught.value) is errors.InvalidRequestError
            assert all(flag in caught.value.remedy for flag in flags)
            assert "Start the server with" in caught.value.remedy


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, "Model is not yet ready for inference. Please wait while model completes scale-up from zero, then try your request again."),
        (429, google_error(429, "FAILED_PRECONDITION", "Model is not ready for inference: scaling from zero.")),
        (503, google_error(503, "UNAVAILABLE", "The deployment is scaling from zero replicas.")),
        (503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}),
        (503, {"error": "Model google/gemma is currently loading", "estimated_time": 20.0}),
    ],
)  # fmt: skip
def test_cold_start_names_its_duration_and_a_wait(status, body):
    """A model that is starting does not use quota, so the rate gate lets calls pass. Field case E22."""
    with pytest.raises(errors.GeminiCompatError) as caught:
        model(reply(body, status), surface="vertex", base_url="https://x.invalid/v1/endpoints/openapi").invoke("hi")
    assert type(caught.value) is errors.ServerError
    assert caught.value.is_retryable
    assert "minutes" in caught.value.remedy
    assert '`max_retries=150, timeout={"retry_wait": 900}`' in caught.value.remedy


EVENTS = {
    "code and details": ('{"code":500,"details":"x"}', "ServerError", "x"),
    "code and message": ('{"code":429,"message":"slow"}', "RateLimitError", "slow"),
    "code as a word": ('{"code":"invalid_api_key","message":"no"}', "AuthenticationError", "no"),
    "error object": (json.dumps(ERROR), "QuotaExhaustedError", "Quota"),
    "error list": (json.dumps([ERROR]), "QuotaExhaustedError", "Quota"),
    "plain text": ("it broke", "ServerError", "it broke"),
    "text with an error": (f"upstream: {json.dumps(ERROR)}", "QuotaExhaustedError", "Quota"),
    "JSON string": ('"it broke"', "ServerError", "it broke"),
    "empty": ("", "ServerError", "event `"),
    "empty object": ("{}", "ServerError", "event `"),
    "null": ("null", "ServerError", "event `"),
    "number": ("7", "ServerError", "7"),
    "DONE": ("[DONE]", "ServerError", "[DONE]"),
    "a chunk": (json.dumps(chunk(content="more")), "ServerError", "gave no reason"),
}
NAMES = ("error", "Error", "exception", "response.failed", "upstream_error", "server-error", "ServerException", "fatal")


class Pieces(http.SyncByteStream):
    """A response body that arrives in the given pieces."""

    def __init__(self, pieces):
        self.pieces = pieces

    def __iter__(self):
        yield from self.pieces


def cut_at(data, size):
    """Return the bytes in pieces of `size` bytes."""
    return [data[place : place + size] for place in range(0, len(data), size)]


def stream_of(event, newline="\n"):
    """Return a stream with a text, then the event, then a regular end."""
    said = chunk(content="par")
    lines = [f"data: {json.dumps(said)}", "", *event, "", "data: [DONE]", "", ""]
    return newline.join(lines).encode()


@pytest.mark.parametrize("mode", ["stream", "astream"])
@pytest.mark.parametrize("data", EVENTS)
async def test_error_event_is_raised_with_any_data(data, mode):
    """The name of the event marks the error, whatever its data is. Field case A6."""
    text, kind, words = EVENTS[data]
    for newline, name in itertools.product(("\n", "\r\n"), ("error", "exception")):
        error = await fail_of(model(reply(stream_of([f"event: {name}", f"data: {text}"], newline))), mode)
        assert type(error) is getattr(errors, kind)
        assert words in str(error)
        assert error.partial == "par"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "event",
    [["event:{}", "data:x"], ["data: x", "event: {}"], ["event: {}"], ["id: 1", "event: {}", "retry: 5", "data: x"]],
)
async def test_error_event_is_recognized_by_its_name(name, event):
    """The name may be spelled differently or come after the data, and the data may be missing. Field case A6."""
    error = await fail_of(model(reply(stream_of([line.format(name) for line in event]))), "stream")
    assert type(error) is errors.ServerError


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_error_event_may_be_cut_anywhere(size, newline):
    """The network may cut the stream at any byte. Field case A6."""
    data = stream_of(["event: error", 'data: {"code":500,"details":"x"}'], newline)
    fake = FakeGemini(lambda request: Raw(data.decode(), content_type="text/event-stream"))
    with pytest.raises(errors.ServerError):
        list(fake.chat_model(max_retries=0).stream("hi"))
    answer = http.Response(200, stream=Pieces(cut_at(data, size)))
    with pytest.raises(errors.ServerError, match=r"^x "):
        list(model(answer).stream("hi"))


@pytest.mark.parametrize(
    "name", ["message", "chunk", "completion", "ping", "response.output_text.delta", "terror_alert"]
)
def test_other_events_are_chunks(name):
    """An event whose name does not mark an error is a chunk. Field case A6."""
    event = [f"event: {name}", f"data: {json.dumps(chunk(content='tial', finish='stop'))}"]
    whole = "".join(part.text for part in model(stream_of(event)).stream("hi"))
    assert whole == "partial"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"type": "error", "message": "no", "code": "server_error"}, "ServerError"),
        ({"type": "error"}, "ServerError"),
        ({"type": "exception", "detail": "no"}, "ServerError"),
        ({"object": "error", "message": "no", "type": "NotFoundError", "code": 404}, "ModelNotFoundError"),
        ({"status": "error", "message": "no"}, "ServerError"),
        ({"type": "response.failed", "message": "no"}, "ServerError"),
        ({"code": 429, "message": "slow"}, "RateLimitError"),
        ({"error": {}}, "ServerError"),
        ({"detail": "gone", "status_code": 503}, "ServerError"),
    ],
)
@pytest.mark.parametrize("mode", MODES)
async def test_error_without_the_key_error_is_raised(body, kind, mode):
    """An object without choices is an error if it has a message and an error type or status. Field case A6."""
    assert type(await fail(body, 200, mode)) is getattr(errors, kind)


@pytest.mark.parametrize(
    "body",
    [
        {"type": "ping"},
        chunk(content="x"),
        {**chunk(content="x"), "error": None},
        {**chunk(content="x"), "type": "error"},
        {"object": "chat.completion.chunk", "choices": [], "usage": {"prompt_tokens": 1}},
        {"id": "x", "message": "hello", "code": 500, "choices": []},
        {"object": "list", "data": [{"embedding": [1.0]}]},
        {"promptFeedback": {"blockReason": "SAFETY"}},
    ],
)
def test_other_objects_are_not_errors(body):
    """The objects are keep-alives, chunks, usage, vectors and refusals."""
    assert not is_error_body(body)


def everything():
    """Yield each error class of this package."""
    for name in errors.__all__:
        kind = getattr(errors, name)
        if issubclass(kind, errors.GeminiCompatError):
            yield kind


@pytest.mark.parametrize("kind", [*everything()], ids=lambda kind: kind.__name__)
def test_error_is_rebuilt_from_its_arguments(kind):
    """Celery's JSON backend calls `cls(*args)` with arguments that JSON can represent. Field case G9."""
    error = kind("Quota exceeded. (RESOURCE_EXHAUSTED 429) Wait.")
    for again in (
        kind(*json.loads(json.dumps(error.args))),
        pickle.loads(pickle.dumps(error)),
        copy.copy(error),
        copy.deepcopy(error),
    ):
        assert type(again) is kind
        assert (str(again), again.args, again.is_retryable) == (str(error), error.args, error.is_retryable)
        if issubclass(kind, errors.APIStatusError):
            assert (again.status_code, again.status, again.message) == (429, "RESOURCE_EXHAUSTED", str(error))
            assert (again.body, again.code, again.details) == (None, None, ())


@pytest.mark.parametrize(("status", "body", "kind"), WORDS)
def test_error_of_a_server_is_rebuilt_with_its_status(status, body, kind):
    """A new error that is built from the `args` of an error has the same class, text and HTTP status. Field case G9."""
    with pytest.raises(errors.APIStatusError) as caught:
        model(reply(body, status)).invoke("hi")
    error = caught.value
    again = type(error)(*json.loads(json.dumps(error.args)))
    assert (type(again), str(again), again.status_code) == (type(error), str(error), error.status_code)
    assert again.is_retryable == error.is_retryable
    for copied in (copy.copy(error), copy.deepcopy(error)):
        assert copied.response is error.response
        assert copied.request is error.request
        assert (copied.body, copied.status_code, copied.remedy) == (error.body, error.status_code, error.remedy)
    restored = pickle.loads(pickle.dumps(error))
    assert (restored.body, restored.status, restored.remedy) == (error.body, error.status, error.remedy)


def wired(answer):
    """Return a chat model of a compatible server that sends `answer`."""
    return ChatGeminiCompat(model="m", base_url="http://server.example/v1", max_retries=0, **Wire(answer).clients)


@pytest.mark.parametrize(
    "event",
    [
        {"errors": [{"message": "boom"}]}, {"message": "boom"}, {"msg": "boom"}, {"id": "1", "errors": ["boom"]},
        {"error_code": 500, "error_msg": "boom"}, {"success": False, "message": "boom"}, {"ok": False, "msg": "boom"},
        {"fault": {"faultstring": "boom"}}, {"code": "Throttled", "message": "boom", "request_id": "1"},
        {"errorMessage": "boom", "errorType": "Unhandled"},
    ],
    ids=str,
)  # fmt: skip
def test_error_between_chunks_is_raised(event):
    """Some errors have neither `error` nor `choices`. If they were skipped, a partial answer would look complete."""
    assert is_error_body(event)
    chat = wired([chunk(content="Hel"), event, chunk(finish="stop"), "[DONE]"])
    with pytest.raises(errors.ServerError, match="boom"):
        list(chat.stream("Hi."))


@pytest.mark.parametrize(
    "event",
    [
        {}, {"type": "ping"}, {"status": "processing", "message": "Working."}, {"type": "info", "message": "Queued."},
        {"code": 0, "message": "success"}, {"code": 200, "msg": "fine"}, {"error_code": 0, "error_msg": ""},
        {"success": True, "errors": [], "message": "fine"}, {"model": "m", "message": "fine"}, {"x_groq": {"id": "1"}},
        {"usage": {"prompt_tokens": 1}, "message": "fine"}, {"object": "chat.completion.chunk", "message": "fine"},
        {"message": {"role": "assistant", "content": "fine"}}, {"created": 1}, {"provider": "p"},
    ],
    ids=str,
)  # fmt: skip
def test_event_that_is_neither_chunk_nor_error_is_skipped(event):
    """Such events are keep-alives, progress reports, and parts of a reply without choices."""
    assert not is_error_body(event)
    chat = wired([chunk(content="Hel"), event, chunk(finish="stop"), "[DONE]"])
    assert "".join(part.text for part in chat.stream("Hi.")) == "Hel"


ECHOED = {
    "token": {"error": {"code": 401, "message": "No.", "status": "UNAUTHENTICATED"}},
    "no number": {"error": {"message": "No.", "status": "UNAUTHENTICATED"}},
    "permission": {"error": {"code": 403, "message": "No.", "status": "PERMISSION_DENIED"}},
    "daily quota": ERROR,
    "quota by type": {"error": {"message": "No.", "type": "insufficient_quota"}},
    "list": [ERROR],
    "in an error that agrees": message(f"x {TEXT}", code=400),
}


@pytest.mark.parametrize("mode", ["invoke", "astream"])
@pytest.mark.parametrize("name", ECHOED)
async def test_error_in_the_callers_text_does_not_change_the_class(name, mode):
    """A server may repeat the prompt in its error text, and the prompt may contain the text of any error."""
    for echo in (json.dumps(ECHOED[name]), printed(ECHOED[name]), printed(json.dumps(ECHOED[name]).encode())):
        for text in (f"Input should be a valid string, got: 'please explain {echo}'", f"{echo} is no string"):
            for body, status in (
                (message(text), 400),
                (text, 400),
                (message(text, code=400), 200),
                ({"detail": text}, 422),
            ):
                error = await fail(body, status, mode)
                assert type(error) is errors.InvalidRequestError, (echo, status)
                assert error.status_code in (400, 422)


def test_wrapped_error_that_matches_the_status_is_unwrapped():
    """LiteLLM puts a prefix before the server's text."""
    inner = google_error(400, "INVALID_ARGUMENT", "The input token count exceeds the maximum number of tokens allowed.")
    for text in (
        f"GeminiException - {json.dumps(inner)}",
        f"VertexAIException BadRequestError - {json.dumps(inner).encode()}",
    ):
        with pytest.raises(errors.ContextOverflowError) as caught:
            model(reply(message(text), 400)).invoke("hi")
        assert caught.value.status == "INVALID_ARGUMENT"
