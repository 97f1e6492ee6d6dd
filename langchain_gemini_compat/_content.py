"""LangChain content blocks to content parts of the wire, or a refusal that lists what the surface takes.

Its one rule: no URL is ever fetched here; it travels as a URL or not at all. Source of the forms: Google's
OpenAI-compatibility pages. `image_url` carries images by URL and any media as a `data:` URL; `input_audio` is the
one part that carries a URI together with a MIME type (Vertex), so files by URI go there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from langchain_gemini_compat.errors import UnsupportedContentError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_gemini_compat._surfaces import Endpoint, Surface
    from langchain_gemini_compat._wire import JsonObject, JsonValue

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
_DEFAULT_MIME = {"image": "image/jpeg", "audio": "audio/wav", "video": "video/mp4", "file": "application/pdf"}
#: OpenAI's short names for the two audio formats it knows; other servers know the MIME subtype.
_AUDIO_FORMATS = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav"}


@dataclass(frozen=True, slots=True)
class Media:
    """A block of media, whichever of the many spellings it came in; exactly one of `url`, `data`, `file_id` is set."""

    kind: str
    mime_type: str | None
    url: str | None = None
    data: str | None = None
    file_id: str | None = None
    name: str | None = None
    detail: str | None = None
    verbatim_format: str | None = None
    #: `image_url` came as a plain string, a form that Vertex documents and others do not.
    plain: bool = False

    @property
    def data_url(self) -> str:
        """The bytes as a `data:` URL."""
        return f"data:{self.known_mime_type};base64,{self.data}"

    @property
    def known_mime_type(self) -> str:
        """The MIME type, or the commonest of its kind."""
        return self.mime_type or _DEFAULT_MIME.get(self.kind, "application/octet-stream")


def encode_content(content: str | Sequence[JsonValue], endpoint: Endpoint) -> str | list[JsonObject]:
    """A message's content as the wire takes it; a string stays a string, empty parts are left out."""
    if isinstance(content, str):
        return content
    parts = (encode_part(block, endpoint) for block in content)
    return [part for part in parts if part is not None]


def encode_part(block: JsonValue, endpoint: Endpoint) -> JsonObject | None:
    """One block as a part; `None` for blocks that are no content (thoughts, calls, empty text)."""
    if isinstance(block, str):
        return {"type": "text", "text": block} if block else None
    if not isinstance(block, dict):
        raise _refuse(repr(block), endpoint)
    kind = block.get("type")
    if kind in _SILENT:
        return None
    if kind == "non_standard":
        return encode_part(block.get("value"), endpoint)
    if kind in ("text", "text-plain") or (kind is None and "text" in block):
        part = _encode_text(block)
    else:
        media = read_media(block)
        if media is None:
            return _encode_unknown(block, endpoint)
        part = _encode_media(media, endpoint)
    return _with_extra_content(part, block)


def read_media(block: JsonObject) -> Media | None:
    """A block of media in any of its spellings, or `None` when it is none."""
    kind = block.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    return reader(block) if reader else None


def text_of(content: str | Sequence[JsonValue]) -> str:
    """The text of a message's content, blocks joined."""
    if isinstance(content, str):
        return content
    texts: list[str] = []
    for block in content:
        text = block.get("text") if isinstance(block, dict) and block.get("type", "text") == "text" else block
        if isinstance(text, str):
            texts.append(text)
    return "".join(texts)


def _encode_text(block: JsonObject) -> JsonObject | None:
    text = block.get("text")
    if not isinstance(text, str):
        text = block.get("base64") or block.get("url") or ""
    return {"type": "text", "text": text} if text else None


def _encode_media(media: Media, endpoint: Endpoint) -> JsonObject:
    if not endpoint.speaks_gemini:
        return _encode_openai_media(media, endpoint)
    if media.data is not None:
        if media.kind == "audio":
            return _input_audio(media.data, media.verbatim_format or _google_audio_format(media, endpoint))
        return _image_url(media.data_url, media.detail)
    url = media.url or media.file_id or ""
    scheme = urlsplit(url).scheme
    if scheme == "data" or (media.kind == "image" and scheme in _image_schemes(endpoint)):
        plain = media.plain and endpoint.surface == "vertex"
        return {"type": "image_url", "image_url": url} if plain else _image_url(url, media.detail)
    if endpoint.surface == "vertex" and scheme in ("gs", "https", "http") and media.kind != "image":
        return _input_audio(url, media.verbatim_format or media.known_mime_type)
    raise _refuse(f"a block of type {media.kind!r} by {scheme or 'file id'}", endpoint)


def _image_schemes(endpoint: Endpoint) -> tuple[str, ...]:
    return ("https", "http", "gs") if endpoint.surface == "vertex" else ("https", "http")


def _encode_openai_media(media: Media, endpoint: Endpoint) -> JsonObject:
    url = media.data_url if media.data is not None else media.url
    if media.kind == "image" and url:
        return _image_url(url, media.detail)
    if media.kind == "audio" and media.data is not None:
        mime_type = media.known_mime_type
        return _input_audio(media.data, media.verbatim_format or _AUDIO_FORMATS.get(mime_type, mime_type[6:]))
    if media.kind == "video" and url:
        return {"type": "video_url", "video_url": {"url": url}}
    if media.file_id:
        return {"type": "file", "file": {"file_id": media.file_id}}
    if media.kind == "file" and media.data is not None:
        return {"type": "file", "file": {"filename": media.name or "file", "file_data": media.data_url}}
    raise _refuse(f"a block of type {media.kind!r} by URL", endpoint)


