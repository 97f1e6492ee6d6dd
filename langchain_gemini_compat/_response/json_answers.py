"""Reads the JSON answer in the text of a reply.

The JSON may be plain, in a code fence, after a byte order mark, or between prose. The answer is certain only if the
text contains exactly one JSON value. Truncated JSON is not a value, and two objects are two values.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, cast

from langchain_core.utils.json import parse_partial_json

if TYPE_CHECKING:
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

_BYTE_ORDER_MARK = "\ufeff"
_OPENING_FENCE = re.compile(r"(?:```|~~~)[ \t]*[A-Za-z0-9_+-]*[ \t]*\r?\n?")
_CLOSING_FENCE = re.compile(r"\s*(?:```|~~~)\s*\Z")
_BRACKET = re.compile(r"[{\[]")
_SCALARS = ("string", "number", "integer", "boolean")
_CLOSING = {"{": "}", "[": "]"}
#: Accepts raw line breaks inside strings. They are not valid JSON, but models write them, and their meaning is certain.
_DECODER = json.JSONDecoder(strict=False)


def read_answers(text: str, schema: JsonObject | None) -> list[JsonValue]:
    """Return the possible JSON answers in `text`.

    The list has one value if the answer is certain, and several values if it is uncertain. Without complete JSON, the
    list is empty. In prose, only values of the type that `schema` asks for (object or array) count. Without `schema`,
    only objects count in prose.

    >>> read_answers('Here it is: {"a": 1} Anything else?', None), read_answers('{"a": 1}{"a": 2}', None)
    ([{'a': 1}], [{'a': 1}, {'a': 2}])
    """
    text = text.strip().removeprefix(_BYTE_ORDER_MARK).strip()
    for candidate in (text, _strip_fence(text)):
        whole = _decode(candidate)
        if whole is not None and not candidate[whole[1] :].strip():
            return [whole[0]]
    return [value for value in _scan(text) if _has_kind(value, schema)]


def read_partial_answer(text: str, schema: JsonObject | None) -> JsonValue:
    """Return the JSON value that the incomplete answer `text` contains so far; `None` if it contains no value yet.

    >>> read_partial_answer('```JSON {"name": "fa', None)
    {'name': 'fa'}
    """
    text = _strip_fence(text.strip().removeprefix(_BYTE_ORDER_MARK).strip())
    if schema is not None and schema.get("type") in _SCALARS:
        return _read_beginning(text)
    starts = [found.start() for found in _BRACKET.finditer(text)] if text[:1] not in ("{", "[") else [0]
    for start in starts:
        value = _read_beginning(text[start:])
        if value is not None and _has_kind(value, schema):
            return value
    return None


def _decode(text: str, start: int = 0) -> tuple[JsonValue, int] | None:
    """Return the JSON value that begins at `start`, and the position of its end; `None` without a valid value."""
    try:
        return cast("tuple[JsonValue, int]", _DECODER.raw_decode(text, start))
    except (ValueError, RecursionError):
        return None


def _read_beginning(text: str) -> JsonValue:
    whole = _decode(text)
    if whole is not None:
        return whole[0]
    try:
        return cast("JsonValue", parse_partial_json(text))
    except (ValueError, RecursionError):
        return None


def _strip_fence(text: str) -> str:
    """Return `text` without the code fence around it. The closing line of the fence may be missing."""
    opening = _OPENING_FENCE.match(text)
    return _CLOSING_FENCE.sub("", text[opening.end() :]) if opening else text


def _has_kind(value: JsonValue, schema: JsonObject | None) -> bool:
    kind = "object" if schema is None else schema.get("type", "object" if "properties" in schema else None)
    return kind not in ("object", "array") or isinstance(value, dict if kind == "object" else list)


def _scan(text: str) -> list[JsonValue]:
    """Return all JSON objects and arrays in prose; an empty list if one of them is truncated."""
    found: list[JsonValue] = []
    position = 0
    while bracket := _BRACKET.search(text, position):
        whole = _decode(text, bracket.start())
        if whole is not None:
            found.append(whole[0])
        position = whole[1] if whole is not None else _skip_prose(text, bracket.start())
        if position < 0:
            return []
    return found


def _skip_prose(text: str, start: int) -> int:
    """Return the position after brackets that contain prose, such as `{name}`; -1 if they may contain broken JSON."""
    end = text.find(_CLOSING[text[start]], start)
    inside = text[start + 1 : end]
    return -1 if end < 0 or _BRACKET.search(inside) or '"' in inside or ":" in inside else end + 1
