"""A payload to the bytes of a request's body.

Its one rule: the bytes are what the standard library's serialiser would write. Pydantic's takes a quarter of its time,
which counts where a body holds megabytes; but it writes what is no JSON too, so it gets what is plainly JSON.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import TYPE_CHECKING

from pydantic_core import to_json

from langchain_gemini_compat.errors import UnsupportedParameterError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: Characters of a content from which on the quick way is worth a look at the whole.
_LONG = 10_000
#: Values that are JSON whatever they hold.
_LEAVES = frozenset((str, int, bool, type(None)))


def encode_body(payload: JsonObject) -> bytes:
    """JSON in UTF-8; raises `UnsupportedParameterError` for what has no form there, NaN among it."""
    try:
        if _holds_much(payload.get("messages")) and _is_plain(payload):
            return to_json(payload)
    except (ValueError, RecursionError):
        # Lone surrogates, loops, and depths that the other may still reach.
        pass
    return encode_body_plainly(payload)


def encode_body_plainly(payload: JsonObject) -> bytes:
    """The same by the standard library."""
    try:
        text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as err:
        raise UnsupportedParameterError(f"The request is no JSON ({err}). `preview()` shows it.") from None
    return text.encode(errors="replace")


def _holds_much(messages: JsonValue) -> bool:
    """Whether some content is long, or made of parts, as media are: else a look at all costs more than it saves."""
    if not isinstance(messages, list):
        return False
    contents = [message.get("content") for message in messages if isinstance(message, dict)]
    return any(isinstance(content, list) or (isinstance(content, str) and len(content) > _LONG) for content in contents)


def _is_plain(value: object) -> bool:
    """Whether `value` consists of JSON's own types, and not of what is made of them."""
    if type(value) is dict:
        items: Mapping[object, object] = value
        return {*map(type, items)} <= {str} and _are_plain(items.values())
    if type(value) is list:
        return _are_plain(value)
    # The two spell powers of ten differently.
    return type(value) in _LEAVES or (type(value) is float and isfinite(value) and "e" not in repr(value))


def _are_plain(values: Collection[object]) -> bool:
    # Most hold texts: no call of ours for them.
    return {*map(type, values)} <= _LEAVES or all(map(_is_plain, values))
