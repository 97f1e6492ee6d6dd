"""Encodes a `ToolMessage`: text and JSON as the content of the result, and media in the form that the endpoint accepts.

- Encoding never raises an error. A tool result stays in the history, so the error would repeat in every later turn.
- Gemini 3 on Vertex accepts media as parts of the result (Google's examples page, multimodal function responses).
- For other models and surfaces, the media follow in a user message after the results of all parallel calls.
- Media that the endpoint does not accept at all are described in the text of the result, with a note.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from langchain_core.messages import FunctionMessage, ToolMessage
from langchain_core.prompt_values import ChatPromptValue

from langchain_gemini_compat._catalog.surfaces import OFFICE_TYPES
from langchain_gemini_compat._request.content import encode_media, read_own_extra
from langchain_gemini_compat._request.content_blocks import Media, Text, parse_block, read_media
from langchain_gemini_compat._request.tool_result_texts import (
    as_json_object,
    describe_media,
    read_text_data,
    rest_of_media,
    to_json_text,
    wrap_references,
)
from langchain_gemini_compat._wire.json_types import list_at, object_at, text_at
from langchain_gemini_compat._wire.media import decode_base64, is_public_url, scheme_of, split_data_url
from langchain_gemini_compat.errors import UnsupportedContentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_core.messages import BaseMessage
    from langchain_core.prompt_values import PromptValue

    from langchain_gemini_compat._catalog.models import ModelFamily
    from langchain_gemini_compat._catalog.surfaces import Endpoint
    from langchain_gemini_compat._request.content_blocks import Block
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: The content of a tool result that consists only of media, if these media are sent in the next user message.
FOLLOWS = '{"output":"The next user message holds the output."}'
#: MIME types that Google documents for Gemini. Google answers 400 to any other type (`Unsupported MIME type`).
GEMINI_TAKES = frozenset(
    {
        "image/png", "image/jpeg", "image/webp", "image/heic", "image/heif", "application/pdf", "text/plain",
        "audio/wav", "audio/mp3", "audio/mpeg", "audio/mpga", "audio/mp4", "audio/m4a", "audio/aac", "audio/x-aac",
        "audio/aiff", "audio/flac", "audio/ogg", "audio/opus", "audio/pcm", "audio/webm",
        "video/mp4", "video/mpeg", "video/mpegs", "video/mpegps", "video/mpg", "video/quicktime", "video/avi",
        "video/x-flv", "video/webm", "video/wmv", "video/3gpp",
    }
)  # fmt: skip
#: MIME types that OpenAI's API accepts. Other compatible servers differ.
_OTHERS_TAKE = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif", "application/pdf"})
_OTHERS_TAKE_KINDS = ("audio", "video")
#: Maps the `source_type` of a LangChain v0 block to the key that the block must have. Without this key, langchain-core
#: raises a `KeyError`.
_V0_KEYS = {"url": "url", "base64": "data", "id": "id", "text": "url"}
#: Maximum depth to which nested `tool_result` blocks are read.
_MOST_NESTED = 20


@dataclass(frozen=True, slots=True)
class ToolResult:
    """An encoded tool result."""

    #: The result in wire form.
    message: JsonObject
    #: Content parts that are sent in a user message after the tool results, because the tool result cannot contain
    #: them.
    following: list[JsonObject]
    #: The texts of the notes.
    notes: list[str]


@dataclass(slots=True)
class _Contents:
    """The parsed contents of a result: texts with their `extra_content`, and the media that can be sent."""

    texts: list[tuple[str, JsonObject | None]] = field(default_factory=list)
    media: list[tuple[Media, JsonObject]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def encode_tool_result(
    message: ToolMessage, endpoint: Endpoint, family: ModelFamily, *, call_id: str, name: str | None
) -> ToolResult:
    """Return a tool result in the form that the endpoint accepts. No result raises an error.

    Args:
        message: The caller's message.
        endpoint: The surface, host and model.
        family: The family of the model.
        call_id: The wire id of the call.
        name: The wire name of the tool, if it is known.
    """
    encoded: JsonObject = {"role": "tool", "tool_call_id": call_id}
    if name:
        # AI Studio answers 400 to a result without `name`. The value must be the function's name, not the id.
        encoded["name"] = name
    found = _read_contents(message.content, endpoint, family)
    own = as_json_object(message.additional_kwargs.get("extra_content"))
    if message.additional_kwargs.get("extra_content") and own is None:
        found.notes.append("`extra_content` of a tool's result was left out: it is not a JSON object.")
    text = _join_texts(
        found.texts, [] if own is None else _part_names(own), wrapped=_reads_references(endpoint, family)
    )
    following: list[JsonObject] = []
    if not found.media:
        encoded["content"] = text or "{}"
    elif isinstance(text, str) and _can_go_beside(found.media, endpoint, family):
        encoded["content"] = _content_with_references("\n".join(one for one, _ in found.texts), len(found.media))
        parts: list[JsonValue] = [_result_part(media, number) for number, (media, _) in enumerate(found.media, 1)]
        own = _with_parts(own or {}, parts)
    else:
        encoded["content"] = text or FOLLOWS
        found.notes.extend(_describe_following(found.media, endpoint, family))
        following = [encode_media(media, keys, endpoint) for media, keys in found.media]
        following.insert(0, {"type": "text", "text": f"Output of {name or 'the tool'} (call {call_id}):"})
    return ToolResult({**encoded, "extra_content": own} if own else encoded, following, found.notes)


def shield_results(prompt: PromptValue) -> PromptValue:
    """Return `prompt`. Wrap the blocks of tool results for which langchain-core would raise an error."""
    if not isinstance(prompt, ChatPromptValue) or not any(map(_breaks_core, _result_blocks(prompt.messages))):
        return prompt
    return prompt.model_copy(update={"messages": [_shield(message) for message in prompt.messages]})


def _result_blocks(messages: Sequence[BaseMessage]) -> Iterator[JsonValue]:
    for message in messages:
        if isinstance(message.content, list) and isinstance(message, (ToolMessage, FunctionMessage)):
            yield from message.content


def _shield(message: BaseMessage) -> BaseMessage:
    blocks = [*_result_blocks([message])]
    if not any(map(_breaks_core, blocks)):
        return message
    shielded = [{"type": "non_standard", "value": block} if _breaks_core(block) else block for block in blocks]
    return message.model_copy(update={"content": shielded})


def _breaks_core(block: JsonValue) -> bool:
    """Return whether `_normalize_messages` or `_format_for_tracing` of langchain-core raises an error for a block."""
    if not isinstance(block, dict):
        return False
    kind, source = block.get("type"), block.get("source_type")
    if isinstance(kind, (dict, list)) or isinstance(source, (dict, list)):
        return True
    if kind not in ("image", "audio", "file"):
        return False
    if source and _V0_KEYS.get(str(source), "type") not in block:
        return True
    is_traceable = any(key in block for key in ("url", "file_id", "mime_type")) or source == "id"
    return kind == "image" and ("base64" in block or "text" in block or bool(source)) and not is_traceable


def _read_contents(content: object, endpoint: Endpoint, family: ModelFamily) -> _Contents:
    if isinstance(content, str):
        return _Contents([(content, None)])
    found = _Contents()
    for block in _flatten(content, _MOST_NESTED):
        extra = as_json_object(block.extra)
        if block.extra and extra is None:
            found.notes.append("`extra_content` in a tool's result was left out: it is not a JSON object.")
        if isinstance(block.content, Media):
            _add_media(found, block.content, block.raw, {"extra_content": extra} if extra else {}, endpoint, family)
        else:
            found.texts.append((to_json_text(block.raw) if block.content is None else block.content, extra))
    return found


@dataclass(frozen=True, slots=True)
class _ResultBlock:
    """A parsed block of a tool result."""

    #: The text or media of the block; `None` if the block is other JSON that the tool has returned.
    content: str | Media | None
    #: The caller's block.
    raw: JsonValue
    #: The `extra_content` that the caller has set on the block.
    extra: JsonValue


def _flatten(content: object, depth: int) -> Iterator[_ResultBlock]:
    """Yield the blocks of a result, including those in Anthropic's nested `tool_result` blocks."""
    if content is None:
        return
    for given in content if isinstance(content, (list, tuple)) else [content]:
        block = parse_block(cast("JsonValue", given))
        raw = block.raw
        if isinstance(raw, dict) and raw.get("type") == "tool_result" and raw.get("content") and depth:
            yield from _flatten(raw["content"], depth - 1)
        else:
            yield _read_block(block, cast("JsonValue", given))


