"""Facts about media types: what the first bytes say, what the wire calls them. Pure, no I/O."""

from __future__ import annotations

from base64 import b64decode

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


def sniff_mime_type(data: str, default: str = "audio/wav") -> str:
    """The MIME type that the first bytes of base64 `data` tell, else `default`.

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
