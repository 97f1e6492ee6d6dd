r"""Characters that a server cut in two: surrogates without their partner, in whole replies and in deltas.

JSON escapes a character beyond U+FFFF as two surrogates, `"\ud83d\ude00"`. Servers that stream by UTF-16 units send
one in each of two deltas, and jiter refuses both. Halves are joined within one field of one call of one choice. A half
without its partner becomes U+FFFD in streamed text and in errors, because no request could carry it back. In a tool
call and in a whole reply it is an error: no tool may run with arguments that the model did not write.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from jiter import from_json

from langchain_gemini_compat._wire.json_types import DONE, list_at, object_at
from langchain_gemini_compat._wire.unknown_fields import REASONING_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: Surrogates in JSON: escaped, or in bytes that UTF-8 does not allow.
_IN_JSON = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
_FIRST_HALF = re.compile("[\ud800-\udbff]\\Z")
#: The depth at which jiter refuses JSON.
_DEEPEST = 200
#: The texts of a delta that come in pieces; others are whole.
_IN_PIECES = frozenset(("content", "text", "thinking", "summary", "refusal", "name", "arguments", *REASONING_KEYS))
#: In a path, the items of a list.
_ITEMS = "[]"
#: What stands for a half that stays alone.
_REPLACEMENT = "\ufffd"
#: More texts than that do not wait at the same time.
_MOST_WAITING = 64


def parse_unpaired(data: bytes, err: ValueError) -> JsonValue:
    """The value of JSON that jiter refused with `err`, surrogates as they are; raises `err` for any other reason."""
    if _IN_JSON.search(data) is None:
        raise err
    try:
        value: JsonValue = json.loads(data.decode(errors="surrogatepass"))
    except (ValueError, RecursionError):
        raise err from None
    return value


def parse_whole(data: bytes) -> JsonValue:
    r"""Return the value of JSON whose surrogates all have a partner; raises `ValueError` for anything else.

    >>> parse_whole(rb'["\ud83d\ude00"]')
    ['😀']
    """
    try:
        value: JsonValue = from_json(data)
    except ValueError as err:
        return _Pieces().read(parse_unpaired(data, err), None)
    return value


def parse_error(data: bytes) -> JsonValue:
    r"""Return the value of JSON, with U+FFFD for each surrogate without a partner; raises `ValueError` for no JSON.

    >>> parse_error(rb'["a\ud83d", "\ud83d\ude00"]')
    ['a�', '😀']
    """
    try:
        value: JsonValue = from_json(data)
    except ValueError as err:
        return _Pieces(lenient=True).read(parse_unpaired(data, err), None)
    return value


@dataclass(frozen=True)
class _Place:
    """Where a piece of text belongs."""

    choice: int
    #: Google flags a delta whose `content` is a thought.
    is_thought: bool
    path: tuple[str, ...] = ()
    #: Of the item of the list it is in: the call, most of all.
    index: int | None = None
    call_id: str = ""

    @property
    def name(self) -> str:
        return next((key for key in reversed(self.path) if key != _ITEMS), "")

    @property
    def is_in_call(self) -> bool:
        return self.path[:1] in (("tool_calls",), ("function_call",))

    def enter(self, key: str) -> _Place:
        return replace(self, path=(*self.path, key))

    def enter_item(self, item: JsonValue) -> _Place:
        wire = item if isinstance(item, dict) else {}
        index, call_id = wire.get("index"), wire.get("id")
        return replace(
            self.enter(_ITEMS),
            index=index if isinstance(index, int) else None,
            call_id=call_id if isinstance(call_id, str) else "",
        )

    def is_continued_by(self, other: _Place) -> bool:
        if self.is_thought != other.is_thought or other.call_id not in ("", self.call_id):
            return False
        return bool(other.call_id) or self.may_share_index(other)

    def may_share_index(self, other: _Place) -> bool:
        return self.index is None or other.index is None or self.index == other.index

    def build_chunk(self, text: str) -> JsonObject:
        """A chunk that says `text` here and nothing else."""
        value: JsonValue = text
        for key in reversed(self.path):
            if key != _ITEMS:
                value = {key: value}
            elif isinstance(value, dict):
                index: JsonObject = {} if self.index is None else {"index": self.index}
                value = [{**index, **({"id": self.call_id} if self.call_id else {}), **value}]
            else:
                value = [value]
        flag: JsonObject = {"extra_content": {"google": {"thought": True}}} if self.is_thought else {}
        return {"choices": [{"index": self.choice, "delta": {**cast("JsonObject", value), **flag}}]}


class SurrogateJoiner:
    """Give it what jiter refused, and from then on each value of the stream; nothing is done before that."""

    def __init__(self) -> None:
        #: Whether there was anything to join.
        self.began = False
        self._pieces = _Pieces()

    def parse(self, data: bytes, err: ValueError) -> JsonValue:
        """As `parse_unpaired`; the value has to go through `join`."""
        value = parse_unpaired(data, err)
        self.began = True
        return value

    def join(self, value: JsonValue) -> Iterator[JsonValue]:
        """Yield `value` without halves of characters, after what turned out to stay alone."""
        if value is DONE:
            yield from self.finish()
            yield cast("JsonValue", DONE)
            return
        outside = _Pieces(lenient=True)
        if not isinstance(value, dict):
            yield outside.read(value, None)
            return
        rest: JsonObject = {key: item for key, item in value.items() if key != "choices"}
        read = outside.read(rest, None)
        if "choices" in value:
            choices: JsonValue = [self._join_choice(*one) for one in enumerate(list_at(value, "choices"))]
            read = {**cast("JsonObject", read), "choices": choices}
        yield from self._pieces.take_ended()
        yield read

    def finish(self) -> Iterator[JsonValue]:
        """Yield what still waits, as chunks: no partner comes any more."""
        self._pieces.end_all()
        yield from self._pieces.take_ended()

    def _join_choice(self, position: int, choice: JsonValue) -> JsonValue:
        if not isinstance(choice, dict):
            return self._pieces.read(choice, None)
        index, delta = choice.get("index"), object_at(choice, "delta")
        is_thought = object_at(object_at(delta, "extra_content"), "google").get("thought") is True
        place = _Place(index if isinstance(index, int) else position, is_thought)
        return {key: self._pieces.read(item, place if key == "delta" else None) for key, item in choice.items()}


class _Pieces:
    """The halves that wait, by the place of their text."""

    def __init__(self, *, lenient: bool = False) -> None:
        self._lenient = lenient
        self._waiting: dict[_Place, str] = {}
        self._ended: list[JsonObject] = []

    def read(self, value: JsonValue, place: _Place | None, depth: int = 0) -> JsonValue:
        """`value`, a copy, with whole characters; `place` is `None` where texts are complete."""
        if depth > _DEEPEST:
            raise ValueError("recursion limit exceeded")
        if isinstance(value, str):
            is_piece = place is not None and place.name in _IN_PIECES
            return self._read_piece(value, place) if place is not None and is_piece else self._complete(value, place)
        if isinstance(value, list):
            return [self.read(item, place and place.enter_item(item), depth + 1) for item in value]
        if isinstance(value, dict):
            return {
                self._complete(key, place): self.read(item, place and place.enter(key), depth + 1)
                for key, item in value.items()
            }
        return value

    def end_all(self) -> None:
        for place in [*self._waiting]:
            self._end(place)

    def take_ended(self) -> list[JsonObject]:
        ended, self._ended = self._ended, []
        return ended

    def _read_piece(self, text: str, place: _Place) -> str:
        if not text:
            return text
        for other in [*self._waiting]:
            if other.choice != place.choice or other.path != place.path:
                continue
            if other.is_continued_by(place):
                text = self._waiting.pop(other) + text
            elif other.is_thought != place.is_thought or other.may_share_index(place):
                # The thought, or the call, is over.
                self._end(other)
        if _FIRST_HALF.search(text):
            # A name is read as a whole: its beginning may be another tool's.
            kept = 0 if place.name == "name" else len(text) - 1
            text, self._waiting[place] = text[:kept], text[kept:]
            if len(self._waiting) > _MOST_WAITING:
                self._end(next(iter(self._waiting)))
        return self._complete(text, place)

    def _end(self, place: _Place) -> None:
        self._ended.append(place.build_chunk(self._complete(self._waiting.pop(place), place)))

    def _complete(self, text: str, place: _Place | None) -> str:
        """`text` with U+FFFD for halves that stay alone, where that is allowed; raises `ValueError` elsewhere."""
        repaired = _repair(text)
        is_text = self._lenient or (place is not None and not place.is_in_call)
        if not is_text and repaired.count(_REPLACEMENT) > text.count(_REPLACEMENT):
            raise ValueError("half of a character, without the other half")
        return repaired


def _repair(text: str) -> str:
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
