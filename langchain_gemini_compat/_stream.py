"""Wire chunks of one reply to events: the only decoder, since a whole reply is a stream of one chunk.

Its one rule: it reports and does not judge. No I/O, no clock, no random ids, no LangChain. One instance is one
choice of one reply; feed it, finish it, throw it away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_gemini_compat._events import Finished, MediaSeen, RefusalDelta, ThoughtDelta
from langchain_gemini_compat._media import sniff_mime_type
from langchain_gemini_compat._thoughts import DEFAULT_TAGS, ThoughtSplitter
from langchain_gemini_compat._tool_calls import ToolCallTracker
from langchain_gemini_compat._usage import decode_usage
from langchain_gemini_compat._wire import text_of_parts, without_thought_flag

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_gemini_compat._events import Event
    from langchain_gemini_compat._wire import (
        JsonObject,
        JsonValue,
        WireChoice,
        WireChunk,
        WireMedia,
        WireMessage,
        WireUsage,
    )


class StreamAssembler:
    """Feed the chunks of a reply; get what is certain, in order.

    `choice` is the one of `choices` this instance reads. Ids that the server left out are derived from
    `seed`, or from the reply's own id where it has one, so the same bytes give the same ids.
    """

    def __init__(
        self,
        *,
        choice: int = 0,
        tags: Sequence[str] = DEFAULT_TAGS,
        seed: str = "",
        call_limit: int | None = None,
    ) -> None:
        self._choice = choice
        self._seed = seed
        self._call_limit = call_limit
        self._splitter = ThoughtSplitter(tags)
        self._tracker: ToolCallTracker | None = None
        self._usage: WireUsage | None = None
        self._native_reason: str | None = None
        self._fields: JsonObject = {}
        self._logprobs: list[JsonValue] = []
        self._done = False
        self._empty = True
        #: Facts about the whole reply, from its first chunk that has them.
        self.reply_id = ""
        self.model = ""
        self.system_fingerprint = ""
        self.service_tier = ""

    def feed(self, wire: WireChunk) -> Iterator[Event]:
        """Yield what `wire` makes certain."""
        if wire.get("object") == "[DONE]":
            self._done = True
            return
        self._note_reply(wire)
        for position, choice in enumerate(wire.get("choices") or []):
            if choice.get("index", position) == self._choice:
                yield from self._feed_choice(choice)

    def finish(self) -> Iterator[Event]:
        """Yield what was held back, and the end."""
        yield from self._said(self._splitter.finish())
        faults: tuple[str, ...] = ()
        called = False
        if self._tracker is not None:
            yield from self._tracker.finish()
            self._fields = _merge(self._fields, self._tracker.take_pending_extras())
            faults, called = self._tracker.faults(), len(self._tracker) > 0
        yield Finished(
            reason=self._reason(called=called),
            native_reason=self._native_reason,
            usage=None if self._usage is None else decode_usage(self._usage),
            fields=self._fields,
            faults=faults,
            logprobs=self._logprobs or None,
            empty=self._empty and not called,
        )

    def _note_reply(self, wire: WireChunk) -> None:
        if not self.reply_id:
            self.reply_id = wire.get("id") or ""
        if not self.model:
            self.model = wire.get("model") or ""
            self.system_fingerprint = wire.get("system_fingerprint") or ""
            self.service_tier = wire.get("service_tier") or ""
        # Cumulative on AI Studio, where every chunk may carry it: the last one holds.
        self._usage = wire.get("usage") or self._usage

    def _feed_choice(self, choice: WireChoice) -> Iterator[Event]:
        delta = choice.get("delta") or choice.get("message")
        if delta:
            yield from self._feed_delta(delta)
        reason = choice.get("finish_reason") or choice.get("finishReason")
        if reason:
            self._native_reason = reason
        logprobs = choice.get("logprobs")
        content = logprobs.get("content") if logprobs else None
        if isinstance(content, list):
            self._logprobs.extend(content)

    def _feed_delta(self, delta: WireMessage) -> Iterator[Event]:
        for key in ("reasoning", "reasoning_content"):
            thought = delta.get(key)
            if isinstance(thought, str) and thought:
                self._fields.setdefault("reasoning_field", key)
                yield ThoughtDelta(thought)
                break
        content = delta.get("content")
        text = text_of_parts(content) if isinstance(content, list) else content
        if text:
            yield from self._said(self._splitter.feed(text, flagged=_is_thought(delta)))
        refusal = delta.get("refusal")
        if refusal:
            self._empty = False
            yield RefusalDelta(refusal)
        audio = delta.get("audio")
        if audio and audio.get("data"):
            self._empty = False
            yield _media(audio)
        calls = delta.get("tool_calls")
        if calls:
            yield from self._calls().feed(calls)
        self._note_extras(delta)

    def _said(self, events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            if self._empty and not isinstance(event, ThoughtDelta):
                self._empty = False
            yield event

    def _calls(self) -> ToolCallTracker:
        if self._tracker is None:
            self._tracker = ToolCallTracker(self.reply_id or self._seed, limit=self._call_limit)
        return self._tracker

    def _note_extras(self, delta: WireMessage) -> None:
        extra = without_thought_flag(delta.get("extra_content"))
        if extra:
            self._fields = _merge(self._fields, {"extra_content": extra})
        gateway = delta.get("provider_specific_fields")
        if gateway:
            self._fields = _merge(self._fields, {"provider_specific_fields": gateway})
        details = delta.get("reasoning_details")
        if details:
            self._fields = _merge(self._fields, {"reasoning_details": details})

    def _reason(self, *, called: bool) -> str | None:
        native = self._native_reason
        if native is None and not self._done:
            return None
        if native in (None, "stop", "function_call"):
            # AI Studio ends a streamed turn of calls with `stop` (googleapis/python-genai issue 2868).
            return "tool_calls" if called else "stop"
        return native.partition(":")[0].strip().lower()


def _is_thought(delta: WireMessage) -> bool:
    extra = delta.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    return isinstance(google, dict) and google.get("thought") is True


def _media(audio: WireMedia) -> MediaSeen:
    data = audio.get("data", "")
    extra = audio.get("extra_content") or {}
    google = extra.get("google")
    mime_type = google.get("mime_type") if isinstance(google, dict) else None
    return MediaSeen(data, mime_type if isinstance(mime_type, str) else sniff_mime_type(data))


def _merge(left: JsonObject, right: JsonObject) -> JsonObject:
    """Objects are merged, lists joined, anything else is replaced: of two signatures the last one counts."""
    merged = dict(left)
    for key, value in right.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merge(old, value)
        elif isinstance(old, list) and isinstance(value, list):
            merged[key] = [*old, *value]
        else:
            merged[key] = value
    return merged
