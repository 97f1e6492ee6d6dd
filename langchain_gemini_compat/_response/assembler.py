"""Turns the wire chunks of one reply into events.

A whole reply is decoded as a stream of one chunk, so this is the only decoder. The decoder reports what the server
sent, and `message_chunks` decides whether the reply is an error. This module does no I/O, uses no clock and no random
ids, and does not import LangChain.

Two methods read chunks. `read_text` returns the text of a chunk that contains only text, as most chunks do. `feed`
reads every other chunk: thoughts, tool calls, media, finish reasons, usage, and unknown keys to send back.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._response.events import Finished, MediaSeen, RefusalDelta, TextDelta, ThoughtDelta
from langchain_gemini_compat._response.finish_reasons import (
    classify_ending,
    is_at_least_as_severe,
    is_known_reason,
    to_openai_reason,
)
from langchain_gemini_compat._response.thoughts import ThoughtSplitter
from langchain_gemini_compat._response.tool_calls import ToolCallTracker
from langchain_gemini_compat._response.usage import decode_usage
from langchain_gemini_compat._wire.json_types import (
    DEFAULT_TAGS,
    DONE,
    END_ASSUMED,
    IS_WHOLE,
    THOUGHTS_TAGGED,
    list_at,
    object_at,
    text_at,
    text_of_parts,
    without_thought_flag,
)
from langchain_gemini_compat._wire.media import read_image, sniff_mime_type
from langchain_gemini_compat._wire.unknown_fields import MESSAGE_KEYS, REASONING_KEYS, KeptFields, read_content_block

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from langchain_gemini_compat._response.events import Event, InvalidCall
    from langchain_gemini_compat._response.finish_reasons import Ending
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue, WireChunk

_REASONING = frozenset(REASONING_KEYS)
_IMAGES = frozenset(("images", "image", "content_blocks"))
#: Maps each key of a delta to the kind of content under that key.
_KINDS = {
    "content": "text",
    **dict.fromkeys(REASONING_KEYS, "thoughts"),
    "refusal": "refusal",
    "tool_calls": "calls",
    "audio": "media",
}
#: Maps each kind of content to its valid types in JSON. A value of another type is ignored.
_TYPES: Mapping[str, tuple[type, ...]] = {
    "text": (str, list),
    "thoughts": (str,),
    "refusal": (str,),
    "calls": (list,),
    "media": (dict,),
}
#: The key under which gateways (LiteLLM, OpenRouter) send the model's own finish reason.
_NATIVE = "native_finish_reason"
_PLACES_OF_NATIVE = frozenset(("provider_specific_fields", _NATIVE))
#: The keys that `read_text` accepts in a choice (`_TEXT_CHOICE`) and in a delta (`_TEXT_DELTA`). A chunk with any other
#: key is read by `feed`.
_TEXT_CHOICE = frozenset(("index", "delta", "finish_reason", "logprobs"))
_TEXT_DELTA = frozenset(("role", "content"))


class StreamAssembler:
    """Turns the chunks of one choice of one reply into events. Use one instance for each choice.

    A value of the wrong type is ignored.
    """

    def __init__(
        self,
        *,
        choice: int | None = None,
        tags: Sequence[str] = DEFAULT_TAGS,
        expects_thoughts: bool = True,
        seed: str = "",
        call_limit: int | None = None,
        tool_names: Collection[str] | None = None,
        schemas: Mapping[str, JsonObject] | None = None,
    ) -> None:
        """Create an assembler that has not read any chunk.

        Args:
            choice: The index of the choice to read. With `None`, all choices are read as one message, since some
                gateways put text and calls into separate choices (langchain4j issue 4931, gptel issue 1284).
            tags: The names of the tags around thoughts.
            expects_thoughts: Whether text between these tags is a thought even if the server does not flag it.
            seed: If the reply has no id, missing call ids are derived from this text. Equal seeds give equal call ids.
            call_limit: Maximum number of tool calls to emit; `None` for no limit.
            tool_names: The wire names of the bound tools; `None` if they are not known.
            schemas: The parameters of each tool, by its wire name.
        """
        self._choice = choice
        self._seed = seed
        self._call_limit = call_limit
        self._tool_names = tool_names
        self._schemas = schemas
        #: Maps each kind of content, such as thoughts, to the choice from which it is taken. Used only if all choices
        #: are read as one message.
        self._sources: dict[str, int] = {}
        self._text_source = choice or 0
        #: The choices whose text is ignored, because another choice sent text first.
        self._alternatives: set[int] = set()
        self._split_calls = False
        #: The choices that sent a finish reason.
        self._ended: set[int] = set()
        #: Keys that have had a value in a delta of this reply, such as `content`.
        self._seen_keys: set[str] = set()
        self._has_deltas = False
        self._has_refusal = False
        #: Whether tool calls came after the end of the stream (`[DONE]`).
        self._has_late_calls = False
        self._splitter = ThoughtSplitter(tags)
        if not expects_thoughts:
            self._splitter.expect_answer()
        self._tracker: ToolCallTracker | None = None
        self._usage: JsonObject = {}
        self._native_reason = ""
        #: Whether the model's own finish reason is a word that this package does not know.
        self._has_unknown_native = False
        self._ending: Ending = "clean"
        self._fields: JsonObject = {}
        self._kept = KeptFields()
        self._images: set[tuple[str, str, str]] = set()
        #: Each key is a sentence about content of the reply that was left out, such as an image. The dict keeps each
        #: sentence only once.
        self._losses: dict[str, None] = {}
        self._logprobs: list[JsonValue] = []
        #: Maps each key that contained thoughts, such as `reasoning_content`, to the number of characters under that
        #: key.
        self._reasoning: dict[str, int] = {}
        self._done = False
        self._empty = True
        #: White space at the start of the text, held back because white space alone is not an answer.
        self._blank: list[str] = []
        #: `reply_id`, `model`, `system_fingerprint`, `service_tier` and `provider` keep the first non-empty value that
        #: came in a chunk.
        self.reply_id = ""
        self.model = ""
        self.system_fingerprint = ""
        self.service_tier = ""
        self.provider = ""

    def feed(self, wire: WireChunk) -> Iterator[Event]:
        """Decode the chunk `wire`. Yield its events, except those that depend on later chunks."""
        if wire is DONE:
            self._done = True
            return
        self._note_reply(wire)
        if "promptFeedback" in wire:
            self._note_block(wire)
        for number, choice in _number_choices(list_at(wire, "choices")):
            if self._choice is None or number == self._choice:
                yield from self._feed_choice(choice, number)

    def read_text(self, wire: WireChunk) -> str | None:
        """Return the text of `wire` if `feed` would yield this text and nothing else; otherwise `None`.

        Most chunks of a stream contain only text. For such a chunk, `feed` takes four times as long as this method.
        """
        if not self._splitter.passes_text or self._empty or self._has_new_facts(wire):
            return None
        choices = cast("JsonValue", wire.get("choices"))
        if not isinstance(choices, list) or len(choices) != 1:
            return None
        text = _text_alone(choices[0], self._text_source)
        if text and ("usage" in wire or "usageMetadata" in wire):
            # AI Studio sends cumulative token counts with every chunk, so later counts replace earlier ones.
            self._usage = _usage_of(wire) or self._usage
        return text

    def _has_new_facts(self, wire: WireChunk) -> bool:
        """Return whether `wire` may contain a new fact about the reply, such as the name of the model."""
        return (
            not self.reply_id
            or not self.model
            or "promptFeedback" in wire
            or ("system_fingerprint" in wire and not self.system_fingerprint and bool(wire["system_fingerprint"]))
            or ("service_tier" in wire and not self.service_tier and bool(wire["service_tier"]))
            or ("provider" in wire and not self.provider and bool(wire["provider"]))
        )

    def finish(self) -> Iterator[Event]:
        """Yield the text and calls that were held back, and then the event `Finished`."""
        yield from self._hold_leading_space(self._splitter.finish())
        invalid: tuple[InvalidCall, ...] = ()
        called, is_call_announced = False, self._ending == "calls" or "function_call" in self._seen_keys
        if self._tracker is not None:
            yield from self._finish_calls(self._tracker)
            _merge(self._fields, _extra_content_of(self._tracker.take_early_extras()))
            invalid, called = self._tracker.list_invalid(), len(self._tracker) > 0
            is_call_announced = is_call_announced or self._tracker.has_ids_without_calls or self._has_late_calls
        if called and self._has_refusal and is_at_least_as_severe("filtered", self._ending):
            # A reply with a refusal and a call counts as filtered, so that the call does not run.
            self._ending = "filtered"
        if called and self._blank:
            yield TextDelta(self._take_blank())
        yield Finished(
            reason=self._openai_reason(called=called),
            native_reason=self._native_reason or None,
            usage=decode_usage(self._usage) if self._usage else None,
            fields={**self._kept.finish(), **self._reasoning_fields(), **self._fields},
            logprobs=self._logprobs or None,
            empty=self._empty and not called,
            dropped_fields=tuple(sorted(self._kept.dropped)),
            losses=(*self._losses, *map(_describe_replaced, sorted(self._kept.replaced))),
            provider=self.provider,
            cost=_number_at(self._usage, "cost"),
            cost_details=object_at(self._usage, "cost_details"),
            invalid=invalid,
            is_call_missing=is_call_announced and not called,
            is_refusal=self._has_refusal,
        )

    def _finish_calls(self, tracker: ToolCallTracker) -> Iterator[Event]:
        """Yield the held-back parts of calls. A call without arguments is valid only if its choice ended cleanly."""
        source = self._sources.get("calls", self._choice or 0)
        is_clean = self._ending in ("clean", "calls") and source in self._ended and not self._has_unknown_native
        yield from tracker.finish(is_clean=is_clean)
        if self._ending == "unknown":
            tracker.invalidate_all(
                f"The finish reason {self._native_reason[:200]!r} is unknown, so the call may be incomplete."
            )
        if self._has_late_calls:
            tracker.invalidate_all("A tool call came after the end of the stream (`[DONE]`).")
        if self._split_calls or source in self._alternatives:
            tracker.invalidate_all("The server sent several choices, and it is unclear which one is the answer.")

    def _note_reply(self, wire: WireChunk) -> None:
        # Each attribute keeps its first non-empty value. To save time, a key of the chunk is read only while its
        # attribute is empty.
        self.reply_id = self.reply_id or text_at(wire, "id")
        self.model = self.model or text_at(wire, "model")
        if "system_fingerprint" in wire:
            self.system_fingerprint = self.system_fingerprint or text_at(wire, "system_fingerprint")
        if "service_tier" in wire:
            self.service_tier = self.service_tier or text_at(wire, "service_tier")
        if "provider" in wire:
            self.provider = self.provider or text_at(wire, "provider")
        # AI Studio may send cumulative token counts with every chunk, so later counts replace earlier ones.
        if "usage" in wire or "usageMetadata" in wire:
            self._usage = _usage_of(wire) or self._usage

    def _note_block(self, wire: WireChunk) -> None:
        """Record why Google refused the prompt. The reply to a refused prompt has `promptFeedback` and no choices."""
        reason = text_at(object_at(wire, "promptFeedback"), "blockReason")
        if reason:
            self._note_reason(f"content_filter: {reason}", 0)

    def _feed_choice(self, choice: JsonObject, number: int) -> Iterator[Event]:
        if THOUGHTS_TAGGED in choice:
            self._splitter.expect_thoughts()
        delta = self._merge_message(choice, number)
        if delta:
            yield from self._feed_delta(self._take_own(delta, number), whole=IS_WHOLE in choice)
        self._note_ending(choice, number)
        if choice.get("logprobs"):
            self._logprobs.extend(list_at(object_at(choice, "logprobs"), "content"))

    def _merge_message(self, choice: JsonObject, number: int) -> JsonObject:
        """Return the delta of `choice`, joined with its `message`.

        Some servers send each delta under the key `message`. Others send a complete `message` after the deltas. From a
        complete message, only the keys and calls that no delta contained are added.
        """
        if self._has_deltas and "message" not in choice and IS_WHOLE not in choice:
            return object_at(choice, "delta")
        delta, message = object_at(choice, "delta"), object_at(choice, "message")
        if IS_WHOLE in choice:
            delta, message = message, delta
        if not self._has_deltas:
            self._has_deltas = any(value for key, value in delta.items() if key != "role")
        if not message:
            return delta
        if not self._has_deltas:
            # No delta had content so far: the server sends `message` in place of a delta.
            return self._as_delta(message, number)
        self._seen_keys.update(key for key, value in delta.items() if value)
        new: JsonObject = {key: value for key, value in message.items() if key not in (*self._seen_keys, "tool_calls")}
        calls = self._select_new_calls(list_at(message, "tool_calls"), number)
        if calls:
            delta = {**delta, "tool_calls": [*list_at(delta, "tool_calls"), *calls]}
        return {**new, **delta}

    def _as_delta(self, message: JsonObject, number: int) -> JsonObject:
        """Return `message` without repeated calls. Some servers send all earlier calls again in each message."""
        if not message.get("tool_calls"):
            return message
        return {**message, "tool_calls": self._select_new_calls(list_at(message, "tool_calls"), number)}

    def _select_new_calls(self, calls: list[JsonValue], number: int) -> list[JsonValue]:
        """Return the calls of a complete `message` that did not come before. A repeated call may have a new id."""
        if self._tracker is None or self._sources.get("calls", number) != number:
            return calls
        return [] if self._tracker.repeats_all(calls) else self._tracker.select_new(calls)

    def _take_own(self, delta: JsonObject, number: int) -> JsonObject:
        """Return `delta` without the content that is taken from another choice.

        If all choices are read as one message, each kind of content, such as text, comes from the first choice that
        sends it. Tool calls are an exception: if two choices send tool calls, all calls are invalid.
        """
        if not delta.keys() <= self._seen_keys:
            self._seen_keys.update([key for key, value in delta.items() if value])
        if self._choice is not None:
            return delta
        taken = delta
        for key, value in delta.items():
            if not value or key not in _KINDS or not isinstance(value, _TYPES[_KINDS[key]]):
                continue
            kind = _KINDS[key]
            owner = self._sources.setdefault(kind, number)
            if kind == "text":
                self._text_source = owner
            if owner == number:
                continue
            if kind == "calls":
                self._split_calls = True
            else:
                taken = {other: held for other, held in taken.items() if other != key}
            if kind == "text":
                self._alternatives.add(number)
        return taken

    def _note_ending(self, choice: JsonObject, number: int) -> None:
        """Record the finish reasons of `choice`: OpenAI's finish reason and, if a gateway sends it, the model's own."""
        reason = choice.get("finish_reason") or choice.get("finishReason")
        if reason and isinstance(reason, str):
            self._note_reason(reason, number)
            self._note_native(object_at(choice, "delta"), number)
            self._note_native(object_at(choice, "message"), number)
        if END_ASSUMED in choice:
            self._ended.discard(number)
        if not _PLACES_OF_NATIVE.isdisjoint(choice):
            self._note_native(choice, number)

    def _note_native(self, fields: JsonObject, number: int) -> None:
        native = text_at(fields, _NATIVE) or text_at(object_at(fields, "provider_specific_fields"), _NATIVE)
        if native and not is_known_reason(native):
            # If this package does not know the model's own finish reason, OpenAI's finish reason decides.
            self._has_unknown_native = True
        elif native and classify_ending(native) not in ("clean", "calls"):
            self._note_reason(native, number)

    def _note_reason(self, reason: str, number: int) -> None:
        """Record `reason` unless an earlier finish reason is more severe. Some gateways send `stop` in every chunk."""
        if number in self._alternatives and number != self._sources.get("calls"):
            return
        self._ended.add(number)
        kind = classify_ending(reason)
        if not self._native_reason or (is_at_least_as_severe(kind, self._ending) and reason != "stop"):
            self._native_reason, self._ending = reason, kind

    def _feed_delta(self, delta: JsonObject, *, whole: bool) -> Iterator[Event]:
        if not _REASONING.isdisjoint(delta) or "content_blocks" in delta:
            yield from self._feed_reasoning(delta)
        content = delta.get("content")
        if content:
            text = text_of_parts(content) if isinstance(content, list) else text_at(delta, "content")
            yield from self._hold_leading_space(self._splitter.feed(text, flagged=_is_thought(delta)))
        if self._blank and (delta.get("tool_calls") or delta.get("audio")):
            yield TextDelta(self._take_blank())
        refusal = delta.get("refusal")
        if refusal and isinstance(refusal, str):
            self._empty, self._has_refusal = False, True
            yield RefusalDelta(refusal)
        if delta.get("audio"):
            yield from self._feed_media(object_at(delta, "audio"))
        if isinstance(content, list) or not _IMAGES.isdisjoint(delta):
            yield from self._feed_images(delta)
        if delta.get("tool_calls"):
            yield from self._feed_calls(list_at(delta, "tool_calls"))
        if not MESSAGE_KEYS.issuperset(delta):
            self._note_extras(delta, whole=whole)

    def _feed_calls(self, entries: list[JsonValue]) -> Iterable[Event]:
        # This method is not a generator, because a generator would add one Python call for each piece of arguments.
        tracker = self._open_tracker()
        if not self._done:
            return tracker.feed(entries)
        self._has_late_calls = self._has_late_calls or bool(tracker.select_new(entries))
        return ()

    def _feed_reasoning(self, delta: JsonObject) -> Iterator[Event]:
        said = ""
        for key in REASONING_KEYS:
            thought = delta.get(key)
            if isinstance(thought, str):
                # Record the key even if its value is empty: DeepSeek answers 400 if the next request lacks the key.
                self._reasoning[key] = self._reasoning.get(key, 0) + len(thought)
                said = said or thought
        for block in () if said else map(read_content_block, list_at(delta, "content_blocks")):
            said += text_at(block, "thinking")
        if said:
            self._splitter.expect_answer()
            yield ThoughtDelta(said)

    def _reasoning_fields(self) -> JsonObject:
        """Return the field `reasoning_field`: the name of the key under which thoughts came.

        vLLM has sent the same thoughts under two keys. Then the value is a list of both names.
        """
        longest = max(self._reasoning.values(), default=0)
        names: list[JsonValue] = [key for key, size in self._reasoning.items() if size == longest]
        return {"reasoning_field": names[0] if len(names) == 1 else names} if names else {}

    def _feed_media(self, audio: JsonObject) -> Iterator[Event]:
        data = text_at(audio, "data")
        if data:
            self._empty = False
            mime_type = text_at(object_at(object_at(audio, "extra_content"), "google"), "mime_type")
            yield MediaSeen(data, mime_type or sniff_mime_type(data))

    def _feed_images(self, delta: JsonObject) -> Iterator[Event]:
        """Yield images from `images` (OpenRouter, any-llm), `image` (LiteLLM) and content blocks (Portkey)."""
        parts = [*list_at(delta, "content"), *map(read_content_block, list_at(delta, "content_blocks"))]
        typed = [part for part in parts if isinstance(part, dict) and "image" in text_at(part, "type")]
        for item in (*typed, *_items(delta.get("images")), *_items(delta.get("image"))):
            image = read_image(item)
            if image is None:
                self._losses["An image of the reply was left out, because it is neither base64 nor a web URL."] = None
            # LiteLLM has sent one image as both `image` and `images`, and gateways repeat images in the last chunk.
            if image is not None and image not in self._images:
                self._images.add(image)
                self._empty = False
                yield MediaSeen(*image)

    def _hold_leading_space(self, events: Iterator[Event]) -> Iterator[Event]:
        """Yield `events`. White space at the start of the text is held back until other text comes."""
        for event in events:
            if not self._empty or not isinstance(event, TextDelta):
                yield event
            elif not event.text.strip():
                self._blank.append(event.text)
            else:
                self._empty = False
                yield TextDelta(self._take_blank() + event.text)

    def _take_blank(self) -> str:
        blank, self._blank = self._blank, []
        return "".join(blank)

    def _open_tracker(self) -> ToolCallTracker:
        if self._tracker is None:
            self._tracker = ToolCallTracker(
                self.reply_id or self._seed, limit=self._call_limit, names=self._tool_names, schemas=self._schemas
            )
        return self._tracker

    def _note_extras(self, delta: JsonObject, *, whole: bool) -> None:
        extra = without_thought_flag(object_at(delta, "extra_content"))
        if extra:
            _merge(self._fields, {"extra_content": extra})
        self._kept.feed(delta, whole=whole)

    def _openai_reason(self, *, called: bool) -> str | None:
        if not self._native_reason and not self._done:
            return None
        return to_openai_reason(self._ending, self._native_reason, called=called)


def _number_choices(choices: Sequence[JsonValue]) -> Iterator[tuple[int, JsonObject]]:
    """Yield each choice of a chunk and its number.

    The number is the index of the choice, or its position if the index is missing. If two numbers are equal, every
    choice gets its position as its number.
    """
    if len(choices) == 1 and isinstance(choices[0], dict):
        yield _index_of(choices[0], 0), choices[0]
        return
    found = [
        (_index_of(choice, place), place, choice) for place, choice in enumerate(choices) if isinstance(choice, dict)
    ]
    is_unique = len({number for number, _, _ in found}) == len(found)
    for number, place, choice in found:
        yield (number if is_unique else place), choice


def _text_alone(choice: JsonValue, index: int) -> str | None:
    """Return the text of `choice` if it has this `index` and contains only text; otherwise `None`."""
    if not isinstance(choice, dict) or not choice.keys() <= _TEXT_CHOICE or _index_of(choice, 0) != index:
        return None
    delta = choice.get("delta")
    if not isinstance(delta, dict) or not delta.keys() <= _TEXT_DELTA:
        return None
    text = delta.get("content")
    if not isinstance(text, str) or not text or choice.get("finish_reason") or choice.get("logprobs"):
        return None
    return text


def _extra_content_of(extras: JsonObject) -> JsonObject:
    """Return the `extra_content` of `extras` as a dict with this one key; an empty dict if the key is missing.

    `extras` has the extra fields of tool calls that never came. The result becomes a field of the message.
    """
    extra = object_at(extras, "extra_content")
    return {"extra_content": extra} if extra else {}


def _describe_replaced(key: str) -> str:
    return f"The reply had several values for `{key}`. Only the last value was kept."


def _items(value: JsonValue) -> list[JsonValue]:
    """Return the non-empty items of the list `value`. A value that is not a list is treated as a list of one item."""
    if isinstance(value, list):
        return [item for item in value if item]
    return [value] if value else []


def _number_at(wire: JsonObject, key: str) -> float | None:
    number = wire.get(key)
    if not isinstance(number, (int, float)) or isinstance(number, bool):
        return None
    return number if -math.inf < number < math.inf else None


def _index_of(choice: JsonObject, position: int) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) and not isinstance(index, bool) else position


def _is_thought(delta: JsonObject) -> bool:
    extra = delta.get("extra_content")
    return bool(extra) and object_at(object_at(delta, "extra_content"), "google").get("thought") is True


def _usage_of(wire: WireChunk) -> JsonObject:
    """Return the token counts of a chunk. Some gateways send them as `usageMetadata`, as Google's native API does."""
    return object_at(wire, "usage") or object_at(wire, "usageMetadata")


def _merge(known: JsonObject, more: JsonObject) -> None:
    """Merge `more` into `known`. Objects are merged, lists are joined, and other values are replaced.

    `known` is extended in place and shares no object or list with `more`. So the time to merge all chunks is linear in
    their total size.
    """
    for key, value in more.items():
        old = known.get(key)
        if isinstance(value, dict):
            inner: JsonObject = old if isinstance(old, dict) else {}
            _merge(inner, value)
            known[key] = inner
        elif isinstance(value, list):
            items: list[JsonValue] = old if isinstance(old, list) else []
            items.extend(value)
            known[key] = items
        else:
            known[key] = value
