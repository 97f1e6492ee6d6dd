"""Removes secrets and personal data from an exchange before it is written.

This module removes:

- Values of the request's headers and query parameters, and the user and password of its URL. Such a value is removed
  from all texts if it looks like a key, or if its header or parameter is named like a secret. Other values, such as the
  name of a program, may be ordinary words of a conversation.
- Values of body keys that are named like a secret.
- Texts in the form of well-known keys.
- The names of projects and accounts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias, cast
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from langchain_gemini_compat._settings.aliases import hide_secrets, is_secret_name
from langchain_gemini_compat._transport.redaction import HIDDEN, bare_url, hide_in_text, secrets_of

if TYPE_CHECKING:
    import httpx2

    from langchain_gemini_compat.testing._model.json_values import JsonValue

PROJECT = "PROJECT_ID"
_NUMBER = "PROJECT_NUMBER"
#: Project IDs have at least 6 characters. Shorter names may be ordinary words.
_SHORTEST_PROJECT = 6
#: Minimum length of a secret that is removed. A shorter one may be an ordinary word.
_SHORTEST_SECRET = 8
#: Pairs of a pattern and its replacement, for secrets and personal data with a recognizable form. Each pattern begins
#: at the start of a word or has a limited length. Otherwise, the search in a long text would take minutes.
_FORMS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), HIDDEN),
    (re.compile(r"(?<![\w-])AIza[\w-]{20,}"), HIDDEN),
    (re.compile(r"(?<![\w-])ya29\.[\w.-]{8,}"), HIDDEN),
    (re.compile(r"(?<![\w-])sk-[\w-]{16,}"), HIDDEN),
    (re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"), HIDDEN),
    (re.compile(r"\bBearer [\w.~+/-]{8,}=*"), HIDDEN),
    (re.compile(r"(?<![\w-])org-\w{16,}"), HIDDEN),
    (re.compile(r"(?<![\w.+-])[\w.+-]{1,99}@[\w.-]{1,99}\.gserviceaccount\.com"), "SERVICE_ACCOUNT"),
    (re.compile(r"(?<=projects/)[^/\s\"'\\?&,;:)]+"), PROJECT),
    (re.compile(r"(project(?:s|[ _-]?(?:number|id))?[\"']?[ :=]+[\"']?)\d{6,}", re.IGNORECASE), rf"\g<1>{_NUMBER}"),
    (
        re.compile(r"(?<![\w.-])\d{1,30}(\.[\w-]{1,30}-)\d{1,30}(?=\.prediction\.vertexai\.goog)"),
        rf"ENDPOINT\g<1>{_NUMBER}",
    ),
)
#: Segments of a path that identify an account: long numbers in hexadecimal, and UUIDs.
_ACCOUNT_SEGMENT = re.compile(r"(?<=/)(?:[0-9a-f]{16,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?=/|$)")
#: Matches JSON keys with values that identify a person or an account.
_PERSONAL = re.compile(
    r"(?:user|account|org|organi[sz]ation|tenant|customer)(?:_?id)?|safety_identifier", re.IGNORECASE
)
#: Names of headers and query parameters that contain a secret, in addition to the names that `is_secret_name` finds.
_SECRET_HEADER = re.compile(r"session|signature|jwt|(?:^|-)(?:auth|sig|code)(?:-|$)")
#: A text counts as a key if it has at least 16 characters, and at least 10 letters and digits in a row. In names of
#: models and versions, fewer letters and digits come in a row.
_SHORTEST_KEY, _SHORTEST_RUN = 16, 10
_ADDRESS = re.compile(rb"[^\s@]+@[^\s@]+\.[^\s@]+")
#: Keys whose values are words of the protocol, such as a role.
PROTOCOL_KEYS = frozenset({"role", "type", "object", "finish_reason"})
#: Words of the protocol that are long enough to be taken for secrets. They are never removed.
_PROTOCOL_WORDS = frozenset({
    "annotations", "arguments", "assistant", "chat.completion", "chat.completion.chunk", "completion_tokens",
    "content_filter", "delta", "developer", "extra_content", "finish_reason", "function", "function_call", "image_url",
    "input_audio", "json_object", "json_schema", "messages", "parameters", "prompt_tokens", "properties", "reasoning",
    "reasoning_content", "reasoning_details", "reasoning_effort", "response_format", "system_fingerprint",
    "thought_signature", "tool_call_id", "tool_calls", "tool_choice", "total_tokens",
})  # fmt: skip
_PROJECT_IN_PATH = re.compile(r"/projects/([^/]+)")
Change: TypeAlias = Callable[[str], str]


class Scrubber:
    """Removes the secrets of one request from texts and JSON.

    Build the scrubber before the request is sent. If the request fails, the package removes secret headers from the
    request, and a scrubber that is built later would not find these secrets.

    Args:
        request: The request.
    """

    def __init__(self, request: httpx2.Request) -> None:
        self._secrets = [*secrets_of(request, _is_secret), *_body_secrets(request.content)]
        named = [*_PROJECT_IN_PATH.findall(request.url.path), request.headers.get("x-goog-user-project", "")]
        names = [re.escape(name) for name in {*named} if len(name) >= _SHORTEST_PROJECT and name != PROJECT]
        self._projects = re.compile(rf"(?<![\w-])(?:{'|'.join(names)})(?![\w-])") if names else None

    def clean_text(self, text: str) -> str:
        """Return `text` without secrets and personal data."""
        text = hide_in_text(self._secrets, text)
        if self._projects is not None:
            text = self._projects.sub(PROJECT, text)
        for form, replacement in _FORMS:
            text = form.sub(replacement, text)
        return text

    def clean_value(self, value: JsonValue) -> JsonValue:
        """Return a copy of a JSON `value` without secrets and personal data."""
        return change_texts(_hide_personal(value), self.clean_text)

    def clean_body(self, value: JsonValue) -> JsonValue:
        """Return a copy of the JSON of a request. A value whose key is named like a secret is removed."""
        return self.clean_value(cast("JsonValue", hide_secrets(value)))

    def clean_url(self, url: httpx2.URL) -> str:
        """Return `url` without user, password, query, project and account."""
        return _ACCOUNT_SEGMENT.sub(HIDDEN, self.clean_text(str(bare_url(url))))

    def clean_location(self, location: str) -> str:
        """Return scheme, host and path of the URL of a redirect.

        Later calls of the scrubber also remove the values of the URL's query from texts.
        """
        try:
            parts = urlsplit(location)
        except ValueError:
            return HIDDEN
        values = [value for text in (parts.query, parts.fragment) for _, value in parse_qsl(text)]
        values += filter(None, (parts.username, parts.password))
        found = {value.encode(errors="replace") for value in values if len(value) >= _SHORTEST_SECRET}
        self._secrets = sorted({*self._secrets, *found}, key=len, reverse=True)
        bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
        return _ACCOUNT_SEGMENT.sub(HIDDEN, self.clean_text(bare))


def change_texts(value: JsonValue, change: Change) -> JsonValue:
    """Return a copy of a JSON `value`, with `change` applied to each text, each key and the digits of each number.

    Words of the protocol, such as the key `tool_calls` and the role `assistant`, are not changed.
    """
    if isinstance(value, dict):
        return {
            key if key in _PROTOCOL_WORDS else change(key): inner
            if key in PROTOCOL_KEYS and isinstance(inner, str) and inner in _PROTOCOL_WORDS
            else change_texts(inner, change)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [change_texts(inner, change) for inner in value]
    if value is None or isinstance(value, bool):
        return value
    text = value if isinstance(value, str) else str(value)
    changed = change(text)
    return value if changed == text else changed


def _is_secret(name: str, part: bytes) -> bool:
    """Return whether `part` is probably a secret.

    `part` was sent in the value of the header or query parameter `name`.
    """
    is_named = is_secret_name(name.replace("-", "_")) or _SECRET_HEADER.search(name) is not None
    return is_named or _looks_like_key(part) or _ADDRESS.fullmatch(part) is not None


def _looks_like_key(part: bytes) -> bool:
    if len(part) < _SHORTEST_KEY or re.search(rb"\s", part) or not re.search(rb"[A-Za-z]", part):
        return False
    runs = cast("list[bytes]", re.findall(rb"[A-Za-z0-9]+", part))
    return any(len(run) >= _SHORTEST_RUN and re.search(rb"[0-9]", run) for run in runs)


def _hide_personal(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {
            key: HIDDEN if inner and isinstance(inner, str) and _PERSONAL.fullmatch(key) else _hide_personal(inner)
            for key, inner in value.items()
        }
    return [_hide_personal(inner) for inner in value] if isinstance(value, list) else value


def _body_secrets(content: bytes) -> list[bytes]:
    """Return the values of JSON keys that are named like a secret, from a request body. The longest value is first."""
    try:
        body = json.loads(content)
    except ValueError:
        return []
    found = {text.encode(errors="replace") for text in _hidden_texts(body, hide_secrets(body))}
    return sorted((secret for secret in found if len(secret) >= _SHORTEST_SECRET), key=len, reverse=True)


def _hidden_texts(value: object, shown: object) -> Iterator[str]:
    """Yield each text in `value` that `hide_secrets(value)` replaces. `shown` is the result of `hide_secrets`."""
    if value is shown:
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in cast("dict[str, object]", value).items():
            yield from _hidden_texts(inner, cast("dict[str, object]", shown)[key] if isinstance(shown, dict) else None)
    elif isinstance(value, list):
        items = cast("list[object]", value)
        others = cast("list[object]", shown) if isinstance(shown, list) else [None] * len(items)
        for item, other in zip(items, others, strict=True):
            yield from _hidden_texts(item, other)
