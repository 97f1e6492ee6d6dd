"""Parses content blocks of every known form into `Text`, `Media`, `Silent` or `Unknown`.

The parser raises no errors and fetches no URLs. The encoder decides what a surface accepts. Known forms are LangChain's
own blocks (v1, and v0 with `source_type`), OpenAI's blocks (Chat Completions and Responses), and Anthropic's blocks
with `source`. Further known forms are MCP's blocks (`mimeType`, `resource`, `resource_link`), Google's parts
(`inline_data`, `file_data`), and the `media` block of Google's own LangChain packages.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from langchain_gemini_compat._wire.media import (
    canonical_data_url,
    clean_base64,
    decode_base64,
    guess_mime_type,
    normalise_mime_type,
    scheme_of,
    sniff_mime_type,
    split_data_url,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from langchain_gemini_compat._wire.json_types import JsonValue

#: Types of blocks in an assistant message that are not sent as content. They are encoded elsewhere or left out.
_SILENT = frozenset(
    {
        "reasoning", "thinking", "redacted_thinking", "thought", "tool_use", "tool_call", "tool_call_chunk",
        "invalid_tool_call", "function_call", "function_call_signature", "refusal", "server_tool_call",
        "server_tool_call_chunk", "server_tool_result", "server_tool_use", "web_search_call", "code_interpreter_call",
    }
)  # fmt: skip
#: Maximum number of nested `non_standard` wrappers to open. The limit is needed, because a block may contain itself.
_MOST_WRAPPINGS = 50
_DEFAULT_MIME = {"image": "image/jpeg", "audio": "audio/wav", "video": "video/mp4"}
#: Values of the key `type` in text blocks. `None` stands for a missing key (older Gemini models, plain dicts).
_TEXT_KINDS = (None, "text", "text-plain", "input_text", "output_text")
#: The keys for the MIME type in blocks of LangChain, Anthropic and MCP.
_MIME_KEYS = ("mime_type", "media_type", "mimeType")
_GOOGLE_PARTS = ("inline_data", "inlineData", "file_data", "fileData")
#: MIME types that do not identify the content.
_GENERIC_MIME = ("application/octet-stream", "binary/octet-stream")
_PDF = "application/pdf"
#: The first characters of every PDF file in base64. They encode `%PDF`, with which such a file begins.
_PDF_HEAD = "JVBER"


@dataclass(frozen=True, slots=True)
class Text:
    """A block of text."""

    text: str


@dataclass(frozen=True, slots=True)
class Silent:
    """A block that is not sent as content, such as a thought, a tool call, a refusal or another provider's tool."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A block of an unknown form."""


@dataclass(frozen=True, slots=True)
class Media:
    """A block of media; at most one of `url`, `data` (base64) and `file_id` is set."""

    kind: str
    mime_type: str | None = None
    url: str | None = None
    data: str | None = None
    file_id: str | None = None
    name: str | None = None
    detail: str | None = None
    #: The normalized `format` of an `input_audio` block, if the caller set `format` to a MIME type; else `None`.
    audio_format: str | None = None
    #: Whether the block is an `input_audio` block that has a URI as its data. Google uses this form for a URI with a
    #: MIME type.
    carried: bool = False
    #: Whether `image_url` is a plain string. Only Vertex documents this form.
    plain: bool = False

    @property
    def known_mime_type(self) -> str | None:
        """The caller's MIME type; else the type that the data or the name suggests; else a default for the kind."""
        given = normalise_mime_type(self.mime_type) if self.mime_type else None
        if given and given not in _GENERIC_MIME:
            return given
        found = sniff_mime_type(self.data, "") if self.data else ""
        return found or self._named_mime_type() or given or _DEFAULT_MIME.get(self.kind)

    def _named_mime_type(self) -> str | None:
        """Return the MIME type for the file extension of the name or URL; `None` without a known extension."""
        guesses = (guess_mime_type(text, self.kind) for text in (self.name, self.url) if text)
        return next((found for found in guesses if found), None)

    @property
    def location(self) -> str:
        """The URL, else the file id, else an empty string."""
        return self.url or self.file_id or ""


@dataclass(frozen=True, slots=True)
class Block:
    """A parsed content block together with the caller's block."""

    content: Text | Media | Silent | Unknown
    #: The caller's block, without the `non_standard` blocks around it.
    raw: JsonValue


#: A message's content: text, or parsed blocks.
Content: TypeAlias = "str | list[Block]"


