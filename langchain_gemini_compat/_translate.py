"""Google's errors, in whatever wrapping they come, to the exceptions of this package.

Google wraps the error object of a non-2xx answer in a list on both surfaces (seen in public captures; plain
objects occur too); gateways answer with HTML. The text of the server is kept, and what to do next is added.
"""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal, TypeVar, cast
from urllib.parse import urljoin, urlsplit

from jiter import from_json

from langchain_gemini_compat import _api_errors as errors
from langchain_gemini_compat._error_table import ServerError, classify, quota_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from httpx2 import Request, Response

    from langchain_gemini_compat._surfaces import Surface
    from langchain_gemini_compat._timeouts import TimeLimits
    from langchain_gemini_compat._watchdog import Limit
    from langchain_gemini_compat._wire import JsonValue

_Client = TypeVar("_Client")
#: The libraries under the SDK: httpx2 since openai 3, httpx before. Their errors surface while a body is read.
_HTTP_LIBRARIES = frozenset({"httpx", "httpx2", "httpcore", "httpcore2"})
_SECONDS = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)"
_NUMBER = re.compile(_SECONDS)
_DURATION = re.compile(f"{_SECONDS}s")
_RETRY_IN = re.compile(rf"retry in (?:([0-9]{{1,4}})h)?(?:([0-9]{{1,4}})m)?{_SECONDS}s", re.IGNORECASE)
_NO_REASON = "The server gave no reason."
#: Characters of a server's text that an exception repeats.
_LONGEST_TEXT = 2000
#: Headers that describe the bytes on the wire and not the body that was kept.
_OF_THE_TRANSFER = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})
#: Headers of a request that hold no secret, whatever the caller adds; an exception keeps these.
_HARMLESS = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host", "user-agent"}
)
#: Shorter keys are words of the text as well.
_SHORTEST_KEY = 8
_HIDDEN = "[hidden]"
#: Statuses that a page of a server without this API has.
_NO_SUCH_PLACE = (404, 405, 410)
_TITLE = re.compile(r"<title>(.*?)</title>", re.IGNORECASE | re.DOTALL)


@contextmanager
def translate_errors(limits: TimeLimits, deadline: float | None) -> Generator[None]:
    """Raise ours for whatever the HTTP library raises while a request is sent."""
    try:
        yield
    except Exception as err:
        if not is_http_error(err):
            raise
        forget_credential(err)
        if is_timeout(err):
            raise _translate_timeout(err, limits, deadline) from err
        raise errors.APIConnectionError(_connection_text(err)) from err


def open_client(client: Callable[[], _Client]) -> _Client:
    """The SDK's client with its defaults; proxies come from the environment, and may be none.

    The library's error stays behind: it repeats pieces of the address, and a password is one of them.
    """
    try:
        return client()
    except Exception as err:
        if not isinstance(err, (ValueError, ImportError)) and not is_http_error(err):
            raise
        reason = f" ({err})" if isinstance(err, ImportError) else ""
    error = errors.APIConnectionError(
        f"The proxy settings make no sense{reason}. Check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY: a proxy "
        "is `http://HOST:PORT`."
    )
    error.is_retryable = False
    raise error


def forget_credential(err: BaseException | None) -> None:
    """Take what may be secret off the request that `err` of the HTTP library carries: it is over, and loggers look."""
    request = cast("Request | None", getattr(err, "_request", None))
    if request is not None:
        for name in request.headers.keys() - _HARMLESS:
            del request.headers[name]
        request.url = request.url.copy_with(query=None)


def is_http_error(err: BaseException | None) -> bool:
    """Whether the HTTP library under the SDK raised `err`."""
    return type(err).__module__.partition(".")[0] in _HTTP_LIBRARIES


def is_timeout(err: BaseException | None) -> bool:
    """Whether `err` is that library's word for a time limit."""
    return is_http_error(err) and "Timeout" in type(err).__name__


def translate_response(response: Response, content: bytes, surface: Surface) -> errors.APIStatusError:
    """The exception for a `response` that is an error, by its status or its body `content`.

    It keeps the body, without the key that was sent: some servers repeat it.
    """
    content = hide_secret(response.request, content)
    kept = _keep(response, content)
    if 300 <= kept.status_code < 400:
        return _build_error(_read_redirect(kept), kept, surface)
    try:
        body = cast("JsonValue", from_json(content))
    except ValueError:
        return _build_error(_read_text(kept.status_code, content), kept, surface)
    return translate_body(body, kept, surface)


def translate_body(body: JsonValue, response: Response, surface: Surface) -> errors.APIStatusError:
    """The exception for an error `body`, of a non-2xx answer or found inside a stream."""
    return _build_error(read_error(body, default_code=response.status_code), response, surface, body)


def is_error_body(body: JsonValue) -> bool:
    """Whether a JSON value found in a stream is an error and no chunk."""
    if isinstance(body, list):
        return bool(body) and is_error_body(body[0])
    return isinstance(body, dict) and bool(body.get("error"))


def read_error(body: JsonValue, *, default_code: int) -> ServerError:
    """What `body` says: Google's object, bare or in a list, or whatever gateways send."""
    if default_code < 300:
        # It came inside a stream, after a status that was sent too early.
        default_code = 500
    if isinstance(body, list):
        body = body[0] if body else None
    error = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return ServerError(default_code, None, _cut(_read_reason(error) or str(error or _NO_REASON)), ())
    code, status = error.get("code"), error.get("status") or error.get("type")
    details = error.get("details")
    return ServerError(
        code=code if isinstance(code, int) and 300 <= code < 600 else default_code,
        status=_cut(status) if isinstance(status, str) else None,
        message=_cut(_read_reason(error) or _NO_REASON),
        details=tuple(item for item in details if isinstance(item, dict)) if isinstance(details, list) else (),
    )