def _read_block(block: Block, given: JsonValue) -> _ResultBlock:
    """Return a block of a tool result, read as text, as media, or as the tool's own JSON."""
    raw, content = block.raw, block.content
    extra = read_own_extra(raw) if isinstance(content, (Text, Media)) else None
    if isinstance(given, str):
        return _ResultBlock(given, given, extra)
    if isinstance(raw, dict) and isinstance(content, Text) and ("type" in raw or raw.keys() == {"text"}):
        return _ResultBlock(_result_text(raw, content.text), raw, extra)
    # A block in the form of Google's API can have both text and media. Reading it as text would lose the media.
    found = read_media(raw) if isinstance(raw, dict) and isinstance(content, Text) else content
    media = _sendable_media(found) if isinstance(found, Media) else None
    return _ResultBlock(media, given if media is None else raw, extra)


def _result_text(raw: JsonObject, text: str) -> str | None:
    """Return the text of a text block; `None` for a tool's own JSON, whose `type` may also be `text`."""
    if raw.get("type") == "text" and not isinstance(raw.get("text"), str):
        return None if len(raw) > 1 else ""
    address = text_at(object_at(raw, "resource"), "uri")
    return f"{address}:\n{text}" if text and address else text


def _sendable_media(media: Media) -> Media | None:
    """Return `media` in the form in which they are sent; `None` if they have no data, URL or file id.

    A block without any of these is a tool's own JSON.
    """
    if not (media.data or media.location):
        return None
    parts = split_data_url(media.url) if media.url else None
    if parts:
        media = replace(media, mime_type=parts[0] or media.mime_type, data=parts[1], url=None)
    # An image in a `file` block becomes an `image` block, because surfaces accept more forms of `image` blocks.
    is_image = media.kind == "file" and (media.known_mime_type or "").startswith("image/")
    return replace(media, kind="image") if is_image else media


