"""Parses JSON that a model wrote. The arguments of a tool call are complete if `read_object` returns an object."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from jiter import from_json

if TYPE_CHECKING:
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue


def read_json(text: str) -> list[JsonValue]:
    """Return a list with the value of `text`, or an empty list if `text` is not JSON that all parsers read alike.

    The value is in a list because `null` is a value too. An object with the same key twice is refused, because Python's
    own parser keeps the last value, and other parsers keep the first. `NaN` and numbers that overflow to infinity are
    refused, because they cannot be sent back.

    >>> read_json("null"), read_json('{"a": 1, "a": 2}'), read_json('{"a": ')
    ([None], [], [])
    """
    try:
        value = cast("JsonValue", from_json(text.encode(), catch_duplicate_keys=True))
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return []
    return [value]


def read_object(text: str) -> JsonObject | None:
    """Return the JSON object in `text`; `None` if the text is incomplete or has another value."""
    for value in read_json(text):
        if isinstance(value, dict):
            return value
    return None
