"""Decides whether a JSON value in a reply is an error and not a chunk. Each chunk is checked.

Gateways send errors with status 200, and in the middle of a stream. `error_bodies` reads such an error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._wire.json_types import is_error_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: Keys whose value is the type of an event.
_KINDS = ("type", "object", "event", "status")
#: Keys that occur only in error objects.
_FAULTS = (
    "errors", "fault", "faultstring", "exception", "error_code", "error_msg", "error_message", "error_description",
    "errorCode", "errorMsg", "errorMessage", "err", "err_code", "err_msg", "errcode", "errmsg",
)  # fmt: skip
#: Values that mean that there is no error. Some servers send them under a key such as `error_code`, or as a message.
_GOOD_WORDS = frozenset(("", "0", "200", "ok", "success", "successful", "succeeded", "none", "null"))
#: Keys of a chunk. A JSON object with one of these keys is not an error just because it has a message.
_PARTS = frozenset(
    (
        "choices", "object", "model", "created", "created_at", "system_fingerprint", "service_tier", "provider",
        "usageMetadata", "delta", "content", "role", "done",
    )
)  # fmt: skip
#: Matches the types of progress reports, which some servers send before or between chunks.
_PROGRESS = re.compile(
    r"0|1\d\d|2\d\d|ok|success|info|debug|notice|status|progress|processing|in_progress|pending|queued?|running|started"
    r"|loading|ping|pong|keep-?_?alive|heartbeat|message|metadata|complete[d]?|done",
    re.IGNORECASE,
)
#: The lowest and the highest status that means an error.
FIRST_ERROR, _LAST_ERROR = 300, 599


def is_error_body(body: JsonValue) -> bool:
    """Return whether a JSON value in a reply is an error and not a chunk."""
    if isinstance(body, dict):
        if body.get("error"):
            return True
        choices = body.get("choices")
        if choices:
            # This code runs for every chunk, so it avoids `match` patterns with keys, such as `{"error": _}`. They
            # would add 6,000 instructions to the 170,000 of a text chunk (measured in November 2026).
            match choices:
                case [dict() as choice] if "error" not in choice and "message" not in choice:
                    delta = choice.get("delta")
                    return isinstance(delta, dict) and "error" in delta and bool(delta["error"])
                case [*_]:
                    return _any_has_error(choices)
                case _:
                    return False
        return _says_error(body)
    return isinstance(body, list) and bool(body) and is_error_body(body[0])


def is_bare_detail(body: JsonValue) -> bool:
    """Return whether `body` is exactly `{"detail": "…"}`. FastAPI sends this for errors of any kind."""
    return isinstance(body, dict) and len(body) == 1 and isinstance(body.get("detail"), str)


def _any_has_error(choices: list[JsonValue]) -> bool:
    """Return whether a choice contains an error. OpenRouter sends such errors with status 200."""
    return any(isinstance(choice, dict) and _has_error(choice) for choice in choices)


def _has_error(choice: JsonObject) -> bool:
    return any(part.get("error") for part in parts_of(choice))


def parts_of(choice: JsonObject) -> Iterator[JsonObject]:
    """Yield the objects that may contain an error: the choice, its `delta` and its `message`."""
    yield choice
    for key in ("delta", "message"):
        part = choice.get(key)
        if isinstance(part, dict):
            yield part


def _says_error(body: JsonObject) -> bool:
    """Return whether `body` is an error. Call this if the `choices` and the `error` of `body` are missing or empty."""
    if isinstance(body.get("error"), dict) or any(is_error_name(body.get(key)) for key in _KINDS):
        return True
    if any(_reports_error(body.get(key)) for key in _FAULTS) or any(
        body.get(key) is False for key in ("success", "ok")
    ):
        return True
    if any(body.get(key) for key in ("usage", "data", "id", "promptFeedback")):
        return False
    if len(body) == 1:
        # FastAPI sends the single key `detail`. A gateway may turn a list into an object with a number as its key, such
        # as "0".
        ((key, inner),) = body.items()
        return (key == "detail" and bool(inner)) or (key.isdigit() and is_error_body(inner)) or _is_bare_message(body)
    has_reason = any(body.get(key) for key in ("message", "detail", "details", "msg"))
    if has_reason and any(code_of(body.get(key)) for key in ("code", "status", "status_code", "statusCode")):
        return True
    return _is_bare_message(body)


def _reports_error(value: JsonValue) -> bool:
    """Return whether `value` describes an error. Some servers send `0` or `ok` on success."""
    return value.strip().lower() not in _GOOD_WORDS if isinstance(value, str) else bool(value)


def _is_bare_message(body: JsonObject) -> bool:
    """Return whether `body` has a message, and is neither a chunk nor a progress report."""
    if not any(isinstance(text := body.get(key), str) and _reports_error(text) for key in ("message", "msg", "detail")):
        return False
    if body.get("success") is True or body.get("ok") is True or not _PARTS.isdisjoint(body):
        return False
    words = (body.get(key) for key in ("type", "event", "status", "level", "code"))
    return not any(
        (isinstance(word, str) and _PROGRESS.fullmatch(word.strip()))
        or (isinstance(word, int) and word in (0, *range(100, FIRST_ERROR)))
        for word in words
    )


def code_of(value: JsonValue) -> int | None:
    """Return the HTTP status in `value`, which may be a number or a text of digits."""
    if isinstance(value, str) and re.fullmatch("[3-5][0-9]{2}", value):
        return int(value)
    is_status = isinstance(value, int) and not isinstance(value, bool) and FIRST_ERROR <= value <= _LAST_ERROR
    return cast("int", value) if is_status else None
