"""Two request bodies to the first byte in which they differ, and where in the body that is.

Its one rule: bytes as they were sent, keys in the order in which they came. Google caches a prompt by what it has in
common with an earlier one from the first token on, so the place of the first difference is where the discount ends.
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
    """The first difference of two bodies.

    `position` is the number of bytes they have in common, `pointer` the place in JSON-pointer form of the value
    that differs, or of the object or list in which a key, an entry or the end does. `left` and `right` are what
    stands around `position` in each; `str()` has it all on three lines.
    """

    position: int
    pointer: str
    left: str
    right: str

    def __str__(self) -> str:
        return f"first difference at byte {self.position}, {self.pointer or '/'}\n  {self.left}\n  {self.right}"


def find_difference(left: JsonObject, right: JsonObject) -> Difference | None:
    """Where `left` and `right`, as they are sent, part; `None` where they are the same to the byte.

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
    """`body` as the chat model writes it."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass")


def _point(left: JsonValue, right: JsonValue) -> str:
    """The pointer to the innermost value in which both differ first."""
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
    """What stands around `position`, with a mark at the place; a letter that is cut is left out."""
    before = body[max(0, position - _BEFORE) : position].decode(errors="ignore")
    return f"…{before}▶{body[position : position + _AFTER].decode(errors='ignore')}"