def parse_content(content: str | Sequence[JsonValue]) -> Content:
    """Return a message's content with its blocks parsed. A string stays a string."""
    return content if isinstance(content, str) else [parse_block(block) for block in content]


def parse_block(given: JsonValue) -> Block:
    """Return a parsed content block.

    >>> parse_block({"type": "document", "source": {"type": "text", "data": "hi"}}).content
    Text(text='hi')
    >>> parse_block({"type": "image_url", "image_url": "gs://b/cat.jpg"}).content.location
    'gs://b/cat.jpg'
    """
    raw = _unwrap(given)
    if isinstance(raw, str):
        return Block(Text(raw), raw)
    if not isinstance(raw, dict):
        return Block(Unknown(), raw)
    if type_of(raw) in _SILENT:
        return Block(Silent(), raw)
    text = _read_text(raw)
    return Block(Text(text) if text is not None else read_media(raw) or Unknown(), raw)


def type_of(block: Mapping[str, object]) -> str | None:
    """Return the block's `type` if it is a string, else `None`. In a tool's own JSON, `type` may be any value."""
    kind = block.get("type")
    return kind if isinstance(kind, str) else None


def _unwrap(block: JsonValue) -> JsonValue:
    """Return the block without its `non_standard` wrappers; `None` if they are nested too deep."""
    for _ in range(_MOST_WRAPPINGS):
        if not isinstance(block, dict) or block.get("type") != "non_standard":
            return block
        block = block.get("value")
    return None


def _read_text(block: Mapping[str, object]) -> str | None:
    """Return the text of a text block of any known form; `None` for other blocks."""
    kind = block.get("type")
    if kind in _TEXT_KINDS:
        text = block.get("text")
        if isinstance(text, str):
            return text
        return _decode_text(block) if kind == "text-plain" else None if kind is None else ""
    if kind == "resource":
        text = _mapping(block.get("resource")).get("text")
        return text if isinstance(text, str) else None
    source = _mapping(block.get("source"))
    if kind == "document" and source.get("type") == "text":
        return _text(source, "data")
    if kind == "file" and block.get("source_type") == "text":
        return _text(block, "url", "text")
    return None


def read_media(block: Mapping[str, object]) -> Media | None:
    """Return the media of a media block of any known form; `None` for other blocks.

    `block` must not be a text block.
    """
    kind = block.get("type")
    if kind is None:
        return _read_google_part(block)
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    return reader(block) if reader else None


def _decode_text(block: Mapping[str, object]) -> str | None:
    data = _text(block, "base64")
    found = decode_base64(clean_base64(data)) if data else None
    return None if found is None else found.decode(errors="replace")


def _text(block: Mapping[str, object], *keys: str) -> str | None:
    """Return the first nonempty value under `keys` that is a string or bytes. Bytes are returned as base64."""
    for key in keys:
        value = block.get(key)
        if isinstance(value, bytes) and value:
            return b64encode(value).decode()
        if isinstance(value, str) and value:
            return value
    return None


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _at(media: Media, text: str) -> Media:
    """Return `media` with its data or URL set from `text`, which is a `data:` URL, another URL or base64."""
    scheme = scheme_of(text)
    parts = split_data_url(text) if scheme == "data" else None
    if parts:
        return replace(media, mime_type=media.mime_type or parts[0], data=parts[1])
    return replace(media, url=text) if scheme else replace(media, data=clean_base64(text))


def _read_image_url(block: Mapping[str, object]) -> Media:
    image = block.get("image_url")
    inner = _mapping(image)
    url = image if isinstance(image, str) else _text(inner, "url")
    detail = _text(inner, "detail") or _text(block, "detail")
    url = canonical_data_url(url) if url else None
    return Media("image", url=url, file_id=_text(block, "file_id"), detail=detail, plain=isinstance(image, str))


def _read_input_image(block: Mapping[str, object]) -> Media:
    """Return an image block of the Responses API, where `image_url` is always a plain string."""
    return replace(_read_image_url(block), plain=False)


def _read_input_audio(block: Mapping[str, object]) -> Media:
    inner = _mapping(block.get("input_audio"))
    audio_format = _text(inner, "format") or "wav"
    if "/" in audio_format:
        audio_format = normalise_mime_type(audio_format) or audio_format
    return _carried_audio(audio_format if "/" in audio_format else f"audio/{audio_format}", _text(inner, "data") or "",
                          audio_format if "/" in audio_format else None)  # fmt: skip


def _carried_audio(mime_type: str, data: str, audio_format: str | None) -> Media:
    media = _at(Media("audio", mime_type, audio_format=audio_format), data)
    return replace(media, carried=media.url is not None)


