"""Converts a tool's result to text. Values become JSON; media that cannot be sent become a one-line description.

The conversion never raises an error. A result stays in the history, so an error would be raised again for each later
request of the conversation.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from pydantic_core import to_jsonable_python

from langchain_gemini_compat._wire.media import decode_base64

if TYPE_CHECKING:
    from collections.abc import Collection

    from langchain_gemini_compat._request.content_blocks import Media
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: Maximum depth to which a nested value is written if `json.dumps` refuses the value.
_DEEPEST = 100
#: Maximum number of characters of invalid base64 that is sent unchanged, because it may be text.
_MOST_DATA = 10_000
#: Keys of a media block that contain or describe the media. All other keys are data of the tool.
_OF_MEDIA = frozenset(
    {
        "type", "base64", "data", "blob", "source", "source_type", "image_url", "input_audio", "file", "file_data",
        "file_url", "video_url", "resource", "inline_data", "inlineData", "fileData", "mime_type", "media_type",
        "mimeType", "url", "uri", "file_uri", "fileUri", "file_id", "id", "index", "name", "filename", "detail",
        "extras", "extra_content", "cache_control", "annotations", "_meta", "citations", "size", "video_metadata",
        "videoMetadata", "media_resolution", "mediaResolution", "icons",
    }
)  # fmt: skip
#: Integers of at least this value are written in hexadecimal, because Python writes at most 4,300 decimal digits.
_LONG_NUMBER = 10**1000
_REFERENCE = "$ref"
_ESCAPED = re.compile(r"\\u00([0-7][0-9a-fA-F])")
#: MIME types of textual data.
_TEXTUAL = re.compile(
    r"text/.+|image/svg\+xml|application/(json|xml|yaml|x-yaml|toml|sql|javascript|x-javascript|typescript|jsonl|"
    r"x-ndjson|x-python|x-sh|graphql|.+\+(json|xml|yaml))"
)


def to_json_text(value: object) -> str:
    """Return `value` as JSON text. Values that JSON does not have become strings."""
    try:
        return json.dumps(value, ensure_ascii=False, default=_describe)
    except (TypeError, ValueError, RecursionError):
        return json.dumps(_plain(value, ()), ensure_ascii=False)


def as_json_object(value: object) -> JsonObject | None:
    """Return `value` if it is a nonempty, valid JSON object; else `None`."""
    if not isinstance(value, dict) or not value:
        return None
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None
    return value


def read_text_data(media: Media) -> str | None:
    """Return the decoded text of media with base64 data and a textual MIME type; else `None`."""
    mime_type = (media.known_mime_type or "").partition(";")[0]
    data = decode_base64(media.data) if media.data and _TEXTUAL.fullmatch(mime_type) else None
    if data is None:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def describe_media(media: Media, block: JsonValue) -> str:
    """Return a one-line description of media that are not sent: name, type, size and URI.

    A short block with invalid base64 is returned as JSON instead, because its data may be text.
    """
    size = None
    if media.data:
        size = (len(media.data.rstrip("=")) * 3) // 4
        if len(media.data) <= _MOST_DATA and decode_base64(media.data) is None:
            return to_json_text(block)
    facts = {"name": media.name, "type": media.known_mime_type, "URI": media.location}
    known = [f"{key}: {value}" for key, value in facts.items() if value]
    known += [f"size: {size} bytes"] if size is not None else []
    rest = rest_of_media(block)
    known += [rest] if rest else []
    return f"[An attachment of kind {media.kind!r} that cannot be shown. {'; '.join(known)}]"


def rest_of_media(block: JsonValue) -> str:
    """Return a JSON object, as text, with the keys that a tool added to a media block, such as `title`.

    Return an empty string if there are no such keys.
    """
    if not isinstance(block, dict):
        return ""
    rest = {key: value for key, value in block.items() if key not in _OF_MEDIA and value is not None}
    return to_json_text(rest) if rest else ""


def wrap_references(text: str, names: Collection[str]) -> str:
    """Wrap `text` as `{"output": text}` if its JSON has a `$ref` that names no media part in `names`.

    Gemini 3 reads `{"$ref": …}` anywhere in a function's response as the name of a media part of that response. Gemini
    3 answers 400 if the response has no such part: https://github.com/BerriAI/litellm/issues/38223,
    https://github.com/vercel/ai/issues/14369.
    """
    return json.dumps({"output": text}, ensure_ascii=False) if _holds_reference(text, names) else text


def _holds_reference(text: str, names: Collection[str]) -> bool:
    if _REFERENCE not in text and "\\u00" not in text:
        return False
    if text.lstrip("\ufeff \t\r\n\f\v\0")[:1] not in ("{", "["):
        return False
    try:
        json.loads(text.lstrip("\ufeff"), object_pairs_hook=_ReferenceFinder(names), parse_int=str)
    except _ReferenceFoundError:
        return True
    except (ValueError, RecursionError):
        # Python cannot parse this JSON, but a more lenient parser on the server may. So search the text for `$ref`.
        return _REFERENCE in _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return False


class _ReferenceFoundError(Exception):
    """Raised to stop the parser when a reference is found."""


class _ReferenceFinder:
    """A hook of the JSON parser that raises `_ReferenceFoundError` at a reference.

    The parser passes each JSON object as a list of key-value pairs. A dict would have only the last value of a
    duplicate key, and the reference may be in an earlier value.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names

    def __call__(self, pairs: list[tuple[str, object]]) -> None:
        for key, value in pairs:
            if key == _REFERENCE and not (isinstance(value, str) and value in self._names):
                raise _ReferenceFoundError


def _describe(value: object) -> JsonValue:
    """Return the JSON form that pydantic gives a value: dates as strings, models as objects, bytes as base64."""
    # The methods of a tool's own class may raise any exception.
    with suppress(Exception):
        return cast("JsonValue", to_jsonable_python(value, serialize_unknown=True, bytes_mode="base64"))
    return f"<{type(value).__name__}>"


def _as_text(value: object) -> str:
    with suppress(Exception):
        described = _describe(value)
        return described if isinstance(described, str) else json.dumps(described, ensure_ascii=False)
    return f"<{type(value).__name__}>"


def _plain(value: object, inside: tuple[object, ...]) -> JsonValue:
    """Return a copy of `value` that consists only of JSON's types.

    `inside` has the containers around `value`. If `value` is one of them, it contains itself, and is replaced by `…`.
    """
    if value is None or isinstance(value, (str, bool, float)):
        return value
    if isinstance(value, int):
        return value if abs(value) < _LONG_NUMBER else hex(value)
    if not isinstance(value, (dict, list, tuple, set, frozenset)):
        return _as_text(value)
    if len(inside) == _DEEPEST or any(value is one for one in inside):
        return "…"
    around = (*inside, value)
    if isinstance(value, dict):
        return {key if isinstance(key, str) else _as_text(key): _plain(one, around) for key, one in value.items()}
    return [_plain(one, around) for one in value]
