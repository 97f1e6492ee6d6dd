"""LangChain content blocks to content parts of the wire, or a refusal that lists what the surface takes.

Its one rule: no URL is ever fetched here; it travels as a URL or not at all. Source of the forms: Google's
OpenAI-compatibility pages. `image_url` carries images by URL and any media as a `data:` URL; `input_audio` is the
one part that carries a URI together with a MIME type (Vertex), so files by URI go there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from langchain_gemini_compat._request.content_blocks import read_media, read_text
from langchain_gemini_compat._wire.media import scheme_of
from langchain_gemini_compat.errors import UnsupportedContentError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from langchain_gemini_compat._catalog.surfaces import Endpoint, Surface
    from langchain_gemini_compat._request.content_blocks import Media
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

_TAKES: dict[Surface, str] = {
    "vertex": "text; images by https or gs:// URL or base64; audio, video, PDF and other files by URL with "
    "`mime_type` or base64",
    "ai_studio": "text; images by https URL or base64; audio, video, PDF and other files by base64",
    "openai_compatible": "text; images by URL or base64; audio by base64; files by base64 or file id; video by URL",
}
#: Blocks of an assistant's turn that are no content of the next request: they are encoded elsewhere or not at all.
_SILENT = frozenset(
    {
        "reasoning", "thinking", "redacted_thinking", "thought", "tool_use", "tool_call", "tool_call_chunk",
        "invalid_tool_call", "function_call", "function_call_signature", "refusal", "server_tool_call",
        "server_tool_call_chunk", "server_tool_result", "server_tool_use", "web_search_call", "code_interpreter_call",
    }
)  # fmt: skip
#: OpenAI's short names for the two audio formats it knows; other servers know the MIME subtype.
_AUDIO_FORMATS = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav"}

#: Tools that another provider ran, and where their blocks keep what was asked and answered.
_SERVER_TOOLS = frozenset(
    {"server_tool_call", "server_tool_result", "server_tool_use", "web_search_call", "code_interpreter_call"}
)
_SERVER_TOOL_KEYS = ("args", "input", "output", "outputs", "content", "action", "code")

#: Google's own packages take them in snake and camel case. No source shows a field for them on this API.
_MEDIA_OPTIONS = ("video_metadata", "videoMetadata", "media_resolution", "mediaResolution")
#: Nested wrappings of one block that are opened at most, since a block may hold itself.
_MOST_WRAPPINGS = 50

BlockKind: TypeAlias = Literal["text", "media", "silent", "unknown"]


def block_kind(block: JsonValue) -> BlockKind:
    """What a block is to a request: text, media, no content (thoughts, calls), or nothing we know."""
    if isinstance(block, str):
        return "text"
    if not isinstance(block, dict):
        return "unknown"
    kind = _type_of(block)
    if kind in _SILENT:
        return "silent"
    if kind == "non_standard":
        return block_kind(unwrap(block))
    if read_text(block) is not None:
        return "text"
    return "unknown" if read_media(block) is None else "media"


def unwrap(block: JsonValue) -> JsonValue:
    """Return the block inside of `non_standard` blocks; `None` if they are nested too deep."""
    for _ in range(_MOST_WRAPPINGS):
        if not isinstance(block, dict) or block.get("type") != "non_standard":
            return block
        block = block.get("value")
    return None


def is_lost(block: JsonValue, calls: Collection[str]) -> bool:
    """Whether a block that is no content says what nothing else says; `calls` are the ids of the message's calls."""
    if not isinstance(block, dict):
        return False
    kind = _type_of(block)
    if kind in _SERVER_TOOLS:
        return any(block.get(key) for key in _SERVER_TOOL_KEYS)
    return kind in ("tool_use", "tool_call") and str(block.get("id") or "") not in calls


def read_refusal(block: JsonValue) -> str:
    """What an assistant said in a `refusal` block; empty for others, and for a filter's, which nobody said.

    >>> read_refusal({"type": "refusal", "refusal": "No."}), read_refusal({"type": "text", "text": "Yes."})
    ('No.', '')
    """
    if isinstance(block, dict) and block.get("type") == "non_standard":
        return read_refusal(unwrap(block))
    if not isinstance(block, dict) or block.get("type") != "refusal":
        return ""
    extras, text = block.get("extras"), block.get("refusal")
    by_filter = isinstance(extras, dict) and "finish_reason" in extras
    return text if isinstance(text, str) and not by_filter else ""


def own_extra(block: JsonValue) -> JsonValue:
    """The caller's `extra_content` of a block; langchain-core moves it into `extras` of some."""
    if not isinstance(block, dict):
        return None
    if block.get("type") == "non_standard":
        return own_extra(unwrap(block))
    extras = block.get("extras")
    return block.get("extra_content") or (extras.get("extra_content") if isinstance(extras, dict) else None)


