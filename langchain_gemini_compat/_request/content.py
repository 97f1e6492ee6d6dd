"""Encodes parsed content blocks as wire content parts.

A block that the surface does not accept raises an error that lists the accepted kinds. No URL is fetched here. Source
of the wire forms: Google's OpenAI-compatibility pages. An `image_url` part contains the URL of an image, or media of
any kind as a `data:` URL. On Vertex, a file with a URI is sent as an `input_audio` part, because no other part has both
a URI and a MIME type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_gemini_compat._request.content_blocks import Media, Silent, Text, type_of
from langchain_gemini_compat._wire.media import scheme_of
from langchain_gemini_compat.errors import UnsupportedContentError

if TYPE_CHECKING:
    from collections.abc import Collection

    from langchain_gemini_compat._catalog.surfaces import Endpoint, Surface
    from langchain_gemini_compat._request.content_blocks import Block, Content
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

_TAKES: dict[Surface, str] = {
    "vertex": "text; images by https or gs:// URL or base64; audio, video, PDF and other files by URL with "
    "`mime_type` or base64",
    "ai_studio": "text; images by https URL or base64; audio, video, PDF and other files by base64",
    "openai_compatible": "text; images by URL or base64; audio by base64; files by base64 or file id; video by URL",
}
#: The short names of MP3 and WAV in OpenAI's API. Other audio formats are sent as a MIME type or subtype.
_AUDIO_FORMATS = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav"}
#: Types of blocks for tools that another provider ran on its own server.
_SERVER_TOOLS = frozenset(
    {"server_tool_call", "server_tool_result", "server_tool_use", "web_search_call", "code_interpreter_call"}
)
#: Keys of a server tool's block that contain the input or output of the tool.
_SERVER_TOOL_KEYS = ("args", "input", "output", "outputs", "content", "action", "code")
#: Media options of Google's own packages, in snake and camel case. No source shows that this API has a field for such
#: an option.
_MEDIA_OPTIONS = ("video_metadata", "videoMetadata", "media_resolution", "mediaResolution")


def encode_content(content: Content, endpoint: Endpoint) -> str | list[JsonObject]:
    """Return a message's content in wire form. A string stays a string; empty parts are left out."""
    if isinstance(content, str):
        return content
    parts = (encode_part(block, endpoint) for block in content)
    return [part for part in parts if part is not None]


def encode_part(block: Block, endpoint: Endpoint) -> JsonObject | None:
    """Return the content part for a block; `None` for empty text and for `Silent` blocks, which are not sent.

    Raises:
        UnsupportedContentError: `endpoint` does not accept the block.
    """
    content, raw = block.content, block.raw
    if isinstance(content, Silent):
        return None
    if isinstance(content, Text):
        part: JsonObject | None = {"type": "text", "text": content.text} if content.text else None
        return _with_own_keys(part, raw, endpoint) if part and isinstance(raw, dict) else part
    if not isinstance(raw, dict):
        raise _unsupported(f"A block that is a {type(raw).__name__}", endpoint)
    if isinstance(content, Media):
        return encode_media(content, raw, endpoint)
    if endpoint.speaks_gemini:
        raise _unsupported(f"A block of type {raw.get('type')!r}", endpoint)
    return {**raw}


def encode_media(media: Media, keys: JsonObject, endpoint: Endpoint) -> JsonObject:
    """Return the content part for `media`.

    `keys` is the caller's block. Its `extra_content` is added to the part. For servers other than Google's, the
    `cache_control` of the block is also added.

    Raises:
        UnsupportedContentError: `endpoint` does not accept the media.
    """
    return _with_own_keys(_encode_media(media, endpoint), keys, endpoint)


def join_text(content: Content) -> str:
    """Return the joined text of all text blocks of a message's content."""
    if isinstance(content, str):
        return content
    return "".join(block.content.text for block in content if isinstance(block.content, Text))


def is_lost(block: JsonValue, call_ids: Collection[str]) -> bool:
    """Return whether content is lost if a `Silent` block is left out of the request.

    This is the case for a server tool's block with input or output. It is also the case for a tool call block whose id
    is not in `call_ids`.

    Args:
        block: The caller's content block.
        call_ids: The ids of the message's tool calls.
    """
    if not isinstance(block, dict):
        return False
    kind = type_of(block)
    if kind in _SERVER_TOOLS:
        return any(block.get(key) for key in _SERVER_TOOL_KEYS)
    return kind in ("tool_use", "tool_call") and str(block.get("id") or "") not in call_ids


def read_refusal(block: Block) -> str:
    """Return the text of a block in which the model refuses to answer; an empty string for any other block.

    A refusal block that reports a content filter also gives an empty string.

    >>> from langchain_gemini_compat._request.content_blocks import parse_block
    >>> [read_refusal(parse_block(block)) for block in ({"type": "refusal", "refusal": "No."}, "Yes.")]
    ['No.', '']
    """
    raw = block.raw
    if not isinstance(raw, dict) or raw.get("type") != "refusal":
        return ""
    extras, text = raw.get("extras"), raw.get("refusal")
    by_filter = isinstance(extras, dict) and "finish_reason" in extras
    return text if isinstance(text, str) and not by_filter else ""


