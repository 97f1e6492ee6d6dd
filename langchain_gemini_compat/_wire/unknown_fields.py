"""Keeps the unknown keys of a reply, so that they go back to the server that sent them.

Gateways put signatures and encrypted reasoning under names of their own: `function.thought_signature` (Portkey),
`provider_specific_fields` and `thinking_blocks` (LiteLLM), `reasoning_details` (OpenRouter), `reasoning_opaque`
(GitHub Copilot). If a key is not sent back, the gateway answers with an error, or the model loses its reasoning.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: Keys that this package writes itself. If a server sends a key with such a name, the key is not kept.
RESERVED = frozenset(("litellm_signature", "litellm_id", "reasoning_field", "server_id"))
#: Keys under which servers send thoughts as text. The thoughts are sent back under the same key.
REASONING_KEYS = ("reasoning", "reasoning_content", "reasoning_text")
#: Keys of a message that are not kept as unknown keys: this package reads them, or no server accepts them in a request.
MESSAGE_KEYS = RESERVED.union(
    ("role", "content", "name", "id", "index", "object", "tool_calls", "function_call", "tool_call_id"),
    ("refusal", "annotations", "audio", "image", "images", "logprobs", "finish_reason", "parsed"),
    REASONING_KEYS,
)
CALL_KEYS = RESERVED.union(("id", "index", "type", "function"))
FUNCTION_KEYS = RESERVED.union(("name", "arguments", "parsed_arguments"))
#: Maximum length in characters of the JSON that is kept for one message or call. The signature of a single image has
#: about a million characters.
MAX_KEPT = 4 * 2**20
#: Maximum number of keys that are kept for one message or call.
MAX_KEYS = 64

#: Maps the key of a list whose entries arrive in fragments to the keys of the texts in an entry. The fragments of these
#: texts are joined.
_FRAGMENTED: Mapping[str, tuple[str, ...]] = {
    "reasoning_details": ("text", "summary"),
    "thinking_blocks": ("thinking",),
    "content_blocks": ("text", "thinking"),
}
#: Only the last fragment of a list entry has one of these keys. So two fragments with different values of such a key
#: belong to different entries.
_END_KEYS = ("signature", "data")


def pick_unknown(wire: Mapping[str, object], known: frozenset[str]) -> JsonObject:
    """Return the entries of `wire` whose keys are not in `known`, without empty values.

    If the entries exceed a size limit, the rest of them is left out.

    >>> pick_unknown({"role": "assistant", "cot_id": "x", "cot_summary": None}, MESSAGE_KEYS)
    {'cot_id': 'x'}
    """
    if known.issuperset(wire):
        return {}
    room, picked = MAX_KEPT, cast("JsonObject", {})
    for key, value in cast("Mapping[str, JsonValue]", wire).items():
        if key in known or value is None or value in ({}, []):
            continue
        room -= _size(value)
        if room < 0 or len(picked) >= MAX_KEYS:
            break
        picked[key] = value
    return picked


def read_content_block(item: JsonValue) -> JsonObject:
    """Return a block of Portkey's `content_blocks` in the form that it has in a reply that is not streamed.

    In a stream, Portkey sends a block as `{"index": 0, "delta": {…}}`.

    >>> read_content_block({"index": 0, "delta": {"thinking": "Hm."}})
    {'thinking': 'Hm.', 'type': 'thinking', 'index': 0}
    """
    block = item if isinstance(item, dict) else {}
    delta = block.get("delta")
    if not isinstance(delta, dict):
        return block
    kinds = {"text": "text", "thinking": "thinking", "signature": "thinking", "data": "redacted_thinking"}
    kind = next((kinds[key] for key in kinds if key in delta), "text")
    named = delta.get("type")
    is_kind = isinstance(named, str) and not named.endswith("_delta")
    return {**delta, "type": named if is_kind else kind, "index": block.get("index")}


def _read_content_blocks(value: JsonValue) -> JsonValue:
    """Return the content blocks of the list `value`, without images."""
    items = value if isinstance(value, list) else []
    return [block for block in map(read_content_block, items) if "image" not in str(block.get("type"))]


def _without_index(block: JsonValue) -> JsonObject:
    return {key: value for key, value in block.items() if key != "index"} if isinstance(block, dict) else {}


def _size(value: JsonValue) -> int:
    return len(value) if isinstance(value, str) else len(json.dumps(value, ensure_ascii=False))


class KeptFields:
    """Collects the unknown keys of one message from its deltas.

    If a key arrives again, the type of its value decides what happens:

    - A string or number replaces the earlier one. Most servers repeat such values, and no server is known to send them
      in fragments.
    - An object is merged with the earlier object.
    - A list is appended to the earlier list. If it repeats or extends the earlier list, it replaces that list.
    - The lists `reasoning_details` and `thinking_blocks` have entries that arrive in fragments, which are joined.
    """

    def __init__(self) -> None:
        self._fields: JsonObject = {}
        self._fragments: dict[str, _Fragments] = {}
        self._room = MAX_KEPT
        #: Keys that were not kept, because their values are too large or because there are too many keys.
        self.dropped: set[str] = set()
        #: Keys that arrived with two different strings. The second string replaced the first, so a fragment may be
        #: lost.
        self.replaced: set[str] = set()

    def feed(self, delta: Mapping[str, object], *, whole: bool) -> None:
        """Store the unknown keys of `delta`. With `whole`, their values are complete and replace earlier values."""
        if MESSAGE_KEYS.issuperset(delta):
            return
        for key, received in cast("Mapping[str, JsonValue]", delta).items():
            if key in MESSAGE_KEYS or key == "extra_content" or received is None or received in ({}, []):
                continue
            value = _read_content_blocks(received) if key == "content_blocks" else received
            self._room -= _size(value)
            is_new = key not in self._fields and key not in self._fragments
            if self._room < 0 or (is_new and len(self._fields) + len(self._fragments) >= MAX_KEYS):
                self._drop(key)
            elif key in _FRAGMENTED and isinstance(value, list):
                if whole or key not in self._fragments:
                    self._fragments[key] = _Fragments(_FRAGMENTED[key])
                self._fragments[key].feed(value, whole=whole)
            elif whole:
                self._fields[key] = value
            else:
                self._note_replaced(key, value)
                _merge_value(self._fields, key, value)

    def _note_replaced(self, key: str, value: JsonValue) -> None:
        old = self._fields.get(key)
        if old and value and isinstance(old, str) and isinstance(value, str) and not value.startswith(old):
            self.replaced.add(key[:200])

    def finish(self) -> JsonObject:
        """Return all kept keys."""
        lists = {key: fragments.finish() for key, fragments in self._fragments.items()}
        blocks = [_without_index(block) for block in lists.pop("content_blocks", [])]
        # Blocks that only repeat the text of `content` are not kept. If the user edits `content`, Portkey would still
        # read the old text in the blocks.
        if any(block.get("type") != "text" for block in blocks):
            lists["content_blocks"] = [*blocks]
        return {**self._fields, **lists}

    def _drop(self, key: str) -> None:
        """Remove `key` with its whole value, since an incomplete value cannot be sent back."""
        if len(self.dropped) < MAX_KEYS:
            self.dropped.add(key[:200])
        self._fields.pop(key, None)
        self._fragments.pop(key, None)


class _Entry:
    """One entry of a list, joined from the fragments in which the entry arrives."""

    def __init__(self, first: JsonObject, texts: tuple[str, ...]) -> None:
        self.fields = dict(first)
        self.pieces: dict[str, list[str]] = {}
        self._sizes: dict[str, int] = {}
        for key in texts:
            piece = self.fields.get(key)
            if isinstance(piece, str):
                self.pieces[key] = [piece]
                self._sizes[key] = len(piece)

    @property
    def is_ended(self) -> bool:
        return any(self.fields.get(key) for key in _END_KEYS)

    def accepts(self, more: JsonObject) -> bool:
        """Whether `more` can be a fragment of this entry: its `id`, `signature` and `data` must not differ."""
        return all(
            not self.fields.get(key) or not more.get(key) or self.fields[key] == more[key] for key in (*_END_KEYS, "id")
        )

    def add(self, more: JsonObject, texts: tuple[str, ...]) -> None:
        # If the signature of an entry arrives a second time, the server may have sent the whole entry a second time.
        again = any(self.fields.get(key) and self.fields[key] == more.get(key) for key in _END_KEYS)
        for key, value in more.items():
            if key in texts and isinstance(value, str):
                self._add_text(key, value, again=again)
            elif value is not None and (value != "" or key not in self.fields):
                self.fields[key] = value

    def _add_text(self, key: str, piece: str, *, again: bool) -> None:
        pieces = self.pieces.setdefault(key, [])
        # If `piece` equals all earlier fragments together, the server has sent the complete text again. After only one
        # fragment, this is not certain: the text may be "haha", sent as "ha" and "ha".
        may_repeat = again or len(pieces) > 1
        if may_repeat and len(piece) == self._sizes.get(key) and piece == "".join(pieces):
            return
        pieces.append(piece)
        self._sizes[key] = self._sizes.get(key, 0) + len(piece)

    def finish(self) -> JsonObject:
        joined: JsonObject = {key: "".join(pieces) for key, pieces in self.pieces.items()}
        return {**self.fields, **joined}


class _Fragments:
    """A list whose entries arrive in fragments. `type`, `index` and `id` identify an entry.

    Source: agno-agi/agno issue 8794.
    """

    def __init__(self, texts: tuple[str, ...]) -> None:
        self._texts = texts
        self._entries: list[_Entry | JsonValue] = []
        #: Maps each lookup key to the newest entry with that key. A lookup key is (type, index) or (type, index, ID).
        self._newest: dict[tuple[object, ...], _Entry] = {}

    def feed(self, items: list[JsonValue], *, whole: bool) -> None:
        for position, item in enumerate(items):
            if not isinstance(item, dict):
                if not (self._entries and self._entries[-1] == item):
                    self._entries.append(item)
                continue
            entry = None if whole else self._find(item, first=position == 0)
            if entry is not None:
                entry.add(item, self._texts)
            else:
                entry = _Entry(item, self._texts)
                self._entries.append(entry)
            for key in _lookup_keys(item):
                self._newest[key] = entry

    def finish(self) -> list[JsonValue]:
        return [entry.finish() if isinstance(entry, _Entry) else entry for entry in self._entries]

    def _find(self, item: JsonObject, *, first: bool) -> _Entry | None:
        """Return the entry to which the fragment `item` belongs, or `None`."""
        for key in _lookup_keys(item):
            entry = self._newest.get(key)
            if entry is not None and entry.accepts(item):
                return entry
        last = self._entries[-1] if self._entries else None
        if not isinstance(last, _Entry) or last.fields.get("type") != item.get("type"):
            return None
        if "index" in item or "index" in last.fields or not last.accepts(item):
            return None
        if last.is_ended and last.finish() == item:
            return last
        # A fragment without an index can continue only the last entry of the list. An entry with a signature is
        # complete.
        has_text = any(key in item and key in last.pieces for key in self._texts)
        is_end = last.pieces and not any(item.get(key) for key in self._texts)
        return last if first and (has_text or is_end) and not last.is_ended else None


def _lookup_keys(item: JsonObject) -> list[tuple[object, ...]]:
    """Return the keys with which the entry of the fragment `item` is looked up, the most specific key first.

    The list is empty if `item` has no index.
    """
    kind, index, name = item.get("type"), item.get("index"), item.get("id")
    if not isinstance(index, (int, str)) or not (kind is None or isinstance(kind, str)):
        return []
    place = (kind, index)
    return [(*place, name), place] if isinstance(name, str) and name else [place]


def _merge_value(known: JsonObject, key: str, value: JsonValue) -> None:
    """Add `value` to `known` at `key`. Objects and lists are copied, not shared with the chunk."""
    old = known.get(key)
    if isinstance(value, dict):
        inner: JsonObject = old if isinstance(old, dict) else {}
        for name, part in value.items():
            _merge_value(inner, name, part)
        known[key] = inner
    elif isinstance(value, list):
        items: list[JsonValue] = old if isinstance(old, list) else []
        if items and len(value) >= len(items) and value[: len(items)] == items:
            items.extend(value[len(items) :])
        elif items[len(items) - len(value) :] != value:
            items.extend(value)
        known[key] = items
    elif (value is not None and value != "") or key not in known:
        known[key] = value
