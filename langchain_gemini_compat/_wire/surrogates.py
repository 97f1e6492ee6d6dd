r"""Joins characters that a server split into two surrogates.

JSON escapes a character beyond U+FFFF as a pair of surrogates, `"\ud83d\ude00"`. Some servers split their text between
the two surrogates of a pair, so two deltas contain one surrogate each. jiter refuses such deltas. This module joins the
two surrogates if they belong to the same field of the same call and choice.

A surrogate without its pair becomes U+FFFD in streamed text and in errors, because a request cannot contain a single
surrogate. In a tool call or a whole reply, a single surrogate raises an error. No tool may run with arguments that the
model did not write.
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

#: A surrogate in JSON: escaped, or as bytes that UTF-8 does not allow.
_SURROGATE_IN_JSON = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
_HIGH_SURROGATE = re.compile("[\ud800-\udbff]\\Z")
#: Maximum depth of nested JSON values. jiter has the same limit.
_MAX_DEPTH = 200
#: Keys of a delta whose text arrives in fragments. The text of any other key is complete in one delta.
_STREAMED_KEYS = frozenset(("content", "text", "thinking", "summary", "refusal", "name", "arguments", *REASONING_KEYS))
#: Stands for "an item of the list" in `_TextField.path`.
_ITEMS = "[]"
#: The character that replaces a surrogate without its pair.
_REPLACEMENT = "\ufffd"
#: Maximum number of surrogates that wait for their pair at the same time.
_MAX_WAITING = 64


def parse_unpaired(data: bytes, err: ValueError) -> JsonValue:
    """Return the value of JSON that jiter refused with `err`. Unpaired surrogates stay in the value.

    Raise `err` if the JSON was refused for another reason.
    """
    if _SURROGATE_IN_JSON.search(data) is None:
        raise err
    try:
        value: JsonValue = json.loads(data.decode(errors="surrogatepass"))
    except (ValueError, RecursionError):
        raise err from None
    return value


def parse_whole(data: bytes) -> JsonValue:
    r"""Return the value of `data`. Raise `ValueError` for invalid JSON, and for a surrogate without its pair.

    >>> parse_whole(rb'["\ud83d\ude00"]')
    ['😀']
    """
    try:
        value: JsonValue = from_json(data)
    except ValueError as err:
        return _PairJoiner().read(parse_unpaired(data, err), None)
    return value


def parse_error(data: bytes) -> JsonValue:
    r"""Return the value of JSON, with U+FFFD for each unpaired surrogate. Raise `ValueError` for invalid JSON.

    >>> parse_error(rb'["a\ud83d", "\ud83d\ude00"]')
    ['a�', '😀']
    """
    try:
        value: JsonValue = from_json(data)
    except ValueError as err:
        return _PairJoiner(lenient=True).read(parse_unpaired(data, err), None)
    return value


@dataclass(frozen=True)
class _TextField:
    """A text field of a streamed reply. Several deltas may contain fragments of its text."""

    choice: int
    #: Whether Google flags the delta as a thought.
    is_thought: bool
    path: tuple[str, ...] = ()
    #: `index` and `id` of the list item that contains the text field, such as an entry of `tool_calls`.
    index: int | None = None
    call_id: str = ""

    @property
    def name(self) -> str:
        return next((key for key in reversed(self.path) if key != _ITEMS), "")

    @property
    def is_in_call(self) -> bool:
        return self.path[:1] in (("tool_calls",), ("function_call",))

    def enter(self, key: str) -> _TextField:
        return replace(self, path=(*self.path, key))

    def enter_item(self, item: JsonValue) -> _TextField:
        wire = item if isinstance(item, dict) else {}
        index, call_id = wire.get("index"), wire.get("id")
        return replace(
            self.enter(_ITEMS),
            index=index if isinstance(index, int) else None,
            call_id=call_id if isinstance(call_id, str) else "",
        )

    def is_continued_in(self, other: _TextField) -> bool:
        if self.is_thought != other.is_thought or other.call_id not in ("", self.call_id):
            return False
        return bool(other.call_id) or self.shares_index(other)

    def shares_index(self, other: _TextField) -> bool:
        return self.index is None or other.index is None or self.index == other.index

    def build_chunk(self, text: str) -> JsonObject:
        """Return a chunk that contains `text` in this text field, and no other text."""
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
    """Joins surrogates that a stream sends in separate events.

    The reader of a stream calls `parse` for each event that jiter refused. After the first call of `parse`, the reader
    has to pass each value through `join`.
    """

    def __init__(self) -> None:
        #: Whether `parse` was called. From then on, each value has to be passed through `join`.
        self.began = False
        self._pairs = _PairJoiner()

    def parse(self, data: bytes, err: ValueError) -> JsonValue:
        """Return the value of JSON that jiter refused with `err`. The caller has to pass the value through `join`."""
        value = parse_unpaired(data, err)
        self.began = True
        return value

    def join(self, value: JsonValue) -> Iterator[JsonValue]:
        """Yield `value` with joined or replaced surrogates.

        First, yield a chunk with U+FFFD for each surrogate of an earlier value whose pair can no longer arrive.
        """
        if value is DONE:
            yield from self.finish()
            yield cast("JsonValue", DONE)
            return
        outside = _PairJoiner(lenient=True)
        if not isinstance(value, dict):
            yield outside.read(value, None)
            return
        rest: JsonObject = {key: item for key, item in value.items() if key != "choices"}
        read = outside.read(rest, None)
        if "choices" in value:
            choices: JsonValue = [self._join_choice(*one) for one in enumerate(list_at(value, "choices"))]
            read = {**cast("JsonObject", read), "choices": choices}
        yield from self._pairs.take_ended()
        yield read

    def finish(self) -> Iterator[JsonValue]:
        """Yield a chunk with U+FFFD for each surrogate that has no pair at the end of the stream."""
        self._pairs.end_all()
        yield from self._pairs.take_ended()

    def _join_choice(self, position: int, choice: JsonValue) -> JsonValue:
        if not isinstance(choice, dict):
            return self._pairs.read(choice, None)
        index, delta = choice.get("index"), object_at(choice, "delta")
        is_thought = object_at(object_at(delta, "extra_content"), "google").get("thought") is True
        field = _TextField(index if isinstance(index, int) else position, is_thought)
        return {key: self._pairs.read(item, field if key == "delta" else None) for key, item in choice.items()}


class _PairJoiner:
    """Joins surrogates, separately for each text field. Keeps a surrogate until the next fragment of its field."""

    def __init__(self, *, lenient: bool = False) -> None:
        self._lenient = lenient
        self._waiting: dict[_TextField, str] = {}
        self._ended: list[JsonObject] = []

    def read(self, value: JsonValue, field: _TextField | None, depth: int = 0) -> JsonValue:
        """Return a copy of `value` in which each pair of surrogates is joined to one character.

        `field` is the text field that contains `value`, or `None` if no text in `value` continues in a later event.
        """
        if depth > _MAX_DEPTH:
            raise ValueError("recursion limit exceeded")
        if isinstance(value, str):
            is_piece = field is not None and field.name in _STREAMED_KEYS
            return self._read_piece(value, field) if field is not None and is_piece else self._complete(value, field)
        if isinstance(value, list):
            return [self.read(item, field and field.enter_item(item), depth + 1) for item in value]
        if isinstance(value, dict):
            return {
                self._complete(key, field): self.read(item, field and field.enter(key), depth + 1)
                for key, item in value.items()
            }
        return value

    def end_all(self) -> None:
        for field in [*self._waiting]:
            self._end(field)

    def take_ended(self) -> list[JsonObject]:
        ended, self._ended = self._ended, []
        return ended

    def _read_piece(self, text: str, field: _TextField) -> str:
        if not text:
            return text
        for other in [*self._waiting]:
            if other.choice != field.choice or other.path != field.path:
                continue
            if other.is_continued_in(field):
                text = self._waiting.pop(other) + text
            elif other.is_thought != field.is_thought or other.shares_index(field):
                # `other` ends with a surrogate that waits for its pair. `text` cannot contain this pair, because it is
                # part of another thought, answer or call.
                self._end(other)
        if _HIGH_SURROGATE.search(text):
            # The next fragment may contain the pair of the surrogate at the end of `text`, so send the surrogate later.
            # Send a name later as a whole, because a name without its end could be the name of another tool.
            kept = 0 if field.name == "name" else len(text) - 1
            text, self._waiting[field] = text[:kept], text[kept:]
            if len(self._waiting) > _MAX_WAITING:
                self._end(next(iter(self._waiting)))
        return self._complete(text, field)

    def _end(self, field: _TextField) -> None:
        self._ended.append(field.build_chunk(self._complete(self._waiting.pop(field), field)))

    def _complete(self, text: str, field: _TextField | None) -> str:
        """Return `text` with U+FFFD for each unpaired surrogate.

        If the text belongs to a tool call or a whole reply, raise `ValueError` instead.
        """
        repaired = _repair(text)
        is_text = self._lenient or (field is not None and not field.is_in_call)
        if not is_text and repaired.count(_REPLACEMENT) > text.count(_REPLACEMENT):
            raise ValueError("unpaired surrogate")
        return repaired


def _repair(text: str) -> str:
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
