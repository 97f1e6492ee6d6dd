"""Recognises media types by file name, MIME type or first bytes, and reads `data:` URLs and base64.

This module does no I/O. Python's `mimetypes` is not used, because it reads files of the machine and differs between
versions. Sources: the input types that Google documents for Gemini
(https://docs.cloud.google.com/gemini-enterprise-agent-platform/models and https://ai.google.dev/gemini-api/docs/audio),
else IANA's registry.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_to_bytes

from langchain_gemini_compat._wire.json_types import object_at, text_at

if TYPE_CHECKING:
    from langchain_gemini_compat._wire.json_types import JsonValue

_MAGIC = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"%PDF", "application/pdf"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}

_ENDINGS: dict[str, str] = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "jpe": "image/jpeg", "jfif": "image/jpeg",
    "webp": "image/webp", "heic": "image/heic", "heif": "image/heif", "gif": "image/gif", "bmp": "image/bmp",
    "tif": "image/tiff", "tiff": "image/tiff", "svg": "image/svg+xml", "avif": "image/avif", "ico": "image/x-icon",
    "mp3": "audio/mpeg", "mpga": "audio/mpeg", "mp2": "audio/mpeg", "wav": "audio/wav", "flac": "audio/flac",
    "aac": "audio/aac", "aif": "audio/aiff", "aiff": "audio/aiff", "aifc": "audio/aiff", "m4a": "audio/mp4",
    "m4b": "audio/mp4", "ogg": "audio/ogg", "oga": "audio/ogg", "opus": "audio/opus", "pcm": "audio/pcm",
    "weba": "audio/webm", "amr": "audio/amr", "mid": "audio/midi", "midi": "audio/midi", "wma": "audio/x-ms-wma",
    "mp4": "video/mp4", "m4v": "video/mp4", "mpeg": "video/mpeg", "mpg": "video/mpeg", "mpe": "video/mpeg",
    "mov": "video/quicktime", "qt": "video/quicktime", "avi": "video/avi", "flv": "video/x-flv",
    "webm": "video/webm", "wmv": "video/wmv", "3gp": "video/3gpp", "3gpp": "video/3gpp", "3g2": "video/3gpp2",
    "mkv": "video/x-matroska", "ogv": "video/ogg", "mts": "video/mp2t",
    "pdf": "application/pdf", "txt": "text/plain", "text": "text/plain", "log": "text/plain", "md": "text/markdown",
    "csv": "text/csv", "tsv": "text/tab-separated-values", "html": "text/html", "htm": "text/html",
    "css": "text/css", "xml": "text/xml", "rtf": "text/rtf", "js": "text/javascript", "mjs": "text/javascript",
    "py": "text/x-python", "json": "application/json", "jsonl": "application/jsonl", "yaml": "application/yaml",
    "yml": "application/yaml", "zip": "application/zip", "gz": "application/gzip", "tar": "application/x-tar",
    "doc": "application/msword", "xls": "application/vnd.ms-excel", "ppt": "application/vnd.ms-powerpoint",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "odt": "application/vnd.oasis.opendocument.text", "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odp": "application/vnd.oasis.opendocument.presentation",
}  # fmt: skip
#: Maps the MIME types of file formats that contain video or only audio to the types that an `audio` block needs.
_SOUND_OF = {
    "video/mp4": "audio/mp4",
    "video/webm": "audio/webm",
    "video/3gpp": "audio/3gpp",
    "video/mpeg": "audio/mpeg",
    "video/ogg": "audio/ogg",
}
_PICTURE_OF = {"audio/ogg": "video/ogg", "audio/webm": "video/webm"}

#: Maps other spellings of MIME types to the spelling in Google's lists.
_ALIASES = {
    "image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png", "image/x-webp": "image/webp",
    "audio/x-wav": "audio/wav", "audio/wave": "audio/wav", "audio/vnd.wave": "audio/wav", "audio/x-pn-wav": "audio/wav",
    "audio/x-flac": "audio/flac", "audio/x-mp3": "audio/mpeg", "audio/x-mpeg": "audio/mpeg",
    "audio/mpeg3": "audio/mpeg", "audio/x-m4a": "audio/mp4", "audio/x-aac": "audio/aac", "audio/aacp": "audio/aac",
    "audio/x-aiff": "audio/aiff", "audio/x-ogg": "audio/ogg", "application/ogg": "audio/ogg",
    "video/x-ms-wmv": "video/wmv", "video/x-msvideo": "video/avi", "video/msvideo": "video/avi",
    "video/mov": "video/quicktime", "video/x-quicktime": "video/quicktime", "video/x-m4v": "video/mp4",
    "video/3gp": "video/3gpp", "video/matroska": "video/x-matroska", "video/x-mpeg": "video/mpeg",
    "video/flv": "video/x-flv", "application/x-pdf": "application/pdf",
}  # fmt: skip
#: MIME types of raw audio samples. A parameter such as `rate=16000` is kept in the MIME type that is sent.
_PARAMETRISED = ("audio/pcm", "audio/l16", "audio/l24", "audio/basic")
_SHAPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]+):")
#: Maximum number of characters before the comma of a `data:` URL.
_LONGEST_HEAD = 300
_SPACES = (" ", "\n", "\r", "\t")


def sniff_mime_type(data: str, default: str = "audio/wav") -> str:
    """Return the MIME type that the first bytes of base64 `data` indicate, or `default`.

    >>> sniff_mime_type("/9j/4AAQSk")
    'image/jpeg'
    """
    try:
        head = b64decode(data[:32] + "=" * (-len(data[:32]) % 4))
    except ValueError:
        return default
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12], default)
    return next((mime for magic, mime in _MAGIC if head.startswith(magic)), default)


def normalise_mime_type(text: str) -> str | None:
    """Convert a MIME type or a file ending to a MIME type in the spelling of Google's lists.

    Return `None` for unknown endings, and for patterns such as `image/*`.

    >>> normalise_mime_type("image/JPG; charset=binary"), normalise_mime_type("pdf"), normalise_mime_type("image/*")
    ('image/jpeg', 'application/pdf', None)
    """
    head, mark, parameters = text.strip().partition(";")
    found = head.strip().lower()
    if not _SHAPE.fullmatch(found):
        return _ENDINGS.get(found.removeprefix("."))
    found = _ALIASES.get(found, found)
    return f"{found};{parameters.strip()}" if mark and found in _PARAMETRISED else found


def guess_mime_type(name: str, kind: str = "") -> str | None:
    """Return the MIME type for the ending of a file name or URL; `kind` selects between audio and video types.

    >>> guess_mime_type("gs://bucket/Speech.M4A?generation=1"), guess_mime_type("a.webm", "audio"), guess_mime_type("a")
    ('audio/mp4', 'audio/webm', None)
    """
    path = re.split(r"[?#]", name, maxsplit=1)[0]
    # Try the part before the first `?` or `#`, and then the whole text. The name of a file in a bucket may contain `?`,
    # and a URL may have the file name in its query, such as `?file=a.pdf`.
    endings = (unquote(text).strip().rpartition(".")[2].lower() for text in (path, name))
    found = next((_ENDINGS[ending] for ending in endings if ending in _ENDINGS), None)
    if found is None:
        return None
    return {"audio": _SOUND_OF, "video": _PICTURE_OF}.get(kind, {}).get(found, found)


def scheme_of(url: str) -> str:
    """Return the scheme of a URL in lower case; an empty string for a path, including `C:/a.txt`.

    >>> scheme_of("HTTPS://example.com"), scheme_of("C:/a.txt")
    ('https', '')
    """
    found = _SCHEME.match(url[:40])
    return found[1].lower() if found else ""


def split_data_url(url: str) -> tuple[str | None, str] | None:
    """Return MIME type and base64 of a `data:` URL in any spelling; `None` for other texts.

    >>> split_data_url("DATA:text/plain;charset=utf-8,a%20b")
    ('text/plain', 'YSBi')
    """
    comma = url.find(",", 0, _LONGEST_HEAD)
    if comma < 0 or scheme_of(url) != "data":
        return None
    head, content = url[:comma].strip()[5:], url[comma + 1 :]
    mime_type = normalise_mime_type(head)
    if head.rpartition(";")[2].strip().lower() == "base64":
        return mime_type, clean_base64(unquote(content) if "%" in content else content)
    return mime_type, b64encode(unquote_to_bytes(content.encode(errors="replace"))).decode()


def canonical_data_url(url: str) -> str:
    """Return a `data:` URL with its MIME type and base64 in standard form. Other URLs are returned unchanged."""
    parts = split_data_url(url)
    if parts is None:
        return url
    mime_type, data = parts
    found = mime_type or sniff_mime_type(data, "")
    return f"data:{found};base64,{data}" if found else url


def clean_base64(data: str) -> str:
    """Return base64 in the standard alphabet, padded, without line breaks. Other texts are returned unchanged."""
    if any(space in data for space in _SPACES):
        data = "".join(data.split())
    if "-" in data or "_" in data:
        data = data.replace("-", "+").replace("_", "/")
    return data + "=" * (-len(data) % 4) if len(data) % 4 in (2, 3) else data


def decode_base64(data: str) -> bytes | None:
    """Return the bytes of base64; `None` if the text is not valid base64."""
    try:
        return b64decode(data, validate=True)
    except ValueError:
        return None


def is_public_url(url: str) -> bool:
    """Whether a server on the internet may be able to reach the host of an http(s) URL.

    >>> is_public_url("https://example.com/a.png"), is_public_url("http://localhost:8080/a.png")
    (True, False)
    """
    authority = re.split(r"[/?#\\]", url.partition("://")[2], maxsplit=1)[0].rpartition("@")[2]
    found = re.fullmatch(r"\[(?P<six>[^\]]+)\](:\d*)?|(?P<name>[^:\[\]]+)(:\d*)?", authority)
    if not found:
        return False
    host = (found["six"] or found["name"]).rstrip(".").lower()
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".local", ".localhost", ".internal", ".lan"))


def read_image(item: JsonValue) -> tuple[str, str, str] | None:
    """Return base64, MIME type and URL of an image in a gateway's reply; `None` if `item` is not an image.

    Either the base64 or the URL is empty. The MIME type is empty if the server sends a URL without a type.

    >>> read_image({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K"}})
    ('iVBORw0K', 'image/png', '')
    """
    if isinstance(item, str):
        return _read_location(item, "")
    if not isinstance(item, dict) or "image" not in (text_at(item, "type") or "image"):
        return None
    inner = object_at(item, "image_url") or object_at(item, "image") or item
    mime_type = text_at(inner, "mime_type") or text_at(inner, "media_type") or text_at(item, "mime_type")
    keys = ("url", "image_url", "b64_json", "base64", "data")
    return _read_location(next((text for key in keys if (text := text_at(inner, key))), ""), mime_type)


def _read_location(text: str, mime_type: str) -> tuple[str, str, str] | None:
    """Return base64, MIME type and URL of the image in `text`, as `read_image` does.

    `text` may be a `data:` URL, another URL, or base64. For any other text, return `None`.
    """
    scheme = scheme_of(text)
    if scheme in ("gs", "http", "https"):
        return "", mime_type, text
    named, data = split_data_url(text) or (None, "" if scheme else clean_base64(text))
    if not data or decode_base64(data) is None:
        return None
    return data, named or mime_type or sniff_mime_type(data, "image/png"), ""
