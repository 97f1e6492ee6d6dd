"""Translates error answers of a server to the exceptions of this package.

Each message quotes the server's text without secrets, and then says what to do. This module imports openai.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from langchain_gemini_compat._catalog.surfaces import is_google_host
from langchain_gemini_compat._errors import api as errors
from langchain_gemini_compat._transport.error_bodies import LONGEST_TEXT, NO_REASON, cut, read_error
from langchain_gemini_compat._transport.error_rules import ParsedError, classify, quota_of
from langchain_gemini_compat._transport.redaction import HARMLESS, bare_url, hide_in_value, hide_secret
from langchain_gemini_compat._wire.surrogates import parse_error

if TYPE_CHECKING:
    from httpx2 import Request, Response

    from langchain_gemini_compat._catalog.surfaces import Surface
    from langchain_gemini_compat._wire.json_types import JsonValue

_SECONDS = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)"
_NUMBER = re.compile(_SECONDS)
_DURATION = re.compile(f"{_SECONDS}s")
_RETRY_IN = re.compile(
    r"(?:retry|try again) (?:in|after) (?:([0-9]{1,4})h)?(?:([0-9]{1,4})m(?!s))?"
    rf"(?:{_SECONDS} ?(s\b|sec|ms\b|milli))?",
    re.IGNORECASE,
)
#: Finds the wait of `RetryInfo` in a text that is not valid JSON.
_DELAY_IN_TEXT = re.compile(rf"retryDelay[\"'\\]{{1,8}}: ?[\"'\\]{{1,8}}{_SECONDS}s")
#: Headers that describe the body as the server sent it. For the decompressed body, these headers would be wrong.
_OF_THE_TRANSFER = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})
#: Headers of a response that may contain a secret of the server.
_OF_THE_SERVER = frozenset({b"set-cookie", b"set-cookie2"})
#: If an HTML page has one of these statuses, the server has no endpoint of this API at the URL.
_NOT_AN_ENDPOINT = (404, 405, 410)
_TITLE = re.compile(r"<title>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def translate_response(response: Response, content: bytes, surface: Surface) -> errors.APIStatusError:
    """Return the exception for a `response` with an error status and the body `content`.

    Some servers repeat secrets of the request. These secrets are removed from the body in the exception.
    """
    content = hide_secret(response.request, content)
    kept = _keep(response, content)
    if 300 <= kept.status_code < 400:
        return _build_error(_read_redirect(kept), kept, surface)
    try:
        body = parse_error(content)
    except ValueError:
        return _translate_text(kept, content, surface)
    return translate_body(body, kept, surface)


def translate_value(value: JsonValue, response: Response, surface: Surface) -> errors.APIStatusError:
    """Return the exception for an error that the server sent with a 2xx status. `value` is the JSON of the error."""
    value = hide_in_value(response.request, value)
    return translate_body(value, _keep(response, json.dumps(value).encode()), surface)


def translate_body(body: JsonValue, response: Response, surface: Surface) -> errors.APIStatusError:
    """Return the exception for an error `body` from which secrets have been removed."""
    error, inner = read_error(body, default_code=response.status_code)
    return _build_error(error, response, surface, inner)


def _translate_text(response: Response, content: bytes, surface: Surface) -> errors.APIStatusError:
    """Return the exception for a body that is not JSON: an HTML page, or a text that may contain an error object."""
    text = content.decode(errors="replace").strip()
    beginning = text[:500].lower()
    if "<html" in beginning or "<!doctype" in beginning:
        title = _TITLE.search(text[:LONGEST_TEXT])
        heading = " ".join(title[1].split()) if title else "no title"
        cause = ", so this URL is not an endpoint of this API" if response.status_code in _NOT_AN_ENDPOINT else ""
        message = f"The server answered with an HTML page ({heading}){cause}."
        return _build_error(ParsedError(response.status_code, None, message, ()), response, surface)
    if not text:
        return _build_error(ParsedError(response.status_code, None, NO_REASON, ()), response, surface)
    error, inner = read_error(text, default_code=response.status_code)
    return _build_error(error, response, surface, cut(inner) if isinstance(inner, str) else inner)


def _keep(response: Response, content: bytes) -> Response:
    """Return a copy of `response` with the decompressed body, but without secrets and without the connection."""
    left_out = _OF_THE_TRANSFER | _OF_THE_SERVER
    # Headers are copied as bytes, since they may not be ASCII.
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in left_out]
    request = response.request
    target = hide_secret(request, _target_of(response).encode())
    headers = [
        (name, target if name.lower() == b"location" else hide_secret(request, value)) for name, value in headers
    ]
    return type(response)(
        response.status_code, headers=headers, content=content, request=_without_credential(response.request)
    )


def _without_credential(request: Request) -> Request:
    """Return a copy of `request` without its body and secrets. Loggers may print the headers of `error.request`."""
    headers = [(name, value) for name, value in request.headers.raw if name.lower().decode("latin-1") in HARMLESS]
    return type(request)(request.method, bare_url(request.url), headers=headers)


def _build_error(
    error: ParsedError, response: Response, surface: Surface, body: object = None
) -> errors.APIStatusError:
    wait = _retry_after(error, response)
    kind, remedy = classify(error, surface, wait)
    host = _host_of(response)
    if kind is errors.MissingSignatureError and not is_google_host(f"https://{host}"):
        # The server is a gateway, which has probably dropped the signature. Most gateways drop signatures, but most
        # callers send them back unchanged.
        remedy = (
            f"`{host}` does not pass thought signatures on, or a message lost its signature. Use a route or setting "
            "with which the gateway keeps signatures, or use Google's own endpoint."
        )
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


def _host_of(response: Response) -> str:
    """Return host and port of the server, without user and password."""
    url = response.request.url
    return f"{url.host}:{url.port}" if url.port else url.host


def _retry_after(error: ParsedError, response: Response) -> float | None:
    """Return the wait that the server asked for, in seconds, or `None`.

    The server's message is read first, because its wait has fractions of a second. If the message contains no wait,
    Google's `RetryInfo` (whole seconds) is read, and then the headers that gateways send.
    """
    in_text = _RETRY_IN.search(error.message)
    if in_text and any(in_text.groups()):
        hours, minutes, seconds = in_text.groups(default="0")[:3]
        unit = 0.001 if str(in_text[4]).startswith("m") else 1.0
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds) * unit
    delays = [detail.get("retryDelay") for detail in error.details]
    match = next((found for delay in delays if isinstance(delay, str) and (found := _DURATION.fullmatch(delay))), None)
    match = match or _DELAY_IN_TEXT.search(error.message)
    if match:
        return float(match[1])
    return _read_retry_headers(response)


def _read_retry_headers(response: Response) -> float | None:
    """Return the wait in `retry-after-ms` or `Retry-After` in seconds; `None` if both are missing or invalid."""
    millis = response.headers.get("retry-after-ms", "")
    if _NUMBER.fullmatch(millis):
        return float(millis) / 1000
    header = response.headers.get("retry-after", "").strip()
    if _NUMBER.fullmatch(header):
        return float(header)
    try:
        then = parsedate_to_datetime(header)
        # A date with `-0000` is in UTC, but Python parses it as a naive time.
        then = then if then.tzinfo else then.replace(tzinfo=timezone.utc)
        return max(0.0, (then - datetime.now(timezone.utc)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None


def _read_redirect(response: Response) -> ParsedError:
    """Return the error for a redirect, which is not followed because credentials go only to `base_url`."""
    target = _target_of(response)
    text = f"The server redirects to {target}. Set `base_url` to that URL."
    text = text if target else "The server redirects without a target."
    return ParsedError(response.status_code, None, text, ())


def _target_of(response: Response) -> str:
    """Return the target of a redirect without user, password, query and fragment, or an empty string."""
    location = response.headers.get("location", "")
    try:
        url = urlsplit(urljoin(str(response.request.url), location)) if location else None
        return url._replace(netloc=url.netloc.rpartition("@")[2], query="", fragment="").geturl() if url else ""
    except ValueError:
        return ""
