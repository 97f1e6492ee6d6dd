"""Moves refused media out of the tool results of a request body. The results themselves stay.

Media of a result are parts in its `extra_content`. The result's `content` refers to each part by name (Google's
examples page). If the model accepts no media in results, the media move to a user message. If the model does not accept
the MIME type, a description replaces the media.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._catalog.surfaces import Endpoint
from langchain_gemini_compat._request.content import encode_media
from langchain_gemini_compat._request.content_blocks import Media
from langchain_gemini_compat._request.tool_result_texts import describe_media
from langchain_gemini_compat._request.tool_results import FOLLOWS
from langchain_gemini_compat._wire.json_types import list_at, object_at, text_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_gemini_compat._request.refused_parts import Path
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: An endpoint for calls of `encode_media`. Its surface is Vertex AI, because only Vertex AI accepts media in tool
#: results.
_VERTEX = Endpoint("vertex", "https://aiplatform.googleapis.com", "")


@dataclass(frozen=True, slots=True)
class MoveMedia:
    """Moves the media of tool results to a user message, which follows the results."""

    #: The MIME type of the media to move; `None` for all media.
    mime_type: str | None = None

    @property
    def part(self) -> Path:
        """The identifier of the change: `messages` and the MIME type of the moved media (empty for all media)."""
        return "messages", self.mime_type or ""

    def apply(self, payload: JsonObject) -> tuple[JsonObject, str] | None:
        """Move the media. Return the new payload and a description of the change; `None` if no media were moved."""
        moved: list[JsonValue] = []
        waiting: list[JsonValue] = []
        for message in list_at(payload, "messages"):
            if waiting and not _is_result(message):
                moved.append({"role": "user", "content": waiting})
                waiting = []
            result, following = self._split(message)
            moved.append(result)
            waiting += following
        if waiting:
            moved.append({"role": "user", "content": waiting})
        if len(moved) == len(list_at(payload, "messages")):
            return None
        return {**payload, "messages": moved}, "media of tool results were moved to a user message"

    def _split(self, message: JsonValue) -> tuple[JsonValue, list[JsonValue]]:
        """Move the media out of a tool result. Return the result, and the content parts for the user message.

        Any other message is returned unchanged, without content parts.
        """
        parts = _parts_of(message)
        named = [(part, *_read_part(part)) for part in parts]
        found = [one for one in named if self.mime_type in (None, one[2].mime_type)]
        if not found or not isinstance(message, dict):
            return message, []
        title = f"Output of {text_at(message, 'name') or 'the tool'} (call {text_at(message, 'tool_call_id')}):"
        following: list[JsonValue] = [{"type": "text", "text": title}]
        following += [encode_media(media, {}, _VERTEX) for _, _, media in found]
        moved = [part for part, _, _ in found]
        kept = [part for part in parts if part not in moved]
        return _replace_parts(message, kept, {name: None for _, name, _ in found}), following


@dataclass(frozen=True, slots=True)
class DescribeMedia:
    """Replaces the media of one MIME type in tool results with descriptions."""

    mime_type: str

    @property
    def part(self) -> Path:
        """The identifier of the change: `messages` and the MIME type of the replaced media."""
        return "messages", self.mime_type

    def apply(self, payload: JsonObject) -> tuple[JsonObject, str] | None:
        """Replace the media. Return the new payload and a description of the change; `None` if nothing changed."""
        messages: list[JsonValue] = [self._describe(message) for message in list_at(payload, "messages")]
        if messages == list_at(payload, "messages"):
            return None
        done = f"media of the type {self.mime_type} in tool results were replaced by a description"
        return {**payload, "messages": messages}, done

    def _describe(self, message: JsonValue) -> JsonValue:
        parts = _parts_of(message)
        refused = [part for part in parts if _read_part(part)[1].mime_type == self.mime_type]
        if not refused or not isinstance(message, dict):
            return message
        texts = {name: describe_media(media, {}) for name, media in map(_read_part, refused)}
        return _replace_parts(message, [part for part in parts if part not in refused], texts)


def mime_types_in_results(payload: JsonObject) -> frozenset[str]:
    """Return the MIME types of media that occur in tool results and in no other messages."""
    messages = list_at(payload, "messages")
    parts = (part for message in messages for part in _parts_of(message))
    found = {kind for part in parts if (kind := _read_part(part)[1].mime_type)}
    others = [message for message in messages if not _is_result(message)]
    return frozenset(kind for kind in found if not any(_holds_type(message, kind) for message in others))


def _holds_type(message: JsonValue, mime_type: str) -> bool:
    """Return whether a message other than a tool result contains media of a MIME type."""
    for part in list_at(message, "content") if isinstance(message, dict) else ():
        held = part if isinstance(part, dict) else {}
        address = text_at(object_at(held, "image_url"), "url") or text_at(held, "image_url")
        if address.startswith(f"data:{mime_type}") or text_at(object_at(held, "input_audio"), "format") == mime_type:
            return True
    return False


def _replace_parts(message: JsonObject, parts: Sequence[JsonValue], texts: Mapping[str, str | None]) -> JsonObject:
    """Return a copy of a tool result in which `parts` replace all media parts.

    `texts` maps the name of each removed part to the text that replaces references to this part. If the text is `None`,
    the references are removed.
    """
    google = dict(object_at(object_at(message, "extra_content"), "google"))
    google.pop("parts", None)
    google |= {"parts": [*parts]} if parts else {}
    extra = {key: value for key, value in object_at(message, "extra_content").items() if key != "google"}
    extra |= {"google": google} if google else {}
    rest = {key: value for key, value in message.items() if key != "extra_content"}
    replaced: JsonObject = {**rest, "content": _replace_references(message.get("content"), texts)}
    return {**replaced, "extra_content": extra} if extra else replaced


def _replace_references(content: JsonValue, texts: Mapping[str, str | None]) -> JsonValue:
    """Replace or remove references to removed media parts in the content of a tool result.

    Google answers 400 if a reference names a part that is missing
    (https://github.com/googleapis/python-genai/issues/2792).
    """
    try:
        value = cast("JsonValue", json.loads(content)) if isinstance(content, str) else content
    except ValueError:
        return content
    if not isinstance(value, dict):
        return content
    names = {key: text_at(object_at(value, key), "$ref") for key in value}
    kept: JsonObject = {
        key: texts.get(names[key], one) for key, one in value.items() if texts.get(names[key], "") is not None
    }
    if kept.keys() == {"output"} and isinstance(kept["output"], str):
        return kept["output"]
    return json.dumps(kept, ensure_ascii=False) if kept else FOLLOWS


def _is_result(message: JsonValue) -> bool:
    return isinstance(message, dict) and message.get("role") == "tool"


def _parts_of(message: JsonValue) -> list[JsonValue]:
    if not isinstance(message, dict) or not _is_result(message):
        return []
    return list_at(object_at(object_at(message, "extra_content"), "google"), "parts")


def _read_part(part: JsonValue) -> tuple[str, Media]:
    """Return the name and the media of a part from the `extra_content` of a tool result."""
    held = part if isinstance(part, dict) else {}
    inline, file = object_at(held, "inline_data"), object_at(held, "file_data")
    inner = inline or file
    mime_type = text_at(inner, "mime_type")
    kind = mime_type.partition("/")[0]
    media = Media(
        kind if kind in ("image", "audio", "video") else "file",
        mime_type or None,
        url=text_at(file, "file_uri") or None,
        data=text_at(inline, "data") or None,
    )
    return text_at(inner, "display_name"), media