def _add_media(
    found: _Contents, media: Media, block: JsonValue, keys: JsonObject, endpoint: Endpoint, family: ModelFamily
) -> None:
    """Add `media` to `found.media`, or add a text in place of the media to `found.texts`.

    - Media that cannot be sent are described in words.
    - Textual media are decoded, if the endpoint does not accept their type in a result.
    """
    text = None if endpoint.takes_in_result(media.known_mime_type, family) else read_text_data(media)
    if text is not None:
        found.texts.append((text, None))
        return
    why = _why_unsendable(media, endpoint, family)
    if why is None:
        rest = rest_of_media(block)
        if rest:
            found.texts.append((rest, None))
        mark = block.get("cache_control") if isinstance(block, dict) else None
        usable = as_json_object(mark)
        found.media.append((media, {**keys, "cache_control": usable} if usable else keys))
        return
    found.texts.append((describe_media(media, block), None))
    found.notes.append(f"An attachment of kind {media.kind!r} in a tool's result was sent as text: {why}.")


def _why_unsendable(media: Media, endpoint: Endpoint, family: ModelFamily) -> str | None:
    """Return the reason why `endpoint` does not accept `media` in a result; `None` if it accepts them."""
    is_gemini = endpoint.speaks_gemini or family.is_gemini
    if media.data and decode_base64(media.data) is None:
        return "its data is not valid base64"
    if media.url and (
        scheme_of(media.url) not in ("http", "https", "gs") or not _is_reachable(media.url, is_gemini=is_gemini)
    ):
        return "the server cannot reach its URI"
    refused_type = None if media.file_id else _refused_type(media, endpoint, family, is_gemini=is_gemini)
    if refused_type:
        return refused_type
    try:
        encode_media(media, {}, endpoint)
    except UnsupportedContentError as err:
        return str(err).partition(" Remove or convert it.")[0].rstrip(".")
    return None


