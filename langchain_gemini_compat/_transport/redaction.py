"""Removes the secrets of a request from texts and errors.

Secrets are the values of headers and query parameters, and the user and password of the URL. Servers may repeat a
secret in an error, often escaped or quoted. HTTP libraries quote a value that they could not send.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

from langchain_gemini_compat._transport.library_errors import causes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from httpx2 import URL, Request

    from langchain_gemini_compat._wire.json_types import JsonValue

#: Headers of a request that never contain a secret. The request of an exception keeps only these headers.
HARMLESS = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host", "user-agent"}
)
#: Headers and query parameters with public values, such as a project or a program's name. Error texts may show these.
_PUBLIC = HARMLESS | {
    "api-version", "http-referer", "origin", "referer", "x-goog-user-project", "x-title",
    "x-vertex-ai-llm-request-type", "x-vertex-ai-llm-shared-request-type",
}  # fmt: skip
#: Minimum length of a secret. Shorter values are not hidden, since they may be ordinary words.
_SHORTEST = 8
#: `_hide` first searches a text for the secret's longest run of letters and digits, which is fast. If the run has fewer
#: characters than this, `_hide` skips this search.
_SHORTEST_RUN = 4
HIDDEN = "[hidden]"
#: Maps a character to `|` and a regular expression for its escaped form: `&amp;` in HTML, `+` in form data, or `\n` in
#: a string of Python or JSON.
_NAMED = {
    "&": "|&amp;",
    "<": "|&lt;",
    ">": "|&gt;",
    '"': "|&quot;",
    " ": r"|\+",
    "\t": r"|\\{1,8}t",
    "\n": r"|\\{1,8}n",
    "\r": r"|\\{1,8}r",
}
#: Maximum depth to which JSON in a header is searched for secrets. An example of such JSON is Portkey's configuration.
_DEEPEST = 8


def bare_url(url: URL) -> URL:
    """Return `url` without user, password, query and fragment."""
    return url.copy_with(query=None, fragment=None, username=None, password=None)


def hide_secret(request: Request, content: bytes) -> bytes:
    """Return `content` without the secrets that were sent with `request`."""
    return _hide(secrets_of(request), content)


def hide_in_value(request: Request, value: JsonValue) -> JsonValue:
    """Return a copy of the JSON `value` without the secrets that were sent with `request`."""
    secrets = secrets_of(request)
    return _hide_in_value(secrets, value) if secrets else value


def forget_secrets(error: BaseException | None) -> None:
    """Remove secrets from an error of the HTTP library, its causes and its request. Loggers may print all of these.

    Call this only after the request has ended, since the request is changed.
    """
    chain = list(causes_of(error))
    requests = [request for one in chain if (request := cast("Request | None", getattr(one, "_request", None)))]
    secrets = [secret for request in requests for secret in secrets_of(request)]
    for one in chain:
        if isinstance(one, UnicodeEncodeError):
            # A `UnicodeEncodeError` contains the whole text that could not be encoded, which may be a secret.
            one.object, one.args = "", ()
        one.args = tuple(_hide_in(secrets, part) for part in one.args)
    for request in requests:
        for name in request.headers.keys() - HARMLESS:
            del request.headers[name]
        request.url = bare_url(request.url)


def _hide_in(secrets: Sequence[bytes], part: object) -> object:
    if isinstance(part, str):
        return _hide(secrets, part.encode(errors="surrogateescape")).decode(errors="surrogateescape")
    return _hide(secrets, part) if isinstance(part, bytes) else part


def _hide_in_value(secrets: Sequence[bytes], value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {hide_in_text(secrets, key): _hide_in_value(secrets, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_hide_in_value(secrets, inner) for inner in value]
    text = value if isinstance(value, str) else str(value)
    hidden = hide_in_text(secrets, text)
    return value if hidden == text else hidden


def hide_in_text(secrets: Sequence[bytes], text: str) -> str:
    """Return `text` without the `secrets`. Get them from `secrets_of`."""
    return _hide(secrets, text.encode(errors="replace")).decode(errors="replace")


def secrets_of(request: Request, is_secret: Callable[[str, bytes], bool] | None = None) -> list[bytes]:
    """Return the values of `request` that may be secrets, and parts of these values, the longest first.

    Args:
        request: The request.
        is_secret: A function that returns whether a part of a header or query parameter is a secret. Its arguments are
            the name in lower case and the part. With `None`, all values that are not public are secrets.
    """
    sent = [(name.decode("latin-1").lower(), value) for name, value in request.headers.raw]
    sent += [(name.lower(), value.encode()) for name, value in request.url.params.multi_items()]
    parts = [(name, part.strip()) for name, value in sent if name not in _PUBLIC for part in _parts_of(value)]
    found = {part for name, part in parts if is_secret is None or is_secret(name, part)}
    found.update(unquote(part).encode().strip() for part in (request.url.username, request.url.password))
    return sorted((value for value in found if len(value) >= _SHORTEST), key=len, reverse=True)


def _parts_of(value: bytes) -> Iterator[bytes]:
    """Yield the value of a header, and parts of it such as a token, a password or a cookie."""
    value = value.strip()
    if not value:
        return
    yield value
    yield from value.splitlines()
    yield from (encode(value).rstrip(b"=") for encode in (b64encode, urlsafe_b64encode))
    words = value.split()
    if len(words) == len(("scheme", "token")):
        yield words[1]
        yield from _parts_of_basic(words)
    if b"=" in value:
        yield from (pair.partition(b"=")[2].strip(b'"') for pair in re.split(rb"[;,]\s*", value))
    if value[:1] in (b"{", b"["):
        yield from _parts_of_json(value)


def _parts_of_basic(words: Sequence[bytes]) -> Iterator[bytes]:
    try:
        decoded = b64decode(words[1] + b"==") if words[0].lower() == b"basic" else b""
    except ValueError:
        return
    user, _, password = decoded.partition(b":")
    yield from (decoded, user, password)


def _parts_of_json(value: bytes) -> Iterator[bytes]:
    try:
        waiting: list[tuple[object, int]] = [(json.loads(value), 0)]
    except (ValueError, RecursionError):
        return
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, str) and re.search(r"\d", item):
            yield item.encode(errors="replace")
        elif isinstance(item, (dict, list)) and depth < _DEEPEST:
            inner = list(cast("dict[str, object]", item).values()) if isinstance(item, dict) else item
            waiting += [(part, depth + 1) for part in cast("Sequence[object]", inner)]


def _hide(secrets: Sequence[bytes], content: bytes) -> bytes:
    lowered = content.lower() if secrets else b""
    for secret in secrets:
        # Most texts contain no secret. A fast search for the secret's longest run of letters and digits shows this
        # without the regular expression.
        run = max(re.findall(rb"[a-z0-9]+", secret.lower()), key=len, default=b"")
        if len(run) < _SHORTEST_RUN or run in lowered:
            content = _pattern_of(secret).sub(HIDDEN.encode(), content)
    return content


def _pattern_of(secret: bytes) -> re.Pattern[bytes]:
    """Return a pattern that matches `secret` in plain text, and as escaped or quoted in JSON, URLs and HTML."""
    return re.compile(b"".join(map(_spellings_of, secret.decode("latin-1"))), re.IGNORECASE)


def _spellings_of(letter: str) -> bytes:
    if letter.isascii() and letter.isalnum():
        return letter.encode()
    number = ord(letter)
    raw = re.escape(letter.encode("latin-1"))
    rest = rf"\\{{1,8}}u{number:04x}|\\{{1,8}}x{number:02x}|%(?:25)*{number:02x}|&#0*{number};|&#x0*{number:x};"
    named = _NAMED.get(letter, "")
    return rb"(?:\\{0,8}" + raw + b"|" + (rest + named).encode() + b")"
