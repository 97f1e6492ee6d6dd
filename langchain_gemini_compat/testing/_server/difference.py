"""Find the first difference between two request bodies.

Google's cache gives a discount on the beginning of a prompt, up to the first difference from an earlier prompt. So the
bytes are compared as they were sent, with the keys in their order.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_gemini_compat.testing._model.json_values import JsonObject, JsonValue

if TYPE_CHECKING:
    from collections.abc import Iterator

_BEFORE = 30
_AFTER = 80


@dataclass(frozen=True, slots=True)
class Difference:
    """The first difference of two request bodies. `str()` shows it on three lines.

    Attributes:
        position: The number of equal bytes at the start of both bodies.
        pointer: The JSON pointer of the value that differs. If a key or the length differs, the pointer leads to the
            object or list.
        left: The text around the position in the first body. A mark (▶) shows the position.
        right: The text around the position in the second body.

    Examples:
        >>> print(find_difference({"n": 1}, {"n": 2}))
        first difference at byte 5, /n
          …{"n":▶1}
          …{"n":▶2}
    """

    position: int
    pointer: str
    left: str
    right: str

    def __str__(self) -> str:
        return f"first difference at byte {self.position}, {self.pointer or '/'}\n  {self.left}\n  {self.right}"


def find_difference(left: JsonObject, right: JsonObject) -> Difference | None:
    """Return the first difference between `left` and `right` as sent, or `None` if their bytes are the same.

    >>> find_difference({"messages": [{"content": "Hi."}]}, {"messages": [{"content": "Ho."}]}).pointer
    '/messages/0/content'
    """
    one, other = encode_body(left), encode_body(right)
    if one == other:
        return None
    shorter = min(len(one), len(other))
    position = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    return Difference(position, _point(left, right), _excerpt(one, position), _excerpt(other, position))


def encode_body(body: JsonValue) -> bytes:
    """Return the bytes of `body`, in the form that the chat model sends."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass")


def _point(left: JsonValue, right: JsonValue) -> str:
    """Return the pointer of the innermost value that contains the first difference."""
    for (key, one), (other_key, other) in zip(_entries(left), _entries(right), strict=False):
        if key != other_key:
            return ""
        if encode_body(one) != encode_body(other):
            return f"/{key}{_point(one, other)}" if type(one) is type(other) else f"/{key}"
    return ""


def _entries(value: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    if isinstance(value, dict):
        yield from ((key.replace("~", "~0").replace("/", "~1"), inner) for key, inner in value.items())
    elif isinstance(value, list):
        yield from ((str(place), inner) for place, inner in enumerate(value))


def _excerpt(body: bytes, position: int) -> str:
    """Return the text around `position`, with a mark at `position`.

    If the start, the end or the mark splits a character, the character is left out.
    """
    before = body[max(0, position - _BEFORE) : position].decode(errors="ignore")
    return f"…{before}▶{body[position : position + _AFTER].decode(errors='ignore')}"