def _google_audio_format(media: Media, endpoint: Endpoint) -> str:
    mime_type = media.known_mime_type
    return mime_type if endpoint.surface == "vertex" else _AUDIO_FORMATS.get(mime_type, mime_type)


def _image_url(url: str, detail: str | None) -> JsonObject:
    image: JsonObject = {"url": url}
    if detail:
        image["detail"] = detail
    return {"type": "image_url", "image_url": image}


def _input_audio(data: str, audio_format: str) -> JsonObject:
    return {"type": "input_audio", "input_audio": {"data": data, "format": audio_format}}


def _encode_unknown(block: JsonObject, endpoint: Endpoint) -> JsonObject:
    if endpoint.speaks_gemini:
        raise _refuse(f"a block of type {block.get('type')!r}", endpoint)
    return block


def _with_extra_content(part: JsonObject | None, block: JsonObject) -> JsonObject | None:
    extras = block.get("extras")
    extra = block.get("extra_content") or (extras.get("extra_content") if isinstance(extras, dict) else None)
    if part is not None and extra:
        part["extra_content"] = extra
    return part


def _refuse(what: str, endpoint: Endpoint) -> UnsupportedContentError:
    name = "the model" if endpoint.self_deployed else endpoint.surface
    takes = _TAKES["openai_compatible" if endpoint.self_deployed else endpoint.surface]
    return UnsupportedContentError(f"{what} has no form on {name}. It takes: {takes}.")


def _text(block: JsonObject, *keys: str) -> str | None:
    for key in keys:
        value = block.get(key)
        if isinstance(value, str) and value:
            return value
    return None


def _read_image_url(block: JsonObject) -> Media:
    image = block.get("image_url")
    detail = image.get("detail") if isinstance(image, dict) else block.get("detail")
    url = image.get("url") if isinstance(image, dict) else image
    return Media(
        "image",
        None,
        url=url if isinstance(url, str) else "",
        detail=detail if isinstance(detail, str) else None,
        plain=isinstance(image, str),
    )


def _read_input_audio(block: JsonObject) -> Media:
    audio = block.get("input_audio")
    inner = audio if isinstance(audio, dict) else {}
    data, audio_format = _text(inner, "data") or "", _text(inner, "format") or "wav"
    mime_type = audio_format if "/" in audio_format else f"audio/{audio_format}"
    return _by_location("audio", mime_type, data, verbatim_format=audio_format)


def _by_location(kind: str, mime_type: str | None, data: str, verbatim_format: str | None = None) -> Media:
    if urlsplit(data[:12]).scheme in ("gs", "http", "https"):
        return Media(kind, mime_type, url=data, verbatim_format=verbatim_format)
    return Media(kind, mime_type, data=data, verbatim_format=verbatim_format)


def _read_standard(block: JsonObject) -> Media:
    """LangChain's own block (v1, and v0 with `source_type`), and Anthropic's with `source`."""
    source = block.get("source")
    if isinstance(source, dict):
        block = {"mime_type": source.get("media_type"), **source, "type": block.get("type")}
    kind, mime_type = str(block.get("type")), _text(block, "mime_type", "media_type")
    kind = "file" if kind == "document" else kind
    extras = block.get("extras")
    inner = extras if isinstance(extras, dict) else {}
    name, detail = _text(block, "filename", "name") or _text(inner, "filename", "name"), _text(inner, "detail")
    data = _text(block, "base64", "data")
    if data:
        return _standard_data(kind, mime_type, data, name, detail)
    url = _text(block, "url", "file_uri")
    if url:
        return Media(kind, mime_type, url=url, name=name, detail=detail)
    return Media(kind, mime_type, file_id=_text(block, "file_id", "id"), name=name)


def _standard_data(kind: str, mime_type: str | None, data: str, name: str | None, detail: str | None) -> Media:
    # langchain-core reads OpenAI's `input_audio` as base64 of type `audio/<format>`, whatever the two hold.
    if mime_type and mime_type.startswith("audio/") and "/" in mime_type[6:]:
        mime_type = mime_type[6:]
    by_location = _by_location(kind, mime_type, data)
    if by_location.url:
        return by_location
    return Media(kind, mime_type, data=data, name=name, detail=detail)


def _read_media(block: JsonObject) -> Media:
    """The `media` block of Google's own LangChain packages: MIME type and data or URI, any kind."""
    mime_type = _text(block, "mime_type") or ""
    kind = mime_type.partition("/")[0]
    media = _read_standard(block)
    return Media(
        kind if kind in _DEFAULT_MIME else "file", mime_type or None, media.url, media.data, media.file_id, media.name
    )


def _read_openai_file(block: JsonObject) -> Media:
    """OpenAI's `file` part nests its fields; LangChain's `file` block does not."""
    inner = block.get("file")
    if not isinstance(inner, dict):
        return _read_standard(block)
    name, data = _text(inner, "filename"), _text(inner, "file_data")
    if data and data.startswith("data:"):
        head, _, body = data.partition(",")
        return Media("file", head[5:].partition(";")[0] or None, data=body, name=name)
    return Media("file", None, data=data, file_id=None if data else _text(inner, "file_id"), name=name)


def _read_video_url(block: JsonObject) -> Media:
    video = block.get("video_url")
    url = video.get("url") if isinstance(video, dict) else video
    return Media("video", None, url=url if isinstance(url, str) else "")


_READERS: dict[str, Callable[[JsonObject], Media]] = {
    "image_url": _read_image_url,
    "input_audio": _read_input_audio,
    "image": _read_standard,
    "audio": _read_standard,
    "video": _read_standard,
    "document": _read_standard,
    "file": _read_openai_file,
    "media": _read_media,
    "video_url": _read_video_url,
}