def _refused_type(media: Media, endpoint: Endpoint, family: ModelFamily, *, is_gemini: bool) -> str | None:
    """Return the reason why the MIME type of `media` is refused; `None` if it is accepted.

    An unknown MIME type counts as refused, because the server could answer 400 to a type guessed from `media.kind`.
    """
    mime_type = (media.known_mime_type or "").partition(";")[0]
    if media.kind != "image" and replace(media, kind="file").known_mime_type is None:
        return "its MIME type is not known"
    kind = "pdf" if mime_type == "application/pdf" else mime_type.partition("/")[0]
    if is_gemini:
        is_office = mime_type in OFFICE_TYPES and endpoint.takes_office_files(family)
        is_taken = is_office or (mime_type in GEMINI_TAKES and kind in family.inputs)
        return None if is_taken else f"{family.name} does not accept {mime_type}"
    is_taken = mime_type in _OTHERS_TAKE or kind in _OTHERS_TAKE_KINDS
    return None if is_taken else f"this surface does not accept {mime_type}"


def _is_reachable(url: str, *, is_gemini: bool) -> bool:
    """Return whether the server may be able to fetch `url`. Google fetches only public URLs and `gs` URIs.

    What other servers can fetch is unknown, so the result for other servers is always `True`.
    """
    return scheme_of(url) == "gs" or not is_gemini or is_public_url(url)


def _join_texts(
    texts: Sequence[tuple[str, JsonObject | None]], names: Sequence[str], *, wrapped: bool
) -> str | list[JsonValue]:
    """Return the joined texts, or a list of parts if one of the texts has its own `extra_content`."""
    if not any(extra for _, extra in texts):
        text = "\n".join(text for text, _ in texts)
        return wrap_references(text, names) if wrapped else text
    parts: list[JsonValue] = []
    for text, extra in texts:
        if text:
            sent = wrap_references(text, names) if wrapped else text
            parts.append({"type": "text", "text": sent, **({"extra_content": extra} if extra else {})})
    return parts


def _reads_references(endpoint: Endpoint, family: ModelFamily) -> bool:
    """Return whether the model may be a Gemini model, which reads `{"$ref": …}` in a result as a reference to media."""
    return endpoint.speaks_gemini or family.is_gemini or "gemini" in endpoint.model.lower()


def _can_go_beside(found: Sequence[tuple[Media, JsonObject]], endpoint: Endpoint, family: ModelFamily) -> bool:
    """Return whether a tool result can contain all the media in `found`.

    The endpoint must accept all their MIME types in results, and no media block may have its own `extra_content`.
    """
    return all(
        endpoint.takes_in_result(media.known_mime_type, family) and "extra_content" not in keys for media, keys in found
    )


def _describe_following(
    found: Sequence[tuple[Media, JsonObject]], endpoint: Endpoint, family: ModelFamily
) -> Iterator[str]:
    """Yield a note for each MIME type in `found` that the endpoint does not accept in a tool result.

    If the endpoint accepts no media in results at all, yield nothing.
    """
    types = dict.fromkeys(media.known_mime_type for media, _ in found)
    if endpoint.takes_media_in_results(family):
        for mime_type in types:
            if not endpoint.takes_in_result(mime_type, family):
                yield f"Media of type {mime_type} were moved to a user message: a tool's result cannot contain them."


def _result_part(media: Media, number: int) -> JsonObject:
    """Return media as a part of the result: `file_data` or `inline_data`, as on Google's examples page."""
    head: JsonObject = {"mime_type": media.known_mime_type, "display_name": _reference(number)}
    if media.data:
        return {"inline_data": {**head, "data": media.data}}
    return {"file_data": {**head, "file_uri": media.location}}


def _with_parts(own: JsonObject, parts: list[JsonValue]) -> JsonObject:
    """Return the caller's `extra_content` with `parts` appended to the parts that it already contains."""
    google = object_at(own, "google")
    return {**own, "google": {**google, "parts": [*list_at(google, "parts"), *parts]}}


def _part_names(own: JsonObject) -> list[str]:
    """Return the names of the media parts in the caller's `extra_content`. A `$ref` in the result may name them."""
    parts = (part for part in list_at(object_at(own, "google"), "parts") if isinstance(part, dict))
    return [text_at(inner, "display_name") for part in parts for inner in part.values() if isinstance(inner, dict)]


def _content_with_references(text: str, count: int) -> str:
    """Return the content of a result as JSON: the tool's text, and a reference to each media part by name."""
    content: JsonObject = {"output": text} if text else {}
    references: JsonObject = {name: {"$ref": name} for name in map(_reference, range(1, count + 1))}
    return json.dumps({**content, **references}, ensure_ascii=False)


def _reference(number: int) -> str:
    return f"media_{number}"