def read_own_extra(raw: JsonValue) -> JsonValue:
    """Return the caller's `extra_content` of a block. langchain-core moves this key into `extras` in some blocks."""
    if not isinstance(raw, dict):
        return None
    extras = raw.get("extras")
    return raw.get("extra_content") or (extras.get("extra_content") if isinstance(extras, dict) else None)


def read_media_options(block: Block) -> list[str]:
    """Return the names of a block's media options, such as a resolution, that only Google's own API accepts.

    >>> from langchain_gemini_compat._request.content_blocks import parse_block
    >>> block = {"type": "media", "file_uri": "gs://b/a.mp4", "video_metadata": {"fps": 1}}
    >>> read_media_options(parse_block(block))
    ['video_metadata']
    """
    raw = block.raw
    if not isinstance(raw, dict) or not isinstance(block.content, Media):
        return []
    extras = raw.get("extras")
    places = [raw, extras] if isinstance(extras, dict) else [raw]
    return [name for name in _MEDIA_OPTIONS if any(place.get(name) is not None for place in places)]


def _encode_media(media: Media, endpoint: Endpoint) -> JsonObject:
    if not endpoint.speaks_gemini:
        return _encode_openai_media(media, endpoint)
    return _encode_bytes(media, endpoint) if media.data else _encode_location(media, endpoint)


def _encode_bytes(media: Media, endpoint: Endpoint) -> JsonObject:
    mime_type = media.known_mime_type
    if mime_type is None:
        raise _unsupported(f"A block of type {media.kind!r} without `mime_type`", endpoint)
    if media.kind == "audio":
        return _input_audio(media, media.audio_format or _AUDIO_FORMATS.get(mime_type, mime_type))
    return _image_url(f"data:{mime_type};base64,{media.data}", media)


def _encode_location(media: Media, endpoint: Endpoint) -> JsonObject:
    by_url = endpoint.takes_files_by_url
    url = media.location
    scheme = scheme_of(url)
    if scheme == "data" or (media.kind == "image" and scheme in ("https", "http", "gs") and (by_url or scheme != "gs")):
        is_plain = media.plain and endpoint.takes_plain_image_url
        return {"type": "image_url", "image_url": url} if is_plain else _image_url(url, media)
    if by_url and scheme in ("gs", "https", "http"):
        mime_type = media.audio_format or media.known_mime_type
        if mime_type is None:
            raise _unsupported(f"A block of type {media.kind!r} by URL without `mime_type`", endpoint)
        return _input_audio(media, mime_type)
    raise _unsupported(f"A block of type {media.kind!r} {_describe_place(media, scheme)}", endpoint)


def _encode_openai_media(media: Media, endpoint: Endpoint) -> JsonObject:
    mime_type = media.known_mime_type or "application/octet-stream"
    url = f"data:{mime_type};base64,{media.data}" if media.data else media.url
    if media.kind == "image" and url:
        return _image_url(url, media)
    if media.kind == "audio" and (media.data or media.carried):
        short = _AUDIO_FORMATS.get(mime_type, mime_type.removeprefix("audio/"))
        return _input_audio(media, media.audio_format or short)
    if media.kind == "video" and url:
        return {"type": "video_url", "video_url": {"url": url}}
    if media.file_id:
        return {"type": "file", "file": {"file_id": media.file_id}}
    if media.kind == "file" and media.data:
        return {"type": "file", "file": {"filename": media.name or "file", "file_data": url}}
    raise _unsupported(f"A block of type {media.kind!r} {_describe_place(media, scheme_of(url or ''))}", endpoint)


def _image_url(url: str, media: Media) -> JsonObject:
    image: JsonObject = {"url": url}
    if media.detail:
        image["detail"] = media.detail
    return {"type": "image_url", "image_url": image}


def _input_audio(media: Media, audio_format: str) -> JsonObject:
    return {"type": "input_audio", "input_audio": {"data": media.data or media.location, "format": audio_format}}


def _with_own_keys(part: JsonObject, raw: JsonObject, endpoint: Endpoint) -> JsonObject:
    """Return the part with the caller's `extra_content`. For servers other than Google's, also add `cache_control`."""
    extra = read_own_extra(raw)
    own: JsonObject = {"extra_content": extra} if extra else {}
    if "cache_control" in raw and not endpoint.speaks_gemini:
        own["cache_control"] = raw["cache_control"]
    return {**part, **own}


def _describe_place(media: Media, scheme: str) -> str:
    if media.file_id:
        return "by file id"
    if not media.url:
        return "without `url` or `base64`"
    return f"by {scheme}: URL" if scheme else "by a path that is not a URL"


def _unsupported(what: str, endpoint: Endpoint) -> UnsupportedContentError:
    name = "a self-deployed model" if endpoint.self_deployed else f"surface {endpoint.surface!r}"
    takes = _TAKES[endpoint.dialect]
    return UnsupportedContentError(f"{what} is not accepted by {name}. Remove or convert it. Accepted: {takes}.")