def _read_standard(block: Mapping[str, object]) -> Media:
    """Return the media of a LangChain block, or of an Anthropic block with `source`."""
    kind = "file" if block.get("type") in ("document", "text-plain") else str(block.get("type"))
    source = block.get("source")
    if isinstance(source, dict):
        block = {"mime_type": source.get("media_type"), "filename": block.get("title"), **source}
    extras = _mapping(block.get("extras"))
    mime_type, data = _text(block, *_MIME_KEYS), _text(block, "base64", "data", "blob")
    media = Media(
        kind,
        mime_type,
        name=_text(block, "filename", "name") or _text(extras, "filename", "name"),
        detail=_text(extras, "detail") or _text(block, "detail"),
    )
    if data:
        return _with_true_type(media, data)
    url = _text(block, "url", "file_uri", "uri", "fileUri")
    if url:
        is_data = scheme_of(url) == "data"
        return _at(media, url) if is_data and kind != "image" else replace(media, url=canonical_data_url(url))
    return replace(media, file_id=_text(block, "file_id") or (_text(block, "id") if "source_type" in block else None))


def _with_true_type(media: Media, data: str) -> Media:
    """Return `media` with its base64 data, and with a MIME type that fits the data.

    The MIME type can be wrong, because langchain-core turns every `format` of OpenAI's `input_audio` into
    `audio/<format>`, and labels every OpenAI `file` as PDF.
    """
    mime_type = media.mime_type or ""
    inner = mime_type.removeprefix("audio/")
    if media.kind == "audio" and mime_type.startswith("audio/") and "/" in inner:
        inner = normalise_mime_type(inner) or inner
        return _carried_audio(inner, data, inner)
    media = _at(media, data)
    if media.kind == "audio" and media.url:
        return replace(media, carried=True)
    if media.kind == "file" and mime_type == _PDF and media.data and not media.data.startswith(_PDF_HEAD):
        found = sniff_mime_type(media.data, "") or (guess_mime_type(media.name) if media.name else None)
        return replace(media, mime_type=found or _PDF)
    return media


def _read_google_media(block: Mapping[str, object]) -> Media:
    """Return the media of a `media` block of Google's LangChain packages, which has data or a URI."""
    return _by_type(_read_standard(block))


def _by_type(media: Media) -> Media:
    """Return `media` with its kind set from its MIME type."""
    kind = (media.mime_type or "").strip().lower().partition("/")[0]
    return replace(media, kind=kind if kind in _DEFAULT_MIME else "file")


def _read_google_part(block: Mapping[str, object]) -> Media | None:
    """Return the media of a part of Google's own API, with keys in snake or camel case; `None` for other blocks."""
    inner = next((found for key in _GOOGLE_PARTS if isinstance(found := block.get(key), dict)), None)
    return _by_type(_read_standard({**inner, "type": "file"})) if inner else None


def _read_resource(block: Mapping[str, object]) -> Media:
    """Return the media of a resource that an MCP result embeds or links to."""
    inner = _mapping(block.get("resource")) or block
    return _by_type(_read_standard({**inner, "type": "file", "name": _text(block, "name") or _text(inner, "name")}))


def _read_file(block: Mapping[str, object]) -> Media:
    """Return the media of a `file` block. OpenAI's form nests its fields under `file`; LangChain's form does not."""
    inner = block.get("file")
    return _read_openai_file(inner) if isinstance(inner, dict) else _read_standard(block)


def _read_openai_file(block: Mapping[str, object]) -> Media:
    media = Media("file", name=_text(block, "filename"))
    data = _text(block, "file_data", "file_url")
    return _at(media, data) if data else replace(media, file_id=_text(block, "file_id"))


def _read_video_url(block: Mapping[str, object]) -> Media:
    video = block.get("video_url")
    url = video if isinstance(video, str) else _text(_mapping(video), "url")
    return _at(Media("video"), url) if url else Media("video")


_READERS: dict[str, Callable[[Mapping[str, object]], Media]] = {
    "image_url": _read_image_url,
    "input_image": _read_input_image,
    "input_audio": _read_input_audio,
    "image": _read_standard,
    "audio": _read_standard,
    "video": _read_standard,
    "document": _read_standard,
    "text-plain": _read_standard,
    "file": _read_file,
    "input_file": _read_openai_file,
    "media": _read_google_media,
    "video_url": _read_video_url,
    "resource": _read_resource,
    "resource_link": _read_resource,
    "computer_screenshot": _read_input_image,
}