def _read_reason(error: JsonValue) -> str:
    """Google's and openai's `message`; FastAPI's `detail`, Apigee's `fault`, and lists of `errors`."""
    if isinstance(error, str):
        return error
    if isinstance(error, list):
        return "; ".join(reason for item in error if (reason := _read_reason(item)))
    if not isinstance(error, dict):
        return ""
    place = error.get("loc")
    where = f"{'.'.join(map(str, place))}: " if isinstance(place, list) and place else ""
    names = ("message", "error", "msg", "detail", "errors", "fault", "faultstring")
    reason = next((reason for name in names if (reason := _read_reason(error.get(name)))), "")
    return f"{where}{reason}" if reason else ""


def hide_secret(request: Request, content: bytes) -> bytes:
    """`content` without the token that was sent with `request`."""
    secret = _secret_of(request)
    return content if secret is None else secret.sub(_HIDDEN.encode(), content)


def _secret_of(request: Request) -> re.Pattern[bytes] | None:
    """What finds the token of `request` in a text, JSON or not; JSON may write any of its characters as a number."""
    token = request.headers.get("authorization", "").rpartition(" ")[2]
    if len(token) < _SHORTEST_KEY:
        return None
    letters = (
        letter if letter.isalnum() else rf"(?:\\?{re.escape(letter)}|\\u{ord(letter):04x}|%{ord(letter):02x})"
        for letter in token
    )
    return re.compile("".join(letters).encode(), re.IGNORECASE)


def _keep(response: Response, content: bytes) -> Response:
    """`response` with its body, decompressed; nothing of the connection stays with it."""
    # As bytes, for they need not be ASCII.
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _OF_THE_TRANSFER]
    return type(response)(
        response.status_code, headers=headers, content=content, request=_without_credential(response.request)
    )


def _without_credential(request: Request) -> Request:
    """What was sent where, for the exception; loggers write headers down."""
    headers = [(name, value) for name, value in request.headers.raw if name.lower().decode("latin-1") in _HARMLESS]
    return type(request)(request.method, request.url.copy_with(query=None), headers=headers)


def _build_error(
    error: ServerError, response: Response, surface: Surface, body: object = None
) -> errors.APIStatusError:
    wait = _retry_after(error, response)
    kind, remedy = classify(error, surface, wait)
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
    built.retry_after = wait
    if isinstance(built, errors.RateLimitError):
        quota = quota_of(error)
        built.quota_id = quota["quotaId"] or None
        built.quota_metric = quota["quotaMetric"] or None
    return built


def _retry_after(error: ServerError, response: Response) -> float | None:
    """Seconds: the message has them to nine decimals, RetryInfo in whole ones, gateways in a header."""
    spoken = _RETRY_IN.search(error.message)
    if spoken:
        hours, minutes, seconds = spoken.groups(default="0")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    for detail in error.details:
        delay = detail.get("retryDelay")
        match = _DURATION.fullmatch(delay) if isinstance(delay, str) else None
        if match:
            return float(match[1])
    header = response.headers.get("retry-after", "")
    if _NUMBER.fullmatch(header):
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(timezone.utc)).total_seconds())
    except (TypeError, ValueError):
        return None


def _read_redirect(response: Response) -> ServerError:
    target = _target_of(response)
    text = f"The server redirects to {target}. Set `base_url` to that." if target else "No answer, and no other place."
    return ServerError(response.status_code, None, text, ())


def _target_of(response: Response) -> str:
    """Where a redirect leads, without what may be secret in it."""
    location = response.headers.get("location", "")
    try:
        url = urlsplit(urljoin(str(response.request.url), location)) if location else None
        return url._replace(netloc=url.netloc.rpartition("@")[2], query="", fragment="").geturl() if url else ""
    except ValueError:
        return ""


def _read_text(status_code: int, content: bytes) -> ServerError:
    """A page for people, or text; its beginning is enough."""
    text = content[:_LONGEST_TEXT].decode(errors="replace").strip()
    if "<html" in text[:500].lower() or "<!doctype" in text[:500].lower():
        title = _TITLE.search(text)
        heading = " ".join(title[1].split()) if title else "no title"
        so = ", so this is no endpoint of this API" if status_code in _NO_SUCH_PLACE else ""
        text = f"The server answered with an HTML page ({heading}){so}."
    return ServerError(status_code, None, text or _NO_REASON, ())


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"


def build_timeout(limit: Limit | Literal["connect"], limits: TimeLimits) -> errors.RequestTimeoutError:
    """The exception for a broken limit."""
    seconds = getattr(limits, limit) or 0.0
    error = errors.RequestTimeoutError(
        f"{_LATE[limit].format(seconds)} Raise `timeout={{{limit!r}: …}}`, or ask for less."
    )
    error.limit = limit
    return error


_LATE = {
    "connect": "No connection within {:g} seconds.",
    "first_byte": "No answer within {:g} seconds.",
    "between_chunks": "The stream was silent for {:g} seconds.",
    "total": "The call was not over within {:g} seconds.",
}


def _translate_timeout(err: Exception, limits: TimeLimits, deadline: float | None) -> errors.RequestTimeoutError:
    if deadline is not None and time.monotonic() >= deadline:
        return build_timeout("total", limits)
    name = type(err).__name__
    return build_timeout("connect" if "Connect" in name or "Pool" in name else "first_byte", limits)


def _connection_text(err: BaseException) -> str:
    cause = err.__cause__ or err
    return f"Could not reach the server ({cause}). Check the network, proxy settings and `base_url`."
