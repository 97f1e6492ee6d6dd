"""Google's errors, in whatever wrapping they come, to the exceptions of this package.

Google wraps the error object of a non-2xx answer in a list on both surfaces (seen in public captures; plain
objects occur too); gateways answer with HTML. The text of the server is kept, and what to do next is added.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import openai

from langchain_gemini_compat import _api_errors as errors
from langchain_gemini_compat._base_errors import GeminiCompatError

if TYPE_CHECKING:
    from collections.abc import Generator

    from httpx2 import Request, Response

    from langchain_gemini_compat._wire import JsonObject, JsonValue

#: The libraries under the SDK: httpx2 since openai 3, httpx before. Their errors surface while a body is read.
_HTTP_LIBRARIES = frozenset({"httpx", "httpx2", "httpcore", "httpcore2"})
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)s$")
_RETRY_IN = re.compile(r"retry in (?:(\d+)h)?(?:(\d+)m)?(\d+(?:\.\d+)?)s", re.IGNORECASE)
_TITLE = re.compile(r"<title>(.*?)</title>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class ServerError:
    """What an error body says; `code` is its own number, else the HTTP status."""

    code: int
    status: str | None
    message: str
    details: tuple[JsonObject, ...]


@contextmanager
def translate_errors() -> Generator[None]:
    """Raise ours for whatever the SDK or the HTTP library under it raises inside the block."""
    try:
        yield
    except GeminiCompatError:
        # Ours are openai's as well, and are translated already.
        raise
    except openai.APIStatusError as err:
        raise translate_response(err.response) from None
    except openai.APITimeoutError as err:
        raise _timeout(err.request) from err
    except openai.APIConnectionError as err:
        raise errors.APIConnectionError(_connection_text(err), request=err.request) from err
    except Exception as err:
        if type(err).__module__.partition(".")[0] not in _HTTP_LIBRARIES:
            raise
        request = cast("Request | None", getattr(err, "_request", None))
        if "Timeout" in type(err).__name__:
            raise _timeout(request) from err
        if "Remote" in type(err).__name__ or "Read" in type(err).__name__:
            text = f"The connection broke while the reply was being read ({err}). Ask again."
            raise errors.TruncatedStreamError(text, request=request) from err
        raise errors.APIConnectionError(_connection_text(err), request=request) from err


def translate_response(response: Response) -> GeminiCompatError:
    """The exception for a non-2xx `response` whose body has been read."""
    if 300 <= response.status_code < 400:
        return _build_error(_read_redirect(response), response)
    try:
        body = cast("JsonValue", response.json())
    except ValueError:
        return _build_error(_read_text(response), response)
    return translate_body(body, response)


def translate_body(body: JsonValue, response: Response) -> GeminiCompatError:
    """The exception for an error `body`, of a non-2xx answer or found inside a stream."""
    return _build_error(read_error(body, default_code=response.status_code), response, body)


def is_error_body(body: JsonValue) -> bool:
    """Whether a JSON value found in a stream is an error and no chunk."""
    if isinstance(body, list):
        return bool(body) and is_error_body(body[0])
    return isinstance(body, dict) and bool(body.get("error")) and not body.get("choices")


def read_error(body: JsonValue, *, default_code: int) -> ServerError:
    """What `body` says, in each of the shapes seen: `[{"error": …}]`, `{"error": …}`, `{"message": …}`, text."""
    if isinstance(body, list):
        body = body[0] if body else None
    error = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return ServerError(default_code, None, str(error or "The server gave no reason."), ())
    code, status, message = error.get("code"), error.get("status") or error.get("type"), error.get("message")
    details = error.get("details")
    return ServerError(
        code=code if isinstance(code, int) and code >= 300 else max(default_code, 500 if default_code < 300 else 0),
        status=status if isinstance(status, str) else None,
        message=message if isinstance(message, str) and message else "The server gave no reason.",
        details=tuple(item for item in details if isinstance(item, dict)) if isinstance(details, list) else (),
    )


def _build_error(error: ServerError, response: Response, body: object = None) -> GeminiCompatError:
    kind, remedy = _classify(error)
    word = f"{error.status} {error.code}" if error.status else str(error.code)
    built = kind(
        f"{error.message} ({word}) {remedy}".rstrip(),
        response=response,
        body=body,
        status_code=error.code,
        status=error.status,
        details=error.details,
        remedy=remedy,
    )
    if isinstance(built, errors.RateLimitError):
        _fill_quota(built, error, response)
    return built


def _classify(error: ServerError) -> tuple[type[errors.APIStatusError], str]:
    """The class for an error and what to do next; the only place that looks at message texts."""
    text = error.message.lower()
    for kind, codes, pattern, remedy in _TEXTS:
        if error.code in codes and re.search(pattern, text):
            return kind, remedy
    if error.code == 429 and any("PerDay" in _quota(error)[key] for key in ("quotaId", "quotaMetric")):
        return errors.QuotaExhaustedError, "This daily quota is spent: wait for its reset or ask for a higher one."
    return _CODES.get(error.code, _by_class(error.code))


def _by_class(code: int) -> tuple[type[errors.APIStatusError], str]:
    if 300 <= code < 400:
        return errors.InvalidRequestError, "Redirects are not followed, so that credentials stay where they belong."
    if 400 <= code < 500:
        return errors.InvalidRequestError, ""
    return errors.ServerError, "Ask again in a while."


_BAD = (400, 422)
_OVERFLOW = (
    r"exceeds the maximum number of tokens|input token count|maximum context length|context size|context window"
    r"|exceeds the available context|prompt is too long"
)
_SCHEMA = (
    r"function_declarations|functiondeclaration|response_schema|response_json_schema|invalid json schema"
    r"|should be non-empty for object type|schema is too complex"
)
_NOT_FOUND = (
    "Check `model`, `location` (newer models are only in `global`, `us` and `eu`) and `base_url`; "
    "`endpoint_info()` tells what is used."
)
_TEXTS: tuple[tuple[type[errors.APIStatusError], tuple[int, ...], str, str], ...] = (
    (
        errors.AuthenticationError,
        (400, 403),
        r"api key not valid|valid api key|api key expired|reported as leaked",
        "Make a new key at https://aistudio.google.com/apikey and pass it as `api_key`.",
    ),
    (
        errors.AuthenticationError,
        (401,),
        r"api keys are not supported",
        "Vertex takes OAuth tokens: leave `api_key` out and run `gcloud auth application-default login`.",
    ),
    (
        errors.MissingSignatureError,
        _BAD,
        r"missing a `?thought_signature",
        "Keep the AIMessage as it came: its `additional_kwargs` hold the signatures.",
    ),
    (
        errors.InvalidSignatureError,
        _BAD,
        r"(invalid|corrupted) thought signature|thought signature is not valid|base64 decoding failed",
        "A signature is only good on the surface that gave it and as it was given.",
    ),
    (
        errors.ContextOverflowError,
        (400, 413, 422, 500),
        _OVERFLOW,
        "Shorten the input: trim or summarise the history.",
    ),
    (
        errors.SchemaRejectedError,
        _BAD,
        _SCHEMA,
        "Simplify the schema that the text names.",
    ),
    (
        errors.InvalidRequestError,
        _BAD,
        r"only available via global endpoint",
        'Set `location="global"`.',
    ),
    (
        errors.InvalidRequestError,
        _BAD,
        r"user location is not supported",
        "AI Studio does not serve this country; Vertex AI may.",
    ),
    (
        errors.InvalidRequestError,
        _BAD,
        r"unknown name",
        "Take the field that the text names out of `model_kwargs` or `extra_body`.",
    ),
    (
        errors.QuotaExhaustedError,
        (429,),
        r"spending cap|credits are depleted|prepa(id|yment)|exceeded its monthly",
        "Raise the cap or add credits at https://ai.studio/spend.",
    ),
    (
        errors.PermissionDeniedError,
        (403,),
        r"requires billing",
        "Enable billing for the project: https://console.cloud.google.com/billing.",
    ),
)
_CODES: dict[int, tuple[type[errors.APIStatusError], str]] = {
    401: (errors.AuthenticationError, "Run `gcloud auth application-default login`, or pass a valid `api_key`."),
    403: (errors.PermissionDeniedError, "On Vertex the caller needs the role `roles/aiplatform.user`."),
    404: (errors.ModelNotFoundError, _NOT_FOUND),
    429: (errors.RateLimitError, "Wait for `retry_after` seconds, or ask for a higher quota."),
    499: (errors.ServerError, "The server cancelled the stream. Ask again."),
    503: (errors.ServerError, "The model is overloaded. Ask again in a while, or use another model."),
}


def _fill_quota(error: errors.RateLimitError, parsed: ServerError, response: Response) -> None:
    quota = _quota(parsed)
    error.quota_id = quota["quotaId"] or None
    error.quota_metric = quota["quotaMetric"] or None
    error.retry_after = _retry_after(parsed, response)


def _quota(error: ServerError) -> dict[str, str]:
    found = {"quotaId": "", "quotaMetric": ""}
    for detail in error.details:
        violations = detail.get("violations")
        for violation in violations if isinstance(violations, list) else ():
            if isinstance(violation, dict):
                # Of several violations the daily one decides.
                for key, known in found.items():
                    value = violation.get(key)
                    if isinstance(value, str) and (not known or "PerDay" in value):
                        found[key] = value
    return found


def _retry_after(error: ServerError, response: Response) -> float | None:
    """Seconds: the message has them to nine decimals, RetryInfo in whole ones, gateways in a header."""
    spoken = _RETRY_IN.search(error.message)
    if spoken:
        hours, minutes, seconds = spoken.groups(default="0")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    for detail in error.details:
        delay = detail.get("retryDelay")
        match = _DURATION.match(delay) if isinstance(delay, str) else None
        if match:
            return float(match[1])
    header = response.headers.get("retry-after", "")
    return float(header) if header.replace(".", "", 1).isdigit() else None


def _read_redirect(response: Response) -> ServerError:
    target = response.headers.get("location", "nowhere").partition("?")[0]
    return ServerError(response.status_code, None, f"The server redirects to {target}. Set `base_url` to that.", ())


def _read_text(response: Response) -> ServerError:
    text = response.text.strip()
    if "<html" in text[:500].lower() or "<!doctype" in text[:500].lower():
        title = _TITLE.search(text)
        heading = " ".join(title[1].split()) if title else "no title"
        text = f"The server answered with an HTML page ({heading}), so this is no chat completions endpoint."
    return ServerError(response.status_code, None, text[:2000] or "The server gave no reason.", ())


def _timeout(request: Request | None) -> errors.RequestTimeoutError:
    text = "The server did not answer within the time limit. Raise `timeout`, or ask for less."
    return errors.RequestTimeoutError(text, request=request)


def _connection_text(err: BaseException) -> str:
    cause = err.__cause__ or err
    return f"Could not reach the server ({cause}). Check the network, proxy settings and `base_url`."