def read_media_options(block: JsonValue) -> list[str]:
    """Return the media options of a block that only Google's own API takes: frames, offsets, resolution.

    >>> read_media_options({"type": "media", "file_uri": "gs://b/a.mp4", "video_metadata": {"fps": 1}})
    ['video_metadata']
    """
    inner = unwrap(block)
    if not isinstance(inner, dict):
        return []
    extras = inner.get("extras")
    places = [inner, extras] if isinstance(extras, dict) else [inner]
    found = [name for name in _MEDIA_OPTIONS if any(place.get(name) is not None for place in places)]
    return found if found and block_kind(inner) == "media" else []


def encode_content(content: str | Sequence[JsonValue], endpoint: Endpoint) -> str | list[JsonObject]:
    """A message's content as the wire takes it; a string stays a string, empty parts are left out."""
    if isinstance(content, str):
        return content
    parts = (encode_part(block, endpoint) for block in content)
    return [part for part in parts if part is not None]


def encode_part(block: JsonValue, endpoint: Endpoint) -> JsonObject | None:
    """One block as a part; `None` for blocks that are no content (thoughts, calls, empty text).

    Raises `UnsupportedContentError` for a block that `endpoint` has no form for.
    """
    if isinstance(block, str):
        return _text_part(block)
    if not isinstance(block, dict):
        raise _refuse(f"A block that is a {type(block).__name__}", endpoint)
    kind = _type_of(block)
    if kind in _SILENT:
        return None
    if kind == "non_standard":
        return encode_part(unwrap(block), endpoint)
    text = read_text(block)
    if text is not None:
        part = _text_part(text)
        return part and _with_own_keys(part, block, endpoint)
    media = read_media(block)
    if media is not None:
        return encode_media(media, block, endpoint)
    if endpoint.speaks_gemini:
        raise _refuse(f"A block of type {block.get('type')!r}", endpoint)
    return {**block}


def encode_media(media: Media, block: JsonObject, endpoint: Endpoint) -> JsonObject:
    """`media`, read from `block`, as a part; raises `UnsupportedContentError` where `endpoint` has no form for it."""
    return _with_own_keys(_encode_media(media, endpoint), block, endpoint)


def text_of(content: str | Sequence[JsonValue]) -> str:
    """The text of a message's content, blocks joined."""
    if isinstance(content, str):
        return content
    texts = (read_text(block) if isinstance(block, dict) else block for block in content)
    return "".join(text for text in texts if isinstance(text, str))


def _type_of(block: JsonObject) -> str | None:
    """Return the block's `type` if it is a string. A tool's own JSON may have any value there."""
    kind = block.get("type")
    return kind if isinstance(kind, str) else None


def _text_part(text: str) -> JsonObject | None:
    return {"type": "text", "text": text} if text else None


def _encode_media(media: Media, endpoint: Endpoint) -> JsonObject:
    if not endpoint.speaks_gemini:
        return _encode_openai_media(media, endpoint)
    return _encode_bytes(media, endpoint) if media.data else _encode_location(media, endpoint)


def _encode_bytes(media: Media, endpoint: Endpoint) -> JsonObject:
    mime_type = media.known_mime_type
    if mime_type is None:
        raise _refuse(f"A block of type {media.kind!r} without `mime_type`", endpoint)
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
            raise _refuse(f"A block of type {media.kind!r} by URL without `mime_type`", endpoint)
        return _input_audio(media, mime_type)
    raise _refuse(f"A block of type {media.kind!r} {_describe(media, scheme)}", endpoint)


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
    raise _refuse(f"A block of type {media.kind!r} {_describe(media, scheme_of(url or ''))}", endpoint)


def _image_url(url: str, media: Media) -> JsonObject:
    image: JsonObject = {"url": url}
    if media.detail:
        image["detail"] = media.detail
    return {"type": "image_url", "image_url": image}


def _input_audio(media: Media, audio_format: str) -> JsonObject:
    return {"type": "input_audio", "input_audio": {"data": media.data or media.location, "format": audio_format}}


def _with_own_keys(part: JsonObject, block: JsonObject, endpoint: Endpoint) -> JsonObject:
    """The caller's `extra_content` as it is; cache marks only where a gateway may know them."""
    extra = own_extra(block)
    if extra:
        part["extra_content"] = extra
    if "cache_control" in block and not endpoint.speaks_gemini:
        part["cache_control"] = block["cache_control"]
    return part


def _describe(media: Media, scheme: str) -> str:
    if media.file_id:
        return "by file id"
    if not media.url:
        return "without `url` or `base64`"
    return f"by {scheme}: URL" if scheme else "by a path that is no URL"


def _refuse(what: str, endpoint: Endpoint) -> UnsupportedContentError:
    name = "a self-deployed model" if endpoint.self_deployed else f"surface {endpoint.surface!r}"
    takes = _TAKES[endpoint.dialect]
    return UnsupportedContentError(f"{what} has no form on {name}. It takes: {takes}.")
