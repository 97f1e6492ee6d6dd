"""Types of JSON values, and functions that read JSON and never raise if a key is missing or a value has a wrong type.

The package `_wire` has similar functions. The fake does not use them, because its rules must not import the code
that they check.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    JsonValue: TypeAlias = dict[str, "JsonValue"] | list["JsonValue"] | str | int | float | bool | None
    JsonObject: TypeAlias = dict[str, JsonValue]
else:
    # At runtime, `JsonValue` does not refer to itself. If it did, `typing.get_type_hints` would fail in a module that
    # imports `JsonObject` and not `JsonValue`.
    JsonValue = dict[str, object] | list[object] | str | int | float | bool | None
    JsonObject = dict[str, object]

Surface: TypeAlias = Literal["vertex", "ai_studio", "openai_compatible"]


def as_object(value: JsonValue) -> JsonObject:
    """Return `value` if it is an object, else an empty object."""
    return value if isinstance(value, dict) else {}


def as_list(value: JsonValue) -> list[JsonValue]:
    """Return `value` if it is a list, else an empty list."""
    return value if isinstance(value, list) else []


def as_text(value: JsonValue) -> str:
    """Return `value` if it is a string, else an empty string."""
    return value if isinstance(value, str) else ""


def as_objects(value: JsonValue) -> list[JsonObject]:
    """Return the objects in the list `value`."""
    return [item for item in as_list(value) if isinstance(item, dict)]


def read_path(value: JsonValue, *keys: str) -> JsonValue:
    """Return the value under `keys` in nested objects, or `None` if a key is missing.

    >>> read_path({"a": {"b": 1}}, "a", "b"), read_path({"a": 2}, "a", "b")
    (1, None)
    """
    for key in keys:
        value = as_object(value).get(key)
    return value


def text_of(content: JsonValue) -> str:
    """Return the text of a message's `content`, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    return "".join(as_text(part.get("text")) for part in as_objects(content))


def dump(value: JsonValue) -> str:
    """Return compact JSON with sorted keys, as Google writes it.

    >>> dump({"b": "é", "a": [1]})
    '{"a":[1],"b":"é"}'
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
