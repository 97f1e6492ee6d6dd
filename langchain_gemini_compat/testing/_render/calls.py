"""Turn the calls of a reply into entries of `tool_calls`, for a whole reply or a stream, in any `Style`."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from langchain_gemini_compat.testing._rules.signatures import ON_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_gemini_compat.testing._model.json_values import JsonObject
    from langchain_gemini_compat.testing._model.replies import Call, Reply, Style
    from langchain_gemini_compat.testing._render.context import RenderContext


@dataclass(frozen=True, slots=True)
class CallWriter:
    """Writes the calls of `reply` in `style`. No field of the style may be `None`: see `resolve_style`."""

    reply: Reply
    style: Style
    context: RenderContext

    def whole(self) -> list[JsonObject]:
        """Return the entries for a reply that is not streamed. Only the entry of the first call has a signature."""
        entries: list[JsonObject] = []
        for place, call in enumerate(self.reply.calls):
            function: JsonObject = {"arguments": arguments_text(call), "name": call.name}
            entry: JsonObject = {"function": function, "type": "function", **self._id_of(call, place)}
            if place == 0 and self.style.signature != "on_delta":
                entry |= self.signature_extra()
            entries.append(entry)
        return entries

    def frames(self) -> list[list[JsonObject]]:
        """Return the entries of a stream, one list for each frame."""
        calls = _glue_calls(self.reply.calls) if self.style.args == "glued" else list(self.reply.calls)
        streams = [self._stream_entries(call, place, len(calls)) for place, call in enumerate(calls)]
        together = self.style.calls_per_frame or 1
        frames: list[list[JsonObject]] = []
        if self.style.signature == "alone_first" and self.signature_extra():
            frames.append([self.signature_extra() | _index_of(0, len(calls), self.style, first=False)])
        for start in range(0, len(streams), together):
            steps = zip_longest(*streams[start : start + together])
            frames.extend([entry for entry in entries if entry is not None] for entries in steps)
        return frames

    def signature_extra(self) -> JsonObject:
        """Return a dict with the key `extra_content`, which contains the signature of the first call.

        If the reply has no signature, the dict is empty.
        """
        reply, style = self.reply, self.style
        if not (reply.signed and self.context.signs and reply.calls) or style.signature == "absent":
            return {}
        place = ON_MESSAGE if style.signature == "on_delta" else 0
        namespace = "vertex" if style.signature == "other_namespace" else "google"
        signature = self.context.signature(reply.calls[0].name, place)
        return {"extra_content": {namespace: {"thought_signature": signature}}}

    def _stream_entries(self, call: Call, place: int, count: int) -> list[JsonObject]:
        """Return the entries of one call in a stream, in order."""
        style = self.style
        entries: list[JsonObject] = []
        for step, piece in enumerate(_cut_arguments(arguments_text(call), style)):
            first = step == 0
            function: JsonObject = {"arguments": piece}
            entry: JsonObject = {"function": function, **_index_of(place, count, style, first=first)}
            if first or style.names == "repeated":
                function["name"] = call.name
                entry["type"] = "function"
            if first or style.ids in ("repeated", "empty", "function_name"):
                entry |= self._id_of(call, place)
            entries.append(entry)
        return self._with_signature(entries, _index_of(place, count, style, first=False)) if place == 0 else entries

    def _with_signature(self, entries: list[JsonObject], index: JsonObject) -> list[JsonObject]:
        extra, where = self.signature_extra(), self.style.signature
        if not extra or where in ("on_delta", "alone_first"):
            return entries
        if where == "alone":
            return [*entries, extra | index]
        return [entries[0] | extra, *entries[1:]]

    def _id_of(self, call: Call, place: int) -> JsonObject:
        ids = self.style.ids
        if ids == "absent":
            return {}
        if ids == "empty":
            return {"id": ""}
        if ids == "function_name":
            return {"id": call.name}
        if ids == "doubled":
            return {"id": self.context.call_id(self.reply.calls[0], 0)}
        call_id = self.context.call_id(call, place)
        if ids == "litellm" and place == 0 and self.context.signs and self.reply.signed:
            call_id += f"__thought__{self.context.signature(call.name)}"
        return {"id": call_id}


def arguments_text(call: Call) -> str:
    """Return the arguments as Google writes them: compact JSON."""
    if isinstance(call.args, str):
        return call.args
    return json.dumps(dict(call.args), ensure_ascii=False, separators=(",", ":"))


def _glue_calls(calls: Sequence[Call]) -> list[Call]:
    return [replace(calls[0], args="".join(arguments_text(call) for call in calls))] if calls else []


def _cut_arguments(text: str, style: Style) -> list[str]:
    if style.args == "empty_object_first":
        return ["{}", text]
    if style.args not in ("cut", "raw_newlines"):
        return [text]
    if style.args == "raw_newlines":
        text = text.replace("\\n", "\n")
    size = style.cut_every or len(text) or 1
    return ["", *(text[start : start + size] for start in range(0, len(text), size))]


def _index_of(place: int, count: int, style: Style, *, first: bool) -> JsonObject:
    """Return a dict with the `index` of an entry of `tool_calls`, or an empty dict if the style has no index.

    With `index="lying"`, the first entry of a call has the index of another call, as on Google's examples page for
    Vertex AI.
    """
    if style.index == "absent":
        return {}
    if style.index == "zero":
        return {"index": 0}
    if style.index == "lying" and first:
        return {"index": (place + 1) % max(count, 2)}
    return {"index": place}
